/* SPDX-License-Identifier: Apache-2.0 */
/* Each allocation of the public calls fails in turn, through connect, publish, subscribe, receive
 * and reconnect: nothing crashes, nothing leaks, and QoS 2 comes once all the same. */
#include "host.h"

#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"

static struct host host;
static unsigned seen[SERVER_MESSAGES];

static void on_message(nj_client *c, void *context, nj_message *m)
{
	(void)c;
	(void)context;
	if (nj_message_payload(m).len == 4)
		seen[load_u32(nj_message_payload(m).ptr) % SERVER_MESSAGES]++;
}

static void on_packet(nj_client *c, void *context, const struct nj_packet *p)
{
	(void)c;
	(void)context;
	assert_true(p->len > 0);
}

static void on_answered(nj_client *c, void *context, nj_delivery *d)
{
	(void)c;
	(void)context;
	assert_true(nj_delivery_outcome(d, NULL) != NJ_PENDING);
}

static bool is_connected(void *context)
{
	return nj_is_connected(context);
}

/* Whatever fails, the next connection comes. */
static void live(nj_client *c)
{
	static const struct nj_property properties[] = {NJ_TEXT(NJ_CONTENT_TYPE, "text/plain"),
							NJ_USER("name", "value")};
	static const char *const ended[] = {"b"};
	struct nj_subscription list[] = {{.filter = "a/#", .qos = 1}, {.filter = "b", .qos = 2}};
	struct nj_message_out m = {.topic = "sensor/1",
				   .payload = "\0\0\0\7",
				   .payload_len = 4,
				   .properties = properties,
				   .property_count = 2};
	(void)nj_connect(c, 0);
	for (unsigned connection = 0; connection < 3; connection++) {
		nj_delivery *d = NULL;
		assert_true(step_until(&host, c, is_connected, c));
		(void)nj_subscribe(c, list, 2, NULL, 0, NULL);
		(void)nj_unsubscribe(c, ended, 1, NULL);
		for (m.qos = 0; m.qos <= 2; m.qos++) {
			if (nj_publish(c, &m, &d))
				continue;
			settle(&host, c);
			nj_delivery_free(d);
		}
		for (uint32_t i = 1; host.server.is_connected && i <= 4; i++)
			if (!host.server.qos[i])
				(void)server_publish(&host.server, i, (uint8_t)(1 + i % 2));
		settle(&host, c);
		host.server.loses_session = connection == 1;
		host_cut(&host);
		settle(&host, c);
	}
	assert_true(step_until(&host, c, is_connected, c));
	settle(&host, c);
}

static bool live_with(unsigned long countdown, bool holds)
{
	char path[64];
	struct nj_options o = NJ_OPTIONS_INIT;
	nj_client *c = NULL;
	snprintf(path, sizeof(path), "/tmp/nightjar-memory-test-%d", (int)getpid());
	host_open_path(&host, NJ_MQTT_5, path);
	memset(seen, 0, sizeof(seen));
	o.address = host.address;
	o.client_id = "client";
	o.clean_start = false;
	o.session_expiry = 3600;
	o.retry_base_ms = 0;
	o.callbacks.message = on_message;
	o.callbacks.packet = on_packet;
	o.callbacks.answered = on_answered;
	o.holds_until_release = holds;
	mem_fail_after(countdown);
	if (nj_new(&o, &c) == 0)
		live(c);
	bool has_failed = mem_has_failed();
	mem_fail_after(0);
	nj_free(c);
	for (uint32_t i = 1; i <= 4; i++)
		assert_true(host.server.qos[i] != 2 || seen[i] <= 1);
	host_close(&host);
	assert_int_equal(mem_count_live(), 0);
	return has_failed;
}

static void fail_each(bool holds)
{
	unsigned long countdown = 1;
	mem_count_start();
	while (live_with(countdown, holds)) {
		countdown++;
		assert_true(countdown < 2000);
	}
	assert_true(countdown > 40);
	for (uint32_t i = 1; i <= 4; i++)
		assert_true(seen[i] >= 1);
}

static void test_each_allocation_fails(void **state)
{
	(void)state;
	fail_each(false);
}

static void test_each_allocation_fails_while_holding(void **state)
{
	(void)state;
	fail_each(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_allocation_fails),
		cmocka_unit_test(test_each_allocation_fails_while_holding),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
