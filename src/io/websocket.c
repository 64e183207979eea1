/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames (RFC 6455, 5). A frame's header is collected in the structure, its payload is unmasked and
 * moved together where it was read to. What is written goes into one frame for each call; once its
 * header was offered to the layer below it stays as it is, because TLS wants to see the same bytes
 * again.
 */
#include "io/websocket_inside.h"

#include <sys/random.h>

#include "base/mem.h"

#define OPCODE_CONTINUATION 0
#define OPCODE_BINARY 2
#define OPCODE_CLOSE 8
#define OPCODE_PING 9
#define OPCODE_PONG 10
#define BIT_LAST 0x80
#define BITS_RESERVED 0x70
#define BIT_MASKED 0x80

/* Status codes of a close, 7.4.1 */
#define CLOSE_NORMAL 1000
#define CLOSE_PROTOCOL 1002
#define CLOSE_KIND 1003

/* Reads that brought no payload, before others have their turn. */
#define READ_ROUNDS 4

/* What is masked at a time, on the stack. */
#define MASK_BYTES ((size_t)4096)

static struct websocket *websocket_of(struct layer *l)
{
	return CONTAINER_OF(l, struct websocket, layer);
}

static bool is_client(const struct websocket *w)
{
	return w->is_client;
}

/* --- what the layer itself writes --- */

int websocket_say(struct websocket *w, const void *bytes, size_t len)
{
	uint8_t *out = mem_realloc(w->out, w->out_len + len);
	if (!out)
		return ERROR_NO_MEMORY;
	memcpy(out + w->out_len, bytes, len);
	w->out = out;
	w->out_len += (uint32_t)len;
	return 0;
}

int websocket_flush_out(struct websocket *w)
{
	while (w->out_at < w->out_len) {
		struct span part = span_of(w->out + w->out_at, w->out_len - w->out_at);
		long n = layer_write(w->layer.below, &part, 1);
		w->layer.is_blocked = n == ERROR_AGAIN;
		if (n < 0)
			return (int)n;
		w->out_at += (uint32_t)n;
	}
	mem_free(w->out);
	w->out = NULL;
	w->out_len = w->out_at = 0;
	w->layer.is_blocked = false;
	return 0;
}

static void mask_bytes(uint8_t *to, const uint8_t *from, size_t len, const uint8_t mask[4],
		       uint64_t offset)
{
	for (size_t i = 0; i < len; i++)
		to[i] = from[i] ^ mask[(offset + i) & 3];
}

/* The header of a frame; its length. A client's mask is made new. */
static uint8_t make_header(struct websocket *w, uint8_t opcode, uint64_t len, uint8_t *header,
			   uint8_t mask[4])
{
	uint8_t at = 2, masked = is_client(w) ? BIT_MASKED : 0;
	header[0] = BIT_LAST | opcode;
	if (len < 126) {
		header[1] = masked | (uint8_t)len;
	} else if (len <= UINT16_MAX) {
		header[1] = masked | 126;
		store_u16(header + 2, (uint16_t)len);
		at = 4;
	} else {
		header[1] = masked | 127;
		store_u32(header + 2, (uint32_t)(len >> 32));
		store_u32(header + 6, (uint32_t)len);
		at = 10;
	}
	memset(mask, 0, 4);
	if (!masked)
		return at;
	(void)!getrandom(mask, 4, 0);
	memcpy(header + at, mask, 4);
	return at + 4;
}

/* Only between two frames of ours; one that waits already stays the only one of its kind. */
static void say_control(struct websocket *w, uint8_t opcode, const uint8_t *bytes, size_t len)
{
	uint8_t frame[FRAME_HEADER_MAX + CONTROL_BYTES_MAX], mask[4];
	if (w->out_len > 0 && opcode == OPCODE_PONG)
		return;
	uint8_t at = make_header(w, opcode, len, frame, mask);
	mask_bytes(frame + at, bytes, len, mask, 0);
	if (websocket_say(w, frame, at + len) == 0 && w->out_left == 0 && w->out_header_len == 0)
		(void)websocket_flush_out(w);
	else
		w->layer.is_blocked = w->out_len > 0;
}

static void say_close(struct websocket *w, uint16_t code)
{
	uint8_t bytes[2];
	if (w->has_said_close)
		return;
	w->has_said_close = true;
	store_u16(bytes, code);
	say_control(w, OPCODE_CLOSE, bytes, sizeof(bytes));
}

/* --- frames in --- */

static int fail(struct websocket *w, uint16_t code, const char *reason)
{
	w->layer.reason = reason;
	say_close(w, code);
	w->state = WEBSOCKET_OVER;
	return ERROR_CLOSED;
}

static const char *flaw_of_opcode(const struct websocket *w, bool is_control)
{
	if (is_control && w->opcode > OPCODE_PONG)
		return "WebSocket frame of an unknown kind";
	if (is_control)
		return w->is_last ? NULL : "WebSocket control frame in pieces";
	if (w->opcode == OPCODE_CONTINUATION && !w->is_in_message)
		return "WebSocket frame that continues nothing";
	if (w->opcode == OPCODE_BINARY && w->is_in_message)
		return "WebSocket message begun within another";
	return NULL;
}

/* How long the header is, as far as its first two bytes tell. */
static uint8_t header_expected(const struct websocket *w)
{
	if (w->header_len < 2)
		return 2;
	uint8_t len = w->header[1] & 0x7F;
	uint8_t more = len == 126 ? 2 : len == 127 ? 8 : 0;
	return (uint8_t)(2 + more + (w->header[1] & BIT_MASKED ? 4 : 0));
}

static bool read_length(struct websocket *w)
{
	const uint8_t *h = w->header;
	w->left = h[1] & 0x7F;
	if (w->left == 126) {
		w->left = load_u16(h + 2);
		return w->left >= 126;
	}
	if (w->left == 127) {
		w->left = (uint64_t)load_u32(h + 2) << 32 | load_u32(h + 6);
		return w->left > UINT16_MAX && w->left <= INT64_MAX;
	}
	return true;
}

/* The header is whole. */
static int begin_frame(struct websocket *w)
{
	bool is_masked = w->header[1] & BIT_MASKED;
	w->is_last = w->header[0] & BIT_LAST;
	w->opcode = w->header[0] & 0x0F;
	bool is_control = w->opcode >= OPCODE_CLOSE;
	if (w->header[0] & BITS_RESERVED)
		return fail(w, CLOSE_PROTOCOL, "WebSocket frame with reserved bits");
	if (is_masked == is_client(w))
		return fail(w, CLOSE_PROTOCOL, "WebSocket frame with the wrong masking");
	if (!is_control && w->opcode != OPCODE_BINARY && w->opcode != OPCODE_CONTINUATION)
		return fail(w, CLOSE_KIND,
			    "WebSocket frame that is not binary"); /* [MQTT-6.0.0-1] */
	const char *flaw = flaw_of_opcode(w, is_control);
	if (!read_length(w))
		flaw = "WebSocket frame with a wrong length";
	else if (is_control && w->left > CONTROL_BYTES_MAX)
		flaw = "WebSocket control frame that is too long";
	if (flaw)
		return fail(w, CLOSE_PROTOCOL, flaw);
	if (!is_control)
		w->is_in_message = !w->is_last;
	memset(w->mask, 0, sizeof(w->mask));
	if (is_masked)
		memcpy(w->mask, w->header + w->header_len - 4, 4);
	w->offset = 0;
	w->control_len = 0;
	return 0;
}

static void end_control(struct websocket *w)
{
	if (w->opcode == OPCODE_PING) {
		say_control(w, OPCODE_PONG, w->control, w->control_len);
	} else if (w->opcode == OPCODE_CLOSE) {
		w->has_heard_close = true;
		say_close(w, CLOSE_NORMAL);
	}
}

static void end_frame(struct websocket *w)
{
	if (w->opcode >= OPCODE_CLOSE)
		end_control(w);
	w->header_len = 0;
}

/* Takes frames apart in place; the length of the payload, now at the front. */
static long take_apart(struct websocket *w, uint8_t *bytes, size_t len)
{
	size_t at = 0, kept = 0;
	while (at < len && !w->has_heard_close) {
		if (w->header_len < header_expected(w)) {
			w->header[w->header_len++] = bytes[at++];
			if (w->header_len < header_expected(w))
				continue;
			if (begin_frame(w) != 0)
				return ERROR_CLOSED;
		}
		size_t piece = len - at < w->left ? len - at : (size_t)w->left;
		bool is_control = w->opcode >= OPCODE_CLOSE;
		uint8_t *to = is_control ? w->control + w->control_len : bytes + kept;
		mask_bytes(to, bytes + at, piece, w->mask, w->offset);
		if (is_control)
			w->control_len += (uint8_t)piece;
		else
			kept += piece;
		at += piece;
		w->offset += piece;
		w->left -= piece;
		if (w->left == 0)
			end_frame(w);
	}
	return (long)kept;
}

/* Raw bytes: first those that came behind the head. */
static long read_raw(struct websocket *w, struct room room)
{
	size_t len = w->head_len - w->head_at;
	if (!w->head || len == 0) {
		mem_free(w->head);
		w->head = NULL;
		w->head_len = w->head_at = 0;
		return layer_read(w->layer.below, room);
	}
	if (len > room.len)
		len = room.len;
	memcpy(room.ptr, w->head + w->head_at, len);
	w->head_at += (uint32_t)len;
	return (long)len;
}

static long websocket_read(struct layer *l, struct room room)
{
	struct websocket *w = websocket_of(l);
	if (w->state != WEBSOCKET_OPEN)
		return ERROR_CLOSED;
	for (unsigned round = 0; round < READ_ROUNDS; round++) {
		if (w->has_heard_close)
			return 0;
		long n = read_raw(w, room);
		if (n <= 0) {
			l->has_more = false;
			return n;
		}
		long kept = take_apart(w, room.ptr, (size_t)n);
		l->has_more = w->has_heard_close || w->head_len > w->head_at;
		if (kept != 0)
			return kept;
	}
	l->has_more = true; /* nothing but pings, perhaps: others have their turn */
	return ERROR_AGAIN;
}

/* --- frames out --- */

static size_t length_of(const struct span *parts, unsigned count)
{
	size_t len = 0;
	for (unsigned i = 0; i < count; i++)
		len += parts[i].len;
	return len;
}

/* The header's rest and the parts, no more than the frame has left. */
static unsigned gather(const struct websocket *w, const struct span *parts, unsigned count,
		       struct span *out)
{
	unsigned used = 0;
	uint64_t left = w->out_left;
	if (w->out_header_at < w->out_header_len)
		out[used++] = span_of(w->out_header + w->out_header_at,
				      w->out_header_len - w->out_header_at);
	for (unsigned i = 0; i < count && left > 0 && used < STREAM_PARTS_MAX; i++) {
		out[used] = parts[i];
		if (out[used].len > left)
			out[used].len = (size_t)left;
		left -= out[used].len;
		used += out[used].len > 0;
	}
	return used;
}

/* A client's are masked on the way, a few kilobytes at a time. */
static unsigned gather_masked(const struct websocket *w, const struct span *parts, unsigned count,
			      struct span *out, uint8_t *copy)
{
	struct span plain[STREAM_PARTS_MAX];
	unsigned used = gather(w, parts, count, plain), first = 0;
	size_t len = 0;
	if (w->out_header_at < w->out_header_len)
		out[first++] = plain[0];
	for (unsigned i = first; i < used && len < MASK_BYTES; i++) {
		size_t piece = plain[i].len < MASK_BYTES - len ? plain[i].len : MASK_BYTES - len;
		mask_bytes(copy + len, plain[i].ptr, piece, w->out_mask, w->out_offset + len);
		len += piece;
	}
	out[first] = span_of(copy, len);
	return first + (len > 0);
}

/* How much of the payload left with those bytes. */
static size_t account(struct websocket *w, size_t n)
{
	size_t header = (size_t)(w->out_header_len - w->out_header_at);
	if (n < header) {
		w->out_header_at += (uint8_t)n;
		return 0;
	}
	w->out_header_at = w->out_header_len;
	size_t payload = n - header;
	w->out_left -= payload;
	w->out_offset += payload;
	if (w->out_left == 0)
		w->out_header_len = w->out_header_at = 0;
	return payload;
}

/* Nothing of ours may stand in the middle of a frame. */
static bool is_between_frames(const struct websocket *w)
{
	return w->out_left == 0 && w->out_header_len == 0;
}

static long write_once(struct websocket *w, const struct span *parts, unsigned count)
{
	struct span out[STREAM_PARTS_MAX];
	uint8_t copy[MASK_BYTES];
	if (is_between_frames(w)) {
		int error = websocket_flush_out(w);
		if (error != 0)
			return error;
		w->out_left = length_of(parts, count);
		w->out_offset = 0;
		w->out_header_len =
			make_header(w, OPCODE_BINARY, w->out_left, w->out_header, w->out_mask);
	}
	unsigned used = is_client(w) ? gather_masked(w, parts, count, out, copy)
				     : gather(w, parts, count, out);
	return layer_write(w->layer.below, out, used);
}

static void skip(struct span *parts, unsigned count, size_t len)
{
	for (unsigned i = 0; i < count && len > 0; i++) {
		size_t piece = parts[i].len < len ? parts[i].len : len;
		parts[i] = span_of(parts[i].ptr + piece, parts[i].len - piece);
		len -= piece;
	}
}

static long websocket_write(struct layer *l, const struct span *parts, unsigned count)
{
	struct websocket *w = websocket_of(l);
	struct span rest[STREAM_PARTS_MAX];
	size_t total = length_of(parts, count), written = 0;
	if (total == 0) {
		if (is_between_frames(w) && w->out_len > 0)
			return websocket_flush_out(w) == ERROR_CLOSED ? ERROR_CLOSED : 0;
		l->is_blocked = false; /* it goes behind the frame that is being written */
		return 0;
	}
	if (w->state != WEBSOCKET_OPEN || w->has_said_close)
		return ERROR_CLOSED;
	memcpy(rest, parts, count * sizeof(*parts));
	while (written < total) {
		long n = write_once(w, rest, count);
		if (n < 0)
			return n == ERROR_AGAIN && written > 0 ? (long)written : n;
		size_t payload = account(w, (size_t)n);
		skip(rest, count, payload);
		written += payload;
	}
	if (w->out_len > 0)
		(void)websocket_flush_out(w);
	return (long)written;
}

/* --- the layer --- */

static int websocket_open(struct layer *l)
{
	struct websocket *w = websocket_of(l);
	if (w->state == WEBSOCKET_OPEN)
		return 0;
	if (w->state == WEBSOCKET_OVER)
		return ERROR_CLOSED;
	int error = websocket_shake(w);
	if (error == 0)
		l->has_more = w->head_len > w->head_at;
	return error;
}

static void websocket_finish(struct layer *l)
{
	struct websocket *w = websocket_of(l);
	if (w->state == WEBSOCKET_OPEN && is_between_frames(w))
		say_close(w, CLOSE_NORMAL);
}

static void websocket_free(struct layer *l)
{
	struct websocket *w = websocket_of(l);
	mem_free(w->head);
	mem_free(w->out);
	mem_free(w->forwarded);
	mem_free(w->request);
	mem_free(w->settings);
	mem_free(w);
}

static void websocket_peer(const struct layer *l, struct stream_peer *peer)
{
	const struct websocket *w =
		CONTAINER_OF((struct layer *)(uintptr_t)l, struct websocket, layer);
	if (w->forwarded && !peer->address)
		peer->address = w->forwarded;
}

static struct websocket *websocket_new(void)
{
	static const struct layer_ops ops = {
		.open = websocket_open,
		.read = websocket_read,
		.write = websocket_write,
		.finish = websocket_finish,
		.free = websocket_free,
		.peer = websocket_peer,
	};
	struct websocket *w = mem_zalloc(sizeof(*w));
	if (w)
		w->layer.ops = &ops;
	return w;
}

static struct websocket_settings *copy_of(const struct websocket_settings *from)
{
	size_t len = from->origins ? strlen(from->origins) + 1 : 0;
	struct websocket_settings *copy = mem_alloc(sizeof(*copy) + len);
	if (!copy)
		return NULL;
	*copy = *from;
	if (from->origins)
		copy->origins = memcpy(copy + 1, from->origins, len);
	return copy;
}

struct layer *websocket_server_new(const struct websocket_settings *settings)
{
	struct websocket *w = websocket_new();
	if (!w)
		return NULL;
	w->settings = copy_of(settings);
	if (!w->settings) {
		mem_free(w);
		return NULL;
	}
	return &w->layer;
}

struct layer *websocket_client_new(const char *host, const char *path)
{
	static const char middle[] = " HTTP/1.1\r\nHost: ";
	struct websocket *w = websocket_new();
	size_t len = strlen(host) + strlen(path) + sizeof(middle) + 2;
	if (!w)
		return NULL;
	w->is_client = true;
	w->request = mem_alloc(len);
	if (!w->request) {
		mem_free(w);
		return NULL;
	}
	char *at = stpcpy(stpcpy(w->request, path), middle);
	strcpy(stpcpy(at, host), "\r\n");
	return &w->layer;
}
