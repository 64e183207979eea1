/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shards on threads of their own that sleep, wake and borrow each other's turns, over socket pairs.
 * Tokens are passed from client to client, each at a QoS and to a shard that chance decides: little
 * traffic, so that almost every message meets a shard that falls asleep. One that is slept over
 * stops its token for good.
 */
#include "base/buffer.h"
#include "broker/broker.h"
#include "io/loop.h"
#include "io/stream_tcp.h"
#include "kit/random.h"
#include "kit/talk.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define SHARDS 4
#define CLIENTS 16
#define TOKENS 4
#define HOPS 50000
#define PATIENCE_MS 20000 /* for the slowest machine under a sanitizer */

static struct {
	struct broker *broker;
	struct loop loops[SHARDS];
	pthread_t threads[SHARDS];
	atomic_bool is_over;
	int fds[CLIENTS];
	struct buffer in[CLIENTS];
	uint16_t packet_ids[CLIENTS];
	struct random random;
	unsigned hops;
	unsigned answers; /* CONNACK, SUBACK */
} run;

static struct moment now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	uint64_t ms = (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
	return (struct moment){ms, ms};
}

static void wake(void *context, unsigned shard)
{
	(void)context;
	loop_wake(&run.loops[shard]);
}

static int attach(void *context, unsigned shard, struct stream *stream)
{
	(void)context;
	return stream_tcp_attach(stream, &run.loops[shard]);
}

static void *work(void *context)
{
	struct loop *loop = context;
	struct shard *shard = broker_shard(run.broker, (unsigned)(loop - run.loops));
	struct loop_event events[LOOP_EVENTS_MAX];
	unsigned count = 0;
	while (!atomic_load(&run.is_over)) {
		struct moment moment = now();
		loop_set_time(loop, moment.steady_ms);
		shard_turn_begin(shard, moment);
		for (unsigned i = 0; i < count; i++)
			shard_ready(shard, events[i].stream, events[i].is_readable,
				    events[i].is_writable);
		shard_turn_end(shard);
		uint64_t wait = shard_wait_ms(shard);
		if (wait > 0 && !shard_sleep(shard))
			wait = 0;
		count = loop_wait(loop, wait, events);
	}
	return NULL;
}

static void say(unsigned client, const char *words)
{
	uint8_t bytes[256];
	size_t len = talk_encode(words, MQTT_5, (struct room){bytes, sizeof(bytes)});
	ssize_t n = send(run.fds[client], bytes, len, MSG_NOSIGNAL);
	assert_int_equal(n, len);
}

static void pass_on(unsigned from)
{
	char words[64];
	unsigned qos = random_below(&run.random, 3), to = random_below(&run.random, CLIENTS);
	run.packet_ids[from]++;
	snprintf(words, sizeof(words), "PUBLISH q%u m%u t=%s/%u p=token", qos,
		 run.packet_ids[from] % 60000u + 1, random_chance(&run.random, 50) ? "to" : "by",
		 to);
	say(from, words);
}

static void reply(unsigned client, const char *words, unsigned long packet_id)
{
	char text[32];
	snprintf(text, sizeof(text), "%s m%lu", words, packet_id);
	say(client, text);
}

static void hear(unsigned client, const char *text)
{
	const char *id = strstr(text, " m");
	unsigned long packet_id = id ? strtoul(id + 2, NULL, 10) : 0;
	run.answers += strncmp(text, "CONNACK", 7) == 0 || strncmp(text, "SUBACK", 6) == 0;
	if (strncmp(text, "PUBREC", 6) == 0)
		reply(client, "PUBREL", packet_id);
	else if (strncmp(text, "PUBREL", 6) == 0)
		reply(client, "PUBCOMP", packet_id);
	else if (strncmp(text, "PUBLISH q1", 10) == 0)
		reply(client, "PUBACK", packet_id);
	else if (strncmp(text, "PUBLISH q2", 10) == 0)
		reply(client, "PUBREC", packet_id);
	if (strncmp(text, "PUBLISH", 7) != 0)
		return;
	run.hops++;
	pass_on(client);
}

static void receive(unsigned client)
{
	struct buffer *in = &run.in[client];
	struct fixed_header h;
	const struct flaw *flaw;
	char text[TALK_TEXT_MAX];
	int error = buffer_reserve(in, 4096);
	assert_int_equal(error, 0);
	ssize_t n = recv(run.fds[client], buffer_room(in).ptr, 4096, 0);
	assert_true(n > 0);
	buffer_commit(in, (size_t)n);
	while (fixed_header_decode(buffer_content(in), &h, &flaw) == HEADER_OK) {
		size_t len = (size_t)h.header_len + h.remaining_length;
		if (buffer_len(in) < len)
			break;
		talk_decode(span_of(buffer_content(in).ptr, len), MQTT_5, text);
		buffer_consume(in, len);
		hear(client, text);
	}
}

static void receive_some(void)
{
	struct pollfd polled[CLIENTS];
	for (unsigned i = 0; i < CLIENTS; i++)
		polled[i] = (struct pollfd){.fd = run.fds[i], .events = POLLIN};
	if (poll(polled, CLIENTS, PATIENCE_MS) <= 0)
		fail_msg("nothing comes any more after %u hops", run.hops);
	for (unsigned i = 0; i < CLIENTS; i++)
		if (polled[i].revents)
			receive(i);
}

/* Before there are threads. Every other session survives: messages for it take the log's way. */
static void join(unsigned client)
{
	static const struct peer peer = {.address = "test", .port = 1883};
	struct shard *shard = broker_shard(run.broker, client % SHARDS);
	struct stream stream;
	char words[96];
	int fds[2];
	int error = socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
	assert_int_equal(error, 0);
	run.fds[client] = fds[0];
	stream_tcp_init(&stream, fds[1]);
	shard_turn_begin(shard, now());
	shard_accept(shard, &stream, &peer);
	shard_turn_end(shard);
	snprintf(words, sizeof(words), "CONNECT v5 id=%u clean expiry=%u", client,
		 client % 2 * 1000);
	say(client, words);
	snprintf(words, sizeof(words), "SUBSCRIBE m1 f=to/%u,q2 f=$share/g/by/%u,q2", client,
		 client);
	say(client, words);
}

static void start(void)
{
	struct broker_hooks hooks = {.wake = wake, .attach = attach};
	struct settings settings;
	settings_init(&settings);
	for (unsigned i = 0; i < SHARDS; i++) {
		int error = loop_open(&run.loops[i], now().steady_ms);
		assert_int_equal(error, 0);
	}
	run.random.state = 1;
	run.broker = broker_new(&settings, &hooks, SHARDS, 1, now());
	assert_non_null(run.broker);
	for (unsigned i = 0; i < CLIENTS; i++)
		join(i);
	for (unsigned i = 0; i < SHARDS; i++)
		pthread_create(&run.threads[i], NULL, work, &run.loops[i]);
}

static void stop(void)
{
	atomic_store(&run.is_over, true);
	for (unsigned i = 0; i < SHARDS; i++)
		loop_wake(&run.loops[i]);
	for (unsigned i = 0; i < SHARDS; i++)
		pthread_join(run.threads[i], NULL);
	broker_free(run.broker);
	for (unsigned i = 0; i < SHARDS; i++)
		loop_close(&run.loops[i]);
	for (unsigned i = 0; i < CLIENTS; i++) {
		close(run.fds[i]);
		buffer_release(&run.in[i]);
	}
}

static void test_threads_pass_tokens(void **state)
{
	(void)state;
	start();
	while (run.answers < 2 * CLIENTS)
		receive_some();
	for (unsigned i = 0; i < TOKENS; i++)
		pass_on(i);
	while (run.hops < HOPS)
		receive_some();
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threads_pass_tokens),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
