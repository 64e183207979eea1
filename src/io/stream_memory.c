/* SPDX-License-Identifier: Apache-2.0 */
#include "io/stream_memory.h"

#include "base/buffer.h"
#include "base/mem.h"

#define NO_CUT UINT32_MAX

struct memory_end {
	struct buffer input;    /* written by the other end, unread */
	struct link link;       /* in the hub's list of what may be ready */
	struct memory_hub *hub; /* NULL = attached to none */
	struct stream *stream;  /* while attached */
	uint32_t output_left;   /* bytes until the link is cut, or NO_CUT */
	bool is_closed;
	bool is_second; /* of its pair */
};

struct memory_pair {
	struct memory_end ends[2];
	uint32_t capacity;
	uint32_t step; /* 0 = none */
	bool is_cut;
};

#define WANT_READ 1
#define WANT_WRITE 2

static struct memory_end *end_of(const struct stream *s)
{
	return s->context;
}

static struct memory_pair *pair_of(struct memory_end *end)
{
	return CONTAINER_OF(end - end->is_second, struct memory_pair, ends);
}

static struct memory_end *other_end(struct memory_end *end)
{
	return end->is_second ? end - 1 : end + 1;
}

/* The hub looks at it in its next round. */
static void notify(struct memory_end *end)
{
	if (end->hub && !link_is_listed(&end->link))
		list_append(&end->hub->ready, &end->link);
}

static void notify_both(struct memory_end *end)
{
	notify(end);
	notify(other_end(end));
}

static size_t limit_step(const struct memory_pair *pair, size_t len)
{
	return pair->step > 0 && len > pair->step ? pair->step : len;
}

static long memory_read(struct stream *s, struct room room)
{
	ASSERT(room.len > 0);
	struct memory_end *end = end_of(s);
	struct memory_pair *pair = pair_of(end);
	size_t len = buffer_len(&end->input);
	if (len == 0 && pair->is_cut)
		return ERROR_CLOSED;
	if (len == 0)
		return other_end(end)->is_closed ? 0 : ERROR_AGAIN;
	len = limit_step(pair, len < room.len ? len : room.len);
	memcpy(room.ptr, buffer_content(&end->input).ptr, len);
	buffer_consume(&end->input, len);
	if (buffer_len(&end->input) == 0)
		buffer_release(&end->input);
	notify(other_end(end));
	return (long)len;
}

void memory_cut(struct stream *s)
{
	struct memory_end *end = end_of(s);
	pair_of(end)->is_cut = true;
	notify_both(end);
}

void memory_cut_after(struct stream *s, uint32_t bytes)
{
	end_of(s)->output_left = bytes;
	if (bytes == 0)
		memory_cut(s);
}

/* Bytes of a part that go to the other end's store; what lies behind the cut is lost. */
static int deliver(struct memory_end *end, struct span bytes)
{
	if (end->output_left == NO_CUT)
		return buffer_append(&other_end(end)->input, bytes);
	if (bytes.len > end->output_left)
		bytes.len = end->output_left;
	int error = buffer_append(&other_end(end)->input, bytes);
	if (error == 0)
		end->output_left -= (uint32_t)bytes.len;
	return error;
}

/* Bytes taken; fewer than given when room or memory ends. */
static size_t write_parts(struct memory_end *end, const struct span *parts, unsigned count,
			  size_t room)
{
	size_t taken = 0;
	for (unsigned i = 0; i < count && taken < room; i++) {
		size_t len = parts[i].len < room - taken ? parts[i].len : room - taken;
		if (len > 0 && deliver(end, span_of(parts[i].ptr, len)) != 0)
			break;
		taken += len;
	}
	return taken;
}

static size_t room_for_output(struct memory_end *end)
{
	return pair_of(end)->capacity - buffer_len(&other_end(end)->input);
}

static long memory_write(struct stream *s, const struct span *parts, unsigned count)
{
	ASSERT(count > 0 && count <= STREAM_PARTS_MAX);
	struct memory_end *end = end_of(s);
	struct memory_pair *pair = pair_of(end);
	if (pair->is_cut || other_end(end)->is_closed)
		return ERROR_CLOSED;
	size_t taken = write_parts(end, parts, count, limit_step(pair, room_for_output(end)));
	if (taken == 0)
		return ERROR_AGAIN;
	if (end->output_left == 0)
		memory_cut(s);
	else
		notify(other_end(end));
	return (long)taken;
}

static void memory_want(struct stream *s, bool readable, bool writable)
{
	s->wants = (uint8_t)((readable ? WANT_READ : 0) | (writable ? WANT_WRITE : 0));
	notify(end_of(s));
}

static void memory_detach(struct stream *s)
{
	struct memory_end *end = end_of(s);
	link_remove(&end->link);
	end->hub = NULL;
	end->stream = NULL;
}

static void memory_close(struct stream *s)
{
	struct memory_end *end = end_of(s);
	memory_detach(s);
	buffer_release(&end->input);
	end->is_closed = true;
	if (other_end(end)->is_closed)
		mem_free(pair_of(end));
	else
		notify(other_end(end));
	*s = (struct stream){.fd = -1};
}

static const struct stream_ops memory_ops = {
	.read = memory_read,
	.write = memory_write,
	.want = memory_want,
	.detach = memory_detach,
	.close = memory_close,
};

int memory_pair_open(uint32_t capacity, struct stream *a_out, struct stream *b_out)
{
	ASSERT(capacity > 0);
	struct memory_pair *pair = mem_zalloc(sizeof(*pair));
	if (!pair)
		return ERROR_NO_MEMORY;
	pair->capacity = capacity;
	pair->ends[0].output_left = pair->ends[1].output_left = NO_CUT;
	pair->ends[1].is_second = true;
	*a_out = (struct stream){.ops = &memory_ops, .context = &pair->ends[0], .fd = -1};
	*b_out = (struct stream){.ops = &memory_ops, .context = &pair->ends[1], .fd = -1};
	return 0;
}

void memory_set_step(struct stream *s, uint32_t bytes_max)
{
	pair_of(end_of(s))->step = bytes_max;
}

bool memory_is_readable(const struct stream *s)
{
	struct memory_end *end = end_of(s);
	return buffer_len(&end->input) > 0 || pair_of(end)->is_cut || other_end(end)->is_closed;
}

bool memory_is_writable(const struct stream *s)
{
	struct memory_end *end = end_of(s);
	return room_for_output(end) > 0 || pair_of(end)->is_cut || other_end(end)->is_closed;
}

uint32_t memory_unread(const struct stream *s)
{
	return (uint32_t)buffer_len(&end_of(s)->input);
}

void memory_hub_init(struct memory_hub *hub)
{
	list_init(&hub->ready);
}

void memory_attach(struct stream *s, struct memory_hub *hub)
{
	struct memory_end *end = end_of(s);
	ASSERT(!end->hub);
	end->hub = hub;
	end->stream = s;
	s->wants = WANT_READ;
	notify(end);
}

static struct memory_event event_of(struct memory_end *end)
{
	struct stream *s = end->stream;
	return (struct memory_event){
		.stream = s,
		.is_readable = s->wants & WANT_READ && memory_is_readable(s),
		.is_writable = s->wants & WANT_WRITE && memory_is_writable(s),
	};
}

/* What is not ready leaves the list; what is goes to its end, so that nobody starves. */
unsigned memory_hub_take(struct memory_hub *hub, struct memory_event *events, unsigned room)
{
	unsigned count = 0;
	struct link *first_again = NULL;
	while (count < room && !list_is_empty(&hub->ready) && hub->ready.next != first_again) {
		struct link *link = hub->ready.next;
		struct memory_event event = event_of(CONTAINER_OF(link, struct memory_end, link));
		link_remove(link);
		if (!event.is_readable && !event.is_writable)
			continue;
		list_append(&hub->ready, link);
		if (!first_again)
			first_again = link;
		events[count++] = event;
	}
	return count;
}

bool memory_hub_is_ready(const struct memory_hub *hub)
{
	for (struct link *link = hub->ready.next; link != &hub->ready; link = link->next) {
		struct memory_event e = event_of(CONTAINER_OF(link, struct memory_end, link));
		if (e.is_readable || e.is_writable)
			return true;
	}
	return false;
}
