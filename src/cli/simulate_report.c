/* SPDX-License-Identifier: Apache-2.0 */
/* What came of a run: for people, and as JSON. */
#include <stdio.h>

#include "cli/simulate_run.h"

typedef unsigned long long ull;

uint64_t simulate_published(const struct simulate_count *c)
{
	return c->published[0] + c->published[1] + c->published[2];
}

uint64_t simulate_received(const struct simulate_count *c)
{
	return c->received[0] + c->received[1] + c->received[2];
}

static double seconds_of(const struct simulate_run *run)
{
	return run->ran_ms > 0 ? (double)run->ran_ms / 1000 : 0.001;
}

static double latency_ms(const struct simulate_count *c, double fraction)
{
	return (double)bench_histogram_percentile(&c->latency_us, fraction) / 1000;
}

void simulate_report_progress(const struct simulate_run *run)
{
	const struct simulate_count *c = &run->field.count;
	fprintf(stderr,
		"\r\033[K%.1f s: %u of %u connected, %llu sent, %llu acknowledged, %llu received, "
		"%llu reconnects",
		(double)(run->field.now_ms - run->field.start_ms) / 1000, c->connected,
		run->script->device_count, (ull)simulate_published(c), (ull)c->acknowledged,
		(ull)simulate_received(c), (ull)c->reconnections);
	fflush(stderr);
}

void simulate_report_text(const struct simulate_run *run)
{
	const struct simulate_count *c = &run->field.count;
	double seconds = seconds_of(run);
	printf("devices       %u for %.1f s, at most %u connected; %llu connections, %llu "
	       "reconnects, %llu failed\n",
	       run->script->device_count, seconds, c->connected_max, (ull)c->connections,
	       (ull)c->reconnections, (ull)c->failures);
	printf("sent          %llu (%.1f/s): %llu at QoS 0, %llu at QoS 1, %llu at QoS 2\n",
	       (ull)simulate_published(c), (double)simulate_published(c) / seconds,
	       (ull)c->published[0], (ull)c->published[1], (ull)c->published[2]);
	printf("acknowledged  %llu; %llu refused, %llu expired, %llu lost\n", (ull)c->acknowledged,
	       (ull)c->refused, (ull)c->expired, (ull)run->lost);
	printf("received      %llu (%.1f/s): %llu at QoS 0, %llu at QoS 1, %llu at QoS 2; %llu "
	       "bytes, %llu with DUP\n",
	       (ull)simulate_received(c), (double)simulate_received(c) / seconds,
	       (ull)c->received[0], (ull)c->received[1], (ull)c->received[2],
	       (ull)c->received_bytes, (ull)c->duplicates);
	if (c->latency_us.count > 0)
		printf("latency       p50 %.3f ms, p90 %.3f, p99 %.3f, p99.9 %.3f, max %.3f (to "
		       "acknowledge)\n",
		       latency_ms(c, 0.5), latency_ms(c, 0.9), latency_ms(c, 0.99),
		       latency_ms(c, 0.999), (double)c->latency_us.max / 1000);
	if (c->unsubscribed > 0)
		printf("subscriptions %llu refused\n", (ull)c->unsubscribed);
	printf("simulator     %.2f s of CPU time (%.1f %% of a core)\n", (double)run->cpu_us / 1e6,
	       (double)run->cpu_us / 1e4 / seconds);
	if (run->field.trouble[0])
		printf("trouble       %s\n", run->field.trouble);
}

static void print_json_text(const char *text)
{
	putchar('"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			putchar('\\');
		if ((unsigned char)*text >= 0x20)
			putchar(*text);
	}
	putchar('"');
}

void simulate_report_json(const struct simulate_run *run)
{
	const struct simulate_count *c = &run->field.count;
	printf("{\"devices\": %u, \"seconds\": %.3f, \"seed\": %llu, \"connected_max\": %u, ",
	       run->script->device_count, seconds_of(run), (ull)run->script->seed,
	       c->connected_max);
	printf("\"connections\": %llu, \"reconnects\": %llu, \"failures\": %llu, "
	       "\"rejections\": %llu, ",
	       (ull)c->connections, (ull)c->reconnections, (ull)c->failures, (ull)c->rejections);
	printf("\"sent\": [%llu, %llu, %llu], \"acknowledged\": %llu, \"refused\": %llu, "
	       "\"expired\": %llu, \"lost\": %llu, ",
	       (ull)c->published[0], (ull)c->published[1], (ull)c->published[2],
	       (ull)c->acknowledged, (ull)c->refused, (ull)c->expired, (ull)run->lost);
	printf("\"received\": [%llu, %llu, %llu], \"received_bytes\": %llu, \"duplicates\": %llu, "
	       "\"subscriptions_refused\": %llu, ",
	       (ull)c->received[0], (ull)c->received[1], (ull)c->received[2],
	       (ull)c->received_bytes, (ull)c->duplicates, (ull)c->unsubscribed);
	printf("\"latency_ms\": {\"p50\": %.3f, \"p90\": %.3f, \"p99\": %.3f, \"p99.9\": %.3f, "
	       "\"max\": %.3f}, ",
	       latency_ms(c, 0.5), latency_ms(c, 0.9), latency_ms(c, 0.99), latency_ms(c, 0.999),
	       (double)c->latency_us.max / 1000);
	printf("\"cpu_seconds\": %.3f, \"trouble\": ", (double)run->cpu_us / 1e6);
	print_json_text(run->field.trouble);
	puts("}");
}
