/* SPDX-License-Identifier: Apache-2.0 */
/* A program that looks at packets one by one, and ends between two of them: what it has not seen
 * is not acknowledged. And PUBACKs that are put out early. */
#include "app.h"

#include <stdio.h>
#include <sys/socket.h>

#include "mqtt/packets.h"

static char seen[256];

static void note(const char *word)
{
	strncat(seen, word, sizeof(seen) - strlen(seen) - 1);
}

static void on_packet(nj_client *c, void *context, const struct nj_packet *p)
{
	(void)c;
	(void)context;
	note(p->is_outgoing ? ">" : "<");
	note(nj_packet_name(p->type));
	note(" ");
}

static void on_message(struct app *a, nj_message *m)
{
	(void)a;
	(void)m;
	note("message ");
}

static void end_at_once(struct app *a, nj_message *m)
{
	on_message(a, m);
	assert_int_equal(nj_disconnect(a->client, 0), 0);
}

/* Several messages in one piece. */
static void give_at_once(uint8_t qos, unsigned count)
{
	uint8_t bytes[256];
	size_t len = 0;
	for (unsigned i = 0; i < count; i++) {
		struct publish p = {.qos = qos,
				    .packet_id = (uint16_t)(qos ? i + 1 : 0),
				    .topic = SPAN_LITERAL("sensor/1"),
				    .payload = SPAN_LITERAL("\0\0\0\1")};
		len += publish_encode(&p, NJ_MQTT_5,
				      (struct room){bytes + len, sizeof(bytes) - len});
	}
	assert_true(send(app.host.fd, bytes, len, MSG_NOSIGNAL) == (ssize_t)len);
}

static void begin(bool one_by_one, bool is_early)
{
	app_prepare(NJ_MQTT_5);
	app.options.callbacks.packet = on_packet;
	app.options.one_by_one = one_by_one;
	app.options.acknowledges_early = is_early;
	app_open();
	app.in_message = on_message;
	seen[0] = '\0';
}

static void test_what_follows_the_end_is_not_acknowledged(void **state)
{
	(void)state;
	begin(true, false);
	app.in_message = end_at_once;
	give_at_once(1, 3);
	settle(&app.host, app.client);
	assert_string_equal(seen, "<PUBLISH message >PUBACK >DISCONNECT ");
	assert_int_equal(app.message_count, 1);
	app_end();
}

static void test_all_are_seen_one_by_one(void **state)
{
	(void)state;
	begin(true, false);
	give_at_once(0, 3);
	settle(&app.host, app.client);
	assert_string_equal(seen, "<PUBLISH message <PUBLISH message <PUBLISH message ");
	app_end();
	begin(true, true);
	give_at_once(1, 2);
	settle(&app.host, app.client);
	assert_string_equal(seen, "<PUBLISH >PUBACK message <PUBLISH >PUBACK message ");
	assert_int_equal(app.host.server.packet_count[PACKET_PUBACK], 2);
	app_end();
}

static void test_early_acknowledgements(void **state)
{
	(void)state;
	begin(false, true);
	give_at_once(1, 2);
	settle(&app.host, app.client);
	assert_string_equal(seen, "<PUBLISH >PUBACK message <PUBLISH >PUBACK message ");
	assert_int_equal(app.host.server.packet_count[PACKET_PUBACK], 2);
	app_end();
}

/* It must not be read on while the inbox is full. */
static void test_one_by_one_with_a_full_inbox(void **state)
{
	(void)state;
	app_prepare(NJ_MQTT_5);
	app.options.one_by_one = true;
	app.options.inbox_bytes_max = 1;
	app.keeps = true;
	app_open();
	give_at_once(0, 3);
	settle(&app.host, app.client);
	assert_int_equal(app.message_count, 1);
	nj_message_unref(app.kept[0]);
	app.kept[0] = NULL;
	settle(&app.host, app.client);
	assert_int_equal(app.message_count, 2);
	app_end();
}

/* mosquitto before 2.0.13 sends more than it may. */
static void test_a_server_that_loses_count_is_not_left(void **state)
{
	(void)state;
	app_prepare(NJ_MQTT_5);
	app.options.receive_maximum = 1;
	app.options.holds_until_release = true;
	app_open();
	give_at_once(2, 3);
	settle(&app.host, app.client);
	assert_int_equal(app.disconnected_count, 0);
	assert_true(nj_is_connected(app.client));
	app_end();
}

static void test_early_excludes_manual(void **state)
{
	(void)state;
	struct nj_options o = NJ_OPTIONS_INIT;
	nj_client *c = NULL;
	o.acknowledges_early = o.manual_ack = true;
	assert_int_equal(nj_new(&o, &c), NJ_ERROR_INVALID);
	assert_null(c);
}

static void test_unsubscribe_with_properties(void **state)
{
	(void)state;
	static const struct nj_property sound[] = {NJ_USER("n", "v")};
	static const struct nj_property misplaced[] = {NJ_NUMBER(NJ_TOPIC_ALIAS, 1)};
	static const char *const filters[] = {"a"};
	begin(false, false);
	assert_int_equal(nj_unsubscribe_with(app.client, filters, 1, misplaced, 1, NULL),
			 NJ_ERROR_INVALID);
	assert_int_equal(nj_unsubscribe_with(app.client, filters, 1, sound, 1, NULL), 0);
	settle(&app.host, app.client);
	assert_string_equal(seen, ">UNSUBSCRIBE <UNSUBACK ");
	app_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_follows_the_end_is_not_acknowledged),
		cmocka_unit_test(test_all_are_seen_one_by_one),
		cmocka_unit_test(test_early_acknowledgements),
		cmocka_unit_test(test_one_by_one_with_a_full_inbox),
		cmocka_unit_test(test_a_server_that_loses_count_is_not_left),
		cmocka_unit_test(test_early_excludes_manual),
		cmocka_unit_test(test_unsubscribe_with_properties),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
