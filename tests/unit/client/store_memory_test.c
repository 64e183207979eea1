/* SPDX-License-Identifier: Apache-2.0 */
/* Each allocation fails in turn, through opening a store, publishing, receiving and going on in
 * another process: nothing crashes, nothing leaks, nothing that was taken is lost, and QoS 2 comes
 * once. */
#include "rig.h"

#include "base/mem.h"

#define MESSAGES 4 /* each way */

static unsigned given[SERVER_MESSAGES];
static uint64_t mark;
static unsigned taken[MESSAGES + 1]; /* by nj_publish */

static void take_all(void)
{
	nj_message *m;
	while (nj_receive(rig.client, 0, &m) == 0) {
		given[load_u32(nj_message_payload(m).ptr)]++;
		assert_true(nj_message_mark(m) > mark);
		mark = nj_message_mark(m);
		(void)nj_ack(m);
		nj_message_unref(m);
		rig_settle();
	}
}

static void connect_somehow(void)
{
	(void)nj_connect(rig.client, 0);
	(void)step_until(&rig.host, rig.client, rig_is_connected, NULL);
	rig_settle();
}

static void publish_offline(void)
{
	for (uint32_t i = 1; i <= MESSAGES; i++)
		taken[i] += rig_publish(i, (uint8_t)(1 + i % 2), i, NULL) == 0;
	rig_settle();
}

static void live(void)
{
	assert_int_equal(nj_skip(rig.client, mark), 0);
	(void)nj_subscribe_to(rig.client, "sensor/1", 2);
	for (uint32_t i = 1; i <= MESSAGES; i++) {
		if (i == MESSAGES / 2)
			connect_somehow();
		if (i > nj_store_mark(rig.client) &&
		    rig_publish(i, (uint8_t)(1 + i % 2), i, NULL) == 0)
			taken[i]++;
		rig_settle();
	}
	for (uint32_t i = 1; i <= MESSAGES && rig.host.server.is_connected; i++)
		if (!rig.host.server.qos[i] &&
		    !server_publish(&rig.host.server, i, (uint8_t)(1 + i % 2)))
			rig.host.server.qos[i] = 0;
	rig_settle();
	take_all();
	host_cut(&rig.host);
	connect_somehow();
	take_all();
}

/* The failure is armed in the first process, or in the second. */
static bool live_with(unsigned long countdown, bool in_second)
{
	memset(given, 0, sizeof(given));
	memset(taken, 0, sizeof(taken));
	mark = 0;
	rig_prepare(NJ_MQTT_5);
	rig.options.clean_start = false;
	bool has_failed = false;
	for (unsigned i = 0; i < 3; i++) {
		bool is_armed = i == (unsigned)in_second;
		struct disk *disk = simdisk_attach(rig.medium);
		mem_fail_after(is_armed ? countdown : 0);
		int error = client_new_on_disk(&rig.options, disk, STORE_ID, &rig.client);
		if (!error && in_second && i == 0)
			publish_offline();
		else if (!error)
			live();
		if (is_armed)
			has_failed = mem_has_failed();
		mem_fail_after(0);
		assert_true(!error || is_armed);
		if (!error)
			nj_free(rig.client);
		simdisk_kill(rig.medium);
		if (rig.host.fd >= 0)
			host_cut(&rig.host);
	}
	for (uint32_t i = 1; i <= MESSAGES; i++) {
		assert_true(given[i] >= 1);
		assert_true(i % 2 == 0 || given[i] == 1);
		assert_true(rig.host.server.arrived[i] >= (taken[i] > 0));
		assert_true(i % 2 == 0 || rig.host.server.arrived[i] <= 1);
	}
	simdisk_free(rig.medium);
	host_close(&rig.host);
	assert_int_equal(mem_count_live(), 0);
	return has_failed;
}

static void each_fails(bool in_second)
{
	unsigned long countdown = 1;
	mem_count_start();
	while (live_with(countdown, in_second)) {
		countdown++;
		assert_true(countdown < 2000);
	}
	assert_true(countdown > 60);
	print_message("%lu allocations\n", countdown - 1);
}

static void test_each_allocation_of_a_new_store_fails(void **state)
{
	(void)state;
	each_fails(false);
}

static void test_each_allocation_of_the_next_process_fails(void **state)
{
	(void)state;
	each_fails(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_allocation_of_a_new_store_fails),
		cmocka_unit_test(test_each_allocation_of_the_next_process_fails),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
