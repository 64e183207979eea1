/* SPDX-License-Identifier: Apache-2.0 */
/* PUBLISH through the broker: every QoS, version and subscription; answers, identifiers, aliases,
 * sizes, windows ([5] 3.3, 4.3, 4.9). */
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

static void publish_once(struct play *p, unsigned qos, unsigned granted)
{
	unsigned sent = qos < granted ? qos : granted;
	play_line(p, qos ? "p > PUBLISH q%u m7 t=t/1 p=hello" : "p > PUBLISH q%u t=t/1 p=hello",
		  qos);
	if (qos == 1)
		play_line(p, "p < PUBACK m7");
	if (qos == 2)
		play_lines(p, "p < PUBREC m7\np > PUBREL m7\np < PUBCOMP m7\n");
	play_line(p, sent ? "s < PUBLISH q%u m1 t=t/1 p=hello" : "s < PUBLISH q%u t=t/1 p=hello",
		  sent);
	if (sent == 1)
		play_line(p, "s > PUBACK m1");
	if (sent == 2)
		play_lines(p, "s > PUBREC m1\ns < PUBREL m1\ns > PUBCOMP m1\n");
	play_lines(p, "p < nothing\ns < nothing\n");
}

/* With all packets of each level and none besides, at the lower of both [MQTT-3.8.4-8]. */
static void test_publish_every_way(void **state)
{
	static struct play p;
	(void)state;
	for (unsigned i = 0; i < 3 * 3 * 3 * 3 * 2; i++) {
		unsigned publisher = 3 + i % 3, subscriber = 3 + i / 3 % 3;
		unsigned qos = i / 9 % 3, granted = i / 27 % 3, shards = i / 81 ? 3 : 1;
		play_start(&p, &set, shards, i, i % 5);
		play_line(&p, "s > CONNECT v%u id=s", subscriber);
		play_line(&p, "s < CONNACK 00");
		play_line(&p, "s > SUBSCRIBE m1 f=t/+,q%u", granted);
		play_line(&p, "s < SUBACK m1 %02x", granted);
		play_line(&p, "p > CONNECT v%u id=p clean", publisher);
		play_line(&p, "p < CONNACK 00");
		publish_once(&p, qos, granted);
		play_stop(&p);
	}
}

/* To many at once, each gets its own packet id and RETAIN flag. */
static void test_publish_fanned_out(void **state)
{
	(void)state;
	play_all(&set, "a > CONNECT v5 id=a clean\na < CONNACK 00\n"
		       "b > CONNECT v5 id=b clean\nb < CONNACK 00\n"
		       "c > CONNECT v5 id=c clean\nc < CONNACK 00\n"
		       "a > SUBSCRIBE m1 f=t,q1\na < SUBACK m1 01\n"
		       "b > SUBSCRIBE m1 f=t,q1 f=u,q1\nb < SUBACK m1 01 01\n"
		       "c > SUBSCRIBE m1 f=t,q1,rap\nc < SUBACK m1 01\n"
		       "p > CONNECT v4 id=p clean\np < CONNACK 00\n"
		       "p > PUBLISH q1 m1 t=u p=1\np < PUBACK m1\n"
		       "b < PUBLISH q1 m1 t=u p=1\n"
		       "p > PUBLISH q1 m1 retain t=t p=2\np < PUBACK m1\n"
		       "a < PUBLISH q1 m1 t=t p=2\n"
		       "b < PUBLISH q1 m2 t=t p=2\n"
		       "c < PUBLISH q1 m1 retain t=t p=2\n");
}

/* Some wait for other shards, some do not: they leave in order all the same [MQTT-4.6.0-2, -3]. */
static void test_publish_answers_in_order(void **state)
{
	(void)state;
	play_all(&set, "a > CONNECT v4 id=a clean\na < CONNACK 00\n"
		       "b > CONNECT v4 id=b clean\nb < CONNACK 00\n"
		       "c > CONNECT v4 id=c clean\nc < CONNACK 00\n"
		       "d > CONNECT v4 id=d clean\nd < CONNACK 00\n"
		       "a > SUBSCRIBE m1 f=a\na < SUBACK m1 00\n"
		       "b > SUBSCRIBE m1 f=b\nb < SUBACK m1 00\n"
		       "c > SUBSCRIBE m1 f=c\nc < SUBACK m1 00\n"
		       "d > SUBSCRIBE m1 f=d\nd < SUBACK m1 00\n"
		       "p > CONNECT v5 id=p clean\np < CONNACK 00\n"
		       "p + PUBLISH q1 m1 t=a p=1\n"
		       "p + PUBLISH q1 m2 t=none p=1\n"
		       "p + PUBLISH q2 m3 t=b p=1\n"
		       "p + PUBLISH q1 m4 t=none p=1\n"
		       "p + PUBLISH q1 m5 t=c p=1\n"
		       "p + PUBLISH q2 m6 t=none p=1\n"
		       "p + PUBREL m3\n"
		       "p + PUBLISH q1 m7 retain t=none p=1\n"
		       "p + PUBLISH q1 m8 t=d p=1\n"
		       "p > PUBLISH q1 m9 t=none p=1\n"
		       "p < PUBACK m1\n"
		       "p < PUBACK m2 rc=10\n"
		       "p < PUBREC m3\n"
		       "p < PUBACK m4 rc=10\n"
		       "p < PUBACK m5\n"
		       "p < PUBREC m6 rc=10\n"
		       "p < PUBCOMP m3\n"
		       "p < PUBACK m7 rc=10\n"
		       "p < PUBACK m8\n"
		       "p < PUBACK m9 rc=10\n"
		       "a < PUBLISH q0 t=a p=1\n"
		       "b < PUBLISH q0 t=b p=1\n"
		       "c < PUBLISH q0 t=c p=1\n"
		       "d < PUBLISH q0 t=d p=1\n");
}

static void test_publish_qos_2_once(void **state)
{
	(void)state;
	play_all(&set, "s > CONNECT v4 id=s clean\ns < CONNACK 00\n"
		       "s > SUBSCRIBE m1 f=t,q0\ns < SUBACK m1 00\n"
		       "p > CONNECT v5 id=p clean expiry=100\np < CONNACK 00\n"
		       "p > PUBLISH q2 m1 t=t p=1\n"
		       "p < PUBREC m1\n"
		       "p > PUBLISH q2 m1 dup t=t p=1\n"
		       "p < PUBREC m1\n"
		       "p cut\n"
		       "p > CONNECT v5 id=p expiry=100\np < CONNACK 00 present\n"
		       "p > PUBLISH q2 m1 dup t=t p=1\n"
		       "p < PUBREC m1\n"
		       "s < PUBLISH q0 t=t p=1\n"
		       "s < nothing\n"
		       "p > PUBREL m1\n"
		       "p < PUBCOMP m1\n"
		       "p > PUBREL m1\n"
		       "p < PUBCOMP m1 rc=92\n"
		       "# the id is free, so it is another message\n"
		       "p > PUBLISH q2 m1 t=t p=2\n"
		       "p < PUBREC m1\n"
		       "s < PUBLISH q0 t=t p=2\n"
		       "# and may not be used at QoS 1 meanwhile\n"
		       "p > PUBLISH q1 m1 t=t p=3\n"
		       "p < PUBACK m1 rc=91\n"
		       "s < nothing\n");
}

static void test_publish_again_after_reconnect(void **state)
{
	(void)state;
	play_all(&set, "s > CONNECT v5 id=s clean expiry=100\ns < CONNACK 00\n"
		       "s > SUBSCRIBE m1 f=t,q2\ns < SUBACK m1 02\n"
		       "p > CONNECT v4 id=p clean\np < CONNACK 00\n"
		       "p + PUBLISH q1 m1 t=t p=1\n"
		       "p + PUBLISH q2 m2 t=t p=2\n"
		       "p > PUBLISH q2 m3 t=t p=3\n"
		       "p < PUBACK m1\np < PUBREC m2\np < PUBREC m3\n"
		       "s < PUBLISH q1 m1 t=t p=1\n"
		       "s < PUBLISH q2 m2 t=t p=2\n"
		       "s < PUBLISH q2 m3 t=t p=3\n"
		       "s > PUBREC m2\n"
		       "s < PUBREL m2\n"
		       "s cut\n"
		       "p > PUBLISH q1 m4 t=t p=4\n"
		       "p < PUBACK m4\n"
		       "s > CONNECT v5 id=s expiry=100\n"
		       "s < CONNACK 00 present\n"
		       "s < PUBLISH q1 m1 dup t=t p=1\n"
		       "s < PUBREL m2\n"
		       "s < PUBLISH q2 m3 dup t=t p=3\n"
		       "s < PUBLISH q1 m4 t=t p=4\n"
		       "s + PUBACK m1\n"
		       "s + PUBCOMP m2\n"
		       "s + PUBREC m3\n"
		       "s > PUBACK m4\n"
		       "s < PUBREL m3\n"
		       "s > PUBCOMP m3\n"
		       "s cut\n"
		       "s > CONNECT v5 id=s expiry=100\n"
		       "s < CONNACK 00 present\n"
		       "s < nothing\n");
}

/* Answers of subscribers that fit nothing: tolerated where a late one is harmless. */
static void test_publish_answers_that_fit_nothing(void **state)
{
	(void)state;
	play_all(&set, "s > CONNECT v5 id=s clean\ns < CONNACK 00\n"
		       "s > SUBSCRIBE m1 f=t,q2\ns < SUBACK m1 02\n"
		       "s > PUBACK m9\n"
		       "s > PUBCOMP m9\n"
		       "s > PUBREC m9\n"
		       "s < PUBREL m9 rc=92\n"
		       "p > CONNECT v4 id=p clean\np < CONNACK 00\n"
		       "p > PUBLISH q2 m1 t=t p=1\np < PUBREC m1\n"
		       "s < PUBLISH q2 m1 t=t p=1\n"
		       "s > PUBREC m1 rc=80\n"
		       "p > PUBLISH q2 m2 t=t p=1\np < PUBREC m2\n"
		       "s < PUBLISH q2 m2 t=t p=1\n"
		       "s > PUBACK m2\n"
		       "s < DISCONNECT 82\n"
		       "s < closed\n");
}

static void test_publish_identifiers(void **state)
{
	(void)state;
	play_all(&set, "s > CONNECT v5 id=s clean\ns < CONNACK 00\n"
		       "s > SUBSCRIBE m1 sid=7 f=a/+,q1\ns < SUBACK m1 01\n"
		       "s > SUBSCRIBE m2 sid=300000 f=#,q0\ns < SUBACK m2 00\n"
		       "s > SUBSCRIBE m3 f=+/b,q2\ns < SUBACK m3 02\n"
		       "p > CONNECT v5 id=p clean\np < CONNACK 00\n"
		       "p > PUBLISH q2 m1 t=a/b p=1 user=k:v type=x\n"
		       "p < PUBREC m1\n"
		       "s < PUBLISH q2 m1 t=a/b p=1 type=x sid=7,300000 user=k:v\n"
		       "p > PUBLISH t=z p=2\n"
		       "s < PUBLISH q0 t=z p=2 sid=300000\n"
		       "p > PUBLISH t=z/b p=3\n"
		       "s < PUBLISH q0 t=z/b p=3 sid=300000\n"
		       "s > UNSUBSCRIBE m4 f=#\ns < UNSUBACK m4 00\n"
		       "s > UNSUBSCRIBE m5 f=#\ns < UNSUBACK m5 11\n"
		       "p > PUBLISH t=z/b p=4\n"
		       "s < PUBLISH q0 t=z/b p=4\n"
		       "# clients may not send them\n"
		       "p > PUBLISH t=z/b p=4 sid=5\n"
		       "p < DISCONNECT 82\n"
		       "p < closed\n");
}

static void test_publish_no_local(void **state)
{
	(void)state;
	play_all(&set, "a > CONNECT v5 id=a clean\na < CONNACK 00\n"
		       "b > CONNECT v5 id=b clean\nb < CONNACK 00\n"
		       "a > SUBSCRIBE m1 sid=1 f=t,q1,nl\na < SUBACK m1 01\n"
		       "b > SUBSCRIBE m1 f=t,nl\nb < SUBACK m1 00\n"
		       "a > PUBLISH t=t p=1\n"
		       "b < PUBLISH q0 t=t p=1\n"
		       "a < nothing\n"
		       "# its other subscriptions still count\n"
		       "a > SUBSCRIBE m2 sid=2 f=#\na < SUBACK m2 00\n"
		       "a > PUBLISH q1 m1 t=t p=2\n"
		       "a < 2 PUB\n"
		       "b < PUBLISH q0 t=t p=2\n"
		       "b > PUBLISH q1 m1 t=t p=3\n"
		       "b < PUBACK m1\n"
		       "a < PUBLISH q1 m1 t=t p=3 sid=1,2\n"
		       "# not with shared subscriptions\n"
		       "a > SUBSCRIBE m3 f=$share/g/t,nl\n"
		       "a < DISCONNECT 82\n"
		       "a < closed\n");
}

static void test_publish_expires(void **state)
{
	(void)state;
	play_all(&set, "s > CONNECT v5 id=s clean expiry=100\ns < CONNACK 00\n"
		       "s > SUBSCRIBE m1 f=t,q1\ns < SUBACK m1 01\n"
		       "p > CONNECT v5 id=p clean\np < CONNACK 00\n"
		       "p > PUBLISH q1 m1 t=t p=1 expiry=10\np < PUBACK m1\n"
		       "s < PUBLISH q1 m1 t=t p=1 expiry=10\n"
		       "s > PUBACK m1\n"
		       "s cut\n"
		       "p > PUBLISH q1 m2 t=t p=2 expiry=10\np < PUBACK m2\n"
		       "p > PUBLISH q1 m3 t=t p=3 expiry=20\np < PUBACK m3\n"
		       "p > PUBLISH q1 m4 t=t p=4\np < PUBACK m4\n"
		       "wait 10100\n"
		       "s > CONNECT v5 id=s expiry=100\ns < CONNACK 00 present\n"
		       "s < PUBLISH q1 m2 t=t p=3 expiry=10\n"
		       "s < PUBLISH q1 m3 t=t p=4\n");
}

static void test_publish_aliases_in(void **state)
{
	(void)state;
	set.topic_alias_max_in = 2;
	play_all(&set, "s > CONNECT v4 id=s clean\ns < CONNACK 00\n"
		       "s > SUBSCRIBE m1 f=#\ns < SUBACK m1 00\n"
		       "p > CONNECT v5 id=p clean\np < CONNACK 00\n"
		       "p + PUBLISH t=a alias=1 p=1\n"
		       "p + PUBLISH alias=1 p=2\n"
		       "p + PUBLISH t=b alias=1 p=3\n"
		       "p + PUBLISH t=a alias=2 p=4\n"
		       "p + PUBLISH alias=1 p=5\n"
		       "p > PUBLISH q1 m1 alias=2 p=6\n"
		       "p < PUBACK m1\n"
		       "s < PUBLISH q0 t=a p=1\n"
		       "s < PUBLISH q0 t=a p=2\n"
		       "s < PUBLISH q0 t=b p=3\n"
		       "s < PUBLISH q0 t=a p=4\n"
		       "s < PUBLISH q0 t=b p=5\n"
		       "s < PUBLISH q0 t=a p=6\n"
		       "p > PUBLISH t=a alias=3 p=7\n"
		       "p < DISCONNECT 94\n"
		       "p < closed\n"
		       "# they end with the connection\n"
		       "p > CONNECT v5 id=p\np < CONNACK 00\n"
		       "p > PUBLISH alias=1 p=8\n"
		       "p < DISCONNECT 82\n"
		       "p < closed\n");
}

static void test_publish_aliases_out(void **state)
{
	(void)state;
	play_all(&set, "s > CONNECT v5 id=s clean alias=2\ns < CONNACK 00\n"
		       "s > SUBSCRIBE m1 f=#,q1\ns < SUBACK m1 01\n"
		       "p > CONNECT v4 id=p clean\np < CONNACK 00\n"
		       "p + PUBLISH t=a p=1\n"
		       "p + PUBLISH t=a p=2\n"
		       "p + PUBLISH t=b p=3\n"
		       "p + PUBLISH t=c p=4\n"
		       "p + PUBLISH t=b p=5\n"
		       "p > PUBLISH t=a p=6\n"
		       "s < PUBLISH q0 t=a p=1 alias=1\n"
		       "s < PUBLISH q0 p=2 alias=1\n"
		       "s < PUBLISH q0 t=b p=3 alias=2\n"
		       "s < PUBLISH q0 t=c p=4\n"
		       "s < PUBLISH q0 p=5 alias=2\n"
		       "s < PUBLISH q0 p=6 alias=1\n"
		       "p > PUBLISH q1 m1 t=a p=#5000\np < PUBACK m1\n"
		       "s < PUBLISH q1 m1 p=#5000 alias=1\n");
}

/* Too large for one is lost for that one only [MQTT-3.1.2-25], aliases and identifiers counted. */
static void test_publish_too_large_for_one(void **state)
{
	(void)state;
	play_all(&set, "s > CONNECT v5 id=s clean size=20 expiry=100\ns < CONNACK 00\n"
		       "b > CONNECT v5 id=b clean size=20 alias=5\nb < CONNACK 00\n"
		       "c > CONNECT v4 id=c clean\nc < CONNACK 00\n"
		       "s > SUBSCRIBE m1 f=#,q1\ns < SUBACK m1 01\n"
		       "b > SUBSCRIBE m1 f=#\nb < SUBACK m1 00\n"
		       "c > SUBSCRIBE m1 f=#\nc < SUBACK m1 00\n"
		       "p > CONNECT v4 id=p clean\np < CONNACK 00\n"
		       "# 2 + 2 + 1 + 2 + 1 + 12: just as large as they take it at QoS 1\n"
		       "p > PUBLISH q1 m1 t=a p=123456789012\np < PUBACK m1\n"
		       "s < PUBLISH q1 m1 t=a p=123456789012\n"
		       "b < PUBLISH q0 t=a p=123456789012\n"
		       "c < PUBLISH q0 t=a p=123456789012\n"
		       "p > PUBLISH q1 m2 t=a p=1234567890123\np < PUBACK m2\n"
		       "c < PUBLISH q0 t=a p=1234567890123\n"
		       "s < nothing\n"
		       "b < PUBLISH q0 t=a p=1234567890123\n"
		       "p > PUBLISH q1 m3 t=a p=3\np < PUBACK m3\n"
		       "s < PUBLISH q1 m2 t=a p=3\n"
		       "b < PUBLISH q0 t=a p=3 alias=1\n"
		       "c < PUBLISH q0 t=a p=3\n"
		       "# a later connection may take less\n"
		       "s cut\n"
		       "s > CONNECT v5 id=s size=19 expiry=100\ns < CONNACK 00 present\n"
		       "s < PUBLISH q1 m2 dup t=a p=3\n"
		       "s > PUBACK m2\n"
		       "p > PUBLISH q1 m4 t=a p=4\np < PUBACK m4\n"
		       "s < PUBLISH q1 m3 t=a p=4\n"
		       "b < PUBLISH q0 p=4 alias=1\n"
		       "c < PUBLISH q0 t=a p=4\n");
}

static void test_publish_too_large_for_the_broker(void **state)
{
	(void)state;
	set.packet_bytes_max = 100;
	play_all(&set, "a > CONNECT v5 id=a clean\na < CONNACK 00\n"
		       "a > PUBLISH t=t p=#94\n"
		       "a > PUBLISH t=t p=#95\n"
		       "a < DISCONNECT 95\n"
		       "a < closed\n"
		       "b > CONNECT v4 id=b clean\nb < CONNACK 00\n"
		       "b > RAW 30 ff ff ff 7f\n"
		       "b < closed\n");
}

static void test_publish_window_of_a_subscriber(void **state)
{
	(void)state;
	play_all(&set, "s > CONNECT v5 id=s clean rmax=2 expiry=100\ns < CONNACK 00\n"
		       "s > SUBSCRIBE m1 f=t,q2\ns < SUBACK m1 02\n"
		       "p > CONNECT v4 id=p clean\np < CONNACK 00\n"
		       "repeat 5 p + PUBLISH q1 m%d t=t p=%d\n"
		       "p > PUBLISH q2 m9 t=t p=9\n"
		       "p < 6 PUB\n"
		       "s < PUBLISH q1 m1 t=t p=1\n"
		       "s < PUBLISH q1 m2 t=t p=2\n"
		       "s < nothing\n"
		       "s > PUBACK m2\n"
		       "s < PUBLISH q1 m3 t=t p=3\n"
		       "s < nothing\n"
		       "s cut\n"
		       "s > CONNECT v5 id=s rmax=1 expiry=100\ns < CONNACK 00 present\n"
		       "s < PUBLISH q1 m1 dup t=t p=1\n"
		       "s < nothing\n"
		       "s > PUBACK m1\n"
		       "s < PUBLISH q1 m3 dup t=t p=3\n"
		       "s > PUBACK m3\n"
		       "s < PUBLISH q1 m4 t=t p=4\n"
		       "s > PUBACK m4\n"
		       "s < PUBLISH q1 m5 t=t p=5\n"
		       "s > PUBACK m5\n"
		       "s < PUBLISH q2 m6 t=t p=9\n"
		       "p > PUBLISH q1 m10 t=t p=10\np < PUBACK m10\n"
		       "s > PUBREC m6\n"
		       "s < PUBREL m6\n"
		       "s < nothing\n"
		       "s > PUBCOMP m6\n"
		       "s < PUBLISH q1 m7 t=t p=10\n");
}

static void test_publish_window_of_a_publisher(void **state)
{
	(void)state;
	set.receive_maximum = 3;
	set.receive_maximum_slack = 1;
	play_all(&set, "a > CONNECT v5 id=a clean\na < CONNACK 00\n"
		       "repeat 4 a > PUBLISH q2 m%d t=t p=%d\n"
		       "a < 4 PUBREC m\n"
		       "# one that is known is no other\n"
		       "a > PUBLISH q2 m4 dup t=t p=4\n"
		       "a < PUBREC m4\n"
		       "a > PUBLISH q2 m5 t=t p=5\n"
		       "a < DISCONNECT 93\n"
		       "a < closed\n"
		       "# 3.x knows no such limit\n"
		       "b > CONNECT v4 id=b clean\nb < CONNACK 00\n"
		       "repeat 9 b > PUBLISH q2 m%d t=t p=%d\n"
		       "b < 9 PUBREC m\n"
		       "repeat 9 b > PUBREL m%d\n"
		       "b < 9 PUBCOMP m\n");
}

static void test_publish_refused(void **state)
{
	(void)state;
	set.qos_max = 1;
	set.retain_available = false;
	set.topic_levels_max = 3;
	play_all(&set, "a > CONNECT v5 id=a clean\na < CONNACK 00\n"
		       "a > SUBSCRIBE m1 f=#,q2\na < SUBACK m1 01\n"
		       "a > PUBLISH q2 m1 t=t p=1\n"
		       "a < DISCONNECT 9b\n"
		       "a < closed\n"
		       "b > CONNECT v5 id=b clean\nb < CONNACK 00\n"
		       "b > PUBLISH retain t=t p=1\n"
		       "b < DISCONNECT 9a\n"
		       "b < closed\n"
		       "c > CONNECT v5 id=c clean\nc < CONNACK 00\n"
		       "c > PUBLISH q1 m1 t=1/2/3 p=1\n"
		       "c < PUBACK m1 rc=10\n"
		       "c > PUBLISH q1 m2 t=1/2/3/ p=1\n"
		       "c < DISCONNECT 90\n"
		       "c < closed\n");
}

static void test_publish_upgraded(void **state)
{
	(void)state;
	set.upgrade_outgoing_qos = true;
	play_all(&set, "s > CONNECT v4 id=s clean\ns < CONNACK 00\n"
		       "s > SUBSCRIBE m1 f=t,q2\ns < SUBACK m1 02\n"
		       "p > CONNECT v4 id=p clean\np < CONNACK 00\n"
		       "p > PUBLISH t=t p=1\n"
		       "s < PUBLISH q2 m1 t=t p=1\n"
		       "s > PUBREC m1\ns < PUBREL m1\ns > PUBCOMP m1\n");
}

/* A retained one as well, when it is subscribed to later. */
static void test_publish_upgraded_later(void **state)
{
	(void)state;
	set.upgrade_outgoing_qos = true;
	play_over(&set, 1,
		  "p > CONNECT v4 id=p clean\np < CONNACK 00\n"
		  "p > PUBLISH retain t=t p=1\n"
		  "s > CONNECT v4 id=s clean\ns < CONNACK 00\n"
		  "s > SUBSCRIBE m1 f=t,q1\ns < SUBACK m1 01\n"
		  "s < PUBLISH q1 m1 retain t=t p=1\n");
}

/* On request, and for 3.x only: version 5 forbids it [MQTT-4.4.0-1]. */
static void test_publish_retried(void **state)
{
	(void)state;
	set.retry_interval_ms = 5000;
	play_all(&set, "s > CONNECT v4 id=s clean\ns < CONNACK 00\n"
		       "s > SUBSCRIBE m1 f=t,q2\ns < SUBACK m1 02\n"
		       "v > CONNECT v5 id=v clean\nv < CONNACK 00\n"
		       "v > SUBSCRIBE m1 f=t,q2\nv < SUBACK m1 02\n"
		       "p > CONNECT v4 id=p clean\np < CONNACK 00\n"
		       "p > PUBLISH q2 m1 t=t p=1\np < PUBREC m1\n"
		       "s < PUBLISH q2 m1 t=t p=1\n"
		       "v < PUBLISH q2 m1 t=t p=1\n"
		       "wait 4000\n"
		       "s < nothing\n"
		       "wait 6100\n"
		       "s < PUBLISH q2 m1 dup t=t p=1\n"
		       "s > PUBREC m1\n"
		       "s < PUBREL m1\n"
		       "wait 5000\n"
		       "s < PUBREL m1\n"
		       "s > PUBCOMP m1\n"
		       "v < nothing\n"
		       "p < nothing\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_publish_every_way, setup),
		cmocka_unit_test_setup(test_publish_fanned_out, setup),
		cmocka_unit_test_setup(test_publish_answers_in_order, setup),
		cmocka_unit_test_setup(test_publish_qos_2_once, setup),
		cmocka_unit_test_setup(test_publish_again_after_reconnect, setup),
		cmocka_unit_test_setup(test_publish_answers_that_fit_nothing, setup),
		cmocka_unit_test_setup(test_publish_identifiers, setup),
		cmocka_unit_test_setup(test_publish_no_local, setup),
		cmocka_unit_test_setup(test_publish_expires, setup),
		cmocka_unit_test_setup(test_publish_aliases_in, setup),
		cmocka_unit_test_setup(test_publish_aliases_out, setup),
		cmocka_unit_test_setup(test_publish_too_large_for_one, setup),
		cmocka_unit_test_setup(test_publish_too_large_for_the_broker, setup),
		cmocka_unit_test_setup(test_publish_window_of_a_subscriber, setup),
		cmocka_unit_test_setup(test_publish_window_of_a_publisher, setup),
		cmocka_unit_test_setup(test_publish_refused, setup),
		cmocka_unit_test_setup(test_publish_upgraded, setup),
		cmocka_unit_test_setup(test_publish_upgraded_later, setup),
		cmocka_unit_test_setup(test_publish_retried, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
