/* SPDX-License-Identifier: Apache-2.0 */
#include "bytes.h"

static void test_integers_are_big_endian(void **state)
{
	(void)state;
	struct reader r = reader_of(BYTES(0x12, 0x34, 0x56, 0x78, 0x9A, 0xBC, 0xDE));
	assert_int_equal(read_u8(&r), 0x12);
	assert_int_equal(read_u16(&r), 0x3456);
	assert_int_equal(read_u32(&r), 0x789ABCDE);
	assert_good(reader_finish(&r));
}

static void test_a_failed_read_gives_zero_and_stays_failed(void **state)
{
	(void)state;
	struct reader r = reader_of(BYTES(0x12));
	assert_int_equal(read_u16(&r), 0);
	assert_int_equal(read_u8(&r), 0);
	assert_int_equal(read_u32(&r), 0);
	assert_int_equal(read_variable_integer(&r), 0);
	assert_int_equal(read_binary(&r).len, 0);
	assert_int_equal(read_utf8(&r).len, 0);
	assert_flaw(reader_finish(&r), flaw_truncated);
}

static void test_the_first_mistake_counts(void **state)
{
	(void)state;
	struct reader r = reader_of(BYTES(0x00, 0x01, 0xFF, 0x00));
	read_utf8(&r);
	read_u32(&r);
	assert_flaw(reader_finish(&r), flaw_utf8);
}

static void test_bytes_left_over_are_a_mistake(void **state)
{
	(void)state;
	struct reader r = reader_of(BYTES(1, 2));
	read_u8(&r);
	assert_flaw(reader_finish(&r), flaw_trailing);
}

static void test_packet_id_zero(void **state)
{
	(void)state;
	struct reader r = reader_of(BYTES(0, 0));
	assert_int_equal(read_packet_id(&r), 0);
	assert_flaw(r.flaw, flaw_packet_id);
	r = reader_of(BYTES(0, 1));
	assert_int_equal(read_packet_id(&r), 1);
	assert_good(r.flaw);
}

static void test_a_short_packet_id_is_truncated_not_zero(void **state)
{
	(void)state;
	struct reader r = reader_of(BYTES(1));
	assert_int_equal(read_packet_id(&r), 0);
	assert_flaw(r.flaw, flaw_truncated);
}

static void test_binary_and_text(void **state)
{
	(void)state;
	struct reader r = reader_of(BYTES(0, 2, 0xFF, 0, 0, 0, 0, 2, 'h', 'i'));
	assert_span(read_binary(&r), 0xFF, 0);
	assert_int_equal(read_utf8(&r).len, 0);
	assert_text(read_utf8(&r), "hi");
	assert_good(reader_finish(&r));
	r = reader_of(BYTES(0, 3, 'h', 'i'));
	assert_int_equal(read_binary(&r).len, 0);
	assert_flaw(r.flaw, flaw_truncated);
}

/* [5] table 1-1: the borders of one to four bytes. */
static const struct {
	uint32_t value;
	uint8_t len;
	uint8_t bytes[4];
} variable_integers[] = {
	{0, 1, {0x00}},
	{127, 1, {0x7F}},
	{128, 2, {0x80, 0x01}},
	{16383, 2, {0xFF, 0x7F}},
	{16384, 3, {0x80, 0x80, 0x01}},
	{2097151, 3, {0xFF, 0xFF, 0x7F}},
	{2097152, 4, {0x80, 0x80, 0x80, 0x01}},
	{268435455, 4, {0xFF, 0xFF, 0xFF, 0x7F}},
};

static void test_variable_integers_at_their_borders(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(variable_integers); i++) {
		uint32_t value = variable_integers[i].value;
		size_t len = variable_integers[i].len;
		struct reader r = reader_of(bytes_copy(variable_integers[i].bytes, len));
		assert_int_equal(read_variable_integer(&r), value);
		assert_good(reader_finish(&r));
		assert_int_equal(variable_integer_size(value), len);
		uint8_t written[4];
		struct writer w = writer_of((struct room){written, len});
		write_variable_integer(&w, value);
		assert_false(w.is_overflown);
		assert_memory_equal(written, variable_integers[i].bytes, len);
		w = writer_of((struct room){written, len - 1});
		write_variable_integer(&w, value);
		assert_true(w.is_overflown);
	}
}

static const struct flaw *variable_integer_flaw(struct span bytes)
{
	struct reader r = reader_of(bytes);
	assert_int_equal(read_variable_integer(&r), 0);
	return r.flaw;
}

/* [MQTT-1.5.5-1] */
static void test_variable_integers_padded_or_too_long(void **state)
{
	(void)state;
	assert_flaw(variable_integer_flaw(BYTES(0x80, 0x00)), flaw_variable_integer);
	assert_flaw(variable_integer_flaw(BYTES(0xFF, 0x00)), flaw_variable_integer);
	assert_flaw(variable_integer_flaw(BYTES(0x80, 0x80, 0x00)), flaw_variable_integer);
	assert_flaw(variable_integer_flaw(BYTES(0x81, 0x80, 0x80, 0x00)), flaw_variable_integer);
	assert_flaw(variable_integer_flaw(BYTES(0x80, 0x80, 0x80, 0x80)), flaw_variable_integer);
	assert_flaw(variable_integer_flaw(BYTES(0x80, 0x80, 0x80, 0x80, 0x01)),
		    flaw_variable_integer);
}

static void test_variable_integers_cut_off(void **state)
{
	(void)state;
	assert_flaw(variable_integer_flaw(NO_BYTES), flaw_truncated);
	assert_flaw(variable_integer_flaw(BYTES(0x80)), flaw_truncated);
	assert_flaw(variable_integer_flaw(BYTES(0xFF, 0xFF, 0xFF)), flaw_truncated);
}

static void test_a_variable_integer_too_large_to_write(void **state)
{
	(void)state;
	uint8_t bytes[8];
	struct writer w = writer_of((struct room){bytes, sizeof(bytes)});
	write_variable_integer(&w, REMAINING_LENGTH_MAX + 1);
	assert_true(w.is_overflown);
}

static void test_a_writer_fills_its_room_exactly(void **state)
{
	(void)state;
	uint8_t *block = malloc(12);
	assert_non_null(block);
	struct room room = {block, 12};
	struct writer w = writer_of(room);
	write_u8(&w, 0x01);
	write_u16(&w, 0x0203);
	write_u32(&w, 0x04050607);
	write_binary(&w, span_of_text("hi"));
	write_bytes(&w, span_of_text("!"));
	assert_int_equal(writer_finish(&w, room), 12);
	assert_span(span_of(block, 12), 1, 2, 3, 4, 5, 6, 7, 0, 2, 'h', 'i', '!');
	write_bytes(&w, SPAN_NONE);
	assert_int_equal(writer_finish(&w, room), 12);
	write_u8(&w, 0);
	assert_int_equal(writer_finish(&w, room), 0);
	free(block);
}

static void test_nothing_is_written_behind_an_overflow(void **state)
{
	(void)state;
	uint8_t bytes[4] = {9, 9, 9, 9};
	struct room room = {bytes, sizeof(bytes)};
	struct writer w = writer_of(room);
	write_bytes(&w, span_of_text("12345"));
	write_u8(&w, 1);
	write_u16(&w, 1);
	assert_int_equal(writer_finish(&w, room), 0);
	assert_span(span_of(bytes, sizeof(bytes)), 9, 9, 9, 9);
}

static void test_binary_of_more_than_65535_bytes_cannot_be_written(void **state)
{
	(void)state;
	uint8_t *block = calloc(1, 2 * 65537);
	assert_non_null(block);
	struct room room = {block, 65537};
	struct writer w = writer_of(room);
	write_binary(&w, span_of(block + 65537, 65535));
	assert_int_equal(writer_finish(&w, room), 65537);
	assert_span(span_of(block, 2), 0xFF, 0xFF);
	w = writer_of((struct room){block, 2 * 65537});
	write_binary(&w, span_of(block + 65537, 65536));
	assert_true(w.is_overflown);
	free(block);
}

static enum header_result header_of(struct span bytes, struct fixed_header *header_out,
				    const struct flaw **flaw_out)
{
	struct fixed_header second;
	const struct flaw *second_flaw = NULL;
	*flaw_out = NULL;
	enum header_result result = fixed_header_decode(bytes, header_out, flaw_out);
	/* the short way and the whole way agree */
	assert_int_equal(fixed_header_decode_any(bytes, &second, &second_flaw), result);
	assert_ptr_equal(second_flaw, *flaw_out);
	if (result == HEADER_OK) {
		assert_int_equal(second.type, header_out->type);
		assert_int_equal(second.flags, header_out->flags);
		assert_int_equal(second.header_len, header_out->header_len);
		assert_int_equal(second.remaining_length, header_out->remaining_length);
	}
	return result;
}

/* [5] table 2-2; [MQTT-2.1.3-1, 3.6.1-1, 3.8.1-1, 3.10.1-1, 3.14.1-1, 3.15.1-1] */
static void test_fixed_header_of_every_first_byte(void **state)
{
	(void)state;
	for (unsigned first = 0; first < 256; first++) {
		unsigned type = first >> 4, flags = first & 15;
		bool wants_2 = type == PACKET_PUBREL || type == PACKET_SUBSCRIBE ||
			       type == PACKET_UNSUBSCRIBE;
		struct fixed_header header;
		const struct flaw *flaw;
		struct span bytes = BYTES((uint8_t)first, 0x00, 0xFF);
		enum header_result result = header_of(bytes, &header, &flaw);
		if (type == 0) {
			assert_int_equal(result, HEADER_MALFORMED);
			assert_flaw(flaw, flaw_packet_type);
		} else if (type != PACKET_PUBLISH && flags != (wants_2 ? 2 : 0)) {
			assert_int_equal(result, HEADER_MALFORMED);
			assert_flaw(flaw, flaw_header_flags);
		} else {
			assert_int_equal(result, HEADER_OK);
			assert_int_equal(header.type, type);
			assert_int_equal(header.flags, flags);
			assert_int_equal(header.header_len, 2);
			assert_int_equal(header.remaining_length, 0);
		}
	}
}

static void test_fixed_header_of_every_length(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(variable_integers); i++) {
		uint8_t bytes[6] = {0x30};
		size_t len = variable_integers[i].len;
		memcpy(bytes + 1, variable_integers[i].bytes, len);
		struct fixed_header header;
		const struct flaw *flaw;
		for (size_t more = 0; more < 2; more++) {
			struct span whole = bytes_copy(bytes, 1 + len + more);
			assert_int_equal(header_of(whole, &header, &flaw), HEADER_OK);
			assert_int_equal(header.header_len, 1 + len);
			assert_int_equal(header.remaining_length, variable_integers[i].value);
		}
		for (size_t part = 0; part < 1 + len; part++)
			assert_int_equal(header_of(bytes_copy(bytes, part), &header, &flaw),
					 HEADER_INCOMPLETE);
	}
}

/* [MQTT-1.5.5-1], and five bytes always */
static void test_fixed_header_with_bad_lengths(void **state)
{
	(void)state;
	struct fixed_header header;
	const struct flaw *flaw;
	const struct span bad[] = {
		BYTES(0x30, 0x80, 0x00),
		BYTES(0x30, 0xFF, 0x80, 0x00),
		BYTES(0x30, 0x80, 0x80, 0x80, 0x00),
		BYTES(0x30, 0x80, 0x80, 0x80, 0x80),
		BYTES(0xC0, 0x80, 0x00),
		BYTES(0x30, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F),
	};
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		assert_int_equal(header_of(bad[i], &header, &flaw), HEADER_MALFORMED);
		assert_flaw(flaw, flaw_variable_integer);
	}
}

static void test_a_bad_first_byte_needs_no_length(void **state)
{
	(void)state;
	struct fixed_header header;
	const struct flaw *flaw;
	assert_int_equal(header_of(BYTES(0x00), &header, &flaw), HEADER_MALFORMED);
	assert_flaw(flaw, flaw_packet_type);
	assert_int_equal(header_of(BYTES(0x80, 0x80), &header, &flaw), HEADER_MALFORMED);
	assert_flaw(flaw, flaw_header_flags);
}

static void test_a_ping_has_no_body(void **state)
{
	(void)state;
	struct fixed_header header;
	const struct flaw *flaw;
	assert_int_equal(header_of(BYTES(0xC0, 0x01, 0x00), &header, &flaw), HEADER_MALFORMED);
	assert_flaw(flaw, flaw_ping_body);
	assert_int_equal(header_of(BYTES(0xD0, 0x80, 0x01), &header, &flaw), HEADER_MALFORMED);
	assert_flaw(flaw, flaw_ping_body);
	uint8_t ping[PING_BYTES];
	assert_ptr_equal(ping_encode(ping, PACKET_PINGREQ), ping + PING_BYTES);
	assert_span(span_of(ping, PING_BYTES), 0xC0, 0x00);
	ping_encode(ping, PACKET_PINGRESP);
	assert_span(span_of(ping, PING_BYTES), 0xD0, 0x00);
}

/* MQTT 3.1 re-sends these three with DUP; 3.1.1 forbids it. */
static void test_dup_of_3_1(void **state)
{
	(void)state;
	struct fixed_header header;
	const struct flaw *flaw = NULL;
	const uint8_t types[] = {PACKET_PUBREL, PACKET_SUBSCRIBE, PACKET_UNSUBSCRIBE};
	for (size_t i = 0; i < ARRAY_COUNT(types); i++) {
		struct span bytes = BYTES((uint8_t)(types[i] << 4 | 0x0A), 0x02);
		assert_int_equal(fixed_header_decode_3_1(bytes, &header, &flaw), HEADER_OK);
		assert_int_equal(header.type, types[i]);
		assert_int_equal(header_of(bytes, &header, &flaw), HEADER_MALFORMED);
		bytes = BYTES((uint8_t)(types[i] << 4 | 0x08), 0x02);
		assert_int_equal(fixed_header_decode_3_1(bytes, &header, &flaw), HEADER_MALFORMED);
	}
	assert_int_equal(fixed_header_decode_3_1(BYTES(0x48, 0x02), &header, &flaw),
			 HEADER_MALFORMED);
	assert_int_equal(fixed_header_decode_3_1(BYTES(0x3D, 0x02), &header, &flaw), HEADER_OK);
}

static void test_a_fixed_header_asks_for_room_for_the_body(void **state)
{
	(void)state;
	uint8_t bytes[16];
	struct room room = {bytes, 7};
	struct writer w = writer_of(room);
	write_fixed_header(&w, PACKET_PUBREL, 2, 5);
	assert_int_equal(writer_finish(&w, room), 2);
	assert_span(span_of(bytes, 2), 0x62, 0x05);
	w = writer_of(room);
	write_fixed_header(&w, PACKET_PUBREL, 2, 6);
	assert_int_equal(writer_finish(&w, room), 0);
	w = writer_of(room);
	write_fixed_header(&w, PACKET_PUBLISH, 0, (size_t)REMAINING_LENGTH_MAX + 1);
	assert_int_equal(writer_finish(&w, room), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_integers_are_big_endian),
		cmocka_unit_test(test_a_failed_read_gives_zero_and_stays_failed),
		cmocka_unit_test(test_the_first_mistake_counts),
		cmocka_unit_test(test_bytes_left_over_are_a_mistake),
		cmocka_unit_test(test_packet_id_zero),
		cmocka_unit_test(test_a_short_packet_id_is_truncated_not_zero),
		cmocka_unit_test(test_binary_and_text),
		cmocka_unit_test(test_variable_integers_at_their_borders),
		cmocka_unit_test(test_variable_integers_padded_or_too_long),
		cmocka_unit_test(test_variable_integers_cut_off),
		cmocka_unit_test(test_a_variable_integer_too_large_to_write),
		cmocka_unit_test(test_a_writer_fills_its_room_exactly),
		cmocka_unit_test(test_nothing_is_written_behind_an_overflow),
		cmocka_unit_test(test_binary_of_more_than_65535_bytes_cannot_be_written),
		cmocka_unit_test(test_fixed_header_of_every_first_byte),
		cmocka_unit_test(test_fixed_header_of_every_length),
		cmocka_unit_test(test_fixed_header_with_bad_lengths),
		cmocka_unit_test(test_a_bad_first_byte_needs_no_length),
		cmocka_unit_test(test_a_ping_has_no_body),
		cmocka_unit_test(test_dup_of_3_1),
		cmocka_unit_test(test_a_fixed_header_asks_for_room_for_the_body),
	};
	return cmocka_run_group_tests(tests, NULL, bytes_forget);
}
