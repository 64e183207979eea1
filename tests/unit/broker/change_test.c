/* SPDX-License-Identifier: Apache-2.0 */
/* Settings that change while clients are connected: what holds at once, what a client that is there
 * keeps, and what the log has of it. Over several numbers of shards, with a log in memory and with
 * one that is kept. */
#include "base/mem.h"
#include "kit/play.h"
#include "kit/replay.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct settings set;

static int setup(void **state)
{
	(void)state;
	settings_init(&set);
	set.hold_back_ms_max = 0;
	return 0;
}

struct stage {
	struct play play;
	struct kept_store *store; /* NULL: a log in memory */
};

static void stage_start(struct stage *st, unsigned shards, bool is_kept)
{
	*st = (struct stage){0};
	play_start(&st->play, &set, shards, 7, 0);
	if (!is_kept)
		return;
	st->store = kept_store_new();
	struct broker *b = st->play.kit.broker;
	struct log_kept *log = log_kept_new(st->store, 1 << 16, NULL, broker_committed, b);
	broker_use_log(b, log_kept_log(log));
}

/* What is read from the log, by a broker with the settings of the beginning, is what is there. */
static void stage_stop(struct stage *st)
{
	if (st->store) {
		char *live = kit_state(&st->play.kit);
		replay_check(st->store, &set, st->play.kit.now, live);
		mem_free(live);
		kept_store_free(st->store);
	}
	play_finish(&st->play);
	assert_int_equal(mem_count_live(), 0);
}

static void change(struct stage *st, const struct settings *to)
{
	const struct settings *shared = settings_share(to);
	assert_non_null(shared);
	broker_change_settings(st->play.kit.broker, shared);
	play_settle(&st->play);
}

static void perform(const char *before, const struct settings *changed, const char *after)
{
	static const unsigned shard_counts[] = {1, 2, 5};
	static struct stage st;
	for (size_t i = 0; i < 2 * ARRAY_COUNT(shard_counts); i++) {
		stage_start(&st, shard_counts[i / 2], i % 2);
		play_lines(&st.play, before);
		change(&st, changed);
		play_lines(&st.play, after);
		stage_stop(&st);
	}
}

/* Its packets may be as large as it was told, its aliases as many, its QoS as high. */
static void test_change_leaves_a_client_what_it_was_told(void **state)
{
	(void)state;
	set.packet_bytes_max = 1000;
	struct settings other = set;
	other.packet_bytes_max = 100;
	other.topic_alias_max_in = 1;
	other.qos_max = 1;
	other.retain_available = false;
	other.topic_levels_max = 2;
	perform("old > CONNECT v5 id=old clean\nold < CONNACK 00\n", &other,
		"old > PUBLISH t=a/b/c alias=100 p=#200\n"
		"old > PUBLISH retain t=t p=1\n"
		"old > PUBLISH q2 m1 t=t p=1\nold < PUBREC m1 rc=10\n"
		"old > PUBREL m1\nold < PUBCOMP m1\n"
		"a > CONNECT v5 id=a clean\na < CONNACK 00\n"
		"a > PUBLISH t=t p=#100\na < DISCONNECT 95\na < closed\n"
		"b > CONNECT v5 id=b clean\nb < CONNACK 00\n"
		"b > PUBLISH t=t alias=2 p=1\nb < DISCONNECT 94\nb < closed\n"
		"c > CONNECT v5 id=c clean\nc < CONNACK 00\n"
		"c > PUBLISH q2 m1 t=t p=1\nc < DISCONNECT 9b\nc < closed\n"
		"d > CONNECT v5 id=d clean\nd < CONNACK 00\n"
		"d > PUBLISH retain t=t p=1\nd < DISCONNECT 9a\nd < closed\n"
		"e > CONNECT v5 id=e clean\ne < CONNACK 00\n"
		"e > PUBLISH t=a/b/c p=1\ne < DISCONNECT 90\ne < closed\n"
		"old > CONNECT v5 id=old2 clean\n"
		"old < DISCONNECT 82\nold < closed\n");
}

/* A larger table of aliases is for those who are told of it: the one that is there has its size. */
static void test_change_to_more_aliases(void **state)
{
	(void)state;
	set.topic_alias_max_in = 1;
	struct settings other = set;
	other.topic_alias_max_in = 60000;
	perform("p > CONNECT v5 id=p clean\np < CONNACK 00\n"
		"p > PUBLISH t=t alias=1 p=1\n",
		&other,
		"p > PUBLISH alias=1 p=1\n"
		"q > CONNECT v5 id=q clean\nq < CONNACK 00\n"
		"q > PUBLISH t=t alias=60000 p=1\n"
		"q > PINGREQ\nq < PINGRESP\n"
		"p > PUBLISH t=t alias=2 p=1\np < DISCONNECT 94\np < closed\n");
}

/* What a SUBSCRIBE gets follows from the log: all shards and every reader of it agree. */
static void test_change_of_what_decides_in_the_log(void **state)
{
	(void)state;
	struct settings other = set;
	other.qos_max = 1;
	other.subscriptions_per_client_max = 2;
	other.upgrade_outgoing_qos = true;
	perform("s > CONNECT v5 id=s clean expiry=100\ns < CONNACK 00\n"
		"s > SUBSCRIBE m1 f=a,q2\ns < SUBACK m1 02\n"
		"k > CONNECT v5 id=k clean\nk < CONNACK 00\n",
		&other,
		"s > SUBSCRIBE m2 f=b,q2 f=c,q1\ns < SUBACK m2 01 97\n"
		"k > SUBSCRIBE m1 f=d,q2 f=e f=f\nk < SUBACK m1 01 00 97\n"
		"p > CONNECT v5 id=p clean\np < CONNACK 00\n"
		"p > PUBLISH t=d p=1\n"
		"k < PUBLISH q1 m1 t=d p=1\nk > PUBACK m1\n");
}

/* There and back again, faster than the log: the last one holds, everywhere. */
static void test_change_again_at_once(void **state)
{
	(void)state;
	static struct stage st;
	struct settings other = set;
	for (unsigned kept = 0; kept < 2; kept++) {
		stage_start(&st, 5, kept);
		play_lines(&st.play, "s > CONNECT v5 id=s clean expiry=9\ns < CONNACK 00\n");
		for (unsigned i = 0; i < 10; i++) {
			other.qos_max = i % 2;
			broker_change_settings(st.play.kit.broker, settings_share(&other));
		}
		play_settle(&st.play);
		play_lines(&st.play, "s > SUBSCRIBE m1 f=a,q2\ns < SUBACK m1 01\n");
		stage_stop(&st);
	}
}

/* What concerns nobody's CONNACK holds at once. */
static void test_change_holds_at_once(void **state)
{
	(void)state;
	struct settings other = set;
	other.sessions_max = 2;
	other.allow_empty_client_id = false;
	other.absent_queue_messages_max = 1;
	other.queue_full_policy = QUEUE_FULL_DROP_NEWEST;
	other.keep_alive_max = 30;
	other.response_information = "answers";
	other.cached_topics_max = 0;
	other.queue_memory_bytes_max = 1 << 20;
	other.input_bytes_per_turn = 1 << 20;
	perform("s > CONNECT v5 id=s clean expiry=100\ns < CONNACK 00\n"
		"s > SUBSCRIBE m1 f=t,q1\ns < SUBACK m1 01\n"
		"s close\n"
		"p > CONNECT v5 id=p clean\np < CONNACK 00\n"
		"p > PUBLISH q1 m1 t=t p=1\np < PUBACK m1\n"
		"p > PUBLISH q1 m2 t=t p=2\np < PUBACK m2\n",
		&other,
		"p > PUBLISH q1 m3 t=t p=3\np < PUBACK m3\n"
		"x > CONNECT v5 id=x clean\nx < CONNACK 97\nx < closed\n"
		"y > CONNECT v5 clean\ny < CONNACK 85\ny < closed\n"
		"s > CONNECT v5 id=s info\ns < CONNACK 00 present keep=30 info=answers\n"
		"# the third found the queue full\n"
		"s < 2 PUBLISH q1 m\n");
}

/* What is on its way between threads when the broker ends goes as well. */
static void test_change_in_the_end(void **state)
{
	(void)state;
	static struct stage st;
	stage_start(&st, 5, false);
	broker_change_settings(st.play.kit.broker, settings_share(&set));
	play_finish(&st.play);
	assert_int_equal(mem_count_live(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_change_leaves_a_client_what_it_was_told, setup),
		cmocka_unit_test_setup(test_change_to_more_aliases, setup),
		cmocka_unit_test_setup(test_change_of_what_decides_in_the_log, setup),
		cmocka_unit_test_setup(test_change_again_at_once, setup),
		cmocka_unit_test_setup(test_change_holds_at_once, setup),
		cmocka_unit_test_setup(test_change_in_the_end, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
