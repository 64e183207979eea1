/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a server sends to `nightjar bench`, in pieces: byte 0 is the version, byte 1 the length of a
 * piece. The scanner, which reads only what it must, sees the packets that the decoders see.
 */
#include "cli/bench_packet.h"
#include "fuzz.h"
#include "mqtt/packets.h"

struct seen {
	const uint8_t *left;
	struct span rest; /* of the whole stream: where the next packet begins */
	uint8_t version;
	bool is_valid; /* so far */
};

static void check_publish(const struct fixed_header *h, struct span body, uint8_t version,
			  const struct bench_packet *p, bool *is_valid)
{
	struct publish publish;
	*is_valid = !publish_decode(h->flags, body, version, &publish);
	if (!*is_valid)
		return;
	CHECK(p->qos == publish.qos && p->packet_id == publish.packet_id);
	CHECK(p->has_stamp == (publish.payload.len >= sizeof(p->stamp)));
	if (p->has_stamp)
		CHECK(memcmp(&p->stamp, publish.payload.ptr, sizeof(p->stamp)) == 0);
}

static void check_packet(struct seen *s, const struct bench_packet *p)
{
	struct fixed_header h;
	const struct flaw *flaw;
	CHECK(fixed_header_decode(s->rest, &h, &flaw) == HEADER_OK && h.type == p->type);
	size_t len = (size_t)h.header_len + h.remaining_length;
	if (len > s->rest.len) { /* handed out before all of it was there */
		s->rest = SPAN_NONE;
		return;
	}
	struct span body = span_of(s->rest.ptr + h.header_len, h.remaining_length);
	if (h.type == PACKET_PUBLISH)
		check_publish(&h, body, s->version, p, &s->is_valid);
	else
		CHECK(p->body.len <= body.len && memcmp(p->body.ptr, body.ptr, p->body.len) == 0);
	s->rest = span_of(s->rest.ptr + len, s->rest.len - len);
}

/* All packets of what is there. False: it is not MQTT. */
static bool scan(struct bench_scanner *scanner, struct seen *s)
{
	enum bench_scan result;
	struct bench_packet p = {0};
	while ((result = bench_scan_next(scanner, &p)) == BENCH_SCAN_PACKET) {
		check_packet(s, &p);
		if (!s->is_valid)
			return false;
		p = (struct bench_packet){0};
	}
	if (result == BENCH_SCAN_MORE)
		CHECK(scanner->end - scanner->ptr < BENCH_PACKET_HEAD_MAX);
	return result == BENCH_SCAN_MORE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len < 2)
		return 0;
	struct seen s = {.version = (uint8_t)(MQTT_3_1 + data[0] % 3), .is_valid = true};
	struct bench_scanner scanner = {.version = s.version};
	size_t piece = 1 + (size_t)data[1], kept = 0;
	s.rest = span_of(data + 2, len - 2);
	struct span left = s.rest;
	uint8_t *buffer = malloc(piece + BENCH_PACKET_HEAD_MAX);
	CHECK(buffer);
	bool is_good = true;
	while (left.len > 0 && is_good) {
		size_t n = piece < left.len ? piece : left.len;
		uint8_t *exact = malloc(kept + n);
		CHECK(exact);
		memcpy(exact, buffer, kept);
		memcpy(exact + kept, left.ptr, n);
		scanner.ptr = exact;
		scanner.end = exact + kept + n;
		is_good = scan(&scanner, &s);
		kept = is_good ? (size_t)(scanner.end - scanner.ptr) : 0;
		memcpy(buffer, scanner.ptr, kept);
		free(exact);
		left = span_of(left.ptr + n, left.len - n);
	}
	free(buffer);
	return 0;
}
