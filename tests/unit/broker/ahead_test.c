/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a broker knows ahead of its log, or decides by its clock, must not be taken for what the log
 * says: connections that are lost at the wrong moment, and restarts. Scripts know these lines more:
 *
 *   hold / commit / commit 1 / flow     as in gate_test.c
 *   full / good                         the log's health
 *   checkpoint                          is wanted
 *   restart                             the process dies, and comes back with what was committed
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
	unsigned shard_count;
};

static int setup(void **state)
{
	(void)state;
	settings_init(&set);
	return 0;
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

static void start(struct stage *st, struct moment now)
{
	kit_start_on(&st->play.kit, &set, st->shard_count, 7, st->store, now);
	st->log = st->play.kit.log;
	st->play.kit.log = NULL; /* scripts say when it does something */
	flow(st);
	play_settle(&st->play);
}

static void set_health(struct stage *st, enum log_health health)
{
	log_kept_set_health(st->log, health);
	broker_log_changed(st->play.kit.broker);
	play_settle(&st->play);
}

static void restart(struct stage *st)
{
	struct moment now = st->play.kit.now;
	kit_crash(&st->play.kit);
	for (unsigned i = 0; i < st->play.actor_count; i++)
		st->play.actors[i].is_ended = true;
	start(st, now);
}

static void perform(struct stage *st, const char *line)
{
	if (strcmp(line, "hold") == 0) {
		log_kept_delay(st->log, true, true);
	} else if (strncmp(line, "commit", 6) == 0) {
		commit(st, line[6] ? strtoul(line + 6, NULL, 10) : ULONG_MAX);
	} else if (strcmp(line, "flow") == 0) {
		flow(st);
	} else if (strcmp(line, "full") == 0) {
		set_health(st, LOG_FULL);
	} else if (strcmp(line, "good") == 0) {
		set_health(st, LOG_GOOD);
	} else if (strcmp(line, "restart") == 0) {
		restart(st);
	} else if (strcmp(line, "checkpoint") == 0) {
		broker_want_checkpoint(st->play.kit.broker);
		play_settle(&st->play);
	} else if (line[0]) {
		play_line(&st->play, "%s", line);
	}
}

static void stop(struct stage *st)
{
	flow(st);
	char *text = kit_state(&st->play.kit);
	replay_check(st->store, &set, st->play.kit.now, text);
	mem_free(text);
	play_finish(&st->play);
	kept_store_free(st->store);
}

static void over(unsigned shard_count, const char *lines)
{
	static struct stage st;
	char line[512];
	st = (struct stage){.shard_count = shard_count, .store = kept_store_new()};
	start(&st, (struct moment){KIT_START_STEADY_MS, KIT_START_WALL_MS});
	while (*lines) {
		size_t len = strcspn(lines, "\n");
		snprintf(line, sizeof(line), "%.*s", (int)len, lines);
		perform(&st, line);
		lines += len + (lines[len] == '\n');
	}
	stop(&st);
}

static void over_all(const char *lines)
{
	over(1, lines);
	over(2, lines);
	over(5, lines);
}

/* s is absent and wants everything under t; p publishes. */
#define ABSENT                                                                                     \
	"s > CONNECT v5 id=s clean expiry=1000\ns < CONNACK 00\n"                                  \
	"s > SUBSCRIBE m1 f=t,q2\ns < SUBACK m1 02\n"                                              \
	"s cut\n"
#define PUBLISHER "p > CONNECT v5 id=p clean expiry=1000\np < CONNACK 00\n"

/* A refusal that could not leave before the connection was lost: the client sends the message
 * again, and it is new. */
static void test_ahead_refused_and_cut(void **state)
{
	(void)state;
	over_all(ABSENT PUBLISHER "hold\n"
				  "p > PUBREL m9\n" /* its answer waits, and all behind it */
				  "full\n"
				  "p > PUBLISH q2 m5 t=t p=1\n"
				  "p < nothing\n"
				  "p cut\n"
				  "flow\n"
				  "good\n"
				  "p > CONNECT v5 id=p expiry=1000\np < CONNACK 00 present\n"
				  "p > PUBLISH q2 m5 dup t=t p=1\np < PUBREC m5\n"
				  "p > PUBREL m5\np < PUBCOMP m5\n"
				  "s > CONNECT v5 id=s expiry=1000\ns < CONNACK 00 present\n"
				  "s < PUBLISH q2 m2 t=t p=1\n");
}

/* The same, in a checkpoint. */
static void test_ahead_refused_and_restart(void **state)
{
	(void)state;
	over_all(ABSENT PUBLISHER "hold\n"
				  "checkpoint\n"
				  "p > PUBREL m9\n"
				  "full\n"
				  "p > PUBLISH q2 m5 t=t p=1\n"
				  "flow\n"
				  "p < PUBCOMP m9 rc=92\n"
				  "p < PUBREC m5 rc=97\n"
				  "good\n"
				  "restart\n"
				  "p > CONNECT v5 id=p expiry=1000\np < CONNACK 00 present\n"
				  "p > PUBLISH q2 m5 t=t p=2\np < PUBREC m5\n"
				  "p > PUBREL m5\np < PUBCOMP m5\n"
				  "s > CONNECT v5 id=s expiry=1000\ns < CONNACK 00 present\n"
				  "s < PUBLISH q2 m2 t=t p=2\n");
}

#define RETAINED "p > PUBLISH q1 m1 retain expiry=2 t=r p=1\np < PUBACK m1 rc=10\n"

/* A retained message expires while it is on its way to somebody through the log. */
static void test_ahead_retained_expires(void **state)
{
	(void)state;
	over(1, PUBLISHER RETAINED "s > CONNECT v5 id=s clean expiry=1000\ns < CONNACK 00\n"
				   "u > CONNECT v5 id=u clean\nu < CONNACK 00\n"
				   "hold\n"
				   "s > SUBSCRIBE m1 f=r,q1\n"
				   "commit 1\n"
				   "s < SUBACK m1 01\n"
				   "wait 3000\n"
				   "u > SUBSCRIBE m1 f=r,q1\nu < SUBACK m1 01\n"
				   "flow\n"
				   "s < PUBLISH q1 m2 retain t=r p=1 expiry=0\n");
}

static void test_ahead_retained_expires_in_checkpoint(void **state)
{
	(void)state;
	over_all(PUBLISHER RETAINED "s > CONNECT v5 id=s clean expiry=1000\ns < CONNACK 00\n"
				    "hold\n"
				    "s > SUBSCRIBE m1 f=r,q1\n"
				    "checkpoint\n"
				    "commit 1\n"
				    "s < SUBACK m1 01\n"
				    "wait 3000\n"
				    "flow\n"
				    "s < PUBLISH q1 m2 retain t=r p=1 expiry=0\n");
}

/* What a client got of the retained messages it does not get again. */
static void test_ahead_retained_once(void **state)
{
	(void)state;
	over_all(PUBLISHER "p > PUBLISH q2 m1 retain t=r p=1\np < PUBREC m1 rc=10\n"
			   "p > PUBREL m1\np < PUBCOMP m1\n"
			   "s > CONNECT v5 id=s clean expiry=1000\ns < CONNACK 00\n"
			   "s > SUBSCRIBE m1 f=r,q2\ns < SUBACK m1 02\n"
			   "s < PUBLISH q2 m2 retain t=r p=1\n"
			   "s > PUBREC m2\ns < PUBREL m2\ns > PUBCOMP m2\n"
			   "restart\n"
			   "s > CONNECT v5 id=s expiry=1000\ns < CONNACK 00 present\n"
			   "s < nothing\n");
}

/* A session that will end with its connection still gets what was kept for it. */
static void test_ahead_session_to_end(void **state)
{
	(void)state;
	over_all(ABSENT PUBLISHER "repeat 20 p + PUBLISH q1 m%d t=t p=#4000\n"
				  "p > PUBLISH q1 m21 t=t p=1\np < 21 PUBACK\n"
				  "s > CONNECT v5 id=s expiry=0 rmax=1\ns < CONNACK 00 present\n"
				  "s < PUBLISH q1 m2 t=t p=#4000\n"
				  "checkpoint\n"
				  "repeat 20 p + PUBLISH q1 retain m%d t=v p=#4000\n"
				  "p > PUBLISH q1 m21 retain t=v p=1\np < 21 PUBACK\n"
				  "checkpoint\n"
				  "s > PUBACK m2\ns < PUBLISH q1 m3 t=t p=#4000\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_ahead_refused_and_cut, setup),
		cmocka_unit_test_setup(test_ahead_refused_and_restart, setup),
		cmocka_unit_test_setup(test_ahead_retained_expires, setup),
		cmocka_unit_test_setup(test_ahead_retained_expires_in_checkpoint, setup),
		cmocka_unit_test_setup(test_ahead_retained_once, setup),
		cmocka_unit_test_setup(test_ahead_session_to_end, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
