/* SPDX-License-Identifier: Apache-2.0 */
/* What shards owe to each other: interest that is known before SUBACK, and an end together. */
#include "kit/play.h"
#include "mqtt/reason.h"

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

/* The moment that SUBACK can be read, a message published anywhere is delivered. */
static void test_shards_know_before_suback(void **state)
{
	static struct play p;
	static const char *const filters[] = {"t", "#", "$share/g/t"};
	(void)state;
	for (unsigned seed = 0; seed < 120; seed++) {
		play_start(&p, &set, 8, seed, 0);
		play_line(&p, "s > CONNECT v5 id=s%u clean expiry=%u", seed, seed % 2 * 60);
		play_line(&p, "s < CONNACK 00");
		play_line(&p, "p > CONNECT v4 id=p%u clean", seed * 7);
		play_line(&p, "p < CONNACK 00");
		struct actor *s = play_actor(&p, "s"), *publisher = play_actor(&p, "p");
		play_line(&p, "together");
		play_line(&p, "s + SUBSCRIBE m1 f=%s,q1", filters[seed % 3]);
		struct span ask = buffer_content(&s->out);
		assert_int_equal(s->stream.ops->write(&s->stream, &ask, 1), ask.len);
		buffer_release(&s->out);
		while (memory_unread(&s->stream) == 0)
			assert_true(kit_step(&p.kit));
		play_line(&p, "p + PUBLISH t=t p=1");
		ask = buffer_content(&publisher->out);
		assert_int_equal(publisher->stream.ops->write(&publisher->stream, &ask, 1),
				 ask.len);
		buffer_release(&publisher->out);
		play_lines(&p, "apart\n"
			       "s < SUBACK m1 01\n"
			       "s < PUBLISH q0 t=t p=1\n");
		play_stop(&p);
	}
}

/* Subscriptions that come and go leave no interest behind: nobody is told about nobody. */
static void test_shards_forget_interest(void **state)
{
	(void)state;
	play_all(&set, "p > CONNECT v5 id=p clean\np < CONNACK 00\n"
		       "a > CONNECT v5 id=a clean\na < CONNACK 00\n"
		       "b > CONNECT v5 id=b clean expiry=10\nb < CONNACK 00\n"
		       "a > SUBSCRIBE m1 f=t,q1\na < SUBACK m1 01\n"
		       "b > SUBSCRIBE m1 f=t,q1\nb < SUBACK m1 01\n"
		       "a > UNSUBSCRIBE m2 f=t\na < UNSUBACK m2 00\n"
		       "p > PUBLISH q1 m1 t=t p=1\np < PUBACK m1\n"
		       "b < PUBLISH q1 m1 t=t p=1\n"
		       "a > SUBSCRIBE m3 f=t,q1\na < SUBACK m3 01\n"
		       "b cut\n"
		       "a cut\n"
		       "p > PUBLISH q1 m2 t=t p=2\np < PUBACK m2\n"
		       "wait 10100\n"
		       "p > PUBLISH q1 m3 t=t p=3\np < PUBACK m3 rc=10\n");
}

static void shut_down(struct play *p)
{
	for (unsigned i = 0; i < p->kit.shard_count; i++) {
		struct shard *s = broker_shard(p->kit.broker, i);
		shard_turn_begin(s, p->kit.now);
		shard_shutdown(s, REASON_SERVER_SHUTTING_DOWN);
		shard_turn_end(s);
		p->kit.shards[i].is_woken = true;
	}
	play_settle(p);
}

static uint64_t connections(const struct play *p)
{
	struct shard_status status;
	kit_status(&p->kit, &status);
	return status.connections;
}

static void test_shards_shut_down(void **state)
{
	static struct play p;
	(void)state;
	for (unsigned shards = 1; shards <= 5; shards += 2) {
		play_start(&p, &set, shards, shards, 0);
		play_lines(&p, "a > CONNECT v5 id=a clean expiry=60 will=w:gone\na < CONNACK 00\n"
			       "b > CONNECT v4 id=b will=w:gone\nb < CONNACK 00\n"
			       "w > CONNECT v4 id=w clean\nw < CONNACK 00\n"
			       "w > SUBSCRIBE m1 f=w\nw < SUBACK m1 00\n"
			       "n > RAW 10 0c 00\n"
			       "together\n"
			       "p + CONNECT v5 id=p clean\n"
			       "p + PUBLISH q1 m1 t=w p=last\n");
		p.is_together = false;
		shut_down(&p);
		play_lines(&p, "a < DISCONNECT 8b\na < closed\n"
			       "b < closed\nw < closed\nn < closed\n"
			       "p < closed\n"
			       "late > CONNECT v4 id=late clean\n"
			       "late < CONNACK 03\n"
			       "late < closed\n");
		assert_int_equal(connections(&p), 0);
		play_stop(&p);
	}
}

/* One that does not read its goodbye is waited for, but not long. */
static void test_shards_shut_down_with_a_deaf_client(void **state)
{
	static struct play p;
	(void)state;
	play_start(&p, &set, 2, 1, 0);
	play_lines(&p, "s small 100\n"
		       "s > CONNECT v5 id=s clean\ns < CONNACK 00\n"
		       "s > SUBSCRIBE m1 f=#\ns < SUBACK m1 00\n"
		       "s stop\n"
		       "p > CONNECT v4 id=p clean\np < CONNACK 00\n"
		       "p > PUBLISH t=t p=#1000\n");
	shut_down(&p);
	assert_int_equal(connections(&p), 1);
	play_line(&p, "wait 2100");
	assert_int_equal(connections(&p), 0);
	buffer_release(&play_actor(&p, "s")->in);
	play_line(&p, "p < closed");
	play_stop(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_shards_know_before_suback, setup),
		cmocka_unit_test_setup(test_shards_forget_interest, setup),
		cmocka_unit_test_setup(test_shards_shut_down, setup),
		cmocka_unit_test_setup(test_shards_shut_down_with_a_deaf_client, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
