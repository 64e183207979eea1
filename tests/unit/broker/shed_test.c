/* SPDX-License-Identifier: Apache-2.0 */
/* What is given up for want of memory or of time, in which order, and that it comes back. */
#include "broker/shed.h"
#include "kit/play.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define CEILING 1000000u

static struct settings set;
static struct play p;

static int setup(void **state)
{
	(void)state;
	settings_init(&set);
	set.hold_back_ms_max = 0;
	set.limits.memory_ceiling = CEILING;
	return 0;
}

static uint64_t counted(enum guard_count which)
{
	return guard_counted(broker_guard(p.kit.broker), which);
}

#define IN                                                                                         \
	"s > CONNECT v5 id=s clean\ns < CONNACK 00\n"                                              \
	"s > SUBSCRIBE m1 f=t,q2\ns < SUBACK m1 02\n"                                              \
	"p > CONNECT v5 id=p clean\np < CONNACK 00\n"                                              \
	"o > CONNECT v4 id=o clean\no < CONNACK 00\n"

static void test_shed_memory_in_order(void **state)
{
	(void)state;
	play_start(&p, &set, 1, 7, 0);
	play_lines(&p, IN);
	p.kit.memory = CEILING / 100 * 79;
	play_lines(&p, "a > CONNECT v5 id=a clean\na < CONNACK 00\n");
	assert_int_equal(p.kit.events[EVENT_LOAD], 0);
	/* new connections first */
	p.kit.memory = CEILING / 100 * 80;
	play_lines(&p, "b > CONNECT v5 id=b clean\nb < CONNACK 89\nb < closed\n"
		       "c > CONNECT v4 id=c clean\nc < CONNACK 03\nc < closed\n"
		       "p > PUBLISH t=t p=1\ns < PUBLISH q0 t=t p=1\n");
	assert_int_equal(p.kit.events[EVENT_LOAD], 1);
	/* then QoS 0 */
	p.kit.memory = CEILING / 100 * 90;
	play_lines(&p, "p > PUBLISH t=t p=2\ns < nothing\n"
		       "p > PUBLISH q1 m1 t=t p=3\np < PUBACK m1\ns < PUBLISH q1 m1 t=t p=3\n"
		       "o > PUBLISH q2 m1 t=t p=4\no < PUBREC m1\no > PUBREL m1\no < PUBCOMP m1\n"
		       "s < PUBLISH q2 m2 t=t p=4\n");
	assert_int_equal(counted(GUARD_SHED), 1);
	/* then the rest: told where there is a word for it, else held, and not lost */
	p.kit.memory = CEILING;
	play_lines(&p, "p > PUBLISH q1 m2 t=t p=5\np < PUBACK m2 rc=97\n"
		       "p > PUBLISH q2 m3 t=t p=6\np < PUBREC m3 rc=97\n"
		       "o > PUBLISH q1 m2 t=t p=7\no > PUBLISH q1 m3 t=t p=8\no < nothing\n"
		       "o > PINGREQ\no < PINGRESP\n"
		       "s > PUBACK m1\ns < nothing\n");
	assert_int_equal(p.kit.events[EVENT_LOAD], 3);
	/* and back, each a bit lower than it began */
	p.kit.memory = CEILING / 100 * 96;
	play_lines(&p, "p > PUBLISH q1 m4 t=t p=9\np < PUBACK m4 rc=97\n");
	p.kit.memory = CEILING / 100 * 94;
	play_lines(&p, "wait 200\no < PUBACK m2\no < PUBACK m3\n"
		       "s < PUBLISH q1 m3 t=t p=7\ns < PUBLISH q1 m4 t=t p=8\n"
		       "p > PUBLISH t=t p=10\ns < nothing\n");
	p.kit.memory = CEILING / 100 * 74;
	play_lines(&p, "p > PUBLISH t=t p=11\ns < PUBLISH q0 t=t p=11\n"
		       "b > CONNECT v5 id=b clean\nb < CONNACK 00\n");
	assert_int_equal(p.kit.events[EVENT_LOAD], 5);
	assert_int_equal(counted(GUARD_BUSY), 2);
	play_stop(&p);
}

/* One line for each change, however many shards see it. */
static void test_shed_memory_is_said_once(void **state)
{
	(void)state;
	play_start(&p, &set, 5, 7, 0);
	p.kit.memory = CEILING;
	play_lines(&p, "wait 10\na > CONNECT v5 id=a clean\na < CONNACK 89\na < closed\n"
		       "b > CONNECT v5 id=b clean\nb < CONNACK 89\nb < closed\n"
		       "c > CONNECT v5 id=c clean\nc < CONNACK 89\nc < closed\n");
	assert_int_equal(p.kit.events[EVENT_LOAD], 1);
	play_stop(&p);
}

/* What waits for it goes when it comes. */
static void test_shed_memory_lets_sessions_in(void **state)
{
	(void)state;
	play_start(&p, &set, 2, 7, 0);
	play_lines(&p, "a > CONNECT v5 id=a expiry=100\na < CONNACK 00\n"
		       "a > SUBSCRIBE m1 f=t,q1\na < SUBACK m1 01\na cut\n"
		       "p > CONNECT v5 id=p clean\np < CONNACK 00\n"
		       "p > PUBLISH q1 m1 t=t p=1\np < PUBACK m1\n");
	p.kit.memory = CEILING;
	play_lines(&p, "b > CONNECT v5 id=b expiry=100\nb < CONNACK 89\nb < closed\n"
		       "a > CONNECT v5 id=a expiry=100\na < CONNACK 00 present\n"
		       "a < PUBLISH q1 m1 t=t p=1\n");
	play_stop(&p);
}

static void test_shed_memory_lets_trusted_in(void **state)
{
	(void)state;
	set.limits.exempt_count = 1;
	assert_true(network_read(SPAN_LITERAL("198.51.100.0/24"), &set.limits.exempt[0]));
	play_start(&p, &set, 2, 7, 0);
	p.kit.memory = CEILING;
	play_lines(&p, "a from 198.51.100.7:1\n"
		       "a > CONNECT v5 id=a clean\na < CONNACK 00\n"
		       "b > CONNECT v5 id=b clean\nb < CONNACK 89\nb < closed\n");
	play_stop(&p);
}

static void send_more(const char *name, size_t len)
{
	struct actor *a = play_actor(&p, name);
	for (size_t i = 0; i < len; i += 1000) {
		static const uint8_t bytes[1000];
		assert_int_equal(buffer_append(&a->out, span_of(bytes, sizeof(bytes))), 0);
	}
	play_settle(&p);
}

/* Of a PUBLISH of 400,000 bytes. */
static void send_part(const char *name, size_t len)
{
	static const uint8_t head[] = {0x30, 0x80, 0xb5, 0x18, 0, 1, 't', 0};
	struct actor *a = play_actor(&p, name);
	assert_int_equal(buffer_append(&a->out, span_of(head, sizeof(head))), 0);
	send_more(name, len);
}

/* A large packet of which more comes, and one of which nothing more comes. */
static void test_shed_memory_of_parts_of_packets(void **state)
{
	(void)state;
	play_start(&p, &set, 1, 7, 0);
	play_lines(&p, "a > CONNECT v5 id=a clean\na < CONNACK 00\n"
		       "b > CONNECT v5 id=b clean\nb < CONNACK 00\n"
		       "c > CONNECT v5 id=c clean\nc < CONNACK 00\n");
	send_part("a", 200000);
	send_part("b", 70000);
	send_part("c", 100);
	p.kit.memory = CEILING;
	send_more("b", 10000);
	play_lines(&p, "b < nothing\n");
	p.kit.memory = CEILING / 100 * 110;
	send_more("b", 300000);
	play_lines(&p, "b < DISCONNECT 97\nb < closed\na < nothing\n"
		       "wait 7000\na < DISCONNECT 97\na < closed\n"
		       "# a small part is no reason\n"
		       "c < nothing\n");
	assert_int_equal(counted(GUARD_SWEPT), 2);
	play_stop(&p);
}

/* What nobody weighs has no ceiling. */
static void test_shed_no_ceiling(void **state)
{
	(void)state;
	set.limits.memory_ceiling = 0;
	play_start(&p, &set, 2, 7, 0);
	p.kit.memory = UINT64_MAX;
	play_lines(&p, IN "p > PUBLISH t=t p=1\ns < PUBLISH q0 t=t p=1\n");
	play_stop(&p);
}

/* Of a ceiling that nothing fits under everything is too much, and there is no way to divide it. */
static void test_shed_ceiling_of_a_byte(void **state)
{
	(void)state;
	set.limits.memory_ceiling = 1;
	play_start(&p, &set, 1, 7, 0);
	p.kit.memory = 1000;
	play_lines(&p, "b > CONNECT v5 id=b clean\nb < CONNACK 89\nb < closed\n");
	assert_int_equal(p.kit.events[EVENT_LOAD], 1);
	play_stop(&p);
}

/* So many turns, of so many milliseconds each, with as much rest between them. */
static uint64_t take_turns(struct shard *s, uint64_t now_ms, unsigned count, unsigned took_ms,
			   unsigned rest_ms)
{
	for (unsigned i = 0; i < count; i++) {
		shard_note_turn(s, now_ms, now_ms + took_ms);
		now_ms += took_ms + rest_ms;
	}
	return now_ms;
}

static void test_shed_delay_in_order(void **state)
{
	(void)state;
	play_start(&p, &set, 1, 7, 0);
	struct shard *s = broker_shard(p.kit.broker, 0);
	uint64_t now_ms = take_turns(s, 1000, 100, 100, 0);
	play_lines(&p, IN);
	now_ms = take_turns(s, now_ms, 20, 700, 0);
	play_lines(&p, "b > CONNECT v5 id=b clean\nb < CONNACK 89\nb < closed\n"
		       "p > PUBLISH t=t p=1\ns < PUBLISH q0 t=t p=1\n");
	assert_int_equal(shard_accept_wait_ms(s, 0), 100);
	now_ms = take_turns(s, now_ms, 20, 2500, 0);
	play_lines(&p, "p > PUBLISH t=t p=2\ns < nothing\n"
		       "# what is acknowledged is never shed for that\n"
		       "p > PUBLISH q1 m1 t=t p=3\np < PUBACK m1\ns < PUBLISH q1 m1 t=t p=3\n");
	assert_int_equal(p.kit.events[EVENT_LOAD], 2);
	now_ms = take_turns(s, now_ms, 20, 900, 0);
	play_lines(&p, "p > PUBLISH t=t p=4\ns < PUBLISH q0 t=t p=4\n"
		       "b > CONNECT v5 id=b clean\nb < CONNACK 89\nb < closed\n");
	/* rest is all it needs */
	now_ms = take_turns(s, now_ms, 5, 10, 1000);
	play_lines(&p, "b > CONNECT v5 id=b clean\nb < CONNACK 00\n");
	assert_int_equal(shard_accept_wait_ms(s, 0), 0);
	assert_int_equal(p.kit.events[EVENT_LOAD], 4);
	play_stop(&p);
}

/* A process that was stopped for an hour drops nothing, and has forgotten it soon; many short turns
 * are no reason, nor are rare long ones. */
static void test_shed_delay_not_for_this(void **state)
{
	(void)state;
	play_start(&p, &set, 1, 7, 0);
	struct shard *s = broker_shard(p.kit.broker, 0);
	uint64_t now_ms = take_turns(s, 1000, 10, 10, 10);
	play_lines(&p, IN);
	shard_note_turn(s, now_ms, now_ms + 3600000);
	now_ms += 3600000;
	play_lines(&p, "p > PUBLISH t=t p=1\ns < PUBLISH q0 t=t p=1\n");
	now_ms = take_turns(s, now_ms, 4, 1, 1000);
	play_lines(&p, "a > CONNECT v5 id=a clean\na < CONNACK 00\n");
	now_ms = take_turns(s, now_ms, 1000, 90, 0);
	now_ms = take_turns(s, now_ms, 50, 900, 3000);
	play_lines(&p, "b > CONNECT v5 id=b clean\nb < CONNACK 00\n"
		       "p > PUBLISH t=t p=2\ns < PUBLISH q0 t=t p=2\n");
	play_stop(&p);
}

static void test_shed_delay_off(void **state)
{
	(void)state;
	set.limits.shed_connections_ms = 0;
	set.limits.shed_qos0_ms = 0;
	play_start(&p, &set, 1, 7, 0);
	(void)take_turns(broker_shard(p.kit.broker, 0), 1000, 50, 3000, 0);
	play_lines(&p, IN "p > PUBLISH t=t p=1\ns < PUBLISH q0 t=t p=1\n");
	assert_int_equal(p.kit.events[EVENT_LOAD], 0);
	play_stop(&p);
}

/* Nobody else comes: the shard has to look by itself, or all doors would stay shut. */
static void test_shed_delay_ends_without_a_turn_for_it(void **state)
{
	(void)state;
	play_start(&p, &set, 2, 7, 0);
	struct shard *s = broker_shard(p.kit.broker, 1);
	uint64_t now_ms = take_turns(s, 1000, 20, 700, 0);
	play_lines(&p, "wait 10\n");
	assert_int_equal(shard_accept_wait_ms(broker_shard(p.kit.broker, 0), 0), 100);
	assert_in_range(kit_next_wake_ms(&p.kit), p.kit.now.steady_ms, p.kit.now.steady_ms + 110);
	(void)take_turns(s, now_ms + 5000, 1, 0, 0);
	play_lines(&p, "wait 200\n");
	assert_int_equal(shard_accept_wait_ms(broker_shard(p.kit.broker, 0), 0), 0);
	play_stop(&p);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_shed_memory_in_order),
		TEST(test_shed_memory_is_said_once),
		TEST(test_shed_memory_lets_sessions_in),
		TEST(test_shed_memory_lets_trusted_in),
		TEST(test_shed_memory_of_parts_of_packets),
		TEST(test_shed_no_ceiling),
		TEST(test_shed_ceiling_of_a_byte),
		TEST(test_shed_delay_in_order),
		TEST(test_shed_delay_not_for_this),
		TEST(test_shed_delay_off),
		TEST(test_shed_delay_ends_without_a_turn_for_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
