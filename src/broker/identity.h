/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who a client is, once that is known: one for all clients of the same user name and realm on a
 * shard, so that a connection and its session hold a pointer and not a name.
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
	uint64_t stamp; /* of the stored password that was verified; 0: none was */
	bool has_name;
	bool is_proved;  /* by a certificate or a shared key, not by a password */
	bool is_revoked; /* by a newer table: whoever has it must go */
	uint8_t realm;
	uint16_t name_len;
	char name[];
};

/* Those of one realm. */
struct identities {
	struct map named[2];        /* by is_proved */
	struct identity *anonymous; /* NULL: none is connected */
};

static inline struct span identity_name(const struct identity *i)
{
	return span_of(i->name, i->name_len);
}

struct identity_claim {
	const struct span *name; /* NULL: anonymous */
	uint64_t stamp;
	uint8_t realm;
	bool is_proved;
};
/* The one of that name, for the caller to keep; NULL without memory. One that was verified by a
 * table that is not the newest comes revoked. */
struct identity *identity_of(struct shard *s, const struct identity_claim *claim);
/* NULL is allowed. */
void identity_unref(struct shard *s, struct identity *i);

/* Another table holds from now on, on this shard; takes over the reference. Users that are gone,
 * or whose password is another one, are disconnected, and anonymous clients that may no longer be;
 * nobody else is. */
void identities_change_access(struct shard *s, struct access *access);
int identities_init(struct shard *s, struct access *access) MUST_USE;
void identities_release(struct shard *s);

#endif
