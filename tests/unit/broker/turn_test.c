/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order of things within one turn: what came in is given to the log, and what needs no log
 * leaves, before what has become durable is applied.
 */
#include "kit/play.h"
#include "log/log_kept.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* A log that looks at the broker whenever it is given something. */
struct watched_log {
	struct log log;
	struct log_kept *kept;
	struct stage *stage;
};

struct stage {
	struct settings set;
	struct play play;
	struct watched_log watched;
	struct kept_store *store;
	unsigned appends;       /* since they were last counted */
	uint64_t delivered;     /* at the first of these, since the broker began */
	uint32_t unread_at_end; /* at the last, by the actor e */
};

static struct log *log_behind(struct log *log)
{
	return log_kept_log(CONTAINER_OF(log, struct watched_log, log)->kept);
}

static void append(struct log *log, struct log_batch *batch)
{
	struct stage *st = CONTAINER_OF(log, struct watched_log, log)->stage;
	struct shard_status status;
	kit_status(&st->play.kit, &status);
	if (st->appends++ == 0)
		st->delivered = status.messages_out;
	struct actor *e = play_actor(&st->play, "e");
	st->unread_at_end = e->is_open ? memory_unread(&e->stream) : 0;
	log_behind(log)->ops->append(log_behind(log), batch);
}

static void read_back(struct log *log, struct log_read *request)
{
	log_behind(log)->ops->read(log_behind(log), request);
}

static void checkpoint(struct log *log, uint64_t position, struct log_image *image)
{
	log_behind(log)->ops->checkpoint(log_behind(log), position, image);
}

static void status(struct log *log, struct log_status *out)
{
	log_behind(log)->ops->status(log_behind(log), out);
}

static void release(struct log *log)
{
	log_behind(log)->ops->free(log_behind(log));
}

static void start(struct stage *st)
{
	static const struct log_ops ops = {append, read_back, checkpoint, status, release};
	*st = (struct stage){0};
	settings_init(&st->set);
	play_start(&st->play, &st->set, 1, 7, 0);
	st->store = kept_store_new();
	st->watched.stage = st;
	st->watched.log = (struct log){.ops = &ops, .is_kept = true};
	st->watched.kept =
		log_kept_new(st->store, 1 << 16, NULL, broker_committed, st->play.kit.broker);
	broker_use_log(st->play.kit.broker, &st->watched.log);
	play_lines(&st->play, "s > CONNECT v5 id=s clean expiry=1000\ns < CONNACK 00\n"
			      "s > SUBSCRIBE m1 f=t,q1\ns < SUBACK m1 01\n"
			      "e > CONNECT v5 id=e clean\ne < CONNACK 00\n"
			      "e > SUBSCRIBE m1 f=u\ne < SUBACK m1 00\n"
			      "p > CONNECT v5 id=p clean\np < CONNACK 00\n");
	log_kept_delay(st->watched.kept, true, true);
}

/* The oldest batch is durable, and the shard has not seen it yet. */
static void commit_unseen(struct stage *st)
{
	assert_true(log_kept_step(st->watched.kept, false));
	st->appends = 0;
}

static void stop(struct stage *st)
{
	log_kept_delay(st->watched.kept, false, false);
	while (log_kept_step(st->watched.kept, false))
		play_settle(&st->play);
	kept_store_free(st->store);
	play_stop(&st->play);
}

static void test_turn_gives_to_the_log_before_it_applies(void **state)
{
	(void)state;
	static struct stage st;
	start(&st);
	play_lines(&st.play, "p > PUBLISH q1 m1 t=t p=1\n"
			     "together\n");
	commit_unseen(&st);
	play_lines(&st.play, "p > PUBLISH q1 m2 t=t p=2\n"
			     "apart\n"
			     "s < PUBLISH q1 m2 t=t p=1\n"
			     "p < PUBACK m1\n"
			     "p < nothing\n");
	assert_int_equal(st.appends, 1);
	assert_int_equal(st.delivered, 0);
	commit_unseen(&st);
	play_settle(&st.play);
	play_lines(&st.play, "s < PUBLISH q1 m3 t=t p=2\n"
			     "p < PUBACK m2\n");
	stop(&st);
}

/* A checkpoint is a command whose application takes long, and gives something to the log. */
static void test_turn_sends_what_needs_no_log_before_it_applies(void **state)
{
	(void)state;
	static struct stage st;
	start(&st);
	broker_want_checkpoint(st.play.kit.broker);
	play_lines(&st.play, "p > PINGREQ\np < PINGRESP\n" /* a turn, which asks the log for it */
			     "together\n");
	commit_unseen(&st);
	play_lines(&st.play, "p > PUBLISH t=u p=1\n"
			     "apart\n"
			     "e < PUBLISH q0 t=u p=1\n");
	assert_int_equal(st.appends, 1);
	assert_true(st.unread_at_end > 0);
	stop(&st);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_turn_gives_to_the_log_before_it_applies),
		cmocka_unit_test(test_turn_sends_what_needs_no_log_before_it_applies),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
