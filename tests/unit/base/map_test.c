/* SPDX-License-Identifier: Apache-2.0 */
/* The map against an array of flags: random additions, removals and look-ups. */
#include "random.h"

#include "base/map.h"
#include "base/mem.h"

#define ELEMENTS 3000

struct element {
	char key[12];
	bool is_in;
};

static struct element elements[ELEMENTS];

static struct span key_of(const void *element)
{
	return span_of_text(((const struct element *)element)->key);
}

/* Keys: numbers as text, so that some are prefixes of others. */
static void elements_init(void)
{
	for (unsigned i = 0; i < ELEMENTS; i++) {
		char *end = elements[i].key;
		unsigned n = i;
		do
			*end++ = (char)('0' + n % 10);
		while ((n /= 10) > 0);
		*end = '\0';
		elements[i].is_in = false;
	}
}

/* Every element of the model is met once by walking and found by its key, and nothing else. */
static void check(const struct map *m)
{
	uint32_t count = 0, met = 0, cursor = 0;
	for (int i = 0; i < ELEMENTS; i++) {
		void *expected = elements[i].is_in ? &elements[i] : NULL;
		assert_ptr_equal(map_find(m, span_of_text(elements[i].key)), expected);
		count += elements[i].is_in;
	}
	struct element *element;
	while ((element = map_next(m, &cursor))) {
		assert_true(element->is_in);
		met++;
	}
	assert_int_equal(m->count, count);
	assert_int_equal(met, count);
}

static void change_one(struct map *m, struct random *r, unsigned range, unsigned add_percent)
{
	struct element *e = &elements[random_below(r, range)];
	bool adds = random_below(r, 100) < add_percent;
	if (adds && !e->is_in) {
		assert_int_equal(map_add(m, e), 0);
		e->is_in = true;
	} else if (!adds) {
		void *removed = map_remove(m, key_of(e));
		assert_ptr_equal(removed, e->is_in ? e : NULL);
		e->is_in = false;
	}
}

static void test_random_changes(void **state)
{
	(void)state;
	struct random r = {1};
	struct map m;
	elements_init();
	map_init(&m, 42, key_of);
	/* grows, hovers, shrinks to nothing, several times */
	const struct {
		unsigned range, add_percent, changes;
	} phases[] = {{20, 50, 2000},       {ELEMENTS, 90, 8000}, {ELEMENTS, 50, 8000},
		      {ELEMENTS, 5, 20000}, {50, 60, 3000},       {ELEMENTS, 95, 8000},
		      {ELEMENTS, 0, 60000}};
	for (size_t phase = 0; phase < ARRAY_COUNT(phases); phase++) {
		for (unsigned i = 0; i < phases[phase].changes; i++) {
			change_one(&m, &r, phases[phase].range, phases[phase].add_percent);
			if (i % 1000 == 0)
				check(&m);
		}
		check(&m);
	}
	map_release(&m);
}

/* The smallest table, driven with many seeds, so that probing wraps around its end. */
static void test_small_tables_with_many_seeds(void **state)
{
	(void)state;
	struct random r = {2};
	for (uint64_t seed = 0; seed < 300; seed++) {
		struct map m;
		elements_init();
		map_init(&m, seed, key_of);
		for (int i = 0; i < 120; i++)
			change_one(&m, &r, 14, 55);
		check(&m);
		map_release(&m);
	}
}

static void test_an_empty_map(void **state)
{
	(void)state;
	struct map m;
	uint32_t cursor = 0;
	map_init(&m, 1, key_of);
	assert_null(map_find(&m, span_of_text("1")));
	assert_null(map_remove(&m, span_of_text("1")));
	assert_null(map_next(&m, &cursor));
	map_release(&m);
}

static void test_memory_goes_back_when_the_map_empties(void **state)
{
	(void)state;
	struct map m;
	elements_init();
	mem_count_start();
	map_init(&m, 1, key_of);
	for (int i = 0; i < ELEMENTS; i++)
		assert_int_equal(map_add(&m, &elements[i]), 0);
	uint32_t capacity = m.capacity;
	for (int i = 0; i < ELEMENTS - 10; i++)
		assert_ptr_equal(map_remove(&m, key_of(&elements[i])), &elements[i]);
	assert_true(m.capacity < capacity / 16);
	for (int i = ELEMENTS - 10; i < ELEMENTS; i++)
		assert_ptr_equal(map_remove(&m, key_of(&elements[i])), &elements[i]);
	assert_int_equal(mem_count_live(), 0);
}

/* A failed allocation leaves the map as it was, whichever it is. */
static void test_every_allocation_fails_in_turn(void **state)
{
	(void)state;
	for (unsigned long countdown = 1;; countdown++) {
		struct map m;
		elements_init();
		map_init(&m, 3, key_of);
		mem_fail_after(countdown);
		for (int i = 0; i < 200; i++) {
			int error = map_add(&m, &elements[i]);
			elements[i].is_in = error == 0;
			assert_true(error == 0 || error == ERROR_NO_MEMORY);
		}
		for (int i = 0; i < 190; i++) {
			map_remove(&m, key_of(&elements[i]));
			elements[i].is_in = false;
		}
		check(&m);
		bool has_failed = mem_has_failed();
		mem_fail_after(0);
		map_release(&m);
		if (!has_failed) {
			assert_true(countdown > 3);
			return;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_changes),
		cmocka_unit_test(test_small_tables_with_many_seeds),
		cmocka_unit_test(test_an_empty_map),
		cmocka_unit_test(test_memory_goes_back_when_the_map_empties),
		cmocka_unit_test(test_every_allocation_fails_in_turn),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
