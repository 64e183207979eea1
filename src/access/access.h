/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All that a broker judges clients by, as one table that never changes: what was read anew is
 * another one. Shards hold it by reference, each its own while it works.
 *
 * A realm is what holds for a listener. Where one holds for all, they share its parts; with
 * per_listener_settings each has its own.
 */
#ifndef NIGHTJAR_ACCESS_ACCESS_H
#define NIGHTJAR_ACCESS_ACCESS_H

#include "access/acl.h"
#include "access/jwt.h"
#include "access/service.h"
#include "access/users.h"

#include <stdatomic.h>

#define REALMS_MAX 64

/* Ways to know who a client is. The first one of the realm's chain that knows it decides. */
enum access_method {
	METHOD_NONE,        /* behind the last one of a chain */
	METHOD_CERTIFICATE, /* or a shared key: what carries the connection has proved a name */
	METHOD_PEER,        /* of a Unix socket: whom the kernel has seen connect */
	METHOD_JWT,         /* a token in the place of the password */
	METHOD_PASSWORD,    /* the password file */
	METHOD_HTTP,        /* a service is asked */
	METHOD_ANONYMOUS,   /* nothing is known, and nothing need be */
	METHOD_COUNT,
};
/* All of them, in this order. */
#define CHAIN_LEN_MAX METHOD_COUNT

#define AUTO_ID_PREFIX "auto-"
/* Of a prefix of ids that are given. */
#define AUTO_ID_PREFIX_MAX 64

struct realm {
	bool allows_anonymous;   /* also user names that nobody can verify */
	bool has_chain;          /* it was said, and is not the usual one */
	struct users *users;     /* NULL: there is no password file */
	struct jwt *jwt;         /* NULL: no token is believed */
	struct service *service; /* NULL: none is asked */
	struct acl *acl;         /* NULL: everything is allowed */
	char *client_id_prefix;  /* NULL: any */
	char *auto_id_prefix;    /* of client ids that are given; NULL: AUTO_ID_PREFIX */
	/* enum access_method; the first METHOD_NONE ends it */
	uint8_t chain[CHAIN_LEN_MAX];
	bool is_shared; /* all of these are another realm's as well, which frees them */
};

struct access {
	atomic_uint refs;
	unsigned realm_count;
	bool has_acl; /* of any realm; set by access_finish */
	struct realm realms[];
};

/* Nobody comes in or stays. */
void realm_shut(struct realm *realm);

/* With plain realms, which have the usual chain, to be filled in, and one reference; NULL without
 * memory. */
struct access *access_new(unsigned realm_count);
/* This realm is to be the same as that one, whose parts it borrows. */
void access_share(struct access *a, unsigned realm, unsigned from);
/* When all realms are as they shall be. */
void access_finish(struct access *a);
/* Both: any thread. */
struct access *access_ref(struct access *a);
/* The last one frees it, and what its realms hold. NULL is allowed. */
void access_unref(struct access *a);

/* What client ids begin with that are given. */
static inline const char *realm_id_prefix(const struct realm *realm)
{
	return realm->auto_id_prefix ? realm->auto_id_prefix : AUTO_ID_PREFIX;
}
/* Is it in the chain, and has what it needs? */
bool realm_uses(const struct realm *realm, enum access_method method);
/* Is there any way that would tell a right user name from a wrong one? */
bool realm_verifies_names(const struct realm *realm);
/* May a client be anonymous, or have a user name that nobody verifies? */
bool realm_allows_unverified(const struct realm *realm, bool has_user_name);

#endif
