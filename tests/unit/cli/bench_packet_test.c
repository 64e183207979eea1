/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "cli/bench_packet.h"
#include "mqtt/packets.h"

#define TOPIC SPAN_LITERAL("bench/1/2")

/* A packet of the generator is what the codec makes of the same fields. */
static void test_head_is_a_publish(void **state)
{
	(void)state;
	for (uint8_t version = 3; version <= 5; version++) {
		for (uint8_t qos = 0; qos <= 2; qos++) {
			struct bench_head head;
			uint8_t bytes[400];
			struct bench_stamp stamp = {7, 3, 123456789};
			bench_head_init(&head, TOPIC, qos, version, 200);
			assert_int_equal(bench_head_write(&head, bytes, 77, &stamp) - bytes,
					 head.packet_len);
			struct fixed_header header;
			const struct flaw *flaw;
			assert_int_equal(fixed_header_decode(span_of(bytes, head.packet_len),
							     &header, &flaw),
					 HEADER_OK);
			assert_int_equal(header.header_len + header.remaining_length,
					 head.packet_len);
			struct publish publish;
			assert_null(publish_decode(
				header.flags,
				span_of(bytes + header.header_len, header.remaining_length),
				version, &publish));
			assert_int_equal(publish.qos, qos);
			assert_int_equal(publish.packet_id, qos ? 77 : 0);
			assert_true(span_is_equal(publish.topic, TOPIC));
			assert_int_equal(publish.payload.len, 200);
			assert_memory_equal(publish.payload.ptr, &stamp, sizeof(stamp));
		}
	}
}

/* A stream of everything that a generator may get. */
static size_t make_stream(uint8_t version, uint8_t *stream, size_t len)
{
	uint8_t *ptr = stream;
	for (uint32_t i = 0; i < 6; i++) {
		struct bench_head head;
		struct bench_stamp stamp = {i, 1, 1000 + i};
		bench_head_init(&head, TOPIC, (uint8_t)(i % 3), version, i < 3 ? 16 : 700);
		memset(ptr, 'p', head.packet_len);
		ptr = bench_head_write(&head, ptr, (uint16_t)(100 + i), &stamp);
		ptr = ack_encode_short(ptr, PACKET_PUBREL, (uint16_t)(200 + i));
	}
	ptr = ping_encode(ptr, PACKET_PINGRESP);
	assert_true((size_t)(ptr - stream) <= len);
	return (size_t)(ptr - stream);
}

/* Walks the stream in reads of `step` bytes, with what is left kept in between. */
static unsigned walk(uint8_t version, struct span stream, size_t step)
{
	uint8_t room[BENCH_PACKET_HEAD_MAX + 8192];
	size_t kept = 0;
	unsigned found = 0;
	struct bench_scanner s = {.version = version};
	struct bench_packet packet;
	for (size_t at = 0; at < stream.len; at += step) {
		size_t len = stream.len - at < step ? stream.len - at : step;
		memcpy(room + kept, stream.ptr + at, len);
		s.ptr = room;
		s.end = room + kept + len;
		enum bench_scan scan;
		while ((scan = bench_scan_next(&s, &packet)) == BENCH_SCAN_PACKET) {
			uint32_t i = found / 2;
			if (found == 12) {
				assert_int_equal(packet.type, PACKET_PINGRESP);
			} else if (found % 2) {
				assert_int_equal(packet.type, PACKET_PUBREL);
				assert_int_equal(packet.packet_id, 200 + i);
			} else {
				assert_int_equal(packet.type, PACKET_PUBLISH);
				assert_int_equal(packet.qos, i % 3);
				assert_int_equal(packet.packet_id, i % 3 ? 100 + i : 0);
				assert_true(packet.has_stamp);
				assert_int_equal(packet.stamp.number, i);
				assert_int_equal(packet.stamp.time_ns, 1000 + i);
			}
			found++;
		}
		assert_int_equal(scan, BENCH_SCAN_MORE);
		kept = (size_t)(s.end - s.ptr);
		assert_true(kept < BENCH_PACKET_HEAD_MAX);
		memmove(room, s.ptr, kept);
	}
	assert_int_equal(kept + s.skip, 0);
	return found;
}

static void test_stream_cut_anywhere(void **state)
{
	(void)state;
	uint8_t stream[8192];
	for (uint8_t version = 4; version <= 5; version++) {
		struct span all = span_of(stream, make_stream(version, stream, sizeof(stream)));
		for (size_t step = 1; step <= all.len; step++)
			assert_int_equal(walk(version, all, step), 13);
	}
}

static enum bench_scan scan_bytes(uint8_t version, struct span bytes, struct bench_packet *out)
{
	struct bench_scanner s = {bytes.ptr, bytes.ptr + bytes.len, 0, version};
	return bench_scan_next(&s, out);
}

static void test_properties_are_passed(void **state)
{
	(void)state;
	uint8_t bytes[200], payload[16] = {9};
	struct bench_packet packet;
	struct publish publish = {.topic = TOPIC, .payload = span_of(payload, sizeof(payload))};
	properties_clear(&publish.properties);
	publish.properties.present = UINT64_C(1) << PROPERTY_CONTENT_TYPE;
	publish.properties.content_type = SPAN_LITERAL("text");
	size_t len = publish_encode(&publish, 5, (struct room){bytes, sizeof(bytes)});
	assert_int_equal(scan_bytes(5, span_of(bytes, len), &packet), BENCH_SCAN_PACKET);
	assert_int_equal(packet.stamp.number, 9);
}

static void test_short_payload_has_no_stamp(void **state)
{
	(void)state;
	struct bench_packet packet;
	const struct span bytes = SPAN_LITERAL("\x30\x06\x00\x01"
					       "abcd");
	assert_int_equal(scan_bytes(4, bytes, &packet), BENCH_SCAN_PACKET);
	assert_false(packet.has_stamp);
}

static void test_not_mqtt(void **state)
{
	(void)state;
	struct bench_packet packet;
	assert_int_equal(scan_bytes(4, SPAN_LITERAL("HTTP/1.1 400"), &packet), BENCH_SCAN_BROKEN);
	assert_int_equal(scan_bytes(4, SPAN_LITERAL("\x00\x00"), &packet), BENCH_SCAN_BROKEN);
	/* a topic longer than its packet */
	assert_int_equal(scan_bytes(4, SPAN_LITERAL("\x30\x03\x00\x09x"), &packet),
			 BENCH_SCAN_BROKEN);
	assert_int_equal(scan_bytes(4, SPAN_LITERAL("\x30\xff\xff\xff\xff\x01"), &packet),
			 BENCH_SCAN_BROKEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_head_is_a_publish),
		cmocka_unit_test(test_stream_cut_anywhere),
		cmocka_unit_test(test_properties_are_passed),
		cmocka_unit_test(test_short_payload_has_no_stamp),
		cmocka_unit_test(test_not_mqtt),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
