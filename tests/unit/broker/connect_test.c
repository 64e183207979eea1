/* SPDX-License-Identifier: Apache-2.0 */
/* CONNECT: accepted, refused, taken over, cleaned; what of it is kept ([5] 3.1, 3.2, 4.1). */
#include "kit/play.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct settings set;

static int setup(void **state)
{
	(void)state;
	settings_init(&set);
	return 0;
}

static void test_connect_accepted(void **state)
{
	(void)state;
	play_all(&set, "a > CONNECT v3 id=a clean\n"
		       "a < CONNACK 00\n"
		       "b > CONNECT v4 id=b clean\n"
		       "b < CONNACK 00\n"
		       "c > CONNECT v5 id=c clean\n"
		       "c < CONNACK 00\n"
		       "d > CONNECT v5 clean\n"
		       "d < CONNACK 00 id\n"
		       "a > PINGREQ\n"
		       "a < PINGRESP\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_connect_accepted, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
