/* SPDX-License-Identifier: Apache-2.0 */
/* Shared subscriptions over shards: taking turns, leaving, waiting for somebody ([5] 4.8.2). */
#include "kit/play.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct settings set;

static int setup(void **state)
{
	(void)state;
	settings_init(&set);
	return 0;
}

#define MEMBER(a, options)                                                                         \
	a " > CONNECT v5 id=" a " clean " options "\n" a " < CONNACK 00\n" a                       \
	  " > SUBSCRIBE m1 f=$share/g/t/#,q2\n" a " < SUBACK m1 02\n"
#define PUBLISHER "p > CONNECT v5 id=p clean\np < CONNACK 00\n"

static void test_share_takes_turns(void **state)
{
	(void)state;
	play_all(&set, MEMBER("a", "") MEMBER("b", "") MEMBER("c", "") PUBLISHER
		 "repeat 6 p > PUBLISH q1 m%d t=t/%d p=%d\n"
		 "p < 6 PUBACK m\n"
		 "a < PUBLISH q1 m1 t=t/1 p=1\na < PUBLISH q1 m2 t=t/4 p=4\n"
		 "b < PUBLISH q1 m1 t=t/2 p=2\nb < PUBLISH q1 m2 t=t/5 p=5\n"
		 "c < PUBLISH q1 m1 t=t/3 p=3\nc < PUBLISH q1 m2 t=t/6 p=6\n"
		 "b > UNSUBSCRIBE m2 f=$share/g/t/#\n"
		 "b < UNSUBACK m2 00\n"
		 "repeat 2 p > PUBLISH t=t/%d p=%d\n"
		 "a < PUBLISH q0 t=t/1 p=1\n"
		 "c < PUBLISH q0 t=t/2 p=2\n"
		 "b < nothing\n");
}

/* A plain subscription besides is another matter; so is another group. */
static void test_share_beside_others(void **state)
{
	(void)state;
	play_all(&set, MEMBER("a", "") PUBLISHER
		 "a > SUBSCRIBE m2 sid=7 f=t/1,q0\na < SUBACK m2 00\n"
		 "a > SUBSCRIBE m3 sid=8 f=$share/h/t/1,q1\na < SUBACK m3 01\n"
		 "p > PUBLISH q2 m1 t=t/1 p=1\n"
		 "p < PUBREC m1\n"
		 "a < 3 PUBLISH\n"
		 "a > UNSUBSCRIBE m4 f=t/1\na < UNSUBACK m4 00\n"
		 "a > UNSUBSCRIBE m5 f=$share/g/t/#\na < UNSUBACK m5 00\n"
		 "p > PUBLISH q2 m2 t=t/1 p=2\n"
		 "p < PUBREC m2\n"
		 "a < PUBLISH q1 m3 t=t/1 p=2 sid=8\n"
		 "p > PUBLISH t=t/2 p=2\n"
		 "a < nothing\n");
}

/* Unacknowledged and waiting ones go to the other, in order; a QoS 2 exchange that has begun stays
 * [MQTT-4.8.2-4, -5]. */
static void test_share_member_leaves(void **state)
{
	(void)state;
	play_all(&set, MEMBER("a", "rmax=3 expiry=100") PUBLISHER
		 "p + PUBLISH q1 m1 t=t/1 p=1\n"
		 "p + PUBLISH q2 m2 t=t/2 p=2\n"
		 "p + PUBLISH q1 m3 t=t/3 p=3\n"
		 "p + PUBLISH q1 m4 t=t/4 p=4\n"
		 "p > PUBLISH q2 m5 t=t/5 p=5\n"
		 "p < 5 PUB\n"
		 "a < PUBLISH q1 m1 t=t/1 p=1\n"
		 "a < PUBLISH q2 m2 t=t/2 p=2\n"
		 "a < PUBLISH q1 m3 t=t/3 p=3\n" MEMBER("b", "") "a cut\n"
								 "b < PUBLISH q1 m1 dup t=t/1 p=1\n"
								 "b < PUBLISH q1 m2 dup t=t/3 p=3\n"
								 "b < PUBLISH q1 m3 t=t/4 p=4\n"
								 "b < PUBLISH q2 m4 t=t/5 p=5\n"
								 "a > CONNECT v5 id=a expiry=100\n"
								 "a < CONNACK 00 present\n"
								 "a < PUBLISH q2 m2 dup t=t/2 p=2\n"
								 "a > PUBREC m2\n"
								 "a < PUBREL m2\n"
								 "a > PUBCOMP m2\n"
								 "a < nothing\n"
								 "b < nothing\n");
}

static void test_share_nobody_is_there(void **state)
{
	(void)state;
	play_all(&set, MEMBER("a", "expiry=100") MEMBER("b", "expiry=50") PUBLISHER
		 "a cut\n"
		 "b cut\n"
		 "p > PUBLISH q1 m1 t=t/1 p=1\np < PUBACK m1\n"
		 "p > PUBLISH q2 m2 t=t/2 p=2\np < PUBREC m2\n"
		 "p > PUBLISH t=t/3 p=3\n"
		 "b > CONNECT v5 id=b expiry=50\n"
		 "b < CONNACK 00 present\n"
		 "b < PUBLISH q1 m1 t=t/1 p=1\n"
		 "b < PUBLISH q2 m2 t=t/2 p=2\n"
		 "b > PUBACK m1\n"
		 "b > PUBREC m2 rc=80\n"
		 "a > CONNECT v5 id=a expiry=100\n"
		 "a < CONNACK 00 present\n"
		 "a < nothing\n");
}

/* With the last session that could come back, what waits for the group goes. */
static void test_share_ends_with_its_last_member(void **state)
{
	static struct play p;
	struct shard_status status;
	(void)state;
	for (unsigned shards = 1; shards <= 4; shards++) {
		play_start(&p, &set, shards, shards, 0);
		play_lines(&p, MEMBER("a", "expiry=10") MEMBER("b", "expiry=20") PUBLISHER
			   "a cut\n"
			   "b cut\n"
			   "p > PUBLISH q1 m1 t=t/1 p=1\np < PUBACK m1\n"
			   "wait 10100\n"
			   "p > PUBLISH q1 m2 t=t/1 p=2\np < PUBACK m2\n"
			   "wait 10100\n"
			   "p > PUBLISH q1 m3 t=t/1 p=3\np < PUBACK m3 rc=10\n"
			   "a > CONNECT v5 id=a\n"
			   "a < CONNACK 00\n"
			   "a > SUBSCRIBE m1 f=$share/g/t/#,q2\n"
			   "a < SUBACK m1 02\n"
			   "a < nothing\n");
		kit_status(&p.kit, &status);
		assert_int_equal(status.sessions, 2);
		play_stop(&p);
	}
}

/* 3.1.1 has no shared subscriptions by its text, but its clients ask for them. */
static void test_share_of_3_1_1(void **state)
{
	(void)state;
	play_all(&set, "a > CONNECT v4 id=a clean\na < CONNACK 00\n"
		       "a > SUBSCRIBE m1 f=$share/g/t/#,q1 f=$share/g f=$share//t f=$share/+/t\n"
		       "a < SUBACK m1 01 80 80 80\n" PUBLISHER "p > PUBLISH q2 m1 t=t/1 p=1\n"
		       "p < PUBREC m1\n"
		       "a < PUBLISH q1 m1 t=t/1 p=1\n");
}

/* Everything that came to an actor: a bit for each payload from 1 to 20; what a has not
 * acknowledged is b's too. */
static unsigned take_all(struct play *p, const char *name)
{
	char text[TALK_TEXT_MAX];
	unsigned bits = 0;
	while (play_next(play_actor(p, name), text)) {
		const char *payload = strstr(text, "p=");
		assert_non_null(payload);
		bits |= 1u << (atoi(payload + 2) - 1);
	}
	return bits;
}

/* The one who leaves and the one who stays live on different shards, and both are busy. */
static void test_share_leaves_in_the_middle(void **state)
{
	static struct play p;
	(void)state;
	for (unsigned seed = 1; seed <= 40; seed++) {
		play_start(&p, &set, 1 + seed % 4, seed, seed % 7);
		play_lines(&p, MEMBER("a", "rmax=2") MEMBER("b", "rmax=100") PUBLISHER
			   "together\n"
			   "repeat 20 p + PUBLISH q1 m%d t=t/%d p=%d\n"
			   "a + DISCONNECT\n"
			   "apart\n"
			   "p < 20 PUBACK m\n");
		take_all(&p, "a");
		assert_int_equal(take_all(&p, "b"), (1u << 20) - 1);
		play_stop(&p);
	}
}

/* The only member goes, and its session with it, leaving so much behind that this takes more than
 * one letter: that is nobody, not a queue that is full. */
static void test_share_goes_while_a_message_comes(void **state)
{
	static struct play p;
	char text[TALK_TEXT_MAX];
	(void)state;
	for (unsigned seed = 1; seed <= 100; seed++) {
		play_start(&p, &set, 8, seed, 0);
		play_lines(&p, MEMBER("a", "") PUBLISHER "repeat 40 p + PUBLISH q1 m%d t=t/1 p=1\n"
							 "p > PINGREQ\n"
							 "p < 41 P\n"
							 "together\n"
							 "a close\n"
							 "p + PUBLISH q1 m1 t=t/1 p=1\n"
							 "apart\n");
		assert_true(play_next(play_actor(&p, "p"), text));
		if (strcmp(text, "PUBACK m1") != 0)
			assert_string_equal(text, "PUBACK m1 rc=10");
		buffer_release(&play_actor(&p, "a")->in);
		play_stop(&p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_share_takes_turns, setup),
		cmocka_unit_test_setup(test_share_beside_others, setup),
		cmocka_unit_test_setup(test_share_member_leaves, setup),
		cmocka_unit_test_setup(test_share_nobody_is_there, setup),
		cmocka_unit_test_setup(test_share_ends_with_its_last_member, setup),
		cmocka_unit_test_setup(test_share_of_3_1_1, setup),
		cmocka_unit_test_setup(test_share_leaves_in_the_middle, setup),
		cmocka_unit_test_setup(test_share_goes_while_a_message_comes, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
