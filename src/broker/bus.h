/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between shards: letters, collected per addressee during a turn and posted as one parcel at its
 * end. Letters from one shard to another arrive in order, log batches among them.
 */
#ifndef NIGHTJAR_BROKER_BUS_H
#define NIGHTJAR_BROKER_BUS_H

#include "io/mailbox.h"

struct shard;
struct broker;
struct log_batch;
struct log_read;

enum letter_kind {
	LETTER_PUBLISH, /* object: message */
	LETTER_VERDICT,
	LETTER_CONNECTION,     /* object: connection, which moves to its session's shard */
	LETTER_ACCESS,         /* object: struct access, to judge by from now on */
	LETTER_SETTINGS,       /* object: struct settings, shared, to go by from now on */
	LETTER_LOGIN,          /* object: struct login, answered */
	LETTER_INTEREST,       /* object: struct interest_news */
	LETTER_INTEREST_KNOWN, /* number: broadcast */
	LETTER_GROUP_JOIN,     /* object: struct group_news, for all of these */
	LETTER_GROUP_LEAVE,
	LETTER_GROUP_PRESENCE,
	LETTER_GROUP_DELIVER,
	LETTER_GROUP_RETURN,
	LETTER_GROUP_DONE,
	LETTER_GROUP_PREPARE,
	LETTER_GROUP_UNPREPARE,
	LETTER_GROUP_PREPARED, /* number: which command; no object */
	LETTER_GROUP_READ,     /* object: struct log_read, from the log */
};

struct letter {
	uint8_t kind; /* enum letter_kind */
	uint8_t reason_code;
	bool is_delegate;
	int16_t delegates;
	uint16_t origin; /* shard of the session that is to be answered */
	uint32_t ticket;
	uint64_t session; /* number of a session; whose is told by the kind */
	uint64_t number;
	void *object;
};

/* A parcel with 24 letters stays within the allocator's small sizes. */
#define PARCEL_LETTERS_MAX 24

struct parcel {
	struct mail mail;
	struct log_batch *batch; /* commands that are durable; then there are no letters */
	struct log_read *read;   /* an answer of the log; as above */
	size_t bytes;            /* what its objects hold, for congestion */
	uint32_t count;
	uint16_t from;
	struct letter letters[PARCEL_LETTERS_MAX];
};

/* Over this many bytes on their way to a shard, the others stop reading from clients. */
#define INBOX_BYTES_MAX ((size_t)32 << 20)

/* A letter to fill in, on its way at the end of the turn. Shards can't go on consistently when a
 * letter is lost, so running out of memory here ends the process. */
struct letter *bus_letter(struct shard *s, unsigned to, size_t object_bytes);
/* Posts what was collected. With `is_light` the receivers are not woken: gives the bits of those
 * who may sleep over it. */
uint64_t bus_flush(struct shard *s, bool is_light);
/* What was taken from the mailbox has batches of the log among it. */
bool bus_has_commands(const struct mail *mail);
/* Opens what was taken from the mailbox; takes it over. */
void bus_open(struct shard *s, struct mail *mail);
/* Opens everything that has come in. */
void bus_receive(struct shard *s);
/* What was never opened, when the broker ends. */
void bus_discard(struct shard *s);
/* A letter from outside of the shards (any thread). */
void bus_post(struct broker *b, unsigned to, const struct letter *letter);
/* The log gives back a batch (any thread). */
void bus_committed(void *context, struct log_batch *batch);

#endif
