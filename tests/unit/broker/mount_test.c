/* SPDX-License-Identifier: Apache-2.0 */
/* Mount points of listeners: what their clients call a is dev/a for everybody else. */
#include "kit/play.h"

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

static void perform(const char *script)
{
	play_over(&set, 1, script);
	play_over(&set, 3, script);
}

#define BOTH                                                                                       \
	"m mount dev/\nm > CONNECT v5 id=m clean expiry=100\nm < CONNACK 00\n"                     \
	"p > CONNECT v5 id=p clean expiry=100\np < CONNACK 00\n"

static void test_mount_publish_and_deliver(void **state)
{
	(void)state;
	perform(BOTH "m > SUBSCRIBE m1 f=a/+,q2\nm < SUBACK m1 02\n"
		     "p > SUBSCRIBE m1 f=#,q1\np < SUBACK m1 01\n"
		     "m > PUBLISH q1 m1 t=a/1 p=one\nm < PUBLISH q1 m1 t=a/1 p=one\nm > PUBACK m1\n"
		     "m < PUBACK m1\np < PUBLISH q1 m1 t=dev/a/1 p=one\np > PUBACK m1\n"
		     "p > PUBLISH q0 t=dev/a/2 p=two\nm < PUBLISH q0 t=a/2 p=two\n"
		     "p < PUBLISH q0 t=dev/a/2 p=two\n"
		     "p > PUBLISH q0 t=a/3 p=three\np < PUBLISH q0 t=a/3 p=three\nm < nothing\n"
		     "m > UNSUBSCRIBE m2 f=a/+ f=b\nm < UNSUBACK m2 00 11\n");
}

/* Its topic above dev/, and dev/ itself, have no name for its clients. */
static void test_mount_shows_nothing_else(void **state)
{
	(void)state;
	perform(BOTH "m > SUBSCRIBE m1 f=#,q1\nm < SUBACK m1 01\n"
		     "p > PUBLISH q1 m1 t=dev p=1\np < PUBACK m1\n"
		     "p > PUBLISH q0 t=dev/ p=2\np > PUBLISH q0 t=other p=3\nm < nothing\n"
		     "p > PUBLISH q0 t=dev// p=4\nm < PUBLISH q0 t=/ p=4\n");
}

static void test_mount_shared_subscriptions(void **state)
{
	(void)state;
	perform(BOTH "m > SUBSCRIBE m1 f=$share/g/a,q1\nm < SUBACK m1 01\n"
		     "p > SUBSCRIBE m1 f=$share/g/dev/a,q1\np < SUBACK m1 01\n"
		     /* the same group: one of both gets it */
		     "p > UNSUBSCRIBE m2 f=$share/g/a\np < UNSUBACK m2 11\n"
		     "p > UNSUBSCRIBE m3 f=$share/g/dev/a\np < UNSUBACK m3 00\n"
		     "p > PUBLISH q0 t=dev/a p=1\nm < PUBLISH q0 t=a p=1\n"
		     "m > UNSUBSCRIBE m2 f=$share/g/a\nm < UNSUBACK m2 00\n");
}

static void test_mount_will(void **state)
{
	(void)state;
	perform(BOTH "p > SUBSCRIBE m1 f=dev/w\np < SUBACK m1 00\n"
		     "w mount dev/\nw > CONNECT v5 id=w clean will=w:gone\nw < CONNACK 00\nw cut\n"
		     "p < PUBLISH q0 t=dev/w p=gone\n");
}

/* Alone: among several shards a retained message may come before SUBACK. */
static void test_mount_retained(void **state)
{
	(void)state;
	play_over(&set, 1,
		  BOTH "m > PUBLISH q1 m1 retain t=r p=kept\nm < PUBACK m1 rc=10\n"
		       "m > SUBSCRIBE m2 f=r\nm < SUBACK m2 00\nm < PUBLISH q0 retain t=r p=kept\n"
		       "p > SUBSCRIBE m2 f=dev/r\np < SUBACK m2 00\n"
		       "p < PUBLISH q0 retain t=dev/r p=kept\n");
}

/* Aliases stand for what the client calls a topic, in both directions. */
static void test_mount_topic_aliases(void **state)
{
	(void)state;
	perform("m mount dev/\nm > CONNECT v5 id=m clean alias=5\nm < CONNACK 00\n"
		"m > SUBSCRIBE m1 f=a\nm < SUBACK m1 00\n"
		"m > PUBLISH q0 t=a p=1 alias=1\nm < PUBLISH q0 t=a p=1 alias=1\n"
		"m > PUBLISH q0 t= p=2 alias=1\nm < PUBLISH q0 p=2 alias=1\n");
}

/* Without a slash the text goes in front all the same; what is no filter then is refused. */
static void test_mount_without_a_slash(void **state)
{
	(void)state;
	perform("m mount dev\nm > CONNECT v5 id=m clean\nm < CONNACK 00\n"
		"m > SUBSCRIBE m1 f=a f=# f=+/b f=/c f=$share/g/#\nm < SUBACK m1 00 8f 8f 00 8f\n"
		"p > CONNECT v5 id=p clean\np < CONNACK 00\n"
		"p > PUBLISH q0 t=deva p=1\nm < PUBLISH q0 t=a p=1\n"
		"p > PUBLISH q0 t=dev/c p=2\nm < PUBLISH q0 t=/c p=2\n");
}

/* A session that comes by another listener keeps its subscriptions, as they were mounted; what its
 * client has no name for is not for it, however far it had come. */
static void test_mount_session_by_another_listener(void **state)
{
	(void)state;
	perform("s > CONNECT v5 id=s expiry=100\ns < CONNACK 00\n"
		"s > SUBSCRIBE m1 f=#,q2\ns < SUBACK m1 02\n"
		"p > CONNECT v5 id=p clean\np < CONNACK 00\n"
		"p > PUBLISH q1 m1 t=a p=1\np < PUBACK m1\ns < PUBLISH q1 m1 t=a p=1\n"
		"p > PUBLISH q1 m2 t=dev/b p=2\np < PUBACK m2\ns < PUBLISH q1 m2 t=dev/b p=2\n"
		"p > PUBLISH q2 m3 t=c p=3\np < PUBREC m3\np > PUBREL m3\np < PUBCOMP m3\n"
		"s < PUBLISH q2 m3 t=c p=3\n"
		"s cut\ns mount dev/\ns > CONNECT v5 id=s expiry=100\ns < CONNACK 00 present\n"
		"s < PUBLISH q1 m2 dup t=b p=2\ns > PUBACK m2\ns < nothing\n"
		"p > PUBLISH q1 m4 t=d p=4\np < PUBACK m4\n"
		"p > PUBLISH q1 m5 t=dev/e p=5\np < PUBACK m5\ns < PUBLISH q1 m4 t=e p=5\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mount_publish_and_deliver),
		cmocka_unit_test(test_mount_shows_nothing_else),
		cmocka_unit_test(test_mount_shared_subscriptions),
		cmocka_unit_test(test_mount_will),
		cmocka_unit_test(test_mount_retained),
		cmocka_unit_test(test_mount_topic_aliases),
		cmocka_unit_test(test_mount_without_a_slash),
		cmocka_unit_test(test_mount_session_by_another_listener),
	};
	return cmocka_run_group_tests(tests, setup, NULL);
}
