/* SPDX-License-Identifier: Apache-2.0 */
#include "bytes.h"

static void test_filters_are_walked_in_order(void **state)
{
	(void)state;
	const struct span bodies[] = {BYTES(0x12, 0x34, 0, 1, 'a', 0, 3, 'b', '/', '#'),
				      BYTES(0x12, 0x34, 0, 0, 1, 'a', 0, 3, 'b', '/', '#')};
	for (uint8_t i = 0; i < 2; i++) {
		struct unsubscribe u;
		struct span filter;
		assert_good(unsubscribe_decode(bodies[i], MQTT_3_1_1 + i, &u));
		assert_int_equal(u.packet_id, 0x1234);
		struct span rest = u.filters;
		assert_true(unsubscribe_next(&rest, &filter));
		assert_text(filter, "a");
		assert_true(unsubscribe_next(&rest, &filter));
		assert_text(filter, "b/#");
		assert_false(unsubscribe_next(&rest, &filter));
	}
}

/* [MQTT-3.10.3-1, 3.10.3-2] */
static void test_malformed_neighbours(void **state)
{
	(void)state;
	struct unsubscribe u;
	assert_flaw(unsubscribe_decode(NO_BYTES, MQTT_5, &u), flaw_truncated);
	assert_flaw(unsubscribe_decode(BYTES(0, 1), MQTT_3_1_1, &u), flaw_no_filter);
	assert_flaw(unsubscribe_decode(BYTES(0, 1, 0), MQTT_5, &u), flaw_no_filter);
	assert_flaw(unsubscribe_decode(BYTES(0, 1), MQTT_5, &u), flaw_truncated);
	assert_flaw(unsubscribe_decode(BYTES(0, 0, 0, 1, 'f'), MQTT_3_1_1, &u), flaw_packet_id);
	assert_flaw(unsubscribe_decode(BYTES(0, 1, 0, 2, 'f'), MQTT_3_1_1, &u), flaw_truncated);
	assert_flaw(unsubscribe_decode(BYTES(0, 1, 0, 1, 'f', 0), MQTT_3_1_1, &u), flaw_truncated);
	assert_flaw(unsubscribe_decode(BYTES(0, 1, 0, 1, 0xFF), MQTT_3_1_1, &u), flaw_utf8);
}

static void test_walking_over_bytes_that_break_off(void **state)
{
	(void)state;
	struct span filter = SPAN_LITERAL("untouched"), rest = BYTES(0, 2, 'f');
	assert_false(unsubscribe_next(&rest, &filter));
	assert_int_equal(rest.len, 3);
	assert_text(filter, "untouched");
}

static void test_encoding(void **state)
{
	(void)state;
	struct unsubscribe u = {.packet_id = 0x0102, .filters = SPAN_LITERAL("\0\1a\0\1b")};
	assert_encoded(unsubscribe_encode(&u, MQTT_3_1_1, room), 0xA2, 8, 1, 2, 0, 1, 'a', 0, 1,
		       'b');
	assert_encoded(unsubscribe_encode(&u, MQTT_5, room), 0xA2, 9, 1, 2, 0, 0, 1, 'a', 0, 1,
		       'b');
	u.properties.user = SPAN_LITERAL("\x26\0\1n\0\1v");
	assert_encoded(unsubscribe_encode(&u, MQTT_5, room), 0xA2, 16, 1, 2, 7, 0x26, 0, 1, 'n', 0,
		       1, 'v', 0, 1, 'a', 0, 1, 'b');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_filters_are_walked_in_order),
		cmocka_unit_test(test_malformed_neighbours),
		cmocka_unit_test(test_walking_over_bytes_that_break_off),
		cmocka_unit_test(test_encoding),
	};
	return cmocka_run_group_tests(tests, NULL, bytes_forget);
}
