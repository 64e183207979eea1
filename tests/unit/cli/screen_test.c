/* SPDX-License-Identifier: Apache-2.0 */
/* What people look at: --watch, the line of progress, percentiles. */
#include "cli/latency.h"
#include "cli/progress.h"
#include "cli/watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static char *draw(struct watch *w, unsigned lines, unsigned columns)
{
	char *text;
	size_t len;
	FILE *to = open_memstream(&text, &len);
	assert_non_null(to);
	watch_draw(w, to, lines, columns);
	fclose(to);
	return text;
}

static void note(struct watch *w, const char *topic, struct span payload)
{
	struct publish m = {.topic = span_of_text(topic), .payload = payload};
	watch_note(w, &m);
}

static void check_drawn(struct watch *w, unsigned lines, unsigned columns, const char *wanted)
{
	char *text = draw(w, lines, columns);
	assert_string_equal(text, wanted);
	free(text);
}

static void test_watch_draws_a_line_for_each_topic(void **state)
{
	(void)state;
	struct watch w = {0};
	note(&w, "a", SPAN_LITERAL("1"));
	note(&w, "b", SPAN_LITERAL("x"));
	note(&w, "a", SPAN_LITERAL("22"));
	assert_true(w.has_news);
	check_drawn(&w, 24, 80, "\033[H     2  a  22\033[K\n     1  b  x\033[K\n\033[J");
	assert_false(w.has_news);
	check_drawn(&w, 3, 80, "\033[H     2  a  22\033[K\nand 1 more topics\033[K\n\033[J");
	check_drawn(&w, 24, 9, "\033[H     2  a\033[K\n     1  b\033[K\n\033[J");
	watch_release(&w);
}

/* No publisher can speak to the terminal. */
static void test_watch_shows_no_controls(void **state)
{
	(void)state;
	struct watch w = {0};
	note(&w, "a\033[2J", SPAN_LITERAL("\033]0;x\a\n\x7f\xc2\x9b"));
	check_drawn(&w, 24, 80, "\033[H     1  a.[2J  .]0;x.....\033[K\n\033[J");
	note(&w, "a\033[2J", SPAN_LITERAL("\xff\x9b\xc3\xa4"));
	check_drawn(&w, 24, 80, "\033[H     2  a.[2J  ....\033[K\n\033[J");
	note(&w, "a\033[2J", SPAN_LITERAL("\xc3\xa4\xe2\x82\xac"));
	check_drawn(&w, 24, 80, "\033[H     3  a.[2J  \xc3\xa4\xe2\x82\xac\033[K\n\033[J");
	check_drawn(&w, 24, 17, "\033[H     3  a.[2J  \xc3\xa4\xe2\x82\xac\033[K\n\033[J");
	check_drawn(&w, 24, 16, "\033[H     3  a.[2J  \xc3\xa4\033[K\n\033[J");
	watch_release(&w);
}

static void test_watch_is_bounded(void **state)
{
	(void)state;
	struct watch w = {0};
	char topic[16], payload[2 * WATCH_TEXT_MAX];
	memset(payload, 'x', sizeof(payload));
	for (int i = 0; i < WATCH_TOPICS_MAX + 5; i++) {
		snprintf(topic, sizeof(topic), "%d", i);
		note(&w, topic, span_of(payload, sizeof(payload)));
	}
	assert_int_equal(w.count, WATCH_TOPICS_MAX);
	assert_int_equal(w.left_out_count, 5);
	assert_int_equal(strlen(w.rows[0].text), WATCH_TEXT_MAX - 1);
	watch_release(&w);
}

static void test_progress(void **state)
{
	(void)state;
	char line[160];
	struct progress p;
	progress_begin(&p, 1000, -1, 200);
	progress_line(&p, 3000, 50, 0, line, sizeof(line));
	assert_string_equal(line, "[=====>              ]  25 %  50 messages, 25/s, 6 s left");
	progress_line(&p, 3000, 200, 0, line, sizeof(line));
	assert_string_equal(line, "[====================] 100 %  200 messages, 100/s, 0 s left");
	progress_begin(&p, 1000, -1, 0);
	progress_line(&p, 3000, 50, 999, line, sizeof(line));
	assert_string_equal(line, "50 messages, 25/s");
	assert_int_equal(progress_deadline(&p), 2000);
	progress_end(&p);
	assert_int_equal(progress_deadline(&p), UINT64_MAX);
}

/* Nearest rank: the smallest time within which at least that share came. */
static void test_percentiles(void **state)
{
	(void)state;
	struct latencies l = {0};
	assert_int_equal(latencies_at(&l, 5000), 0);
	for (uint32_t i = 1; i <= 10000; i++)
		assert_int_equal(latencies_add(&l, i), 0);
	assert_int_equal(latencies_at(&l, 0), 1);
	assert_int_equal(latencies_at(&l, 5000), 5000);
	assert_int_equal(latencies_at(&l, 9900), 9900);
	assert_int_equal(latencies_at(&l, 9999), 9999);
	assert_int_equal(latencies_at(&l, 10000), 10000);
	latencies_release(&l);
	l = (struct latencies){0};
	assert_int_equal(latencies_add(&l, 3000), 0);
	assert_int_equal(latencies_add(&l, 1000), 0);
	char *text;
	size_t len;
	FILE *to = open_memstream(&text, &len);
	latencies_print(&l, to);
	fclose(to);
	assert_string_equal(text, "latency in ms: least 1.000, p50 1.000, p90 3.000, p95 3.000, "
				  "p99 3.000, p99.9 3.000, p99.99 3.000, most 3.000\n");
	free(text);
	latencies_release(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_watch_draws_a_line_for_each_topic),
		cmocka_unit_test(test_watch_shows_no_controls),
		cmocka_unit_test(test_watch_is_bounded),
		cmocka_unit_test(test_progress),
		cmocka_unit_test(test_percentiles),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
