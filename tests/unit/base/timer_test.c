/* SPDX-License-Identifier: Apache-2.0 */
/* The wheel against a plain list of deadlines: no timer early, none lost, none more than a tick
 * late, and never asleep when one is due. */
#include "random.h"

#include "base/timer.h"

#define DAY_MS (UINT64_C(24) * 60 * 60 * 1000)
#define SPAN_MS (((uint64_t)1 << 30) * TIMER_TICK_MS)
#define TIMERS 40

struct world {
	struct timer_wheel wheel;
	struct timer timers[TIMERS];
	bool is_set[TIMERS];
	uint64_t now;
};

static void world_init(struct world *w, uint64_t now)
{
	memset(w, 0, sizeof(*w));
	w->now = now;
	timer_wheel_init(&w->wheel, now);
}

static uint64_t tick_up(uint64_t ms)
{
	return ms / TIMER_TICK_MS + (ms % TIMER_TICK_MS > 0);
}

/* The earliest deadline of the model. */
static uint64_t earliest(const struct world *w)
{
	uint64_t best = UINT64_MAX;
	for (int i = 0; i < TIMERS; i++)
		if (w->is_set[i] && w->timers[i].deadline_ms < best)
			best = w->timers[i].deadline_ms;
	return best;
}

static void check_all(const struct world *w)
{
	uint32_t count = 0;
	for (int i = 0; i < TIMERS; i++) {
		assert_int_equal(timer_is_set(&w->timers[i]), w->is_set[i]);
		count += w->is_set[i];
	}
	assert_int_equal(w->wheel.count, count);
}

/* Takes all that is due; returns how many. */
static int poll_all(struct world *w)
{
	int fired = 0;
	uint64_t last_tick = 0;
	struct timer *t;
	while ((t = timer_next(&w->wheel, w->now))) {
		int i = (int)(t - w->timers);
		assert_true(w->is_set[i]);
		assert_true(t->deadline_ms <= w->now); /* not early */
		assert_true(tick_up(t->deadline_ms) >= last_tick);
		last_tick = tick_up(t->deadline_ms);
		w->is_set[i] = false;
		fired++;
	}
	check_all(w);
	uint64_t next = earliest(w);
	if (next != UINT64_MAX)
		assert_true(tick_up(next) > w->now / TIMER_TICK_MS); /* none forgotten */
	return fired;
}

static void check_wait(const struct world *w)
{
	uint64_t wait = timer_wait_ms(&w->wheel, w->now), next = earliest(w);
	if (next == UINT64_MAX)
		assert_true(wait == UINT64_MAX);
	else
		assert_true(wait != UINT64_MAX && w->now + wait <= tick_up(next) * TIMER_TICK_MS);
}

static void world_set(struct world *w, int i, uint64_t deadline)
{
	timer_set(&w->wheel, &w->timers[i], deadline);
	w->is_set[i] = true;
}

/* Sometimes near, sometimes on another level, sometimes beyond the span of 99 days. */
static uint64_t random_delay(struct random *r)
{
	uint64_t bits = random_below(r, 38);
	return random_below(r, (uint64_t)1 << bits);
}

static void change_one(struct world *w, struct random *r)
{
	int i = (int)random_below(r, TIMERS);
	if (random_below(r, 4) == 0) {
		timer_cancel(&w->wheel, &w->timers[i]);
		w->is_set[i] = false;
	} else {
		world_set(w, i, w->now + random_delay(r));
	}
}

static void run_random(uint64_t start, uint64_t seed)
{
	struct random r = {seed};
	struct world w;
	world_init(&w, start);
	for (int step = 0; step < 20000; step++) {
		if (random_below(&r, 3) == 0)
			change_one(&w, &r);
		check_wait(&w);
		uint64_t wait = timer_wait_ms(&w.wheel, w.now);
		if (wait != UINT64_MAX && random_below(&r, 2) == 0)
			w.now += wait;
		else
			w.now += random_below(&r, (uint64_t)1 << random_below(&r, 30));
		poll_all(&w);
	}
}

static void test_random_deadlines(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 10; seed++)
		run_random(random_below(&(struct random){seed}, 1000 * DAY_MS), seed);
}

/* Where a digit above the highest level changes. */
static void test_random_deadlines_where_the_wheel_comes_round(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 10; seed++)
		run_random(seed * SPAN_MS - seed * 1000, seed);
}

static void test_a_short_timer_across_the_turn_of_the_wheel(void **state)
{
	(void)state;
	struct world w;
	world_init(&w, SPAN_MS - 1);
	world_set(&w, 0, SPAN_MS + 20);
	w.now = SPAN_MS + 24;
	assert_int_equal(poll_all(&w), 1);
}

/* Each millisecond of two days' worth of slots on the lower levels, polled each tick. */
static void test_no_timer_is_a_tick_late_when_polled_each_tick(void **state)
{
	(void)state;
	struct random r = {7};
	struct world w;
	world_init(&w, 12345);
	for (int i = 0; i < TIMERS; i++)
		world_set(&w, i, w.now + random_below(&r, 600 * 1000));
	uint64_t end = w.now + 600 * 1000 + TIMER_TICK_MS;
	for (; w.now < end; w.now += TIMER_TICK_MS) {
		uint64_t next = earliest(&w);
		assert_true(next == UINT64_MAX || w.now < next + 2 * TIMER_TICK_MS);
		poll_all(&w);
	}
	assert_int_equal(w.wheel.count, 0);
}

/* Following timer_wait_ms alone reaches a far deadline in a few wake-ups. */
static void test_waiting_for_a_far_deadline_wakes_seldom(void **state)
{
	(void)state;
	const uint64_t delays[] = {1,      8,           511,          513,          60 * 1000,
				   DAY_MS, 98 * DAY_MS, 100 * DAY_MS, 1000 * DAY_MS};
	for (size_t i = 0; i < ARRAY_COUNT(delays); i++) {
		struct world w;
		world_init(&w, 77777);
		uint64_t deadline = w.now + delays[i];
		world_set(&w, 0, deadline);
		int wakes = 0;
		while (poll_all(&w) == 0) {
			uint64_t wait = timer_wait_ms(&w.wheel, w.now);
			assert_true(wait > 0);
			w.now += wait;
			wakes++;
		}
		assert_true(w.now >= deadline && w.now < deadline + TIMER_TICK_MS);
		assert_true(wakes <= 5 + 4 * (int)(delays[i] / (98 * DAY_MS)));
	}
}

static void test_a_deadline_in_the_past_is_due_at_once(void **state)
{
	(void)state;
	struct world w;
	world_init(&w, 1000);
	world_set(&w, 0, 0);
	world_set(&w, 1, 1000);
	assert_int_equal(timer_wait_ms(&w.wheel, 1000), 0);
	assert_int_equal(poll_all(&w), 2);
}

static void test_a_deadline_at_the_end_of_time_never_comes(void **state)
{
	(void)state;
	struct world w;
	world_init(&w, 1000);
	world_set(&w, 0, UINT64_MAX);
	assert_int_equal(poll_all(&w), 0);
	w.now = 10000 * DAY_MS;
	assert_int_equal(poll_all(&w), 0);
	assert_true(timer_is_set(&w.timers[0]));
}

static void test_a_timer_may_be_set_again_or_cancelled_while_due(void **state)
{
	(void)state;
	struct world w;
	world_init(&w, 0);
	for (int i = 0; i < 3; i++)
		world_set(&w, i, 16);
	w.now = 16;
	struct timer *first = timer_next(&w.wheel, w.now);
	assert_non_null(first);
	w.is_set[first - w.timers] = false;
	int left = first == &w.timers[1] ? 0 : 1;
	timer_cancel(&w.wheel, &w.timers[left]);
	w.is_set[left] = false;
	world_set(&w, (int)(first - w.timers), 5000);
	assert_int_equal(poll_all(&w), 1);
	w.now = 5000;
	assert_int_equal(poll_all(&w), 1);
	assert_int_equal(w.wheel.count, 0);
	timer_cancel(&w.wheel, &w.timers[0]); /* not set: nothing happens */
	assert_int_equal(w.wheel.count, 0);
}

static void test_a_clock_that_stands_or_goes_back_fires_nothing(void **state)
{
	(void)state;
	struct world w;
	world_init(&w, 10000);
	world_set(&w, 0, 10100);
	w.now = 10050;
	assert_int_equal(poll_all(&w), 0);
	assert_null(timer_next(&w.wheel, 9000));
	w.now = 10104;
	assert_int_equal(poll_all(&w), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_deadlines),
		cmocka_unit_test(test_random_deadlines_where_the_wheel_comes_round),
		cmocka_unit_test(test_a_short_timer_across_the_turn_of_the_wheel),
		cmocka_unit_test(test_no_timer_is_a_tick_late_when_polled_each_tick),
		cmocka_unit_test(test_waiting_for_a_far_deadline_wakes_seldom),
		cmocka_unit_test(test_a_deadline_in_the_past_is_due_at_once),
		cmocka_unit_test(test_a_deadline_at_the_end_of_time_never_comes),
		cmocka_unit_test(test_a_timer_may_be_set_again_or_cancelled_while_due),
		cmocka_unit_test(test_a_clock_that_stands_or_goes_back_fires_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
