/* SPDX-License-Identifier: Apache-2.0 */
/* See bench_progress.h. */
#include "cli/bench_progress.h"

#include <stdio.h>

#include "cli/bench_text.h"

#define SAMPLE_NS UINT64_C(50000000)
/* Often enough to look alive, seldom enough to cost nothing. */
#define SHOW_NS UINT64_C(250000000)

/* Each two samples become one. */
static void thin_out(struct bench_progress *p)
{
	for (uint32_t i = 0; i < BENCH_SAMPLES_MAX / 2; i++) {
		const struct bench_sample *a = &p->samples[2 * i], *b = a + 1;
		p->samples[i] = (struct bench_sample){
			.end_ns = b->end_ns,
			.delivered = a->delivered + b->delivered,
			.latency_max_ns = a->latency_max_ns > b->latency_max_ns ? a->latency_max_ns
										: b->latency_max_ns,
		};
	}
	p->sample_count = BENCH_SAMPLES_MAX / 2;
	p->period_ns *= 2;
}

static void sample(struct bench_progress *p, uint64_t now_ns, uint64_t delivered)
{
	if (p->sample_count == BENCH_SAMPLES_MAX)
		thin_out(p);
	p->samples[p->sample_count++] = (struct bench_sample){
		.end_ns = now_ns - p->start_ns,
		.delivered = delivered - p->sampled_count,
		.latency_max_ns = p->latency_max_ns,
	};
	if (p->latency_max_ns > p->shown_max_ns)
		p->shown_max_ns = p->latency_max_ns;
	p->sampled_ns = now_ns;
	p->sampled_count = delivered;
	p->latency_max_ns = 0;
}

static void show(struct bench_progress *p, const char *label, uint64_t now_ns, uint64_t delivered)
{
	double seconds = (double)(now_ns - p->shown_ns) / 1e9;
	double rate = (double)(delivered - p->shown_count) / seconds;
	char a[BENCH_TEXT_MAX], b[BENCH_TEXT_MAX], c[BENCH_TEXT_MAX];
	fprintf(stderr, "\r%s %.1f s: %s delivered, %s a second, longest latency %s\033[K", label,
		(double)(now_ns - p->start_ns) / 1e9, bench_text_count(delivered, a),
		bench_text_count((uint64_t)(rate + 0.5), b), bench_text_time(p->shown_max_ns, c));
	fflush(stderr);
	p->has_line = true;
	p->shown_ns = now_ns;
	p->shown_count = delivered;
	p->shown_max_ns = 0;
}

void bench_progress_note(struct bench_progress *p, const char *label, uint64_t now_ns,
			 uint64_t delivered)
{
	if (p->start_ns == 0) {
		p->start_ns = p->sampled_ns = p->shown_ns = now_ns;
		p->sampled_count = p->shown_count = delivered;
		p->period_ns = SAMPLE_NS;
		return;
	}
	if (now_ns - p->sampled_ns >= p->period_ns)
		sample(p, now_ns, delivered);
	if (p->is_shown && now_ns - p->shown_ns >= SHOW_NS)
		show(p, label, now_ns, delivered);
}

void bench_progress_end(struct bench_progress *p)
{
	if (!p->has_line)
		return;
	fputs("\r\033[K", stderr);
	fflush(stderr);
	p->has_line = false;
}
