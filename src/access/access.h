/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All that a broker judges clients by, as one table that never changes: what was read anew is
 * another one. Shards hold it by reference, each its own while it works.
 *
 * A realm is what holds for a listener: one for all of them, or one for each
 * (per_listener_settings).
 */
#ifndef NIGHTJAR_ACCESS_ACCESS_H
#define NIGHTJAR_ACCESS_ACCESS_H

#include "access/acl.h"
#include "access/users.h"

#include <stdatomic.h>

#define REALMS_MAX 64

struct realm {
	bool allows_anonymous;  /* also user names that nobody can verify */
	struct users *users;    /* NULL: there is no password file */
	struct acl *acl;        /* NULL: everything is allowed */
	char *client_id_prefix; /* NULL: any */
};

struct access {
	atomic_uint refs;
	unsigned realm_count;
	bool has_acl; /* of any realm; set by access_finish */
	struct realm realms[];
};

/* With plain realms, to be filled in, and one reference; NULL without memory. */
struct access *access_new(unsigned realm_count);
/* When all realms are as they shall be. */
void access_finish(struct access *a);
struct access *access_ref(struct access *a);
/* The last one frees it, and what its realms hold. NULL is allowed. */
void access_unref(struct access *a);

#endif
