/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions whose messages stand in a log: absent, drained, interrupted, slow, damaged. */
#include "base/mem.h"
#include "broker/fetch.h"
#include "kit/play.h"
#include "log/log_kept.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

struct stage {
	struct play play;
	struct kept_store *store;
	struct log_kept *log;
	struct settings set;
};

static void start(struct stage *st, unsigned shards)
{
	play_start(&st->play, &st->set, shards, 7, 0);
	st->store = kept_store_new();
	struct broker *b = st->play.kit.broker;
	st->log = log_kept_new(st->store, 1 << 16, NULL, broker_committed, b);
	broker_use_log(b, log_kept_log(st->log));
}

static void stop(struct stage *st)
{
	play_finish(&st->play);
	kept_store_free(st->store);
	assert_int_equal(mem_count_live(), 0);
}

static int setup(void **state)
{
	static struct stage stage;
	memset(&stage, 0, sizeof(stage));
	settings_init(&stage.set);
	stage.set.hold_back_ms_max = 0;
	*state = &stage;
	return 0;
}

static struct shard_status status_of(struct stage *st)
{
	struct shard_status status;
	kit_status(&st->play.kit, &status);
	return status;
}

/* A message's packet id at the subscriber is its queue position + 1; the first is 1. */
#define ABSENT                                                                                     \
	"s > CONNECT v5 id=s clean expiry=1000\ns < CONNACK 00\n"                                  \
	"s > SUBSCRIBE m1 f=t,q2\ns < SUBACK m1 02\n"                                              \
	"s cut\n"                                                                                  \
	"p > CONNECT v5 id=p clean\np < CONNACK 00\n"
#define BACK "s > CONNECT v5 id=s expiry=1000\ns < CONNACK 00 present\n"

static void test_kept_waits_outside_of_memory(void **state)
{
	struct stage *st = *state;
	start(st, 1);
	play_lines(&st->play, ABSENT "repeat 10 p > PUBLISH q1 m%d t=t p=%d\n"
				     "repeat 10 p < PUBACK m%d\n");
	assert_int_equal(status_of(st).queued_messages, 10);
	assert_int_equal(status_of(st).held_bytes, 0);
	play_lines(&st->play, BACK "s < PUBLISH q1 m2 t=t p=1\n"
				   "s < 9 PUBLISH q1\n"
				   "s > PUBACK m2\n"
				   "p > PUBLISH q1 m1 t=t p=n\np < PUBACK m1\n"
				   "s < PUBLISH q1 m12 t=t p=n\n");
	assert_int_equal(status_of(st).queued_messages, 0);
	stop(st);
}

/* What was sent and not finished comes again with its packet id, before anything new. */
static void test_kept_unfinished_comes_again(void **state)
{
	struct stage *st = *state;
	start(st, 1);
	play_lines(
		&st->play, ABSENT
		"s > CONNECT v5 id=s expiry=1000 rmax=3\n"
		"s < CONNACK 00 present\n"
		"repeat 6 p > PUBLISH q2 m%d t=t p=%d\n"
		"repeat 6 p < PUBREC m%d\n"
		"s < PUBLISH q2 m2 t=t p=1\ns < PUBLISH q2 m3 t=t p=2\ns < PUBLISH q2 m4 t=t p=3\n"
		"s > PUBREC m2\ns < PUBREL m2\n"
		"s > PUBREC m3\ns < PUBREL m3\n"
		"s > PUBCOMP m2\n"
		"s < PUBLISH q2 m5 t=t p=4\n"
		"s cut\n");
	assert_int_equal(status_of(st).held_bytes, 0);
	assert_int_equal(status_of(st).queued_messages, 5);
	play_lines(&st->play, BACK "s < PUBREL m3\n"
				   "s < PUBLISH q2 m4 dup t=t p=3\n"
				   "s < PUBLISH q2 m5 dup t=t p=4\n"
				   "s < PUBLISH q2 m6 t=t p=5\n"
				   "s < PUBLISH q2 m7 t=t p=6\n"
				   "s > PUBCOMP m3\n"
				   "s > PUBREC m6\ns < PUBREL m6\ns > PUBCOMP m6\n"
				   "s cut\n" BACK "s < PUBLISH q2 m4 dup t=t p=3\n"
				   "s < PUBLISH q2 m5 dup t=t p=4\n"
				   "s < PUBLISH q2 m7 dup t=t p=6\n"
				   "s > PUBREC m4 rc=80\n"
				   "repeat 6 p > PUBREL m%d\nrepeat 6 p < PUBCOMP m%d\n");
	stop(st);
}

/* Refused, expired and too large ones leave holes in the sequence of packet ids. */
static void test_kept_ids_follow_from_the_log(void **state)
{
	struct stage *st = *state;
	st->set.absent_queue_messages_max = 2;
	start(st, 1);
	play_lines(&st->play, ABSENT "p > PUBLISH q1 m1 t=t p=1 expiry=1\np < PUBACK m1\n"
				     "p > PUBLISH q1 m2 t=t p=2\np < PUBACK m2\n"
				     "p > PUBLISH q1 m3 t=t p=3\np < PUBACK m3 rc=97\n"
				     "wait 1500\n" BACK "s < PUBLISH q1 m3 t=t p=2\n"
				     "p > PUBLISH q1 m4 t=t p=4\np < PUBACK m4\n"
				     "s < PUBLISH q1 m5 t=t p=4\n");
	assert_int_equal(status_of(st).dropped_expired, 1);
	stop(st);
}

static void test_kept_drops_the_oldest(void **state)
{
	struct stage *st = *state;
	st->set.absent_queue_messages_max = 2;
	st->set.queue_full_policy = QUEUE_FULL_DROP_OLDEST;
	start(st, 1);
	play_lines(&st->play, ABSENT "repeat 5 p > PUBLISH q1 m%d t=t p=%d\n"
				     "repeat 5 p < PUBACK m%d\n" BACK
				     "s < PUBLISH q1 m5 t=t p=4\ns < PUBLISH q1 m6 t=t p=5\n");
	stop(st);
}

/* Thousands, in all ways through ring, chunks and page file, with messages coming in meanwhile. */
static void drain_many(struct stage *st, uint32_t count, uint32_t receive_maximum)
{
	struct play *p = &st->play;
	uint32_t sent = 0, got = 0, acked = 0, oldest_id = 0;
	char text[TALK_TEXT_MAX];
	(void)oldest_id;
	play_lines(p, ABSENT);
	for (; sent < count; sent++)
		play_line(p, "p + PUBLISH q1 m%u t=t p=%u", sent % 60000 + 1, sent + 1);
	play_settle(p);
	play_line(p, "p < %u PUBACK", count);
	assert_int_equal(status_of(st).queued_messages, count);
	assert_int_equal(status_of(st).held_bytes, 0);
	play_line(p, "s > CONNECT v5 id=s expiry=1000 rmax=%u", receive_maximum);
	play_line(p, "s < CONNACK 00 present");
	while (acked < count + 100) {
		play_settle(p);
		while (play_next(play_actor(p, "s"), text)) {
			char expected[64];
			++got;
			snprintf(expected, sizeof(expected), "PUBLISH q1 m%u t=t p=%u", got + 1,
				 got);
			assert_string_equal(text, expected);
		}
		assert_true(got > acked);
		/* the queue stays small in memory while it drains */
		assert_true(status_of(st).held_bytes <
			    RESIDENT_BYTES_MAX + receive_maximum * 100 + 300000);
		while (acked < got)
			play_line(p, "s + PUBACK m%u", ++acked + 1);
		if (sent < count + 100) {
			play_line(p, "p > PUBLISH q1 m1 t=t p=%u", ++sent);
			play_line(p, "p < PUBACK m1");
		}
	}
	assert_int_equal(got, count + 100);
	play_settle(p);
	assert_int_equal(status_of(st).queued_messages, 0);
	assert_int_equal(status_of(st).held_bytes, 0);
}

static void test_kept_drains_in_order(void **state)
{
	struct stage *st = *state;
	st->set.absent_queue_messages_max = 0;
	st->set.absent_queue_bytes_max = 0;
	st->set.receive_maximum = 65535;
	for (unsigned shards = 1; shards <= 2; shards++) {
		start(st, shards);
		drain_many(st, 6000, shards == 1 ? 20 : 1000);
		stop(st);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_kept_waits_outside_of_memory, setup),
		cmocka_unit_test_setup(test_kept_unfinished_comes_again, setup),
		cmocka_unit_test_setup(test_kept_ids_follow_from_the_log, setup),
		cmocka_unit_test_setup(test_kept_drops_the_oldest, setup),
		cmocka_unit_test_setup(test_kept_drains_in_order, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
