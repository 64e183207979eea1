/* SPDX-License-Identifier: Apache-2.0 */
/* Levels and names whose hashes are equal, which is not to be had otherwise: the linker puts our
 * hash_bytes in the place of the real one. */
#include "random.h"

#include "base/hash.h"
#include "route/routes.h"
#include "route/share.h"

uint64_t __real_hash_bytes(struct span bytes, uint64_t seed);
uint64_t __wrap_hash_bytes(struct span bytes, uint64_t seed);

/* All that begins with "same" has one hash. */
uint64_t __wrap_hash_bytes(struct span bytes, uint64_t seed)
{
	bool is_same = bytes.len >= 4 && memcmp(bytes.ptr, "same", 4) == 0;
	return __real_hash_bytes(is_same ? span_of(bytes.ptr, 4) : bytes, seed);
}

static void subscribe(struct routes *r, struct subscriber *s, const char *filter)
{
	struct subscription options = {.qos = 1};
	bool existed;
	assert_int_equal(routes_subscribe(r, s, span_of_text(filter), &options, &existed), 0);
}

static void assert_only(struct routes *r, const char *topic, const struct subscriber *s)
{
	const struct match *m = routes_match(r, span_of_text(topic));
	assert_non_null(m);
	assert_int_equal(m->entry_count, s ? 1 : 0);
	if (s)
		assert_ptr_equal(m->entries[0].subscriber, s);
}

static void test_hashes_are_not_believed(void **state)
{
	static const char *const forms[] = {"%s", "%s/b", "%s/+", "+/%s", "%s/#", "a/%s", "+/%s/#"};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(forms); i++) {
		struct routes *r = routes_new(1, 0);
		struct subscriber one = {0}, two = {0};
		const char *const topics[] = {"%s",     "%s/b", "%s/b",  "b/%s",
					      "%s/b/c", "a/%s", "b/%s/c"};
		char filter[40], topic[40];
		snprintf(filter, sizeof(filter), forms[i], "same1");
		subscribe(r, &one, filter);
		snprintf(topic, sizeof(topic), topics[i], "same2");
		assert_only(r, topic, NULL);
		snprintf(filter, sizeof(filter), forms[i], "same2");
		subscribe(r, &two, filter);
		assert_only(r, topic, &two);
		snprintf(topic, sizeof(topic), topics[i], "same1");
		assert_only(r, topic, &one);
		routes_remove_subscriber(r, &one);
		assert_only(r, topic, NULL);
		routes_remove_subscriber(r, &two);
		routes_free(r);
	}
}

/* [MQTT-4.8.2-2]: a name and a filter together are one group. */
static void test_groups_are_told_apart(void **state)
{
	static const char *const names[] = {"same1", "same2", "other"};
	static const char *const group_filters[] = {"same1/a", "same2/a", "b"};
	struct share *shares[9];
	(void)state;
	struct routes *r = routes_new(1, 0);
	for (unsigned i = 0; i < 9; i++) {
		shares[i] = routes_share(r, span_of_text(names[i / 3]),
					 span_of_text(group_filters[i % 3]), true);
		assert_non_null(shares[i]);
		for (unsigned k = 0; k < i; k++)
			assert_ptr_not_equal(shares[i], shares[k]);
	}
	for (unsigned i = 0; i < 9; i++) {
		assert_ptr_equal(routes_share(r, span_of_text(names[i / 3]),
					      span_of_text(group_filters[i % 3]), false),
				 shares[i]);
		assert_true(span_is_equal(share_name(shares[i]), span_of_text(names[i / 3])));
	}
	for (unsigned i = 0; i < 9; i++)
		routes_share_free(r, shares[i]);
	routes_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hashes_are_not_believed),
		cmocka_unit_test(test_groups_are_told_apart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
