/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/ledger.h"

#include "base/hash.h"
#include "base/mem.h"

/* So many of the oldest are looked at for one that is not banned, which may go. */
#define VICTIMS 8

struct ledger_entry {
	struct link link; /* among those that are idle */
	struct ledger_key key;
	uint32_t connections;
	uint32_t marks[MARK_COUNT]; /* in the window */
	uint64_t window_ms;         /* when it began; 0 = there is none */
	uint64_t banned_until_ms;
};

static struct span key_of_entry(const void *element)
{
	const struct ledger_entry *e = element;
	return span_of(e->key.bytes, LEDGER_KEY_BYTES);
}

void ledger_init(struct ledger *l, uint64_t seed, uint32_t entries_max)
{
	l->seed = seed;
	l->idle_max = entries_max / LEDGER_STRIPES + 1;
	for (unsigned i = 0; i < LEDGER_STRIPES; i++) {
		struct ledger_stripe *s = &l->stripes[i];
		pthread_mutex_init(&s->mutex, NULL);
		map_init(&s->entries, seed, key_of_entry);
		list_init(&s->idle);
	}
}

void ledger_release(struct ledger *l)
{
	for (unsigned i = 0; i < LEDGER_STRIPES; i++) {
		struct ledger_stripe *s = &l->stripes[i];
		uint32_t cursor = 0;
		void *entry;
		while ((entry = map_next(&s->entries, &cursor)))
			mem_free(entry);
		map_release(&s->entries);
		pthread_mutex_destroy(&s->mutex);
	}
}

static struct ledger_stripe *stripe_lock(struct ledger *l, const struct ledger_key *key)
{
	uint64_t hash = hash_bytes(span_of(key->bytes, LEDGER_KEY_BYTES), ~l->seed);
	struct ledger_stripe *s = &l->stripes[hash % LEDGER_STRIPES];
	pthread_mutex_lock(&s->mutex);
	return s;
}

static struct ledger_entry *find(const struct ledger_stripe *s, const struct ledger_key *key)
{
	return map_find(&s->entries, span_of(key->bytes, LEDGER_KEY_BYTES));
}

static void drop(struct ledger_stripe *s, struct ledger_entry *e)
{
	link_remove(&e->link);
	s->idle_count--;
	map_remove(&s->entries, key_of_entry(e));
	mem_free(e);
}

/* The oldest that is not banned; if all are, the oldest. */
static void make_room(struct ledger_stripe *s, uint64_t now_ms)
{
	struct link *l = s->idle.next;
	for (unsigned i = 0; i < VICTIMS && l != &s->idle; i++, l = l->next) {
		struct ledger_entry *e = CONTAINER_OF(l, struct ledger_entry, link);
		if (e->banned_until_ms > now_ms)
			continue;
		drop(s, e);
		return;
	}
	drop(s, CONTAINER_OF(s->idle.next, struct ledger_entry, link));
}

static void be_idle(struct ledger_stripe *s, struct ledger_entry *e)
{
	if (link_is_listed(&e->link)) {
		link_remove(&e->link);
		s->idle_count--;
	}
	if (e->connections > 0)
		return;
	list_append(&s->idle, &e->link);
	s->idle_count++;
}

/* A new one has no connection yet, and is idle so. NULL without memory. */
static struct ledger_entry *obtain(struct ledger *l, struct ledger_stripe *s,
				   const struct ledger_key *key, uint64_t now_ms)
{
	struct ledger_entry *e = find(s, key);
	if (e)
		return e;
	if (s->idle_count >= l->idle_max)
		make_room(s, now_ms);
	e = mem_zalloc(sizeof(*e));
	if (!e)
		return NULL;
	e->key = *key;
	if (map_add(&s->entries, e)) {
		mem_free(e);
		return NULL;
	}
	be_idle(s, e);
	return e;
}

enum ledger_answer ledger_enter(struct ledger *l, const struct ledger_key *key,
				uint32_t connections_max, uint64_t now_ms)
{
	enum ledger_answer answer = LEDGER_WELCOME;
	struct ledger_stripe *s = stripe_lock(l, key);
	struct ledger_entry *e = obtain(l, s, key, now_ms);
	if (e && e->banned_until_ms > now_ms) {
		answer = LEDGER_BANNED;
	} else if (e && connections_max && e->connections >= connections_max) {
		answer = LEDGER_TOO_MANY;
	} else if (e) {
		e->connections++;
		be_idle(s, e);
	}
	pthread_mutex_unlock(&s->mutex);
	return answer;
}

/* Nothing to remember: no window that matters, no ban. */
static bool is_blank(const struct ledger_entry *e)
{
	return e->window_ms == 0 && e->banned_until_ms == 0;
}

void ledger_leave(struct ledger *l, const struct ledger_key *key)
{
	struct ledger_stripe *s = stripe_lock(l, key);
	struct ledger_entry *e = find(s, key);
	if (e && e->connections > 0) {
		e->connections--;
		be_idle(s, e);
		if (e->connections == 0 && is_blank(e))
			drop(s, e);
	}
	pthread_mutex_unlock(&s->mutex);
}

bool ledger_is_banned(struct ledger *l, const struct ledger_key *key, uint64_t now_ms)
{
	struct ledger_stripe *s = stripe_lock(l, key);
	const struct ledger_entry *e = find(s, key);
	bool is_banned = e && e->banned_until_ms > now_ms;
	pthread_mutex_unlock(&s->mutex);
	return is_banned;
}

/* A window begins with its first mark. */
static bool is_too_much(struct ledger_entry *e, enum ledger_mark mark,
			const struct ledger_rule *rule, uint64_t now_ms)
{
	if (e->window_ms == 0 || now_ms >= e->window_ms + rule->window_ms) {
		e->window_ms = now_ms;
		memset(e->marks, 0, sizeof(e->marks));
	}
	return ++e->marks[mark] >= rule->marks_max;
}

bool ledger_note(struct ledger *l, const struct ledger_key *key, enum ledger_mark mark,
		 const struct ledger_rule *rule, uint64_t now_ms)
{
	bool begins = false;
	if (rule->marks_max == 0)
		return false;
	struct ledger_stripe *s = stripe_lock(l, key);
	struct ledger_entry *e = obtain(l, s, key, now_ms);
	if (e && e->banned_until_ms <= now_ms) { /* what is done meanwhile does not count */
		be_idle(s, e);
		begins = is_too_much(e, mark, rule, now_ms);
		if (begins) {
			e->banned_until_ms = now_ms + rule->ban_ms;
			e->window_ms = 0;
		}
	}
	pthread_mutex_unlock(&s->mutex);
	return begins;
}

uint32_t ledger_count(struct ledger *l)
{
	uint32_t count = 0;
	for (unsigned i = 0; i < LEDGER_STRIPES; i++) {
		struct ledger_stripe *s = &l->stripes[i];
		pthread_mutex_lock(&s->mutex);
		count += s->entries.count;
		pthread_mutex_unlock(&s->mutex);
	}
	return count;
}
