/* SPDX-License-Identifier: Apache-2.0 */
/* Readers that fall behind or are away: what waits for them is bounded, publishers are told or held
 * back, and the broker stays small. */
#include "kit/play.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct settings set;

static int setup(void **state)
{
	(void)state;
	settings_init(&set);
	set.hold_back_ms_max = 0;
	return 0;
}

#define ABSENT                                                                                     \
	"s > CONNECT v5 id=s clean expiry=1000\ns < CONNACK 00\n"                                  \
	"s > SUBSCRIBE m1 f=t,q2\ns < SUBACK m1 02\n"                                              \
	"s cut\n"                                                                                  \
	"p > CONNECT v5 id=p clean\np < CONNACK 00\n"
#define BACK "s > CONNECT v5 id=s expiry=1000\ns < CONNACK 00 present\n"

static void test_queue_full_refuses(void **state)
{
	(void)state;
	set.absent_queue_messages_max = 2;
	play_all(&set, ABSENT "p > PUBLISH q1 m1 t=t p=1\np < PUBACK m1\n"
			      "p > PUBLISH q2 m2 t=t p=2\np < PUBREC m2\n"
			      "p > PUBLISH q1 m3 t=t p=3\np < PUBACK m3 rc=97\n"
			      "p > PUBLISH q2 m4 t=t p=4\np < PUBREC m4 rc=97\n"
			      "# the refused one's id is free, the other one's not\n"
			      "p > PUBREL m4\np < PUBCOMP m4 rc=92\n"
			      "p > PUBREL m2\np < PUBCOMP m2\n"
			      "# QoS 0 does not wait for the absent\n"
			      "p > PUBLISH t=t p=0\n" BACK "s < PUBLISH q1 m1 t=t p=1\n"
			      "s < PUBLISH q2 m2 t=t p=2\n"
			      "s < nothing\n");
}

static void test_queue_full_drops_the_newest(void **state)
{
	(void)state;
	set.absent_queue_messages_max = 2;
	set.queue_full_policy = QUEUE_FULL_DROP_NEWEST;
	play_all(&set, ABSENT "repeat 4 p > PUBLISH q1 m%d t=t p=%d\n"
			      "repeat 4 p < PUBACK m%d\n" BACK "s < PUBLISH q1 m1 t=t p=1\n"
			      "s < PUBLISH q1 m2 t=t p=2\n"
			      "s < nothing\n");
}

static void test_queue_full_drops_the_oldest(void **state)
{
	(void)state;
	set.absent_queue_messages_max = 2;
	set.queue_full_policy = QUEUE_FULL_DROP_OLDEST;
	play_all(&set, ABSENT "repeat 4 p > PUBLISH q1 m%d t=t p=%d\n"
			      "repeat 4 p < PUBACK m%d\n" BACK "s < PUBLISH q1 m1 t=t p=3\n"
			      "s < PUBLISH q1 m2 t=t p=4\n"
			      "s < nothing\n");
}

static void test_queue_bytes(void **state)
{
	(void)state;
	set.absent_queue_bytes_max = 3000;
	play_all(&set, ABSENT "p > PUBLISH q1 m1 t=t p=#1400\np < PUBACK m1\n"
			      "p > PUBLISH q1 m2 t=t p=#1400\np < PUBACK m2\n"
			      "p > PUBLISH q1 m3 t=t p=#1400\np < PUBACK m3 rc=97\n"
			      "p > PUBLISH q1 m4 t=t p=4\np < PUBACK m4\n" BACK
			      "s < PUBLISH q1 m1 t=t p=#1400\n"
			      "s < PUBLISH q1 m2 t=t p=#1400\n"
			      "s < PUBLISH q1 m3 t=t p=4\n");
}

static void test_queue_qos_0_for_the_absent(void **state)
{
	(void)state;
	set.queue_qos0_absent = true;
	play_all(&set, ABSENT "p > PUBLISH t=t p=1\n"
			      "p > PUBLISH q1 m1 t=t p=2\np < PUBACK m1\n"
			      "p > PUBLISH t=t p=3\n" BACK "s < PUBLISH q0 t=t p=1\n"
			      "s < PUBLISH q1 m1 t=t p=2\n"
			      "s < PUBLISH q0 t=t p=3\n");
}

/* One is full, the other not: the publisher hears of it, the other gets the message. */
static void test_queue_full_of_one_of_two(void **state)
{
	(void)state;
	set.absent_queue_messages_max = 1;
	play_all(&set, ABSENT "o > CONNECT v4 id=o clean\no < CONNACK 00\n"
			      "o > SUBSCRIBE m1 f=t,q0\no < SUBACK m1 00\n"
			      "p > PUBLISH q1 m1 t=t p=1\np < PUBACK m1\n"
			      "p > PUBLISH q1 m2 t=t p=2\np < PUBACK m2 rc=97\n"
			      "o < PUBLISH q0 t=t p=1\n"
			      "o < PUBLISH q0 t=t p=2\n");
}

static void test_queue_memory_of_the_whole_broker(void **state)
{
	(void)state;
	set.memory_bytes_max = 5000;
	play_over(&set, 1,
		  ABSENT "p > PUBLISH q1 m1 t=t p=#2000\np < PUBACK m1\n"
			 "p > PUBLISH q1 m2 t=t p=#2000\np < PUBACK m2\n"
			 "p > PUBLISH q1 m3 t=t p=#2000\np < PUBACK m3 rc=97\n" BACK
			 "s < 2 PUBLISH q1\n" /* held until they are acknowledged */
			 "p > PUBLISH q1 m4 t=t p=#2000\np < PUBACK m4 rc=97\n"
			 "s > PUBACK m1\ns > PUBACK m2\n"
			 "p > PUBLISH q1 m5 t=t p=#2000\np < PUBACK m5\n"
			 "s < PUBLISH q1 m3 t=t p=#2000\n");
}

/* A reader at QoS 0 that does not read loses messages beyond its limit, and only it. */
static void test_queue_slow_reader_at_qos_0(void **state)
{
	static struct play p;
	struct shard_status status;
	(void)state;
	set.output_bytes_max = 50000;
	play_start(&p, &set, 3, 11, 0);
	play_lines(&p, "s small 1000\n"
		       "s > CONNECT v4 id=s clean\ns < CONNACK 00\n"
		       "s > SUBSCRIBE m1 f=t,q0\ns < SUBACK m1 00\n"
		       "o > CONNECT v4 id=o clean\no < CONNACK 00\n"
		       "o > SUBSCRIBE m1 f=t,q0\no < SUBACK m1 00\n"
		       "p > CONNECT v4 id=p clean\np < CONNACK 00\n"
		       "s stop\n"
		       "repeat 1000 p > PUBLISH t=t p=#1000\n"
		       "o < 1000 PUBLISH q0 t=t\n");
	kit_status(&p.kit, &status);
	assert_in_range(status.dropped_qos0, 940, 955);
	play_line(&p, "s go");
	play_line(&p, "s < %llu PUBLISH q0 t=t", 1000ull - status.dropped_qos0);
	/* it takes part again */
	play_lines(&p, "p > PUBLISH t=t p=now\n"
		       "s < PUBLISH q0 t=t p=now\n"
		       "o < PUBLISH q0 t=t p=now\n");
	play_stop(&p);
}

/* Publishers are not answered while their reader is behind, and the queue stays short. */
static void test_queue_holds_publishers_back(void **state)
{
	(void)state;
	set.hold_back_ms_max = 1000;
	set.queue_messages_max = 10;
	play_all(&set, "s > CONNECT v5 id=s clean rmax=1\ns < CONNACK 00\n"
		       "s > SUBSCRIBE m1 f=t,q1\ns < SUBACK m1 01\n"
		       "p > CONNECT v4 id=p clean\np < CONNACK 00\n"
		       "# one is under way, four wait: the queue is not half full yet\n"
		       "repeat 7 p > PUBLISH q1 m%d t=t p=%d\n"
		       "p < 5 PUBACK\n"
		       "p < nothing\n"
		       "s < PUBLISH q1 m1 t=t p=1\n"
		       "s > PUBACK m1\n"
		       "s < PUBLISH q1 m2 t=t p=2\n"
		       "p < nothing\n"
		       "s > PUBACK m2\n"
		       "s < PUBLISH q1 m3 t=t p=3\n"
		       "p < PUBACK m6\n"
		       "p < PUBACK m7\n");
}

static void test_queue_holds_back_for_a_while_only(void **state)
{
	(void)state;
	set.hold_back_ms_max = 1000;
	set.queue_messages_max = 10;
	play_all(&set, "s > CONNECT v5 id=s clean rmax=1\ns < CONNACK 00\n"
		       "s > SUBSCRIBE m1 f=t,q1\ns < SUBACK m1 01\n"
		       "p > CONNECT v5 id=p clean\np < CONNACK 00\n"
		       "repeat 6 p > PUBLISH q1 m%d t=t p=%d\n"
		       "p < 5 PUBACK\n"
		       "wait 500\n"
		       "p > PUBLISH q2 m7 t=t p=7\n"
		       "p < nothing\n"
		       "wait 510\n"
		       "p < PUBACK m6\n"
		       "p < nothing\n"
		       "wait 500\n"
		       "p < PUBREC m7\n"
		       "# those that nobody holds wait their turn only\n"
		       "p + PUBLISH q1 m8 t=t p=8\n"
		       "p > PUBLISH q1 m9 t=none p=9\n"
		       "p < nothing\n"
		       "s < PUBLISH q1 m1 t=t p=1\n"
		       "s cut\n"
		       "p < PUBACK m8\n"
		       "p < PUBACK m9 rc=10\n");
}

/* A queue that was filled while absent is above the limit of the connected: it drains first. */
static void test_queue_of_one_who_returns(void **state)
{
	(void)state;
	set.queue_messages_max = 3;
	set.absent_queue_messages_max = 6;
	play_all(&set, ABSENT "repeat 7 p > PUBLISH q1 m%d t=t p=%d\n"
			      "p < 6 PUBACK\n"
			      "p < PUBACK m7 rc=97\n"
			      "s > CONNECT v5 id=s expiry=1000 rmax=1\n"
			      "s < CONNACK 00 present\n"
			      "s < PUBLISH q1 m1 t=t p=1\n"
			      "p > PUBLISH q1 m8 t=t p=8\np < PUBACK m8 rc=97\n"
			      "repeat 3 s > PUBACK m%d\n"
			      "s < 3 PUBLISH q1\n"
			      "p > PUBLISH q1 m9 t=t p=9\np < PUBACK m9\n"
			      "repeat 10 s > PUBACK m%d\n"
			      "s < PUBLISH q1 m5 t=t p=5\n"
			      "s < PUBLISH q1 m6 t=t p=6\n"
			      "s < PUBLISH q1 m7 t=t p=9\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_queue_full_refuses, setup),
		cmocka_unit_test_setup(test_queue_full_drops_the_newest, setup),
		cmocka_unit_test_setup(test_queue_full_drops_the_oldest, setup),
		cmocka_unit_test_setup(test_queue_bytes, setup),
		cmocka_unit_test_setup(test_queue_qos_0_for_the_absent, setup),
		cmocka_unit_test_setup(test_queue_full_of_one_of_two, setup),
		cmocka_unit_test_setup(test_queue_memory_of_the_whole_broker, setup),
		cmocka_unit_test_setup(test_queue_slow_reader_at_qos_0, setup),
		cmocka_unit_test_setup(test_queue_holds_publishers_back, setup),
		cmocka_unit_test_setup(test_queue_holds_back_for_a_while_only, setup),
		cmocka_unit_test_setup(test_queue_of_one_who_returns, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
