/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client behind its handshake of TLS 1.3 whose keys we have: it seals data, key updates, alerts and
 * other things, changes bytes of them, sends raw ones, lets them come in any pieces, and reads slowly.
 * The first byte is for the cipher, the second for how much fits into the stream between.
 *
 * What good records held is read as it was said, and nothing else; and it is read by an owner that
 * looks only when the stream has something or the flow says so, so that whatever would stall is
 * found. Each record of the flow opens with the next number, and holds what its owner wrote.
 */
#include "io/tls_flow.h"
#include "base/mem.h"
#include "fuzz.h"
#include "input.h"
#include "io/stream_memory.h"

#define UPDATES_MAX 32
#define PADDING_MAX 200
#define PENDING_MAX (4 * (RECORD_CONTENT_MAX + RECORD_EXTRA_BYTES))
#define OFFERED_MAX ((size_t)60000)
#define ROOM_MAX ((size_t)70000)

enum step {
	STEP_DATA,
	STEP_UPDATE,
	STEP_CONTENT, /* of any type */
	STEP_RAW,
	STEP_FLIP,
	STEP_SEND,
	STEP_READ,
	STEP_WRITE,
	STEP_TAKE,
	STEP_FLUSH,
	STEP_FINISH,
	STEP_COUNT
};

struct scene {
	struct layer_bottom bottom;
	struct layer layer;
	struct stream peer;
	struct tls_flow *flow;
	struct record_keys to_flow, from_flow;
	uint8_t pending[PENDING_MAX]; /* sealed by the peer, not sent yet */
	size_t pending_start, pending_end;
	uint8_t in[RECORD_HEAD_BYTES + RECORD_BODY_MAX]; /* of the flow, a part of a record */
	size_t in_len;
	size_t said, heard;      /* bytes of data towards the flow */
	size_t written, arrived; /* and from it: told as written; opened by the peer */
	size_t offered;          /* to be written, and tried */
	unsigned updates;        /* without data between */
	bool is_odd;             /* the peer has done something that a good one does not */
	bool has_alerted;        /* the flow; nothing follows */
	bool is_over;            /* a read or write has said so */
};

static uint8_t byte_at(size_t index)
{
	return (uint8_t)(index * 7 >> 2);
}

/* --- the peer --- */

static bool has_room(const struct scene *s)
{
	return sizeof(s->pending) - s->pending_end >= RECORD_CONTENT_MAX + RECORD_EXTRA_BYTES;
}

static void seal(struct scene *s, uint8_t type, const uint8_t *content, size_t len)
{
	uint8_t *record = s->pending + s->pending_end;
	memcpy(record + RECORD_HEAD_BYTES, content, len);
	long sealed = record_seal(&s->to_flow, type, record, len);
	CHECK(sealed == (long)(len + RECORD_EXTRA_BYTES));
	s->pending_end += (size_t)sealed;
}

static void seal_data(struct scene *s, struct input *in)
{
	static uint8_t content[RECORD_CONTENT_MAX];
	size_t len = take_u16(in) % (RECORD_CONTENT_MAX - PADDING_MAX), padding = take(in);
	if (len % 4)
		len %= 100;
	for (size_t i = 0; i < len; i++)
		content[i] = byte_at(s->said + i);
	s->said += len;
	s->updates = len > 0 ? 0 : s->updates;
	if (padding == 0 || padding > PADDING_MAX) {
		seal(s, RECORD_DATA, content, len);
		return;
	}
	memset(content + len, 0, padding);
	content[len] = RECORD_DATA;
	seal(s, 0, content, len + padding);
}

static void seal_update(struct scene *s, uint8_t request)
{
	const uint8_t update[] = {24, 0, 0, 1, request};
	seal(s, RECORD_HANDSHAKE, update, sizeof(update));
	CHECK(record_keys_update(&s->to_flow) == 0);
	s->is_odd |= request > 1 || ++s->updates > UPDATES_MAX;
}

static void seal_content(struct scene *s, struct input *in)
{
	uint8_t type = take(in), last = type;
	struct span content = take_span(in, take(in));
	for (size_t i = content.len; i > 0 && last == 0; i--)
		last = content.ptr[i - 1]; /* what is padded has its type there */
	if (last == RECORD_DATA)
		return;
	s->is_odd = true;
	seal(s, type, content.ptr, content.len);
}

static void add_raw(struct scene *s, struct span bytes)
{
	s->is_odd |= bytes.len > 0;
	memcpy(s->pending + s->pending_end, bytes.ptr, bytes.len);
	s->pending_end += bytes.len;
}

static void flip(struct scene *s, size_t at, uint8_t bits)
{
	size_t len = s->pending_end - s->pending_start;
	if (len == 0 || bits == 0)
		return;
	s->is_odd = true;
	s->pending[s->pending_start + at % len] ^= bits;
}

static void send_some(struct scene *s, size_t len)
{
	size_t left = s->pending_end - s->pending_start;
	struct span part = span_of(s->pending + s->pending_start, len < left ? len : left);
	long n = part.len > 0 ? s->peer.ops->write(&s->peer, &part, 1) : 0;
	s->pending_start += n > 0 ? (size_t)n : 0;
	if (s->pending_start == s->pending_end)
		s->pending_start = s->pending_end = 0;
}

static void look_at(struct scene *s, uint8_t type, const uint8_t *content, size_t len)
{
	static const uint8_t update[] = {24, 0, 0, 1, 0};
	CHECK(!s->has_alerted);
	if (type == RECORD_HANDSHAKE) {
		CHECK(len == sizeof(update) && memcmp(content, update, len) == 0);
		CHECK(record_keys_update(&s->from_flow) == 0);
	} else if (type == RECORD_ALERT) {
		CHECK(len == 2 && content[0] == (content[1] == 0 ? 1 : 2));
		s->has_alerted = true;
	} else {
		CHECK(type == RECORD_DATA && len > 0);
		for (size_t i = 0; i < len; i++)
			CHECK(content[i] == byte_at(s->arrived + i));
		s->arrived += len;
	}
}

/* What the flow has sent, a piece of a record at a time. False when there is nothing. */
static bool take_piece(struct scene *s, size_t len)
{
	static uint8_t content[RECORD_BODY_MAX];
	size_t whole = RECORD_HEAD_BYTES, content_len;
	uint8_t type;
	if (s->in_len >= RECORD_HEAD_BYTES)
		whole += (size_t)s->in[3] << 8 | s->in[4];
	CHECK(whole <= sizeof(s->in));
	if (len > whole - s->in_len)
		len = whole - s->in_len;
	long n = s->peer.ops->read(&s->peer, (struct room){s->in + s->in_len, len});
	if (n <= 0)
		return false;
	s->in_len += (size_t)n;
	if (s->in_len < whole || whole == RECORD_HEAD_BYTES)
		return true;
	CHECK(record_open(&s->from_flow, s->in, whole - RECORD_HEAD_BYTES, content, &content_len,
			  &type) == RECORD_OPEN);
	look_at(s, type, content, content_len);
	s->in_len = 0;
	return true;
}

/* --- the owner --- */

/* Only when somebody says that there is something. */
static bool is_readable(const struct scene *s)
{
	return !s->is_over && (s->layer.has_more || memory_is_readable(&s->bottom.stream));
}

static void read_some(struct scene *s, size_t room_len)
{
	if (!is_readable(s))
		return;
	uint8_t *room = malloc(room_len);
	CHECK(room);
	long n = tls_flow_read(s->flow, &s->layer, (struct room){room, room_len});
	CHECK(n <= (long)room_len);
	for (long i = 0; i < n; i++)
		CHECK(room[i] == byte_at(s->heard + (size_t)i));
	free(room);
	s->heard += n > 0 ? (size_t)n : 0;
	CHECK(s->heard <= s->said);
	s->is_over |= n == 0 || n == ERROR_CLOSED;
	CHECK(!s->is_over || s->is_odd);
	CHECK(n != ERROR_CLOSED || s->layer.reason);
}

/* Not less than was tried before, from the same bytes on, in other parts. */
static void write_some(struct scene *s, size_t len, uint8_t cuts)
{
	static uint8_t bytes[OFFERED_MAX];
	struct span parts[4];
	unsigned count = 0;
	if (s->is_over)
		return;
	s->offered = len > s->offered ? len : s->offered;
	for (size_t i = 0; i < s->offered; i++)
		bytes[i] = byte_at(s->written + i);
	size_t at = 0;
	for (; count < 3 && cuts >> (2 * count) & 3; count++) {
		size_t piece = (s->offered - at) * (cuts >> (2 * count) & 3) / 4;
		parts[count] = span_of(bytes + at, piece);
		at += piece;
	}
	parts[count++] = span_of(bytes + at, s->offered - at);
	long n = tls_flow_write(s->flow, &s->layer, parts, count);
	CHECK(n >= 0 || n == ERROR_AGAIN || n == ERROR_CLOSED);
	CHECK(n <= (long)s->offered && (n != 0 || s->offered == 0));
	s->is_over |= n == ERROR_CLOSED;
	CHECK(!s->is_over || s->is_odd);
	s->written += n > 0 ? (size_t)n : 0;
	s->offered -= n > 0 ? (size_t)n : 0;
}

/* As a loop does when the socket takes more. */
static void flush(struct scene *s)
{
	if (s->layer.is_blocked)
		(void)tls_flow_write(s->flow, &s->layer, NULL, 0);
}

static void step(struct scene *s, struct input *in)
{
	uint8_t kind = take(in) % STEP_COUNT;
	size_t more = kind >= STEP_SEND && kind <= STEP_TAKE ? take_u16(in) : 0;
	if (kind <= STEP_RAW && !has_room(s))
		return;
	switch ((enum step)kind) {
	case STEP_DATA: seal_data(s, in); break;
	case STEP_UPDATE: seal_update(s, take(in) & 3 ? take(in) & 1 : 2); break;
	case STEP_CONTENT: seal_content(s, in); break;
	case STEP_RAW: add_raw(s, take_span(in, take(in))); break;
	case STEP_FLIP: flip(s, take_u16(in), take(in)); break;
	case STEP_SEND: send_some(s, more); break;
	case STEP_READ: read_some(s, 1 + (more % 4 ? more % 300 : more)); break;
	case STEP_WRITE: write_some(s, more % (OFFERED_MAX + 1), take(in)); break;
	case STEP_TAKE: take_piece(s, 1 + more); break;
	case STEP_FLUSH: flush(s); break;
	case STEP_FINISH:
		tls_flow_finish(s->flow, &s->layer);
		s->is_over = true;
		break;
	default: break;
	}
}

/* Everybody goes on until nobody has anything to do. */
static void come_to_rest(struct scene *s)
{
	bool goes_on = true;
	for (unsigned round = 0; goes_on; round++) {
		CHECK(round < 100000);
		size_t before = s->written;
		send_some(s, PENDING_MAX);
		read_some(s, ROOM_MAX);
		flush(s);
		if (s->offered > 0)
			write_some(s, 0, 0);
		goes_on = s->written != before || is_readable(s) ||
			  (s->pending_end > 0 && !s->is_over);
		while (take_piece(s, RECORD_BODY_MAX))
			goes_on = true;
	}
}

static void run(const uint8_t *data, size_t len)
{
	static const unsigned suites[] = {0x1301, 0x1302, 0x1303};
	static const uint8_t secrets[2][RECORD_SECRET_MAX] = {"towards the flow", "from the flow"};
	static struct scene s;
	struct input in = {data, len};
	struct stream streams[2];
	uint8_t first = take(&in);
	struct span early = take_span(&in, first >> 4);
	struct tls_flow_start start = {.suite = record_suite_find(suites[first % 3]),
				       .secret_in = secrets[0],
				       .secret_out = secrets[1],
				       .sealed = first & 7,
				       .early = early};
	s = (struct scene){.is_odd = early.len > 0};
	CHECK(memory_pair_open((uint32_t)64 << take(&in) % 12, &streams[0], &streams[1]) == 0);
	layer_bottom_init(&s.bottom, &streams[0]);
	s.layer = (struct layer){.below = &s.bottom.layer, .has_more = true};
	s.peer = streams[1];
	s.flow = tls_flow_new(&start);
	CHECK(s.flow);
	CHECK(record_keys_init(&s.to_flow, start.suite, secrets[0]) == 0);
	CHECK(record_keys_init(&s.from_flow, start.suite, secrets[1]) == 0);
	s.from_flow.sequence = start.sealed;
	while (in.len > 0)
		step(&s, &in);
	come_to_rest(&s);
	CHECK(s.arrived >= s.written || s.is_over);
	CHECK(s.is_over || (s.heard == s.said && s.arrived == s.written && s.offered == 0) ||
	      s.is_odd);
	tls_flow_free(s.flow);
	s.bottom.stream.ops->close(&s.bottom.stream);
	s.peer.ops->close(&s.peer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const uint8_t record[] = {0, 0, STEP_DATA, 0, 4, 0};
	static bool is_warm;
	if (!is_warm) /* what a thread keeps for the next */
		run(record, sizeof(record));
	is_warm = true;
	mem_count_start();
	long before = mem_count_live();
	run(data, len);
	CHECK(mem_count_live() == before);
	return 0;
}
