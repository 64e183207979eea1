/* SPDX-License-Identifier: Apache-2.0 */
/* Wills: when they are published, when not, and how long they wait ([5] 3.1.2.5, 3.1.3.2). */
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

#define WATCHER                                                                                    \
	"w > CONNECT v5 id=w clean\n"                                                              \
	"w < CONNACK 00\n"                                                                         \
	"w > SUBSCRIBE m1 f=w/#,q2,rap\n"                                                          \
	"w < SUBACK m1 02\n"

static void test_will_of_a_lost_connection(void **state)
{
	(void)state;
	play_all(&set, WATCHER "a > CONNECT v4 id=a clean will=w/a:gone\n"
			       "a < CONNACK 00\n"
			       "a cut\n"
			       "w < PUBLISH q0 t=w/a p=gone\n"
			       "b > CONNECT v5 id=b clean will=w/b:gone willqos=1\n"
			       "b < CONNACK 00\n"
			       "b close\n"
			       "w < PUBLISH q1 m1 t=w/b p=gone\n"
			       "# a broken rule is a loss too\n"
			       "c > CONNECT v5 id=c clean will=w/c:gone willqos=2\n"
			       "c < CONNACK 00\n"
			       "c > RAW f0 00\n"
			       "w < PUBLISH q2 m2 t=w/c p=gone\n"
			       "c < DISCONNECT 82\n"
			       "c < closed\n"
			       "d > CONNECT v4 id=d clean keep=10 will=w/d:gone\n"
			       "d < CONNACK 00\n"
			       "wait 15100\n"
			       "w < PUBLISH q0 t=w/d p=gone\n");
}

static void test_will_with_too_many_levels(void **state)
{
	(void)state;
	set.topic_levels_max = 3;
	play_all(&set, WATCHER "a > CONNECT v4 id=a clean will=w/a/b/c:gone\n"
			       "a < closed\n"
			       "b > CONNECT v5 id=b clean will=w/a/b/c:gone\n"
			       "b < CONNACK 90\n"
			       "b < closed\n"
			       "c > CONNECT v5 id=c clean will=w/a/b:gone\n"
			       "c < CONNACK 00\n"
			       "c cut\n"
			       "w < PUBLISH q0 t=w/a/b p=gone\n");
}

static void test_will_of_a_goodbye(void **state)
{
	(void)state;
	play_all(&set, WATCHER "a > CONNECT v4 id=a clean will=w/a:gone\n"
			       "a < CONNACK 00\n"
			       "a > DISCONNECT\n"
			       "a < closed\n"
			       "b > CONNECT v5 id=b expiry=10 clean will=w/b:gone willdelay=1\n"
			       "b < CONNACK 00\n"
			       "b > DISCONNECT\n"
			       "b < closed\n"
			       "wait 20000\n"
			       "w < nothing\n"
			       "c > CONNECT v5 id=c clean will=w/c:gone\n"
			       "c < CONNACK 00\n"
			       "c > DISCONNECT rc=04\n"
			       "c < closed\n"
			       "w < PUBLISH q0 t=w/c p=gone\n");
}

static void test_will_waits(void **state)
{
	(void)state;
	play_all(&set, WATCHER "a > CONNECT v5 id=a clean expiry=60 will=w/a:1 willdelay=10\n"
			       "a < CONNACK 00\n"
			       "a cut\n"
			       "wait 9900\n"
			       "w < nothing\n"
			       "a > CONNECT v5 id=a expiry=60 will=w/a:2 willdelay=10\n"
			       "a < CONNACK 00 present\n"
			       "wait 20000\n"
			       "w < nothing\n"
			       "a cut\n"
			       "wait 9900\n"
			       "w < nothing\n"
			       "wait 200\n"
			       "w < PUBLISH q0 t=w/a p=2\n"
			       "# the session's end comes first\n"
			       "b > CONNECT v5 id=b clean expiry=5 will=w/b:1 willdelay=10\n"
			       "b < CONNACK 00\n"
			       "b cut\n"
			       "wait 4900\n"
			       "w < nothing\n"
			       "wait 200\n"
			       "w < PUBLISH q0 t=w/b p=1\n"
			       "# so it does for one without a session\n"
			       "c > CONNECT v5 id=c clean will=w/c:1 willdelay=10\n"
			       "c < CONNACK 00\n"
			       "c cut\n"
			       "w < PUBLISH q0 t=w/c p=1\n");
}

/* The connection's end has it on its way; the session's end, in the same moment, adds no other. */
static void test_will_goes_once_by_a_clean_take_over(void **state)
{
	(void)state;
	play_all(&set, WATCHER "a > CONNECT v5 id=a clean expiry=60 will=w/a:1\n"
			       "a < CONNACK 00\n"
			       "b > CONNECT v5 id=a clean\n"
			       "a < DISCONNECT 8e\n"
			       "a < closed\n"
			       "b < CONNACK 00\n"
			       "w < PUBLISH q0 t=w/a p=1\n"
			       "w < nothing\n");
}

static void test_will_of_one_taken_over(void **state)
{
	(void)state;
	play_all(&set, WATCHER "a > CONNECT v5 id=a clean expiry=60 will=w/a:1\n"
			       "a < CONNACK 00\n"
			       "b > CONNECT v5 id=a expiry=60 will=w/a:2 willdelay=5\n"
			       "b < CONNACK 00 present\n"
			       "w < PUBLISH q0 t=w/a p=1\n"
			       "# a delay is not over yet: the session goes on\n"
			       "c > CONNECT v5 id=a expiry=60 will=w/a:3 willdelay=5\n"
			       "c < CONNACK 00 present\n"
			       "wait 10000\n"
			       "w < nothing\n"
			       "# a clean start ends the session, whatever the delay\n"
			       "d > CONNECT v5 id=a clean expiry=60\n"
			       "d < CONNACK 00\n"
			       "w < PUBLISH q0 t=w/a p=3\n"
			       "d cut\n"
			       "a < DISCONNECT 8e\n"
			       "b < DISCONNECT 8e\n"
			       "c < DISCONNECT 8e\n"
			       "w < nothing\n");
}

static void test_will_is_retained_and_expires(void **state)
{
	(void)state;
	play_all(&set,
		 WATCHER "a > CONNECT v5 id=a clean will=w/a:1 willretain willexpiry=10 willqos=1\n"
			 "a < CONNACK 00\n"
			 "wait 60000\n"
			 "a cut\n"
			 "w < PUBLISH q1 m1 retain t=w/a p=1 expiry=10\n"
			 "b > CONNECT v5 id=b clean\n"
			 "b < CONNACK 00\n"
			 "wait 4000\n"
			 "b > SUBSCRIBE m1 f=w/a,q1\n"
			 "b < 2 \n"
			 "wait 6100\n"
			 "b > SUBSCRIBE m2 f=w/a,q1\n"
			 "b < SUBACK m2 01\n"
			 "b < nothing\n");
}

/* Of two deaths in one turn, and a will on the way to its own client. */
static void test_will_of_many(void **state)
{
	(void)state;
	play_all(&set, "a > CONNECT v4 id=a will=w/a:gone willqos=1\n"
		       "a < CONNACK 00\n"
		       "a > SUBSCRIBE m1 f=w/#,q1\n"
		       "a < SUBACK m1 01\n"
		       "b > CONNECT v4 id=b will=w/b:gone willqos=1\n"
		       "b < CONNACK 00\n"
		       "b > SUBSCRIBE m1 f=w/#,q1\n"
		       "b < SUBACK m1 01\n"
		       "together\n"
		       "a cut\n"
		       "b cut\n"
		       "apart\n"
		       "a > CONNECT v4 id=a\n"
		       "a < CONNACK 00 present\n"
		       "a < 2 PUBLISH q1 m\n"
		       "b > CONNECT v4 id=b\n"
		       "b < CONNACK 00 present\n"
		       "b < 2 PUBLISH q1 m\n");
}

static void test_will_limits(void **state)
{
	(void)state;
	set.qos_max = 1;
	set.retain_available = false;
	play_all(&set, "a > CONNECT v5 id=a clean will=w:1 willqos=2\n"
		       "a < CONNACK 9b\n"
		       "a < closed\n"
		       "a > CONNECT v5 id=a clean will=w:1 willretain\n"
		       "a < CONNACK 9a\n"
		       "a < closed\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_will_of_a_lost_connection, setup),
		cmocka_unit_test_setup(test_will_of_a_goodbye, setup),
		cmocka_unit_test_setup(test_will_with_too_many_levels, setup),
		cmocka_unit_test_setup(test_will_waits, setup),
		cmocka_unit_test_setup(test_will_goes_once_by_a_clean_take_over, setup),
		cmocka_unit_test_setup(test_will_of_one_taken_over, setup),
		cmocka_unit_test_setup(test_will_is_retained_and_expires, setup),
		cmocka_unit_test_setup(test_will_of_many, setup),
		cmocka_unit_test_setup(test_will_limits, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
