/* SPDX-License-Identifier: Apache-2.0 */
/*
 * May a client publish, subscribe, be sent that? By the ACL of its realm. Asked before a command is
 * appended and when a message goes out, never in apply: the log must give the same state whatever
 * the ACL says by then (docs/ACCESS.md).
 */
#ifndef NIGHTJAR_BROKER_RIGHTS_H
#define NIGHTJAR_BROKER_RIGHTS_H

#include "broker/mount.h"
#include "broker/shard.h"

bool rights_judge(const struct shard *s, const struct session *session, enum acl_right right,
		  struct span topic);

/* Is it known whose session it is? */
bool rights_know(const struct session *session);

/* A session whose client has not come since the restart is nobody yet: its messages wait, and are
 * judged when it is there. */
static inline bool may_read(const struct shard *s, const struct session *session, struct span topic)
{
	return LIKELY(!s->access->has_acl && !s->has_mounts) ||
	       rights_judge(s, session, ACL_READ, topic);
}

static inline bool may_write(const struct shard *s, const struct session *session,
			     struct span topic)
{
	return LIKELY(!s->access->has_acl) || rights_judge(s, session, ACL_WRITE, topic);
}

/* Does its client know the topic by any name (mount.h)? */
static inline bool has_name_for(const struct session *session, struct span topic)
{
	const struct connection *c = session->connection;
	return LIKELY(!c || !c->is_mounted) || mount_shows(c, topic);
}

/* The same before there is a session. */
bool may_write_will(const struct connection *c, struct span client_id, struct span topic);

/* Is there a topic that it matches and that the client may read? */
bool may_subscribe(const struct shard *s, const struct session *session, struct span filter);

/* Something was denied: counts it, and says so in the log, but not too often. */
void see_denied(struct shard *s, const struct session *session, uint8_t packet_type,
		struct span topic);
void see_denied_will(struct shard *s, const struct identity *i, struct span client_id,
		     struct span topic);

#endif
