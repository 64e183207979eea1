/* SPDX-License-Identifier: Apache-2.0 */
#include "io/layer.h"

void layer_free(struct layer *top)
{
	while (top) {
		struct layer *below = top->below;
		top->ops->free(top);
		top = below;
	}
}

void layer_finish(struct layer *top)
{
	for (; top; top = top->below)
		if (top->ops->finish)
			top->ops->finish(top);
}

void layer_flush(struct layer *top)
{
	const struct layer *done = NULL;
	while (done != top) {
		struct layer *at = top;
		while (at->below != done)
			at = at->below;
		if (at->is_blocked)
			(void)at->ops->write(at, NULL, 0);
		done = at;
	}
}

bool layer_has_more(const struct layer *top)
{
	for (; top; top = top->below)
		if (top->has_more)
			return true;
	return false;
}

bool layer_is_blocked(const struct layer *top)
{
	for (; top; top = top->below)
		if (top->is_blocked)
			return true;
	return false;
}

const char *layer_reason(const struct layer *top)
{
	for (; top; top = top->below)
		if (top->reason)
			return top->reason;
	return NULL;
}

void layer_peer(const struct layer *top, struct stream_peer *peer)
{
	for (; top; top = top->below)
		if (top->ops->peer)
			top->ops->peer(top, peer);
}

bool layer_may_stay(const struct layer *top)
{
	for (; top; top = top->below)
		if (top->ops->may_stay && !top->ops->may_stay(top))
			return false;
	return true;
}

static struct stream *stream_of(struct layer *l)
{
	return &CONTAINER_OF(l, struct layer_bottom, layer)->stream;
}

static long bottom_read(struct layer *l, struct room room)
{
	struct stream *s = stream_of(l);
	return s->ops->read(s, room);
}

static long bottom_write(struct layer *l, const struct span *parts, unsigned count)
{
	struct stream *s = stream_of(l);
	return s->ops->write(s, parts, count);
}

static void bottom_free(struct layer *l)
{
	(void)l;
}

void layer_bottom_init(struct layer_bottom *b, const struct stream *stream)
{
	static const struct layer_ops ops = {
		.read = bottom_read,
		.write = bottom_write,
		.free = bottom_free,
	};
	*b = (struct layer_bottom){.layer = {.ops = &ops}, .stream = *stream};
}
