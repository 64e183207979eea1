/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/rights.h"

#include "broker/quiet.h"
#include "broker/see.h"
#include "mqtt/topic.h"

/* Of one that was revoked nobody has kept the number up to date. */
static uint32_t rules_of(const struct acl *acl, const struct identity *i)
{
	struct span name = identity_name(i);
	return UNLIKELY(i->is_revoked) ? acl_rules_of(acl, i->has_name ? &name : NULL) : i->rules;
}

static struct acl_client client_of(const struct acl *acl, const struct identity *i,
				   struct span client_id)
{
	return (struct acl_client){.rules = rules_of(acl, i),
				   .has_user_name = i->has_name,
				   .user_name = identity_name(i),
				   .client_id = client_id};
}

static const struct acl *acl_of(const struct shard *s, const struct identity *i)
{
	return i ? s->access->realms[i->realm].acl : NULL;
}

/* Of the client that is there, or was last. */
static const struct identity *identity_of_session(const struct session *session)
{
	if (session->connection)
		return session->connection->identity;
	return session->kept ? session->kept->identity : NULL;
}

bool rights_know(const struct session *session)
{
	return identity_of_session(session) != NULL;
}

bool rights_judge(const struct shard *s, const struct session *session, enum acl_right right,
		  struct span topic)
{
	const struct identity *i = identity_of_session(session);
	const struct acl *acl = acl_of(s, i);
	if (!has_name_for(session, topic))
		return false;
	if (!acl)
		return true;
	struct acl_client who = client_of(acl, i, session_client_id(session));
	return acl_allows(acl, &who, right, topic);
}

bool may_write_will(const struct connection *c, struct span client_id, struct span topic)
{
	const struct acl *acl = acl_of(c->shard, c->identity);
	if (!acl)
		return true;
	struct acl_client who = client_of(acl, c->identity, client_id);
	return acl_allows(acl, &who, ACL_WRITE, topic);
}

bool may_subscribe(const struct shard *s, const struct session *session, struct span filter)
{
	struct span name, inner = filter;
	const struct identity *i = identity_of_session(session);
	const struct acl *acl = acl_of(s, i);
	if (!acl || !topic_filter_is_valid(filter)) /* said by another code */
		return true;
	(void)topic_filter_split_share(filter, &name, &inner);
	struct acl_client who = client_of(acl, i, session_client_id(session));
	return acl_allows_filter(acl, &who, inner);
}

static void see(struct shard *s, struct event *e, const struct identity *i, struct span client_id,
		struct span topic)
{
	s->status.denied++;
	e->reason_code = REASON_NOT_AUTHORIZED;
	if (!shard_is_watched(s) || !quiet_allows(&s->quiet_denied, s->now.steady_ms, &e->number))
		return;
	struct event_detail detail = {.client_id = client_id, .topic = topic};
	if (i && i->has_name)
		detail.user_name = identity_name(i);
	s->broker->hooks.event(s->broker->hooks.context, s->index, e, &detail);
}

void see_denied(struct shard *s, const struct session *session, uint8_t packet_type,
		struct span topic)
{
	struct event *e = shard_event(s, EVENT_DENIED, session->connection);
	e->session = session->number;
	e->packet_type = packet_type;
	see(s, e, identity_of_session(session), session_client_id(session), topic);
}

void see_denied_will(struct shard *s, const struct identity *i, struct span client_id,
		     struct span topic)
{
	struct event *e = shard_event(s, EVENT_DENIED, NULL);
	e->packet_type = PACKET_CONNECT;
	see(s, e, i, client_id, topic);
}
