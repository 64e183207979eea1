/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands: the only things that change what survives. One that concerns surviving state is
 * appended to the log and applied when it comes back, in log order (apply.c); one that does not is
 * applied at once, by the same function.
 *
 * What survives is a function of the commands in the log and of nothing else: apply looks at no
 * clock, no connection and no setting (LIMITS brings those it obeys). What a live broker knows
 * ahead of the log (acknowledgements that came, ids of messages under way) is told to the log by
 * commands of its own: FINISH, RECEIVED, AWAY.
 */
#ifndef NIGHTJAR_BROKER_COMMAND_H
#define NIGHTJAR_BROKER_COMMAND_H

#include "broker/session.h"
#include "journal/log.h"

#include <stdatomic.h>

enum command_kind {
	COMMAND_NOTHING = 0, /* comes back when all before it has: for who must wait for that */
	COMMAND_LIMITS,      /* what apply obeys from here on */
	COMMAND_CONNECT,     /* a session begins, or goes on, with these options */
	COMMAND_AWAY,      /* its connection is gone; expiry and will delay count from `time_ms` */
	COMMAND_END,       /* a session is over */
	COMMAND_SUBSCRIBE, /* filters with options */
	COMMAND_UNSUBSCRIBE, /* filters */
	COMMAND_PUBLISH,     /* a message, to every session that has asked for it by then */
	COMMAND_RELEASE,     /* the sender of a QoS 2 message is done with its id */
	COMMAND_FINISH,      /* messages `from` to `to` of a session's queue are done */
	COMMAND_RECEIVED,    /* PUBREC came for message `from` of a session's queue */
	COMMAND_GIVE,        /* a retained or a group's message, into one session's queue */
	COMMAND_RETURN,      /* message `from` of a session's queue goes back to its group */
	COMMAND_CHECKPOINT,  /* every shard writes down its state as it stands here */
	COMMAND_RESTART,     /* a new process has the log: connections of the old one are gone */
	COMMAND_REPLAYED,    /* retained messages were looked up for SUBSCRIBEs until `asked` */
	COMMAND_KIND_COUNT,
};

/* Flags of commands; each kind has its own. */
#define COMMAND_NOTHING_MARKER 0x01 /* of a checkpoint; not written down */
#define COMMAND_NOTHING_FENCE 0x02  /* of fence.h; not written down */
#define COMMAND_CONNECT_CLEAN 0x01
#define COMMAND_AWAY_KEEP_WILL 0x01    /* it was lost, not ended: the will is due */
#define COMMAND_SUBSCRIBE_REFUSED 0x01 /* no room for more: every filter is answered 0x97 */
#define COMMAND_PUBLISH_WILL 0x01      /* the will of session_id, of its CONNECT connect_id */
#define COMMAND_RELEASE_UNKNOWN 0x01   /* it was not open; not written down */
#define COMMAND_FINISH_REFUSED 0x01    /* never was in the queue: it had no room */

/* Where answers go. */
struct origin {
	uint64_t session; /* 0 = nobody waits */
	uint32_t ticket;
	uint16_t shard;
};

struct connect_options {
	uint32_t expiry_interval;
	uint16_t receive_maximum;
	bool clean_start;
	bool is_assigned;     /* the client id is ours: tell the client */
	bool tell_expiry;     /* we shortened the expiry: tell the client */
	bool tell_keep_alive; /* Server Keep Alive */
	bool wants_response_information;
	struct will *will; /* owned */
};

/* What of the settings decides in apply. */
struct limits {
	uint32_t subscriptions_per_client_max;
	uint16_t topic_levels_max;
	uint8_t qos_max;
	bool upgrade_outgoing_qos;
};

struct command {
	struct log_entry entry; /* must be first */
	uint8_t kind;           /* enum command_kind */
	uint8_t flags;          /* COMMAND_... of its kind */
	uint8_t qos;            /* GIVE */
	uint8_t queued_flags;   /* GIVE, RETURN: QUEUED_... */
	uint16_t packet_id;     /* RELEASE, SUBSCRIBE, UNSUBSCRIBE, PUBLISH of QoS 2 */
	uint8_t version;        /* of the client; not written down */
	bool is_prepared;       /* SUBSCRIBE: interest was told before; not written down */
	uint16_t awaited;       /* of that, answers that have not come; not written down */
	uint64_t sequence;      /* among those of the appending shard; not written down */
	struct origin origin;   /* not written down */
	uint64_t session_id;    /* log_id of whose it is; PUBLISH: of the publisher, 0 = none */
	uint64_t connect_id;    /* AWAY, END, PUBLISH of a will: which CONNECT it is about */
	union {
		uint64_t time_ms; /* CONNECT, AWAY, END, RESTART: wall clock when it was appended */
		uint64_t from;    /* FINISH, RECEIVED, RETURN: queue positions, inclusive */
	};
	union {
		uint64_t to;      /* FINISH */
		uint64_t given;   /* GIVE, RETURN: log position of the message */
		uint64_t asked;   /* REPLAYED: log position of the last such SUBSCRIBE */
		uint64_t sent_to; /* AWAY: queue positions below it have been sent */
		uint64_t last;    /* RESTART: log position of the newest record of the old one */
	};
	struct message *message;          /* PUBLISH, GIVE (while it is in memory); a reference */
	struct connection *connection;    /* CONNECT; pinned; not written down */
	struct connect_options *connect;  /* CONNECT; owned */
	struct limits limits;             /* LIMITS */
	uint32_t subscription_identifier; /* SUBSCRIBE, GIVE */
	uint32_t expiry_interval;         /* AWAY */
	uint32_t text_len;
	uint8_t text[]; /* client id (CONNECT), encoded filters, group's filter (GIVE, RETURN) */
};

/* With a copy of the text; NULL without memory. CONNECT has its options, zeroed. */
struct command *command_new(uint8_t kind, struct span text) MUST_USE;
void command_free(struct command *c);
static inline struct span command_text(const struct command *c)
{
	return span_of(c->text, c->text_len);
}

/* Into the log, for these shards (a bit each); comes back through apply. Takes it over. */
void command_append(struct shard *s, struct command *c, uint64_t targets);
/* Room for a large one, which then can be appended. 0 or ERROR_NO_MEMORY. */
int command_reserve(struct shard *s, const struct command *c) MUST_USE;
/* This session has commands in the log that were not applied yet. */
bool command_is_pending(const struct shard *s, const struct session *session);

/* A turn's commands, together with how many shards have yet to apply them: the last frees all. */
struct batch {
	struct log_batch log;
	atomic_uint refs;
	uint32_t capacity; /* of its records' buffer */
	size_t bytes;      /* of its messages, for congestion */
};
/* Over this many bytes that a shard has given to the log and not got back, it stops reading. */
#define UNDURABLE_BYTES_MAX ((size_t)8 << 20)
/* Those who wait for what this turn appends want it on stable storage, whatever is usual. */
void batch_want_sync(struct shard *s);
/* Gives this turn's commands to the log. */
void batch_submit(struct shard *s);
/* One of this shard's batches came back: it is applied next, or failed. */
void batch_returned(struct shard *s, const struct log_batch *batch);
void batch_discard(struct shard *s);
void batch_unref(struct log_batch *batch);

/* Applies one command on this shard. Whom a command is about, `origin.session` says: the number of
 * the session here; who reads commands from a log fills it in. */
void apply(struct shard *s, struct command *c);
/* It did not get into the log: whoever waits for it is told. On the shard that appended it. */
void command_failed(struct shard *s, struct command *c);

#endif
