/* SPDX-License-Identifier: Apache-2.0 */
#include "rig.h"

#include <stdio.h>
#include <unistd.h>

struct rig rig;

static void on_connected(nj_client *c, void *context, const struct nj_connected *connected)
{
	(void)c;
	(void)context;
	rig.session_lost = connected->session_lost;
}

static void on_published(nj_client *c, void *context, const struct nj_published *p)
{
	(void)c;
	(void)context;
	rig.published = *p;
	rig.published_count++;
}

static void on_stored(nj_client *c, void *context, const struct nj_stored *stored)
{
	(void)c;
	(void)context;
	rig.stored_count++;
	rig.stored_mark = stored->mark;
}

static void says(void *context, const char *text)
{
	(void)context;
	strncat(rig.said, text, sizeof(rig.said) - strlen(rig.said) - 1);
}

void rig_prepare(uint8_t version)
{
	char path[64];
	snprintf(path, sizeof(path), "/tmp/nightjar-store-test-%d", (int)getpid());
	host_open_path(&rig.host, version, path);
	rig.medium = simdisk_new(1, 0);
	rig.options = (struct nj_options)NJ_OPTIONS_INIT;
	rig.options.address = rig.host.address;
	rig.options.version = version;
	rig.options.client_id = "client";
	rig.options.retry_base_ms = 0;
	rig.options.manual_ack = true;
	rig.options.store_path = "simulated";
	rig.options.store_bytes_max = STORE_BYTES_MIN;
	rig.options.store_says = says;
	rig.options.stored = on_stored;
	rig.options.callbacks.published = on_published;
	rig.options.callbacks.connected = on_connected;
	rig.stored_count = rig.published_count = 0;
	rig.session_lost = false;
	rig.said[0] = '\0';
}

void rig_settle(void)
{
	do
		settle(&rig.host, rig.client);
	while (client_store_step(&rig.client->kept->store));
	settle(&rig.host, rig.client);
}

void rig_begin(void)
{
	assert_int_equal(
		client_new_on_disk(&rig.options, simdisk_attach(rig.medium), STORE_ID, &rig.client),
		0);
}

bool rig_is_connected(void *context)
{
	(void)context;
	return nj_is_connected(rig.client);
}

void rig_connect(void)
{
	rig.host.server.order_count = 0;
	assert_int_equal(nj_connect(rig.client, 0), 0);
	assert_true(step_until(&rig.host, rig.client, rig_is_connected, NULL));
	rig_settle();
}

static void follow(void)
{
	if (rig.host.fd >= 0)
		host_cut(&rig.host);
	rig_begin();
}

/* The process is killed, and another one begins. */
void rig_begin_anew(void)
{
	simdisk_kill(rig.medium);
	nj_free(rig.client);
	follow();
}

/* It ends by itself, so that what may be written late is written. */
void rig_begin_in_peace(void)
{
	nj_free(rig.client);
	simdisk_kill(rig.medium);
	follow();
}

void rig_end(void)
{
	nj_free(rig.client);
	simdisk_free(rig.medium);
	host_close(&rig.host);
}

int rig_publish(uint32_t number, uint8_t qos, uint64_t mark, nj_delivery **delivery_out)
{
	uint8_t payload[4];
	store_u32(payload, number);
	struct nj_message_out m = {.topic = "sensor/1",
				   .payload = payload,
				   .payload_len = 4,
				   .qos = qos,
				   .mark = mark,
				   .tag = &rig.medium};
	return nj_publish(rig.client, &m, delivery_out);
}

bool rig_has_come(uint8_t type)
{
	return rig.host.server.packet_count[type] > 0;
}
