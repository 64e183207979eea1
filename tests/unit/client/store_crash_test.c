/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The power goes between, and in the middle of, any two changes of a client's store, while it
 * publishes and while it receives: then another process goes on with what the disk has. At QoS 2
 * each message is there once, at QoS 1 at least once.
 */
#include "host.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "client/kept.h"
#include "disk/disk_simulated.h"

/* Enough for a checkpoint on the way: each commit takes a block of a segment of 16. */
#define MESSAGES 72
#define CONNECTIONS_MAX 6
#define STORE_ID 0x5eed

static struct host host;
/* More seeds: the first argument; not at each change: the second. */
static uint64_t seed_count = 1, stride = 1;
static struct simdisk *medium;
static uint64_t checkpoint_count;

/* What the application itself keeps, in a store that is as good as ours. */
static struct {
	unsigned count[SERVER_MESSAGES];
	uint64_t mark;
	unsigned given;
	nj_message *kept[2]; /* acknowledged late, the later one first */
	unsigned kept_count;
} table;

static nj_client *open_client(void)
{
	struct nj_options o = NJ_OPTIONS_INIT;
	nj_client *c = NULL;
	o.address = host.address;
	o.client_id = "client";
	o.session_expiry = 3600;
	o.retry_base_ms = 0;
	o.manual_ack = true;
	o.inflight_max = 5;
	o.store_path = "simulated";
	o.store_bytes_max = STORE_BYTES_MIN;
	return client_new_on_disk(&o, simdisk_attach(medium), STORE_ID, &c) == 0 ? c : NULL;
}

static uint8_t qos_of(uint32_t number)
{
	return (uint8_t)(1 + number % 2);
}

static void settle_all(nj_client *c)
{
	do
		settle(&host, c);
	while (client_store_step(&c->kept->store));
}

/* The process ends: what it had not written is gone. */
static void end_client(nj_client *c)
{
	for (unsigned i = 0; i < table.kept_count; i++)
		nj_message_unref(table.kept[i]);
	table.kept_count = 0;
	nj_free(c);
}

static void connect_again(nj_client *c)
{
	if (host.fd >= 0)
		host_cut(&host);
	host.server.order_count = 0;
	(void)nj_connect(c, 0);
	for (unsigned i = 0; i < 20 && !nj_is_connected(c); i++)
		settle_all(c);
	settle_all(c);
}

/* --- out --- */

static void publish_some(nj_client *c, unsigned count)
{
	uint8_t payload[4];
	for (unsigned i = 0; i < count && !simdisk_is_cut(medium); i++) {
		uint32_t number = (uint32_t)nj_store_mark(c) + 1;
		struct nj_message_out m = {.topic = "sensor/1",
					   .payload = payload,
					   .payload_len = 4,
					   .mark = number,
					   .qos = qos_of(number)};
		store_u32(payload, number);
		if (number > MESSAGES || nj_publish(c, &m, NULL))
			return;
		settle_all(c);
	}
}

static void live_out(nj_client *c)
{
	publish_some(c, MESSAGES / 4); /* offline */
	for (unsigned i = 0; i < 3; i++) {
		connect_again(c);
		publish_some(c, MESSAGES / 4);
		host_cut(&host);
	}
	connect_again(c);
}

static void check_out(void)
{
	for (uint32_t i = 1; i <= MESSAGES; i++) {
		assert_true(host.server.arrived[i] >= 1);
		assert_true(qos_of(i) == 1 || host.server.arrived[i] == 1);
	}
}

/* --- in --- */

static void take(nj_message *m)
{
	uint32_t number = load_u32(nj_message_payload(m).ptr);
	/* one transaction */
	table.count[number]++;
	assert_true(nj_message_mark(m) > table.mark);
	table.mark = nj_message_mark(m);
	if (++table.given % 3 != 0 || table.kept_count == 2) {
		(void)nj_ack(m);
		nj_message_unref(m);
		return;
	}
	table.kept[table.kept_count++] = m;
}

static void take_all(nj_client *c)
{
	nj_message *m;
	settle_all(c);
	while (nj_receive(c, 0, &m) == 0) {
		take(m);
		settle_all(c);
	}
	while (table.kept_count > 0) {
		m = table.kept[--table.kept_count];
		(void)nj_ack(m);
		nj_message_unref(m);
		settle_all(c);
	}
}

static void live_in(nj_client *c)
{
	assert_int_equal(nj_skip(c, table.mark), 0);
	(void)nj_subscribe_to(c, "sensor/1", 2);
	take_all(c);
	for (unsigned i = 0; i < 3; i++) {
		connect_again(c);
		bool is_subscribed = host.server.packet_count[PACKET_SUBSCRIBE] > 0;
		for (uint32_t n = 1; is_subscribed && n <= MESSAGES; n++)
			if (host.server.qos[n] == 0 && (n <= MESSAGES / 3 * (i + 1)) &&
			    !server_publish(&host.server, n, qos_of(n)))
				host.server.qos[n] = 0;
		take_all(c);
		host_cut(&host);
	}
	connect_again(c);
	take_all(c);
}

static void check_in(void)
{
	for (uint32_t i = 1; i <= MESSAGES; i++) {
		assert_true(table.count[i] >= 1);
		assert_true(qos_of(i) == 1 || table.count[i] == 1);
	}
}

/* --- the power --- */

static bool is_cut_and_restored(void (*live)(nj_client *), uint64_t at, uint64_t seed)
{
	simdisk_cut_at(medium, at);
	nj_client *c = open_client();
	if (c)
		live(c);
	bool was_cut = simdisk_is_cut(medium);
	simdisk_kill(medium);
	if (c)
		end_client(c);
	simdisk_power_cut(medium, seed);
	if (host.fd >= 0)
		host_cut(&host);
	return was_cut;
}

static struct log_status status_of(nj_client *c)
{
	struct log_status status;
	struct log *log = journal_log(c->kept->store.journal);
	log->ops->status(log, &status);
	return status;
}

/* `again`: the next process is cut as well, a little later. */
static bool survives(void (*live)(nj_client *), void (*check)(void), uint64_t at, uint64_t again,
		     uint64_t seed)
{
	char path[64];
	snprintf(path, sizeof(path), "/tmp/nightjar-store-crash-%d", (int)getpid());
	host_open_path(&host, NJ_MQTT_5, path);
	memset(&table, 0, sizeof(table));
	medium = simdisk_new(seed, 0);
	bool was_cut = is_cut_and_restored(live, at, seed);
	if (again > 0)
		(void)is_cut_and_restored(live, again, seed + 1);
	simdisk_cut_at(medium, 0);
	nj_client *c = open_client();
	assert_non_null(c);
	live(c);
	check();
	checkpoint_count += status_of(c).checkpoints;
	end_client(c);
	simdisk_free(medium);
	host_close(&host);
	return was_cut;
}

static void cut_everywhere(void (*live)(nj_client *), void (*check)(void))
{
	uint64_t last = 0;
	checkpoint_count = 0;
	for (uint64_t seed = 1; seed <= seed_count; seed++) {
		uint64_t at = 1;
		while (survives(live, check, at, 1 + (at * 7 + seed) % 40, seed))
			at += stride;
		last = at;
	}
	assert_true(last > MESSAGES);
	assert_true(checkpoint_count > 0);
	print_message("%llu places to cut at\n", (unsigned long long)last - 1);
}

static void test_publishing_survives_a_cut_anywhere(void **state)
{
	(void)state;
	cut_everywhere(live_out, check_out);
}

static void test_receiving_survives_a_cut_anywhere(void **state)
{
	(void)state;
	cut_everywhere(live_in, check_in);
}

int main(int count, char **arguments)
{
	seed_count = count > 1 ? strtoull(arguments[1], NULL, 10) : 1;
	stride = count > 2 ? strtoull(arguments[2], NULL, 10) : 1;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_publishing_survives_a_cut_anywhere),
		cmocka_unit_test(test_receiving_survives_a_cut_anywhere),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
