/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several Subscription Identifiers with one message [MQTT-3.3.4-4]. What waits in the log for a
 * session says which ones by an index into the session's table of sets: they are few, and messages
 * that want them many.
 */
#ifndef NIGHTJAR_BROKER_IDENTIFIERS_H
#define NIGHTJAR_BROKER_IDENTIFIERS_H

#include "base/base.h"

struct publication;
struct session;
struct shard;

/* Sets of one session; beyond it (nobody subscribes like that) a message brings its first
 * identifier only. */
#define IDENTIFIER_SETS_MAX 1024

struct identifier_set {
	uint32_t count;
	uint32_t identifiers[];
};

void identifiers_init(struct shard *s);
/* The index of that set, which is put into the table when it is not there. ERROR_NO_MEMORY, or
 * ERROR_LIMIT: the table is full. */
int identifiers_index(struct shard *s, const struct session *session, const uint32_t *identifiers,
		      uint32_t count, uint32_t *index_out) MUST_USE;
/* One more, with the next index. 0, ERROR_NO_MEMORY or ERROR_LIMIT. */
int identifiers_add(struct shard *s, const struct session *session, const uint32_t *identifiers,
		    uint32_t count) MUST_USE;
/* NULL when there is none. Indices follow each other from 0. */
const struct identifier_set *identifiers_at(const struct shard *s, const struct session *session,
					    uint32_t index);
void identifiers_release(struct shard *s, const struct session *session);

/* The same with these in front of its properties, which lie in `*bytes_out`, to be freed. It
 * borrows the rest, and has no message yet. */
int identifiers_put(const uint32_t *identifiers, uint32_t count, const struct publication *p,
		    struct publication *copy_out, uint8_t **bytes_out) MUST_USE;

#endif
