/* SPDX-License-Identifier: Apache-2.0 */
/* Random programs against the model, on two routes with different seeds at once: both must answer
 * the same, in the same order. Allocations fail now and then, and then nothing may have changed. */
#include "model.h"

#include "base/mem.h"

enum { SIDES = 2 };

struct side {
	struct routes *routes;
	struct subscriber subscribers[MODEL_SUBSCRIBERS];
};

struct world {
	struct random random;
	struct model model;
	struct side sides[SIDES];
	bool survives[MODEL_SUBSCRIBERS];
	bool fails; /* let allocations fail */
};

/* ---- what is expected of a match ---- */

static void check_identifiers(const struct match *m, const struct match_entry *e,
			      const uint32_t *expected, uint32_t count)
{
	assert_int_equal(e->identifier_count, count);
	uint32_t found = 0;
	for (uint32_t i = 0; i < count; i++) /* identifiers are unique in these programs */
		for (uint32_t j = 0; j < count; j++)
			found += m->identifiers[e->identifiers + j] == expected[i];
	assert_int_equal(found, count);
}

/* One subscriber's entry, or that it has none; true when it has one. */
static bool check_subscriber(const struct world *w, const struct side *side, int number,
			     struct span topic, bool is_publisher, const struct match *m)
{
	uint32_t expected[MODEL_SUBSCRIPTIONS], count = 0, matching = 0;
	struct subscription merged = {0};
	for (int i = 0; i < MODEL_SUBSCRIPTIONS; i++) {
		const struct model_subscription *s = &w->model.subscriptions[i];
		if (s->subscriber != number || !model_text_matches(s->filter, topic) ||
		    (is_publisher && s->options.no_local))
			continue;
		matching++;
		merged.qos = s->options.qos > merged.qos ? s->options.qos : merged.qos;
		merged.no_local |= s->options.no_local;
		merged.retain_as_published |= s->options.retain_as_published;
		if (s->options.identifier)
			expected[count++] = s->options.identifier;
	}
	const struct match_entry *entry = NULL;
	for (uint32_t i = 0; i < m->entry_count; i++) {
		if (m->entries[i].subscriber != &side->subscribers[number])
			continue;
		assert_null(entry); /* once only */
		entry = &m->entries[i];
	}
	assert_int_equal(entry != NULL, matching > 0);
	if (!entry)
		return false;
	assert_int_equal(entry->qos, merged.qos);
	assert_int_equal(entry->has_no_local, merged.no_local);
	assert_int_equal(entry->retain_as_published, merged.retain_as_published);
	check_identifiers(m, entry, expected, count);
	return true;
}

static bool check_shares(const struct world *w, struct span topic, const struct match *m,
			 bool is_first_side)
{
	uint32_t expected = 0, found = 0;
	bool survives = false;
	for (int i = 0; i < MODEL_SHARES; i++) {
		const struct model_share *s = &w->model.shares[i];
		if (!s->share || s->share->member_count == 0 ||
		    !model_text_matches(s->filter, topic))
			continue;
		expected++;
		survives |= model_share_survives(s->share);
		for (uint32_t j = 0; j < m->share_count; j++)
			found += m->shares[j] == s->share;
	}
	if (!is_first_side) /* groups live on the first side only */
		return false;
	assert_int_equal(m->share_count, expected);
	assert_int_equal(found, expected);
	return survives;
}

static void check_match(const struct world *w, int side, struct span topic, int publisher,
			const struct match *m)
{
	uint32_t count = 0;
	bool survives = check_shares(w, topic, m, side == 0);
	for (int i = 0; i < MODEL_SUBSCRIBERS; i++) {
		if (!check_subscriber(w, &w->sides[side], i, topic, i == publisher, m))
			continue;
		count++;
		survives |= w->survives[i];
	}
	assert_int_equal(m->entry_count, count);
	assert_int_equal(m->has_surviving, survives);
	uint64_t shards = 0, surviving = 0;
	for (int i = 0; i < MODEL_REMOTES; i++) {
		const struct model_remote *r = &w->model.remotes[i];
		if (!r->is_used || !model_text_matches(r->filter, topic))
			continue;
		shards |= UINT64_C(1) << r->shard;
		surviving |= r->surviving ? UINT64_C(1) << r->shard : 0;
	}
	assert_int_equal(m->remote_shards, shards);
	assert_int_equal(m->remote_surviving, surviving);
}

static void note_order(const struct side *s, const struct match *m, ptrdiff_t *order)
{
	for (uint32_t i = 0; i < m->entry_count; i++)
		order[i] = m->entries[i].subscriber - s->subscribers;
}

static void check_topic(struct world *w)
{
	char text[RANDOM_TEXT_LEN];
	random_topic(&w->random, text);
	struct span topic = span_of_text(text);
	bool for_publisher = random_below(&w->random, 3) == 0;
	int publisher = for_publisher ? (int)random_below(&w->random, MODEL_SUBSCRIBERS) : -1;
	ptrdiff_t order[SIDES][MODEL_SUBSCRIBERS];
	uint32_t count = 0;
	for (int i = 0; i < SIDES; i++) {
		struct side *s = &w->sides[i];
		if (w->fails) {
			mem_fail_after(1 + random_below(&w->random, 8));
			const struct match *m = routes_match(s->routes, topic);
			if (m)
				check_match(w, i, topic, -1, m);
			else
				assert_true(mem_has_failed());
			mem_fail_after(0);
		}
		const struct match *m =
			for_publisher ? routes_match_for_publisher(s->routes, topic,
								   &s->subscribers[publisher])
				      : routes_match(s->routes, topic);
		assert_non_null(m);
		check_match(w, i, topic, publisher, m);
		note_order(s, m, order[i]);
		count = m->entry_count;
	}
	assert_memory_equal(order[0], order[1], count * sizeof(order[0][0]));
}

static void check_interest(struct world *w)
{
	char filter[RANDOM_TEXT_LEN];
	random_filter(&w->random, filter);
	bool any = false, surviving = false;
	for (int i = 0; i < MODEL_SUBSCRIPTIONS; i++) {
		const struct model_subscription *s = &w->model.subscriptions[i];
		if (s->subscriber < 0 || strcmp(s->filter, filter) != 0)
			continue;
		any = true;
		surviving |= w->survives[s->subscriber];
	}
	struct interest interest = routes_interest(w->sides[1].routes, span_of_text(filter));
	assert_int_equal(interest.any, any);
	assert_int_equal(interest.surviving, surviving);
}

/* ---- the operations ---- */

static struct subscription random_options(struct world *w)
{
	static uint32_t identifier;
	struct subscription o = {.qos = (uint8_t)random_below(&w->random, 3)};
	o.no_local = random_below(&w->random, 4) == 0;
	o.retain_as_published = random_below(&w->random, 3) == 0;
	o.identifier = random_below(&w->random, 2) ? ++identifier : 0;
	return o;
}

static int model_count(const struct model *m, int subscriber)
{
	int count = 0;
	for (int i = 0; i < MODEL_SUBSCRIPTIONS; i++)
		count += subscriber < 0 ? m->subscriptions[i].subscriber >= 0
					: m->subscriptions[i].subscriber == subscriber;
	return count;
}

/* With failures: every allocation of the call fails in turn, until none is left. */
static void subscribe(struct world *w)
{
	int who = (int)random_below(&w->random, MODEL_SUBSCRIBERS);
	if (who > 3 && random_below(&w->random, 2))
		who = 1; /* one has so many that it gets an index */
	char filter[RANDOM_TEXT_LEN];
	random_filter(&w->random, filter);
	if (model_count(&w->model, -1) == MODEL_SUBSCRIPTIONS)
		return;
	struct subscription options = random_options(w);
	bool is_known = model_find(&w->model, who, filter) != NULL;
	for (int i = 0; i < SIDES; i++) {
		struct side *s = &w->sides[i];
		uint64_t before = routes_subscription_count(s->routes);
		unsigned long countdown = w->fails ? 1 : 0;
		bool existed = false;
		for (;; countdown++) {
			mem_fail_after(countdown);
			int error = routes_subscribe(s->routes, &s->subscribers[who],
						     span_of_text(filter), &options, &existed);
			if (!error)
				break;
			assert_int_equal(error, ERROR_NO_MEMORY);
			assert_true(mem_has_failed());
			assert_int_equal(routes_subscription_count(s->routes), before);
		}
		mem_fail_after(0);
		assert_int_equal(existed, is_known);
	}
	model_subscribe(&w->model, who, filter, &options);
}

static void unsubscribe(struct world *w)
{
	struct model_subscription *known =
		&w->model.subscriptions[random_below(&w->random, MODEL_SUBSCRIPTIONS)];
	int who = known->subscriber;
	char filter[RANDOM_TEXT_LEN];
	strcpy(filter, known->filter);
	if (who < 0) {
		who = (int)random_below(&w->random, MODEL_SUBSCRIBERS);
		random_filter(&w->random, filter);
		known = model_find(&w->model, who, filter);
	}
	for (int i = 0; i < SIDES; i++) {
		struct side *s = &w->sides[i];
		mem_fail_after(w->fails);
		bool existed =
			routes_unsubscribe(s->routes, &s->subscribers[who], span_of_text(filter));
		mem_fail_after(0);
		assert_int_equal(existed, known != NULL);
	}
	if (known)
		known->subscriber = -1;
}

static void remove_subscriber(struct world *w, int who)
{
	for (int i = 0; i < SIDES; i++) {
		struct side *s = &w->sides[i];
		routes_remove_subscriber(s->routes, &s->subscribers[who]);
		assert_null(s->subscribers[who].first);
		assert_null(s->subscribers[who].index);
		assert_int_equal(s->subscribers[who].count, 0);
	}
	for (int i = 0; i < MODEL_SUBSCRIPTIONS; i++)
		if (w->model.subscriptions[i].subscriber == who)
			w->model.subscriptions[i].subscriber = -1;
}

static void set_survives(struct world *w)
{
	int who = (int)random_below(&w->random, MODEL_SUBSCRIBERS);
	w->survives[who] = random_below(&w->random, 2);
	for (int i = 0; i < SIDES; i++)
		routes_set_survives(w->sides[i].routes, &w->sides[i].subscribers[who],
				    w->survives[who]);
}

static void set_remote(struct world *w)
{
	char filter[RANDOM_TEXT_LEN];
	random_filter(&w->random, filter);
	unsigned shard = random_below(&w->random, 2) ? random_below(&w->random, MODEL_SHARDS) : 63;
	struct interest interest = {random_below(&w->random, 3) > 0, random_below(&w->random, 2)};
	if (interest.any && model_remote_count(&w->model) == MODEL_REMOTES)
		return;
	for (int i = 0; i < SIDES; i++) {
		unsigned long countdown = w->fails ? 1 : 0;
		for (;; countdown++) {
			mem_fail_after(countdown);
			if (routes_set_remote(w->sides[i].routes, span_of_text(filter), shard,
					      interest) == 0)
				break;
			assert_true(mem_has_failed());
		}
		mem_fail_after(0);
	}
	model_set_remote(&w->model, filter, shard, interest);
}

static void clear_remotes(struct world *w)
{
	for (int i = 0; i < MODEL_REMOTES; i++) {
		struct model_remote *r = &w->model.remotes[i];
		for (int j = 0; j < SIDES && r->is_used; j++)
			assert_int_equal(routes_set_remote(w->sides[j].routes,
							   span_of_text(r->filter), r->shard,
							   (struct interest){false, false}),
					 0);
		r->is_used = false;
	}
}

static void free_share(struct world *w, struct model_share *s)
{
	if (s->share)
		routes_share_free(w->sides[0].routes, s->share);
	s->share = NULL;
}

/* The slot's number is the group's name, so that several groups meet at a filter. */
static void change_share(struct world *w)
{
	uint32_t slot = random_below(&w->random, MODEL_SHARES);
	struct model_share *s = &w->model.shares[slot];
	if (random_below(&w->random, 6) == 0) {
		free_share(w, s);
		return;
	}
	if (!s->share) {
		uint8_t name = (uint8_t)('A' + slot);
		random_filter(&w->random, s->filter);
		s->share = routes_share(w->sides[0].routes, span_of(&name, 1),
					span_of_text(s->filter), true);
	}
	struct share_member member = {.session = random_below(&w->random, 3),
				      .survives = random_below(&w->random, 2)};
	bool existed;
	if (random_below(&w->random, 2))
		share_leave(s->share, member.session);
	else
		assert_int_equal(share_join(s->share, &member, &existed), 0);
	routes_share_changed(w->sides[0].routes, s->share);
}

static void check_lists(const struct world *w)
{
	for (int i = 0; i < SIDES; i++)
		assert_int_equal(routes_subscription_count(w->sides[i].routes),
				 model_count(&w->model, -1));
	for (int who = 0; who < MODEL_SUBSCRIBERS; who++) {
		const struct subscriber *s = &w->sides[0].subscribers[who];
		uint32_t count = 0;
		for (const struct subscription *i = s->first; i; i = i->next_of_subscriber) {
			struct span filter = subscription_filter(i);
			char text[RANDOM_TEXT_LEN] = "";
			memcpy(text, filter.ptr, filter.len);
			assert_non_null(model_find((struct model *)&w->model, who, text));
			count++;
		}
		assert_int_equal(count, s->count);
		assert_int_equal(count, model_count(&w->model, who));
	}
}

static void step(struct world *w)
{
	uint32_t choice = random_below(&w->random, 100);
	if (choice < 45)
		subscribe(w);
	else if (choice < 70)
		unsubscribe(w);
	else if (choice < 72)
		remove_subscriber(w, (int)random_below(&w->random, MODEL_SUBSCRIBERS));
	else if (choice < 78)
		set_survives(w);
	else if (choice < 88)
		set_remote(w);
	else
		change_share(w);
}

static void run_program(uint64_t seed, int step_count, uint32_t cached_topics_max, bool fails)
{
	struct world w = {.random = {seed}, .fails = fails};
	model_init(&w.model);
	mem_count_start();
	for (int i = 0; i < SIDES; i++)
		w.sides[i].routes = routes_new(seed + (uint64_t)i, cached_topics_max);
	for (int i = 0; i < step_count; i++) {
		step(&w);
		for (int j = 0; j < 3; j++)
			check_topic(&w);
		check_interest(&w);
		if (i % 50 == 0)
			check_lists(&w);
	}
	for (int i = 0; i < MODEL_SUBSCRIBERS; i++)
		remove_subscriber(&w, i);
	for (int i = 0; i < MODEL_SHARES; i++)
		free_share(&w, &w.model.shares[i]);
	clear_remotes(&w);
	assert_int_equal(mem_count_live(), SIDES); /* the routes themselves, and nothing more */
	for (int i = 0; i < SIDES; i++)
		routes_free(w.sides[i].routes);
	assert_int_equal(mem_count_live(), 0);
}

static void test_routes_random_programs(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 4; seed++)
		run_program(seed, 2000, 4096, false);
}

static void test_routes_random_programs_small_cache(void **state)
{
	(void)state;
	run_program(11, 1000, 8, false);
	run_program(12, 1000, 0, false);
}

static void test_routes_random_programs_failing_memory(void **state)
{
	(void)state;
	run_program(21, 2000, 64, true);
	run_program(22, 2000, 4096, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_routes_random_programs),
		cmocka_unit_test(test_routes_random_programs_small_cache),
		cmocka_unit_test(test_routes_random_programs_failing_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
