/* SPDX-License-Identifier: Apache-2.0 */
/* See bench_packet.h. */
#include "cli/bench_packet.h"

void bench_head_init(struct bench_head *h, struct span topic, uint8_t qos, uint8_t version,
		     uint32_t payload_len)
{
	ASSERT(topic.len <= BENCH_TOPIC_MAX);
	uint32_t variable_len = 2 + (uint32_t)topic.len + (qos ? 2 : 0) + (version >= MQTT_5);
	uint32_t remaining = variable_len + payload_len;
	struct writer w = writer_of((struct room){h->bytes, sizeof(h->bytes)});
	write_u8(&w, (uint8_t)(PACKET_PUBLISH << 4 | qos << 1));
	write_variable_integer(&w, remaining);
	write_binary(&w, topic);
	h->id_offset = qos ? (uint16_t)(w.ptr - h->bytes) : 0;
	if (qos)
		write_u16(&w, 0);
	if (version >= MQTT_5)
		write_u8(&w, 0);
	ASSERT(!w.is_overflown);
	h->len = (uint16_t)(w.ptr - h->bytes);
	h->packet_len = h->len + payload_len;
}

struct span bench_head_topic(const struct bench_head *h)
{
	struct fixed_header header;
	const struct flaw *flaw;
	enum header_result result = fixed_header_decode(span_of(h->bytes, h->len), &header, &flaw);
	ASSERT(result == HEADER_OK);
	const uint8_t *ptr = h->bytes + header.header_len;
	return span_of(ptr + 2, load_u16(ptr));
}

static size_t scanner_left(const struct bench_scanner *s)
{
	return (size_t)(s->end - s->ptr);
}

/* Goes past a packet of `len` bytes, part of which may be still to come. */
static void scanner_pass(struct bench_scanner *s, size_t len)
{
	size_t left = scanner_left(s);
	size_t here = len < left ? len : left;
	s->ptr += here;
	s->skip = (uint32_t)(len - here);
}

static void scanner_pass_skipped(struct bench_scanner *s)
{
	if (s->skip)
		scanner_pass(s, s->skip);
}

static enum bench_scan scan_more(const struct bench_scanner *s)
{
	return scanner_left(s) < BENCH_PACKET_HEAD_MAX ? BENCH_SCAN_MORE : BENCH_SCAN_BROKEN;
}

/* Reads topic, packet id and properties; what is cut off sets the reader's flaw. */
static void read_publish(struct reader *r, uint8_t version, struct bench_packet *out)
{
	read_binary(r);
	out->packet_id = out->qos ? read_u16(r) : 0;
	if (version >= MQTT_5)
		read_bytes(r, read_variable_integer(r));
}

static enum bench_scan scan_publish(struct bench_scanner *s, const struct fixed_header *header,
				    struct bench_packet *out)
{
	size_t whole = (size_t)header->header_len + header->remaining_length;
	size_t left = scanner_left(s);
	size_t here = left < whole ? left : whole;
	struct reader r = reader_of(span_of(s->ptr, here));
	read_bytes(&r, header->header_len);
	out->qos = header->flags >> 1 & 3;
	read_publish(&r, s->version, out);
	if (UNLIKELY(r.flaw))
		return here < whole ? scan_more(s) : BENCH_SCAN_BROKEN;
	size_t passed = here - reader_left(&r);
	out->has_stamp = whole - passed >= sizeof(out->stamp);
	if (LIKELY(out->has_stamp)) {
		if (UNLIKELY(reader_left(&r) < sizeof(out->stamp)))
			return scan_more(s);
		memcpy(&out->stamp, r.ptr, sizeof(out->stamp));
	}
	scanner_pass(s, whole);
	return BENCH_SCAN_PACKET;
}

static enum bench_scan scan_other(struct bench_scanner *s, const struct fixed_header *header,
				  struct bench_packet *out)
{
	size_t whole = (size_t)header->header_len + header->remaining_length;
	size_t needed = whole < BENCH_PACKET_HEAD_MAX ? whole : BENCH_PACKET_HEAD_MAX;
	if (scanner_left(s) < needed)
		return BENCH_SCAN_MORE;
	out->body = span_of(s->ptr + header->header_len, needed - header->header_len);
	out->packet_id = out->body.len >= 2 ? load_u16(out->body.ptr) : 0;
	scanner_pass(s, whole);
	return BENCH_SCAN_PACKET;
}

enum bench_scan bench_scan_next(struct bench_scanner *s, struct bench_packet *out)
{
	struct fixed_header header;
	const struct flaw *flaw;
	scanner_pass_skipped(s);
	switch (fixed_header_decode(span_of(s->ptr, scanner_left(s)), &header, &flaw)) {
	case HEADER_INCOMPLETE: return BENCH_SCAN_MORE;
	case HEADER_MALFORMED: return BENCH_SCAN_BROKEN;
	case HEADER_OK: break;
	}
	out->type = header.type;
	if (LIKELY(header.type == PACKET_PUBLISH))
		return scan_publish(s, &header, out);
	return scan_other(s, &header, out);
}
