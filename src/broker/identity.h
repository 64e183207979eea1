/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who a client is, once that is known: one for all clients of the same realm and user name on a
 * shard that are known in the same way, so that a connection and its session hold a pointer and not
 * a name.
 */
#ifndef NIGHTJAR_BROKER_IDENTITY_H
#define NIGHTJAR_BROKER_IDENTITY_H

#include "access/access.h"
#include "base/map.h"

struct shard;
struct session;

struct identity {
	uint32_t refs;
	uint32_t rules; /* of the realm's ACL; found anew for another table, but if revoked */
	uint64_t stamp; /* of what vouched for it (a stored password, a key); 0: nothing did */
	bool has_name;
	bool is_revoked; /* by a newer table: whoever has it must go */
	uint8_t method;  /* enum access_method: how it is known */
	uint8_t realm;
	uint16_t name_len;
	uint8_t key[]; /* what it is found by: IDENTITY_KEY_HEAD bytes, and the name */
};
#define IDENTITY_KEY_HEAD 9

/* Those of one realm. */
struct identities {
	struct map all;
};

static inline struct span identity_name(const struct identity *i)
{
	return span_of(i->key + IDENTITY_KEY_HEAD, i->name_len);
}

struct identity_claim {
	const struct span *name; /* NULL: anonymous */
	uint64_t stamp;
	uint8_t realm;
	uint8_t method;
};
/* The one of that claim, for the caller to keep; NULL without memory. One that was verified by a
 * table that is not the newest comes revoked. */
struct identity *identity_of(struct shard *s, const struct identity_claim *claim);
/* NULL is allowed. */
void identity_unref(struct shard *s, struct identity *i);

/* Another table holds from now on, on this shard; takes over the reference. Clients whom nothing in
 * it vouches for any more are disconnected (their password is another one, their key is gone, they
 * are anonymous and may no longer be); nobody else is. */
void identities_change_access(struct shard *s, struct access *access);
int identities_init(struct shard *s, struct access *access) MUST_USE;
void identities_release(struct shard *s);

#endif
