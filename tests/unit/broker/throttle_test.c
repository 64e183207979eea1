/* SPDX-License-Identifier: Apache-2.0 */
/* Clients that send faster than their listener allows: held back, refused or disconnected, and
 * whatever was acknowledged arrives. */
#include "broker/guard.h"
#include "kit/play.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct settings set;
static struct listener_limits *const limits = &set.limits.listeners[0];

static int setup(void **state)
{
	(void)state;
	settings_init(&set);
	set.hold_back_ms_max = 0;
	return 0;
}

#define READER                                                                                     \
	"s > CONNECT v5 id=s clean\ns < CONNACK 00\n"                                              \
	"s > SUBSCRIBE m1 f=t,q2\ns < SUBACK m1 02\n"
#define READER_AND(version) READER "p > CONNECT " version " id=p clean\np < CONNACK 00\n"

/* The one that overdraws is taken as well; the next ones wait for it. */
static void test_throttle_holds_back(void **state)
{
	(void)state;
	limits->messages_per_s = 10;
	limits->messages_burst = 3;
	play_all(&set, "a > CONNECT v4 id=a clean\na < CONNACK 00\n"
		       "repeat 5 a + PINGREQ\n"
		       "a > PINGREQ\n"
		       "a < 4 PINGRESP\na < nothing\n"
		       "wait 110\n"
		       "a < PINGRESP\na < nothing\n"
		       "wait 110\n"
		       "a < PINGRESP\n"
		       "# a pause brings the burst again\n"
		       "wait 5000\n"
		       "repeat 5 a + PINGREQ\n"
		       "a > PINGREQ\n"
		       "a < 4 PINGRESP\na < nothing\n");
}

/* Acknowledgements cost no message; bytes are bytes. */
static void test_throttle_counts_bytes(void **state)
{
	(void)state;
	limits->bytes_per_s = 1000;
	limits->bytes_burst = 500;
	play_all(&set, READER_AND("v4") "p > PUBLISH q1 m1 t=t p=#2491\np < PUBACK m1\n"
					"s < PUBLISH q1 m1 t=t p=#2491\n"
					"p > PINGREQ\np < nothing\n"
					"wait 1980\n"
					"p < nothing\n"
					"wait 40\n"
					"p < PINGRESP\n"
					"s > PUBACK m1\n");
}

static void test_throttle_holds_a_flood_and_loses_nothing(void **state)
{
	(void)state;
	limits->messages_per_s = 100;
	limits->messages_burst = 10;
	play_all(&set, READER_AND("v5") "repeat 60 p > PUBLISH q1 m%d t=t p=%d\n"
					"wait 700\n"
					"repeat 60 p < PUBACK m%d\n"
					"repeat 60 s < PUBLISH q1 m%d t=t p=%d\n"
					"s > PUBACK m1\n");
}

static void test_throttle_refuses(void **state)
{
	static struct play p;
	(void)state;
	limits->messages_per_s = 10;
	limits->messages_burst = 2;
	limits->rate_action = RATE_REFUSE;
	play_start(&p, &set, 1, 5, 0);
	play_lines(&p, READER_AND("v5") "p > PUBLISH q1 m1 t=t p=1\np < PUBACK m1\n"
					"p > PUBLISH q2 m2 t=t p=2\np < PUBREC m2\n"
					"p > PUBLISH q1 m3 t=t p=3\np < PUBACK m3 rc=97\n"
					"p > PUBLISH q2 m4 t=t p=4\np < PUBREC m4 rc=97\n"
					"p > PUBLISH t=t p=5\n"
					"# one that is under way is no new one: held\n"
					"p > PUBLISH q2 m2 dup t=t p=2\np < PUBREC m2\n"
					"p > PUBREL m2\np < nothing\nwait 200\n"
					"p < PUBCOMP m2\n"
					"# the id of the refused one is free\n"
					"wait 500\n"
					"p > PUBLISH q2 m4 t=t p=6\np < PUBREC m4\n"
					"s < PUBLISH q1 m1 t=t p=1\n"
					"s < PUBLISH q2 m2 t=t p=2\n"
					"s < PUBLISH q2 m3 t=t p=6\n");
	assert_int_equal(guard_counted(broker_guard(p.kit.broker), GUARD_REFUSED), 2);
	assert_int_equal(guard_counted(broker_guard(p.kit.broker), GUARD_DROPPED), 1);
	play_stop(&p);
}

/* A refused message has set its topic alias all the same. */
static void test_throttle_refused_alias_holds(void **state)
{
	(void)state;
	limits->messages_per_s = 10;
	limits->messages_burst = 1;
	limits->rate_action = RATE_REFUSE;
	play_all(&set, READER_AND("v5") "p > PUBLISH t=x p=1\n"
					"p > PUBLISH t=t alias=1 p=2\n"
					"wait 200\n"
					"p > PUBLISH t= alias=1 p=3\n"
					"s < PUBLISH q0 t=t p=3\n");
}

/* Versions before 5 have no word for it: what is not QoS 0 is held. */
static void test_throttle_refuses_only_who_can_be_told(void **state)
{
	(void)state;
	limits->messages_per_s = 10;
	limits->messages_burst = 1;
	limits->rate_action = RATE_REFUSE;
	play_all(&set, READER_AND("v4") "p > PUBLISH q1 m1 t=t p=1\np < PUBACK m1\n"
					"p > PUBLISH t=t p=2\n"
					"p > PUBLISH q1 m3 t=t p=3\np < PUBACK m3\n"
					"p > PUBLISH q1 m4 t=t p=4\np < nothing\n"
					"wait 200\np < PUBACK m4\n"
					"s < PUBLISH q1 m1 t=t p=1\n"
					"s < PUBLISH q1 m2 t=t p=3\n"
					"s < PUBLISH q1 m3 t=t p=4\n");
}

/* To be refused is no licence to go on for ever. */
static void test_throttle_holds_who_ignores_refusals(void **state)
{
	static struct play p;
	struct guard *guard;
	(void)state;
	limits->messages_per_s = 10;
	limits->rate_action = RATE_REFUSE;
	play_start(&p, &set, 2, 5, 0);
	guard = broker_guard(p.kit.broker);
	play_lines(&p, "p > CONNECT v5 id=p clean\np < CONNACK 00\n"
		       "repeat 2000 p > PUBLISH t=t p=%d\n"
		       "wait 1000\n");
	assert_in_range(guard_counted(guard, GUARD_DROPPED), 100, 250);
	assert_true(guard_counted(guard, GUARD_HELD_BACK) > 0);
	play_stop(&p);
}

static void test_throttle_disconnects(void **state)
{
	(void)state;
	limits->messages_per_s = 10;
	limits->messages_burst = 2;
	limits->rate_action = RATE_DISCONNECT;
	play_all(&set, READER_AND("v5") "p > PUBLISH q1 m1 t=t p=1\np < PUBACK m1\n"
					"p > PUBLISH q1 m2 t=t p=2\np < PUBACK m2\n"
					"p > PUBLISH q1 m3 t=t p=3\np < DISCONNECT 96\np < closed\n"
					"s < PUBLISH q1 m1 t=t p=1\n"
					"s < PUBLISH q1 m2 t=t p=2\n"
					"o > CONNECT v4 id=o clean\no < CONNACK 00\n"
					"repeat 2 o > PINGREQ\no < 2 PINGRESP\n"
					"o > PINGREQ\no < closed\n");
}

/* While we do not look, nobody has fallen silent. */
static void test_throttle_is_not_silence(void **state)
{
	(void)state;
	limits->bytes_per_s = 100;
	limits->bytes_burst = 100;
	play_all(&set, READER_AND("v5 keep=1") "p > PUBLISH t=t p=#1000\n"
					       "s < PUBLISH q0 t=t p=#1000\n"
					       "wait 8000\n"
					       "p > PINGREQ\nwait 2000\np < PINGRESP\n");
}

static void test_throttle_of_one_who_leaves(void **state)
{
	(void)state;
	limits->messages_per_s = 1;
	play_all(&set, READER_AND("v5") "repeat 5 p > PUBLISH q1 m%d t=t p=%d\n"
					"p < 2 PUBACK\np < nothing\n"
					"p cut\nwait 1100\n"
					"# what it has sent comes at its pace\n"
					"repeat 3 s < PUBLISH q1 m%d t=t p=%d\n"
					"s < nothing\n");
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_throttle_holds_back),
		TEST(test_throttle_counts_bytes),
		TEST(test_throttle_holds_a_flood_and_loses_nothing),
		TEST(test_throttle_refuses),
		TEST(test_throttle_refused_alias_holds),
		TEST(test_throttle_refuses_only_who_can_be_told),
		TEST(test_throttle_holds_who_ignores_refusals),
		TEST(test_throttle_disconnects),
		TEST(test_throttle_is_not_silence),
		TEST(test_throttle_of_one_who_leaves),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
