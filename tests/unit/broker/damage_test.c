/* SPDX-License-Identifier: Apache-2.0 */
/* Records that are gone: what is left is served, nothing more is lost because of them, and the report
 * names what it can. */
#include "base/mem.h"
#include "broker/command.h"
#include "broker/snapshot.h"
#include "journal/journal.h"
#include "kit/play.h"
#include "kit/replay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

struct stage {
	struct kept_store *store;
	struct settings set;
	struct play play;
};

static const char lived[] = "s > CONNECT v5 id=s clean expiry=1000\ns < CONNACK 00\n"
			    "s > SUBSCRIBE m1 f=t/#,q1\ns < SUBACK m1 01\ns cut\n"
			    "p > CONNECT v5 id=p clean\np < CONNACK 00\n"
			    "p > PUBLISH q1 m1 t=t/1 p=one\np < PUBACK m1\n"
			    "p > PUBLISH q1 m2 retain t=t/lost p=two\np < PUBACK m2\n"
			    "p > PUBLISH q1 m3 t=t/3 p=three\np < PUBACK m3\n"
			    "p > PUBLISH q1 m4 t=t/4 p=four\np < PUBACK m4\n";

static void live(struct stage *st, const char *script)
{
	play_start(&st->play, &st->set, 1, 7, 0);
	struct kit *k = &st->play.kit;
	k->log = log_kept_new(st->store, 1 << 16, snapshot_references, broker_committed, k->broker);
	broker_use_log(k->broker, log_kept_log(k->log));
	play_lines(&st->play, script);
	broker_want_checkpoint(k->broker);
	play_settle(&st->play);
	play_finish(&st->play);
}

static int setup(void **state)
{
	static struct stage stage;
	memset(&stage, 0, sizeof(stage));
	settings_init(&stage.set);
	stage.store = kept_store_new();
	*state = &stage;
	return 0;
}

static int teardown(void **state)
{
	struct stage *st = *state;
	kept_store_free(st->store);
	return 0;
}

static void no_wake(void *context, unsigned shard)
{
	(void)context;
	(void)shard;
}

static struct broker *fresh(struct stage *st, struct kept_store *own)
{
	struct broker_hooks hooks = {.wake = no_wake};
	struct moment now = {KIT_START_STEADY_MS, KIT_START_WALL_MS};
	struct broker *b = broker_new(&st->set, &hooks, 2, 99, now);
	assert_non_null(b);
	broker_use_log(b, log_kept_log(log_kept_new(own, 1 << 16, NULL, broker_committed, b)));
	return b;
}

static const struct kept_record *find_publish(struct kept_store *store, const char *topic)
{
	for (size_t i = 0; i < kept_record_count(store); i++) {
		const struct kept_record *r = kept_record(store, i);
		if (r->body.ptr[0] == COMMAND_PUBLISH &&
		    memmem(r->body.ptr, r->body.len, topic, strlen(topic)))
			return r;
	}
	fail();
	return NULL;
}

static void recover_without(struct broker *b, struct kept_store *store, uint64_t damaged,
			    struct span remains)
{
	for (size_t i = 0; i < kept_record_count(store); i++) {
		const struct kept_record *r = kept_record(store, i);
		struct journal_damage damage = {.from = r->position,
						.to = r->position + 100,
						.remains = remains,
						.file = "seg-1"};
		int error = r->position == damaged ? recover_damage(b, &damage)
						   : recover_record(b, r->position, r->body);
		assert_int_equal(error, 0);
	}
}

static bool says(const struct recovery_report *report, const char *words)
{
	struct span lines = buffer_content(&report->lines);
	return memmem(lines.ptr, lines.len, words, strlen(words)) != NULL;
}

static int read_none(void *context, uint64_t position, struct span *body_out)
{
	(void)context;
	(void)position;
	(void)body_out;
	return ERROR_DAMAGED;
}

/* What the remains read like is named. */
static void test_damage_in_the_log(void **state)
{
	struct stage *st = *state;
	struct recovery_report report;
	live(st, lived);
	const struct kept_record *gone = find_publish(st->store, "t/lost");
	uint8_t remains[256] = {0};
	memcpy(remains + 8 + LOG_RECORD_ROOM, gone->body.ptr, gone->body.len);
	remains[8 + LOG_RECORD_ROOM + gone->body.len] = 'x';
	struct kept_store *own = kept_store_new();
	struct broker *b = fresh(st, own);
	int error = recover_begin(b, &(struct recovery_source){NULL, read_none});
	assert_int_equal(error, 0);
	recover_without(b, st->store, gone->position, span_of(remains, sizeof(remains)));
	error = recover_end(b, (struct moment){KIT_START_STEADY_MS, KIT_START_WALL_MS}, &report);
	assert_int_equal(error, 0);
	assert_int_equal(report.sessions, 1);
	assert_int_equal(report.queued_messages, 3);
	assert_int_equal(report.lost, 1);
	assert_true(says(&report, "seg-1"));
	assert_true(says(&report, "topic t/lost"));
	buffer_release(&report.lines);
	broker_free(b);
	kept_store_free(own);
}

static const char finished[] = "s > CONNECT v5 id=s expiry=1000\ns < CONNACK 00 present\n"
			       "s < PUBLISH q1 m2 t=t/1 p=one\ns < PUBLISH q1 m3 t=t/lost p=two\n"
			       "s < PUBLISH q1 m4 t=t/3 p=three\ns < PUBLISH q1 m5 t=t/4 p=four\n"
			       "s > PUBACK m2\ns > PUBACK m4\ns cut\n";

/* What was finished behind the damage nobody knows any more: it was the third message that is left,
 * or the second. */
static void test_damage_leaves_positions_in_doubt(void **state)
{
	struct stage *st = *state;
	struct recovery_report report;
	char script[2000];
	snprintf(script, sizeof(script), "%s%s", lived, finished);
	live(st, script);
	const struct kept_record *gone = find_publish(st->store, "t/lost");
	struct kept_store *own = kept_store_new();
	struct broker *b = fresh(st, own);
	int error = recover_begin(b, &(struct recovery_source){NULL, read_none});
	assert_int_equal(error, 0);
	recover_without(b, st->store, gone->position, SPAN_NONE);
	error = recover_end(b, (struct moment){KIT_START_STEADY_MS, KIT_START_WALL_MS}, &report);
	assert_int_equal(error, 0);
	/* `one` stood before the damage and is done; `four` is not taken for `three` */
	assert_int_equal(report.queued_messages, 2);
	buffer_release(&report.lines);
	broker_free(b);
	kept_store_free(own);
}

/* Only its record is: the image still knows the topic. */
static void test_damage_of_a_retained_message(void **state)
{
	struct stage *st = *state;
	struct recovery_report report;
	live(st, lived);
	assert_int_equal(kept_checkpoint_count(st->store), 1);
	kept_find(st->store, find_publish(st->store, "t/lost")->position)->is_damaged = true;
	struct kept_store *own = kept_store_new();
	struct broker *b = fresh(st, own);
	replay_into(b, st->store, 0, (struct moment){KIT_START_STEADY_MS, KIT_START_WALL_MS},
		    &report);
	assert_int_equal(report.lost, 1);
	assert_int_equal(report.retained_messages, 0);
	assert_int_equal(report.queued_messages, 4);
	assert_true(says(&report, "retained message of topic t/lost"));
	buffer_release(&report.lines);
	broker_free(b);
	kept_store_free(own);
}

/* An image that is cut or changed is refused, or means something; it never breaks anything down. */
static void test_damage_of_an_image(void **state)
{
	struct stage *st = *state;
	live(st, lived);
	struct span image = kept_checkpoint(st->store, 0)->image;
	uint64_t position = kept_checkpoint(st->store, 0)->position;
	for (size_t len = 0; len < image.len; len++) {
		struct kept_store *own = kept_store_new();
		struct broker *b = fresh(st, own);
		int error = recover_begin(b, &(struct recovery_source){NULL, read_none});
		assert_int_equal(error, 0);
		assert_int_equal(recover_image(b, position, span_of(image.ptr, len)),
				 ERROR_DAMAGED);
		broker_free(b);
		kept_store_free(own);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_damage_in_the_log, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damage_leaves_positions_in_doubt, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_damage_of_a_retained_message, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damage_of_an_image, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
