/* SPDX-License-Identifier: Apache-2.0 */
#include "base/nearest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char *nearest_to(const char *word)
{
	struct nearest nearest = nearest_start(span_of_text(word));
	nearest_offer(&nearest, "broker");
	nearest_offer(&nearest, "pub");
	nearest_offer(&nearest, "sub");
	nearest_offer(&nearest, "bench");
	return nearest.best;
}

static void test_nearest_of_slips(void **state)
{
	(void)state;
	assert_string_equal(nearest_to("brokr"), "broker");
	assert_string_equal(nearest_to("borker"), "broker");
	assert_string_equal(nearest_to("brokers"), "broker");
	assert_string_equal(nearest_to("pup"), "pub");
	assert_string_equal(nearest_to("bemch"), "bench");
	assert_string_equal(nearest_to("sub"), "sub");
}

static void test_nearest_of_another_word_is_none(void **state)
{
	(void)state;
	assert_null(nearest_to("frobnicate"));
	assert_null(nearest_to("server"));
	assert_null(nearest_to("publish"));
	assert_null(nearest_to("brokerbrokerbrokerbrokerbrokerbroker"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nearest_of_slips),
		cmocka_unit_test(test_nearest_of_another_word_is_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
