/* SPDX-License-Identifier: Apache-2.0 */
/* PUBACK, PUBREC, PUBREL, PUBCOMP: each end's table decides ([5] 3.4-3.7, 4.3). */
#include "broker/deliver.h"
#include "broker/group.h"
#include "broker/handle.h"
#include "broker/see.h"
#include "broker/shard.h"

#define REASON_TEXT_BYTES_MAX 128

static const struct flaw flaw_out_of_turn = {REASON_PROTOCOL_ERROR,
					     "acknowledgement that does not fit the message's QoS"};

/* Failures say in words what happened, where the client takes it [MQTT-3.1.2-29] and has room for
 * it [MQTT-3.4.2-2, -3, 3.5.2-2, -3, 3.6.2-2, -3, 3.7.2-2, -3]. */
static void send_failure(struct connection *c, uint8_t type, uint16_t packet_id,
			 uint8_t reason_code)
{
	struct ack p = {.type = type, .reason_code = reason_code, .packet_id = packet_id};
	uint8_t *ptr = connection_packet(c, REASON_TEXT_BYTES_MAX);
	if (!ptr)
		return;
	properties_clear(&p.properties);
	size_t bare = ack_encode(&p, c->version, (struct room){ptr, REASON_TEXT_BYTES_MAX});
	size_t len = bare;
	if (c->wants_problem_information && reason_code >= 0x80) {
		p.properties.present = 1ull << PROPERTY_REASON_STRING;
		p.properties.reason_string = span_of_text(reason_name(reason_code, type));
		len = ack_encode(&p, c->version, (struct room){ptr, REASON_TEXT_BYTES_MAX});
		if (len == 0 || len > c->packet_bytes_max) {
			properties_clear(&p.properties);
			len = ack_encode(&p, c->version, (struct room){ptr, REASON_TEXT_BYTES_MAX});
		}
	}
	connection_packet_done(c, len);
}

/* With the id of the PUBLISH [MQTT-2.2.1-5]. */
void ack_send(struct connection *c, uint8_t type, uint16_t packet_id, uint8_t reason_code)
{
	int error;
	if (LIKELY(reason_code == REASON_SUCCESS || c->version != MQTT_5)) {
		uint8_t *ptr = connection_packet(c, ACK_BYTES_MIN);
		if (!ptr)
			return;
		ack_encode_short(ptr, type, packet_id);
		connection_packet_done(c, ACK_BYTES_MIN);
		reason_code = REASON_SUCCESS;
	} else {
		send_failure(c, type, packet_id, reason_code);
	}
	/* a refused message's id is free for another [MQTT-4.3.3-9] */
	if (type == PACKET_PUBREC && reason_code >= 0x80 && c->session)
		receive_event(&c->session->receive, RECEIVE_EVENT_REFUSED, packet_id, &error);
	see_packet(c, false, type, packet_id, reason_code);
}

/* Behind everything this session has in the log. False without memory. */
static bool wait_for_log(struct connection *c, struct ack_waiting *ack)
{
	struct shard *s = c->shard;
	struct session *session = c->session;
	struct command *command = command_new(COMMAND_NOTHING, SPAN_NONE);
	if (!command)
		return false;
	ack->waits = 1;
	ack->sequence = s->appended + 1;
	if (acks_open(session, ack, &command->origin.ticket)) {
		command_free(command);
		return false;
	}
	command->origin.session = session->number;
	command->origin.shard = (uint16_t)s->index;
	session->logged = s->appended + 1;
	command_append(s, command, shard_bit(s));
	return true;
}

void ack_answer_again(struct connection *c, uint16_t packet_id)
{
	struct ack_waiting ack = {.type = PACKET_PUBREC, .packet_id = packet_id};
	bool must_wait = c->shard->broker->log->is_kept && c->session->log_id &&
			 command_is_pending(c->shard, c->session);
	if (!must_wait)
		ack_answer(c, PACKET_PUBREC, packet_id, REASON_SUCCESS);
	else if (!wait_for_log(c, &ack))
		connection_doom(c);
}

void ack_answer(struct connection *c, uint8_t type, uint16_t packet_id, uint8_t reason_code)
{
	struct session *session = c->session;
	struct ack_waiting ack = {.type = type, .packet_id = packet_id, .reason_code = reason_code};
	uint32_t ticket;
	int error;
	/* at once: should the refusal not leave any more, the message comes again and is new */
	if (type == PACKET_PUBREC && reason_code >= 0x80)
		receive_event(&session->receive, RECEIVE_EVENT_REFUSED, packet_id, &error);
	if (acks_count(session->acks) == 0 || acks_open(session, &ack, &ticket))
		ack_send(c, type, packet_id, reason_code);
}

/*
 * Answered whatever became of the message, its expiry included [MQTT-4.3.3-13]. The id is free at
 * once, as a PUBLISH takes it at once: so that a sender that uses it again without waiting for
 * PUBCOMP comes to the same state here as in the log, where the order is this one.
 */
static void handle_pubrel(struct connection *c, uint16_t packet_id)
{
	struct shard *s = c->shard;
	struct session *session = c->session;
	struct ack_waiting ack = {.type = PACKET_PUBCOMP,
				  .packet_id = packet_id,
				  .reason_code = REASON_NO_MATCHING_SUBSCRIBERS,
				  .waits = 1};
	struct command *command = NULL;
	unsigned steps;
	int error;
	if (session->log_id) {
		command = command_new(COMMAND_RELEASE, SPAN_NONE);
		ack.sequence = s->appended + 1;
		if (!command || acks_open(session, &ack, &command->origin.ticket)) {
			command_free(command);
			connection_doom(c);
			return;
		}
		steps = receive_event(&session->receive, RECEIVE_EVENT_PUBREL, packet_id, &error);
		command->flags = steps & STEP_SEND_PUBCOMP ? 0 : COMMAND_RELEASE_UNKNOWN;
		command->packet_id = packet_id;
		command->session_id = session->log_id;
		command->origin.session = session->number;
		command->origin.shard = (uint16_t)s->index;
		session->logged = s->appended + 1;
		if (c->answer == ANSWER_WHEN_DURABLE)
			batch_want_sync(s);
		command_append(s, command, shard_bit(s));
		return;
	}
	steps = receive_event(&session->receive, RECEIVE_EVENT_PUBREL, packet_id, &error);
	ack_answer(c, PACKET_PUBCOMP, packet_id,
		   steps & STEP_SEND_PUBCOMP ? REASON_SUCCESS : REASON_PACKET_IDENTIFIER_NOT_FOUND);
}

static enum send_event event_of(const struct ack *p)
{
	switch (p->type) {
	case PACKET_PUBACK: return SEND_EVENT_PUBACK;
	case PACKET_PUBREC:
		return p->reason_code >= 0x80 ? SEND_EVENT_PUBREC_ERROR : SEND_EVENT_PUBREC;
	default: return SEND_EVENT_PUBCOMP;
	}
}

/* Does a log keep what this session is sent? Then its packet ids are queue positions. */
static bool is_kept(const struct connection *c)
{
	return c->session->log_id && c->shard->broker->log->is_kept;
}

/* From PUBREL on the client may take the id for another message: after a crash we must not come
 * with the PUBLISH again. Therefore it leaves when the log knows of the PUBREC. */
static void answer_received(struct connection *c, uint16_t packet_id, uint64_t position)
{
	struct shard *s = c->shard;
	struct session *session = c->session;
	struct command *command = command_new(COMMAND_RECEIVED, SPAN_NONE);
	if (!command) {
		connection_doom(c);
		return;
	}
	command->origin.session = session->number;
	command->session_id = session->log_id;
	command->connect_id = session->connect_id;
	command->packet_id = packet_id;
	command->from = position;
	session->logged = s->appended + 1;
	if (c->answer == ANSWER_WHEN_DURABLE)
		batch_want_sync(s);
	command_append(s, command, shard_bit(s));
}

static void handle_answer(struct connection *c, const struct ack *p)
{
	struct sending entry;
	struct session *session = c->session;
	enum send_event event = event_of(p);
	uint64_t position;
	bool is_told = is_kept(c) && send_find(&session->send, p->packet_id, &position);
	unsigned steps = send_answer(&session->send, event, p->packet_id, &entry);
	see_step(c, true, send_table[entry.state][event].next, event, p->packet_id);
	if (UNLIKELY(!steps)) {
		connection_fail(c, &flaw_out_of_turn);
		return;
	}
	/* refused, too: no other member gets it [MQTT-4.8.2-6] */
	if (steps & STEP_FORGET_MESSAGE) {
		if (entry.short_note && !is_told)
			group_finished(c->shard, session, entry.short_note, entry.message);
		c->shard->memory_bytes -= message_bytes(entry.message);
		message_unref(entry.message);
	}
	if (is_told && steps & STEP_RELEASE_ID)
		session_finish(c->shard, session, position, position, false);
	if (is_told && steps & STEP_SEND_PUBREL)
		answer_received(c, p->packet_id, position);
	else if (steps & STEP_SEND_PUBREL)
		ack_send(c, PACKET_PUBREL, p->packet_id, REASON_SUCCESS);
	if (steps & STEP_SEND_PUBREL_NOT_FOUND)
		ack_send(c, PACKET_PUBREL, p->packet_id, REASON_PACKET_IDENTIFIER_NOT_FOUND);
	if (deliver_is_due(c->shard, session) || session->holdings)
		deliver_pump(c->shard, session);
}

void handle_ack(struct connection *c, uint8_t type, struct span body)
{
	struct ack p;
	const struct flaw *flaw = ack_decode(type, body, c->version, &p);
	if (UNLIKELY(flaw != NULL)) {
		connection_fail(c, flaw);
		return;
	}
	see_packet(c, true, type, p.packet_id, p.reason_code);
	if (type == PACKET_PUBREL)
		see_step(c, false, RECEIVE_NONE, RECEIVE_EVENT_PUBREL, p.packet_id);
	if (type == PACKET_PUBREL)
		handle_pubrel(c, p.packet_id);
	else
		handle_answer(c, &p);
}
