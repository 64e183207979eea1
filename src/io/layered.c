/* SPDX-License-Identifier: Apache-2.0 */
#include "io/layered.h"

#include "base/mem.h"
#include "io/stream_tcp.h"

/* The loop is asked for more than the owner wants when a layer has something of its own to write. */
static void ask_loop(struct layered *l, struct loop *loop)
{
	loop_set_wants(loop, l->stream, l->wants_read, l->wants_write || layer_is_blocked(l->top));
}

/* The owner wants to read, and will not hear of it from the socket. */
static void note_held(struct layered *l, struct loop *loop)
{
	bool is_due = l->wants_read && l->is_open && (l->is_failed || layer_has_more(l->top));
	if (is_due && !link_is_listed(&l->held))
		list_append(&loop->held, &l->held);
	else if (!is_due)
		link_remove(&l->held);
}

static long layered_read(struct stream *s, struct room room)
{
	struct layered *l = s->layered;
	struct loop *loop = s->context;
	if (l->is_failed)
		return ERROR_CLOSED;
	if (!l->is_open)
		return ERROR_AGAIN;
	long n = layer_read(l->top, room);
	if (loop) {
		note_held(l, loop);
		ask_loop(l, loop);
	}
	return n;
}

static long layered_write(struct stream *s, const struct span *parts, unsigned count)
{
	struct layered *l = s->layered;
	struct loop *loop = s->context;
	if (l->is_failed)
		return ERROR_CLOSED;
	if (!l->is_open)
		return ERROR_AGAIN;
	long n = layer_write(l->top, parts, count);
	if (loop && n > 0 && layer_is_blocked(l->top))
		ask_loop(l, loop); /* the owner may have written all, and not ask */
	return n;
}

static void layered_want(struct stream *s, bool readable, bool writable)
{
	struct layered *l = s->layered;
	struct loop *loop = s->context;
	l->wants_read = readable;
	l->wants_write = writable;
	if (!l->is_open)
		return; /* its opening knows what it waits for */
	ask_loop(l, loop);
	note_held(l, loop);
}

static void leave_lists(struct layered *l, struct loop *loop)
{
	link_remove(&l->held);
	if (loop)
		opening_leave(&loop->openings, &l->opening);
}

static void layered_detach(struct stream *s)
{
	struct loop *loop = s->context;
	leave_lists(s->layered, loop);
	if (loop)
		loop_remove(loop, s);
	s->context = NULL;
	s->layered->bottom.stream.context = NULL;
}

static void layered_close(struct stream *s)
{
	struct layered *l = s->layered;
	leave_lists(l, s->context);
	if (!l->is_failed)
		layer_finish(l->top);
	layer_free(l->top);
	l->bottom.stream.ops->close(&l->bottom.stream);
	mem_free(l);
	*s = (struct stream){.fd = -1};
}

static const char *layered_reason(const struct stream *s)
{
	const struct layered *l = s->layered;
	return l->reason ? l->reason : layer_reason(l->top);
}

static void layered_peer(const struct stream *s, struct stream_peer *peer)
{
	layer_peer(s->layered->top, peer);
}

static bool layered_may_stay(const struct stream *s)
{
	return layer_may_stay(s->layered->top);
}

static const struct stream_ops layered_ops = {
	.read = layered_read,
	.write = layered_write,
	.want = layered_want,
	.detach = layered_detach,
	.close = layered_close,
	.reason = layered_reason,
	.peer = layered_peer,
	.may_stay = layered_may_stay,
};

struct layered *layered_init(struct stream *s)
{
	struct layered *l = mem_zalloc(sizeof(*l));
	if (!l)
		return NULL;
	layer_bottom_init(&l->bottom, s);
	l->top = &l->bottom.layer;
	*s = (struct stream){.ops = &layered_ops, .layered = l, .fd = s->fd};
	return l;
}

void layered_push(struct layered *l, struct layer *layer)
{
	layer->below = l->top;
	l->top = layer;
	l->opening.is_costly |= layer->is_costly;
}

int layered_attach(struct stream *s, struct loop *loop)
{
	struct layered *l = s->layered;
	l->stream = s;
	if (loop_add(loop, s) != 0) {
		layered_close(s);
		return ERROR_SYSTEM;
	}
	s->context = loop;
	l->bottom.stream.context = loop; /* there it may linger */
	l->wants_read = true;
	l->wants_write = false;
	note_held(l, loop);
	if (link_is_listed(&l->held)) /* it came from another, whose thread this may be */
		loop_wake(loop);
	return 0;
}

bool layered_takes(struct stream *s, struct loop *loop)
{
	struct layered *l = s->layered;
	if (!l || !s->context)
		return false;
	if (l->is_open) {
		if (layer_is_blocked(l->top)) {
			layer_flush(l->top);
			ask_loop(l, loop);
		}
		return false;
	}
	loop_set_wants(loop, s, false, false); /* until it is its turn */
	opening_wake(&loop->openings, &l->opening, loop->now_ms);
	return true;
}

static struct layer *next_above(struct layer *top, const struct layer *below)
{
	while (top->below != below)
		top = top->below;
	return top;
}

/* From the bottom up; one that is open already says so at once. */
static int open_all(struct layered *l)
{
	const struct layer *below = NULL;
	while (below != l->top) {
		struct layer *at = next_above(l->top, below);
		int error = layer_open(at);
		if (error != 0)
			return error;
		below = at;
	}
	return 0;
}

static void be_open(struct layered *l, struct loop *loop)
{
	opening_leave(&loop->openings, &l->opening);
	l->is_open = true;
	ask_loop(l, loop);
	note_held(l, loop);
}

void layered_fail(struct layered *l, struct loop *loop, const char *reason)
{
	l->is_failed = true;
	if (reason)
		l->reason = reason;
	be_open(l, loop);
}

bool layered_step(struct layered *l, struct loop *loop)
{
	int error = open_all(l);
	if (error == ERROR_AGAIN) {
		opening_stall(&loop->openings, &l->opening, loop->now_ms);
		bool is_blocked = layer_is_blocked(l->top);
		loop_set_wants(loop, l->stream, !is_blocked, is_blocked);
		return false;
	}
	if (error != 0)
		layered_fail(l, loop, error == ERROR_NO_MEMORY ? "out of memory" : NULL);
	else
		be_open(l, loop);
	return true;
}
