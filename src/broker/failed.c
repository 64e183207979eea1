/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands that did not get into the log, because it takes nothing any more. Nothing has changed by
 * them, and nobody was told that it had: who waits for the answer hears that there is none.
 */
#include "broker/acks.h"
#include "broker/give.h"
#include "broker/handle.h"
#include "broker/interest.h"
#include "broker/shard.h"

static const struct flaw flaw_log = {REASON_IMPLEMENTATION_SPECIFIC_ERROR,
				     "the broker cannot store anything"};

static void fail_connect(struct shard *s, struct command *command)
{
	struct connection *c = command->connection;
	connect_returned(s, command);
	if (c->state == CONNECTION_CONNECTING)
		connection_refuse(c, REASON_SERVER_UNAVAILABLE, flaw_log.text);
}

/* It shall be sent again. Its write may have been done all the same, and then the next start finds
 * it: whoever heard that the id of a QoS 2 message is free might use it for another one, which would
 * be taken for the one that is there, and be lost. So nobody whose session survives hears that. */
static void fail_publish(struct session *session, struct command *command)
{
	int error;
	if (command->flags & COMMAND_PUBLISH_WILL)
		return;
	if (command->packet_id)
		receive_event(&session->receive, RECEIVE_EVENT_REFUSED, command->packet_id, &error);
	if (!session->connection || !acks_is_open(session, command->origin.ticket))
		return;
	bool may_be_there = command->packet_id && session->log_id;
	if (session->connection->version == MQTT_5 && !may_be_there)
		acks_fail(session, command->origin.ticket, REASON_QUOTA_EXCEEDED);
	else
		connection_fail(session->connection, &flaw_log);
}

static bool is_awaited(const struct session *session, const struct command *command)
{
	if (!session->connection)
		return false;
	if (command->kind == COMMAND_RECEIVED)
		return session->connect_id == command->connect_id;
	return acks_is_open(session, command->origin.ticket);
}

void command_failed(struct shard *s, struct command *command)
{
	struct session *session = session_by_number(s, command->origin.session);
	if (command->kind == COMMAND_CONNECT) {
		fail_connect(s, command);
		return;
	}
	bool is_marker =
		command->kind == COMMAND_NOTHING && command->flags & COMMAND_NOTHING_MARKER;
	if (is_marker || command->kind == COMMAND_CHECKPOINT) {
		checkpoint_failed(s, command);
		return;
	}
	interest_cancel(s, command);
	if (command->kind == COMMAND_GIVE)
		give_failed(s, command);
	if (!session)
		return;
	switch (command->kind) {
	case COMMAND_PUBLISH: fail_publish(session, command); break;
	case COMMAND_AWAY:
	case COMMAND_END: session_not_logged(s, session, command); break;
	case COMMAND_NOTHING:
	case COMMAND_SUBSCRIBE:
	case COMMAND_UNSUBSCRIBE:
	case COMMAND_RELEASE:
	case COMMAND_RECEIVED:
		if (is_awaited(session, command))
			connection_fail(session->connection, &flaw_log);
		break;
	default: break;
	}
}
