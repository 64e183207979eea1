/* SPDX-License-Identifier: Apache-2.0 */
/* What holds for every packet of every version: each end that comes too early is refused, no single
 * changed byte leads the decoder astray, and what was decoded can be written and read again. */
#include "any_packet.h"
#include "bytes.h"

#define NAME 0, 4, 'M', 'Q', 'T', 'T'
#define NAME_3_1 0, 6, 'M', 'Q', 'I', 's', 'd', 'p'
#define PAIR 0x26, 0, 1, 'n', 0, 1, 'v'
#define PAIR_2 0x26, 0, 0, 0, 0
#define REASON 0x1F, 0, 1, 'r'
#define METHOD 0x15, 0, 1, 'm', 0x16, 0, 1, 0xFF
#define MESSAGE_PROPERTIES                                                                         \
	0x01, 1, 0x02, 0, 0, 0, 9, 0x03, 0, 1, 'c', 0x08, 0, 1, 'r', 0x09, 0, 1, 0
#define ALL_CONNECT_PROPERTIES                                                                     \
	47, 0x11, 0, 0, 0, 9, METHOD, 0x17, 0, 0x19, 1, 0x21, 0, 9, 0x22, 0, 9, PAIR, 0x27, 0, 0,  \
		1, 0, PAIR_2, PAIR
#define ALL_CONNACK_PROPERTIES                                                                     \
	67, 0x11, 0, 0, 0, 9, 0x12, 0, 1, 'i', 0x13, 0, 9, METHOD, 0x1A, 0, 1, 'i', 0x1C, 0, 1,    \
		's', REASON, 0x21, 0, 9, 0x22, 0, 9, 0x24, 1, 0x25, 0, 0x27, 0, 0, 1, 0, 0x28, 0,  \
		0x29, 0, 0x2A, 0, PAIR, PAIR
#define LENS_MAX 4

/* Bodies with all that the packet can hold. A body cut to one of `good_lens` is good as well. */
static const struct packet {
	uint8_t version, type, flags;
	struct span body;
	size_t good_lens[LENS_MAX], good_count;
} packets[] = {
#define B(...)                                                                                     \
	{                                                                                          \
		(const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})             \
	}
	/* 3.1: the credentials that the flags announce may be missing */
	{3,
	 PACKET_CONNECT,
	 0,
	 B(NAME_3_1, 3, 0xF6, 0, 60, 0, 1, 'c', 0, 1, 't', 0, 1, 'm', 0, 1, 'u', 0, 1, 'p'),
	 {21, 24},
	 2},
	{3, PACKET_CONNACK, 0, B(0, 5), {0}, 0},
	{3, PACKET_PUBLISH, 0x0B, B(0, 3, 'a', '/', 'b', 0, 1), {0}, 0},
	{3, PACKET_PUBACK, 0, B(0, 1), {0}, 0},
	{3, PACKET_SUBSCRIBE, 2, B(0, 1, 0, 3, 'a', '/', '#', 2), {0}, 0},
	{3, PACKET_SUBACK, 0, B(0, 1, 2), {0}, 0},
	{3, PACKET_UNSUBSCRIBE, 2, B(0, 1, 0, 1, 'a'), {0}, 0},
	{3, PACKET_UNSUBACK, 0, B(0, 1), {0}, 0},
	{3, PACKET_DISCONNECT, 0, {NULL, 0}, {0}, 0},

	{4,
	 PACKET_CONNECT,
	 0,
	 B(NAME, 4, 0xEE, 0, 60, 0, 1, 'c', 0, 1, 't', 0, 1, 'm', 0, 1, 'u', 0, 1, 'p'),
	 {0},
	 0},
	{4, PACKET_CONNECT, 0, B(NAME, 4, 0x02, 0, 0, 0, 0), {0}, 0},
	{4, PACKET_CONNACK, 0, B(1, 0), {0}, 0},
	{4, PACKET_PUBLISH, 0x00, B(0, 3, 'a', '/', 'b'), {0}, 0},
	{4, PACKET_PUBLISH, 0x0D, B(0, 3, 'a', '/', 'b', 0xFF, 0xFF), {0}, 0},
	{4, PACKET_PUBACK, 0, B(0, 1), {0}, 0},
	{4, PACKET_PUBREC, 0, B(0, 1), {0}, 0},
	{4, PACKET_PUBREL, 2, B(0, 1), {0}, 0},
	{4, PACKET_PUBCOMP, 0, B(0, 1), {0}, 0},
	{4, PACKET_SUBSCRIBE, 2, B(0, 1, 0, 1, 'a', 0, 0, 1, 'b', 1), {6}, 1},
	{4, PACKET_SUBACK, 0, B(0, 1, 2, 0x80), {3}, 1},
	{4, PACKET_UNSUBSCRIBE, 2, B(0, 1, 0, 1, 'a', 0, 1, 'b'), {5}, 1},
	{4, PACKET_UNSUBACK, 0, B(0, 1), {0}, 0},

	{5,
	 PACKET_CONNECT,
	 0,
	 B(NAME, 5, 0xEE, 0, 60, ALL_CONNECT_PROPERTIES, 0, 1, 'c', 31, MESSAGE_PROPERTIES, 0x18, 0,
	   0, 0, 9, PAIR, 0, 1, 't', 0, 1, 'm', 0, 1, 'u', 0, 1, 'p'),
	 {0},
	 0},
	{5, PACKET_CONNECT, 0, B(NAME, 5, 0x42, 0, 0, 0, 0, 0, 0, 1, 'p'), {0}, 0},
	{5, PACKET_CONNACK, 0, B(1, 0, ALL_CONNACK_PROPERTIES), {0}, 0},
	{5,
	 PACKET_PUBLISH,
	 0x03,
	 B(0, 3, 'a', '/', 'b', 0, 1, 41, MESSAGE_PROPERTIES, 0x23, 0, 9, 0x0B, 9, PAIR, 0x0B, 0x80,
	   1, PAIR),
	 {0},
	 0},
	{5, PACKET_PUBLISH, 0x00, B(0, 0, 3, 0x23, 0, 1), {0}, 0},
	{5, PACKET_PUBACK, 0, B(0, 1, 0x10, 18, REASON, PAIR, PAIR), {2, 3}, 2},
	{5, PACKET_PUBREC, 0, B(0, 1, 0x97, 18, PAIR, REASON, PAIR), {2, 3}, 2},
	{5, PACKET_PUBREL, 2, B(0, 1, 0x92, 4, REASON), {2, 3}, 2},
	{5, PACKET_PUBCOMP, 0, B(0, 1, 0x92, 7, PAIR), {2, 3}, 2},
	{5,
	 PACKET_SUBSCRIBE,
	 2,
	 B(0, 1, 17, 0x0B, 0x80, 1, PAIR, PAIR, 0, 1, 'a', 0x2D, 0, 1, 'b', 2),
	 {24},
	 1},
	{5, PACKET_SUBACK, 0, B(0, 1, 18, REASON, PAIR, PAIR, 2, 0x8F), {22}, 1},
	{5, PACKET_UNSUBSCRIBE, 2, B(0, 1, 14, PAIR, PAIR, 0, 1, 'a', 0, 1, 'b'), {20}, 1},
	{5, PACKET_UNSUBACK, 0, B(0, 1, 18, REASON, PAIR, PAIR, 0, 0x11), {22}, 1},
	{5,
	 PACKET_DISCONNECT,
	 0,
	 B(0x9C, 20, 0x11, 0, 0, 0, 9, 0x1C, 0, 1, 's', REASON, PAIR),
	 {0, 1},
	 2},
	{5, PACKET_AUTH, 0, B(0x18, 19, METHOD, REASON, PAIR), {0}, 1},
};

static bool is_good_len(const struct packet *p, size_t len)
{
	for (size_t i = 0; i < p->good_count; i++)
		if (p->good_lens[i] == len)
			return true;
	return len == p->body.len;
}

static const struct flaw *decode(const struct packet *p, struct span body, struct any_packet *out)
{
	return any_packet_decode(p->type, p->flags, body, p->version, out);
}

static void test_every_truncation(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(packets); i++)
		for (size_t len = 0; len <= packets[i].body.len; len++) {
			struct any_packet p;
			struct span body = bytes_copy(packets[i].body.ptr, len);
			bool is_good = !decode(&packets[i], body, &p);
			if (is_good != is_good_len(&packets[i], len))
				fail_msg("%s of version %u at %zu bytes",
					 packet_type_name(packets[i].type), packets[i].version,
					 len);
		}
}

/* All but those whose last field has no length of its own. */
static void test_every_trailing_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(packets); i++) {
		struct any_packet p;
		uint8_t bytes[256] = {0};
		size_t len = packets[i].body.len + 1;
		if (len > 1)
			memcpy(bytes, packets[i].body.ptr, len - 1);
		bool takes_more = packets[i].type == PACKET_PUBLISH ||
				  packets[i].type == PACKET_SUBACK ||
				  (packets[i].type == PACKET_UNSUBACK && packets[i].version == 5) ||
				  (packets[i].type == PACKET_PUBACK && packets[i].version == 5 &&
				   packets[i].body.len == 2);
		const struct flaw *flaw = decode(&packets[i], bytes_copy(bytes, len), &p);
		assert_int_equal(flaw == NULL, takes_more);
	}
}

/* Decoded, written, decoded: the same; written again: the same bytes. */
static void check_round_trip(const struct any_packet *first)
{
	uint8_t once[512], again[512];
	struct fixed_header header;
	const struct flaw *flaw;
	size_t len = any_packet_encode(first, (struct room){once, sizeof(once)});
	assert_true(len >= 2);
	assert_int_equal(any_packet_encode(first, (struct room){again, len - 1}), 0);
	assert_int_equal(fixed_header_decode(span_of(once, len), &header, &flaw), HEADER_OK);
	assert_int_equal(header.type, first->type);
	assert_int_equal(header.header_len + header.remaining_length, len);
	struct span body = bytes_copy(once + header.header_len, header.remaining_length);
	struct any_packet second;
	assert_good(any_packet_decode(header.type, header.flags, body, first->version, &second));
	assert_true(any_packet_is_equal(first, &second));
	assert_int_equal(any_packet_encode(&second, (struct room){again, sizeof(again)}), len);
	assert_memory_equal(once, again, len);
}

static void test_round_trips(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(packets); i++) {
		struct any_packet p;
		struct span body = bytes_copy(packets[i].body.ptr, packets[i].body.len);
		assert_good(decode(&packets[i], body, &p));
		check_round_trip(&p);
	}
}

/* Nothing is lost on the way: what was full of properties is as long again. */
static void test_round_trips_keep_the_length(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(packets); i++) {
		struct any_packet p;
		uint8_t bytes[512];
		struct fixed_header header;
		const struct flaw *flaw;
		if (packets[i].version < 5)
			continue;
		struct span body = bytes_copy(packets[i].body.ptr, packets[i].body.len);
		assert_good(decode(&packets[i], body, &p));
		size_t len = any_packet_encode(&p, (struct room){bytes, sizeof(bytes)});
		assert_int_equal(fixed_header_decode(span_of(bytes, len), &header, &flaw),
				 HEADER_OK);
		assert_int_equal(header.remaining_length, body.len);
		assert_int_equal(header.flags, packets[i].flags);
	}
}

/* Each byte with each other value: refused, or a packet that can be written and read again. */
static void test_every_changed_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(packets); i++)
		for (size_t at = 0; at < packets[i].body.len; at++)
			for (unsigned value = 0; value < 256; value++) {
				struct any_packet p;
				struct span body =
					bytes_copy(packets[i].body.ptr, packets[i].body.len);
				((uint8_t *)(uintptr_t)body.ptr)[at] = (uint8_t)value;
				if (!decode(&packets[i], body, &p))
					check_round_trip(&p);
			}
}

/* The same bytes as the packet of another type or version. */
static void test_every_body_as_every_packet(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(packets); i++)
		for (uint8_t type = PACKET_CONNECT; type <= PACKET_AUTH; type++)
			for (uint8_t version = MQTT_3_1; version <= MQTT_5; version++) {
				struct packet other = {.version = version, .type = type};
				struct any_packet p;
				struct span body =
					bytes_copy(packets[i].body.ptr, packets[i].body.len);
				if (type == PACKET_PINGREQ || type == PACKET_PINGRESP ||
				    (type == PACKET_AUTH && version < MQTT_5))
					continue;
				if (!decode(&other, body, &p))
					check_round_trip(&p);
			}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_truncation),
		cmocka_unit_test(test_every_trailing_byte),
		cmocka_unit_test(test_round_trips),
		cmocka_unit_test(test_round_trips_keep_the_length),
		cmocka_unit_test(test_every_changed_byte),
		cmocka_unit_test(test_every_body_as_every_packet),
	};
	return cmocka_run_group_tests(tests, NULL, bytes_forget);
}
