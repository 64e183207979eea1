/* SPDX-License-Identifier: Apache-2.0 */
/* Nothing overtakes: messages of one publisher, topic and QoS that take different ways through the
 * broker still come in the order sent [MQTT-4.6.0-6]. */
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

/* Four sessions, wherever their shards are; all get what d publishes in one go. */
#define FOUR                                                                                       \
	"a > CONNECT v4 id=a clean\n"                                                              \
	"a < CONNACK 00\n"                                                                         \
	"b > CONNECT v4 id=b clean\n"                                                              \
	"b < CONNACK 00\n"                                                                         \
	"c > CONNECT v4 id=c clean\n"                                                              \
	"c < CONNACK 00\n"                                                                         \
	"d > CONNECT v4 id=d clean\n"                                                              \
	"d < CONNACK 00\n"                                                                         \
	"a > SUBSCRIBE m1 f=t,q1\n"                                                                \
	"a < SUBACK m1 01\n"                                                                       \
	"b > SUBSCRIBE m1 f=t,q1\n"                                                                \
	"b < SUBACK m1 01\n"                                                                       \
	"c > SUBSCRIBE m1 f=t,q1\n"                                                                \
	"c < SUBACK m1 01\n"

/* The first goes to the subscriber's shard at once, the second through the log. */
static void test_overtake_retained(void **state)
{
	(void)state;
	play_all(&set, FOUR "d + PUBLISH q1 m1 t=t p=1\n"
			    "d > PUBLISH q1 m2 retain t=t p=2\n"
			    "d < PUBACK m1\n"
			    "d < PUBACK m2\n"
			    "a < PUBLISH q1 m1 t=t p=1\n"
			    "a < PUBLISH q1 m2 t=t p=2\n"
			    "b < PUBLISH q1 m1 t=t p=1\n"
			    "b < PUBLISH q1 m2 t=t p=2\n"
			    "c < PUBLISH q1 m1 t=t p=1\n"
			    "c < PUBLISH q1 m2 t=t p=2\n");
}

static void test_overtake_retained_qos_0(void **state)
{
	(void)state;
	play_all(&set, FOUR "d + PUBLISH q0 t=t p=1\n"
			    "d > PUBLISH q0 retain t=t p=2\n"
			    "a < PUBLISH q0 t=t p=1\n"
			    "a < PUBLISH q0 t=t p=2\n"
			    "b < PUBLISH q0 t=t p=1\n"
			    "b < PUBLISH q0 t=t p=2\n"
			    "c < PUBLISH q0 t=t p=1\n"
			    "c < PUBLISH q0 t=t p=2\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_overtake_retained, setup),
		cmocka_unit_test_setup(test_overtake_retained_qos_0, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
