/* SPDX-License-Identifier: Apache-2.0 */
#include "rows.h"

#include "session/receive.h"
#include "session/send.h"

#include <stdio.h>

#define CELLS (SEND_STATE_COUNT * SEND_EVENT_COUNT + RECEIVE_STATE_COUNT * RECEIVE_EVENT_COUNT)
#define CELL_OF_RECEIVE (SEND_STATE_COUNT * SEND_EVENT_COUNT) /* those of sending stand before */

static uint64_t counts[ROWS_SIDES][CELLS];
static enum rows_side running;

enum rows_side rows_set_side(enum rows_side side)
{
	enum rows_side before = running;
	running = side;
	return before;
}

/* --- what the linker puts between --- */

int __real_send_begin(struct send *s, uint8_t qos, const struct sending *entry, uint16_t *id_out);
int __wrap_send_begin(struct send *s, uint8_t qos, const struct sending *entry, uint16_t *id_out);
int __real_send_begin_at(struct send *s, uint64_t position, uint8_t qos,
			 const struct sending *entry);
int __wrap_send_begin_at(struct send *s, uint64_t position, uint8_t qos,
			 const struct sending *entry);
unsigned __real_send_answer(struct send *s, enum send_event event, uint16_t packet_id,
			    struct sending *entry_out);
unsigned __wrap_send_answer(struct send *s, enum send_event event, uint16_t packet_id,
			    struct sending *entry_out);
unsigned __real_send_again(struct send *s, struct sending **entry_out, uint16_t *id_out);
unsigned __wrap_send_again(struct send *s, struct sending **entry_out, uint16_t *id_out);
unsigned __real_receive_event(struct receive *r, enum receive_event event, uint16_t packet_id,
			      int *error_out);
unsigned __wrap_receive_event(struct receive *r, enum receive_event event, uint16_t packet_id,
			      int *error_out);

static void count_send(unsigned state, enum send_event event)
{
	counts[running][state * SEND_EVENT_COUNT + event]++;
}

int __wrap_send_begin(struct send *s, uint8_t qos, const struct sending *entry, uint16_t *id_out)
{
	count_send(SEND_NONE, qos == 1 ? SEND_EVENT_QOS_1 : SEND_EVENT_QOS_2);
	return __real_send_begin(s, qos, entry, id_out);
}

int __wrap_send_begin_at(struct send *s, uint64_t position, uint8_t qos,
			 const struct sending *entry)
{
	count_send(SEND_NONE, qos == 1 ? SEND_EVENT_QOS_1 : SEND_EVENT_QOS_2);
	return __real_send_begin_at(s, position, qos, entry);
}

unsigned __wrap_send_answer(struct send *s, enum send_event event, uint16_t packet_id,
			    struct sending *entry_out)
{
	uint64_t position;
	const struct sending *entry =
		send_find(s, packet_id, &position) ? send_at(s, position) : NULL;
	count_send(entry ? entry->state : SEND_NONE, event);
	return __real_send_answer(s, event, packet_id, entry_out);
}

unsigned __wrap_send_again(struct send *s, struct sending **entry_out, uint16_t *id_out)
{
	unsigned steps = __real_send_again(s, entry_out, id_out);
	if (steps)
		count_send((*entry_out)->state, SEND_EVENT_AGAIN);
	return steps;
}

unsigned __wrap_receive_event(struct receive *r, enum receive_event event, uint16_t packet_id,
			      int *error_out)
{
	unsigned state = receive_has(r, packet_id) ? RECEIVE_WAIT_PUBREL : RECEIVE_NONE;
	counts[running][CELL_OF_RECEIVE + state * RECEIVE_EVENT_COUNT + event]++;
	return __real_receive_event(r, event, packet_id, error_out);
}

/* --- what came of it --- */

struct cell {
	bool is_sending;
	unsigned state, event;
	unsigned steps;
};

static struct cell cell_at(unsigned i)
{
	struct cell c = {.is_sending = i < CELL_OF_RECEIVE};
	unsigned events = c.is_sending ? SEND_EVENT_COUNT : RECEIVE_EVENT_COUNT;
	i -= c.is_sending ? 0 : CELL_OF_RECEIVE;
	c.state = i / events;
	c.event = i % events;
	c.steps = c.is_sending ? send_table[c.state][c.event].steps
			       : receive_table[c.state][c.event].steps;
	return c;
}

/* Why nobody can take it whatever a peer sends; NULL: it can be taken. */
static const char *obstacle(enum rows_side side, const struct cell *c)
{
	if (c->is_sending && c->event <= SEND_EVENT_QOS_2 && c->state != SEND_NONE)
		return "a message begins under an id that is free";
	if (c->is_sending && c->event == SEND_EVENT_AGAIN && c->state == SEND_NONE)
		return "what is finished is not looked at again";
	if (!c->is_sending && c->event == RECEIVE_EVENT_QOS_0 && c->state != RECEIVE_NONE)
		return "a message at QoS 0 has no packet id";
	if (!c->is_sending && c->event == RECEIVE_EVENT_QOS_0 && side == ROWS_BROKER)
		return "the broker asks the table from QoS 1 on";
	if (!c->is_sending && c->event == RECEIVE_EVENT_REFUSED && c->state == RECEIVE_NONE &&
	    side == ROWS_CLIENT)
		return "the client refuses what it has";
	return NULL;
}

static void print_cell(enum rows_side side, const struct cell *c, const char *words)
{
	printf("  %s %s: %s, %s%s %s\n", side == ROWS_BROKER ? "broker" : "client",
	       c->is_sending ? "sends" : "receives",
	       c->is_sending ? send_state_name(c->state) : receive_state_name(c->state),
	       c->is_sending ? send_event_name(c->event) : receive_event_name(c->event),
	       c->steps ? "" : " (protocol error)", words);
}

static void print_side(enum rows_side side, bool is_long, unsigned *covered, unsigned *all)
{
	char words[64];
	for (unsigned i = 0; i < CELLS; i++) {
		struct cell c = cell_at(i);
		const char *why_not = obstacle(side, &c);
		uint64_t count = counts[side][i];
		ASSERT(!why_not || count == 0);
		*all += !why_not;
		*covered += count > 0;
		snprintf(words, sizeof(words), "%llu", (unsigned long long)count);
		if (is_long && (!why_not || c.steps))
			print_cell(side, &c, why_not ? why_not : words);
		else if (!why_not && count == 0)
			print_cell(side, &c, "missing");
	}
}

void rows_print(bool is_long)
{
	unsigned covered = 0, all = 0;
	print_side(ROWS_BROKER, is_long, &covered, &all);
	print_side(ROWS_CLIENT, is_long, &covered, &all);
	printf("rows covered: %u of %u\n", covered, all);
}

unsigned rows_missing(void)
{
	unsigned missing = 0;
	for (unsigned side = 0; side < ROWS_SIDES; side++)
		for (unsigned i = 0; i < CELLS; i++) {
			struct cell c = cell_at(i);
			missing += !obstacle((enum rows_side)side, &c) && counts[side][i] == 0;
		}
	return missing;
}
