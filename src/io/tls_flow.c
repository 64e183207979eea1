/* SPDX-License-Identifier: Apache-2.0 */
#include "io/tls_flow.h"

#include <openssl/err.h>

#include "base/mem.h"

/* Read from below at once: four of the largest records, so that a busy connection takes few calls. */
#define GULP_BYTES (4 * (RECORD_HEAD_BYTES + RECORD_BODY_MAX))
/* Sealed and written at once. */
#define BATCH_BYTES (2 * (RECORD_CONTENT_MAX + RECORD_EXTRA_BYTES))
/* Key updates without a byte of data between: more is play. */
#define UPDATES_MAX 32

#define UPDATE_BYTES 5
#define MESSAGE_KEY_UPDATE 24

enum alert {
	ALERT_CLOSE_NOTIFY = 0,
	ALERT_UNEXPECTED_MESSAGE = 10,
	ALERT_BAD_RECORD_MAC = 20,
	ALERT_RECORD_OVERFLOW = 22,
	ALERT_ILLEGAL_PARAMETER = 47,
	ALERT_DECODE_ERROR = 50,
	ALERT_INTERNAL_ERROR = 80,
	ALERT_USER_CANCELED = 90,
};

#define ALERT_LEVEL_WARNING 1
#define ALERT_LEVEL_FATAL 2

/* Bytes that came: opened ones, for which there was no room, then records. */
struct kept_in {
	uint32_t start, plain_end, end;
	uint8_t bytes[];
};

/* Sealed bytes that the layer below did not take. */
struct kept_out {
	uint32_t start, end;
	uint32_t
		content_len; /* of the writer's bytes, which are told as written when all has left */
	uint8_t bytes[];
};

struct tls_flow {
	struct record_keys in, out;
	struct kept_in *in_kept;
	struct kept_out *out_kept;
	uint8_t updates; /* without data between */
	bool owes_update;
	bool has_ended; /* close_notify, or the stream below */
	bool is_broken;
	bool has_taken_leave;
};

struct tls_flow *tls_flow_new(const struct tls_flow_start *start)
{
	struct tls_flow *f = mem_zalloc(sizeof(*f));
	if (!f)
		return NULL;
	size_t early = start->early.len;
	if (record_keys_init(&f->in, start->suite, start->secret_in) != 0 ||
	    record_keys_init(&f->out, start->suite, start->secret_out) != 0)
		goto failed;
	f->out.sequence = start->sealed;
	if (early == 0)
		return f;
	f->in_kept = mem_alloc(sizeof(*f->in_kept) + early);
	if (!f->in_kept)
		goto failed;
	*f->in_kept = (struct kept_in){.end = (uint32_t)early};
	memcpy(f->in_kept->bytes, start->early.ptr, early);
	return f;
failed:
	tls_flow_free(f);
	return NULL;
}

void tls_flow_free(struct tls_flow *f)
{
	if (!f)
		return;
	record_keys_release(&f->in);
	record_keys_release(&f->out);
	mem_free(f->in_kept);
	mem_free(f->out_kept);
	mem_free(f);
}

/* --- out --- */

static int keep_out(struct tls_flow *f, struct span rest, size_t content_len)
{
	struct kept_out *k = mem_alloc(sizeof(*k) + rest.len);
	f->is_broken = !k;
	if (!k)
		return ERROR_CLOSED;
	*k = (struct kept_out){.end = (uint32_t)rest.len, .content_len = (uint32_t)content_len};
	memcpy(k->bytes, rest.ptr, rest.len);
	f->out_kept = k;
	return 0;
}

/* What was kept leaves first; 0 when all has, ERROR_AGAIN, ERROR_CLOSED. */
static int flush(struct tls_flow *f, struct layer *l)
{
	struct kept_out *k = f->out_kept;
	while (k && k->start < k->end) {
		struct span part = span_of(k->bytes + k->start, k->end - k->start);
		long n = layer_write(l->below, &part, 1);
		if (n < 0)
			return (int)n;
		if (n == 0)
			return ERROR_AGAIN;
		k->start += (uint32_t)n;
	}
	return 0;
}

static size_t forget_out(struct tls_flow *f)
{
	size_t content_len = f->out_kept ? f->out_kept->content_len : 0;
	mem_free(f->out_kept);
	f->out_kept = NULL;
	return content_len;
}

/* Writes records; how many bytes of `content_len`, which is all or nothing, count as written. */
static long send_records(struct tls_flow *f, struct layer *l, struct span records,
			 size_t content_len)
{
	long n = layer_write(l->below, &records, 1);
	if (n == ERROR_AGAIN)
		n = 0;
	if (n < 0)
		return n;
	if ((size_t)n == records.len)
		return (long)content_len;
	int error = keep_out(f, span_of(records.ptr + n, records.len - (size_t)n), content_len);
	return error ? error : 0;
}

/* A record of our own; nothing may be kept before it. */
static int send_own(struct tls_flow *f, struct layer *l, uint8_t type, struct span content)
{
	uint8_t record[UPDATE_BYTES + RECORD_EXTRA_BYTES];
	ASSERT(content.len <= UPDATE_BYTES);
	memcpy(record + RECORD_HEAD_BYTES, content.ptr, content.len);
	long len = record_seal(&f->out, type, record, content.len);
	if (len < 0)
		return ERROR_CLOSED;
	long n = send_records(f, l, span_of(record, (size_t)len), 0);
	l->is_blocked = f->out_kept != NULL;
	return n < 0 ? (int)n : 0;
}

/* The last word; whether it leaves is of no matter. */
static void send_alert(struct tls_flow *f, struct layer *l, uint8_t level, uint8_t alert)
{
	const uint8_t content[2] = {level, alert};
	if (f->has_taken_leave || flush(f, l) != 0)
		return;
	(void)forget_out(f);
	f->has_taken_leave = true;
	(void)send_own(f, l, RECORD_ALERT, span_of(content, sizeof(content)));
}

/* Ours follow when the peer asks, and when the key was used long enough (RFC 8446, 4.6.3). */
static int update_if_due(struct tls_flow *f, struct layer *l)
{
	static const uint8_t message[UPDATE_BYTES] = {MESSAGE_KEY_UPDATE, 0, 0, 1, 0};
	if (!f->owes_update && !record_keys_are_worn(&f->out))
		return 0;
	f->owes_update = false;
	int error = send_own(f, l, RECORD_HANDSHAKE, span_of(message, sizeof(message)));
	return error || record_keys_update(&f->out) != 0 ? ERROR_CLOSED : 0;
}

/* Where a writer's parts are read from. */
struct parts {
	const struct span *parts;
	unsigned count, at;
	size_t offset;
};

static void skip(struct parts *p, size_t len)
{
	while (len > 0) {
		ASSERT(p->at < p->count);
		size_t left = p->parts[p->at].len - p->offset;
		if (len < left) {
			p->offset += len;
			return;
		}
		len -= left;
		p->offset = 0;
		p->at++;
	}
}

static size_t gather(struct parts *p, uint8_t *bytes, size_t max)
{
	size_t len = 0;
	while (p->at < p->count && len < max) {
		size_t piece = p->parts[p->at].len - p->offset;
		if (piece > max - len)
			piece = max - len;
		memcpy(bytes + len, p->parts[p->at].ptr + p->offset, piece);
		len += piece;
		skip(p, piece);
		if (p->at < p->count && p->offset == p->parts[p->at].len)
			p->at++, p->offset = 0; /* an empty part */
	}
	return len;
}

/* Seals as much as a batch holds, and writes it. */
static long write_batch(struct tls_flow *f, struct layer *l, struct parts *p)
{
	uint8_t batch[BATCH_BYTES];
	size_t used = 0, content_len = 0;
	while (p->at < p->count && used < BATCH_BYTES) {
		uint8_t *record = batch + used;
		size_t len = gather(p, record + RECORD_HEAD_BYTES, RECORD_CONTENT_MAX);
		if (len == 0)
			break;
		long sealed = record_seal(&f->out, RECORD_DATA, record, len);
		if (sealed < 0)
			return ERROR_CLOSED;
		used += (size_t)sealed;
		content_len += len;
		if (used + RECORD_CONTENT_MAX + RECORD_EXTRA_BYTES > BATCH_BYTES)
			break;
	}
	return used > 0 ? send_records(f, l, span_of(batch, used), content_len) : 0;
}

long tls_flow_write(struct tls_flow *f, struct layer *l, const struct span *parts, unsigned count)
{
	struct parts p = {parts, count, 0, 0};
	size_t written = 0;
	if (f->is_broken)
		return ERROR_CLOSED;
	int error = flush(f, l);
	if (error || count == 0) {
		l->is_blocked = error == ERROR_AGAIN && f->out_kept->content_len == 0;
		return error;
	}
	written = forget_out(f);
	l->is_blocked = false;
	skip(&p, written);
	while (p.at < count && !f->out_kept) {
		error = update_if_due(f, l);
		if (!error && f->out_kept)
			break;
		long n = error ? error : write_batch(f, l, &p);
		f->is_broken |= n < 0; /* records may be missing on the way */
		if (n < 0)
			return n;
		written += (size_t)n;
	}
	return written > 0 || !f->out_kept ? (long)written : ERROR_AGAIN;
}

void tls_flow_finish(struct tls_flow *f, struct layer *l)
{
	if (!f->is_broken)
		send_alert(f, l, ALERT_LEVEL_WARNING, ALERT_CLOSE_NOTIFY);
	ERR_clear_error();
}

/* --- in --- */

static long fail(struct tls_flow *f, struct layer *l, uint8_t alert, const char *reason)
{
	send_alert(f, l, ALERT_LEVEL_FATAL, alert);
	ERR_clear_error();
	f->is_broken = true;
	l->is_blocked = false;
	if (!l->reason)
		l->reason = reason;
	return ERROR_CLOSED;
}

/* Nothing else is sent by a client behind its handshake: we ask for no certificate then. */
static int take_update(struct tls_flow *f, struct layer *l, struct span content)
{
	static const uint8_t head[] = {MESSAGE_KEY_UPDATE, 0, 0, 1};
	if (content.len != UPDATE_BYTES || memcmp(content.ptr, head, sizeof(head)) != 0)
		return (int)fail(f, l, ALERT_UNEXPECTED_MESSAGE,
				 "TLS failed: a handshake message out of place");
	if (content.ptr[4] > 1)
		return (int)fail(f, l, ALERT_ILLEGAL_PARAMETER,
				 "TLS failed: a key update that asks for neither");
	if (++f->updates > UPDATES_MAX)
		return (int)fail(f, l, ALERT_UNEXPECTED_MESSAGE,
				 "TLS failed: too many key updates");
	f->owes_update |= content.ptr[4] == 1;
	if (record_keys_update(&f->in) != 0)
		return (int)fail(f, l, ALERT_INTERNAL_ERROR, "TLS failed: out of memory");
	return 0;
}

static int take_alert(struct tls_flow *f, struct layer *l, struct span content)
{
	if (content.len != 2)
		return (int)fail(f, l, ALERT_DECODE_ERROR, "TLS failed: an alert of wrong length");
	if (content.ptr[1] == ALERT_USER_CANCELED)
		return 0;
	f->has_ended = true;
	if (content.ptr[1] == ALERT_CLOSE_NOTIFY)
		return 0;
	f->has_taken_leave = true; /* an alert is not answered (RFC 8446, 6.2) */
	return (int)fail(f, l, 0, "TLS failed: the peer has met an error, and said so by an alert");
}

/* Where records are read from: `bytes` from `at` to `end`. */
struct gulp {
	uint8_t *bytes;
	size_t at, end;
};

/* The length of the next record's body; 0 when it is not whole, or ERROR_CLOSED. */
static long next_body(struct tls_flow *f, struct layer *l, const struct gulp *g)
{
	const uint8_t *record = g->bytes + g->at;
	if (g->end - g->at < RECORD_HEAD_BYTES)
		return 0;
	size_t len = (size_t)record[3] << 8 | record[4];
	if (record[0] != RECORD_DATA)
		return fail(f, l, ALERT_UNEXPECTED_MESSAGE, "TLS failed: a record in the clear");
	if (len > RECORD_BODY_MAX)
		return fail(f, l, ALERT_RECORD_OVERFLOW, "TLS failed: a record is too long");
	if (len <= RECORD_TAG_BYTES)
		return fail(f, l, ALERT_DECODE_ERROR, "TLS failed: a record is too short");
	return g->end - g->at < RECORD_HEAD_BYTES + len ? 0 : (long)len;
}

static long fail_to_open(struct tls_flow *f, struct layer *l, enum record_result result)
{
	if (result == RECORD_FORGED)
		return fail(f, l, ALERT_BAD_RECORD_MAC,
			    "TLS failed: a record was changed on its way");
	if (result == RECORD_MALFORMED)
		return fail(f, l, ALERT_UNEXPECTED_MESSAGE, "TLS failed: a record without content");
	return fail(f, l, ALERT_INTERNAL_ERROR, "TLS failed: out of memory");
}

/* What was opened and does not fit; behind it records that nobody has looked at. */
static int keep_in(struct tls_flow *f, struct span plain, const struct gulp *g)
{
	size_t len = plain.len + g->end - g->at;
	if (len == 0)
		return 0;
	struct kept_in *k = mem_alloc(sizeof(*k) + len);
	f->is_broken = !k;
	if (!k)
		return ERROR_CLOSED;
	*k = (struct kept_in){.plain_end = (uint32_t)plain.len, .end = (uint32_t)len};
	if (plain.len > 0)
		memcpy(k->bytes, plain.ptr, plain.len);
	memcpy(k->bytes + plain.len, g->bytes + g->at, g->end - g->at);
	f->in_kept = k;
	return 0;
}

/* Opens the record at hand; data go to `room` from `*used` on, or, as far as there is no room for
 * them, stay in `rest_out`. */
static int take_record(struct tls_flow *f, struct layer *l, struct gulp *g, size_t body_len,
		       struct room room, size_t *used, struct span *rest_out)
{
	uint8_t *record = g->bytes + g->at, type;
	size_t left = room.len - *used, len;
	bool fits = left >= body_len - RECORD_TAG_BYTES;
	uint8_t *content = fits ? room.ptr + *used : record + RECORD_HEAD_BYTES;
	enum record_result result = record_open(&f->in, record, body_len, content, &len, &type);
	if (result != RECORD_OPEN)
		return (int)fail_to_open(f, l, result);
	g->at += RECORD_HEAD_BYTES + body_len;
	if (len > RECORD_CONTENT_MAX)
		return (int)fail(f, l, ALERT_RECORD_OVERFLOW, "TLS failed: a record is too long");
	if (type == RECORD_HANDSHAKE)
		return take_update(f, l, span_of(content, len));
	if (type == RECORD_ALERT)
		return take_alert(f, l, span_of(content, len));
	if (type != RECORD_DATA)
		return (int)fail(f, l, ALERT_UNEXPECTED_MESSAGE,
				 "TLS failed: a record of unknown type");
	f->updates = len > 0 ? 0 : f->updates;
	size_t now = len < left ? len : left;
	if (!fits)
		memcpy(room.ptr + *used, content, now);
	*used += now;
	*rest_out = span_of(content + now, len - now);
	return 0;
}

static int take_records(struct tls_flow *f, struct layer *l, struct gulp *g, struct room room,
			size_t *used)
{
	struct span rest = {0};
	int error = 0;
	long body_len = 0;
	while (!error && rest.len == 0 && *used < room.len && !f->has_ended) {
		body_len = next_body(f, l, g);
		if (body_len <= 0)
			break;
		error = take_record(f, l, g, (size_t)body_len, room, used, &rest);
	}
	if (error || body_len < 0)
		return ERROR_CLOSED;
	l->has_more = rest.len > 0 || (*used == room.len && g->at < g->end);
	return f->has_ended ? 0 : keep_in(f, rest, g);
}

/* Opened bytes that were kept; false when there are none. */
static bool read_kept(struct tls_flow *f, struct room room, size_t *used)
{
	struct kept_in *k = f->in_kept;
	if (!k || k->start >= k->plain_end)
		return false;
	size_t len = k->plain_end - k->start;
	if (len > room.len)
		len = room.len;
	memcpy(room.ptr, k->bytes + k->start, len);
	k->start += (uint32_t)len;
	*used = len;
	if (k->start == k->end) {
		mem_free(k);
		f->in_kept = NULL;
	}
	return true;
}

/* What was kept of records, and what is below: 1 when there is something to look at, else what the
 * read below has said. */
static long fill(struct tls_flow *f, struct layer *l, struct gulp *g)
{
	struct kept_in *k = f->in_kept;
	if (k) {
		g->end = k->end - k->start;
		memcpy(g->bytes, k->bytes + k->start, g->end);
		mem_free(k);
		f->in_kept = NULL;
		if (next_body(f, l, g) != 0)
			return 1;
	}
	long n = layer_read(l->below, (struct room){g->bytes + g->end, GULP_BYTES - g->end});
	if (n <= 0)
		return n;
	g->end += (size_t)n;
	return 1;
}

long tls_flow_read(struct tls_flow *f, struct layer *l, struct room room)
{
	uint8_t bytes[GULP_BYTES];
	struct gulp g = {.bytes = bytes};
	size_t used = 0;
	if (f->is_broken)
		return ERROR_CLOSED;
	if (f->has_ended)
		return 0;
	if (read_kept(f, room, &used)) {
		l->has_more = f->in_kept != NULL;
		return (long)used;
	}
	l->has_more = false;
	long n = fill(f, l, &g);
	if (n <= 0)
		return n == ERROR_AGAIN && keep_in(f, (struct span){0}, &g) != 0 ? ERROR_CLOSED : n;
	int error = take_records(f, l, &g, room, &used);
	if (used == 0)
		return error ? error : f->has_ended ? 0 : ERROR_AGAIN;
	l->has_more |= error || f->has_ended; /* what the next read meets */
	return (long)used;
}
