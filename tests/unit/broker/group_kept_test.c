/* SPDX-License-Identifier: Apache-2.0 */
/* Shared groups that a log keeps: what was accepted for them outlives the process, is given to one
 * member at a time, and whoever reads the log knows who has it. */
#include "base/mem.h"
#include "broker/record.h"
#include "broker/snapshot.h"
#include "kit/play.h"
#include "kit/replay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct stage {
	struct play play;
	struct kept_store *store;
	struct settings set;
};

static int setup(void **state)
{
	static struct stage stage;
	memset(&stage, 0, sizeof(stage));
	settings_init(&stage.set);
	stage.set.hold_back_ms_max = 0;
	stage.set.receive_maximum = 65535;
	*state = &stage;
	return 0;
}

static void use_log(struct stage *st)
{
	struct kit *k = &st->play.kit;
	k->log = log_kept_new(st->store, 8192, snapshot_references, broker_committed, k->broker);
	broker_use_log(k->broker, log_kept_log(k->log));
	log_kept_delay(k->log, true, true);
}

static void begin(struct stage *st, unsigned shards, uint64_t seed)
{
	play_start(&st->play, &st->set, shards, seed, 0);
	st->store = kept_store_new();
	use_log(st);
}

static void check(struct stage *st)
{
	char *live = kit_state(&st->play.kit);
	replay_check(st->store, &st->set, st->play.kit.now, live);
	mem_free(live);
}

static void finish(struct stage *st)
{
	play_finish(&st->play);
	kept_store_free(st->store);
	assert_int_equal(mem_count_live(), 0);
}

static void take_checkpoint(struct stage *st)
{
	size_t before = kept_checkpoint_count(st->store);
	broker_want_checkpoint(st->play.kit.broker);
	play_settle(&st->play);
	assert_int_equal(kept_checkpoint_count(st->store), before + 1);
}

/* Each part is played, and then there is a checkpoint; once more without any. */
static void play_parts(struct stage *st, const char *const *parts)
{
	static const unsigned shard_counts[] = {1, 2, 5};
	for (unsigned n = 0; n < 4 * ARRAY_COUNT(shard_counts); n++) {
		begin(st, shard_counts[n / 4], n);
		for (size_t i = 0; parts[i]; i++) {
			play_lines(&st->play, parts[i]);
			if (n % 2)
				take_checkpoint(st);
			check(st);
		}
		finish(st);
	}
}
#define PLAY(...) play_parts(*state, (const char *const[]){__VA_ARGS__, NULL})

#define CONNECT(id, more) id " > CONNECT v5 id=" id " expiry=1000" more "\n" id " < CONNACK 00\n"
#define AGAIN(id, more)                                                                            \
	id " > CONNECT v5 id=" id " expiry=1000" more "\n" id " < CONNACK 00 present\n"
#define JOIN(id) id " > SUBSCRIBE m1 f=$share/g/t/#,q2\n" id " < SUBACK m1 02\n"
#define MEMBER(id, more) CONNECT(id, more) JOIN(id)
#define PUBLISHER "p > CONNECT v5 id=p clean\np < CONNACK 00\n"

static void test_kept_group_takes_turns(void **state)
{
	PLAY(MEMBER("a", "") MEMBER("b", "") PUBLISHER,
	     "repeat 4 p > PUBLISH q1 m%d t=t/%d p=%d\n"
	     "p < 4 PUBACK m\n"
	     "a < PUBLISH q1 m2 t=t/1 p=1\na < PUBLISH q1 m3 t=t/3 p=3\n"
	     "b < PUBLISH q1 m2 t=t/2 p=2\nb < PUBLISH q1 m3 t=t/4 p=4\n",
	     "a > PUBACK m2\nb > PUBACK m3\n",
	     "b > UNSUBSCRIBE m2 f=$share/g/t/#\nb < UNSUBACK m2 00\n"
	     "repeat 2 p > PUBLISH q2 m%d t=t/%d p=%d\n"
	     "p < 2 PUBREC m\n"
	     "a < PUBLISH q2 m4 t=t/1 p=1\na < PUBLISH q2 m5 t=t/2 p=2\n",
	     "b > PUBACK m2\n");
}

static void test_kept_group_waits(void **state)
{
	PLAY(MEMBER("a", "") MEMBER("b", "") PUBLISHER "a cut\nb cut\n",
	     "repeat 3 p > PUBLISH q1 m%d t=t/%d p=%d\np < 3 PUBACK m\n"
	     "p > PUBLISH q2 m2 t=t/4 p=4\np < PUBREC m2\n"
	     "p > PUBLISH t=t/5 p=5\n",
	     AGAIN("b", "") "b < PUBLISH q1 m2 t=t/1 p=1\n"
			    "b < PUBLISH q1 m3 t=t/2 p=2\n"
			    "b < PUBLISH q1 m4 t=t/3 p=3\n"
			    "b < PUBLISH q2 m5 t=t/4 p=4\n",
	     "b > PUBACK m2\nb > PUBACK m3\nb > PUBACK m4\nb > PUBREC m5\nb < PUBREL m5\n",
	     "b > PUBCOMP m5\n" AGAIN("a", "") "a < nothing\n");
}

/* What a member has not finished goes to the other, but for QoS 2 that has begun. */
static void test_kept_group_member_goes(void **state)
{
	PLAY(MEMBER("a", " rmax=3") PUBLISHER,
	     "repeat 1 p + PUBLISH q1 m1 t=t/1 p=1\n"
	     "p + PUBLISH q2 m2 t=t/2 p=2\n"
	     "p + PUBLISH q1 m3 t=t/3 p=3\n"
	     "p + PUBLISH q1 m4 t=t/4 p=4\n"
	     "p > PUBLISH q2 m5 t=t/5 p=5\n"
	     "p < 5 PUB\n"
	     "a < PUBLISH q1 m2 t=t/1 p=1\n"
	     "a < PUBLISH q2 m3 t=t/2 p=2\n"
	     "a < PUBLISH q1 m4 t=t/3 p=3\n" MEMBER("b", ""),
	     "a cut\n"
	     "b < PUBLISH q1 m2 dup t=t/1 p=1\n"
	     "b < PUBLISH q1 m3 dup t=t/3 p=3\n"
	     "b < PUBLISH q1 m4 t=t/4 p=4\n"
	     "b < PUBLISH q2 m5 t=t/5 p=5\n",
	     AGAIN("a", "") "a < PUBLISH q2 m3 dup t=t/2 p=2\n"
			    "a > PUBREC m3\na < PUBREL m3\na > PUBCOMP m3\na < nothing\n",
	     "b cut\n"
	     "a < PUBLISH q1 m7 dup t=t/1 p=1\n"
	     "a < PUBLISH q1 m8 dup t=t/3 p=3\n"
	     "a < PUBLISH q1 m9 dup t=t/4 p=4\n");
}

static void test_kept_group_member_ends(void **state)
{
	PLAY(MEMBER("a", " rmax=1") PUBLISHER
	     "repeat 3 p > PUBLISH q1 m%d t=t/%d p=%d\np < 3 PUBACK m\n"
	     "a < PUBLISH q1 m2 t=t/1 p=1\n" CONNECT("b", "") "b > SUBSCRIBE m1 f=$share/g/t/#,q1\n"
							      "b < SUBACK m1 01\nb cut\n",
	     "a > DISCONNECT expiry=0\na < closed\n",
	     AGAIN("b", "") "b < PUBLISH q1 m2 dup t=t/1 p=1\n"
			    "b < PUBLISH q1 m3 t=t/2 p=2\nb < PUBLISH q1 m4 t=t/3 p=3\n",
	     "b cut\n",
	     /* the last one ends: nothing is left for anybody */
	     "b > CONNECT v5 id=b clean expiry=1000\nb < CONNACK 00\n" JOIN("b") "b < nothing\n",
	     "wait 2000\n"
	     "b cut\n"
	     "p > PUBLISH q1 m1 t=t/1 p=1\np < PUBACK m1\n",
	     /* from now on it ends with the connection */
	     "b > CONNECT v5 id=b\nb < CONNACK 00 present\nb < PUBLISH q1 m2 t=t/1 p=1\n",
	     "b cut\n", "p > PUBLISH q1 m1 t=t/1 p=1\np < PUBACK m1 rc=10\n");
}

/* A member whose session does not survive gets what waits, and gives it back. */
static void test_kept_group_of_both_kinds(void **state)
{
	PLAY(MEMBER("a", "") PUBLISHER "a cut\n"
				       "repeat 3 p > PUBLISH q2 m%d t=t/%d p=%d\np < 3 PUBREC m\n",
	     "c > CONNECT v5 id=c clean rmax=2\nc < CONNACK 00\n"
	     "c > SUBSCRIBE m1 f=$share/g/t/#,q1\nc < SUBACK m1 01\n"
	     "c < PUBLISH q1 m1 t=t/1 p=1\nc < PUBLISH q1 m2 t=t/2 p=2\n",
	     "c > PUBACK m1\nc < PUBLISH q1 m3 t=t/3 p=3\nc > PUBACK m2\nc > PUBACK m3\n",
	     "repeat 3 p > PUBLISH q1 m1%d t=t/%d p=%d\nrepeat 3 p < PUBACK m1%d\n"
	     "c < PUBLISH q1 m4 t=t/1 p=1\nc < PUBLISH q1 m5 t=t/2 p=2\n"
	     "c > PUBACK m4\nc < PUBLISH q1 m6 t=t/3 p=3\nc > PUBACK m6\nc > PUBACK m5\n",
	     AGAIN("a", "") "a < nothing\n");
}

static void test_kept_group_options(void **state)
{
	PLAY(CONNECT("a", "") "a > SUBSCRIBE m1 sid=9 f=$share/g/t/#,q1,rap f=$share/h/t/#,q0\n"
			      "a < SUBACK m1 01 00\n" PUBLISHER,
	     "p > PUBLISH q2 m1 retain t=t/1 p=1\np < PUBREC m1\n"
	     "a < 2 PUBLISH\n",
	     "a > SUBSCRIBE m1 sid=10 f=$share/g/t/#,q2 f=$share/h/t/#,q2\na < SUBACK m1 02 02\n"
	     "a cut\n",
	     "p > PUBLISH q2 m2 t=t/2 p=2\np < PUBREC m2\n", AGAIN("a", "") "a < 3 PUBLISH q\n",
	     "a > UNSUBSCRIBE m2 f=$share/g/t/#\na < UNSUBACK m2 00\n");
}

/* [MQTT-4.8.2-3, 3.3.1-12, 3.3.1-13] */
static void test_kept_group_qos_and_retain(void **state)
{
	PLAY(CONNECT("a", "") "a > SUBSCRIBE m1 f=$share/g/t/#,q1\na < SUBACK m1 01\n" PUBLISHER,
	     "p > PUBLISH q2 m1 retain t=t/1 p=1\np < PUBREC m1\n"
	     "a < PUBLISH q1 m2 t=t/1 p=1\n",
	     "a > SUBSCRIBE m2 f=$share/g/t/#,q1,rap\na < SUBACK m2 01\n"
	     "p > PUBLISH q1 m2 retain t=t/1 p=2\np < PUBACK m2\n"
	     "a < PUBLISH q1 m3 retain t=t/1 p=2\n");
}

static void test_kept_group_is_limited(void **state)
{
	struct stage *st = *state;
	st->set.absent_queue_messages_max = 2;
	PLAY(MEMBER("a", "") PUBLISHER "a cut\n"
				       "repeat 2 p > PUBLISH q1 m%d t=t/%d p=%d\np < 2 PUBACK m\n"
				       "p > PUBLISH q1 m3 t=t/3 p=3\np < PUBACK m3 rc=97\n",
	     AGAIN("a", "") "a < PUBLISH q1 m2 t=t/1 p=1\na < PUBLISH q1 m3 t=t/2 p=2\n");
}

/* What was under way to a member that left is the group's again. */
static void test_kept_group_member_leaves_before_it_comes(void **state)
{
	struct stage *st = *state;
	begin(st, 1, 1);
	play_lines(&st->play,
		   MEMBER("a", "") MEMBER("b", "") PUBLISHER "together\n"
							     "p > PUBLISH q1 m1 t=t/1 p=1\n"
							     "a > UNSUBSCRIBE m2 f=$share/g/t/#\n"
							     "apart\n"
							     "p < PUBACK m1\na < UNSUBACK m2 00\n"
							     "b < PUBLISH q1 m2 t=t/1 p=1\n");
	check(st);
	finish(st);
}

static uint64_t position_of_publish(struct stage *st, unsigned n)
{
	for (size_t i = 0; i < kept_record_count(st->store); i++)
		if (record_kind(kept_record(st->store, i)->body) == COMMAND_PUBLISH && n-- == 1)
			return kept_record(st->store, i)->position;
	fail();
	return 0;
}

/* A member that the log does not know is given what the group's owner reads. */
static void test_kept_group_passes_over_damage(void **state)
{
	struct stage *st = *state;
	begin(st, 1, 1);
	play_lines(&st->play, MEMBER("a", "") PUBLISHER
		   "a cut\nrepeat 3 p > PUBLISH q1 m%d t=t/%d p=%d\np < 3 PUBACK m\n");
	kept_find(st->store, position_of_publish(st, 2))->is_damaged = true;
	play_lines(&st->play, "c > CONNECT v5 id=c clean\nc < CONNACK 00\n"
			      "c > SUBSCRIBE m1 f=$share/g/t/#,q1\nc < SUBACK m1 01\n"
			      "c < PUBLISH q1 m1 t=t/1 p=1\nc < PUBLISH q1 m2 t=t/3 p=3\n");
	finish(st);
}

/* More than goes into the log or into a member's queue at once. */
static void test_kept_group_has_a_long_queue(void **state)
{
	struct stage *st = *state;
	st->set.absent_queue_messages_max = 0;
	begin(st, 1, 1);
	play_lines(&st->play, MEMBER("a", "") "a cut\n" PUBLISHER
					      "repeat 1500 p + PUBLISH q1 m%d t=t/%d p=%d\n"
					      "wait 1\np < 1500 PUBACK\n" AGAIN(
						      "a", " rmax=10") "a < 10 PUBLISH\n");
	check(st);
	/* most still wait for the group */
	play_lines(&st->play, MEMBER("b", "") "b < 512 PUBLISH q1\n");
	take_checkpoint(st);
	play_lines(&st->play, "a cut\n");
	check(st);
	buffer_release(&play_actor(&st->play, "b")->in);
	finish(st);
}

/* What a turn brings besides, and what of it the log refuses, is no matter of what goes back. */
static void test_kept_group_member_goes_in_a_long_turn(void **state)
{
	struct stage *st = *state;
	begin(st, 1, 1);
	play_lines(&st->play, MEMBER("a", "") MEMBER("b", "") PUBLISHER
		   "b > SUBSCRIBE m2 f=x,q1\nb < SUBACK m2 01\n"
		   "p > PUBLISH q1 m1 t=t/1 p=1\np < PUBACK m1\na < PUBLISH q1 m2 t=t/1 p=1\n");
	log_kept_bound_batches(st->play.kit.log, 4096);
	play_lines(&st->play, "together\n"
			      "a cut\n"
			      "p + PUBLISH q1 m2 t=x p=#3000\n"
			      "p + PUBLISH q1 m3 t=x p=#5000\n"
			      "p > PUBLISH q1 m4 t=x p=#2000\n"
			      "apart\n"
			      "p < PUBACK m2\np < PUBACK m3 rc=97\np < PUBACK m4\n"
			      "b < PUBLISH q1 m2 t=x p=#3000\n"
			      "b < PUBLISH q1 m3 t=x p=#2000\n"
			      "b < PUBLISH q1 m4 dup t=t/1 p=1\n");
	check(st);
	finish(st);
}

/* At QoS 1 and 2 they come by the log, a few at a time. */
static void test_kept_retained(void **state)
{
	PLAY(PUBLISHER "repeat 300 p + PUBLISH q2 m%d retain t=r/%d p=%d\n"
		       "wait 1\np < 300 PUBREC\n" CONNECT("a", ""),
	     "a > SUBSCRIBE m1 f=r/+,q1\na < SUBACK m1 01\na < 300 PUBLISH q1\n",
	     "a cut\n" AGAIN("a", "") "a < 300 PUBLISH q1\n",
	     "a > SUBSCRIBE m2 f=r/7,q0\na < SUBACK m2 00\na < PUBLISH q0 retain t=r/7 p=7\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_kept_group_takes_turns, setup),
		cmocka_unit_test_setup(test_kept_group_waits, setup),
		cmocka_unit_test_setup(test_kept_group_member_goes, setup),
		cmocka_unit_test_setup(test_kept_group_member_ends, setup),
		cmocka_unit_test_setup(test_kept_group_of_both_kinds, setup),
		cmocka_unit_test_setup(test_kept_group_options, setup),
		cmocka_unit_test_setup(test_kept_group_qos_and_retain, setup),
		cmocka_unit_test_setup(test_kept_group_is_limited, setup),
		cmocka_unit_test_setup(test_kept_group_member_leaves_before_it_comes, setup),
		cmocka_unit_test_setup(test_kept_group_passes_over_damage, setup),
		cmocka_unit_test_setup(test_kept_group_has_a_long_queue, setup),
		cmocka_unit_test_setup(test_kept_group_member_goes_in_a_long_turn, setup),
		cmocka_unit_test_setup(test_kept_retained, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
