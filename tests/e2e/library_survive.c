/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A publisher and a subscriber that outlive their broker: numbered messages, acknowledged out of
 * order, while the broker is killed and started again. At QoS 2 each comes once, at QoS 1 at least
 * once, none is lost.
 *
 *	library_survive ADDRESS QOS COUNT
 *
 * Prints how many have come, every tenth of the way: a cue for whoever kills the broker.
 */
#include <nightjar/client.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE_MS 60000
#define KEPT_MAX 8 /* messages that are in hand at a time */

struct test {
	uint8_t qos;
	unsigned count;
	unsigned distinct;
	unsigned char *times; /* each number has come */
	nj_message *kept[KEPT_MAX];
	unsigned kept_count;
};

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s\n", #condition);                                       \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

static nj_client *client_of(const char *address, const char *id)
{
	struct nj_options o = NJ_OPTIONS_INIT;
	nj_client *c;
	o.address = address;
	o.client_id = id;
	o.clean_start = false;
	o.session_expiry = 3600;
	o.manual_ack = true;
	o.when_full = NJ_FULL_WAIT;
	o.outbox_messages_max = 50;
	o.retry_base_ms = 20;
	o.retry_max_ms = 200;
	CHECK(nj_new(&o, &c) == 0);
	CHECK(nj_start(c) == 0);
	CHECK(nj_connect(c, PATIENCE_MS) == 0);
	return c;
}

static void subscribe(nj_client *c, uint8_t qos)
{
	struct nj_subscription s = {0};
	nj_delivery *d;
	s.filter = "survive";
	s.qos = qos;
	CHECK(nj_subscribe(c, &s, 1, NULL, 0, &d) == 0);
	CHECK(nj_delivery_wait(d, PATIENCE_MS) == 0);
	CHECK(nj_delivery_outcome(d, NULL) == NJ_ACKNOWLEDGED);
	nj_delivery_free(d);
}

static void publish(nj_client *c, const struct test *t, unsigned number)
{
	struct nj_message_out m = {0};
	char text[16];
	snprintf(text, sizeof(text), "%u", number);
	m.topic = "survive";
	m.payload = text;
	m.payload_len = strlen(text);
	m.qos = t->qos;
	CHECK(nj_publish(c, &m, NULL) == 0);
}

/* The last first: the library is to keep the order of the wire. A void handle is one whose message
 * comes again. */
static void let_go(struct test *t)
{
	while (t->kept_count > 0) {
		nj_message *m = t->kept[--t->kept_count];
		int error = nj_ack(m);
		CHECK(error == 0 || error == NJ_ERROR_NOT_FOUND);
		nj_message_unref(m);
	}
}

static void take(struct test *t, nj_message *m)
{
	unsigned number = (unsigned)atoi((const char *)nj_message_payload(m).ptr);
	CHECK(number < t->count);
	CHECK(t->qos < 2 || t->times[number] == 0);
	if (t->times[number]++ == 0 && ++t->distinct % (t->count / 10) == 0) {
		printf("%u have come\n", t->distinct);
		fflush(stdout);
	}
	t->kept[t->kept_count++] = m;
	if (t->kept_count == KEPT_MAX)
		let_go(t);
}

static void receive_what_is_there(nj_client *c, struct test *t, int64_t timeout_ms)
{
	nj_message *m;
	int error;
	while ((error = nj_receive(c, timeout_ms, &m)) == 0) {
		take(t, m);
		timeout_ms = 0;
	}
	CHECK(error == NJ_ERROR_TIMED_OUT);
	let_go(t);
}

int main(int argc, char **argv)
{
	struct test t = {0};
	CHECK(argc == 4);
	t.qos = (uint8_t)atoi(argv[2]);
	t.count = (unsigned)atoi(argv[3]);
	t.times = calloc(t.count, 1);
	CHECK(t.times && t.count >= 10);
	nj_client *in = client_of(argv[1], "survive-in"), *out = client_of(argv[1], "survive-out");
	subscribe(in, t.qos);
	for (unsigned i = 0; i < t.count; i++) {
		publish(out, &t, i);
		receive_what_is_there(in, &t, 0);
	}
	CHECK(nj_drain(out, PATIENCE_MS) == 0);
	while (t.distinct < t.count)
		receive_what_is_there(in, &t, 1000);
	CHECK(nj_disconnect(out, PATIENCE_MS) == 0);
	CHECK(nj_disconnect(in, PATIENCE_MS) == 0);
	nj_free(in);
	nj_free(out);
	free(t.times);
	puts("all is well");
	return 0;
}
