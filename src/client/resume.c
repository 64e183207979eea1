/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of unfinished messages when a connection begins: resumed with the server's session,
 * or begun anew without one. */
#include "base/mem.h"
#include "client/engine_state.h"

static void give(void *context, const struct publish *message)
{
	struct engine *e = context;
	if (e->events.message)
		e->events.message(e->context, message, 0);
}

void resume_give_held(struct engine *e, uint16_t packet_id)
{
	while (held_give(&e->held, packet_id, e->version, give, e) && packet_id == 0)
		;
}

static void put_at_head(struct link *head, struct link *first)
{
	/* Each of `first`, last to first, goes in front of what is there. */
	while (!list_is_empty(first)) {
		struct link *last = first->prev;
		link_remove(last);
		last->next = head->next;
		last->prev = head;
		head->next->prev = last;
		head->next = last;
	}
}

/* The server has forgotten our window. What it had acknowledged with PUBREC is its own now; the
 * rest is queued again, in order, in front of what was never sent. */
static void begin_anew(struct engine *e)
{
	struct link again;
	list_init(&again);
	uint64_t position = 0;
	struct sending *entry;
	while ((entry = send_next(&e->send, &position))) {
		struct sending was = *entry;
		uint64_t kept = e->options.is_kept ? position - 1 : POSITION_NONE;
		uint16_t packet_id = send_packet_id(position - 1);
		send_cancel(&e->send, position - 1);
		if (was.message) {
			list_append(&again, &((struct outgoing *)was.message)->link);
			continue;
		}
		transmit_finish(e, NULL,
				&(struct engine_published){.token = was.note,
							   .packet_id = packet_id,
							   .reason_code = REASON_SUCCESS,
							   .was_sent = true,
							   .position = kept});
	}
	put_at_head(&e->queue, &again);
	keep_forget_session(e);
}

/* [MQTT-3.3.4-7, 4.9.0-1] */
static uint16_t window_of(const struct engine *e)
{
	return e->options.inflight_max < e->server.receive_maximum ? e->options.inflight_max
								   : e->server.receive_maximum;
}

void resume_session(struct engine *e, bool session_present)
{
	if (!session_present) {         /* [MQTT-3.2.2-5] */
		resume_give_held(e, 0); /* no PUBREL will come, and we said they are ours */
		receive_release(&e->receive);
		incoming_clear(&e->incoming);
		begin_anew(e);
	}
	e->carried_count = e->receive.count;
	send_restart(&e->send, window_of(e));
}
