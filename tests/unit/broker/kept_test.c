/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions whose messages stand in a log: absent, drained, interrupted, slow, damaged. */
#include "base/mem.h"
#include "broker/fetch.h"
#include "broker/record.h"
#include "journal/page_file.h"
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

/* What QoS 2 has begun stays: its packet id would be taken for a duplicate's when it comes round. */
static void test_kept_drops_nothing_begun(void **state)
{
	struct stage *st = *state;
	st->set.absent_queue_messages_max = 2;
	st->set.queue_full_policy = QUEUE_FULL_DROP_OLDEST;
	start(st, 1);
	play_lines(&st->play,
		   ABSENT BACK "p > PUBLISH q2 m1 t=t p=a\np < PUBREC m1\n"
			       "s < PUBLISH q2 m2 t=t p=a\n"
			       "s cut\n"
			       "repeat 3 p > PUBLISH q1 m1%d t=t p=%d\n"
			       "repeat 3 p < PUBACK m1%d\n" BACK "s < PUBLISH q2 m2 dup t=t p=a\n"
			       "s < PUBLISH q1 m3 t=t p=1\n"
			       "s > PUBREC m2\ns < PUBREL m2\ns > PUBCOMP m2\n");
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

static void test_kept_drains_from_pages(void **state)
{
	struct stage *st = *state;
	struct page_file *file;
	st->set.absent_queue_messages_max = 0;
	st->set.absent_queue_bytes_max = 0;
	st->set.receive_maximum = 65535;
	st->set.queue_memory_bytes_max = 4000;
	start(st, 1);
	assert_int_equal(page_file_open(P_tmpdir, &file), 0);
	broker_use_pages(st->play.kit.broker, 0, file);
	drain_many(st, 6000, 100);
	stop(st);
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

/* What memory has no room for stands in the log: it comes from there, though nobody acknowledges
 * anything meanwhile. */
static void test_kept_over_memory_comes_from_the_log(void **state)
{
	struct stage *st = *state;
	st->set.memory_bytes_max = 500;
	start(st, 1);
	play_lines(&st->play, "p > CONNECT v5 id=p clean\np < CONNACK 00\n"
			      "p > PUBLISH q1 m1 t=r retain p=#600\np < PUBACK m1 rc=10\n"
			      "s > CONNECT v5 id=s clean expiry=1000\ns < CONNACK 00\n"
			      "s > SUBSCRIBE m1 f=t,q1\ns < SUBACK m1 01\n"
			      "p > PUBLISH q1 m2 t=t p=new\np < PUBACK m2\n"
			      "s < PUBLISH q1 m2 t=t p=new\n");
	assert_int_equal(status_of(st).queued_messages, 0);
	stop(st);
}

/* Connected, but it takes one at a time: what is beyond the front of its queue is not in memory. */
static void test_kept_slow_reader_holds_little(void **state)
{
	struct stage *st = *state;
	st->set.queue_messages_max = 0;
	st->set.queue_bytes_max = 0;
	st->set.receive_maximum = 65535;
	start(st, 1);
	play_lines(&st->play, "s > CONNECT v5 id=s clean expiry=1000 rmax=1\ns < CONNACK 00\n"
			      "s > SUBSCRIBE m1 f=t,q2\ns < SUBACK m1 02\n"
			      "p > CONNECT v5 id=p clean\np < CONNACK 00\n"
			      "repeat 5000 p > PUBLISH q1 m%d t=t p=#1000\n"
			      "p < 5000 PUBACK\n"
			      "s < 1 PUBLISH q1 m2\n");
	assert_int_equal(status_of(st).queued_messages, 4999);
	assert_in_range(status_of(st).held_bytes, 500000, RESIDENT_BYTES_MAX + 2000);
	for (unsigned i = 2; i <= 5000; i++) {
		play_line(&st->play, "s > PUBACK m%u", i);
		play_line(&st->play, "s < 1 PUBLISH q1 m%u t=t", i + 1);
		assert_in_range(status_of(st).held_bytes, 1, RESIDENT_BYTES_MAX + 300000);
	}
	play_line(&st->play, "s > PUBACK m5001");
	assert_int_equal(status_of(st).held_bytes, 0);
	stop(st);
}

/* A read that was answered makes room for another, however many there were. */
static void test_kept_is_read_again_and_again(void **state)
{
	struct stage *st = *state;
	start(st, 1);
	play_lines(&st->play, ABSENT);
	for (unsigned i = 0; i < 70; i++) {
		play_lines(&st->play, "p > PUBLISH q1 m1 t=t p=1\np < PUBACK m1\n" BACK);
		play_line(&st->play, "s < PUBLISH q1 m%u t=t p=1", i + 2);
		play_line(&st->play, "s > PUBACK m%u", i + 2);
		play_line(&st->play, "s cut");
	}
	stop(st);
}

static uint64_t position_of_publish(struct stage *st, unsigned n)
{
	for (size_t i = 0; i < kept_record_count(st->store); i++)
		if (record_kind(kept_record(st->store, i)->body) == COMMAND_PUBLISH && n-- == 1)
			return kept_record(st->store, i)->position;
	fail();
	return 0;
}

/* One that the disk has lost is missing, and the operator is told; the others come. */
static void test_kept_damaged_message_is_passed_over(void **state)
{
	struct stage *st = *state;
	start(st, 1);
	play_lines(&st->play, ABSENT "repeat 5 p > PUBLISH q1 m%d t=t p=%d\np < 5 PUBACK\n");
	kept_find(st->store, position_of_publish(st, 2))->is_damaged = true;
	play_lines(&st->play, BACK "s < PUBLISH q1 m2 t=t p=1\ns < PUBLISH q1 m4 t=t p=3\n"
				   "s < PUBLISH q1 m5 t=t p=4\ns < PUBLISH q1 m6 t=t p=5\n");
	assert_int_equal(status_of(st).dropped_damaged, 1);
	assert_int_equal(status_of(st).queued_messages, 0);
	stop(st);
}

/* With `durability interval` the log syncs at once what a publisher wants to be sure of. */
static void test_kept_sync_is_asked_for(void **state)
{
	static const char *const wishes[] = {"", " user=nightjar-durability:always"};
	struct stage *st = *state;
	start(st, 1);
	play_lines(&st->play, ABSENT);
	log_kept_delay(st->log, true, true);
	for (unsigned i = 0; i < ARRAY_COUNT(wishes); i++) {
		play_line(&st->play, "p > PUBLISH q1 m1 t=t p=1%s", wishes[i]);
		assert_non_null(log_kept_waiting(st->log));
		assert_int_equal(log_kept_waiting(st->log)->wants_sync, i);
		while (log_kept_step(st->log, false))
			play_settle(&st->play);
		play_line(&st->play, "p < PUBACK m1");
	}
	stop(st);
}

/* The log answers late: after the connection was lost, after the session came back or ended. */
static void test_kept_late_answers(void **state)
{
	struct stage *st = *state;
	start(st, 1);
	play_lines(&st->play, ABSENT "repeat 3 p > PUBLISH q1 m%d t=t p=%d\np < 3 PUBACK\n");
	log_kept_delay(st->log, false, true);
	play_lines(&st->play, BACK "s < nothing\ns cut\n");
	assert_true(log_kept_step(st->log, true));
	play_settle(&st->play);
	assert_int_equal(status_of(st).held_bytes, 0);
	play_lines(&st->play, BACK "s cut\n" BACK "s < nothing\n"
				   "p > PUBLISH q1 m4 t=t p=4\np < PUBACK m4\n");
	while (log_kept_step(st->log, true))
		play_settle(&st->play);
	play_lines(&st->play, "s < PUBLISH q1 m2 t=t p=1\ns < PUBLISH q1 m3 t=t p=2\n"
			      "s < PUBLISH q1 m4 t=t p=3\ns < PUBLISH q1 m5 t=t p=4\n"
			      "s < nothing\ns cut\n" BACK "s < nothing\n"
			      "n > CONNECT v5 id=s clean\nn < CONNACK 00\ns < DISCONNECT 8e\n");
	assert_true(log_kept_step(st->log, true));
	play_settle(&st->play);
	assert_int_equal(status_of(st).held_bytes, 0);
	play_lines(&st->play, "n close\n"
			      "s > CONNECT v5 id=s clean expiry=1000\ns < CONNACK 00\n"
			      "s > SUBSCRIBE m1 f=t,q2\ns < SUBACK m1 02\ns cut\n"
			      "p > PUBLISH q1 m1 t=t p=1\np < PUBACK m1\n" BACK);
	/* the broker's end finds an answer in the mail: no turn is taken any more */
	assert_true(log_kept_step(st->log, true));
	st->play.is_together = true;
	stop(st);
}

/* Each allocation of draining fails in turn: nothing is lost, or comes in another order; what was
 * sent may come twice. */
static void test_kept_drains_without_memory(void **state)
{
	struct stage *st = *state;
	for (unsigned long n = 1;; n++) {
		char text[TALK_TEXT_MAX];
		unsigned next = 1;
		start(st, 1);
		play_lines(&st->play, ABSENT "repeat 40 p > PUBLISH q1 m%d t=t p=%d\n"
					     "p < 40 PUBACK\n");
		log_kept_delay(st->log, false, true);
		play_lines(&st->play, BACK);
		assert_true(log_kept_step(st->log, true));
		mem_fail_after(n);
		kit_settle(&st->play.kit);
		bool has_failed = mem_has_failed();
		mem_fail_after(0);
		log_kept_delay(st->log, false, false);
		while (log_kept_step(st->log, true))
			play_settle(&st->play);
		play_settle(&st->play);
		while (play_next(play_actor(&st->play, "s"), text)) {
		}
		play_lines(&st->play, "s cut\n" BACK);
		while (play_next(play_actor(&st->play, "s"), text)) {
			char expected[16];
			snprintf(expected, sizeof(expected), "p=%u", next++);
			assert_non_null(strstr(text, expected));
		}
		assert_int_equal(next, 41);
		stop(st);
		if (!has_failed)
			break;
	}
}

/* Messages that bring several identifiers wait in the log like others. */
static void test_kept_several_identifiers(void **state)
{
	struct stage *st = *state;
	start(st, 1);
	play_lines(&st->play, "s > CONNECT v5 id=s clean expiry=1000\ns < CONNACK 00\n"
			      "s > SUBSCRIBE m1 sid=3 f=t,q1\ns < SUBACK m1 01\n"
			      "s > SUBSCRIBE m1 sid=200 f=+,q1\ns < SUBACK m1 01\n"
			      "s > SUBSCRIBE m1 sid=7 f=u,q1\ns < SUBACK m1 01\n"
			      "p > CONNECT v5 id=p clean\np < CONNACK 00\n"
			      "p > PUBLISH q1 m1 t=t p=1 user=k:v\np < PUBACK m1\n"
			      "s < PUBLISH q1 m2 t=t p=1 sid=3,200 user=k:v\n"
			      "s cut\n"
			      "p > PUBLISH q1 m1 t=u p=2\np < PUBACK m1\n"
			      "p > PUBLISH q1 m1 t=t p=3\np < PUBACK m1\n"
			      "p > PUBLISH q1 m1 t=x p=4\np < PUBACK m1\n");
	assert_int_equal(status_of(st).held_bytes, 0);
	play_lines(&st->play, BACK "s < PUBLISH q1 m2 dup t=t p=1 sid=3,200 user=k:v\n"
				   "s < PUBLISH q1 m3 t=u p=2 sid=7,200\n"
				   "s < PUBLISH q1 m4 t=t p=3 sid=3,200\n"
				   "s < PUBLISH q1 m5 t=x p=4 sid=200\n");
	stop(st);
}

/* The client may hold the packet id of a message that was begun: it is finished [MQTT-3.3.2-5]. One
 * that was never sent is not begun any more. */
static void test_kept_expired_after_it_was_sent(void **state)
{
	struct stage *st = *state;
	start(st, 1);
	play_lines(&st->play, ABSENT "s > CONNECT v5 id=s expiry=1000 rmax=2\n"
				     "s < CONNACK 00 present\n"
				     "p > PUBLISH q2 m1 t=t p=1 expiry=1\np < PUBREC m1\n"
				     "p > PUBLISH q1 m2 t=t p=2 expiry=1\np < PUBACK m2\n"
				     "p > PUBLISH q2 m3 t=t p=3 expiry=1\np < PUBREC m3\n"
				     "s < PUBLISH q2 m2 t=t p=1 expiry=1\n"
				     "s < PUBLISH q1 m3 t=t p=2 expiry=1\n"
				     "s cut\nwait 2000\n" BACK
				     "s < PUBLISH q2 m2 dup t=t p=1 expiry=0\ns < nothing\n");
	stop(st);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_kept_waits_outside_of_memory, setup),
		cmocka_unit_test_setup(test_kept_unfinished_comes_again, setup),
		cmocka_unit_test_setup(test_kept_ids_follow_from_the_log, setup),
		cmocka_unit_test_setup(test_kept_drops_the_oldest, setup),
		cmocka_unit_test_setup(test_kept_drops_nothing_begun, setup),
		cmocka_unit_test_setup(test_kept_drains_in_order, setup),
		cmocka_unit_test_setup(test_kept_drains_from_pages, setup),
		cmocka_unit_test_setup(test_kept_over_memory_comes_from_the_log, setup),
		cmocka_unit_test_setup(test_kept_slow_reader_holds_little, setup),
		cmocka_unit_test_setup(test_kept_is_read_again_and_again, setup),
		cmocka_unit_test_setup(test_kept_damaged_message_is_passed_over, setup),
		cmocka_unit_test_setup(test_kept_several_identifiers, setup),
		cmocka_unit_test_setup(test_kept_sync_is_asked_for, setup),
		cmocka_unit_test_setup(test_kept_late_answers, setup),
		cmocka_unit_test_setup(test_kept_drains_without_memory, setup),
		cmocka_unit_test_setup(test_kept_expired_after_it_was_sent, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
