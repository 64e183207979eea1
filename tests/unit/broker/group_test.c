/* SPDX-License-Identifier: Apache-2.0 */
/* Shared groups whose members come and go: what was accepted for the group is delivered
 * ([5] 4.8.2). */
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

/* More was accepted while nobody was there than a connected member's queue may hold. */
static void test_group_waiting_is_more_than_a_queue(void **state)
{
	(void)state;
	set.queue_messages_max = 10;
	play_all(&set, "a > CONNECT v5 id=a expiry=100 rmax=5\n"
		       "a < CONNACK 00\n"
		       "a > SUBSCRIBE m1 f=$share/g/t,q1\n"
		       "a < SUBACK m1 01\n"
		       "a > DISCONNECT\n"
		       "a < closed\n"
		       "b > CONNECT v5 id=b clean\n"
		       "b < CONNACK 00\n"
		       "repeat 50 b > PUBLISH q1 m%d t=t p=%d\n"
		       "repeat 50 b < PUBACK m%d\n"
		       "a > CONNECT v5 id=a expiry=100 rmax=5\n"
		       "a < CONNACK 00 present\n"
		       "repeat 50 a > PUBACK m%d\n"
		       "repeat 50 a < PUBLISH q1 m%d t=t p=%d\n");
}

/* A member goes with more than the other one's queue has room for. */
static void test_group_returned_is_more_than_a_queue(void **state)
{
	(void)state;
	set.queue_messages_max = 10;
	set.hold_back_ms_max = 0;
	play_all(&set, "a > CONNECT v5 id=a clean rmax=6\n"
		       "a < CONNACK 00\n"
		       "a > SUBSCRIBE m1 f=$share/g/t,q1\n"
		       "a < SUBACK m1 01\n"
		       "c > CONNECT v5 id=c clean rmax=6\n"
		       "c < CONNACK 00\n"
		       "c > SUBSCRIBE m1 f=$share/g/t,q1\n"
		       "c < SUBACK m1 01\n"
		       "b > CONNECT v5 id=b clean\n"
		       "b < CONNACK 00\n"
		       "repeat 32 b > PUBLISH q1 m%d t=t p=%d\n"
		       "repeat 32 b < PUBACK m%d\n"
		       "a < 6 PUBLISH\n"
		       "a > DISCONNECT\n"
		       "a < closed\n"
		       "repeat 32 c > PUBACK m%d\n"
		       "c < 32 PUBLISH q1\n");
}

/* Shared subscriptions are subscriptions, for limits too. */
static void test_group_memberships_are_limited(void **state)
{
	(void)state;
	set.subscriptions_per_client_max = 3;
	play_all(&set, "a > CONNECT v5 id=a clean\n"
		       "a < CONNACK 00\n"
		       "a > SUBSCRIBE m1 f=$share/g/t,q1 f=$share/h/t,q1 f=u f=$share/i/t f=v\n"
		       "a < SUBACK m1 01 01 00 97 97\n"
		       "a > UNSUBSCRIBE m2 f=$share/g/t\n"
		       "a < UNSUBACK m2 00\n"
		       "a > SUBSCRIBE m3 f=$share/i/t f=v\n"
		       "a < SUBACK m3 00 97\n"
		       "a > SUBSCRIBE m4 f=u,q2 f=$share/h/t,q2\n"
		       "a < SUBACK m4 02 02\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_group_waiting_is_more_than_a_queue, setup),
		cmocka_unit_test_setup(test_group_returned_is_more_than_a_queue, setup),
		cmocka_unit_test_setup(test_group_memberships_are_limited, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
