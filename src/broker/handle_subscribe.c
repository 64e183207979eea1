/* SPDX-License-Identifier: Apache-2.0 */
/* SUBSCRIBE and UNSUBSCRIBE: commands, answered when every shard knows ([5] 3.8-3.11). */
#include "broker/handle.h"
#include "broker/retain.h"
#include "broker/see.h"
#include "broker/shard.h"

static const struct flaw flaw_memory = {REASON_QUOTA_EXCEEDED, "out of memory"};

static void enter(struct connection *c, uint8_t kind, struct span filters, uint16_t packet_id,
		  uint32_t identifier)
{
	struct shard *s = c->shard;
	struct session *session = c->session;
	struct ack_waiting ack = {
		.type = kind == COMMAND_SUBSCRIBE ? PACKET_SUBACK : PACKET_UNSUBACK,
		.packet_id = packet_id,
		.waits = 1,
	};
	bool is_logged = session->log_id != 0;
	if (is_logged)
		ack.sequence = s->appended + 1;
	struct command *command = command_new(kind, filters);
	if (!command || acks_open(session, &ack, &command->origin.ticket)) {
		command_free(command);
		connection_fail(c, &flaw_memory);
		return;
	}
	command->origin.session = session->number;
	command->origin.shard = (uint16_t)s->index;
	command->packet_id = packet_id;
	command->subscription_identifier = identifier;
	command->version = c->version;
	command->session_id = session->log_id;
	if (kind == COMMAND_SUBSCRIBE && is_logged && !replay_has_room(session, filters))
		command->flags |= COMMAND_SUBSCRIBE_REFUSED;
	if (is_logged) {
		session->logged = s->appended + 1;
		command_append(s, command, shard_bit(s));
	} else {
		apply(s, command);
		command_free(command);
	}
}

void handle_subscribe(struct connection *c, struct span body)
{
	struct subscribe p;
	const struct flaw *flaw = subscribe_decode(body, c->version, &p);
	if (flaw) {
		connection_fail(c, flaw);
		return;
	}
	see_packet(c, true, PACKET_SUBSCRIBE, p.packet_id, 0);
	uint32_t identifier = properties_has(&p.properties, PROPERTY_SUBSCRIPTION_IDENTIFIER)
				      ? p.properties.subscription_identifier
				      : 0;
	enter(c, COMMAND_SUBSCRIBE, p.filters, p.packet_id, identifier);
}

void handle_unsubscribe(struct connection *c, struct span body)
{
	struct unsubscribe p;
	const struct flaw *flaw = unsubscribe_decode(body, c->version, &p);
	if (flaw) {
		connection_fail(c, flaw);
		return;
	}
	see_packet(c, true, PACKET_UNSUBSCRIBE, p.packet_id, 0);
	enter(c, COMMAND_UNSUBSCRIBE, p.filters, p.packet_id, 0);
}
