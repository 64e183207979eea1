/* SPDX-License-Identifier: Apache-2.0 */
#include "bytes.h"

#define NAME_4 0, 4, 'M', 'Q', 'T', 'T'
#define NAME_3 0, 6, 'M', 'Q', 'I', 's', 'd', 'p'
#define V_5 NAME_4, 5
#define V_3_1_1 NAME_4, 4
#define V_3_1 NAME_3, 3

static void test_a_full_connect_of_5(void **state)
{
	(void)state;
	struct connect c;
	assert_good(connect_decode(BYTES(V_5, 0xEE, 0x01, 0x02, 5, 0x11, 0, 0, 0, 9, 0, 2, 'i', 'd',
					 5, 0x18, 0, 0, 0, 3, 0, 2, 'w', 't', 0, 2, 0xFF, 0, 0, 1,
					 'u', 0, 2, 'p', 0x00),
				   &c));
	assert_int_equal(c.version, MQTT_5);
	assert_true(c.clean_start && c.has_will && c.will_retain);
	assert_true(c.has_user_name && c.has_password);
	assert_int_equal(c.will_qos, 1);
	assert_int_equal(c.keep_alive, 0x0102);
	assert_int_equal(c.properties.session_expiry_interval, 9);
	assert_text(c.client_id, "id");
	assert_int_equal(c.will_properties.will_delay_interval, 3);
	assert_text(c.will_topic, "wt");
	assert_span(c.will_payload, 0xFF, 0);
	assert_text(c.user_name, "u");
	assert_span(c.password, 'p', 0);
}

static void test_a_plain_connect_of_each_version(void **state)
{
	(void)state;
	const struct span packets[] = {
		BYTES(V_3_1, 2, 0, 60, 0, 1, 'c'),
		BYTES(V_3_1_1, 2, 0, 60, 0, 1, 'c'),
		BYTES(V_5, 2, 0, 60, 0, 0, 1, 'c'),
	};
	for (uint8_t i = 0; i < 3; i++) {
		struct connect c;
		assert_good(connect_decode(packets[i], &c));
		assert_int_equal(c.version, MQTT_3_1 + i);
		assert_int_equal(c.keep_alive, 60);
		assert_text(c.client_id, "c");
		assert_true(c.clean_start);
		assert_false(c.has_will || c.has_user_name || c.has_password || c.will_retain);
		assert_int_equal(c.will_qos, 0);
		assert_int_equal(c.will_topic.len + c.will_payload.len, 0);
		assert_int_equal(c.user_name.len + c.password.len, 0);
		assert_int_equal(c.properties.present | c.will_properties.present, 0);
	}
}

/* [MQTT-3.1.2-1, 3.1.2-2]; `version` is what a CONNACK is to be written in. */
static void test_names_and_levels_that_are_not_ours(void **state)
{
	(void)state;
	const struct {
		struct span body;
		uint8_t version;
	} cases[] = {
		{BYTES(NAME_4, 3, 2, 0, 0, 0, 1, 'c'), 3},
		{BYTES(NAME_3, 4, 2, 0, 0, 0, 1, 'c'), 4},
		{BYTES(NAME_3, 5, 2, 0, 0, 0, 0, 1, 'c'), 5},
		{BYTES(NAME_4, 0, 2, 0, 0, 0, 1, 'c'), 4},
		{BYTES(NAME_4, 6, 2, 0, 0, 0, 1, 'c'), 5},
		{BYTES(NAME_4, 0x7F), 4},          /* [3.1.1 MQTT-3.1.2-2] */
		{BYTES(NAME_4, 0x84, 2, 0, 0), 4}, /* a bridge */
		{BYTES(NAME_3, 0x83), 4},
		{BYTES(0, 4, 'M', 'Q', 'T', 'X', 4, 2, 0, 0, 0, 1, 'c'), 4},
		{BYTES(0, 4, 'm', 'q', 't', 't', 5), 5},
		{BYTES(0, 5, 'M', 'Q', 'T', 'T', '5', 5), 5},
		{BYTES(0, 0, 4), 4},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct connect c;
		assert_flaw(connect_decode(cases[i].body, &c), flaw_protocol);
		assert_int_equal(c.version, cases[i].version);
	}
	assert_int_equal(flaw_protocol.reason_code, 0x84);
}

static void test_the_version_is_0_before_the_level_was_read(void **state)
{
	(void)state;
	const struct span parts[] = {NO_BYTES, BYTES(0, 4), BYTES(NAME_4), BYTES(0xFF, 0xFF, 'M')};
	for (size_t i = 0; i < ARRAY_COUNT(parts); i++) {
		struct connect c = {.version = 9};
		assert_flaw(connect_decode(parts[i], &c), flaw_truncated);
		assert_int_equal(c.version, 0);
	}
}

/* A payload that fits any flags: will topic and payload, user name and password as announced. */
static struct span connect_with_flags(uint8_t version, uint8_t flags)
{
	uint8_t bytes[64];
	struct room room = {bytes, sizeof(bytes)};
	struct writer w = writer_of(room);
	write_binary(&w, version == MQTT_3_1 ? SPAN_LITERAL("MQIsdp") : SPAN_LITERAL("MQTT"));
	write_u8(&w, version);
	write_u8(&w, flags);
	write_u16(&w, 0);
	if (version == MQTT_5)
		write_u8(&w, 0);
	write_binary(&w, SPAN_LITERAL("c"));
	if (flags & 0x04 && version == MQTT_5)
		write_u8(&w, 0);
	if (flags & 0x04) {
		write_binary(&w, SPAN_LITERAL("t"));
		write_binary(&w, SPAN_LITERAL("m"));
	}
	if (flags & 0x80)
		write_binary(&w, SPAN_LITERAL("u"));
	if (flags & 0x40)
		write_binary(&w, SPAN_LITERAL("p"));
	return bytes_copy(bytes, writer_finish(&w, room));
}

/* 3.1 says "not used" of bit 0 and of the will's bits without a will. */
static const struct flaw *expected_flaw(uint8_t version, unsigned flags)
{
	bool has_will = flags & 0x04, is_3_1 = version == MQTT_3_1;
	if (has_will && (flags & 0x18) == 0x18)
		return &flaw_will_qos;
	if (version != MQTT_5 && (flags & 0xC0) == 0x40)
		return &flaw_password;
	if (flags & 0x01 && !is_3_1)
		return &flaw_connect_flags;
	if (!has_will && flags & 0x38 && !is_3_1)
		return &flaw_will_flags;
	return NULL;
}

/* [MQTT-3.1.2-3, -11, -12, -13, -16, -17, -18, -19], [3.1.1 MQTT-3.1.2-22] */
static void test_all_flags_of_all_versions(void **state)
{
	(void)state;
	for (uint8_t version = MQTT_3_1; version <= MQTT_5; version++)
		for (unsigned flags = 0; flags < 256; flags++) {
			struct connect c;
			struct span body = connect_with_flags(version, (uint8_t)flags);
			const struct flaw *expected = expected_flaw(version, flags);
			/* what was not decoded is not read either: 0xFF is no bool */
			memset(&c, 0xFF, sizeof(c));
			assert_ptr_equal(connect_decode(body, &c), expected);
			if (expected)
				continue;
			assert_int_equal(c.clean_start, flags >> 1 & 1);
			assert_int_equal(c.has_will, flags >> 2 & 1);
			assert_int_equal(c.will_qos, c.has_will ? flags >> 3 & 3 : 0);
			assert_int_equal(c.will_retain, c.has_will && flags >> 5 & 1);
			assert_int_equal(c.has_password, flags >> 6 & 1);
			assert_int_equal(c.has_user_name, flags >> 7);
			assert_int_equal(c.password.len, flags >> 6 & 1);
			assert_int_equal(c.user_name.len, flags >> 7);
			assert_int_equal(c.will_topic.len, c.has_will);
		}
}

/* [MQTT-3.1.4-1], [3.1.1 MQTT-3.1.2-18, 3.1.2-20] */
static void test_a_field_that_no_flag_announced(void **state)
{
	(void)state;
	struct connect c;
	assert_flaw(connect_decode(BYTES(V_3_1_1, 2, 0, 0, 0, 1, 'c', 0, 1, 'u'), &c),
		    flaw_trailing);
	assert_flaw(connect_decode(BYTES(V_3_1_1, 0x82, 0, 0, 0, 1, 'c', 0, 1, 'u', 0, 1, 'p'), &c),
		    flaw_trailing);
	assert_flaw(connect_decode(BYTES(V_5, 2, 0, 0, 0, 0, 1, 'c', 0), &c), flaw_trailing);
}

/* [3.1.1 MQTT-3.1.2-9, 3.1.2-19, 3.1.2-21] */
static void test_a_field_that_was_announced_and_is_missing(void **state)
{
	(void)state;
	struct connect c;
	assert_flaw(connect_decode(BYTES(V_3_1_1, 0x06, 0, 0, 0, 1, 'c'), &c), flaw_truncated);
	assert_flaw(connect_decode(BYTES(V_3_1_1, 0x06, 0, 0, 0, 1, 'c', 0, 1, 't'), &c),
		    flaw_truncated);
	assert_flaw(connect_decode(BYTES(V_3_1_1, 0x82, 0, 0, 0, 1, 'c'), &c), flaw_truncated);
	assert_flaw(connect_decode(BYTES(V_3_1_1, 0xC2, 0, 0, 0, 1, 'c', 0, 1, 'u'), &c),
		    flaw_truncated);
	assert_flaw(connect_decode(BYTES(V_5, 0x42, 0, 0, 0, 0, 1, 'c'), &c), flaw_truncated);
}

/* MQTT 3.1, CONNECT: the remaining length takes precedence over the two flags. */
static void test_credentials_that_3_1_announced_and_left_out(void **state)
{
	(void)state;
	struct connect c;
	assert_good(connect_decode(BYTES(V_3_1, 0xC2, 0, 0, 0, 1, 'c'), &c));
	assert_false(c.has_user_name || c.has_password);
	assert_good(connect_decode(BYTES(V_3_1, 0xC2, 0, 0, 0, 1, 'c', 0, 1, 'u'), &c));
	assert_true(c.has_user_name);
	assert_false(c.has_password);
	assert_flaw(connect_decode(BYTES(V_3_1, 0xC2, 0, 0, 0, 1, 'c', 0), &c), flaw_truncated);
	assert_flaw(connect_decode(BYTES(V_3_1, 0xC2, 0, 0, 0, 1, 'c', 0, 1, 'u', 0, 2, 'p'), &c),
		    flaw_truncated);
}

/* [3.1.1 MQTT-3.1.3-8], [MQTT-3.1.3-6] */
static void test_empty_client_ids(void **state)
{
	(void)state;
	struct connect c;
	assert_good(connect_decode(BYTES(V_3_1_1, 2, 0, 0, 0, 0), &c));
	assert_flaw(connect_decode(BYTES(V_3_1_1, 0, 0, 0, 0, 0), &c), flaw_client_id);
	assert_flaw(connect_decode(BYTES(V_3_1, 2, 0, 0, 0, 0), &c), flaw_client_id);
	assert_flaw(connect_decode(BYTES(V_3_1, 0, 0, 0, 0, 0), &c), flaw_client_id);
	assert_good(connect_decode(BYTES(V_5, 2, 0, 0, 0, 0, 0), &c));
	assert_good(connect_decode(BYTES(V_5, 0, 0, 0, 0, 0, 0), &c));
	assert_int_equal(flaw_client_id.reason_code, 0x85);
	/* a packet that cannot be read to its end is malformed before all else */
	assert_flaw(connect_decode(BYTES(V_3_1_1, 0, 0, 0, 0, 0, 0), &c), flaw_trailing);
}

/* [MQTT-3.1.3-4, 3.1.3-11, 3.1.3-12, 1.5.4-2]; payload and password are bytes */
static void test_texts_must_be_utf8(void **state)
{
	(void)state;
	struct connect c;
	assert_flaw(connect_decode(BYTES(V_3_1_1, 2, 0, 0, 0, 1, 0xFF), &c), flaw_utf8);
	assert_flaw(connect_decode(BYTES(V_3_1_1, 2, 0, 0, 0, 3, 'a', 0, 'b'), &c), flaw_utf8);
	assert_flaw(connect_decode(BYTES(V_3_1_1, 6, 0, 0, 0, 1, 'c', 0, 1, 0xFF, 0, 0), &c),
		    flaw_utf8);
	assert_flaw(connect_decode(BYTES(V_3_1_1, 0x82, 0, 0, 0, 1, 'c', 0, 1, 0xFF), &c),
		    flaw_utf8);
	assert_good(connect_decode(
		BYTES(V_3_1_1, 0xC6, 0, 0, 0, 1, 'c', 0, 1, 't', 0, 1, 0xFF, 0, 1, 'u', 0, 1, 0x00),
		&c));
}

/* [MQTT-4.7.0-1, 4.7.3-1] */
static void test_will_topics(void **state)
{
	(void)state;
	struct connect c;
	assert_flaw(connect_decode(BYTES(V_3_1_1, 6, 0, 0, 0, 1, 'c', 0, 1, '#', 0, 0), &c),
		    flaw_will_topic);
	assert_flaw(connect_decode(BYTES(V_5, 6, 0, 0, 0, 0, 1, 'c', 0, 0, 2, 'a', '+', 0, 0), &c),
		    flaw_will_topic);
	assert_flaw(connect_decode(BYTES(V_5, 6, 0, 0, 0, 0, 1, 'c', 0, 0, 0, 0, 0), &c),
		    flaw_will_topic);
	assert_int_equal(flaw_will_topic.reason_code, 0x90);
	assert_good(connect_decode(BYTES(V_5, 6, 0, 0, 0, 0, 1, 'c', 0, 0, 1, 't', 0, 0), &c));
	assert_true(c.has_will);
	assert_int_equal(c.will_payload.len, 0);
}

static struct connect full_connect(uint8_t version)
{
	struct connect c = {
		.version = version,
		.clean_start = true,
		.has_will = true,
		.will_retain = true,
		.will_qos = 2,
		.has_user_name = true,
		.has_password = true,
		.keep_alive = 0x0102,
		.client_id = SPAN_LITERAL("c"),
		.will_topic = SPAN_LITERAL("t"),
		.will_payload = SPAN_LITERAL("m"),
		.user_name = SPAN_LITERAL("u"),
		.password = SPAN_LITERAL("p"),
	};
	c.properties.present = UINT64_C(1) << PROPERTY_RECEIVE_MAXIMUM;
	c.properties.receive_maximum = 7;
	c.will_properties.present = UINT64_C(1) << PROPERTY_WILL_DELAY_INTERVAL;
	c.will_properties.will_delay_interval = 5;
	return c;
}

static void test_encoding(void **state)
{
	(void)state;
	struct connect c = full_connect(MQTT_5);
	assert_encoded(connect_encode(&c, room), 0x10, 35, V_5, 0xF6, 1, 2, 3, 0x21, 0, 7, 0, 1,
		       'c', 5, 0x18, 0, 0, 0, 5, 0, 1, 't', 0, 1, 'm', 0, 1, 'u', 0, 1, 'p');
	c = full_connect(MQTT_3_1_1);
	assert_encoded(connect_encode(&c, room), 0x10, 25, V_3_1_1, 0xF6, 1, 2, 0, 1, 'c', 0, 1,
		       't', 0, 1, 'm', 0, 1, 'u', 0, 1, 'p');
	c = full_connect(MQTT_3_1);
	assert_encoded(connect_encode(&c, room), 0x10, 27, V_3_1, 0xF6, 1, 2, 0, 1, 'c', 0, 1, 't',
		       0, 1, 'm', 0, 1, 'u', 0, 1, 'p');
}

/* What is not announced is not written, and what a version lacks neither. */
static void test_encoding_leaves_out(void **state)
{
	(void)state;
	struct connect c = full_connect(MQTT_3_1_1);
	c.has_will = c.has_user_name = c.clean_start = false;
	assert_encoded(connect_encode(&c, room), 0x10, 13, V_3_1_1, 0x00, 1, 2, 0, 1, 'c');
	c.version = MQTT_5;
	c.properties.present = 0;
	assert_encoded(connect_encode(&c, room), 0x10, 17, V_5, 0x40, 1, 2, 0, 0, 1, 'c', 0, 1,
		       'p');
}

static void test_a_text_too_long_to_encode(void **state)
{
	(void)state;
	uint8_t *block = calloc(2, 70000);
	assert_non_null(block);
	struct connect c = full_connect(MQTT_5);
	c.user_name = span_of(block, 65536);
	assert_int_equal(connect_encode(&c, (struct room){block + 70000, 70000}), 0);
	c.user_name.len--;
	assert_int_equal(connect_encode(&c, (struct room){block + 70000, 70000}),
			 2 + 2 + 34 + 65535);
	free(block);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_full_connect_of_5),
		cmocka_unit_test(test_a_plain_connect_of_each_version),
		cmocka_unit_test(test_names_and_levels_that_are_not_ours),
		cmocka_unit_test(test_the_version_is_0_before_the_level_was_read),
		cmocka_unit_test(test_all_flags_of_all_versions),
		cmocka_unit_test(test_a_field_that_no_flag_announced),
		cmocka_unit_test(test_a_field_that_was_announced_and_is_missing),
		cmocka_unit_test(test_credentials_that_3_1_announced_and_left_out),
		cmocka_unit_test(test_empty_client_ids),
		cmocka_unit_test(test_texts_must_be_utf8),
		cmocka_unit_test(test_will_topics),
		cmocka_unit_test(test_encoding),
		cmocka_unit_test(test_encoding_leaves_out),
		cmocka_unit_test(test_a_text_too_long_to_encode),
	};
	return cmocka_run_group_tests(tests, NULL, bytes_forget);
}
