/* SPDX-License-Identifier: Apache-2.0 */
/* A connection that is lost at every byte of a conversation, either way: the broker goes on, others
 * notice nothing, and all memory comes back. */
#include "kit/play.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* Says a bit of everything, surviving or not. */
static const char *const conversation[] = {
	"CONNECT v5 id=cut clean expiry=60 keep=10 alias=3 will=t/will:gone willqos=1",
	"SUBSCRIBE m1 sid=9 f=t/#,q2 f=$share/g/t/+,q1",
	"PUBLISH q1 m2 t=t/1 p=one user=k:v alias=1",
	"PUBLISH q2 m3 alias=1 p=two expiry=10",
	"PUBLISH retain t=t/r p=three",
	"PUBREL m3",
	"PUBACK m1",
	"PUBREC m2",
	"PUBCOMP m2",
	"UNSUBSCRIBE m4 f=t/#",
	"PINGREQ",
	"DISCONNECT rc=04 expiry=5",
};

static size_t encode_all(uint8_t *bytes, size_t room)
{
	size_t len = 0;
	for (unsigned i = 0; i < ARRAY_COUNT(conversation); i++)
		len += talk_encode(conversation[i], MQTT_5, (struct room){bytes + len, room - len});
	return len;
}

static void begin(struct play *p, unsigned shard_count, uint64_t seed)
{
	struct settings set;
	settings_init(&set);
	play_start(p, &set, shard_count, seed, seed % 2 ? 0 : 5);
	play_lines(p, "w > CONNECT v4 id=watch clean\n"
		      "w < CONNACK 00\n"
		      "w > SUBSCRIBE m1 f=w/#,q1\n"
		      "w < SUBACK m1 01\n");
}

/* The client comes back, ends what is left of its session, and the watcher is as it was. */
static void end(struct play *p)
{
	play_lines(p, "wait 100\n"
		      "c at 1\n"
		      "c > CONNECT v5 id=cut clean\n"
		      "c < CONNACK 00\n"
		      "c > PUBLISH q1 m1 t=w/1 p=here\n"
		      "w < PUBLISH q1 m1 t=w/1 p=here\n"
		      "w > PUBACK m1\n");
	buffer_release(&play_actor(p, "c")->in);
	play_stop(p);
}

static void converse(struct play *p, const char *cut)
{
	static uint8_t bytes[1000];
	struct actor *a = play_actor(p, "c");
	size_t len = encode_all(bytes, sizeof(bytes));
	play_line(p, "together");
	play_line(p, "c + RAW v5 00"); /* opens the connection */
	buffer_release(&a->out);
	play_line(p, "%s", cut);
	if (buffer_append(&a->out, span_of(bytes, len)))
		fail();
	play_line(p, "apart");
	play_line(p, "c close");
	buffer_release(&a->in);
}

static void test_cut_what_a_client_sends_at_every_byte(void **state)
{
	static struct play p;
	static uint8_t bytes[1000];
	char cut[32];
	(void)state;
	size_t len = encode_all(bytes, sizeof(bytes));
	for (unsigned n = 0; n <= len; n++) {
		begin(&p, n % 3 + 1, n);
		snprintf(cut, sizeof(cut), "c cut %u", n);
		converse(&p, cut);
		end(&p);
	}
}

static void test_cut_what_the_broker_sends_at_every_byte(void **state)
{
	static struct play p;
	char cut[32];
	(void)state;
	for (unsigned n = 0; n <= 200; n++) {
		begin(&p, n % 3 + 1, n);
		snprintf(cut, sizeof(cut), "c deaf %u", n);
		converse(&p, cut);
		end(&p);
	}
}

/* The broker ends in the middle of everything. */
static void test_cut_the_broker_itself(void **state)
{
	static struct play p;
	static uint8_t bytes[1000];
	(void)state;
	size_t len = encode_all(bytes, sizeof(bytes));
	for (unsigned n = 0; n <= len; n += 3)
		for (unsigned turns = 0; turns < 12; turns++) {
			begin(&p, 3, n);
			struct actor *c = play_actor(&p, "c");
			play_lines(&p, "together\n"
				       "c + RAW v5 00\n");
			struct span some = span_of(bytes, n);
			if (n > 0)
				assert_int_equal(c->stream.ops->write(&c->stream, &some, 1), n);
			buffer_release(&c->out);
			for (unsigned t = 0; t < turns; t++)
				kit_step(&p.kit);
			buffer_release(&play_actor(&p, "w")->in);
			buffer_release(&c->in);
			play_stop(&p);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut_what_a_client_sends_at_every_byte),
		cmocka_unit_test(test_cut_what_the_broker_sends_at_every_byte),
		cmocka_unit_test(test_cut_the_broker_itself),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
