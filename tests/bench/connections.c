/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Holds a million connected clients in the broker's engine and says what each of them costs:
 *
 *     connections [--connections N] [--shards N] [--version 3|4|5] [--bytes-max N]
 *
 * Without --shards it does so with one and with two, each in a process of its own. The streams cost
 * nothing: a client is a number, its CONNECT is made when it is read, and what is written to it is
 * judged and forgotten. So what is measured is the broker's: connection, session, tables, timers.
 * With --bytes-max it fails when a connection costs more.
 */
#include "broker/broker.h"
#include "mqtt/packets.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define KEEP_ALIVE 60
#define PER_TURN 500 /* connections that come in before a turn ends */
#define TIME_WARP_MS 1000
#define START_MS 1000000

struct options {
	unsigned connections;
	unsigned shards;
	unsigned version;
	double bytes_max;
};

struct hold {
	struct options options;
	struct broker *broker;
	struct moment now;
	struct stream *fresh[PER_TURN]; /* attached, CONNECT not read yet */
	unsigned fresh_count;
	unsigned accepted, closed;
};

static struct hold hold;

enum phase { PHASE_FRESH, PHASE_READ };

static long client_read(struct stream *s, struct room room)
{
	char id[24];
	struct connect p = {.version = (uint8_t)hold.options.version,
			    .clean_start = true,
			    .keep_alive = KEEP_ALIVE};
	if (s->fd != PHASE_FRESH)
		return ERROR_AGAIN;
	s->fd = PHASE_READ;
	int len = snprintf(id, sizeof(id), "client-%07lu", (unsigned long)(uintptr_t)s->context);
	p.client_id = span_of(id, (size_t)len);
	properties_clear(&p.properties);
	properties_clear(&p.will_properties);
	size_t used = connect_encode(&p, room);
	ASSERT(used > 0);
	return (long)used;
}

/* The only thing that is ever written to them is a CONNACK. */
static long client_write(struct stream *s, const struct span *parts, unsigned count)
{
	size_t len = 0;
	(void)s;
	for (unsigned i = 0; i < count; i++)
		len += parts[i].len;
	hold.accepted += parts[0].ptr[0] == PACKET_CONNACK << 4 && parts[0].ptr[3] == 0;
	return (long)len;
}

static void client_want(struct stream *s, bool readable, bool writable)
{
	(void)s;
	(void)readable;
	(void)writable;
}

static void client_detach(struct stream *s)
{
	(void)s;
}

static void client_close(struct stream *s)
{
	hold.closed++;
	s->ops = NULL;
}

static const struct stream_ops client_ops = {
	.read = client_read,
	.write = client_write,
	.want = client_want,
	.detach = client_detach,
	.close = client_close,
};

static void wake(void *context, unsigned shard)
{
	(void)context;
	(void)shard;
}

static int attach(void *context, unsigned shard, struct stream *stream)
{
	(void)context;
	(void)shard;
	if (stream->fd == PHASE_FRESH)
		hold.fresh[hold.fresh_count++] = stream;
	return 0;
}

/* Letters go back and forth: a round for the CONNECTs, one for those that move. */
static void turn_all(void)
{
	for (unsigned round = 0; round < 2; round++)
		for (unsigned i = 0; i < hold.options.shards; i++) {
			shard_turn_begin(broker_shard(hold.broker, i), hold.now);
			shard_turn_end(broker_shard(hold.broker, i));
		}
}

static void connect_some(unsigned first, unsigned count, unsigned index)
{
	static const struct peer peer = {.address = "203.0.113.255:54321", .port = 1883};
	struct shard *s = broker_shard(hold.broker, index);
	shard_turn_begin(s, hold.now);
	hold.fresh_count = 0;
	for (unsigned i = 0; i < count; i++) {
		struct stream stream = {.ops = &client_ops,
					.context = (void *)(uintptr_t)(first + i)};
		shard_accept(s, &stream, &peer);
	}
	for (unsigned i = 0; i < hold.fresh_count; i++)
		shard_ready(s, hold.fresh[i], true, false);
	shard_turn_end(s);
}

static uint64_t count_connections(void)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < hold.options.shards; i++)
		sum += shard_connection_count(broker_shard(hold.broker, i));
	return sum;
}

struct memory {
	double heap, resident; /* bytes */
};

static struct memory measure(void)
{
	struct mallinfo2 m = mallinfo2();
	struct memory memory = {.heap = (double)m.uordblks + (double)m.hblkhd};
	unsigned long size, pages;
	FILE *f = fopen("/proc/self/statm", "r");
	if (f && fscanf(f, "%lu %lu", &size, &pages) == 2)
		memory.resident = (double)pages * (double)sysconf(_SC_PAGESIZE);
	if (f)
		fclose(f);
	return memory;
}

static double seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void start(void)
{
	struct settings set;
	struct broker_hooks hooks = {.wake = wake, .attach = attach};
	settings_init(&set);
	hold.now = (struct moment){START_MS, START_MS};
	hold.broker = broker_new(&set, &hooks, hold.options.shards, 1, hold.now);
	ASSERT(hold.broker);
	turn_all();
}

static void connect_all(void)
{
	unsigned done = 0;
	for (unsigned turn = 0; done < hold.options.connections; turn++) {
		unsigned left = hold.options.connections - done;
		unsigned count = left < PER_TURN ? left : PER_TURN;
		connect_some(done, count, turn % hold.options.shards);
		turn_all();
		done += count;
	}
}

/* They are held, every one with its keep alive: nobody goes before it is over, then all do. */
static bool expire_all(void)
{
	const uint64_t over_ms = START_MS + KEEP_ALIVE * 1500ull;
	hold.now.steady_ms = over_ms - TIME_WARP_MS;
	turn_all();
	if (count_connections() != hold.options.connections)
		return false;
	hold.now.steady_ms = over_ms + TIME_WARP_MS;
	turn_all();
	return count_connections() == 0 && hold.closed == hold.options.connections;
}

static int run(void)
{
	const struct options *o = &hold.options;
	start();
	struct memory before = measure();
	double begin = seconds();
	connect_all();
	double took = seconds() - begin;
	struct memory after = measure();
	double heap = (after.heap - before.heap) / o->connections;
	double resident = (after.resident - before.resident) / o->connections;
	bool is_held = count_connections() == o->connections && hold.accepted == o->connections;
	begin = seconds();
	bool is_expired = is_held && expire_all();
	double expiry = seconds() - begin;
	printf("%u connections over %u shards, version %u: %.0f bytes of heap, %.0f of RSS each; "
	       "connected in %.2f s (%.2f us each), %s, all gone %.2f s after their keep alive\n",
	       o->connections, o->shards, o->version, heap, resident, took,
	       took / o->connections * 1e6, is_held ? "held" : "NOT HELD", expiry);
	broker_free(hold.broker);
	if (!is_held || !is_expired)
		fprintf(stderr, "connections: not all were held until their keep alive was over\n");
	bool is_small = o->bytes_max <= 0 || heap <= o->bytes_max;
	if (!is_small)
		fprintf(stderr, "connections: more than %.0f bytes each\n", o->bytes_max);
	return is_held && is_expired && is_small ? 0 : 1;
}

/* In a process of its own, so that memory is measured from the start. */
static int run_apart(unsigned shards)
{
	int status = 1;
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		hold.options.shards = shards;
		int result = run();
		fflush(stdout);
		_exit(result);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static bool read_option(struct options *o, const char *name, const char *text)
{
	double value = strtod(text, NULL);
	if (strcmp(name, "--connections") == 0 && value >= 1 && value <= 1e8)
		o->connections = (unsigned)value;
	else if (strcmp(name, "--shards") == 0 && value >= 1 && value <= SHARDS_MAX)
		o->shards = (unsigned)value;
	else if (strcmp(name, "--version") == 0 && value >= MQTT_3_1 && value <= MQTT_5)
		o->version = (unsigned)value;
	else if (strcmp(name, "--bytes-max") == 0 && value > 0)
		o->bytes_max = value;
	else
		return false;
	return true;
}

int main(int argc, char **argv)
{
	hold.options = (struct options){.connections = 1000000, .version = MQTT_3_1_1};
	for (int i = 1; i < argc; i += 2) {
		if (i + 1 < argc && read_option(&hold.options, argv[i], argv[i + 1]))
			continue;
		fprintf(stderr,
			"usage: %s [--connections N] [--shards N] [--version 3|4|5] [--bytes-max "
			"N]\n",
			argv[0]);
		return 2;
	}
	if (hold.options.shards)
		return run_apart(hold.options.shards);
	int one = run_apart(1);
	int two = run_apart(2);
	return one | two;
}
