/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes in: packets split anywhere, many in one read, larger than any buffer, announced and never
 * sent; clients that are not read for a while. */
#include "base/mem.h"
#include "kit/play.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>
#include <malloc.h>

static struct settings set;

static int setup(void **state)
{
	(void)state;
	settings_init(&set);
	return 0;
}

static void test_input_larger_than_the_scratch(void **state)
{
	(void)state;
	play_over(&set, 2,
		  "s > CONNECT v5 id=s\ns < CONNACK 00\n"
		  "s > SUBSCRIBE m1 f=t,q1\ns < SUBACK m1 01\n"
		  "p > CONNECT v4 id=p clean\np < CONNACK 00\n"
		  "p + PUBLISH q1 m1 t=t p=1\n"
		  "p + PUBLISH q1 m2 t=t p=#65529\n"
		  "p + PUBLISH q1 m3 t=t p=#65530\n"
		  "p + PUBLISH q1 m4 t=t p=#140000\n"
		  "p + PUBLISH q1 m5 t=t p=#65527\n"
		  "p + PUBLISH q1 m6 t=t p=#65528\n"
		  "p > PUBLISH q1 m7 t=t p=7\n"
		  "p < 7 PUBACK\n"
		  "s < PUBLISH q1 m1 t=t p=1\n"
		  "s < PUBLISH q1 m2 t=t p=#65529\n"
		  "s < PUBLISH q1 m3 t=t p=#65530\n"
		  "s < PUBLISH q1 m4 t=t p=#140000\n"
		  "s < PUBLISH q1 m5 t=t p=#65527\n"
		  "s < PUBLISH q1 m6 t=t p=#65528\n"
		  "s < PUBLISH q1 m7 t=t p=7\n");
}

/* Sanitizers have an allocator of their own. */
extern size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

static size_t heap_bytes(void)
{
	struct mallinfo2 m = mallinfo2();
	if (__sanitizer_get_current_allocated_bytes)
		return __sanitizer_get_current_allocated_bytes();
	return m.uordblks + m.hblkhd;
}

/* Memory follows the bytes that came, not those that were announced. */
static void test_input_announced_and_never_sent(void **state)
{
	static struct play p;
	(void)state;
	set.packet_bytes_max = PACKET_BYTES_MAX;
	play_start(&p, &set, 1, 1, 0);
	for (unsigned i = 0; i < 20; i++) {
		play_line(&p, "c%u > CONNECT v4 id=c%u clean", i, i);
		play_line(&p, "c%u < CONNACK 00", i);
	}
	size_t before = heap_bytes();
	for (unsigned i = 0; i < 20; i++)
		play_line(&p, "c%u > RAW 30 ff ff ff 5f 00 01 74", i);
	size_t announced = heap_bytes() - before;
	assert_in_range(announced, 20, 20 * 1000);
	for (unsigned i = 0; i < 20; i++)
		for (unsigned n = 0; n < 3; n++)
			play_line(&p, "c%u > PUBLISH t=t p=#100000", i);
	size_t came = heap_bytes() - before;
	assert_in_range(came, 20 * 300000, 20 * 2 * 400000);
	play_stop(&p);
}

static void test_input_many_in_one_read(void **state)
{
	(void)state;
	play_all(&set, "s > CONNECT v4 id=s clean\ns < CONNACK 00\n"
		       "s > SUBSCRIBE m1 f=t,q0\ns < SUBACK m1 00\n"
		       "p > CONNECT v5 id=p clean\np < CONNACK 00\n"
		       "repeat 3000 p + PUBLISH q0 t=t p=%d\n"
		       "repeat 500 p + PUBLISH q1 m%d t=t p=%d\n"
		       "p > PINGREQ\n"
		       "repeat 3000 s < PUBLISH q0 t=t p=%d\n"
		       "repeat 500 s < PUBLISH q0 t=t p=%d\n"
		       "p < 501 P\n");
}

/* A 3.x client with too much open is not read for a while; nothing is lost or overtaken. */
static void test_input_paused(void **state)
{
	(void)state;
	set.receive_maximum = 4;
	set.receive_maximum_slack = 0;
	play_all(&set, "a > CONNECT v4 id=a clean\na < CONNACK 00\n"
		       "b > CONNECT v4 id=b clean\nb < CONNACK 00\n"
		       "c > CONNECT v4 id=c clean\nc < CONNACK 00\n"
		       "a > SUBSCRIBE m1 f=t,q1\na < SUBACK m1 01\n"
		       "b > SUBSCRIBE m1 f=t,q1\nb < SUBACK m1 01\n"
		       "c > SUBSCRIBE m1 f=t,q1\nc < SUBACK m1 01\n"
		       "p > CONNECT v4 id=p clean\np < CONNACK 00\n"
		       "repeat 100 p + PUBLISH q1 m%d t=t p=%d\n"
		       "p > PINGREQ\n"
		       "repeat 100 a < PUBLISH q1 m%d t=t p=%d\n"
		       "repeat 100 b < PUBLISH q1 m%d t=t p=%d\n"
		       "repeat 100 c < PUBLISH q1 m%d t=t p=%d\n"
		       "p < 101 P\n");
}

/* Held back for longer than its keep alive: it has done nothing wrong. */
static void test_input_paused_and_alive(void **state)
{
	(void)state;
	set.receive_maximum = 2;
	set.receive_maximum_slack = 0;
	set.queue_messages_max = 4;
	set.hold_back_ms_max = 60000;
	play_all(&set, "s > CONNECT v5 id=s clean rmax=1\ns < CONNACK 00\n"
		       "s > SUBSCRIBE m1 f=t,q1\ns < SUBACK m1 01\n"
		       "p > CONNECT v4 id=p clean keep=10\np < CONNACK 00\n"
		       "repeat 6 p > PUBLISH q1 m%d t=t p=%d\n"
		       "repeat 5 p > PINGREQ\n"
		       "wait 9000\n"
		       "p > PINGREQ\n"
		       "wait 9000\n"
		       "p > PINGREQ\n"
		       "wait 9000\n"
		       "p > PINGREQ\n"
		       "repeat 6 s > PUBACK m%d\n"
		       "s < 6 PUBLISH q1\n"
		       "p < 14 P\n"
		       "p < nothing\n");
}

static void test_input_malformed(void **state)
{
	(void)state;
	play_all(&set, "a > CONNECT v5 id=a clean\na < CONNACK 00\n"
		       "a > RAW 30 ff ff ff ff\n"
		       "a < DISCONNECT 81\na < closed\n"
		       "a > CONNECT v5 id=a clean\na < CONNACK 00\n"
		       "a > RAW 36 06 00 01 74 00 01 00\n"
		       "a < DISCONNECT 81\na < closed\n"
		       "a > CONNECT v5 id=a clean\na < CONNACK 00\n"
		       "a > RAW 20 02 00 00\n"
		       "a < DISCONNECT 82\na < closed\n"
		       "a > CONNECT v5 id=a clean\na < CONNACK 00\n"
		       "a > RAW c1 00\n"
		       "a < DISCONNECT 81\na < closed\n"
		       "a > CONNECT v4 id=a clean\na < CONNACK 00\n"
		       "a > RAW 82 02 00 01\n"
		       "a < closed\n");
}

/* Streams that cannot be attached, here or where they move to. */
static void test_input_cannot_be_attached(void **state)
{
	static struct play p;
	(void)state;
	play_start(&p, &set, 4, 5, 0);
	play_lines(&p, "o > CONNECT v4 id=o clean\no < CONNACK 00\n");
	p.kit.is_attach_broken = true;
	play_lines(&p, "x > CONNECT v4 id=x clean\n"
		       "x < closed\n");
	p.kit.is_attach_broken = false;
	/* accepted here, then to be attached where its session lives: most are elsewhere */
	unsigned lost = 0;
	for (unsigned i = 0; i < 8; i++) {
		char name[8];
		snprintf(name, sizeof(name), "c%u", i);
		play_line(&p, "together");
		play_line(&p, "%s + CONNECT v4 id=%s clean", name, name);
		p.kit.is_attach_broken = true;
		play_line(&p, "apart");
		p.kit.is_attach_broken = false;
		struct actor *c = play_actor(&p, name);
		lost += c->is_ended;
		assert_true(c->is_ended != (buffer_len(&c->in) > 0));
		buffer_release(&c->in);
	}
	assert_in_range(lost, 3, 8);
	play_lines(&p, "o > PINGREQ\n"
		       "o < PINGRESP\n");
	play_stop(&p);
}

/* [3.1.1 MQTT-4.8.0-2]: nobody else loses anything. */
static void test_no_memory_for_the_input_ends_the_connection(void **state)
{
	static struct play p;
	(void)state;
	play_start(&p, &set, 1, 1, 0);
	play_lines(&p, "a > CONNECT v4 id=a clean\na < CONNACK 00\n"
		       "b > CONNECT v4 id=b clean\nb < CONNACK 00\n"
		       "together\n"
		       "a > RAW v4 30 7f 00 01 61\n");
	mem_fail_after(2); /* behind that of the stream in memory */
	play_line(&p, "apart");
	assert_true(mem_has_failed());
	mem_fail_after(0);
	play_lines(&p, "a < closed\n"
		       "b > PINGREQ\nb < PINGRESP\n");
	play_finish(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_input_larger_than_the_scratch, setup),
		cmocka_unit_test_setup(test_input_announced_and_never_sent, setup),
		cmocka_unit_test_setup(test_input_many_in_one_read, setup),
		cmocka_unit_test_setup(test_input_paused, setup),
		cmocka_unit_test_setup(test_input_paused_and_alive, setup),
		cmocka_unit_test_setup(test_input_malformed, setup),
		cmocka_unit_test_setup(test_input_cannot_be_attached, setup),
		cmocka_unit_test_setup(test_no_memory_for_the_input_ends_the_connection, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
