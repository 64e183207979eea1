/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Client ids, topics and the rest of what peers say, as lines of the log: whatever they are, no line
 * steers a terminal, ends early or is cut inside a character, and there is room for it.
 *
 *   byte 0: kind, byte 1: room, then the event's 14 bytes, then texts, parted by line feeds
 */
#include "fuzz.h"
#include "input.h"
#include "mqtt/wire.h"
#include "trace/lines.h"

#define ROOM_MAX 512

const struct step_shape step_shapes[STEP_KINDS];

static struct span take_text(struct input *in)
{
	const uint8_t *end = in->len ? memchr(in->ptr, '\n', in->len) : NULL;
	struct span text = take_span(in, end ? (size_t)(end - in->ptr) : in->len);
	take(in);
	return text;
}

static void check_line(const char *text, size_t len, size_t room)
{
	struct span line = span_of(text, len);
	if (getenv("FUZZ_SHOW"))
		fprintf(stderr, "%s\n", text);
	CHECK(len < room && text[len] == '\0' && strlen(text) == len);
	CHECK(utf8_is_valid(line));
	for (size_t i = 0; i < len; i++) {
		bool is_c1 = line.ptr[i] == 0xC2 && i + 1 < len && line.ptr[i + 1] < 0xA0;
		CHECK(!is_c1 && line.ptr[i] != 0x7F);
		/* a filter's line begins with our own tab */
		bool is_tab = line.ptr[i] == '\t' && (i == 0 || line.ptr[i - 1] == '\n');
		CHECK(line.ptr[i] >= 0x20 || line.ptr[i] == '\n' || is_tab);
	}
	CHECK(len == 0 || text[len - 1] != '\n');
}

static unsigned count_lines(const char *text)
{
	unsigned count = 0;
	while ((text = strchr(text, '\n'))) {
		text++;
		count++;
	}
	return count;
}

static void print(const struct event *e, const struct event_detail *d, size_t room)
{
	char *text = malloc(room), *whole = malloc(1 << 20);
	CHECK(text && whole);
	size_t len = event_lines(e, d, text, room);
	check_line(text, len, room);
	size_t whole_len = event_lines(e, d, whole, 1 << 20);
	check_line(whole, whole_len, 1 << 20);
	CHECK(len <= whole_len && memcmp(text, whole, len) == 0);
	CHECK(count_lines(whole) <= 2);
	for (unsigned type = 1; type <= LOG_TYPE_CONNECTION; type <<= 1) {
		len = event_lines_of_types(e, d, type, text, room);
		check_line(text, len, room);
	}
	free(text);
	free(whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct input in = {data, len};
	if (len < HEAD_BYTES)
		return 0;
	struct event e = {.kind = take(&in) % EVENT_KIND_COUNT};
	size_t room = 1 + (size_t)take(&in) * (ROOM_MAX / 256);
	e.packet_type = take(&in) % 16;
	e.qos = take(&in) % 3;
	e.flags = take(&in);
	e.reason_code = take(&in);
	e.version = (uint8_t)(3 + take(&in) % 3);
	e.packet_id = take_u16(&in);
	e.bytes = (uint32_t)take_u16(&in) << 16 | take_u16(&in);
	e.number = take_u16(&in);
	struct will_view will = {.qos = take(&in) % 3};
	struct event_detail d = {.client_id = take_text(&in),
				 .topic = take_text(&in),
				 .user_name = take_text(&in),
				 .address = SPAN_LITERAL("192.0.2.1:1883"),
				 .text = e.flags & 0x80 ? "a sentence" : NULL};
	will.topic = take_text(&in);
	d.will = e.flags & EVENT_FLAG_WILL ? &will : NULL;
	print(&e, &d, room);
	return 0;
}
