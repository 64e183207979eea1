/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands: the only things that change what survives. One that concerns surviving state is
 * appended to the log and applied when it comes back, in log order (apply.c); one that does not is
 * applied at once, by the same function.
 */
#ifndef NIGHTJAR_BROKER_COMMAND_H
#define NIGHTJAR_BROKER_COMMAND_H

#include "broker/session.h"
#include "journal/log.h"

#include <stdatomic.h>

enum command_kind {
	COMMAND_CONNECT,     /* a session begins, or goes on, with these options */
	COMMAND_SUBSCRIBE,   /* filters with options */
	COMMAND_UNSUBSCRIBE, /* filters */
	COMMAND_PUBLISH,     /* a message, to every session that has asked for it by then */
	COMMAND_RELEASE,     /* the sender of a QoS 2 message has seen PUBREC: its id is free */
	COMMAND_END,         /* a session is over */
};

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

struct command {
	struct log_entry entry; /* must be first */
	uint8_t kind;           /* enum command_kind */
	uint64_t sequence;      /* among those of the appending shard */
	struct origin origin;
	struct message *message;        /* COMMAND_PUBLISH; a reference */
	struct connection *connection;  /* COMMAND_CONNECT; pinned */
	struct connect_options connect; /* COMMAND_CONNECT */
	uint32_t subscription_identifier;
	uint16_t packet_id; /* COMMAND_RELEASE, _SUBSCRIBE, _UNSUBSCRIBE */
	uint16_t version;   /* of the client */
	uint32_t text_len;
	uint8_t text[]; /* client id, or encoded filters */
};

/* With a copy of the text; NULL without memory. */
struct command *command_new(uint8_t kind, struct span text) MUST_USE;
void command_free(struct command *c);
static inline struct span command_text(const struct command *c)
{
	return span_of(c->text, c->text_len);
}

/* Into the log, for these shards (a bit each); comes back through apply. Takes it over. */
void command_append(struct shard *s, struct command *c, uint64_t targets);
/* This session has commands in the log that were not applied yet. */
bool command_is_pending(const struct shard *s, const struct session *session);

/* A turn's commands, together with how many shards have yet to apply them: the last frees all. */
struct batch {
	struct log_batch log;
	atomic_uint refs;
	size_t bytes; /* of its messages, for congestion */
};
/* Gives this turn's commands to the log. */
void batch_submit(struct shard *s);
void batch_discard(struct shard *s);
void batch_unref(struct log_batch *batch);

/* Applies one command on this shard. */
void apply(struct shard *s, struct command *c);

#endif
