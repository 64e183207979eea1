/* SPDX-License-Identifier: Apache-2.0 */
#include "session/send.h"

#include "base/mem.h"

#define SEND_CAPACITY_MIN 8

static struct sending *at(const struct send *s, uint64_t position)
{
	return &s->ring[position & (s->capacity - 1)];
}

void send_init(struct send *s, uint16_t receive_maximum)
{
	*s = (struct send){.receive_maximum = receive_maximum};
}

void send_release(struct send *s, void (*drop)(void *context, struct sending *), void *context)
{
	for (uint64_t p = s->oldest; p != s->next; p++)
		if (at(s, p)->state != SEND_NONE && at(s, p)->message)
			drop(context, at(s, p));
	mem_free(s->ring);
	*s = (struct send){.receive_maximum = s->receive_maximum};
}

static int grow(struct send *s)
{
	uint32_t capacity = s->capacity ? s->capacity * 2 : SEND_CAPACITY_MIN;
	struct sending *ring = mem_alloc(capacity * sizeof(*ring));
	if (!ring)
		return ERROR_NO_MEMORY;
	for (uint64_t p = s->oldest; p != s->next; p++)
		ring[p & (capacity - 1)] = *at(s, p);
	mem_free(s->ring);
	s->ring = ring;
	s->capacity = capacity;
	return 0;
}

/* Places an entry; what lies between it and the newest becomes holes. */
static int place(struct send *s, uint64_t position, const struct sending *entry, uint8_t state)
{
	if (send_is_idle(s)) {
		s->oldest = position;
		s->next = position;
		s->resend = position;
	}
	ASSERT(position >= s->next);
	while (position - s->oldest >= s->capacity) {
		int error = grow(s);
		if (error)
			return error;
	}
	while (UNLIKELY(s->next != position))
		*at(s, s->next++) = (struct sending){.state = SEND_NONE};
	struct sending *mine = at(s, position);
	*mine = *entry;
	mine->state = state;
	s->next = position + 1;
	s->resend = s->next;
	s->quota_used++;
	return 0;
}

int send_begin_at(struct send *s, uint64_t position, uint8_t qos, const struct sending *entry)
{
	ASSERT(send_is_open_at(s, position));
	return place(s, position, entry,
		     send_table[SEND_NONE][qos == 1 ? SEND_EVENT_QOS_1 : SEND_EVENT_QOS_2].next);
}

int send_begin_released(struct send *s, uint64_t position, const struct sending *entry)
{
	ASSERT(send_has_room_at(s, position));
	return place(s, position, entry, SEND_WAIT_PUBCOMP);
}

int send_begin(struct send *s, uint8_t qos, const struct sending *entry, uint16_t *packet_id_out)
{
	int error = send_begin_at(s, s->next, qos, entry);
	if (!error)
		*packet_id_out = send_packet_id(s->next - 1);
	return error;
}

int send_skip(struct send *s, uint16_t *packet_id_out)
{
	if (s->next - s->oldest == SEND_SPAN_MAX)
		return ERROR_LIMIT;
	if (s->next - s->oldest == s->capacity && !send_is_idle(s)) {
		int error = grow(s);
		if (error)
			return error;
	}
	*packet_id_out = send_packet_id(s->next);
	bool has_nothing_to_resend = s->resend == s->next;
	if (send_is_idle(s))
		s->oldest++;
	else
		*at(s, s->next) = (struct sending){.state = SEND_NONE};
	s->next++;
	if (has_nothing_to_resend)
		s->resend = s->next;
	return 0;
}

bool send_find(const struct send *s, uint16_t packet_id, uint64_t *position_out)
{
	if (packet_id == 0)
		return false;
	uint32_t first = (uint32_t)(s->oldest % SEND_SPAN_MAX);
	uint32_t wanted = packet_id - 1u;
	uint32_t ahead = wanted >= first ? wanted - first : wanted + SEND_SPAN_MAX - first;
	if (ahead >= s->next - s->oldest)
		return false;
	*position_out = s->oldest + ahead;
	return true;
}

static void finish(struct send *s, uint64_t position)
{
	at(s, position)->state = SEND_NONE;
	at(s, position)->message = NULL;
	if (position < s->resend && s->quota_used > 0)
		s->quota_used--;
	while (s->oldest != s->next && at(s, s->oldest)->state == SEND_NONE)
		s->oldest++;
	if (s->resend < s->oldest)
		s->resend = s->oldest;
}

unsigned send_answer(struct send *s, enum send_event event, uint16_t packet_id,
		     struct sending *entry_out)
{
	uint64_t position;
	*entry_out = (struct sending){0};
	if (!send_find(s, packet_id, &position))
		return send_table[SEND_NONE][event].steps;
	struct sending *entry = at(s, position);
	const struct transition *row = &send_table[entry->state][event];
	if (!row->steps)
		return 0;
	*entry_out = *entry;
	entry->state = row->next;
	if (row->steps & STEP_FORGET_MESSAGE)
		entry->message = NULL;
	if (row->steps & STEP_RELEASE_ID)
		finish(s, position);
	return row->steps;
}

void send_restart(struct send *s, uint16_t receive_maximum)
{
	s->receive_maximum = receive_maximum;
	s->quota_used = 0;
	s->resend = s->oldest;
}

unsigned send_again(struct send *s, struct sending **entry_out, uint16_t *packet_id_out)
{
	while (s->resend != s->next && at(s, s->resend)->state == SEND_NONE)
		s->resend++;
	if (s->resend == s->next)
		return 0;
	struct sending *entry = at(s, s->resend);
	/* [MQTT-3.3.4-8, -10, 4.9.0-3] a full window holds back a PUBLISH, never a PUBREL */
	if (s->quota_used >= s->receive_maximum && entry->state != SEND_WAIT_PUBCOMP)
		return 0;
	*entry_out = entry;
	*packet_id_out = send_packet_id(s->resend);
	s->resend++;
	s->quota_used++;
	return send_table[entry->state][SEND_EVENT_AGAIN].steps;
}

struct sending *send_next(const struct send *s, uint64_t *position)
{
	if (*position < s->oldest)
		*position = s->oldest;
	while (*position < s->next) {
		struct sending *entry = at(s, (*position)++);
		if (entry->state != SEND_NONE)
			return entry;
	}
	return NULL;
}

void send_cancel(struct send *s, uint64_t position)
{
	ASSERT(position >= s->oldest && position < s->next);
	finish(s, position);
}

struct sending *send_at(const struct send *s, uint64_t position)
{
	ASSERT(position >= s->oldest && position < s->next);
	struct sending *entry = at(s, position);
	return entry->state == SEND_NONE ? NULL : entry;
}

void send_clear(struct send *s)
{
	s->oldest = s->next;
	s->resend = s->next;
	s->quota_used = 0;
	send_trim(s);
}

void send_trim(struct send *s)
{
	if (!send_is_idle(s))
		return;
	mem_free(s->ring);
	s->ring = NULL;
	s->capacity = 0;
}
