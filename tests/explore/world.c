/* SPDX-License-Identifier: Apache-2.0 */
#include "world.h"

#include <stdarg.h>
#include <stdio.h>

void world_start(struct world *w, const struct config *config)
{
	*w = (struct world){.losses_left = config->losses,
			    .receive_maximum = config->receive_maximum};
	/* a broker's queue positions begin at 1 (struct kept, broker/session.h) */
	w->sender.sent_to = w->sender_kept.sent_to = 1;
}

/* --- packing --- */

static uint8_t *pack_list(uint8_t *out, const struct list *l)
{
	*out++ = l->count;
	for (unsigned i = 0; i < l->count; i++) {
		const struct packet *p = &l->items[i];
		*out++ = (uint8_t)(p->kind | p->dup << 5 | p->is_awaited << 6);
		*out++ = (uint8_t)(p->id << 4 | p->message);
	}
	return out;
}

static const uint8_t *unpack_list(const uint8_t *in, struct list *l)
{
	l->count = *in++;
	for (unsigned i = 0; i < l->count; i++, in += 2)
		l->items[i] = (struct packet){.kind = in[0] & 31,
					      .dup = in[0] >> 5 & 1,
					      .is_awaited = in[0] >> 6 & 1,
					      .id = in[1] >> 4,
					      .message = in[1] & 15};
	return in;
}

static uint8_t *pack_sender(uint8_t *out, const struct sender *s)
{
	*out++ = s->queue_count;
	for (unsigned i = 0; i < s->queue_count; i++)
		*out++ = s->queue[i];
	*out++ = (uint8_t)(s->base << 4 | s->sent_to);
	*out++ = (uint8_t)(s->oldest << 4 | s->resend);
	*out++ = (uint8_t)(s->next << 4 | s->quota_used);
	for (unsigned i = 0; i < (unsigned)(s->next - s->oldest); i++)
		*out++ = (uint8_t)(s->entries[i].state << 5 | s->entries[i].is_held << 4 |
				   s->entries[i].message);
	return out;
}

static const uint8_t *unpack_sender(const uint8_t *in, struct sender *s)
{
	s->queue_count = *in++;
	for (unsigned i = 0; i < s->queue_count; i++)
		s->queue[i] = *in++;
	s->base = *in >> 4;
	s->sent_to = *in++ & 15;
	s->oldest = *in >> 4;
	s->resend = *in++ & 15;
	s->next = *in >> 4;
	s->quota_used = *in++ & 15;
	for (unsigned i = 0; i < (unsigned)(s->next - s->oldest); i++, in++) {
		s->entries[i].state = *in >> 5;
		s->entries[i].is_held = *in >> 4 & 1;
		s->entries[i].message = *in & 15;
	}
	return in;
}

static uint8_t *pack_receiver(uint8_t *out, const struct receiver *r)
{
	for (unsigned i = 0; i < IDS_MAX; i += 2)
		*out++ = (uint8_t)(r->owner[i] << 4 | r->owner[i + 1]);
	return out;
}

static const uint8_t *unpack_receiver(const uint8_t *in, struct receiver *r)
{
	for (unsigned i = 0; i < IDS_MAX; i += 2, in++) {
		r->owner[i] = *in >> 4;
		r->owner[i + 1] = *in & 15;
	}
	return in;
}

static uint8_t pack_fate(const struct fate *f)
{
	return (uint8_t)(f->delivered | f->is_wired << 3 | f->is_refused << 4 |
			 f->is_finished << 5 | f->is_given_up << 6 | f->is_open << 7);
}

static struct fate unpack_fate(uint8_t b)
{
	return (struct fate){.delivered = b & 7,
			     .is_wired = b >> 3 & 1,
			     .is_refused = b >> 4 & 1,
			     .is_finished = b >> 5 & 1,
			     .is_given_up = b >> 6 & 1,
			     .is_open = b >> 7 & 1};
}

size_t world_pack(const struct world *w, uint8_t bytes[PACKED_MAX])
{
	uint8_t *out = bytes;
	out = pack_sender(out, &w->sender);
	out = pack_sender(out, &w->sender_kept);
	out = pack_receiver(out, &w->receiver);
	out = pack_receiver(out, &w->receiver_kept);
	out = pack_list(out, &w->there);
	out = pack_list(out, &w->back);
	out = pack_list(out, &w->sender_pending);
	out = pack_list(out, &w->receiver_pending);
	for (unsigned i = 0; i < MESSAGES_MAX; i++)
		*out++ = pack_fate(&w->fates[i]);
	*out++ = (uint8_t)(w->arrived << 4 | w->losses_left << 1 | w->is_up);
	*out++ = (uint8_t)(w->last_publish << 4 | w->last_pubrel);
	*out++ = w->receive_maximum;
	ASSERT(out - bytes < PACKED_MAX);
	return (size_t)(out - bytes);
}

void world_unpack(struct world *w, const uint8_t *in)
{
	*w = (struct world){0};
	in = unpack_sender(in, &w->sender);
	in = unpack_sender(in, &w->sender_kept);
	in = unpack_receiver(in, &w->receiver);
	in = unpack_receiver(in, &w->receiver_kept);
	in = unpack_list(in, &w->there);
	in = unpack_list(in, &w->back);
	in = unpack_list(in, &w->sender_pending);
	in = unpack_list(in, &w->receiver_pending);
	for (unsigned i = 0; i < MESSAGES_MAX; i++)
		w->fates[i] = unpack_fate(*in++);
	w->arrived = *in >> 4;
	w->losses_left = *in >> 1 & 7;
	w->is_up = *in++ & 1;
	w->last_publish = *in >> 4;
	w->last_pubrel = *in++ & 15;
	w->receive_maximum = *in;
}

/* --- the rest --- */

static bool is_same_sender(const struct sender *a, const struct sender *b)
{
	uint8_t first[PACKED_MAX], second[PACKED_MAX];
	size_t len = (size_t)(pack_sender(first, a) - first);
	return len == (size_t)(pack_sender(second, b) - second) && !memcmp(first, second, len);
}

bool world_is_done(const struct world *w, const struct config *config)
{
	bool is_written =
		config->direction == DELIVERING || is_same_sender(&w->sender, &w->sender_kept);
	return w->arrived == config->messages && w->sender.queue_count == 0 &&
	       w->sender.oldest == w->sender.next && is_written &&
	       w->sender_kept.queue_count == 0 && w->there.count == 0 && w->back.count == 0 &&
	       w->sender_pending.count == 0 && w->receiver_pending.count == 0;
}

void list_put(struct list *l, struct packet p)
{
	ASSERT(l->count < LIST_MAX);
	l->items[l->count++] = p;
}

struct packet list_take(struct list *l)
{
	struct packet first = l->items[0];
	ASSERT(l->count > 0);
	memmove(l->items, l->items + 1, --l->count * sizeof(*l->items));
	return first;
}

void show(struct run *r, enum side side, const char *format, ...)
{
	char text[160];
	va_list arguments;
	if (!r->show)
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	r->show(side, text);
}

void break_promise(struct run *r, const char *format, ...)
{
	va_list arguments;
	if (r->broken[0])
		return; /* the first is the one that explains the others */
	va_start(arguments, format);
	vsnprintf(r->broken, sizeof(r->broken), format, arguments);
	va_end(arguments);
}

const char *packet_text(const struct run *r, struct packet p, char text[64])
{
	static const char *const names[KIND_COUNT] = {
		[PUBLISH] = "PUBLISH",
		[PUBREL] = "PUBREL",
		[PUBREL_NOT_FOUND] = "PUBREL 0x92",
		[PUBACK] = "PUBACK",
		[PUBACK_ERROR] = "PUBACK 0x97",
		[PUBREC] = "PUBREC",
		[PUBREC_ERROR] = "PUBREC 0x97",
		[PUBCOMP] = "PUBCOMP",
		[PUBCOMP_NOT_FOUND] = "PUBCOMP 0x92",
		[GIVE] = "application gets",
		[TELL] = "application hears of the end of",
		[TELL_REFUSED] = "application hears of the refusal of",
		[LOG_PUBLISH] = "record PUBLISH",
		[LOG_RELEASE] = "record RELEASE",
		[LOG_NOTHING] = "record NOTHING",
		[LOG_FINISH] = "record FINISH",
		[LOG_RECEIVED] = "record RECEIVED",
	};
	if (p.kind == PUBLISH)
		snprintf(text, 64, "PUBLISH%s id %u, message %u, QoS %u", p.dup ? " DUP" : "", p.id,
			 p.message, qos_of(r, p.message));
	else if (p.kind >= GIVE && p.kind <= TELL_REFUSED)
		snprintf(text, 64, "%s message %u", names[p.kind], p.message);
	else if (p.kind == LOG_PUBLISH || p.kind == LOG_FINISH || p.kind == LOG_RECEIVED)
		snprintf(text, 64, "%s of message %u", names[p.kind], p.message);
	else
		snprintf(text, 64, "%s id %u", names[p.kind], p.id);
	return text;
}
