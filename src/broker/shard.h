/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of a shard: what its files share. One thread owns all of it but the mailbox. */
#ifndef NIGHTJAR_BROKER_SHARD_H
#define NIGHTJAR_BROKER_SHARD_H

#include "base/map.h"
#include "broker/bus.h"
#include "broker/command.h"
#include "broker/connection.h"
#include "broker/session.h"
#include "io/mailbox.h"
#include "route/retained.h"
#include "route/share.h"

/* Bytes of a packet that are first read into the shard's own scratch area; a packet that is larger
 * gets a buffer of its own, which grows as its bytes come, not as they are announced. */
#define SCRATCH_BYTES_MIN 65536

/* A SUBACK that waits until every shard knows of the interest. */
struct interest_waiting {
	uint64_t sequence;
	struct origin origin;
};

struct interest_state {
	uint64_t sent;                       /* broadcasts made */
	uint64_t known[SHARDS_MAX];          /* broadcasts each shard has confirmed */
	struct interest_waiting *waiting;    /* in order of sequence */
	uint32_t waiting_count;
	uint32_t waiting_capacity;
};

struct shard {
	struct broker *broker;
	const struct settings *settings;
	unsigned index;
	struct moment now;
	struct routes *routes;
	struct retained *retained;
	uint64_t retained_bytes;
	struct map sessions;
	struct session **numbers; /* by slot of the session number */
	uint32_t numbers_count;
	uint32_t numbers_free;    /* first free slot + 1, chained through the table; 0 = none */
	uint32_t generation;
	uint64_t assigned_ids;
	struct span connecting_id; /* of the CONNECT at hand, for its log lines */
	struct link connections;
	struct link graveyard;
	struct link replays;
	uint8_t *forwarded; /* properties of the PUBLISH at hand, less those that end here */
	size_t forwarded_capacity;
	struct link holders; /* sessions that hold publishers back */
	struct connection *dirty;
	struct connection *resumed;
	uint64_t connection_count;
	struct timer_wheel connection_timers;
	struct timer_wheel session_timers;
	struct chunk_pool chunks;
	uint8_t *scratch;
	size_t scratch_len;
	struct event_ring events;
	struct mailbox mailbox;
	atomic_int holder;          /* enum turn_holder: whose turn this shard's state is in */
	bool is_borrowed;           /* the turn at hand is taken by another shard's thread */
	uint64_t sleeps_until_ms;   /* steady clock; when its own thread wakes by itself */
	uint64_t messages_in_before; /* at the beginning of the turn */
	atomic_size_t inbox_bytes; /* of letters on their way to this shard */
	struct packet_cache *packets; /* the PUBLISH being fanned out, as encoded for the last */
	struct parcel *parcels[SHARDS_MAX]; /* letters of this turn */
	struct log_batch *batch;            /* commands of this turn */
	uint64_t appended;
	uint64_t applied;
	struct interest_state interest;
	bool is_congested;     /* another shard can't keep up: stop reading */
	bool is_shutting_down;
	bool has_work;         /* another turn is needed without waiting */
	uint32_t paused_count; /* connections paused by congestion */
	uint64_t hold_until_ms; /* when publishers held back are let go; steady clock */
	uint64_t memory_bytes; /* waiting in queues */
	struct shard_status status;
};

enum turn_holder {
	TURN_OWN,      /* its own thread */
	TURN_FREE,     /* its own thread sleeps: whoever has mail for it may take a turn */
	TURN_BORROWED, /* another shard's thread */
};

struct broker {
	struct settings settings;
	struct broker_hooks hooks;
	struct log *log;
	unsigned shard_count;
	uint64_t seed;
	uint64_t start_ms; /* wall clock; tells assigned ids of one start from another's */
	atomic_uint_fast64_t connection_count;
	struct shard shards[];
};

unsigned shard_of(const struct broker *b, struct span key);
static inline struct shard *shard_at(struct shard *s, unsigned index)
{
	return &s->broker->shards[index];
}
static inline uint64_t shard_bit(const struct shard *s)
{
	return 1ULL << s->index;
}

/* Events (see.c). `c` may be NULL. */
struct event *shard_event(struct shard *s, uint8_t kind, const struct connection *c);
void shard_event_show(struct shard *s, const struct event *e, const struct connection *c,
		      struct span topic, const char *text);
static inline bool shard_is_watched(const struct shard *s)
{
	return s->broker->hooks.event != NULL;
}
static inline void shard_settle(struct shard *s)
{
	const struct broker_hooks *hooks = &s->broker->hooks;
	if (hooks->settle)
		hooks->settle(hooks->context, s->index);
}
void see_packet(struct connection *c, bool is_incoming, uint8_t type, uint16_t packet_id,
		uint8_t reason_code);
void see_publish(struct connection *c, bool is_incoming, struct span topic, uint8_t qos,
		 uint8_t flags, uint16_t packet_id, uint32_t payload_len);
/* A row of a delivery table was run: the state after it, and the event. */
void see_step(struct connection *c, bool is_sender, uint8_t state, uint8_t step,
	      uint16_t packet_id);
void see_queued(struct shard *s, const struct session *session, struct span topic, uint8_t qos);
void see_dropped(struct shard *s, const struct session *session, struct span topic,
		 const char *why);

/* Publishing (publish.c). */
struct publication {
	struct message_parts parts;
	struct message *message; /* made when someone must keep it; NULL before */
	bool is_fanned_out;      /* many get it: encode once (packet_cache) */
};
/* The message to keep, made from the parts when needed; borrowed. NULL without memory. */
struct message *publication_message(struct publication *p);
void publication_of_message(struct publication *p, struct message *m);
void publication_release(struct publication *p);
/* What this shard has to say of a message it was given. */
struct outcome {
	uint8_t reason_code;  /* 0x00, 0x10, 0x97 */
	int16_t delegates;
	struct session *slow; /* a subscriber that is to hold the answer back, or NULL */
};
/* To all sessions of this shard (and groups it owns) that want it. No session ends meanwhile. */
struct outcome publish_here(struct shard *s, struct publication *p,
			    const struct subscriber *publisher, const struct origin *origin);
/*
 * A message enters the broker: here, to other shards, and into the log as its subscribers need.
 * `ack` is the answer that the publisher waits for, NULL when there is none. Returns its reason
 * code when it may leave at once; ERROR_AGAIN when it was opened and leaves through acks_verdict;
 * another error when nothing was done.
 */
int publish_enter(struct shard *s, struct publication *p, struct session *publisher,
		  struct ack_waiting *ack);
/* A letter or command brought it here. */
void publish_arrive(struct shard *s, struct message *m, const struct origin *origin);
/* 0x97 and other failures win, then success, then "nobody". */
uint8_t reason_merge(uint8_t a, uint8_t b);

/* Delivering to one session (deliver.c). */
struct delivery {
	struct publication *publication;
	uint32_t identifier;
	uint16_t membership;
	uint8_t qos;
	uint8_t flags; /* QUEUED_..., DELIVER_ACCEPTED */
};
/* Its publisher has been told that it will be delivered: no limit refuses it any more. */
#define DELIVER_ACCEPTED 0x80
enum delivered {
	DELIVERED,
	DELIVERED_SLOWLY, /* and this reader has fallen behind: hold publishers back */
	DELIVERY_REFUSED, /* its queue is full */
};
enum delivered deliver(struct shard *s, struct session *session, struct delivery *d);
/* Sends what may be sent: again after a reconnect, then what waits. */
void deliver_pump(struct shard *s, struct session *session);
bool deliver_is_due(const struct session *session);
/* A message left a queue undelivered: counts it, says why, drops it. */
void deliver_give_up(struct shard *s, struct session *session, struct message *m, const char *why);

/* Publishers held back by a slow reader (hold.c). */
void hold_verdict(struct shard *s, struct session *slow, const struct verdict *v,
		  const struct origin *origin);
void hold_release(struct shard *s, struct session *session);
void hold_drop(struct session *session);
/* Lets go what was held long enough; when to look again (steady clock, UINT64_MAX = never). */
uint64_t hold_turn(struct shard *s);
bool session_is_slow(const struct shard *s, const struct session *session);
/* Gives a verdict, wherever the one who waits lives. */
void verdict_give(struct shard *s, const struct origin *origin, struct verdict v);

/* Shared groups (group.c). Joining returns how many delegated verdicts the SUBACK must wait for, or
 * a negative error. */
int group_join(struct shard *s, struct session *session, struct span filter,
	       const struct subscription_options *options, uint32_t identifier,
	       const struct origin *origin);
bool group_leave(struct shard *s, struct session *session, struct span filter);
/* How many the session is a member of. */
uint32_t group_count(const struct session *session);
bool group_has(struct session *session, struct span filter);
void group_forget(struct session *session);
void group_leave_all(struct shard *s, struct session *session);
/* The session's connection came or went: what it had not acknowledged goes to other members. */
void group_presence(struct shard *s, struct session *session, bool is_connected);
void group_letter(struct shard *s, const struct letter *letter);
void group_letter_discard(const struct letter *letter);
/* When the broker ends: all groups go, whoever was in them. */
void group_forget_all(struct shard *s);
struct outcome group_publish(struct shard *s, struct share *share, struct publication *p,
			     const struct origin *origin);

/* Interest of shards in filters (interest.c). */
/* After a change of the filter's subscriptions here: tells the others, if it matters to them. */
void interest_changed(struct shard *s, struct span filter, struct interest before);
/* The origin's answer waits until all shards know all that was told so far; false: it need not. */
bool interest_wait(struct shard *s, const struct origin *origin);
void interest_letter(struct shard *s, const struct letter *letter);
void interest_letter_discard(const struct letter *letter);

/* Retained messages (retain.c). */
void retain_apply(struct shard *s, struct message *m);
/* The store has no room for such a message on that topic. */
bool retain_is_over_limit(const struct shard *s, struct span topic, size_t payload_len);
void replay_start(struct shard *s, struct session *session, struct span filter, uint8_t qos,
		  uint32_t identifier);
/* Too many wait for it: the session shall not subscribe to more for now. */
bool replay_is_full(const struct session *session);
void replay_turn(struct shard *s);
/* A reader has room again after its output was flushed. */
bool replay_is_due(const struct shard *s);
void replay_pause(struct session *session);
void replay_resume(struct shard *s, struct session *session);
void replay_drop(struct session *session);

/* PUBACK, PUBREC, PUBREL or PUBCOMP into the output, with what v5 has to say; a refused QoS 2
 * message is forgotten here (handle_ack.c). */
void ack_send(struct connection *c, uint8_t type, uint16_t packet_id, uint8_t reason_code);
/* An answer that waits for nothing but its turn. */
void ack_answer(struct connection *c, uint8_t type, uint16_t packet_id, uint8_t reason_code);

/* A client's message or will as it is forwarded: properties that end here are left out; the copy
 * lies in the shard until the next call. False without memory (handle_publish.c). */
bool forward_properties(struct shard *s, const struct properties *properties,
			struct span *forward_out);

/* Sets whether the session outlives its connection, and tells other shards where that matters. */
void session_set_survives(struct shard *s, struct session *session, bool survives);
void session_unsubscribe_all(struct shard *s, struct session *session);

/* After CONNECT was applied (handle_connect.c). */
void connect_accept(struct connection *c, struct session *session, bool is_present,
		    struct connect_options *options);
void connect_arrive(struct shard *s, struct connection *c);
/* A will in a CONNECT, kept with the session; NULL without memory (will.c). */
struct will *will_new(struct shard *s, const struct connect *connect);

#endif
