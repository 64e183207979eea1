/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The broker without sockets, threads or clock: shards that are given streams, readiness and time.
 * One thread drives a shard:
 *
 *     wait for readiness, at most shard_wait_ms, asleep only if shard_sleep said so
 *     shard_turn_begin(now)
 *     shard_accept / shard_ready for whatever is there
 *     shard_turn_end()          decides, logs, applies, answers: see turn.c
 *
 * A test drives all shards from one thread, on simulated streams and clock.
 */
#ifndef NIGHTJAR_BROKER_BROKER_H
#define NIGHTJAR_BROKER_BROKER_H

#include "broker/login.h"
#include "broker/settings.h"
#include "io/stream.h"
#include "trace/event.h"

struct broker;
struct mount;
struct shard;

/* Time is an argument. */
struct moment {
	uint64_t steady_ms; /* never goes back */
	uint64_t wall_ms;   /* since 1970 */
};

struct guard;

struct broker_hooks {
	void *context;
	/* Another thread has mail for this shard, which said it sleeps: wake it. Any thread. */
	void (*wake)(void *context, unsigned shard);
	/* The stream (at its final address) belongs to this shard now: report its readiness to
	 * shard_ready. On the shard's thread. 0 or a negative error (the stream is closed then). */
	int (*attach)(void *context, unsigned shard, struct stream *stream);
	/* Somebody says who it is: takes the login, and hands it to broker_answer_login when it is
	 * answered (login_answer). On the shard's thread. ERROR_LIMIT when too many wait: then it is
	 * the caller's. NULL: the shard's thread does it itself, for tests. */
	int (*verify)(void *context, struct login *login);
	/* Bytes that nobody can guess, for what peers must not foresee. Any thread; 0 or an error.
	 * NULL: they follow from the broker's seed, for tests. */
	int (*random)(void *context, struct room room);
	/* How many bytes the process holds; any thread. NULL: nobody has weighed it. */
	uint64_t (*memory)(void *context);
	/* An event happened; on the shard's thread; NULL when nobody wants to know. */
	void (*event)(void *context, unsigned shard, const struct event *event,
		      const struct event_detail *detail);
	/* What was shown by events so far is about to be heard of by others (peers, other shards):
	 * a view that collects lines writes them now, so that cause stands before effect. On the
	 * shard's thread; NULL when there is no view. */
	void (*settle)(void *context, unsigned shard);
};

/* NULL when there is no memory. Settings and hooks are copied. 1 to SHARDS_MAX shards.
 * `seed` must be unpredictable outside of tests. */
#define SHARDS_MAX 64
struct broker *broker_new(const struct settings *settings, const struct broker_hooks *hooks,
			  unsigned shard_count, uint64_t seed, struct moment now);
/* After all shards' threads have ended. */
void broker_free(struct broker *b);

/* The log is in memory at first. Another one takes its place, and is freed with the broker: before
 * recovery and before any thread runs. It calls broker_committed, with the broker as context. */
struct log;
struct log_batch;
void broker_use_log(struct broker *b, struct log *log);
/* Where that shard's queues go beyond its part of queue_memory_bytes_max; freed with the broker. As above. */
struct page_file;
void broker_use_pages(struct broker *b, unsigned shard, struct page_file *file);
/* What clients are judged by; at first one realm, in which settings.allow_anonymous decides and all
 * is allowed. Takes over the reference. Before any thread runs, 0 or ERROR_NO_MEMORY; later, on any
 * thread, with at least as many realms: each shard changes over at its next turn. */
int broker_use_access(struct broker *b, struct access *access) MUST_USE;
void broker_change_access(struct broker *b, struct access *access);
/* What settings_share gave holds from now on, in each shard as soon as it reads its mail. Takes over
 * the reference. Any thread. Some of it concerns only clients that come from now on (change.h). */
void broker_change_settings(struct broker *b, const struct settings *shared);
/* What peers have proved may have lost its worth (recheck.h). Any thread; shards must be woken. */
void broker_recheck_peers(struct broker *b);
/* Each shard tells what is subscribed, as events (tell.h). Any thread; shards must be woken. */
void broker_tell_subscriptions(struct broker *b);
void broker_committed(void *broker, struct log_batch *batch);
/* Any thread: a checkpoint is wanted, the log's health has changed. */
void broker_want_checkpoint(struct broker *b);
void broker_log_changed(struct broker *b);
/* Any thread: one that was wanted is not done yet. Shards must take turns for it. */
bool broker_checkpoint_is_due(const struct broker *b);
struct shard *broker_shard(struct broker *b, unsigned index);
/* What its shards have refused, and held back. */
struct guard *broker_guard(struct broker *b);

/* When a publisher hears that its message is stored. */
enum answer {
	ANSWER_USUAL,        /* as `durability` of the broker has it */
	ANSWER_AT_ONCE,      /* `durability off` of its listener: before the message is on disk */
	ANSWER_WHEN_DURABLE, /* `durability always` of its listener */
};

/* Where a connection comes from. */
struct peer {
	char address[56];         /* "127.0.0.1:43210", "[::1]:43210", "unix" */
	uint16_t port;            /* of our listener */
	uint8_t answer;           /* enum answer */
	uint8_t realm;            /* of our listener: index in struct access */
	struct mount *mount;      /* of our listener, or NULL; borrowed */
	bool is_named_by_user;    /* use_username_as_clientid of our listener */
	uint8_t listener;         /* index in limit_settings.listeners */
	bool is_proxied;          /* a proxy will tell its address: this one is the proxy's */
	bool is_counted;          /* set by shard_admits: its address has one more connection */
	uint8_t refused_versions; /* bit n: of clients of protocol level n, by our listener */
};

/* May whoever waits at that listener be accepted? Else when to look again, in milliseconds. On the
 * shard's thread, as the rest. */
uint64_t shard_accept_wait_ms(struct shard *s, unsigned listener);
/* A connection was accepted. May it come in, as far as its address goes? Else it is to be closed,
 * before anything is spent on it. */
bool shard_admits(struct shard *s, struct peer *peer) MUST_USE;
/* One that was admitted, and will not be given to shard_accept. */
void shard_dismiss(struct shard *s, const struct peer *peer);
/* What a proxy tells of an address, before anything is spent on its client: may it come in? */
bool shard_admits_proxied(struct shard *s, const char *address);

/* Takes over the stream, also when it fails (then it is closed). */
void shard_accept(struct shard *s, const struct stream *stream, const struct peer *peer);
void shard_turn_begin(struct shard *s, struct moment now);
/* A stream may be reported once more in the turn in which it was closed: that is ignored. */
void shard_ready(struct shard *s, struct stream *stream, bool is_readable, bool is_writable);
/* A message of the broker's own, at QoS 0, for whoever is there now. Within a turn. */
void shard_publish(struct shard *s, struct span topic, struct span payload);
void shard_turn_end(struct shard *s);

/* After each turn: when it began and ended, by the steady clock. How late a shard is follows from
 * it (shed.h). Without it nothing is shed for that. */
void shard_note_turn(struct shard *s, uint64_t began_ms, uint64_t ended_ms);

/* How long the thread may wait; 0 when there is work left, UINT64_MAX for "until something comes". */
uint64_t shard_wait_ms(const struct shard *s);
/* False when mail has come in: take another turn instead of sleeping. */
bool shard_sleep(struct shard *s) MUST_USE;

/* Says goodbye (v5: DISCONNECT with that reason) to all connections and closes them when their
 * output is flushed, at the latest after some turns. Their wills are due, as after any connection
 * that was not ended by its client; without a kept log nobody is left to hear them, and they go.
 * Call on the shard's thread, then go on taking turns until
 * shard_connection_count() is 0 or patience ends. */
void shard_shutdown(struct shard *s, uint8_t reason_code);
uint64_t shard_connection_count(const struct shard *s);
/* All that this shard has given to the log came back: with all connections gone and every shard
 * settled, the broker may end. On the shard's thread, between turns. */
bool shard_is_settled(const struct shard *s);

/* Counters of one shard, read by its own thread or after it ended. */
struct shard_status {
	uint64_t connections, connections_total, sessions, subscriptions;
	uint64_t messages_in, messages_out, bytes_in, bytes_out;
	uint64_t dropped_qos0, dropped_queue_full, dropped_too_large, dropped_expired;
	uint64_t dropped_damaged; /* the log could not give them back */
	uint64_t denied;          /* publishes, subscriptions and deliveries, by access rules */
	uint64_t retained_messages, retained_bytes, queued_messages;
	uint64_t held_bytes; /* of messages that wait or are on their way at QoS 1 and 2 */
};
void shard_status(const struct shard *s, struct shard_status *out);

const struct event_ring *shard_events(const struct shard *s);

#endif
