/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nothing that is promised leaves before the log has it: each kind of answer, with a log that waits
 * to be told. Scripts know a few lines more than play.h has:
 *
 *   hold          from now on the log keeps what it is given
 *   commit        everything that waits there is durable, one after the other
 *   commit 1      the oldest batch is
 *   flow          nothing waits any more
 *   full / good / failed     the log's health
 */
#include "base/mem.h"
#include "kit/play.h"
#include "kit/replay.h"
#include "log/log_kept.h"

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
	struct log_kept *log;
};

static int setup(void **state)
{
	(void)state;
	settings_init(&set);
	return 0;
}

static void start(struct stage *st, unsigned shard_count)
{
	play_start(&st->play, &set, shard_count, 7, 0);
	st->store = kept_store_new();
	st->log = log_kept_new(st->store, 1 << 16, NULL, broker_committed, st->play.kit.broker);
	broker_use_log(st->play.kit.broker, log_kept_log(st->log));
	play_settle(&st->play);
}

static void commit(struct stage *st, unsigned long count)
{
	while (count-- > 0 && log_kept_step(st->log, false))
		play_settle(&st->play);
}

static void set_health(struct stage *st, enum log_health health)
{
	log_kept_set_health(st->log, health);
	broker_log_changed(st->play.kit.broker);
	play_settle(&st->play);
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
	else if (strncmp(line, "commit", 6) == 0)
		commit(st, line[6] ? strtoul(line + 6, NULL, 10) : ULONG_MAX);
	else if (line[0])
		play_line(&st->play, "%s", line);
}

static void flow(struct stage *st)
{
	log_kept_delay(st->log, false, false);
	commit(st, ULONG_MAX);
}

/* What the log says is what the broker has. */
static void check_log(struct stage *st)
{
	char *text = kit_state(&st->play.kit);
	replay_check(st->store, &set, st->play.kit.now, text);
	mem_free(text);
}

static void stop(struct stage *st)
{
	if (atomic_load(&log_kept_log(st->log)->health) != LOG_FAILED) {
		flow(st);
		check_log(st);
	}
	log_kept_lose(st->log);
	play_settle(&st->play);
	kept_store_free(st->store);
	play_stop(&st->play);
}

static void script(struct stage *st, const char *lines)
{
	char line[512];
	while (*lines) {
		size_t len = strcspn(lines, "\n");
		snprintf(line, sizeof(line), "%.*s", (int)len, lines);
		if (strcmp(line, "flow") == 0)
			flow(st);
		else
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
		script(&st, lines);
		stop(&st);
	}
}

/* s is absent and wants everything under t; p publishes. */
#define ABSENT                                                                                     \
	"s > CONNECT v5 id=s clean expiry=1000\ns < CONNACK 00\n"                                  \
	"s > SUBSCRIBE m1 f=t,q2\ns < SUBACK m1 02\n"                                              \
	"s cut\n"
#define PUBLISHER "p > CONNECT v5 id=p clean expiry=1000\np < CONNACK 00\n"

static void test_gate_connack(void **state)
{
	(void)state;
	over_all("hold\n"
		 "a > CONNECT v5 id=a clean expiry=100\n"
		 "a < nothing\n"
		 "b > CONNECT v5 id=b clean\n" /* nothing of it survives */
		 "flow\n"
		 "a < CONNACK 00\n"
		 "b < CONNACK 00\n"
		 "hold\n"
		 "c > CONNECT v5 id=a clean\n" /* the end of its old session is to be durable */
		 "a < DISCONNECT 8e\n"
		 "a < closed\n"
		 "c < nothing\n"
		 "flow\n"
		 "c < CONNACK 00\n");
}

static void test_gate_suback_and_unsuback(void **state)
{
	(void)state;
	over_all(PUBLISHER "hold\n"
			   "p > SUBSCRIBE m1 f=a,q1 f=$share/g/b,q1\n"
			   "p < nothing\n"
			   "commit\n"
			   "p < SUBACK m1 01 01\n"
			   "p > UNSUBSCRIBE m2 f=a\n"
			   "p < nothing\n"
			   "commit\n"
			   "p < UNSUBACK m2 00\n");
}

static void test_gate_publish(void **state)
{
	(void)state;
	over_all(ABSENT PUBLISHER "hold\n"
				  "p > PUBLISH q1 m1 t=t p=1\n"
				  "p > PUBLISH q2 m2 t=t p=2\n"
				  "p > PINGREQ\n"
				  "p < PINGRESP\n"
				  "p < nothing\n"
				  "commit 1\n"
				  "p < PUBACK m1\n"
				  "p < nothing\n"
				  "commit 1\n"
				  "p < PUBREC m2\n"
				  "p > PUBREL m2\n"
				  "p < nothing\n"
				  "commit\n"
				  "p < PUBCOMP m2\n"
				  "p > PUBLISH q1 m3 retain t=r p=3\n"
				  "p < nothing\n"
				  "commit\n"
				  "p < PUBACK m3 rc=10\n");
}

/* A subscriber does not see what may vanish. */
static void test_gate_delivery(void **state)
{
	(void)state;
	over_all("s > CONNECT v5 id=s clean expiry=1000\ns < CONNACK 00\n"
		 "s > SUBSCRIBE m1 f=t,q2\ns < SUBACK m1 02\n" PUBLISHER "hold\n"
		 "p > PUBLISH q2 m1 t=t p=1\n"
		 "s < nothing\n"
		 "commit\n"
		 "p < PUBREC m1\n"
		 "s < PUBLISH q2 m2 t=t p=1\n"
		 "s > PUBREC m2\n"
		 "s < nothing\n"
		 "commit\n"
		 "s < PUBREL m2\n"
		 "s > PUBCOMP m2\n");
}

/* The id is taken, but the message not yet durable: the second PUBREC waits with the first. */
static void test_gate_again_while_under_way(void **state)
{
	(void)state;
	over_all(ABSENT PUBLISHER "hold\n"
				  "p > PUBLISH q2 m1 t=t p=1\n"
				  "p cut\n"
				  "commit 0\n"
				  "p > CONNECT v5 id=p expiry=1000\n"
				  "p < nothing\n"
				  "commit\n"
				  "p < CONNACK 00 present\n"
				  "p > PUBLISH q2 m1 dup t=t p=1\n"
				  "p < PUBREC m1\n"
				  "p > PUBLISH q2 m2 t=t p=2\n"
				  "p > PUBLISH q2 m2 dup t=t p=2\n"
				  "p < nothing\n"
				  "commit\n"
				  "p < PUBREC m2\n"
				  "p < PUBREC m2\n"
				  "flow\n"
				  "s > CONNECT v5 id=s expiry=1000\n"
				  "s < CONNACK 00 present\n"
				  "s < PUBLISH q2 m2 t=t p=1\n"
				  "s < PUBLISH q2 m3 t=t p=2\n");
}

/* The refusal leaves when the log knows that the id is free. */
static void test_gate_refused_qos_2(void **state)
{
	(void)state;
	set.absent_queue_messages_max = 1;
	over_all(ABSENT PUBLISHER "p > PUBLISH q1 m1 t=t p=1\n"
				  "p < PUBACK m1\n"
				  "hold\n"
				  "p > PUBLISH q2 m7 t=t p=2\n"
				  "commit 1\n"
				  "p < nothing\n"
				  "commit 1\n"
				  "p < PUBREC m7 rc=97\n"
				  "flow\n"
				  "p > PUBLISH q2 m7 t=other p=3\n"
				  "p < PUBREC m7 rc=10\n"
				  "p > PUBREL m7\n"
				  "p < PUBCOMP m7\n");
}

/* The connection is gone before the answer could leave; the session goes on. */
static void test_gate_cut_between(void **state)
{
	(void)state;
	over_all(ABSENT PUBLISHER "hold\n"
				  "p > PUBLISH q1 m1 t=t p=1\n"
				  "p > SUBSCRIBE m2 f=u,q1\n"
				  "p cut\n"
				  "p > CONNECT v5 id=p expiry=1000\n"
				  "p < nothing\n"
				  "flow\n"
				  "p < CONNACK 00 present\n"
				  "p > PUBLISH q1 m1 dup t=t p=1\n"
				  "p < PUBACK m1\n"
				  "s > CONNECT v5 id=s expiry=1000\n"
				  "s < CONNACK 00 present\n"
				  "s < PUBLISH q1 m2 t=t p=1\n"
				  "s < PUBLISH q1 m3 t=t p=1\n");
}

/* Ended and begun again while commands of the old session are under way. */
static void test_gate_session_begins_again(void **state)
{
	(void)state;
	over_all(PUBLISHER "hold\n"
			   "p > PUBLISH q2 m1 t=t p=1\n"
			   "p cut\n"
			   "p > CONNECT v5 id=p clean expiry=1000\n"
			   "flow\n"
			   "p < CONNACK 00\n"
			   "p > PUBLISH q2 m1 t=t p=2\n"
			   "p < PUBREC m1 rc=10\n");
}

static void test_gate_take_over(void **state)
{
	(void)state;
	over_all("hold\n"
		 "a > CONNECT v5 id=x clean expiry=1000\n"
		 "b > CONNECT v5 id=x expiry=1000\n"
		 "c > CONNECT v5 id=x expiry=1000\n"
		 "commit\n"
		 "a < CONNACK 00\n"
		 "a < DISCONNECT 8e\n"
		 "a < closed\n"
		 "b < CONNACK 00 present\n"
		 "b < DISCONNECT 8e\n"
		 "b < closed\n"
		 "c < CONNACK 00 present\n"
		 "d > CONNECT v5 id=x expiry=1000\n"
		 "c < DISCONNECT 8e\n"
		 "c < closed\n"
		 "d < nothing\n"
		 "d close\n"
		 "commit\n"
		 "e > CONNECT v5 id=x expiry=1\n"
		 "commit\n"
		 "e < CONNACK 00 present\n"
		 "e cut\n"
		 "commit\n"
		 "wait 1500\n"
		 "e > CONNECT v5 id=x expiry=1\n" /* behind its END */
		 "commit\n"
		 "e < CONNACK 00\n");
}

/* Each case of its own: lost, taken over, delayed, ended by DISCONNECT, by expiry. */
static void test_gate_will_once(void **state)
{
	(void)state;
	over_all("w > CONNECT v5 id=w clean\nw < CONNACK 00\n"
		 "w > SUBSCRIBE m1 f=w\nw < SUBACK m1 00\n"
		 "a > CONNECT v5 id=a clean expiry=1000 will=w:1\na < CONNACK 00\n"
		 "hold\n"
		 "a cut\n"
		 "w < nothing\n"
		 "a > CONNECT v5 id=a expiry=1000 will=w:2\n"
		 "commit\n"
		 "w < PUBLISH q0 t=w p=1\n"
		 "a < CONNACK 00 present\n"
		 "b > CONNECT v5 id=a expiry=1000 will=w:3 willdelay=5\n"
		 "a < DISCONNECT 8e\na < closed\n"
		 "commit\n"
		 "w < PUBLISH q0 t=w p=2\n"
		 "b < CONNACK 00 present\n"
		 "b cut\n"
		 "commit\n"
		 "wait 6000\n"
		 "w < nothing\n"
		 "commit\n"
		 "w < PUBLISH q0 t=w p=3\n"
		 "b > CONNECT v5 id=a expiry=1000 will=w:4 willdelay=5\n"
		 "commit\n"
		 "b < CONNACK 00 present\n"
		 "b cut\n"
		 "c > CONNECT v5 id=a clean expiry=10 will=w:5 willdelay=100\n"
		 "commit\n"
		 "w < PUBLISH q0 t=w p=4\n"
		 "c < CONNACK 00\n"
		 "c cut\n"
		 "commit\n"
		 "wait 11000\n"
		 "commit\n"
		 "w < PUBLISH q0 t=w p=5\n"
		 "c > CONNECT v5 id=a expiry=10 will=w:6\n"
		 "commit\n"
		 "c < CONNACK 00\n"
		 "c > DISCONNECT rc=04 expiry=0\n"
		 "commit\n"
		 "w < PUBLISH q0 t=w p=6\n"
		 "c > CONNECT v5 id=a expiry=10 will=w:7\n"
		 "commit\n"
		 "c < CONNACK 00\n"
		 "c > DISCONNECT\n"
		 "commit\n"
		 "wait 20000\n"
		 "commit\n"
		 "w < nothing\n");
}

/* DISCONNECT's expiry counts when the log has it, and then for good. */
static void test_gate_expiry_of_disconnect(void **state)
{
	(void)state;
	over_all("a > CONNECT v5 id=a clean expiry=1000\na < CONNACK 00\n"
		 "hold\n"
		 "a > DISCONNECT expiry=0\n"
		 "a < closed\n"
		 "a > CONNECT v5 id=a expiry=1000\n"
		 "commit\n"
		 "a < CONNACK 00\n"
		 "a > DISCONNECT expiry=2\n"
		 "a < closed\n"
		 "commit\n"
		 "wait 3000\n"
		 "commit\n"
		 "a > CONNECT v5 id=a expiry=1000\n"
		 "commit\n"
		 "a < CONNACK 00\n");
}

/* Answered at once when the publisher says so; it is in the log all the same. */
/* Whoever sends again without saying that it does not want to wait is promised something. */
static void test_gate_relaxed(void **state)
{
	(void)state;
	over_all(ABSENT PUBLISHER "hold\n"
				  "p > PUBLISH q1 m1 t=t p=1 user=nightjar-durability:off\n"
				  "p < PUBACK m1\n"
				  "p > PUBLISH q2 m2 t=t p=2 user=nightjar-durability:off\n"
				  "p < PUBREC m2\n"
				  "p > PUBLISH q2 m2 dup t=t p=2\n"
				  "p < nothing\n"
				  "p > PUBLISH q1 m3 t=t p=3 user=nightjar-durability:always\n"
				  "p < nothing\n"
				  "flow\n"
				  "p < PUBREC m2\n"
				  "p < PUBACK m3\n"
				  "s > CONNECT v5 id=s expiry=1000\n"
				  "s < CONNACK 00 present\n"
				  "s < 3 PUBLISH\n");
}

static void test_gate_full(void **state)
{
	(void)state;
	over_all(ABSENT PUBLISHER "o > CONNECT v4 id=o clean\no < CONNACK 00\n"
				  "full\n"
				  "p > PUBLISH q1 m1 t=t p=1\np < PUBACK m1 rc=97\n"
				  "p > PUBLISH q2 m2 t=t p=1\np < PUBREC m2 rc=97\n"
				  "p > PUBLISH q2 m2 t=t p=1\np < PUBREC m2 rc=97\n"
				  "o > PUBLISH q1 m1 t=nobody p=0\no < PUBACK m1\n"
				  "o > PUBLISH q1 m2 t=t p=2\n"
				  "o > PUBLISH q1 m3 t=nobody p=3\n" /* does not overtake */
				  "o > PUBLISH q2 m4 t=t p=4\n"
				  "o < nothing\n"
				  "o > PUBLISH q0 retain t=t p=5\n"
				  "s > CONNECT v5 id=s expiry=1000\ns < CONNACK 00 present\n"
				  "s < nothing\n"
				  "good\n"
				  "o < PUBACK m2\no < PUBACK m3\no < PUBREC m4\n"
				  "s < PUBLISH q1 m2 t=t p=2\ns < PUBLISH q2 m3 t=t p=4\n"
				  "n > CONNECT v5 id=n clean\nn < CONNACK 00\n"
				  "n > SUBSCRIBE m1 f=t\nn < SUBACK m1 00\n");
}

/* QoS 0 goes on, but not past what its publisher has in the log. */
static void test_gate_full_and_order(void **state)
{
	(void)state;
	over_all("v > CONNECT v5 id=v clean\nv < CONNACK 00\n"
		 "v > SUBSCRIBE m1 f=t\nv < SUBACK m1 00\n" PUBLISHER "hold\n"
		 "p > PUBLISH q0 retain t=t p=1\n"
		 "full\n"
		 "p > PUBLISH q0 t=t p=2\n"
		 "v < nothing\ngood\nflow\n"
		 "v < PUBLISH q0 t=t p=1\nv < PUBLISH q0 t=t p=2\n");
}

/* What was held has been promised to nobody: it comes again, and is new. */
static void test_gate_full_and_cut(void **state)
{
	(void)state;
	over_all(ABSENT "o > CONNECT v4 id=o\no < CONNACK 00\n"
			"full\n"
			"o > PUBLISH q2 m1 t=t p=1\n"
			"o > PUBLISH q1 m2 t=t p=2\n"
			"o cut\n"
			"o > CONNECT v4 id=o\no < CONNACK 00 present\n"
			"o > PUBLISH q2 m1 dup t=t p=1\n"
			"o < nothing\n"
			"good\n"
			"o < PUBREC m1\n"
			"o > PUBREL m1\no < PUBCOMP m1\n"
			"s > CONNECT v5 id=s expiry=1000\ns < CONNACK 00 present\n"
			"s < PUBLISH q2 m2 t=t p=1\n");
}

static void test_gate_failed(void **state)
{
	(void)state;
	over_all(ABSENT PUBLISHER "o > CONNECT v4 id=o clean\no < CONNACK 00\n"
				  "q > CONNECT v5 id=q clean expiry=9\nq < CONNACK 00\n"
				  "c > CONNECT v5 id=c clean\nc < CONNACK 00\n"
				  "failed\n"
				  "c > PUBLISH q2 m2 t=t p=1\nc < PUBREC m2 rc=97\n"
				  "p > PUBLISH q1 m1 t=t p=1\np < PUBACK m1 rc=97\n"
				  "p > PUBLISH q0 retain t=u p=1\n"
				  "p > PINGREQ\np < PINGRESP\n"
				  "o > PUBLISH q1 m1 t=t p=1\no < closed\n"
				  "q > SUBSCRIBE m1 f=u\nq < DISCONNECT 83\nq < closed\n"
				  "r > CONNECT v5 id=r clean expiry=5\n"
				  "r < CONNACK 88\nr < closed\n"
				  "r > CONNECT v5 id=r clean\nr < CONNACK 00\n"
				  "r > SUBSCRIBE m1 f=u\nr < SUBACK m1 00\n"
				  "p > PUBLISH q0 t=u p=2\n"
				  "r < PUBLISH q0 t=u p=2\n"
				  "p > PUBLISH q1 m3 t=u p=3\np < PUBACK m3\n"
				  "r < PUBLISH q0 t=u p=3\n"
				  /* that its id is free nobody can say */
				  "p > PUBLISH q2 m4 t=t p=4\np < DISCONNECT 83\np < closed\n");
}

/* A shard that can't write goes on with everything else, and stops taking more in time. */
static void test_gate_congested(void **state)
{
	static struct stage st;
	struct shard_status status;
	(void)state;
	start(&st, 1);
	script(&st, ABSENT "p > CONNECT v5 id=p clean rmax=65535\np < CONNACK 00\nhold\n"
			   "repeat 200 p > PUBLISH q1 m%d t=t p=#100000\n"
			   "p < nothing\n");
	kit_status(&st.play.kit, &status);
	assert_in_range(status.messages_in, 80, 100);
	script(&st, "flow\nrepeat 200 p < PUBACK m%d\n");
	stop(&st);
}

static void test_gate_shutdown(void **state)
{
	static struct stage st;
	(void)state;
	start(&st, 1);
	script(&st, PUBLISHER "hold\n");
	struct shard *s = broker_shard(st.play.kit.broker, 0);
	assert_true(shard_is_settled(s));
	shard_turn_begin(s, st.play.kit.now);
	shard_shutdown(s, REASON_SERVER_SHUTTING_DOWN);
	shard_turn_end(s);
	st.play.kit.shards[0].is_woken = true; /* as one that has not gone to sleep */
	play_settle(&st.play);
	assert_int_equal(shard_connection_count(s), 0);
	assert_false(shard_is_settled(s));
	script(&st, "p < DISCONNECT 8b\np < closed\ncommit\n");
	assert_true(shard_is_settled(s));
	stop(&st);
}

/* Packet ids come round: the 65,534th message has the id of one that is unfinished as far as the log
 * knows, or may have. It waits until the log knows better; the next one need not. */
static void test_gate_ids_come_round(void **state)
{
	static struct stage st;
	(void)state;
	set.absent_queue_messages_max = 1; /* the others are refused, and still count */
	start(&st, 1);
	script(&st, ABSENT PUBLISHER);
	for (unsigned sent = 0; sent < 65532; sent += 762) {
		play_line(&st.play, "repeat 762 p + PUBLISH q1 m%%d t=t p=1");
		script(&st, "p > PINGREQ\np < PINGRESP\np < 762 PUBACK\n");
	}
	script(&st, "s > CONNECT v5 id=s expiry=1000 rmax=2\n"
		    "s < CONNACK 00 present\n"
		    "s < PUBLISH q1 m2 t=t p=1\n"
		    "p > PUBLISH q1 m1 t=t p=a\np < PUBACK m1\n"
		    "p > PUBLISH q1 m1 t=t p=b\np < PUBACK m1\n"
		    "p > PUBLISH q1 m1 t=t p=c\np < PUBACK m1\n"
		    "s < PUBLISH q1 m65534 t=t p=a\n"
		    "s > PUBACK m65534\n"
		    "s < nothing\n" /* one of the last round is unfinished */
		    "hold\n"
		    "s > PUBACK m2\n"
		    "s < nothing\n"
		    "commit\n"
		    "s < PUBLISH q1 m65535 t=t p=b\n"
		    "s < PUBLISH q1 m1 t=t p=c\n"
		    "s > PUBACK m65535\n"
		    "s > PUBACK m1\n"
		    "s < nothing\n");
	stop(&st);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_gate_connack, setup),
		cmocka_unit_test_setup(test_gate_suback_and_unsuback, setup),
		cmocka_unit_test_setup(test_gate_publish, setup),
		cmocka_unit_test_setup(test_gate_delivery, setup),
		cmocka_unit_test_setup(test_gate_again_while_under_way, setup),
		cmocka_unit_test_setup(test_gate_refused_qos_2, setup),
		cmocka_unit_test_setup(test_gate_cut_between, setup),
		cmocka_unit_test_setup(test_gate_session_begins_again, setup),
		cmocka_unit_test_setup(test_gate_take_over, setup),
		cmocka_unit_test_setup(test_gate_will_once, setup),
		cmocka_unit_test_setup(test_gate_expiry_of_disconnect, setup),
		cmocka_unit_test_setup(test_gate_relaxed, setup),
		cmocka_unit_test_setup(test_gate_full, setup),
		cmocka_unit_test_setup(test_gate_full_and_order, setup),
		cmocka_unit_test_setup(test_gate_full_and_cut, setup),
		cmocka_unit_test_setup(test_gate_failed, setup),
		cmocka_unit_test_setup(test_gate_congested, setup),
		cmocka_unit_test_setup(test_gate_shutdown, setup),
		cmocka_unit_test_setup(test_gate_ids_come_round, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
