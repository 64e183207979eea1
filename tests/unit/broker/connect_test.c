/* SPDX-License-Identifier: Apache-2.0 */
/* CONNECT: accepted, refused, taken over, cleaned; what of it is kept ([5] 3.1, 3.2, 4.1). */
#include "kit/play.h"

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

static void test_connect_accepted(void **state)
{
	(void)state;
	play_all(&set, "a > CONNECT v3 id=a clean\n"
		       "a < CONNACK 00\n"
		       "b > CONNECT v4 id=b clean\n"
		       "b < CONNACK 00\n"
		       "c > CONNECT v5 id=c clean\n"
		       "c < CONNACK 00\n"
		       "d > CONNECT v5 clean\n"
		       "d < CONNACK 00 id\n"
		       "e > CONNECT v4 clean\n"
		       "e < CONNACK 00\n"
		       "a > PINGREQ\n"
		       "a < PINGRESP\n");
}

static void test_connect_refused(void **state)
{
	(void)state;
	play_all(&set, "# a level that is not known, empty client ids that may not be\n"
		       "a > RAW v5 10 0e 00 04 4d 51 54 54 06 02 00 00 00 00 01 61\n"
		       "a < CONNACK 84\n"
		       "a < closed\n"
		       "b > RAW v4 10 0d 00 04 4d 51 54 54 07 02 00 00 00 01 62\n"
		       "b < CONNACK 01\n"
		       "b < closed\n"
		       "c > CONNECT v4\n"
		       "c < CONNACK 02\n"
		       "c < closed\n"
		       "d > CONNECT v3 clean\n"
		       "d < CONNACK 02\n"
		       "d < closed\n"
		       "# not even a CONNECT\n"
		       "e > PINGREQ\n"
		       "e < closed\n"
		       "f > RAW 00 00\n"
		       "f < closed\n"
		       "g > RAW v4 10 0c 00 05 4d 51 54 54 00 04 02 00 00 00\n"
		       "g < CONNACK 01\n"
		       "g < closed\n");
}

/* [MQTT-3.1.0-1] What reads like a CONNECT behind another header is none. */
static void test_connect_is_the_first(void **state)
{
	(void)state;
	play_all(&set, "a > RAW v5 82 0e 00 04 4d 51 54 54 05 02 00 00 00 00 01 61\n"
		       "a < closed\n"
		       "b > RAW v5 30 0e 00 04 4d 51 54 54 05 02 00 00 00 00 01 61\n"
		       "b < closed\n"
		       "c > RAW v4 20 0d 00 04 4d 51 54 54 04 02 00 00 00 01 61\n"
		       "c < closed\n"
		       "d > RAW v5 10 0e 00 04 4d 51 54 54 05 02 00 00 00 00 01 61\n"
		       "d < CONNACK 00\n");
}

static void test_connect_twice(void **state)
{
	(void)state;
	play_all(&set, "a > CONNECT v5 id=a clean\n"
		       "a < CONNACK 00\n"
		       "a > CONNECT v5 id=a clean\n"
		       "a < DISCONNECT 82\n"
		       "a < closed\n"
		       "b > CONNECT v4 id=b clean\n"
		       "b < CONNACK 00\n"
		       "b + CONNECT v4 id=b clean\n"
		       "b > PINGREQ\n"
		       "b < closed\n");
}

static void test_connect_takes_over(void **state)
{
	(void)state;
	play_all(&set, "a > CONNECT v5 id=x clean expiry=100\n"
		       "a < CONNACK 00\n"
		       "a > SUBSCRIBE m1 f=t,q1\n"
		       "a < SUBACK m1 01\n"
		       "b at 1\n"
		       "b > CONNECT v5 id=x expiry=100\n"
		       "a < DISCONNECT 8e\n"
		       "a < closed\n"
		       "b < CONNACK 00 present\n"
		       "p > CONNECT v4 id=p clean\n"
		       "p < CONNACK 00\n"
		       "p > PUBLISH t=t p=1\n"
		       "b < PUBLISH q0 t=t p=1\n"
		       "c > CONNECT v4 id=x\n"
		       "b < DISCONNECT 8e\n"
		       "b < closed\n"
		       "c < CONNACK 00 present\n"
		       "# a connection without a session of its own ends it\n"
		       "d > CONNECT v4 id=x clean\n"
		       "c < closed\n"
		       "d < CONNACK 00\n"
		       "p > PUBLISH t=t p=2\n"
		       "d < nothing\n"
		       "e > CONNECT v5 id=x\n"
		       "d < closed\n"
		       "e < CONNACK 00\n");
}

static void test_connect_session_expires(void **state)
{
	(void)state;
	play_all(&set, "p > CONNECT v4 id=p clean\n"
		       "p < CONNACK 00\n"
		       "a > CONNECT v5 id=a clean expiry=10\n"
		       "a < CONNACK 00\n"
		       "a > SUBSCRIBE m1 f=t,q1\n"
		       "a < SUBACK m1 01\n"
		       "a > DISCONNECT\n"
		       "a < closed\n"
		       "wait 9900\n"
		       "a > CONNECT v5 id=a expiry=10\n"
		       "a < CONNACK 00 present\n"
		       "a cut\n"
		       "p > PUBLISH q1 m1 t=t p=1\n"
		       "p < PUBACK m1\n"
		       "wait 10100\n"
		       "a > CONNECT v5 id=a expiry=10\n"
		       "a < CONNACK 00\n"
		       "# DISCONNECT may change it, but not from nothing\n"
		       "a > DISCONNECT expiry=1000\n"
		       "a < closed\n"
		       "wait 900000\n"
		       "a > CONNECT v5 id=a expiry=10\n"
		       "a < CONNACK 00 present\n"
		       "a > DISCONNECT expiry=0\n"
		       "a < closed\n"
		       "a > CONNECT v5 id=a\n"
		       "a < CONNACK 00\n"
		       "a > DISCONNECT expiry=5\n"
		       "a < DISCONNECT 82\n"
		       "a < closed\n");
}

static void test_connect_session_of_3(void **state)
{
	(void)state;
	play_all(&set, "a > CONNECT v4 id=a\n"
		       "a < CONNACK 00\n"
		       "a close\n"
		       "wait 100000000\n"
		       "a > CONNECT v3 id=a\n"
		       "a < CONNACK 00\n"
		       "a close\n"
		       "a > CONNECT v4 id=a\n"
		       "a < CONNACK 00 present\n"
		       "a > DISCONNECT\n"
		       "a < closed\n"
		       "a > CONNECT v4 id=a clean\n"
		       "a < CONNACK 00\n"
		       "a close\n"
		       "a > CONNECT v4 id=a\n"
		       "a < CONNACK 00\n");
}

static void test_connect_clean_start_drops_what_waits(void **state)
{
	(void)state;
	play_all(&set, "a > CONNECT v5 id=a clean expiry=100\n"
		       "a < CONNACK 00\n"
		       "a > SUBSCRIBE m1 f=t,q2\n"
		       "a < SUBACK m1 02\n"
		       "a cut\n"
		       "p > CONNECT v4 id=p clean\n"
		       "p < CONNACK 00\n"
		       "p > PUBLISH q2 m1 t=t p=1\n"
		       "p < PUBREC m1\n"
		       "a > CONNECT v5 id=a clean expiry=100\n"
		       "a < CONNACK 00\n"
		       "p > PUBLISH q2 m2 t=t p=2\n"
		       "p < PUBREC m2\n"
		       "a < nothing\n");
}

static void test_connect_keep_alive(void **state)
{
	(void)state;
	play_all(&set, "a > CONNECT v5 id=a clean keep=10\n"
		       "a < CONNACK 00\n"
		       "b > CONNECT v4 id=b clean keep=10\n"
		       "b < CONNACK 00\n"
		       "c > CONNECT v4 id=c clean keep=0\n"
		       "c < CONNACK 00\n"
		       "wait 14900\n"
		       "a > PINGREQ\n"
		       "a < PINGRESP\n"
		       "b < nothing\n"
		       "wait 300\n"
		       "b < closed\n"
		       "wait 14500\n"
		       "a < nothing\n"
		       "wait 300\n"
		       "a < DISCONNECT 8d\n"
		       "a < closed\n"
		       "wait 1000000000\n"
		       "c > PINGREQ\n"
		       "c < PINGRESP\n");
}

static void test_connect_server_keep_alive(void **state)
{
	(void)state;
	set.keep_alive_max = 20;
	play_all(&set, "a > CONNECT v5 id=a clean keep=0\n"
		       "a < CONNACK 00 keep=20\n"
		       "b > CONNECT v5 id=b clean keep=21\n"
		       "b < CONNACK 00 keep=20\n"
		       "c > CONNECT v5 id=c clean keep=20\n"
		       "c < CONNACK 00\n"
		       "d > CONNECT v4 id=d clean keep=30\n"
		       "d < CONNACK 02\n"
		       "d < closed\n"
		       "wait 30100\n"
		       "a < DISCONNECT 8d\n"
		       "b < DISCONNECT 8d\n"
		       "c < DISCONNECT 8d\n");
}

static void test_connect_in_time(void **state)
{
	(void)state;
	play_all(&set, "a > RAW 10 0c 00 04\n"
		       "wait 29900\n"
		       "a < nothing\n"
		       "wait 200\n"
		       "a < closed\n"
		       "# bytes that trickle in do not count\n"
		       "b > RAW v4 10 0d 00\n"
		       "wait 20000\n"
		       "b > RAW 04\n"
		       "wait 10100\n"
		       "b < closed\n");
}

static void test_connect_limits_told(void **state)
{
	(void)state;
	set.session_expiry_max = 60;
	set.response_information = "prefix";
	play_all(&set, "a > CONNECT v5 id=a clean expiry=100 info\n"
		       "a < CONNACK 00 expiry=60 info=prefix\n"
		       "b > CONNECT v5 id=b clean expiry=60\n"
		       "b < CONNACK 00\n"
		       "a close\n"
		       "wait 60100\n"
		       "a > CONNECT v5 id=a\n"
		       "a < CONNACK 00\n");
}

static void test_connect_too_many(void **state)
{
	(void)state;
	set.connections_max = 2;
	play_all(&set, "a > CONNECT v5 id=a clean\n"
		       "a < CONNACK 00\n"
		       "b > CONNECT v5 id=b clean\n"
		       "b < CONNACK 00\n"
		       "c > CONNECT v5 id=c clean\n"
		       "c < CONNACK 97\n"
		       "c < closed\n"
		       "c > CONNECT v4 id=c clean\n"
		       "c < CONNACK 03\n"
		       "c < closed\n"
		       "b close\n"
		       "c > CONNECT v4 id=c clean\n"
		       "c < CONNACK 00\n");
}

static void test_connect_not_allowed(void **state)
{
	(void)state;
	set.allow_anonymous = false;
	play_all(&set, "a > CONNECT v5 id=a clean\n"
		       "a < CONNACK 87\n"
		       "a < closed\n"
		       "a > CONNECT v4 id=a clean\n"
		       "a < CONNACK 05\n"
		       "a < closed\n");
	settings_init(&set);
	set.allow_empty_client_id = false;
	play_all(&set, "a > CONNECT v5 clean\n"
		       "a < CONNACK 85\n"
		       "a < closed\n"
		       "a > CONNECT v4 clean\n"
		       "a < CONNACK 02\n"
		       "a < closed\n");
}

static void test_connect_too_many_sessions(void **state)
{
	(void)state;
	set.sessions_max = 2;
	play_over(&set, 1,
		  "a > CONNECT v5 id=a clean expiry=10\n"
		  "a < CONNACK 00\n"
		  "b > CONNECT v5 id=b clean\n"
		  "b < CONNACK 00\n"
		  "c > CONNECT v5 id=c clean\n"
		  "c < CONNACK 97\n"
		  "c < closed\n"
		  "a cut\n"
		  "c > CONNECT v5 id=c clean\n"
		  "c < CONNACK 97\n"
		  "# one that has a session may come back\n"
		  "a > CONNECT v5 id=a expiry=10\n"
		  "a < CONNACK 00 present\n"
		  "b close\n"
		  "c > CONNECT v5 id=c clean\n"
		  "c < CONNACK 00\n");
}

/* A client that is gone before it is answered must not push out the one that came after it, though
 * its CONNECT goes through the log and the other one's need not. */
static void test_connect_gone_before_its_answer(void **state)
{
	static struct play p;
	(void)state;
	for (unsigned seed = 0; seed < 60; seed++) {
		play_start(&p, &set, 1, seed, 0);
		play_lines(&p, "together\n"
			       "a + CONNECT v5 id=x expiry=100\n"
			       "b + CONNECT v5 id=x clean\n");
		struct actor *a = play_actor(&p, "a"), *b = play_actor(&p, "b");
		struct span hello = buffer_content(&a->out);
		assert_int_equal(a->stream.ops->write(&a->stream, &hello, 1), hello.len);
		play_line(&p, "a close");
		buffer_release(&a->out);
		for (unsigned turns = 0; turns < seed % 5; turns++)
			kit_step(&p.kit);
		play_line(&p, "apart");
		assert_true(b->is_open);
		play_lines(&p, "b < CONNACK 00\n"
			       "b > PINGREQ\n"
			       "b < PINGRESP\n"
			       "b < nothing\n");
		play_stop(&p);
	}
}

static void test_connect_with_all_in_one_segment(void **state)
{
	(void)state;
	play_all(&set, "a at 1\n"
		       "a + CONNECT v5 id=a clean\n"
		       "a + SUBSCRIBE m1 f=t,q1\n"
		       "a + PINGREQ\n"
		       "a > PUBLISH q1 m2 t=t p=1\n"
		       "a < CONNACK 00\n"
		       "a < 4 \n"
		       "b at 3\n"
		       "b + CONNECT v4 id=bb\n"
		       "b + SUBSCRIBE m1 f=u,q2\n"
		       "b + PUBLISH q2 m2 t=u p=1\n"
		       "b > PUBREL m2\n"
		       "b < CONNACK 00\n"
		       "b < 4 \n"
		       "a close\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_connect_accepted, setup),
		cmocka_unit_test_setup(test_connect_refused, setup),
		cmocka_unit_test_setup(test_connect_is_the_first, setup),
		cmocka_unit_test_setup(test_connect_twice, setup),
		cmocka_unit_test_setup(test_connect_takes_over, setup),
		cmocka_unit_test_setup(test_connect_session_expires, setup),
		cmocka_unit_test_setup(test_connect_session_of_3, setup),
		cmocka_unit_test_setup(test_connect_clean_start_drops_what_waits, setup),
		cmocka_unit_test_setup(test_connect_keep_alive, setup),
		cmocka_unit_test_setup(test_connect_server_keep_alive, setup),
		cmocka_unit_test_setup(test_connect_in_time, setup),
		cmocka_unit_test_setup(test_connect_limits_told, setup),
		cmocka_unit_test_setup(test_connect_too_many, setup),
		cmocka_unit_test_setup(test_connect_not_allowed, setup),
		cmocka_unit_test_setup(test_connect_too_many_sessions, setup),
		cmocka_unit_test_setup(test_connect_gone_before_its_answer, setup),
		cmocka_unit_test_setup(test_connect_with_all_in_one_segment, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
