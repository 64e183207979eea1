/* SPDX-License-Identifier: Apache-2.0 */
/* Order: per publisher, topic and QoS, whatever way each message takes [MQTT-4.6.0-6]. */
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

/* Enough of them that some live on other shards than their publisher. */
#define SUBSCRIBERS(options, topic)                                                                \
	"a > CONNECT v5 id=a clean " options "\na < CONNACK 00\n"                                  \
	"b > CONNECT v5 id=b clean " options "\nb < CONNACK 00\n"                                  \
	"c > CONNECT v5 id=c clean " options "\nc < CONNACK 00\n"                                  \
	"d > CONNECT v5 id=d clean " options "\nd < CONNACK 00\n"                                  \
	"a > SUBSCRIBE m1 f=" topic "\na < SUBACK m1 02\n"                                         \
	"b > SUBSCRIBE m1 f=" topic "\nb < SUBACK m1 02\n"                                         \
	"c > SUBSCRIBE m1 f=" topic "\nc < SUBACK m1 02\n"                                         \
	"d > SUBSCRIBE m1 f=" topic "\nd < SUBACK m1 02\n"

#define ALL(line) "a " line "\nb " line "\nc " line "\nd " line "\n"

/* A retained one goes through the log, those around it need not. */
static void test_order_of_retained_among_others_at_qos_1(void **state)
{
	(void)state;
	play_all(&set, SUBSCRIBERS("", "t,q2") "p > CONNECT v5 id=p clean\n"
					       "p < CONNACK 00\n"
					       "p + PUBLISH q1 m1 t=t p=1\n"
					       "p + PUBLISH q1 m2 retain t=t p=2\n"
					       "p > PUBLISH q1 m3 t=t p=3\n"
					       "p < PUBACK m1\n"
					       "p < PUBACK m2\n"
					       "p < PUBACK m3\n" ALL("< PUBLISH q1 m1 t=t p=1")
						       ALL("< PUBLISH q1 m2 t=t p=2")
							       ALL("< PUBLISH q1 m3 t=t p=3"));
}

static void test_order_of_retained_among_others_at_qos_0(void **state)
{
	(void)state;
	play_all(&set, SUBSCRIBERS("", "t,q2") "p > CONNECT v5 id=p clean\n"
					       "p < CONNACK 00\n"
					       "p + PUBLISH t=t p=1\n"
					       "p + PUBLISH retain t=t p=2\n"
					       "p > PUBLISH t=t p=3\n" ALL("< PUBLISH q0 t=t p=1")
						       ALL("< PUBLISH q0 t=t p=2")
							       ALL("< PUBLISH q0 t=t p=3"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_order_of_retained_among_others_at_qos_1, setup),
		cmocka_unit_test_setup(test_order_of_retained_among_others_at_qos_0, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
