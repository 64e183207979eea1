/* SPDX-License-Identifier: Apache-2.0 */
/* The retained store, or a queue, is full: whatever way a message takes to it. */
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

static void test_store_full_by_replacement(void **state)
{
	(void)state;
	set.retained_bytes_max = 100;
	play_all(&set, "a > CONNECT v5 id=a clean\n"
		       "a < CONNACK 00\n"
		       "a > PUBLISH q1 m1 retain t=t p=#60\n"
		       "a < PUBACK m1 rc=10\n"
		       "a > PUBLISH q1 m2 retain t=u p=#60\n"
		       "a < PUBACK m2 rc=97\n"
		       "a > PUBLISH q1 m3 retain t=t p=#101\n"
		       "a < PUBACK m3 rc=97\n"
		       "a > PUBLISH q1 m4 retain t=t p=#100\n"
		       "a < PUBACK m4 rc=10\n");
}

/* It goes to those who are there. */
static void test_store_full_for_a_will(void **state)
{
	(void)state;
	set.retained_messages_max = 1;
	play_all(&set, "a > CONNECT v5 id=a clean\n"
		       "a < CONNACK 00\n"
		       "a > PUBLISH q1 m1 retain t=t p=1\n"
		       "a < PUBACK m1 rc=10\n"
		       "a > SUBSCRIBE m1 f=w\n"
		       "a < SUBACK m1 00\n"
		       "b > CONNECT v5 id=b clean will=w:gone willretain\n"
		       "b < CONNACK 00\n"
		       "b cut\n"
		       "a < PUBLISH q0 t=w p=gone\n"
		       "a > SUBSCRIBE m2 f=w\n"
		       "a < SUBACK m2 00\n");
}

/* A queue whose oldest messages go is not emptied for one that never fits. */
static void test_store_queue_and_a_huge_message(void **state)
{
	(void)state;
	set.queue_full_policy = QUEUE_FULL_DROP_OLDEST;
	set.absent_queue_bytes_max = 2000;
	play_all(&set, "a > CONNECT v5 id=a expiry=100\n"
		       "a < CONNACK 00\n"
		       "a > SUBSCRIBE m1 f=t,q1\n"
		       "a < SUBACK m1 01\n"
		       "a cut\n"
		       "b > CONNECT v5 id=b clean\n"
		       "b < CONNACK 00\n"
		       "b > PUBLISH q1 m1 t=t p=1\n"
		       "b < PUBACK m1\n"
		       "b > PUBLISH q1 m2 t=t p=#3000\n"
		       "b < PUBACK m2\n"
		       "b > PUBLISH q1 m3 t=t p=#1500\n"
		       "b < PUBACK m3\n"
		       "b > PUBLISH q1 m4 t=t p=#1000\n"
		       "b < PUBACK m4\n"
		       "b > PUBLISH q1 m5 t=t p=5\n"
		       "b < PUBACK m5\n"
		       "a > CONNECT v5 id=a expiry=100\n"
		       "a < CONNACK 00 present\n"
		       "a < PUBLISH q1 m1 t=t p=#1000\n"
		       "a < PUBLISH q1 m2 t=t p=5\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_store_full_by_replacement, setup),
		cmocka_unit_test_setup(test_store_full_for_a_will, setup),
		cmocka_unit_test_setup(test_store_queue_and_a_huge_message, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
