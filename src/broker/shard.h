/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of a shard: what its files share. One thread owns all of it but the mailbox. */
#ifndef NIGHTJAR_BROKER_SHARD_H
#define NIGHTJAR_BROKER_SHARD_H

#include "base/buffer.h"
#include "base/map.h"
#include "broker/bus.h"
#include "broker/checkpoint.h"
#include "broker/command.h"
#include "broker/connection.h"
#include "broker/fetch.h"
#include "broker/finish.h"
#include "broker/guard.h"
#include "broker/identity.h"
#include "broker/interest.h"
#include "broker/quiet.h"
#include "broker/session.h"
#include "io/mailbox.h"
#include "queue/pager.h"
#include "route/retained.h"

/* Bytes of a packet that are first read into the shard's own scratch area; a packet that is larger
 * gets a buffer of its own, which grows as its bytes come, not as they are announced. */
#define SCRATCH_BYTES_MIN 65536

/* Publishes that wait for room in the log (full.h). */
struct held_publishes {
	struct held_publish *first;
	struct held_publish *last;
	size_t bytes;
};

/* What this shard has measured of itself (shed.h). */
struct shedding {
	uint64_t ended_ms;   /* steady clock: its last turn */
	uint64_t swept_ms;   /* when it last looked for stalled connections */
	uint32_t delay_us;   /* how late it is, on average */
	uint8_t delay_level; /* enum shed_level */
	bool is_dropping;    /* QoS 0 */
};

struct shard {
	struct broker *broker;
	const struct settings *settings; /* those that hold now; a reference */
	struct access *access;           /* what clients are judged by; a reference */
	struct identities *identities;   /* by realm */
	struct quiet quiet_refused;
	struct quiet quiet_denied;
	struct quiet quiet_limited;
	unsigned index;
	struct moment now;
	struct routes *routes;
	struct retained *retained;
	uint64_t retained_bytes;
	struct map sessions;
	struct map identifier_sets; /* by session number (identifiers.c) */
	struct session **numbers;   /* by slot of the session number */
	uint32_t numbers_count;
	uint32_t numbers_free; /* first free slot + 1, chained through the table; 0 = none */
	uint32_t generation;
	uint64_t assigned_ids;
	struct span connecting_id; /* of the CONNECT at hand, for its log lines */
	struct link connections;
	struct link graveyard;
	struct link replays;
	uint8_t *forwarded; /* properties of the PUBLISH at hand, less those that end here */
	size_t forwarded_capacity;
	struct buffer mounted; /* topics of the packet at hand (mount.h) */
	struct buffer source;  /* of the message at hand (source.h) */
	bool has_mounts;       /* a client with a mount point has been here */
	struct link holders;   /* sessions that hold publishers back */
	struct connection *dirty;
	struct connection *resumed;
	uint64_t connection_count;
	uint64_t recheck_left; /* connections still to be looked at (recheck.h) */
	unsigned recheck_seen;
	unsigned tell_seen; /* (tell.h) */
	struct timer_wheel connection_timers;
	struct timer_wheel session_timers;
	struct timer_wheel throttle_timers; /* connections that were too fast (throttle.h) */
	struct chunk_pool chunks;
	uint8_t *scratch;
	size_t scratch_len;
	struct event_ring events;
	struct mailbox mailbox;
	atomic_int holder;            /* enum turn_holder: whose turn this shard's state is in */
	bool is_borrowed;             /* the turn at hand is taken by another shard's thread */
	uint64_t sleeps_until_ms;     /* steady clock; when its own thread wakes by itself */
	uint64_t messages_in_before;  /* at the beginning of the turn */
	atomic_size_t inbox_bytes;    /* of letters on their way to this shard */
	struct packet_cache *packets; /* the PUBLISH being fanned out, as encoded for the last */
	struct parcel *parcels[SHARDS_MAX]; /* letters of this turn */
	struct log_batch *batch;            /* commands of this turn */
	uint64_t appended;
	uint64_t applied;          /* came back from the log, to be correct: applied, or failed */
	uint64_t position;         /* in the log, of what was applied last */
	uint64_t undurable_bytes;  /* given to the log and not come back */
	uint32_t batch_bytes;      /* room for records in the newest batch */
	uint32_t connects_pending; /* CONNECTs in the log that were not applied yet */
	struct limits limits;      /* as the log has them */
	struct finishing finishing;
	struct held_publishes held;
	struct fetching fetching;
	struct queue_pager pager;
	struct interest_state interest;
	struct returning_group *returning; /* groups' messages that are on their way back */
	struct shedding shed;
	bool is_congested;  /* another shard, or the log, can't keep up: stop reading */
	bool has_started;   /* has told the log what a new process tells it first */
	bool is_recovering; /* commands are read from the log: no answers, nothing is appended */
	bool is_shutting_down;
	bool has_work;          /* another turn is needed without waiting */
	uint32_t paused_count;  /* connections paused by congestion */
	uint64_t hold_until_ms; /* when publishers held back are let go; steady clock */
	uint64_t memory_bytes;  /* of messages that wait or are on their way at QoS 1 and 2 */
	atomic_uint_fast64_t memory_shown; /* what other shards know of it; with a memory_limit */
	uint64_t memory_of_others;         /* as they have shown it when this turn began */
	struct shard_status status;
};

enum turn_holder {
	TURN_OWN,      /* its own thread */
	TURN_FREE,     /* its own thread sleeps: whoever has mail for it may take a turn */
	TURN_BORROWED, /* another shard's thread */
};

struct broker {
	struct broker_hooks hooks;
	struct log *log;
	unsigned shard_count;
	uint64_t seed;
	uint64_t start_ms;         /* wall clock; tells assigned ids of one start from another's */
	struct recovery *recovery; /* while the state is read from a log */
	uint64_t recovered_to;     /* log position of the newest record that was; 0 = none */
	uint64_t recovered_ms;     /* wall clock; when sessions became absent by the restart */
	atomic_uint_fast64_t connection_count;
	atomic_uint recheck_count; /* how often peers were to be looked at anew */
	atomic_uint tell_count;    /* how often subscriptions were asked for */
	atomic_uint_fast64_t session_count;
	atomic_bool wants_checkpoint;
	struct checkpoint checkpoint;
	struct guard guard;
	struct shard shards[];
};

/* What of the settings goes into the log as LIMITS. */
struct limits limits_of(const struct settings *settings);
unsigned shard_of(const struct broker *b, struct span key);
static inline struct shard *shard_at(struct shard *s, unsigned index)
{
	return &s->broker->shards[index];
}
static inline uint64_t shard_bit(const struct shard *s)
{
	return 1ULL << s->index;
}

#endif
