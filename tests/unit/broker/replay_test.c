/* SPDX-License-Identifier: Apache-2.0 */
/* What survives is a function of the log: whoever reads it comes to the same state, whatever the
 * number of shards and from whichever checkpoint; and it is the state of who wrote it. */
#include "base/mem.h"
#include "broker/snapshot.h"
#include "kit/play.h"
#include "kit/replay.h"

#include <setjmp.h>
#include <stdarg.h>

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
	*state = &stage;
	return 0;
}

static void begin(struct stage *st, unsigned shards)
{
	play_start(&st->play, &st->set, shards, 7, 0);
	st->store = kept_store_new();
	struct kit *k = &st->play.kit;
	k->log = log_kept_new(st->store, 8192, snapshot_references, broker_committed, k->broker);
	broker_use_log(k->broker, log_kept_log(k->log));
	log_kept_delay(k->log, true, true);
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
	assert_false(broker_checkpoint_is_due(st->play.kit.broker));
}

/* Each part is played, and then there is a checkpoint; once more without any. */
static void play_parts(struct stage *st, const char *const *parts)
{
	static const unsigned shard_counts[] = {1, 2, 5};
	for (unsigned n = 0; n < 2 * ARRAY_COUNT(shard_counts); n++) {
		begin(st, shard_counts[n / 2]);
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

#define CONNECT(id) id " > CONNECT v5 id=" id " expiry=1000\n" id " < CONNACK 00\n"
#define AGAIN(id) id " > CONNECT v5 id=" id " expiry=1000\n" id " < CONNACK 00 present\n"
#define PUBLISHER "p > CONNECT v5 id=p clean\np < CONNACK 00\n"

static void test_replay_nothing(void **state)
{
	PLAY("wait 1\n");
}

static void test_replay_sessions_come_and_go(void **state)
{
	PLAY(CONNECT("a") CONNECT("b") CONNECT("c"), "a cut\nb > DISCONNECT\nb < closed\n",
	     AGAIN("a"), "a > DISCONNECT expiry=0\na < closed\n",
	     "c > DISCONNECT expiry=5\nc < closed\n", "wait 6000\n",
	     "b > CONNECT v5 id=b clean expiry=7\nb < CONNACK 00\nb cut\n",
	     "b > CONNECT v5 id=b\nb < CONNACK 00 present\n", "b cut\n");
}

static void test_replay_subscriptions(void **state)
{
	PLAY(CONNECT("a") "a > SUBSCRIBE m1 sid=7 f=a/#,q1,nl,rap f=b,q2 f=x/+/#\n"
			  "a < SUBACK m1 01 02 00\n",
	     "a > SUBSCRIBE m2 f=b,q0\na < SUBACK m2 00\n",
	     "a > UNSUBSCRIBE m3 f=a/# f=c\na < UNSUBACK m3 00 11\n", "a cut\n", AGAIN("a"));
}

static void test_replay_queues(void **state)
{
	PLAY(CONNECT("s") "s > SUBSCRIBE m1 sid=3 f=t/#,q2\ns < SUBACK m1 02\ns cut\n" PUBLISHER
			  "repeat 5 p > PUBLISH q1 m%d t=t/1 p=%d\nrepeat 5 p < PUBACK m%d\n"
			  "repeat 3 p > PUBLISH q2 m%d t=t/2 p=%d\nrepeat 3 p < PUBREC m%d\n",
	     "repeat 3 p > PUBREL m%d\nrepeat 3 p < PUBCOMP m%d\n"
	     "s > CONNECT v5 id=s expiry=1000 rmax=7\ns < CONNACK 00 present\n"
	     "s < 5 PUBLISH q1\ns < 2 PUBLISH q2\n"
	     "s > PUBACK m2\ns < PUBLISH q2 m9 t=t/2 p=3 sid=3\ns > PUBACK m4\ns > PUBREC m7\ns < "
	     "PUBREL m7\n",
	     "s cut\n", AGAIN("s") "s < 3 PUBLISH q1\ns < PUBREL m7\ns < 2 PUBLISH q2\n",
	     "s > PUBCOMP m7\ns > PUBACK m3\ns > PUBACK m5\ns > PUBACK m6\n"
	     "s > PUBREC m8\ns < PUBREL m8\ns > PUBREC m9\ns < PUBREL m9\n",
	     "s > PUBCOMP m8\ns > PUBCOMP m9\n");
}

static void test_replay_open_qos_2(void **state)
{
	PLAY(CONNECT("s") "s > SUBSCRIBE m1 f=t,q2\ns < SUBACK m1 02\ns cut\n" CONNECT(
		     "p") "repeat 3 p > PUBLISH q2 m%d t=t p=%d\nrepeat 3 p < PUBREC m%d\n",
	     "p > PUBREL m2\np < PUBCOMP m2\n", "p cut\n",
	     AGAIN("p") "p > PUBLISH q2 m1 dup t=t p=1\np < PUBREC m1\n"
			"p > PUBREL m1\np < PUBCOMP m1\n",
	     "p > PUBREL m3\np < PUBCOMP m3\n");
}

/* It should wait for PUBCOMP before it uses the id again. What it gets then is in the order in which
 * the log has it. */
static void test_replay_id_used_before_pubcomp(void **state)
{
	PLAY(CONNECT("s") "s > SUBSCRIBE m1 f=t,q2\ns < SUBACK m1 02\ns cut\n" CONNECT("p"),
	     "p + PUBREL m2\np > PUBLISH q2 m2 t=t p=1\np < PUBCOMP m2 rc=92\np < PUBREC m2\n",
	     "p + PUBREL m2\np > PUBLISH q2 m2 t=t p=2\np < PUBCOMP m2\np < PUBREC m2\n",
	     AGAIN("s") "s < PUBLISH q2 m2 t=t p=1\ns < PUBLISH q2 m3 t=t p=2\n");
}

static void test_replay_retained(void **state)
{
	PLAY(PUBLISHER "p > PUBLISH q1 m1 retain t=r/1 p=one\np < PUBACK m1 rc=10\n"
		       "p > PUBLISH retain t=r/2 p=two\n"
		       "p > PUBLISH q1 m2 retain t=r/3 p=three expiry=5\np < PUBACK m2 rc=10\n",
	     "p > PUBLISH q1 m1 retain t=r/1 p=\np < PUBACK m1 rc=10\n"
	     "p > PUBLISH retain t=r/2 p=new\np > PINGREQ\np < PINGRESP\n",
	     "wait 6000\n");
}

static void test_replay_wills(void **state)
{
	PLAY("w > CONNECT v5 id=w expiry=100 will=w/1:gone willqos=1 willdelay=5 willretain\n"
	     "w < CONNACK 00\n" CONNECT(
		     "s") "s > SUBSCRIBE m1 f=w/#,q1\ns < SUBACK m1 01\ns cut\n"
			  "v > CONNECT v5 id=v expiry=100 will=w/2:gone\nv < CONNACK 00\n",
	     "w cut\n", "v > DISCONNECT\nv < closed\n", "wait 6000\n",
	     "w > CONNECT v5 id=w expiry=100 will=w/1:gone willqos=1 willexpiry=9\n"
	     "w < CONNACK 00 present\n",
	     "w cut\n");
}

static void test_replay_take_over(void **state)
{
	PLAY(CONNECT("s") "s > SUBSCRIBE m1 f=t,q1\ns < SUBACK m1 01\n" PUBLISHER
			  "p > PUBLISH q1 m1 t=t p=1\np < PUBACK m1\ns < PUBLISH q1 m2 t=t p=1\n",
	     "n > CONNECT v5 id=s expiry=1000\nn < CONNACK 00 present\n"
	     "s < DISCONNECT 8e\ns < closed\nn < PUBLISH q1 m2 dup t=t p=1\n",
	     "n > PUBACK m2\n", "n cut\n");
}

static void test_replay_queue_full(void **state)
{
	struct stage *st = *state;
	st->set.absent_queue_messages_max = 3;
	PLAY(CONNECT("s") "s > SUBSCRIBE m1 f=t,q1\ns < SUBACK m1 01\ns cut\n" PUBLISHER
			  "repeat 3 p > PUBLISH q1 m%d t=t p=%d\nrepeat 3 p < PUBACK m%d\n"
			  "p > PUBLISH q1 m9 t=t p=4\np < PUBACK m9 rc=97\n",
	     AGAIN("s") "s < 3 PUBLISH q1\nrepeat 1 s > PUBACK m2\n",
	     "s cut\n"
	     "p > PUBLISH q1 m9 t=t p=5\np < PUBACK m9\n",
	     AGAIN("s") "s < PUBLISH q1 m3 dup t=t p=2\ns < PUBLISH q1 m4 dup t=t p=3\n"
			"s < PUBLISH q1 m6 t=t p=5\n");
}

static void test_replay_groups(void **state)
{
	PLAY(CONNECT("a") CONNECT("b") PUBLISHER
	     "a > SUBSCRIBE m1 sid=3 f=$share/g/t/#,q2,rap f=t/2,q1\na < SUBACK m1 02 01\n"
	     "b > SUBSCRIBE m1 f=$share/g/t/#,q1\nb < SUBACK m1 01\nb cut\n",
	     "repeat 2 p > PUBLISH q1 m%d t=t/%d p=%d\nrepeat 2 p < PUBACK m%d\n"
	     "p > PUBLISH q2 m3 t=t/3 p=3\np < PUBREC m3\np > PUBREL m3\np < PUBCOMP m3\n"
	     "a < 3 PUBLISH q1\na < PUBLISH q2 m5 t=t/3 p=3 sid=3\n",
	     /* one is finished, one begun, the others go back */
	     "a > PUBACK m2\na > PUBREC m5\na < PUBREL m5\n", "a cut\n",
	     "p > PUBLISH q1 m4 t=t/4 p=4\np < PUBACK m4\n", AGAIN("b") "b < 2 PUBLISH q1\n",
	     "b > DISCONNECT expiry=0\nb < closed\n",
	     "p > PUBLISH q1 m5 t=t/5 p=5\np < PUBACK m5\n",
	     AGAIN("a") "a < 1 PUBLISH q1 m3 dup\n"
			"a < PUBREL m5\na < 3 PUBLISH q1\n",
	     "a > UNSUBSCRIBE m2 f=$share/g/t/#\na < UNSUBACK m2 00\n",
	     "p > PUBLISH q1 m6 t=t/6 p=6\np < PUBACK m6 rc=10\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_replay_nothing, setup),
		cmocka_unit_test_setup(test_replay_sessions_come_and_go, setup),
		cmocka_unit_test_setup(test_replay_subscriptions, setup),
		cmocka_unit_test_setup(test_replay_queues, setup),
		cmocka_unit_test_setup(test_replay_open_qos_2, setup),
		cmocka_unit_test_setup(test_replay_id_used_before_pubcomp, setup),
		cmocka_unit_test_setup(test_replay_retained, setup),
		cmocka_unit_test_setup(test_replay_wills, setup),
		cmocka_unit_test_setup(test_replay_take_over, setup),
		cmocka_unit_test_setup(test_replay_groups, setup),
		cmocka_unit_test_setup(test_replay_queue_full, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
