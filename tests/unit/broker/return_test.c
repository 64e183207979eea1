/* SPDX-License-Identifier: Apache-2.0 */
/* A client returns to its session, and is another one than before. */
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

/* What was sent once is not sent again when it has become too large [MQTT-3.1.2-24]. */
static void test_return_with_smaller_packets(void **state)
{
	(void)state;
	play_all(&set, "a > CONNECT v5 id=a expiry=100\n"
		       "a < CONNACK 00\n"
		       "a > SUBSCRIBE m1 f=t,q2\n"
		       "a < SUBACK m1 02\n"
		       "b > CONNECT v5 id=b clean\n"
		       "b < CONNACK 00\n"
		       "b > PUBLISH q1 m1 t=t p=small\n"
		       "b < PUBACK m1\n"
		       "b > PUBLISH q1 m2 t=t p=#1000\n"
		       "b < PUBACK m2\n"
		       "b > PUBLISH q2 m3 t=t p=#1000\n"
		       "b < PUBREC m3\n"
		       "b > PUBLISH q1 m4 t=t p=last\n"
		       "b < PUBACK m4\n"
		       "a < 4 PUBLISH\n"
		       "a cut\n"
		       "a > CONNECT v5 id=a expiry=100 size=200 rmax=2\n"
		       "a < CONNACK 00 present\n"
		       "a < PUBLISH q1 m1 dup t=t p=small\n"
		       "a < PUBLISH q1 m4 dup t=t p=last\n"
		       "b > PUBLISH q1 m5 t=t p=new\n"
		       "b < PUBACK m5\n"
		       "a < nothing\n"
		       "a > PUBACK m1\n"
		       "a < PUBLISH q1 m5 t=t p=new\n");
}

/* QoS 0 messages that were kept for it are not overtaken by later ones. */
static void test_return_to_kept_qos_0(void **state)
{
	(void)state;
	set.queue_qos0_absent = true;
	play_all(&set, "a > CONNECT v5 id=a expiry=100\n"
		       "a < CONNACK 00\n"
		       "a > SUBSCRIBE m1 f=t,q2\n"
		       "a < SUBACK m1 02\n"
		       "a cut\n"
		       "b > CONNECT v5 id=b clean\n"
		       "b < CONNACK 00\n"
		       "b > PUBLISH q1 m1 t=t p=1\n"
		       "b < PUBACK m1\n"
		       "b > PUBLISH q1 m2 t=t p=2\n"
		       "b < PUBACK m2\n"
		       "b > PUBLISH t=t p=3\n"
		       "a > CONNECT v5 id=a expiry=100 rmax=1\n"
		       "a < CONNACK 00 present\n"
		       "a < PUBLISH q1 m1 t=t p=1\n"
		       "b > PUBLISH t=t p=4\n"
		       "a < nothing\n"
		       "a > PUBACK m1\n"
		       "a < PUBLISH q1 m2 t=t p=2\n"
		       "a < PUBLISH q0 t=t p=3\n"
		       "a < PUBLISH q0 t=t p=4\n"
		       "b > PUBLISH t=t p=5\n"
		       "a < PUBLISH q0 t=t p=5\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_return_with_smaller_packets, setup),
		cmocka_unit_test_setup(test_return_to_kept_qos_0, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
