/* SPDX-License-Identifier: Apache-2.0 */
#include "access/access.h"

#include "base/mem.h"

struct access *access_new(unsigned realm_count)
{
	ASSERT(realm_count >= 1 && realm_count <= REALMS_MAX);
	struct access *a = mem_zalloc(sizeof(*a) + realm_count * sizeof(a->realms[0]));
	if (!a)
		return NULL;
	atomic_init(&a->refs, 1);
	a->realm_count = realm_count;
	return a;
}

void access_finish(struct access *a)
{
	for (unsigned i = 0; i < a->realm_count; i++)
		a->has_acl |= a->realms[i].acl != NULL;
}

struct access *access_ref(struct access *a)
{
	atomic_fetch_add(&a->refs, 1);
	return a;
}

void access_unref(struct access *a)
{
	if (!a || atomic_fetch_sub(&a->refs, 1) > 1)
		return;
	for (unsigned i = 0; i < a->realm_count; i++) {
		users_free(a->realms[i].users);
		acl_free(a->realms[i].acl);
		mem_free(a->realms[i].client_id_prefix);
	}
	mem_free(a);
}
