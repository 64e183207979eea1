/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The broker dies at a chosen moment, with a log that is full, late or failing, and comes back on
 * what the log had by then. Scripts know a few lines more than play.h has:
 *
 *   hold          from now on the log keeps what it is given
 *   commit        everything that waits there is durable; commit 1: the oldest batch is
 *   flow          nothing waits any more
 *   full / good / failed     the log's health
 *   checkpoint    a checkpoint is taken, and what it does not refer to is let go
 *   check         what the broker has is what the log says
 *   looked up     no session waits for retained messages any more
 *   crash         what waits in the log is lost, and all connections are; the broker comes back
 */
#include "base/mem.h"
#include "broker/snapshot.h"
#include "kit/play.h"
#include "kit/replay.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct settings set;

struct stage {
	struct play play;
	struct kept_store *store;
	struct log_kept *log; /* the kit shall not let it go on */
	unsigned crashes;
};

static int setup(void **state)
{
	(void)state;
	settings_init(&set);
	set.hold_back_ms_max = 0;
	return 0;
}

static void start(struct stage *st, unsigned shard_count)
{
	memset(st, 0, sizeof(*st));
	play_start(&st->play, &set, shard_count, 7, 0);
	st->store = kept_store_new();
	struct broker *b = st->play.kit.broker;
	st->log = log_kept_new(st->store, 8192, snapshot_references, broker_committed, b);
	broker_use_log(b, log_kept_log(st->log));
	play_settle(&st->play);
}

static void commit(struct stage *st, unsigned long count)
{
	while (count-- > 0 && log_kept_step(st->log, false))
		play_settle(&st->play);
}

static void flow(struct stage *st)
{
	log_kept_delay(st->log, false, false);
	commit(st, ULONG_MAX);
}

static void set_health(struct stage *st, enum log_health health)
{
	log_kept_set_health(st->log, health);
	broker_log_changed(st->play.kit.broker);
	play_settle(&st->play);
}

/* What the log says is what the broker has. */
static void check_log(struct stage *st)
{
	char *text = kit_state(&st->play.kit);
	replay_check(st->store, &set, st->play.kit.now, text);
	mem_free(text);
}

static void take_checkpoint(struct stage *st)
{
	size_t before = kept_checkpoint_count(st->store);
	broker_want_checkpoint(st->play.kit.broker);
	play_settle(&st->play);
	assert_int_equal(kept_checkpoint_count(st->store), before + 1);
}

/* With another number of shards each time. */
static void crash(struct stage *st)
{
	static const unsigned shard_counts[] = {2, 5, 1};
	struct play *p = &st->play;
	struct moment now = p->kit.now;
	kit_crash(&p->kit);
	for (unsigned i = 0; i < p->actor_count; i++) {
		struct actor *a = &p->actors[i];
		if (a->is_open)
			a->stream.ops->close(&a->stream);
		a->is_open = a->is_ended = false;
		buffer_release(&a->in);
		buffer_release(&a->out);
	}
	unsigned shards = shard_counts[st->crashes++ % ARRAY_COUNT(shard_counts)];
	kit_start_on(&p->kit, &set, shards, st->crashes, st->store, now);
	st->log = p->kit.log;
	p->kit.log = NULL;
	log_kept_delay(st->log, false, false);
	play_settle(p);
	check_log(st);
}

static void check_looked_up(struct stage *st)
{
	char *text = kit_state(&st->play.kit);
	assert_null(strstr(text, " asked at "));
	mem_free(text);
}

static void perform(struct stage *st, const char *line)
{
	static const char *const healths[] = {"good", "full", "failed"};
	for (unsigned i = 0; i < ARRAY_COUNT(healths); i++)
		if (strcmp(line, healths[i]) == 0) {
			set_health(st, (enum log_health)i);
			return;
		}
	if (strcmp(line, "hold") == 0)
		log_kept_delay(st->log, true, true);
	else if (strcmp(line, "flow") == 0)
		flow(st);
	else if (strcmp(line, "checkpoint") == 0)
		take_checkpoint(st);
	else if (strcmp(line, "check") == 0)
		check_log(st);
	else if (strcmp(line, "looked up") == 0)
		check_looked_up(st);
	else if (strcmp(line, "crash") == 0)
		crash(st);
	else if (strncmp(line, "commit", 6) == 0)
		commit(st, line[6] ? strtoul(line + 6, NULL, 10) : ULONG_MAX);
	else if (line[0])
		play_line(&st->play, "%s", line);
}

static void play(struct stage *st, const char *lines)
{
	char line[512];
	while (*lines) {
		size_t len = strcspn(lines, "\n");
		snprintf(line, sizeof(line), "%.*s", (int)len, lines);
		perform(st, line);
		lines += len + (lines[len] == '\n');
	}
}

static void over_all(const char *lines)
{
	static const unsigned counts[] = {1, 2, 5};
	for (unsigned i = 0; i < ARRAY_COUNT(counts); i++) {
		static struct stage st;
		start(&st, counts[i]);
		play(&st, lines);
		flow(&st);
		check_log(&st);
		play_finish(&st.play);
		kept_store_free(st.store);
		assert_int_equal(mem_count_live(), 0);
	}
}

#define CONNECT(id) id " > CONNECT v5 id=" id " expiry=1000\n" id " < CONNACK 00\n"
#define AGAIN(id) id " > CONNECT v5 id=" id " expiry=1000\n" id " < CONNACK 00 present\n"
#define PUBLISHER "p > CONNECT v5 id=p clean\np < CONNACK 00\n"
#define SUBSCRIBER CONNECT("s") "s > SUBSCRIBE m1 f=t,q2\ns < SUBACK m1 02\n"

/* Refused or held while the log was full: promised to nobody, and gone. */
static void test_crash_while_full(void **state)
{
	(void)state;
	over_all(SUBSCRIBER "s cut\n" PUBLISHER "o > CONNECT v4 id=o\no < CONNACK 00\n"
			    "p > PUBLISH q1 m1 t=t p=1\np < PUBACK m1\n"
			    "full\n"
			    "p > PUBLISH q1 m2 t=t p=2\np < PUBACK m2 rc=97\n"
			    "o > PUBLISH q2 m1 t=t p=3\no < nothing\n"
			    "crash\n"
			    "o > CONNECT v4 id=o\no < CONNACK 00 present\n"
			    "o > PUBLISH q2 m1 dup t=t p=3\no < PUBREC m1\n"
			    "o > PUBREL m1\no < PUBCOMP m1\n" AGAIN(
				    "s") "s < PUBLISH q1 m2 t=t p=1\ns < PUBLISH q2 m3 t=t p=3\n");
}

/* Nor does a checkpoint take the id of what is held for what the log has. */
static void test_crash_while_full_behind_checkpoint(void **state)
{
	(void)state;
	over_all(SUBSCRIBER
		 "s cut\no > CONNECT v4 id=o\no < CONNACK 00\n"
		 "full\n"
		 "o > PUBLISH q2 m1 t=t p=1\no < nothing\n"
		 "checkpoint\n"
		 "crash\n"
		 "o > CONNECT v4 id=o\no < CONNACK 00 present\n"
		 "o > PUBLISH q2 m1 dup t=t p=1\no < PUBREC m1\n"
		 "o > PUBREL m1\no < PUBCOMP m1\n" AGAIN("s") "s < PUBLISH q2 m2 t=t p=1\n");
}

/* The reserve takes what frees room: acknowledgements count, and so does who came and asked. */
static void test_crash_after_full(void **state)
{
	(void)state;
	over_all(SUBSCRIBER PUBLISHER
		 "repeat 3 p > PUBLISH q1 m%d t=t p=%d\nrepeat 3 p < PUBACK m%d\n"
		 "s < 3 PUBLISH q1\n"
		 "full\n"
		 "s > PUBACK m2\ns > PUBACK m3\n" CONNECT(
			 "n") "n > SUBSCRIBE m1 f=t,q1\n"
			      "n < SUBACK m1 01\n"
			      "checkpoint\ncheck\n"
			      "crash\n" AGAIN("s") "s < PUBLISH q1 m4 dup t=t p=3\n" AGAIN("n")
				      PUBLISHER
		 "p > PUBLISH q1 m1 t=t p=4\np < PUBACK m1\n"
		 "s < PUBLISH q1 m5 t=t p=4\nn < PUBLISH q1 m2 t=t p=4\n");
}

/* Of what a log that failed did not take nothing was promised. */
static void test_crash_after_failed(void **state)
{
	(void)state;
	over_all(SUBSCRIBER PUBLISHER
		 "p > PUBLISH q1 m1 t=t p=1\np < PUBACK m1\n"
		 "s < PUBLISH q1 m2 t=t p=1\n"
		 "failed\n"
		 "p > PUBLISH q1 m2 t=t p=2\np < PUBACK m2 rc=97\n"
		 "s > PUBACK m2\n"
		 "crash\n" AGAIN("s") "s < PUBLISH q1 m2 dup t=t p=1\n"
				      "s > PUBACK m2\n" PUBLISHER
				      "p > PUBLISH q1 m1 t=t p=3\np < PUBACK m1\n"
				      "s < PUBLISH q1 m3 t=t p=3\n");
}

/* A message that went around the log, since that took none, has no place among those in it. */
static void test_crash_after_full_with_raised_qos(void **state)
{
	(void)state;
	set.upgrade_outgoing_qos = true;
	over_all(SUBSCRIBER PUBLISHER
		 "p > PUBLISH q1 m1 t=t p=1\np < PUBACK m1\n"
		 "s < PUBLISH q2 m2 t=t p=1\ns > PUBREC m2\ns < PUBREL m2\ns > PUBCOMP m2\n"
		 "full\n"
		 "p > PUBLISH t=t p=2\n"
		 "s < nothing\n"
		 "good\n"
		 "p > PUBLISH q1 m2 t=t p=3\np < PUBACK m2\n"
		 "s < PUBLISH q2 m3 t=t p=3\n"
		 "crash\n" AGAIN("s") "s < PUBLISH q2 m3 dup t=t p=3\n");
}

/* What is held since the log was full comes first, though nothing of the next need be logged. */
static void test_crash_full_keeps_order(void **state)
{
	(void)state;
	over_all(SUBSCRIBER "v > CONNECT v5 id=v clean\nv < CONNACK 00\n"
			    "v > SUBSCRIBE m1 f=t,q1\nv < SUBACK m1 01\n"
			    "o > CONNECT v4 id=o clean\no < CONNACK 00\n"
			    "full\n"
			    "o > PUBLISH q1 m1 t=t p=1\n"
			    "s > UNSUBSCRIBE m2 f=t\ns < UNSUBACK m2 00\n"
			    "o > PUBLISH q1 m2 t=t p=2\n"
			    "v < nothing\no < nothing\n"
			    "good\n"
			    "o < PUBACK m1\no < PUBACK m2\n"
			    "v < PUBLISH q1 m1 t=t p=1\nv < PUBLISH q1 m2 t=t p=2\n");
}

/* What was acknowledged in one turn, with a gap and by two clients, is told to the log as it is. */
static void test_crash_after_acknowledgements(void **state)
{
	(void)state;
	over_all(SUBSCRIBER CONNECT(
		"n") "n > SUBSCRIBE m1 f=t,q1\nn < SUBACK m1 01\n" PUBLISHER
		     "repeat 3 p > PUBLISH q1 m%d t=t p=%d\n"
		     "repeat 3 p < PUBACK m%d\n"
		     "s < 3 PUBLISH q1\nn < 3 PUBLISH q1\n"
		     "together\n"
		     "s > PUBACK m2\ns > PUBACK m4\n"
		     "n > PUBACK m2\nn > PUBACK m3\n"
		     "apart\n"
		     "crash\n" AGAIN("s") "s < PUBLISH q1 m3 dup t=t p=2\n" AGAIN(
			     "n") "n < PUBLISH q1 m4 dup t=t p=3\n");
}

/* The end of the second connection is told behind the CONNECT of the third: not its business. */
static void test_crash_after_take_overs(void **state)
{
	(void)state;
	over_all(SUBSCRIBER "hold\n"
			    "a > CONNECT v5 id=x clean expiry=1000\n"
			    "b > CONNECT v5 id=x expiry=1000\n"
			    "c > CONNECT v5 id=x expiry=1000 will=t:gone willqos=1\n"
			    "flow\n"
			    "a < CONNACK 00\na < DISCONNECT 8e\na < closed\n"
			    "b < CONNACK 00 present\nb < DISCONNECT 8e\nb < closed\n"
			    "c < CONNACK 00 present\n"
			    "c cut\n"
			    "s < PUBLISH q1 m2 t=t p=gone\n"
			    "crash\n" AGAIN("s") "s < PUBLISH q1 m2 dup t=t p=gone\n");
}

/* Its client was back in time, as the log tells it. */
static void test_crash_late_end_of_session(void **state)
{
	(void)state;
	over_all("s > CONNECT v5 id=s clean expiry=10\ns < CONNACK 00\ns cut\n"
		 "wait 9900\n"
		 "hold\n"
		 "s > CONNECT v5 id=s expiry=10\n"
		 "wait 200\n"
		 "flow\n"
		 "s < CONNACK 00 present\n");
}

#define MEMBER(id)                                                                                 \
	CONNECT(id)                                                                                \
	id " > SUBSCRIBE m1 f=$share/g/t,q1\n" id " < SUBACK m1 01\n"

/* A group's message is with one member or waits for all of them, whatever became of its GIVE. A
 * member that a crash has cut off gives back what it had, and gets it again by another GIVE. */
static void test_crash_groups(void **state)
{
	(void)state;
	over_all(MEMBER("a") PUBLISHER
		 "hold\np > PUBLISH q1 m1 t=t p=1\n"
		 "commit 1\np < PUBACK m1\na < nothing\n" /* its GIVE is lost */
		 "crash\n" AGAIN("a") "a < PUBLISH q1 m2 t=t p=1\n"
				      "checkpoint\ncheck\n" /* while a has it */
				      "crash\n" AGAIN(
					      "a") "a < PUBLISH q1 m3 dup t=t p=1\n"
						   "hold\na > PUBACK m3\n"
						   "crash\n" AGAIN(
							   "a") "a < PUBLISH q1 m4 dup t=t p=1\n"
								"a > PUBACK m4\n"
								"crash\n" AGAIN(
									"a") "a < nothing\n");
}

static void test_crash_groups_and_full(void **state)
{
	(void)state;
	over_all(MEMBER("a") MEMBER(
		"b") "b cut\n" PUBLISHER "repeat 2 p > PUBLISH q1 m%d t=t p=%d\n"
		     "repeat 2 p < PUBACK m%d\na < 2 PUBLISH q1\n"
		     "full\na > PUBACK m2\na cut\n"
		     "checkpoint\ncheck\n"
		     "crash\n" AGAIN("b") "b < PUBLISH q1 m2 dup t=t p=2\n"
					  "failed\nb > PUBACK m2\n"
					  "crash\n" AGAIN(
						  "b") "b < PUBLISH q1 m3 dup t=t p=2\n"
						       "b > PUBACK m3\n"
						       "checkpoint\ncheck\n"
						       "crash\n" AGAIN("a") AGAIN(
							       "b") "a < nothing\nb < nothing\n");
}

#define RETAIN(m, n, payload) "p > PUBLISH q1 m" m " retain t=r/" n " p=" payload "\np < PUBACK m" m

static void ask_and_crash(const char *between, const char *after)
{
	static char text[2000];
	snprintf(text, sizeof(text),
		 PUBLISHER
		 "repeat 5 p > PUBLISH q1 m%%d retain t=r/%%d p=%%d\n"
		 "repeat 5 p < PUBACK m%%d rc=10\n" CONNECT(
			 "s") "%s"
			      "s > CONNECT v5 id=s expiry=1000\ns < CONNACK 00 present\n%s",
		 between, after);
	over_all(text);
}

/* SUBACK was sent: what was retained then comes, though the broker died before it was looked up. */
static void test_crash_replay(void **state)
{
	(void)state;
#define SUBSCRIBE_ONLY                                                                             \
	"hold\ns > SUBSCRIBE m1 f=r/+,q1\n"                                                        \
	"commit 1\ns < SUBACK m1 01\ns < nothing\ncrash\n"
	ask_and_crash(SUBSCRIBE_ONLY, "s < 5 PUBLISH q1 m\ns < nothing\n");
	ask_and_crash(SUBSCRIBE_ONLY "checkpoint\ncheck\ncrash\n",
		      "s < 5 PUBLISH q1 m\ns < nothing\n");
	/* all was looked up: not again */
	ask_and_crash("s > SUBSCRIBE m1 f=r/+,q1\ns < SUBACK m1 01\ns < 5 PUBLISH q1\nlooked up\n"
		      "crash\n",
		      "s < PUBLISH q1 m2 dup retain t=r/1 p=1\ns < 4 PUBLISH q1\ns < nothing\n");
	/* nor what came since by the subscription */
	ask_and_crash(SUBSCRIBE_ONLY PUBLISHER RETAIN("6", "6", "6") "\n" RETAIN("7", "1", "") "\n",
		      "s < PUBLISH q1 m2 t=r/6 p=6\ns < PUBLISH q1 m3 t=r/1 p=\n"
		      "s < PUBLISH q1 m4 retain t=r/2 p=2\ns < 3 PUBLISH q1\ns < nothing\n");
}

/* A look-up goes on where the log knows it to be: what it gave before does not come twice. */
static void test_crash_in_the_middle_of_a_replay(void **state)
{
	(void)state;
#define ASK_AND_GET_SOME                                                                           \
	PUBLISHER "repeat 300 p + PUBLISH q2 m%d retain t=r/%d p=%d\nwait 1\np < 300 "             \
		  "PUBREC\n" CONNECT("s") "hold\n"                                                 \
					  "s > SUBSCRIBE m1 f=r/+,q2 f=r/#,q1\ns < nothing\n"      \
					  "commit 1\ns < SUBACK m1 02 01\ncommit 1\ns < 256 "      \
					  "PUBLISH q2\ns < nothing\n"
#define ALL AGAIN("s") "s < 300 PUBLISH q2\ns < 300 PUBLISH q1\ns < nothing\n"
	over_all(ASK_AND_GET_SOME "crash\n" ALL);
	over_all(ASK_AND_GET_SOME "crash\ncheckpoint\ncrash\n" ALL);
	over_all(ASK_AND_GET_SOME "commit 1\ns < 44 PUBLISH q2\ns < 212 PUBLISH q1\ncrash\n" ALL);
}

/* A clean start ends a session whose will is due later: it is due now, once, and is not lost. */
static void test_crash_will_of_clean_start(void **state)
{
	(void)state;
#define AWAY_WITH_WILL                                                                             \
	SUBSCRIBER "w > CONNECT v5 id=w expiry=100 will=t:gone willqos=1 willdelay=50\n"           \
		   "w < CONNACK 00\nw cut\n"                                                       \
		   "hold\nw > CONNECT v5 id=w clean expiry=100\n"
	over_all(AWAY_WITH_WILL "crash\n" AGAIN("s") "s < nothing\n"
						     "wait 51000\ns < PUBLISH q1 m2 t=t p=gone\n");
	over_all(AWAY_WITH_WILL "commit 1\ns < PUBLISH q1 m2 t=t p=gone\nw < CONNACK 00\n"
				"crash\n" AGAIN("s") "s < PUBLISH q1 m2 dup t=t p=gone\n"
						     "wait 200000\ns < nothing\n");
}

/* A retry that has come half way when PUBREC arrives: its PUBREL waits for the log all the same. */
static void test_crash_before_retried_pubrel(void **state)
{
	(void)state;
	set.retry_interval_ms = 5000;
	over_all("s small 4096\ns > CONNECT v4 id=s\ns < CONNACK 00\n"
		 "s > SUBSCRIBE m1 f=t,q2\ns < SUBACK m1 02\n" PUBLISHER
		 "repeat 3 p > PUBLISH q2 m%d t=t p=#200000\nrepeat 3 p < PUBREC m%d\n"
		 "s < 3 PUBLISH q2\n"
		 "s stop\nwait 11000\n" /* so much output waits that the third has to */
		 "hold\ns > PUBREC m4\n"
		 "s go\ns < 1 PUBLISH q2 m2 dup\ns < 1 PUBLISH q2 m3 dup\ns < nothing\n"
		 "crash\n"
		 "s > CONNECT v4 id=s\ns < CONNACK 00 present\n"
		 "s < 1 PUBLISH q2 m2 dup\ns < 1 PUBLISH q2 m3 dup\ns < 1 PUBLISH q2 m4 dup\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_crash_while_full, setup),
		cmocka_unit_test_setup(test_crash_while_full_behind_checkpoint, setup),
		cmocka_unit_test_setup(test_crash_after_full, setup),
		cmocka_unit_test_setup(test_crash_after_failed, setup),
		cmocka_unit_test_setup(test_crash_after_full_with_raised_qos, setup),
		cmocka_unit_test_setup(test_crash_full_keeps_order, setup),
		cmocka_unit_test_setup(test_crash_after_acknowledgements, setup),
		cmocka_unit_test_setup(test_crash_after_take_overs, setup),
		cmocka_unit_test_setup(test_crash_late_end_of_session, setup),
		cmocka_unit_test_setup(test_crash_groups, setup),
		cmocka_unit_test_setup(test_crash_groups_and_full, setup),
		cmocka_unit_test_setup(test_crash_replay, setup),
		cmocka_unit_test_setup(test_crash_in_the_middle_of_a_replay, setup),
		cmocka_unit_test_setup(test_crash_will_of_clean_start, setup),
		cmocka_unit_test_setup(test_crash_before_retried_pubrel, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
