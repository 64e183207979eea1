/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/identity.h"

#include "base/mem.h"
#include "broker/shard.h"

static struct span key_of(const void *element)
{
	const struct identity *i = element;
	return span_of(i->key, IDENTITY_KEY_HEAD + (size_t)i->name_len);
}

static uint32_t rules_of(const struct shard *s, const struct identity *i)
{
	const struct acl *acl = s->access->realms[i->realm].acl;
	struct span name = identity_name(i);
	return acl ? acl_rules_of(acl, i->has_name ? &name : NULL) : 0;
}

/* By the table that holds now. */
static bool may_stay(const struct shard *s, const struct identity *i)
{
	const struct realm *realm = &s->access->realms[i->realm];
	const struct user *user;
	if (i->method == METHOD_CERTIFICATE || i->method == METHOD_PEER)
		return realm_uses(realm, i->method); /* else the carrier's matter */
	if (i->method == METHOD_JWT)
		return realm_uses(realm, METHOD_JWT) && jwt_vouches(realm->jwt, i->stamp);
	if (i->method == METHOD_HTTP)
		return realm_uses(realm, METHOD_HTTP) && realm->service->stamp == i->stamp;
	/* where there are no passwords any more, its name is one that nobody verifies */
	if (i->method == METHOD_ANONYMOUS || !realm_uses(realm, METHOD_PASSWORD))
		return realm_allows_unverified(realm, i->has_name);
	user = users_find(realm->users, identity_name(i));
	return user && user->stored.len > 0 && i->stamp == user->stamp;
}

static void look_again(struct shard *s, struct identity *i)
{
	i->is_revoked = !may_stay(s, i);
	if (!i->is_revoked)
		i->rules = rules_of(s, i);
}

static struct identity *identity_new(const struct identity_claim *claim)
{
	size_t len = claim->name ? claim->name->len : 0;
	struct identity *i = mem_zalloc(sizeof(*i) + IDENTITY_KEY_HEAD + len);
	if (!i)
		return NULL;
	i->refs = 1;
	i->stamp = claim->stamp;
	i->realm = claim->realm;
	i->method = claim->method;
	i->has_name = claim->name != NULL;
	i->name_len = (uint16_t)len;
	memcpy(i->key, &i->stamp, sizeof(i->stamp));
	i->key[sizeof(i->stamp)] = (uint8_t)(i->method << 1 | i->has_name);
	if (len > 0)
		memcpy(i->key + IDENTITY_KEY_HEAD, claim->name->ptr, len);
	return i;
}

struct identity *identity_of(struct shard *s, const struct identity_claim *claim)
{
	struct identity *fresh = identity_new(claim);
	if (!fresh)
		return NULL;
	struct map *all = &s->identities[claim->realm].all;
	struct identity *i = map_find(all, key_of(fresh));
	if (i) {
		mem_free(fresh);
		i->refs++;
		return i;
	}
	fresh->is_revoked = !may_stay(s, fresh); /* then it is in no map */
	if (!fresh->is_revoked && map_add(all, fresh)) {
		mem_free(fresh);
		return NULL;
	}
	fresh->rules = rules_of(s, fresh);
	return fresh;
}

void identity_unref(struct shard *s, struct identity *i)
{
	if (!i || --i->refs > 0)
		return;
	if (!i->is_revoked)
		map_remove(&s->identities[i->realm].all, key_of(i));
	mem_free(i);
}

/* Those that may stay, in a map of their own: one must not change while it is walked. */
static void look_at_realm(struct shard *s, struct map *all)
{
	struct map kept;
	uint32_t cursor = 0;
	struct identity *i;
	map_init(&kept, s->broker->seed, key_of);
	while ((i = map_next(all, &cursor))) {
		look_again(s, i);
		int error = i->is_revoked ? 0 : map_add(&kept, i);
		ASSERT(error == 0); /* there is no going on with half of them */
	}
	map_release(all);
	*all = kept;
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

static void init_realms(struct shard *s, struct identities *all, unsigned from, unsigned to)
{
	for (unsigned r = from; r < to; r++)
		map_init(&all[r].all, s->broker->seed, key_of);
}

/* Of listeners that were opened since. They never become fewer. */
static void grow(struct shard *s, unsigned count)
{
	unsigned before = s->access->realm_count;
	ASSERT(count >= before);
	if (count == before)
		return;
	struct identities *all = mem_realloc(s->identities, count * sizeof(*all));
	ASSERT(all); /* there is no judging by half of them */
	memset(all + before, 0, (count - before) * sizeof(*all));
	init_realms(s, all, before, count);
	s->identities = all;
}

void identities_change_access(struct shard *s, struct access *access)
{
	grow(s, access->realm_count);
	access_unref(s->access);
	s->access = access;
	for (unsigned r = 0; r < access->realm_count; r++)
		look_at_realm(s, &s->identities[r].all);
	disconnect_revoked(s);
}

int identities_init(struct shard *s, struct access *access)
{
	struct identities *all = mem_zalloc(access->realm_count * sizeof(*all));
	if (!all)
		return ERROR_NO_MEMORY;
	init_realms(s, all, 0, access->realm_count);
	identities_release(s);
	s->identities = all;
	s->access = access_ref(access);
	return 0;
}

void identities_release(struct shard *s)
{
	for (unsigned r = 0; s->identities && r < s->access->realm_count; r++)
		map_release(&s->identities[r].all);
	mem_free(s->identities);
	access_unref(s->access);
	s->identities = NULL;
	s->access = NULL;
}
