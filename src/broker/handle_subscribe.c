/* SPDX-License-Identifier: Apache-2.0 */
/* SUBSCRIBE and UNSUBSCRIBE: commands, answered when every shard knows ([5] 3.8-3.11). */
#include "broker/group.h"
#include "broker/handle.h"
#include "broker/interest.h"
#include "broker/mount.h"
#include "broker/retain.h"
#include "broker/rights.h"
#include "broker/see.h"
#include "broker/shard.h"

static const struct flaw flaw_memory = {REASON_QUOTA_EXCEEDED, "out of memory"};

static void append(struct shard *s, struct session *session, struct command *command)
{
	acks_expect(session, command->origin.ticket, 1, s->appended + 1);
	session->logged = s->appended + 1;
	if (session->connection->answer == ANSWER_WHEN_DURABLE)
		batch_want_sync(s);
	command_append(s, command,
		       group_owners(s, command_text(command), command->kind == COMMAND_SUBSCRIBE));
}

void subscribe_append(struct shard *s, struct command *command)
{
	struct session *session = session_by_number(s, command->origin.session);
	if (!session || !session->connection || !acks_is_open(session, command->origin.ticket)) {
		interest_cancel(s, command);
		command_free(command);
		return;
	}
	append(s, session, command);
	connection_go_on(session->connection);
}

/* Nothing of this client is looked at before its SUBSCRIBE is on its way: it must not be
 * overtaken. */
static void enter_log(struct connection *c, struct command *command)
{
	bool is_subscribe = command->kind == COMMAND_SUBSCRIBE;
	if (is_subscribe && !replay_has_room(c->session, command_text(command)))
		command->flags |= COMMAND_SUBSCRIBE_REFUSED;
	if (is_subscribe && interest_prepare(c->shard, command))
		connection_wait(c);
	else
		append(c->shard, c->session, command);
}

/* What the log has is what is allowed; the rest is answered 0x87. Is there anything left? */
static bool deny_filters(struct shard *s, struct session *session, struct command *command)
{
	bool is_left = false;
	struct room filters = {command->text, command->text_len};
	struct span rest = command_text(command), filter;
	struct subscription_options options;
	if (LIKELY(!s->access->has_acl))
		return true;
	while (subscribe_next(&rest, &filter, &options)) {
		if (may_subscribe(s, session, filter)) {
			is_left = true;
			continue;
		}
		see_denied(s, session, PACKET_SUBSCRIBE, filter);
		subscribe_deny(&filters, filter, &rest);
	}
	command->text_len = (uint32_t)filters.len;
	return is_left;
}

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
	struct command *command = command_new(kind, filters);
	if (!command || acks_open(session, &ack, &command->origin.ticket)) {
		command_free(command);
		connection_fail(c, &flaw_memory);
		return;
	}
	command->origin.session = session->number;
	command->origin.shard = (uint16_t)s->index;
	command->session_id = session->log_id;
	command->packet_id = packet_id;
	command->subscription_identifier = identifier;
	command->version = c->version;
	bool is_left = kind != COMMAND_SUBSCRIBE || deny_filters(s, session, command);
	if (session->log_id && is_left) {
		enter_log(c, command);
	} else {
		apply(s, command);
		command_free(command);
	}
}

void handle_subscribe(struct connection *c, struct span body)
{
	struct subscribe p;
	const struct flaw *flaw = subscribe_decode(body, c->version, &p);
	if (!flaw && c->is_mounted)
		flaw = mount_filters(c, true, &p.filters);
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
	if (!flaw && c->is_mounted)
		flaw = mount_filters(c, false, &p.filters);
	if (flaw) {
		connection_fail(c, flaw);
		return;
	}
	see_packet(c, true, PACKET_UNSUBSCRIBE, p.packet_id, 0);
	enter(c, COMMAND_UNSUBSCRIBE, p.filters, p.packet_id, 0);
}
