/* SPDX-License-Identifier: Apache-2.0 */
#include "random.h"

#include "base/mem.h"
#include "route/routes.h"
#include "route/share.h"

static struct share_member member(uint64_t session, bool is_connected)
{
	return (struct share_member){.session = session, .is_connected = is_connected, .qos = 1};
}

static void join(struct share *s, uint64_t session, bool is_connected)
{
	struct share_member m = member(session, is_connected);
	bool existed;
	assert_int_equal(share_join(s, &m, &existed), 0);
	assert_false(existed);
}

static struct share *group(struct routes *r)
{
	struct share *s = routes_share(r, SPAN_LITERAL("g"), SPAN_LITERAL("a/+"), true);
	assert_non_null(s);
	return s;
}

/* [5] 4.8.2: each message to one member; we ask in turn. */
static void test_share_goes_round(void **state)
{
	(void)state;
	struct routes *r = routes_new(1, 0);
	struct share *s = group(r);
	assert_null(share_next(s));
	for (uint64_t session = 1; session <= 3; session++)
		join(s, session, true);
	for (uint64_t i = 0; i < 7; i++)
		assert_int_equal(share_next(s)->session, i % 3 + 1);
	share_find(s, 2)->is_connected = false;
	assert_int_equal(share_next(s)->session, 3);
	assert_int_equal(share_next(s)->session, 1);
	assert_int_equal(share_next(s)->session, 3);
	share_find(s, 1)->is_connected = share_find(s, 3)->is_connected = false;
	assert_null(share_next(s));
	routes_share_free(r, s);
	routes_free(r);
}

/* Who leaves costs nobody else a turn. */
static void test_share_keeps_turn_when_one_leaves(void **state)
{
	(void)state;
	struct routes *r = routes_new(1, 0);
	struct share *s = group(r);
	for (uint64_t session = 1; session <= 5; session++)
		join(s, session, true);
	assert_int_equal(share_next(s)->session, 1);
	assert_int_equal(share_next(s)->session, 2);
	assert_true(share_leave(s, 1)); /* before the turn */
	assert_int_equal(share_next(s)->session, 3);
	assert_true(share_leave(s, 4)); /* at the turn */
	assert_int_equal(share_next(s)->session, 5);
	assert_true(share_leave(s, 5)); /* just had it, last of all */
	assert_int_equal(share_next(s)->session, 2);
	assert_false(share_leave(s, 5));
	assert_true(share_leave(s, 3));
	assert_true(share_leave(s, 2));
	assert_null(share_next(s));
	assert_null(s->members);
	routes_share_free(r, s);
	routes_free(r);
}

static void test_share_join_replaces_options(void **state)
{
	(void)state;
	struct routes *r = routes_new(1, 0);
	struct share *s = group(r);
	join(s, 1, true);
	join(s, 2, true);
	struct share_member again = {.session = 1, .qos = 2, .identifier = 7, .is_connected = true};
	bool existed = false;
	assert_int_equal(share_join(s, &again, &existed), 0);
	assert_true(existed);
	assert_int_equal(s->member_count, 2);
	assert_int_equal(share_find(s, 1)->qos, 2);
	assert_int_equal(share_find(s, 1)->identifier, 7);
	assert_null(share_find(s, 3));
	routes_share_free(r, s);
	routes_free(r);
}

static void test_share_many_members_come_and_go(void **state)
{
	(void)state;
	mem_count_start();
	struct routes *r = routes_new(1, 0);
	struct share *s = group(r);
	for (uint64_t session = 1; session <= 1000; session++)
		join(s, session, session % 2);
	for (uint64_t session = 1; session <= 1000; session++) {
		if (session % 10 == 5)
			continue;
		assert_true(share_leave(s, session));
	}
	assert_int_equal(s->member_count, 100);
	assert_true(s->member_capacity < 512);
	for (uint64_t i = 0; i < 200; i++)
		assert_int_equal(share_next(s)->session, 5 + i % 100 * 10);
	routes_share_free(r, s);
	routes_free(r);
	assert_int_equal(mem_count_live(), 0);
}

static void test_share_is_found_by_name_and_filter(void **state)
{
	(void)state;
	mem_count_start();
	struct routes *r = routes_new(1, 16);
	struct span filter = SPAN_LITERAL("a/+");
	assert_null(routes_share(r, SPAN_LITERAL("g"), filter, false));
	struct share *s = group(r);
	assert_ptr_equal(group(r), s);
	struct share *other_name = routes_share(r, SPAN_LITERAL("h"), filter, true);
	struct share *other_filter = routes_share(r, SPAN_LITERAL("g"), SPAN_LITERAL("a/b"), true);
	assert_ptr_not_equal(s, other_name);
	assert_ptr_not_equal(s, other_filter);
	assert_true(span_is_equal(share_name(other_name), SPAN_LITERAL("h")));
	assert_true(span_is_equal(share_filter(other_filter), SPAN_LITERAL("a/b")));
	routes_share_free(r, s);
	assert_null(routes_share(r, SPAN_LITERAL("g"), filter, false));
	assert_ptr_equal(routes_share(r, SPAN_LITERAL("h"), filter, false), other_name);
	routes_share_free(r, other_name);
	routes_share_free(r, other_filter);
	routes_free(r);
	assert_int_equal(mem_count_live(), 0);
}

static void check_interest(struct routes *r, bool any, bool surviving)
{
	struct interest i = routes_interest(r, SPAN_LITERAL("a/+"));
	assert_int_equal(i.any, any);
	assert_int_equal(i.surviving, surviving);
	const struct match *m = routes_match(r, SPAN_LITERAL("a/b"));
	assert_int_equal(m->share_count, any ? 1 : 0);
	assert_int_equal(m->has_surviving, surviving);
	assert_int_equal(m->entry_count, 0);
}

static void test_share_counts_as_interest(void **state)
{
	(void)state;
	struct routes *r = routes_new(1, 16);
	struct share *s = group(r);
	check_interest(r, false, false);
	join(s, 1, true);
	routes_share_changed(r, s);
	check_interest(r, true, false);
	join(s, 2, false);
	share_find(s, 2)->survives = true;
	routes_share_changed(r, s);
	check_interest(r, true, true);
	assert_ptr_equal(routes_match(r, SPAN_LITERAL("a/b"))->shares[0], s);
	assert_true(share_leave(s, 2));
	routes_share_changed(r, s);
	check_interest(r, true, false);
	share_find(s, 1)->survives = true;
	routes_share_changed(r, s);
	check_interest(r, true, true);
	assert_true(share_leave(s, 1));
	routes_share_changed(r, s);
	check_interest(r, false, false);
	routes_share_free(r, s);
	check_interest(r, false, false);
	routes_free(r);
}

static void test_share_each_allocation_fails(void **state)
{
	(void)state;
	mem_count_start();
	struct routes *r = routes_new(1, 16);
	unsigned failures = 0;
	struct share *s = NULL;
	for (unsigned long countdown = 1; !s; countdown++) {
		mem_fail_after(countdown);
		s = routes_share(r, SPAN_LITERAL("g"), SPAN_LITERAL("a/+"), true);
		failures += !s;
		mem_fail_after(0);
		if (!s)
			assert_null(routes_share(r, SPAN_LITERAL("g"), SPAN_LITERAL("a/+"), false));
		if (!s)
			assert_int_equal(mem_count_live(), 1);
	}
	assert_true(failures >= 6);
	for (uint64_t session = 0; session < 100;) {
		struct share_member m = member(session, true);
		bool existed;
		mem_fail_after(session % 2 + 1);
		int error = share_join(s, &m, &existed);
		assert_int_equal(error == 0, share_find(s, session) != NULL);
		session += error == 0;
		mem_fail_after(0);
		if (error)
			assert_int_equal(share_join(s, &m, &existed), 0);
	}
	routes_share_free(r, s);
	routes_free(r);
	assert_int_equal(mem_count_live(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_share_goes_round),
		cmocka_unit_test(test_share_keeps_turn_when_one_leaves),
		cmocka_unit_test(test_share_join_replaces_options),
		cmocka_unit_test(test_share_many_members_come_and_go),
		cmocka_unit_test(test_share_is_found_by_name_and_filter),
		cmocka_unit_test(test_share_counts_as_interest),
		cmocka_unit_test(test_share_each_allocation_fails),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
