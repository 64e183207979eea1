/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "daemon/store_path.h"

static void check(const struct store_surroundings *around, const char *expected)
{
	char *path = store_default_path(around);
	if (expected)
		assert_string_equal(path, expected);
	else
		assert_null(path);
	mem_free(path);
}

static void test_store_path_of_a_user(void **state)
{
	(void)state;
	check(&(struct store_surroundings){.home = "/home/u"}, "/home/u/.local/state/nightjar");
	check(&(struct store_surroundings){.home = "/home/u", .state_home = "/s"}, "/s/nightjar");
	/* a relative one does not count, nor does an empty one */
	check(&(struct store_surroundings){.home = "/home/u", .state_home = "s"},
	      "/home/u/.local/state/nightjar");
	check(&(struct store_surroundings){.home = "/home/u", .state_home = ""},
	      "/home/u/.local/state/nightjar");
	check(&(struct store_surroundings){.home = ""}, NULL);
	check(&(struct store_surroundings){0}, NULL);
}

static void test_store_path_of_root(void **state)
{
	(void)state;
	check(&(struct store_surroundings){.is_root = true, .home = "/root", .state_home = "/s"},
	      "/var/lib/nightjar");
}

static void test_store_path_of_a_service(void **state)
{
	(void)state;
	check(&(struct store_surroundings){.is_root = true, .state_directory = "/var/lib/mqtt"},
	      "/var/lib/mqtt");
	check(&(struct store_surroundings){.home = "/home/u", .state_directory = "/a:/b"}, "/a");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_store_path_of_a_user),
		cmocka_unit_test(test_store_path_of_root),
		cmocka_unit_test(test_store_path_of_a_service),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
