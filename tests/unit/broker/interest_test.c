/* SPDX-License-Identifier: Apache-2.0 */
/* What shards know of each other's subscriptions, and what stands in the log. */
#include "broker/record.h"
#include "kit/play.h"
#include "log/log_kept.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct settings set;

static int setup(void **state)
{
	(void)state;
	settings_init(&set);
	return 0;
}

/* Bytes on their way, and no turn taken. */
static void send_now(struct play *p, const char *name)
{
	struct actor *a = play_actor(p, name);
	struct span bytes = buffer_content(&a->out);
	assert_int_equal(a->stream.ops->write(&a->stream, &bytes, 1), bytes.len);
	buffer_release(&a->out);
}

/* How many messages stand behind the last SUBSCRIBE in the log. */
static unsigned count_behind_subscribe(struct kept_store *store)
{
	unsigned count = 0;
	for (size_t i = 0; i < kept_record_count(store); i++) {
		enum command_kind kind = record_kind(kept_record(store, i)->body);
		count += kind == COMMAND_PUBLISH;
		if (kind == COMMAND_SUBSCRIBE)
			count = 0;
	}
	return count;
}

static unsigned count_received(struct play *p, const char *name)
{
	char text[TALK_TEXT_MAX];
	unsigned count = 0;
	while (play_next(play_actor(p, name), text))
		count += strncmp(text, "PUBLISH", 7) == 0;
	return count;
}

/* Whoever applies the log once more finds every message behind the SUBSCRIBE to be the session's:
 * so it must have been the first time, whichever shard the message came from. */
static void subscribe_among_publishes(unsigned seed)
{
	static struct play p;
	static const char *const names[] = {"p", "q", "r", "s"};
	play_start(&p, &set, 5, seed, 0);
	struct kept_store *store = kept_store_new();
	struct log_kept *log = log_kept_new(store, 1 << 16, NULL, broker_committed, p.kit.broker);
	broker_use_log(p.kit.broker, log_kept_log(log));
	p.kit.wakes_at_once = seed % 2 ? 50 : 0;
	for (unsigned i = 0; i < 4; i++)
		play_line(&p, "%s > CONNECT v5 id=%s%u clean expiry=%u", names[i], names[i], seed,
			  i == 3 ? 60 : 0);
	for (unsigned i = 0; i < 4; i++)
		play_line(&p, "%s < CONNACK 00", names[i]);
	/* all messages are logged, for the sake of another */
	play_line(&p, "x > CONNECT v5 id=x%u clean expiry=60", seed);
	play_lines(&p, "x < CONNACK 00\nx > SUBSCRIBE m1 f=t,q1\nx < SUBACK m1 01\nx cut\n");
	play_line(&p, "together");
	play_line(&p, "s + SUBSCRIBE m1 f=t,q1");
	for (unsigned round = 1; round <= 20; round++) {
		for (unsigned i = 0; i < 3; i++) {
			play_line(&p, "%s + PUBLISH q1 m%u t=t", names[i], round);
			send_now(&p, names[i]);
		}
		if (round == 3)
			send_now(&p, "s");
		for (unsigned n = seed % 3; n > 0; n--)
			kit_step(&p.kit);
	}
	play_lines(&p, "apart\n");
	assert_int_equal(count_received(&p, "s"), count_behind_subscribe(store));
	play_lines(&p, "p < 20 PUBACK\nq < 20 PUBACK\nr < 20 PUBACK\n");
	kept_store_free(store);
	play_stop(&p);
}

static void test_interest_before_log(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < 200; seed++)
		subscribe_among_publishes(seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_interest_before_log, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
