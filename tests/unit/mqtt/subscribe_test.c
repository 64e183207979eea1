/* SPDX-License-Identifier: Apache-2.0 */
#include "bytes.h"

static void test_filters_are_walked_in_order(void **state)
{
	(void)state;
	struct subscribe s;
	struct span filter, rest;
	struct subscription_options o;
	assert_good(subscribe_decode(
		BYTES(0x12, 0x34, 2, 0x0B, 7, 0, 1, 'a', 0x2D, 0, 3, 'b', '/', '#', 0x12), MQTT_5,
		&s));
	assert_int_equal(s.packet_id, 0x1234);
	assert_int_equal(s.properties.subscription_identifier, 7);
	rest = s.filters;
	assert_true(subscribe_next(&rest, &filter, &o));
	assert_text(filter, "a");
	assert_int_equal(o.qos, 1);
	assert_true(o.no_local && o.retain_as_published);
	assert_int_equal(o.retain_handling, RETAIN_SEND_NEVER);
	assert_true(subscribe_next(&rest, &filter, &o));
	assert_text(filter, "b/#");
	assert_int_equal(o.qos, 2);
	assert_false(o.no_local || o.retain_as_published);
	assert_int_equal(o.retain_handling, RETAIN_SEND_IF_NEW);
	assert_false(subscribe_next(&rest, &filter, &o));
	assert_text(filter, "b/#");
}

static void test_filters_of_3_1_1(void **state)
{
	(void)state;
	struct subscribe s;
	struct span filter, rest;
	struct subscription_options o;
	assert_good(subscribe_decode(BYTES(0, 1, 0, 1, 'a', 0, 0, 1, 'b', 2), MQTT_3_1_1, &s));
	rest = s.filters;
	assert_true(subscribe_next(&rest, &filter, &o));
	assert_text(filter, "a");
	assert_int_equal(o.qos, 0);
	assert_true(subscribe_next(&rest, &filter, &o));
	assert_text(filter, "b");
	assert_int_equal(o.qos, 2);
	assert_false(o.no_local || o.retain_as_published || o.retain_handling);
	assert_false(subscribe_next(&rest, &filter, &o));
}

/* [MQTT-3.8.3-5], [5] 3.8.3.1, [3.1.1 MQTT-3.8.3-4] */
static void test_all_option_bytes(void **state)
{
	(void)state;
	for (unsigned options = 0; options < 256; options++) {
		struct subscribe s;
		const struct flaw *expected = options & 0xC0             ? &flaw_option_bits
					      : (options & 3) == 3       ? &flaw_subscribe_qos
					      : (options & 0x30) == 0x30 ? &flaw_retain_handling
									 : NULL;
		struct span body = BYTES(0, 1, 0, 0, 1, 'f', (uint8_t)options);
		assert_ptr_equal(subscribe_decode(body, MQTT_5, &s), expected);
		body = BYTES(0, 1, 0, 1, 'f', (uint8_t)options);
		expected = options <= 2 ? NULL : &flaw_option_bits;
		assert_ptr_equal(subscribe_decode(body, MQTT_3_1_1, &s), expected);
		assert_ptr_equal(subscribe_decode(body, MQTT_3_1, &s), expected);
	}
	assert_int_equal(flaw_option_bits.reason_code, 0x81);
	assert_int_equal(flaw_subscribe_qos.reason_code, 0x82);
	assert_int_equal(flaw_retain_handling.reason_code, 0x82);
}

static void test_the_last_options_are_looked_at_too(void **state)
{
	(void)state;
	struct subscribe s;
	assert_flaw(subscribe_decode(BYTES(0, 1, 0, 0, 1, 'a', 0, 0, 1, 'b', 3), MQTT_5, &s),
		    flaw_subscribe_qos);
}

/* [MQTT-3.8.3-4] */
static void test_no_local_on_a_shared_subscription(void **state)
{
	(void)state;
	struct subscribe s;
	assert_flaw(subscribe_decode(BYTES(0, 1, 0, 0, 10, '$', 's', 'h', 'a', 'r', 'e', '/', 'g',
					   '/', 'a', 0x04),
				     MQTT_5, &s),
		    flaw_no_local);
	assert_int_equal(flaw_no_local.reason_code, 0x82);
	assert_good(subscribe_decode(
		BYTES(0, 1, 0, 0, 10, '$', 's', 'h', 'a', 'r', 'e', '/', 'g', '/', 'a', 0x01),
		MQTT_5, &s));
	assert_good(subscribe_decode(BYTES(0, 1, 0, 0, 1, 'a', 0x04), MQTT_5, &s));
}

/* [MQTT-3.8.3-1] */
static void test_filters_must_be_utf8(void **state)
{
	(void)state;
	struct subscribe s;
	assert_flaw(subscribe_decode(BYTES(0, 1, 0, 1, 0xFF, 0), MQTT_3_1_1, &s), flaw_utf8);
	assert_flaw(subscribe_decode(BYTES(0, 1, 0, 0, 1, 0x00, 0), MQTT_5, &s), flaw_utf8);
}

/* Whether a filter is one is judged one by one: SUBACK can say it. */
static void test_filters_that_are_none_pass_here(void **state)
{
	(void)state;
	struct subscribe s;
	assert_good(subscribe_decode(BYTES(0, 1, 0, 0, 2, 'a', '#', 0), MQTT_5, &s));
	assert_good(subscribe_decode(BYTES(0, 1, 0, 0, 0, 0), MQTT_5, &s));
}

/* [MQTT-3.8.3-2] */
static void test_no_filter_at_all(void **state)
{
	(void)state;
	struct subscribe s;
	assert_flaw(subscribe_decode(BYTES(0, 1), MQTT_3_1_1, &s), flaw_no_filter);
	assert_flaw(subscribe_decode(BYTES(0, 1, 0), MQTT_5, &s), flaw_no_filter);
	assert_int_equal(flaw_no_filter.reason_code, 0x82);
}

static void test_lengths_and_packet_id(void **state)
{
	(void)state;
	struct subscribe s;
	assert_flaw(subscribe_decode(NO_BYTES, MQTT_5, &s), flaw_truncated);
	assert_flaw(subscribe_decode(BYTES(0, 0, 0, 1, 'f', 0), MQTT_3_1_1, &s), flaw_packet_id);
	assert_flaw(subscribe_decode(BYTES(0, 0, 0, 0, 1, 'f', 0), MQTT_5, &s), flaw_packet_id);
	assert_flaw(subscribe_decode(BYTES(0, 1, 0, 1, 'f'), MQTT_3_1_1, &s), flaw_truncated);
	assert_flaw(subscribe_decode(BYTES(0, 1, 0, 3, 'f', 0), MQTT_3_1_1, &s), flaw_truncated);
	assert_flaw(subscribe_decode(BYTES(0, 1, 0, 1, 'f', 0, 0), MQTT_3_1_1, &s), flaw_truncated);
	/* without the property length [MQTT-2.2.2-1] */
	assert_flaw(subscribe_decode(BYTES(0, 1), MQTT_5, &s), flaw_truncated);
}

/* Bytes that subscribe_decode has not seen end the walk where they break off. */
static void test_walking_over_bytes_that_break_off(void **state)
{
	(void)state;
	struct span filter = SPAN_LITERAL("untouched");
	struct subscription_options options;
	const struct span parts[] = {BYTES(0), BYTES(0, 1), BYTES(0, 1, 'f'), BYTES(0, 2, 'f', 0)};
	for (size_t i = 0; i < ARRAY_COUNT(parts); i++) {
		struct span rest = parts[i];
		assert_false(subscribe_next(&rest, &filter, &options));
		assert_int_equal(rest.len, parts[i].len);
	}
	assert_text(filter, "untouched");
}

static struct span encoded_filters(uint8_t *bytes, size_t len)
{
	struct room room = {bytes, len};
	struct writer w = writer_of(room);
	subscribe_filter_encode(&w, SPAN_LITERAL("a"),
				&(struct subscription_options){.qos = 1,
							       .no_local = true,
							       .retain_as_published = true,
							       .retain_handling = 2});
	subscribe_filter_encode(&w, SPAN_LITERAL("b"), &(struct subscription_options){.qos = 2});
	return span_of(bytes, writer_finish(&w, room));
}

static void test_encoding(void **state)
{
	(void)state;
	uint8_t bytes[16];
	struct subscribe s = {.packet_id = 0x0102,
			      .filters = encoded_filters(bytes, sizeof(bytes))};
	assert_encoded(subscribe_encode(&s, MQTT_5, room), 0x82, 11, 1, 2, 0, 0, 1, 'a', 0x2D, 0, 1,
		       'b', 0x02);
	/* 3.x has no options but the QoS */
	assert_encoded(subscribe_encode(&s, MQTT_3_1_1, room), 0x82, 10, 1, 2, 0, 1, 'a', 1, 0, 1,
		       'b', 2);
	s.properties.present = UINT64_C(1) << PROPERTY_SUBSCRIPTION_IDENTIFIER;
	s.properties.subscription_identifier = 128;
	assert_encoded(subscribe_encode(&s, MQTT_5, room), 0x82, 14, 1, 2, 3, 0x0B, 0x80, 1, 0, 1,
		       'a', 0x2D, 0, 1, 'b', 0x02);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_filters_are_walked_in_order),
		cmocka_unit_test(test_filters_of_3_1_1),
		cmocka_unit_test(test_all_option_bytes),
		cmocka_unit_test(test_the_last_options_are_looked_at_too),
		cmocka_unit_test(test_no_local_on_a_shared_subscription),
		cmocka_unit_test(test_filters_must_be_utf8),
		cmocka_unit_test(test_filters_that_are_none_pass_here),
		cmocka_unit_test(test_no_filter_at_all),
		cmocka_unit_test(test_lengths_and_packet_id),
		cmocka_unit_test(test_walking_over_bytes_that_break_off),
		cmocka_unit_test(test_encoding),
	};
	return cmocka_run_group_tests(tests, NULL, bytes_forget);
}
