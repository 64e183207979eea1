/* SPDX-License-Identifier: Apache-2.0 */
/* Retained messages: set, replaced, cleared, found by those who come later ([5] 3.3.1.3, 3.8.3). */
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

#define PUBLISHER "p > CONNECT v5 id=p clean\np < CONNACK 00\n"
#define READER "r > CONNECT v5 id=r clean expiry=100\nr < CONNACK 00\n"

static void test_retain_set_replaced_and_cleared(void **state)
{
	(void)state;
	play_all(&set, PUBLISHER READER "p > PUBLISH retain t=a p=1 user=k:v\n"
					"p > PUBLISH retain q1 m1 t=a/b p=2\n"
					"p < PUBACK m1 rc=10\n"
					"p > PUBLISH t=a p=none\n"
					"r > SUBSCRIBE m1 f=a/#,q1 sid=5\n"
					"r < 3 \n"
					"p > PUBLISH retain q2 m2 t=a/b p=3\n"
					"p < PUBREC m2\n"
					"r < PUBLISH q1 m2 t=a/b p=3 sid=5\n"
					"r > UNSUBSCRIBE m2 f=a/#\n"
					"r < UNSUBACK m2 00\n"
					"r > SUBSCRIBE m3 f=+/+,q0\n"
					"r < 2 \n"
					"p > PUBLISH retain t=a p=\n"
					"p > PUBLISH retain t=a/b p=\n"
					"r < PUBLISH q0 t=a/b p=\n"
					"r > SUBSCRIBE m4 f=#\n"
					"r < SUBACK m4 00\n"
					"r < nothing\n");
}

static void test_retain_content_of_a_replay(void **state)
{
	(void)state;
	play_over(&set, 1,
		  PUBLISHER READER
		  "p > PUBLISH retain q2 m1 t=a p=1 user=k:v type=x expiry=100\n"
		  "p < PUBREC m1 rc=10\n"
		  "wait 5000\n"
		  "r > SUBSCRIBE m1 f=a,q1 sid=5\n"
		  "r < SUBACK m1 01\n"
		  "r < PUBLISH q1 m1 retain t=a p=1 expiry=95 type=x sid=5 user=k:v\n"
		  "wait 95100\n"
		  "r > SUBSCRIBE m2 f=a,q1 sid=5\n"
		  "r < SUBACK m2 01\n"
		  "r < nothing\n");
}

static void test_retain_handling(void **state)
{
	(void)state;
	play_over(&set, 1,
		  PUBLISHER READER "p > PUBLISH retain t=a p=1\n"
				   "r > SUBSCRIBE m1 f=a,rh2\n"
				   "r < SUBACK m1 00\n"
				   "r > SUBSCRIBE m2 f=a,rh1\n"
				   "r < SUBACK m2 00\n"
				   "r > SUBSCRIBE m3 f=a,rh0\n"
				   "r < SUBACK m3 00\n"
				   "r < PUBLISH q0 retain t=a p=1\n"
				   "r > UNSUBSCRIBE m4 f=a\n"
				   "r < UNSUBACK m4 00\n"
				   "r > SUBSCRIBE m5 f=a,rh1\n"
				   "r < SUBACK m5 00\n"
				   "r < PUBLISH q0 retain t=a p=1\n"
				   "# as published: the flag of live ones\n"
				   "r > SUBSCRIBE m6 f=a,rap,rh2\n"
				   "r < SUBACK m6 00\n"
				   "p > PUBLISH retain t=a p=2\n"
				   "r < PUBLISH q0 retain t=a p=2\n"
				   "p > PUBLISH t=a p=3\n"
				   "r < PUBLISH q0 t=a p=3\n"
				   "# never to groups\n"
				   "r > SUBSCRIBE m7 f=$share/g/a,q1\n"
				   "r < SUBACK m7 01\n"
				   "r < nothing\n");
}

/* More of them than the reader's window and the output hold: they come as it takes them. */
static void test_retain_more_than_the_window(void **state)
{
	(void)state;
	play_all(&set, PUBLISHER "repeat 2000 p + PUBLISH retain t=a/%d p=#200\n"
				 "p > PINGREQ\n"
				 "p < PINGRESP\n"
				 "r > CONNECT v5 id=r clean rmax=3 expiry=100\n"
				 "r < CONNACK 00\n"
				 "r > SUBSCRIBE m1 f=a/+,q0\n"
				 "r < 1 \n"
				 "r < 2000 \n"
				 "r > SUBSCRIBE m2 f=a/1,q1 f=a/2,q1\n"
				 "r < 3 \n"
				 "r < nothing\n");
}

static void test_retain_window_at_qos_1(void **state)
{
	static struct play p;
	static const unsigned shards[] = {1, 3};
	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(shards); i++) {
		play_start(&p, &set, shards[i], 7, 0);
		play_lines(&p, PUBLISHER "repeat 50 p > PUBLISH retain q1 m%d t=a/%d p=%d\n"
					 "p < 50 PUBACK\n"
					 "r > CONNECT v5 id=r clean rmax=3 expiry=100\n"
					 "r < CONNACK 00\n"
					 "r > SUBSCRIBE m1 f=a/+,q1\n"
					 "r < 4 \n"
					 "r < nothing\n");
		for (unsigned id = 1; id <= 20; id++) {
			play_line(&p, "r > PUBACK m%u", id);
			play_line(&p, "r < 1 PUBLISH q1 m%u retain t=a/", id + 3);
		}
		/* away and back: what was not looked up yet still comes */
		play_lines(&p, "r cut\n"
			       "r > CONNECT v5 id=r rmax=100 expiry=100\n"
			       "r < CONNACK 00 present\n"
			       "r < 3 PUBLISH q1 m2\n"
			       "r < 27 PUBLISH q1 m\n"
			       "r < nothing\n");
		play_stop(&p);
	}
}

/* The store changes while it is being looked through. */
static void test_retain_changes_during_a_replay(void **state)
{
	static struct play p;
	(void)state;
	play_start(&p, &set, 1, 7, 0);
	play_lines(&p, PUBLISHER "repeat 20 p > PUBLISH retain q1 m%d t=a/%d p=%d\n"
				 "p < 20 PUBACK\n"
				 "r > CONNECT v5 id=r clean rmax=1 expiry=100\n"
				 "r < CONNACK 00\n"
				 "r > SUBSCRIBE m1 f=a/+,q1\n"
				 "r < SUBACK m1 01\n"
				 "r < 1 PUBLISH q1 m1 retain\n"
				 "repeat 20 p > PUBLISH retain t=a/%d p=\n"
				 "r > PUBACK m1\n");
	/* one was on its way; the clearing messages came at QoS 0 */
	play_lines(&p, "r < 20 PUBLISH q0 t=a/\n"
		       "r > SUBSCRIBE m2 f=a/+,q1\n"
		       "r > PUBACK m2\n"
		       "r > PUBACK m3\n");
	struct actor *r = play_actor(&p, "r");
	buffer_release(&r->in);
	struct shard_status status;
	kit_status(&p.kit, &status);
	assert_int_equal(status.retained_messages, 0);
	assert_int_equal(status.retained_bytes, 0);
	play_stop(&p);
}

/* What comes by the subscription while older messages are looked up is not found there, too. */
static void test_retain_published_during_a_replay(void **state)
{
	(void)state;
	play_all(&set, PUBLISHER "repeat 3 p > PUBLISH retain q1 m%d t=a/%d p=%d\n"
				 "p < 3 PUBACK\n"
				 "r > CONNECT v5 id=r clean rmax=1\n"
				 "r < CONNACK 00\n"
				 "r > SUBSCRIBE m1 f=#,q1\n"
				 "r < 2 \n"
				 "repeat 20 p > PUBLISH retain q1 m%d t=b/%d p=new\n"
				 "p < 20 PUBACK\n"
				 "repeat 23 r > PUBACK m%d\n"
				 "r < 22 PUBLISH q1\n"
				 "r < nothing\n");
}

static void test_retain_limits(void **state)
{
	(void)state;
	set.retained_messages_max = 2;
	play_all(&set, PUBLISHER READER "p > PUBLISH retain q1 m1 t=a p=1\n"
					"p < PUBACK m1 rc=10\n"
					"p > PUBLISH retain q1 m2 t=b p=1\n"
					"p < PUBACK m2 rc=10\n"
					"p > PUBLISH retain q1 m3 t=c p=1\n"
					"p < PUBACK m3 rc=97\n"
					"# in place of another it may\n"
					"p > PUBLISH retain q1 m4 t=b p=2\n"
					"p < PUBACK m4 rc=10\n"
					"p > PUBLISH retain q1 m5 t=a p=\n"
					"p < PUBACK m5 rc=10\n"
					"p > PUBLISH retain q1 m6 t=c p=3\n"
					"p < PUBACK m6 rc=10\n"
					"r > SUBSCRIBE m1 f=#\n"
					"r < 3 \n"
					"r < nothing\n");
}

/* Every shard has them, whichever they came in at and wherever the reader lives. */
static void test_retain_on_every_shard(void **state)
{
	static struct play p;
	(void)state;
	play_start(&p, &set, 8, 3, 0);
	for (unsigned i = 0; i < 8; i++) {
		play_line(&p, "p%u > CONNECT v4 id=pub%u clean", i, i);
		play_line(&p, "p%u < CONNACK 00", i);
		play_line(&p, "p%u > PUBLISH retain q1 m1 t=t/%u p=%u", i, i, i);
		play_line(&p, "p%u < PUBACK m1", i);
	}
	for (unsigned i = 0; i < 8; i++) {
		play_line(&p, "r%u > CONNECT v4 id=reader%u clean", i, i);
		play_line(&p, "r%u < CONNACK 00", i);
		play_line(&p, "r%u > SUBSCRIBE m1 f=t/+,q0", i);
		play_line(&p, "r%u < 9 ", i);
	}
	play_stop(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_retain_set_replaced_and_cleared, setup),
		cmocka_unit_test_setup(test_retain_content_of_a_replay, setup),
		cmocka_unit_test_setup(test_retain_handling, setup),
		cmocka_unit_test_setup(test_retain_more_than_the_window, setup),
		cmocka_unit_test_setup(test_retain_window_at_qos_1, setup),
		cmocka_unit_test_setup(test_retain_changes_during_a_replay, setup),
		cmocka_unit_test_setup(test_retain_published_during_a_replay, setup),
		cmocka_unit_test_setup(test_retain_limits, setup),
		cmocka_unit_test_setup(test_retain_on_every_shard, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
