/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One client's session ([5] 4.1): subscriptions, what it must still get, what it has started to
 * send. It lives on the shard that its client id hashes to, and may outlive its connections.
 *
 * Kept small: a million of them idle in memory must be affordable; rings and lists are allocated
 * on first use.
 */
#ifndef NIGHTJAR_BROKER_SESSION_H
#define NIGHTJAR_BROKER_SESSION_H

#include "base/timer.h"
#include "broker/acks.h"
#include "queue/queue.h"
#include "route/routes.h"
#include "session/receive.h"
#include "session/send.h"

struct command;
struct connect;
struct connection;
struct farewell;
struct identity;
struct shard;

struct will {
	struct message *message;
	uint32_t delay;    /* seconds */
	uint64_t due_ms;   /* wall clock; meaningful once the connection is gone */
	bool is_under_way; /* its PUBLISH is on the way to the log */
};

/* A shared subscription of this session; the group itself lives on its owner shard. */
struct membership {
	uint32_t identifier;
	uint16_t owner; /* shard; MEMBERSHIP_FREE = slot unused */
	uint16_t filter_len;
	uint8_t qos;
	bool retain_as_published;
	char *filter; /* the whole `$share/name/filter` */
};
#define MEMBERSHIP_FREE UINT16_MAX

struct session {
	struct subscriber subscriber;
	struct send send;
	struct receive receive;
	struct queue *queue;           /* &queue_none until something waits (session_queue) */
	struct connection *connection; /* NULL while absent */
	struct kept *kept;             /* NULL when it never was to survive its connection */
	struct will *will;             /* NULL when there is none */
	struct acks *acks;             /* answers under way; NULL when there are none */
	struct memberships *memberships;
	struct holdings *holdings; /* acknowledgements of publishers that wait for this reader */
	struct replay *replay;     /* retained messages still to be looked up for it */
	uint64_t number;           /* unique in the broker, never used again */
	uint64_t logged;           /* its newest command: sequence among its shard's */
	uint64_t log_id;     /* position of the CONNECT that began it; 0 = it does not survive */
	uint64_t connect_id; /* position of its newest CONNECT */
	uint32_t expiry_interval; /* seconds; 0 = ends with the connection, UINT32_MAX = never */
	uint16_t client_id_len;
	uint8_t finish_slot;     /* its newest range in the shard's `finishing`, + 1; 0 = none */
	uint8_t fetch_count : 3; /* of its messages' reads under way (fetch.c) */
	bool is_waiting_to_fetch : 1;
	bool is_fenced : 1;
	bool is_away : 1;         /* its AWAY was applied, and no CONNECT since */
	bool has_logged_qos0 : 1; /* QoS 0 messages (retained ones) are among its newest commands */
	char client_id[];
};

/* What only a session needs that survives its connection, or was to. */
struct kept {
	struct session *session;
	struct identity *identity; /* while absent: of its last client; NULL when none came since
				      the restart */
	struct timer timer;        /* will delay or session expiry, whichever is next */
	uint64_t expires_ms;       /* wall clock; meaningful while absent */
	uint64_t queue_next;  /* queue position of the next message; the first is 1. A message's
	                        packet id follows from it */
	uint64_t sent_to;     /* queue positions below it may have been sent: DUP when sent again */
	uint32_t fence_block; /* of queue positions up to which may be sent (fence.h) */
	uint32_t fence_next;  /* with is_fenced: the block that is waited for */
};

struct memberships {
	uint32_t count; /* slots, free ones included */
	bool is_sated;  /* owners were told that it has enough to do */
	struct membership slots[];
};

static inline struct span session_client_id(const struct session *s)
{
	return span_of(s->client_id, s->client_id_len);
}

/* A client id names one session [MQTT-3.1.3-2]. */
struct session *session_find(struct shard *s, struct span client_id);
struct session *session_by_number(struct shard *s, uint64_t number);
/* A fresh session under that id, which must not be in use. NULL without memory. */
struct session *session_new(struct shard *s, struct span client_id);
/* Gives it what a session needs that survives. 0 or ERROR_NO_MEMORY. */
int session_keep(struct session *session) MUST_USE;
/* Its queue, to put something into it; NULL without memory. */
struct queue *session_queue(struct shard *s, struct session *session);
static inline uint64_t session_sent_to(const struct session *s)
{
	return s->kept ? s->kept->sent_to : 0;
}
/* Ends it: subscriptions, groups, queues, everything; its connection must be gone. `why` is shown;
 * NULL when it was never meant to last. */
void session_end(struct shard *s, struct session *session, const char *why);

/* Frees what it holds without telling anybody: the broker itself ends. */
void session_forget(struct shard *s, struct session *session);

/* The connection is gone. The session ends with it, never before [MQTT-4.1.0-1], or the log is told
 * that it is away [MQTT-3.1.2-23]. */
void session_detach(struct shard *s, struct session *session, const struct farewell *why);
/* AWAY was applied: expiry [MQTT-4.1.0-2] and will delay count from then. */
void session_leave(struct shard *s, struct session *session, const struct command *away);
void session_timeout(struct shard *s, struct session *session);
/* Will or expiry, whichever comes first; both in wall clock, since expiry outlasts restarts. */
void session_set_timer(struct shard *s, struct session *session);
/* The log did not take that it is away, or over: that is said again. */
void session_not_logged(struct shard *s, struct session *session, const struct command *command);
/* Its client is back before that was said again: said now, in front of its CONNECT. */
void session_hurry_away(struct shard *s, struct session *session);
void session_drop_will(struct session *session);
/* Drops a will that its client may not publish by now. */
void will_judge(struct shard *s, struct session *session);
/* Publishes the will, once; the will of a session that survives stays until the log has it. */
void session_publish_will(struct shard *s, struct session *session);

/* Sets whether the session outlives its connection, and tells other shards where that matters. */
void session_set_survives(struct shard *s, struct session *session, bool survives);
void session_unsubscribe_all(struct shard *s, struct session *session);

/* A will in a CONNECT, kept with the session; NULL without memory (will.c). */
struct will *will_new(struct shard *s, const struct connect *connect, struct span source);

#endif
