/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A checkpoint's image of a client's store: what is kept, in big-endian numbers.
 *
 *	"NJCS", u8 version
 *	u8 1 = there was a session, u64 next OUT, u64 next IN, u64 highest mark, u64 OUT below it may
 *	have been sent, bytes client id
 *	u32 count, of messages out: u64 number, u64 mark, u64 position (0: received), u32 len, u8 QoS
 *	u32 count, of messages in: u64 number, u64 position (0: acknowledged), u32 len, u16 packet id,
 *	                           u8 QoS
 */
#include "base/mem.h"
#include "client/store_state.h"
#include "mqtt/wire.h"

#define MAGIC "NJCS"
#define VERSION 1
#define OUT_BYTES (8 + 8 + 8 + 4 + 1)
#define IN_BYTES (8 + 8 + 4 + 2 + 1)

static struct store_out *out_of(struct link *link)
{
	return CONTAINER_OF(link, struct store_out, link);
}

static struct store_in *in_of(struct link *link)
{
	return CONTAINER_OF(link, struct store_in, link);
}

static void write_u64(struct writer *w, uint64_t value)
{
	write_u32(w, (uint32_t)(value >> 32));
	write_u32(w, (uint32_t)value);
}

static uint64_t read_u64(struct reader *r)
{
	uint64_t high = read_u32(r);
	return high << 32 | read_u32(r);
}

/* --- write --- */

struct counts {
	uint32_t out, in;
};

static struct counts count(const struct store_state *s)
{
	struct counts n = {0, 0};
	for (struct link *at = s->out.next; at != &s->out; at = at->next)
		n.out += out_of(at)->is_kept;
	for (struct link *at = s->in.next; at != &s->in; at = at->next)
		n.in += in_of(at)->is_kept;
	return n;
}

static void write_out(struct writer *w, const struct store_out *e)
{
	write_u64(w, e->number);
	write_u64(w, e->mark);
	write_u64(w, e->is_received ? 0 : e->position);
	write_u32(w, e->len);
	write_u8(w, e->qos);
}

static void write_in(struct writer *w, const struct store_in *e)
{
	write_u64(w, e->number);
	write_u64(w, e->is_acked ? 0 : e->position);
	write_u32(w, e->len);
	write_u16(w, e->packet_id);
	write_u8(w, e->qos);
}

static void write_all(struct writer *w, const struct store_state *s, struct counts n)
{
	write_bytes(w, SPAN_LITERAL(MAGIC));
	write_u8(w, VERSION);
	write_u8(w, s->has_session);
	write_u64(w, s->next_out);
	write_u64(w, s->next_in);
	write_u64(w, s->mark);
	write_u64(w, s->sendable);
	write_binary(w, span_of_text(s->client_id));
	write_u32(w, n.out);
	for (struct link *at = s->out.next; at != &s->out; at = at->next)
		if (out_of(at)->is_kept)
			write_out(w, out_of(at));
	write_u32(w, n.in);
	for (struct link *at = s->in.next; at != &s->in; at = at->next)
		if (in_of(at)->is_kept)
			write_in(w, in_of(at));
}

int store_state_image(const struct store_state *s, struct log_image **out)
{
	struct counts n = count(s);
	size_t len = 4 + 2 + 4 * 8 + 2 + strlen(s->client_id) + 8 + (size_t)n.out * OUT_BYTES +
		     (size_t)n.in * IN_BYTES;
	struct log_image *image = mem_alloc(sizeof(*image) + sizeof(image->parts[0]));
	uint8_t *bytes = mem_alloc(len);
	if (!image || !bytes) {
		mem_free(image);
		mem_free(bytes);
		return ERROR_NO_MEMORY;
	}
	struct room room = {bytes, len};
	struct writer w = writer_of(room);
	write_all(&w, s, n);
	ASSERT(writer_finish(&w, room) == len);
	image->count = 1;
	image->parts[0] = room;
	*out = image;
	return 0;
}

/* --- read --- */

struct head {
	bool has_session;
	uint64_t next_out, next_in, mark, sendable;
	struct span client_id;
};

static int read_head(struct reader *r, struct head *head_out)
{
	struct span magic = read_bytes(r, 4);
	if (!span_is_equal(magic, SPAN_LITERAL(MAGIC)) || read_u8(r) != VERSION)
		return ERROR_INVALID;
	head_out->has_session = read_u8(r) != 0;
	head_out->next_out = read_u64(r);
	head_out->next_in = read_u64(r);
	head_out->mark = read_u64(r);
	head_out->sendable = read_u64(r);
	head_out->client_id = read_binary(r);
	return 0;
}

/* An image's entry of either kind, with its position. */
struct item {
	struct store_record record;
	uint64_t position;
	uint32_t len;
};

static struct item read_out(struct reader *r)
{
	struct item i = {.record.kind = STORE_OUT};
	i.record.number = read_u64(r);
	i.record.mark = read_u64(r);
	i.position = read_u64(r);
	i.len = read_u32(r);
	i.record.qos = read_u8(r);
	return i;
}

static struct item read_in(struct reader *r)
{
	struct item i = {.record.kind = STORE_IN};
	i.record.number = read_u64(r);
	i.position = read_u64(r);
	i.len = read_u32(r);
	i.record.packet_id = read_u16(r);
	i.record.qos = read_u8(r);
	return i;
}

static int load_out(struct store_state *s, const struct item *i)
{
	struct store_out *e;
	int error = store_state_add_out(s, &i->record, &e);
	if (error)
		return error;
	s->live_bytes += i->len - e->len;
	e->len = i->len;
	store_state_keep_out(s, e, i->position);
	if (i->position == 0)
		store_state_received(s, e);
	return 0;
}

static int load_in(struct store_state *s, const struct item *i)
{
	struct store_in *e;
	int error = store_state_add_in(s, &i->record, &e);
	if (error)
		return error;
	e->len = i->len;
	store_state_keep_in(s, e, i->position);
	if (i->position == 0)
		store_state_acked(s, e, 0);
	return 0;
}

int store_state_load(struct store_state *s, struct span image)
{
	struct reader r = reader_of(image);
	struct head head;
	int error = read_head(&r, &head);
	if (error || r.flaw)
		return ERROR_INVALID;
	error = store_state_identify(s, &(struct store_record){.client_id = head.client_id});
	for (uint32_t n = read_u32(&r); !error && !r.flaw && n > 0; n--) {
		struct item i = read_out(&r);
		error = r.flaw ? ERROR_INVALID : load_out(s, &i);
	}
	for (uint32_t n = read_u32(&r); !error && !r.flaw && n > 0; n--) {
		struct item i = read_in(&r);
		error = r.flaw ? ERROR_INVALID : load_in(s, &i);
	}
	s->has_session = head.has_session;
	s->next_out = head.next_out;
	s->next_in = head.next_in;
	s->mark = head.mark;
	s->sendable = head.sendable;
	return error ? error : reader_finish(&r) ? ERROR_INVALID : 0;
}

bool store_state_references(struct span image, void (*found)(void *context, uint64_t position),
			    void *context)
{
	struct reader r = reader_of(image);
	struct head head;
	if (read_head(&r, &head))
		return false;
	for (uint32_t n = read_u32(&r); !r.flaw && n > 0; n--) {
		struct item i = read_out(&r);
		if (!r.flaw && i.position != 0)
			found(context, i.position);
	}
	for (uint32_t n = read_u32(&r); !r.flaw && n > 0; n--) {
		struct item i = read_in(&r);
		if (!r.flaw && i.position != 0)
			found(context, i.position);
	}
	return !reader_finish(&r);
}
