/* SPDX-License-Identifier: Apache-2.0 */
#include "bytes.h"

#define QOS_1 0x02
#define QOS_2 0x04
#define DUP 0x08
#define RETAIN 0x01

static void test_qos_0(void **state)
{
	(void)state;
	struct publish p;
	assert_good(publish_decode(0, BYTES(0, 3, 'a', '/', 'b', 0, 1, 0xFF), MQTT_3_1_1, &p));
	assert_text(p.topic, "a/b");
	assert_span(p.payload, 0, 1, 0xFF); /* no packet id [MQTT-2.2.1-2] */
	assert_int_equal(p.packet_id, 0);
	assert_int_equal(p.qos, 0);
	assert_false(p.dup || p.retain);
	assert_int_equal(p.properties.present, 0);
}

static void test_qos_1_and_2(void **state)
{
	(void)state;
	struct publish p;
	struct span body = BYTES(0, 1, 't', 0x12, 0x34, 'x');
	for (uint8_t version = MQTT_3_1; version <= MQTT_3_1_1; version++) {
		assert_good(publish_decode(QOS_1 | DUP, body, version, &p));
		assert_int_equal(p.qos, 1);
		assert_int_equal(p.packet_id, 0x1234);
		assert_true(p.dup);
		assert_false(p.retain);
		assert_text(p.payload, "x");
		assert_good(publish_decode(QOS_2 | RETAIN, body, version, &p));
		assert_int_equal(p.qos, 2);
		assert_false(p.dup);
		assert_true(p.retain);
	}
}

static void test_an_empty_payload(void **state)
{
	(void)state;
	struct publish p;
	assert_good(publish_decode(RETAIN, BYTES(0, 1, 't'), MQTT_3_1_1, &p));
	assert_int_equal(p.payload.len, 0);
	assert_good(publish_decode(QOS_1, BYTES(0, 1, 't', 0, 1, 0), MQTT_5, &p));
	assert_int_equal(p.payload.len, 0);
}

static void test_properties_of_5(void **state)
{
	(void)state;
	struct publish p;
	assert_good(publish_decode(QOS_1, BYTES(0, 1, 't', 0, 1, 3, 0x23, 0, 7, 'x'), MQTT_5, &p));
	assert_int_equal(p.properties.topic_alias, 7);
	assert_text(p.payload, "x");
	assert_good(publish_decode(0, BYTES(0, 1, 't', 0, 'x'), MQTT_5, &p));
	assert_int_equal(p.properties.present, 0);
	assert_text(p.payload, "x");
	/* 3.1.1 has none: the same bytes are payload */
	assert_good(publish_decode(0, BYTES(0, 1, 't', 0, 'x'), MQTT_3_1_1, &p));
	assert_span(p.payload, 0, 'x');
}

/* [MQTT-3.3.1-2, 3.3.1-4] */
static void test_all_flags(void **state)
{
	(void)state;
	for (uint8_t flags = 0; flags < 16; flags++) {
		struct publish p;
		struct span body = BYTES(0, 1, 't', 0, 1);
		const struct flaw *expected = (flags & 6) == 6    ? &flaw_publish_qos
					      : (flags & 14) == 8 ? &flaw_publish_dup
								  : NULL;
		assert_ptr_equal(publish_decode(flags, body, MQTT_3_1_1, &p), expected);
	}
	assert_int_equal(flaw_publish_qos.reason_code, 0x81);
}

/* [MQTT-2.2.1-3] */
static void test_packet_id_0(void **state)
{
	(void)state;
	struct publish p;
	for (uint8_t version = MQTT_3_1; version <= MQTT_5; version++) {
		struct span body = BYTES(0, 1, 't', 0, 0, 0);
		assert_flaw(publish_decode(QOS_1, body, version, &p), flaw_packet_id);
		assert_flaw(publish_decode(QOS_2, body, version, &p), flaw_packet_id);
	}
}

/* [MQTT-4.7.3-1], [5] 3.3.2.1 */
static void test_an_empty_topic(void **state)
{
	(void)state;
	struct publish p;
	assert_flaw(publish_decode(0, BYTES(0, 0, 'x'), MQTT_3_1_1, &p), flaw_topic_empty);
	assert_flaw(publish_decode(0, BYTES(0, 0, 0, 'x'), MQTT_5, &p), flaw_topic_empty);
	assert_good(publish_decode(0, BYTES(0, 0, 3, 0x23, 0, 1, 'x'), MQTT_5, &p));
	assert_int_equal(p.topic.len, 0);
	assert_int_equal(flaw_topic_empty.reason_code, 0x82);
}

/* [MQTT-3.3.2-1, 3.3.2-2, 1.5.4-1, 1.5.4-2], short and longer than the scan's steps */
static void test_topics_that_are_none(void **state)
{
	(void)state;
	static const struct {
		struct span topic;
		const struct flaw *flaw;
	} cases[] = {
		{SPAN_LITERAL("#"), &flaw_topic_wildcard},
		{SPAN_LITERAL("a/+"), &flaw_topic_wildcard},
		{SPAN_LITERAL("home/living-room/+/temperature"), &flaw_topic_wildcard},
		{SPAN_LITERAL("\xC3\xA4/#"), &flaw_topic_wildcard},
		{SPAN_LITERAL("a\0b"), &flaw_utf8},
		{SPAN_LITERAL("\xFF"), &flaw_utf8},
		{SPAN_LITERAL("a\xED\xA0\x80"), &flaw_utf8},
		{SPAN_LITERAL("a\xC3("), &flaw_utf8},
		{SPAN_LITERAL("home/living-room/\xC3"), &flaw_utf8},
		{SPAN_LITERAL("+\xFF"), &flaw_utf8}, /* not text at all comes first */
		{SPAN_LITERAL("home/\xE2\x82\xAC/living-room"), NULL},
		{SPAN_LITERAL("$SYS/x"), NULL},
		{SPAN_LITERAL("/"), NULL},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		uint8_t bytes[64];
		struct room room = {bytes, sizeof(bytes)};
		struct writer w = writer_of(room);
		struct publish p;
		write_binary(&w, cases[i].topic);
		struct span body = bytes_copy(bytes, writer_finish(&w, room));
		assert_ptr_equal(publish_decode(0, body, MQTT_3_1_1, &p), cases[i].flaw);
	}
	assert_int_equal(flaw_topic_wildcard.reason_code, 0x90);
}

static void test_fields_cut_off(void **state)
{
	(void)state;
	struct publish p;
	assert_flaw(publish_decode(0, NO_BYTES, MQTT_3_1_1, &p), flaw_truncated);
	assert_flaw(publish_decode(0, BYTES(0), MQTT_3_1_1, &p), flaw_truncated);
	assert_flaw(publish_decode(0, BYTES(0, 2, 't'), MQTT_3_1_1, &p), flaw_truncated);
	assert_flaw(publish_decode(QOS_1, BYTES(0, 1, 't', 1), MQTT_3_1_1, &p), flaw_truncated);
	assert_flaw(publish_decode(QOS_1, BYTES(0, 1, 't', 0, 1), MQTT_5, &p), flaw_truncated);
}

static void test_encoding(void **state)
{
	(void)state;
	struct publish p = {.topic = SPAN_LITERAL("a/b"), .payload = SPAN_LITERAL("xy")};
	assert_encoded(publish_encode(&p, MQTT_3_1_1, room), 0x30, 7, 0, 3, 'a', '/', 'b', 'x',
		       'y');
	assert_encoded(publish_encode(&p, MQTT_5, room), 0x30, 8, 0, 3, 'a', '/', 'b', 0, 'x', 'y');
	p.qos = 1;
	p.dup = p.retain = true;
	p.packet_id = 0x0102;
	assert_encoded(publish_encode(&p, MQTT_3_1, room), 0x3B, 9, 0, 3, 'a', '/', 'b', 1, 2, 'x',
		       'y');
	p.qos = 2;
	p.dup = p.retain = false;
	p.properties.present = UINT64_C(1) << PROPERTY_TOPIC_ALIAS;
	p.properties.topic_alias = 9;
	p.topic = p.payload = SPAN_NONE;
	assert_encoded(publish_encode(&p, MQTT_5, room), 0x34, 8, 0, 0, 1, 2, 3, 0x23, 0, 9);
}

/* The size that is announced is the size that is written, around each border of the length. */
static void test_sizes(void **state)
{
	(void)state;
	static const size_t lens[] = {0,     1,     120,   124,     125,     126,
				      16379, 16380, 16381, 2097147, 2097148, 2097149};
	size_t block_len = 2200000;
	uint8_t *block = calloc(2, block_len);
	assert_non_null(block);
	for (size_t i = 0; i < ARRAY_COUNT(lens); i++)
		for (uint8_t version = MQTT_3_1_1; version <= MQTT_5; version++) {
			struct publish p = {.topic = SPAN_LITERAL("t"),
					    .payload = span_of(block, lens[i])};
			size_t size = publish_size(&p, version);
			struct room room = {block + block_len, size};
			assert_int_equal(publish_encode(&p, version, room), size);
			room.len--;
			assert_int_equal(publish_encode(&p, version, room), 0);
			struct fixed_header header;
			const struct flaw *flaw;
			assert_int_equal(
				fixed_header_decode(span_of(room.ptr, size), &header, &flaw),
				HEADER_OK);
			assert_int_equal(header.header_len + header.remaining_length, size);
		}
	free(block);
}

/* Nothing is read or written: the length alone decides. */
static void test_packets_too_large(void **state)
{
	(void)state;
	uint8_t byte = 0;
	struct publish p = {.topic = SPAN_LITERAL("t"),
			    .payload = span_of(&byte, REMAINING_LENGTH_MAX - 3)};
	assert_int_equal(publish_size(&p, MQTT_3_1_1), PACKET_BYTES_MAX);
	assert_int_equal(publish_size(&p, MQTT_5), 0);
	p.payload.len++;
	assert_int_equal(publish_size(&p, MQTT_3_1_1), 0);
	assert_int_equal(publish_encode(&p, MQTT_3_1_1, (struct room){&byte, 1}), 0);
}

static void test_a_topic_too_long(void **state)
{
	(void)state;
	uint8_t *block = malloc(2 * 70000);
	assert_non_null(block);
	memset(block, 't', 65536);
	struct room room = {block + 70000, 70000};
	struct publish p = {.topic = span_of(block, 65536)}, out;
	assert_int_equal(publish_encode(&p, MQTT_3_1_1, room), 0);
	p.topic.len = 65535; /* [MQTT-4.7.3-3] */
	size_t len = publish_encode(&p, MQTT_3_1_1, room);
	assert_int_equal(len, 1 + 3 + 2 + 65535);
	assert_good(publish_decode(0, span_of(room.ptr + 4, len - 4), MQTT_3_1_1, &out));
	assert_int_equal(out.topic.len, 65535);
	free(block);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_qos_0),
		cmocka_unit_test(test_qos_1_and_2),
		cmocka_unit_test(test_an_empty_payload),
		cmocka_unit_test(test_properties_of_5),
		cmocka_unit_test(test_all_flags),
		cmocka_unit_test(test_packet_id_0),
		cmocka_unit_test(test_an_empty_topic),
		cmocka_unit_test(test_topics_that_are_none),
		cmocka_unit_test(test_fields_cut_off),
		cmocka_unit_test(test_encoding),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_packets_too_large),
		cmocka_unit_test(test_a_topic_too_long),
	};
	return cmocka_run_group_tests(tests, NULL, bytes_forget);
}
