/* SPDX-License-Identifier: Apache-2.0 */
#include "access/access.h"

#include "base/mem.h"

/* What needs no word of the client first; what costs another program's answer behind what does not;
 * nothing else is known of whoever is anonymous. */
static const uint8_t usual_chain[CHAIN_LEN_MAX] = {METHOD_CERTIFICATE, METHOD_PEER,
						   METHOD_JWT,         METHOD_PASSWORD,
						   METHOD_HTTP,        METHOD_ANONYMOUS};

struct access *access_new(unsigned realm_count)
{
	ASSERT(realm_count >= 1 && realm_count <= REALMS_MAX);
	struct access *a = mem_zalloc(sizeof(*a) + realm_count * sizeof(a->realms[0]));
	if (!a)
		return NULL;
	atomic_init(&a->refs, 1);
	a->realm_count = realm_count;
	for (unsigned i = 0; i < realm_count; i++)
		memcpy(a->realms[i].chain, usual_chain, sizeof(usual_chain));
	return a;
}

static void release_realm(struct realm *realm)
{
	if (realm->is_shared)
		return;
	users_free(realm->users);
	jwt_free(realm->jwt);
	service_free(realm->service);
	acl_free(realm->acl);
	mem_free(realm->client_id_prefix);
	mem_free(realm->auto_id_prefix);
}

void realm_shut(struct realm *realm)
{
	release_realm(realm);
	*realm = (struct realm){.chain = {METHOD_NONE}};
}

void access_share(struct access *a, unsigned realm, unsigned from)
{
	a->realms[realm] = a->realms[from];
	a->realms[realm].is_shared = true;
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
	for (unsigned i = 0; i < a->realm_count; i++)
		release_realm(&a->realms[i]);
	mem_free(a);
}

static bool is_equipped(const struct realm *realm, enum access_method method)
{
	switch (method) {
	case METHOD_JWT: return realm->jwt != NULL;
	case METHOD_HTTP: return realm->service != NULL;
	case METHOD_PASSWORD: return realm->users != NULL;
	case METHOD_ANONYMOUS: return realm->allows_anonymous;
	default: return true;
	}
}

bool realm_uses(const struct realm *realm, enum access_method method)
{
	for (unsigned i = 0; i < CHAIN_LEN_MAX && realm->chain[i] != METHOD_NONE; i++)
		if (realm->chain[i] == method)
			return is_equipped(realm, method);
	return false;
}

bool realm_verifies_names(const struct realm *realm)
{
	return realm_uses(realm, METHOD_JWT) || realm_uses(realm, METHOD_PASSWORD) ||
	       realm_uses(realm, METHOD_HTTP);
}

bool realm_allows_unverified(const struct realm *realm, bool has_user_name)
{
	return realm_uses(realm, METHOD_ANONYMOUS) &&
	       !(has_user_name && realm_verifies_names(realm));
}
