/* SPDX-License-Identifier: Apache-2.0 */
/* Rules that drop, repeat, hold up and cut packets, however their bytes come in. */
#include "trace/fault.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/mem.h"
#include "mqtt/types.h"

#define PING "\xc0\0"
#define PUBACK(id) "\x40\2\0" id
#define STREAM PUBACK("\1") PING PUBACK("\2") PUBACK("\3")

static struct fault_table table;
static struct fault_stream stream;
static struct buffer out;

static void begin(const struct fault_rule *rules, size_t count)
{
	memset(&table, 0, sizeof(table));
	fault_stream_release(&stream);
	buffer_release(&out);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(fault_add(&table, &rules[i]), 0);
}

static int feed(const void *bytes, size_t len, uint64_t now_ms)
{
	return fault_pass(&stream, &table, span_of(bytes, len), now_ms, &out);
}

#define FEED(text, now_ms) feed(text, sizeof(text) - 1, now_ms)

static void assert_out(const void *bytes, size_t len)
{
	assert_int_equal(buffer_len(&out), len);
	if (len > 0)
		assert_memory_equal(buffer_content(&out).ptr, bytes, len);
	buffer_release(&out);
}

#define OUT(text) assert_out(text, sizeof(text) - 1)

static void end(void)
{
	fault_stream_release(&stream);
	buffer_release(&out);
}

static void test_all_passes_without_rules(void **state)
{
	(void)state;
	const struct fault_rule other = {.kind = FAULT_DROP, .is_outgoing = true, .count = 9};
	begin(&other, 1);
	assert_int_equal(FEED(STREAM, 0), 0);
	OUT(STREAM);
	assert_int_equal(table.happened_count, 0);
	end();
}

static void test_drop(void **state)
{
	(void)state;
	const struct fault_rule rule = {
		.kind = FAULT_DROP, .type = PACKET_PUBACK, .skip = 1, .count = 1};
	begin(&rule, 1);
	for (size_t i = 0; i < sizeof(STREAM) - 1; i++) /* byte by byte */
		assert_int_equal(feed(&STREAM[i], 1, 0), 0);
	OUT(PUBACK("\1") PING PUBACK("\3"));
	assert_int_equal(table.happened_count, 1);
	end();
}

static void test_duplicate(void **state)
{
	(void)state;
	const struct fault_rule rule = {.kind = FAULT_DUPLICATE, .count = 2};
	begin(&rule, 1);
	assert_int_equal(FEED(STREAM, 0), 0);
	OUT(PUBACK("\1") PUBACK("\1") PING PING PUBACK("\2") PUBACK("\3"));
	end();
}

static void test_delay_holds_up_what_is_behind(void **state)
{
	(void)state;
	const struct fault_rule rule = {
		.kind = FAULT_DELAY, .type = PACKET_PUBACK, .skip = 1, .count = 1, .delay_ms = 30};
	begin(&rule, 1);
	assert_int_equal(FEED(STREAM, 100), 0);
	OUT(PUBACK("\1") PING);
	assert_int_equal(fault_due(&stream), 130);
	assert_int_equal(FEED(PING, 129), 0);
	OUT("");
	assert_int_equal(FEED("", 130), 0);
	OUT(PUBACK("\2") PUBACK("\3") PING);
	assert_true(fault_due(&stream) == UINT64_MAX);
	end();
}

static void test_cut(void **state)
{
	(void)state;
	static const struct {
		uint32_t after;
		size_t passed;
	} rows[] = {{0, 4}, {1, 5}, {2, 6}, {7, 11}};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		const struct fault_rule rule = {.kind = FAULT_CUT,
						.type = PACKET_PINGREQ,
						.count = 1,
						.after_bytes = rows[i].after};
		begin(&rule, 1);
		assert_int_equal(FEED(STREAM, 0), ERROR_CLOSED);
		assert_out(STREAM, rows[i].passed);
	}
	end();
}

static void test_first_rule_that_fits_happens(void **state)
{
	(void)state;
	const struct fault_rule rules[] = {
		{.kind = FAULT_DROP, .type = PACKET_PUBACK, .count = 1},
		{.kind = FAULT_DUPLICATE, .type = PACKET_PUBACK, .count = 1},
	};
	begin(rules, 2);
	assert_int_equal(FEED(STREAM, 0), 0);
	OUT(PING PUBACK("\2") PUBACK("\2") PUBACK("\3"));
	assert_int_equal(table.happened_count, 2);
	end();
}

static void test_what_is_no_packet_passes(void **state)
{
	(void)state;
	const struct fault_rule rule = {.kind = FAULT_DROP, .count = 9};
	begin(&rule, 1);
	assert_int_equal(FEED("\xc0\xff\xff\xff\xff", 0), 0);
	OUT("\xc0\xff\xff\xff\xff");
	end();
}

static void test_table_is_bounded(void **state)
{
	(void)state;
	struct fault_rule rule = {.kind = FAULT_DROP, .count = 1};
	begin(NULL, 0);
	for (unsigned i = 0; i < FAULT_RULES_MAX; i++)
		assert_int_equal(fault_add(&table, &rule), 0);
	assert_int_equal(fault_add(&table, &rule), ERROR_LIMIT);
	assert_int_equal(FEED(PING, 0), 0); /* one of them is over */
	assert_int_equal(fault_add(&table, &rule), 0);
	rule.count = 0;
	assert_int_equal(fault_add(&table, &rule), ERROR_INVALID);
	rule.count = 1;
	rule.type = 16;
	assert_int_equal(fault_add(&table, &rule), ERROR_INVALID);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_passes_without_rules),
		cmocka_unit_test(test_drop),
		cmocka_unit_test(test_duplicate),
		cmocka_unit_test(test_delay_holds_up_what_is_behind),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_first_rule_that_fits_happens),
		cmocka_unit_test(test_what_is_no_packet_passes),
		cmocka_unit_test(test_table_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
