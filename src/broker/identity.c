/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/identity.h"

#include "base/mem.h"
#include "broker/shard.h"

static struct span name_of(const void *element)
{
	return identity_name(element);
}

static uint32_t rules_of(const struct shard *s, const struct identity *i)
{
	const struct acl *acl = s->access->realms[i->realm].acl;
	struct span name = identity_name(i);
	return acl ? acl_rules_of(acl, i->has_name ? &name : NULL) : 0;
}

static struct identity *find(struct shard *s, const struct identity_claim *claim)
{
	struct identities *all = &s->identities[claim->realm];
	return claim->name ? map_find(&all->named[claim->is_proved], *claim->name) : all->anonymous;
}

static int keep(struct shard *s, struct identity *i)
{
	struct identities *all = &s->identities[i->realm];
	if (i->has_name)
		return map_add(&all->named[i->is_proved], i);
	all->anonymous = i;
	return 0;
}

static void forget(struct shard *s, struct identity *i)
{
	struct identities *all = &s->identities[i->realm];
	if (i->has_name)
		map_remove(&all->named[i->is_proved], identity_name(i));
	else
		all->anonymous = NULL;
}

static bool is_verifiable(const struct shard *s, const struct identity *i)
{
	return !i->is_proved && i->has_name && s->access->realms[i->realm].users;
}

/* By the table that holds now. */
static bool may_stay(const struct shard *s, const struct identity *i)
{
	const struct realm *realm = &s->access->realms[i->realm];
	if (i->is_proved)
		return true; /* the carrier's matter */
	if (!is_verifiable(s, i))
		return realm->allows_anonymous;
	const struct user *user = users_find(realm->users, identity_name(i));
	return user && user->stored.len > 0 && i->stamp == user->stamp;
}

static void look_again(struct shard *s, struct identity *i)
{
	i->is_revoked = !may_stay(s, i);
	if (i->is_revoked)
		return;
	i->rules = rules_of(s, i);
	if (!is_verifiable(s, i))
		i->stamp = 0; /* as who comes in by that name from now on */
}

static struct identity *identity_new(const struct identity_claim *claim)
{
	size_t len = claim->name ? claim->name->len : 0;
	struct identity *i = mem_zalloc(sizeof(*i) + len);
	if (!i)
		return NULL;
	i->refs = 1;
	i->stamp = claim->stamp;
	i->realm = claim->realm;
	i->has_name = claim->name != NULL;
	i->is_proved = claim->is_proved;
	i->name_len = (uint16_t)len;
	if (len > 0)
		memcpy(i->name, claim->name->ptr, len);
	return i;
}

struct identity *identity_of(struct shard *s, const struct identity_claim *claim)
{
	struct identity *i = find(s, claim);
	if (i && i->stamp == claim->stamp) {
		i->refs++;
		return i;
	}
	i = identity_new(claim);
	if (!i)
		return NULL;
	i->is_revoked = !may_stay(s, i); /* alone: it is in no map */
	if (!i->is_revoked && keep(s, i)) {
		mem_free(i);
		return NULL;
	}
	i->rules = rules_of(s, i);
	return i;
}

void identity_unref(struct shard *s, struct identity *i)
{
	if (!i || --i->refs > 0)
		return;
	if (!i->is_revoked)
		forget(s, i);
	mem_free(i);
}

/* Those that may stay, in a map of their own: one must not change while it is walked. */
static void look_at_map(struct shard *s, struct map *named)
{
	struct map kept;
	uint32_t cursor = 0;
	struct identity *i;
	map_init(&kept, s->broker->seed, name_of);
	while ((i = map_next(named, &cursor))) {
		look_again(s, i);
		int error = i->is_revoked ? 0 : map_add(&kept, i);
		ASSERT(error == 0); /* there is no going on with half of them */
	}
	map_release(named);
	*named = kept;
}

static void look_at_anonymous(struct shard *s, struct identities *all)
{
	if (!all->anonymous)
		return;
	look_again(s, all->anonymous);
	if (all->anonymous->is_revoked)
		all->anonymous = NULL;
}

static void disconnect_revoked(struct shard *s)
{
	static const struct farewell why = {
		.reason_code = REASON_NOT_AUTHORIZED, .tell = true, .text = "no longer authorised"};
	struct link *l = s->connections.next;
	while (l != &s->connections) {
		struct connection *c = CONTAINER_OF(l, struct connection, link);
		l = l->next;
		if (c->session && c->identity->is_revoked)
			connection_end(c, &why);
	}
}

void identities_change_access(struct shard *s, struct access *access)
{
	ASSERT(access->realm_count == s->access->realm_count);
	access_unref(s->access);
	s->access = access;
	for (unsigned r = 0; r < access->realm_count; r++) {
		look_at_map(s, &s->identities[r].named[false]);
		look_at_map(s, &s->identities[r].named[true]);
		look_at_anonymous(s, &s->identities[r]);
	}
	disconnect_revoked(s);
}

int identities_init(struct shard *s, struct access *access)
{
	struct identities *all = mem_zalloc(access->realm_count * sizeof(*all));
	if (!all)
		return ERROR_NO_MEMORY;
	for (unsigned r = 0; r < access->realm_count; r++) {
		map_init(&all[r].named[false], s->broker->seed, name_of);
		map_init(&all[r].named[true], s->broker->seed, name_of);
	}
	identities_release(s);
	s->identities = all;
	s->access = access_ref(access);
	return 0;
}

void identities_release(struct shard *s)
{
	for (unsigned r = 0; s->identities && r < s->access->realm_count; r++) {
		map_release(&s->identities[r].named[false]);
		map_release(&s->identities[r].named[true]);
	}
	mem_free(s->identities);
	access_unref(s->access);
	s->identities = NULL;
	s->access = NULL;
}
