/* SPDX-License-Identifier: Apache-2.0 */
#include "client/alias_choice.h"

#include "base/hash.h"
#include "base/mem.h"

#define CANDIDATES_PER_ALIAS 4
/* Counts are halved when one comes here: what was used long ago counts less. */
#define USES_MAX ((uint32_t)1 << 16)

static void clear(struct alias_choice *a)
{
	for (uint32_t i = 0; i < a->count; i++)
		mem_free(a->candidates[i].topic);
	mem_free(a->candidates);
	*a = (struct alias_choice){0};
}

void alias_choice_begin(struct alias_choice *a, uint16_t maximum)
{
	clear(a);
	a->maximum = maximum < ALIAS_CHOICE_MAX ? maximum : ALIAS_CHOICE_MAX;
}

void alias_choice_release(struct alias_choice *a)
{
	clear(a);
}

static struct alias_candidate *find(const struct alias_choice *a, struct span topic, uint64_t hash)
{
	for (uint32_t i = 0; i < a->count; i++) {
		struct alias_candidate *c = &a->candidates[i];
		if (c->hash == hash && c->len == topic.len &&
		    memcmp(c->topic, topic.ptr, topic.len) == 0)
			return c;
	}
	return NULL;
}

static struct alias_candidate *least_used(const struct alias_choice *a, bool has_alias)
{
	struct alias_candidate *least = NULL;
	for (uint32_t i = 0; i < a->count; i++) {
		struct alias_candidate *c = &a->candidates[i];
		if ((c->alias > 0) == has_alias && (!least || c->uses < least->uses))
			least = c;
	}
	return least;
}

/* A place for another topic. */
static struct alias_candidate *take_place(struct alias_choice *a)
{
	uint32_t most = (uint32_t)a->maximum * CANDIDATES_PER_ALIAS;
	if (!a->candidates) {
		a->candidates = mem_zalloc(most * sizeof(*a->candidates));
		a->capacity = a->candidates ? most : 0;
	}
	if (a->count < a->capacity)
		return &a->candidates[a->count++];
	struct alias_candidate *c = least_used(a, false);
	if (c)
		mem_free(c->topic);
	return c;
}

/* Noted, without an alias: most topics come once. */
static void note(struct alias_choice *a, struct span topic, uint64_t hash)
{
	char *copy = mem_copy_text(topic);
	struct alias_candidate *c = copy ? take_place(a) : NULL;
	if (!c) {
		mem_free(copy);
		return;
	}
	*c = (struct alias_candidate){
		.hash = hash, .uses = 1, .len = (uint32_t)topic.len, .topic = copy};
}

static void halve(struct alias_choice *a)
{
	for (uint32_t i = 0; i < a->count; i++)
		a->candidates[i].uses /= 2;
}

/* A free alias, or one that is worth more here. */
static void give_alias(struct alias_choice *a, struct alias_candidate *c)
{
	if (a->given < a->maximum) {
		c->alias = ++a->given;
		return;
	}
	struct alias_candidate *loser = least_used(a, true);
	if (!loser || c->uses / 2 < loser->uses)
		return;
	c->alias = loser->alias;
	loser->alias = 0;
}

uint16_t alias_choice_use(struct alias_choice *a, struct span topic, bool *is_known_out)
{
	uint64_t hash = a->maximum > 0 ? hash_bytes(topic, 0) : 0;
	struct alias_candidate *c = a->maximum > 0 ? find(a, topic, hash) : NULL;
	*is_known_out = c && c->alias > 0;
	if (!c) {
		if (a->maximum > 0 && topic.len > 0)
			note(a, topic, hash);
		return 0;
	}
	if (++c->uses >= USES_MAX)
		halve(a);
	if (c->alias == 0)
		give_alias(a, c);
	return c->alias;
}

void alias_choice_forget(struct alias_choice *a, uint16_t alias)
{
	for (uint32_t i = 0; i < a->count; i++)
		if (a->candidates[i].alias == alias)
			a->candidates[i].alias = 0;
}
