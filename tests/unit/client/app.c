/* SPDX-License-Identifier: Apache-2.0 */
#include "app.h"

#include <stdio.h>
#include <unistd.h>

struct app app;

static void on_connected(nj_client *c, void *context, const struct nj_connected *connected)
{
	struct app *a = context;
	(void)c;
	a->connected_count++;
	a->session_lost = connected->session_lost;
	a->session_present = connected->session_present;
	assert_non_null(connected->client_id);
}

static void on_disconnected(nj_client *c, void *context, const struct nj_disconnected *d)
{
	struct app *a = context;
	(void)c;
	a->disconnected_count++;
	a->disconnected = *d;
}

static void on_message(nj_client *c, void *context, nj_message *m)
{
	struct app *a = context;
	struct nj_bytes payload = nj_message_payload(m);
	(void)c;
	assert_true(a->message_count < EVENTS);
	assert_string_equal(nj_message_topic(m), "sensor/1");
	a->numbers[a->message_count] = payload.len == 4 ? load_u32(payload.ptr) : 0;
	a->last_dup = nj_message_dup(m);
	if (a->keeps) {
		nj_message_ref(m);
		a->kept[a->message_count] = m;
	}
	a->message_count++;
	if (a->in_message)
		a->in_message(a, m);
}

static void on_published(nj_client *c, void *context, const struct nj_published *published)
{
	struct app *a = context;
	(void)c;
	a->published[a->published_count++ % EVENTS] = *published;
}

static void on_unsubscribed(nj_client *c, void *context, const char *filter, uint8_t reason_code)
{
	struct app *a = context;
	(void)c;
	a->unsubscribed_count++;
	strncpy(a->filter, filter, sizeof(a->filter) - 1);
	a->reason_code = reason_code;
}

void app_prepare(uint8_t version)
{
	memset(&app, 0, sizeof(app));
	/* a Unix socket hands over at once, so that settle() needs no patience */
	char path[64];
	snprintf(path, sizeof(path), "/tmp/nightjar-api-test-%d", (int)getpid());
	host_open_path(&app.host, version, path);
	app.options = (struct nj_options)NJ_OPTIONS_INIT;
	app.options.address = app.host.address;
	app.options.version = version;
	app.options.client_id = "client";
	app.options.clean_start = false;
	app.options.session_expiry = 3600;
	app.options.retry_base_ms = 10;
	app.options.callbacks = (struct nj_callbacks){.connected = on_connected,
						      .disconnected = on_disconnected,
						      .message = on_message,
						      .published = on_published,
						      .unsubscribed = on_unsubscribed};
	app.options.context = &app;
}

bool app_is_connected(void *context)
{
	(void)context;
	return nj_is_connected(app.client);
}

void app_open(void)
{
	assert_int_equal(nj_new(&app.options, &app.client), 0);
	assert_int_equal(nj_connect(app.client, 0), 0);
	assert_true(step_until(&app.host, app.client, app_is_connected, NULL));
	settle(&app.host, app.client);
}

static bool is_connected_anew(void *context)
{
	return app.connected_count > *(unsigned *)context;
}

void app_reconnect(void)
{
	unsigned before = app.connected_count;
	host_cut(&app.host);
	assert_true(step_until(&app.host, app.client, is_connected_anew, &before));
	settle(&app.host, app.client);
}

void app_begin(uint8_t version)
{
	app_prepare(version);
	app_open();
}

void app_end(void)
{
	for (unsigned i = 0; i < EVENTS; i++)
		if (app.kept[i])
			nj_message_unref(app.kept[i]);
	nj_free(app.client);
	host_close(&app.host);
}

int app_publish(uint32_t number, uint8_t qos, nj_delivery **delivery_out)
{
	uint8_t payload[4];
	store_u32(payload, number);
	struct nj_message_out m = {.topic = "sensor/1",
				   .payload = payload,
				   .payload_len = 4,
				   .qos = qos,
				   .tag = &app.numbers[number]};
	return nj_publish(app.client, &m, delivery_out);
}

void app_give(uint32_t number, uint8_t qos)
{
	assert_true(server_publish(&app.host.server, number, qos));
	settle(&app.host, app.client);
}
