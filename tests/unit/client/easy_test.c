/* SPDX-License-Identifier: Apache-2.0 */
/* One-line calls, the loop that runs by itself, and failures in words. */
#include "app.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mqtt/reason.h"

static void test_one_line_calls(void **state)
{
	(void)state;
	app_begin(NJ_MQTT_5);
	assert_int_equal(nj_subscribe_to(app.client, "a/#", 1), 0);
	assert_int_equal(nj_publish_text(app.client, "a", "text", 1, true), 0);
	settle(&app.host, app.client);
	assert_int_equal(app.host.server.packet_count[PACKET_SUBSCRIBE], 1);
	assert_int_equal(app.published_count, 1);
	assert_int_equal(app.published[0].outcome, NJ_ACKNOWLEDGED);
	assert_int_equal(nj_subscribe_to(app.client, "a/#/b", 1), NJ_ERROR_INVALID);
	assert_int_equal(nj_publish_text(app.client, "a/+", "text", 1, true), NJ_ERROR_INVALID);
	app_end();
}

static void test_run_ends_with_the_time_or_the_wish(void **state)
{
	(void)state;
	app_begin(NJ_MQTT_5);
	assert_int_equal(nj_run(app.client, 1), 0);
	assert_int_equal(nj_disconnect(app.client, 0), 0);
	settle(&app.host, app.client);
	assert_int_equal(nj_run(app.client, -1), NJ_ERROR_CLOSED);
	app_end();
}

/* A port where nobody listens: its socket is bound, so that nobody else comes to listen there. */
static int take_dead_port(char *address, size_t len)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t a_len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, a_len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &a_len), 0);
	snprintf(address, len, "127.0.0.1:%u", ntohs(a.sin_port));
	return fd;
}

static void test_problem_of_an_address_without_a_server(void **state)
{
	(void)state;
	struct nj_options options = NJ_OPTIONS_INIT;
	char address[64], text[128], expected[128];
	nj_client *c;
	int fd = take_dead_port(address, sizeof(address));
	options.address = address;
	options.stays_down = true;
	assert_int_equal(nj_new(&options, &c), 0);
	assert_string_equal(nj_problem(c, text, sizeof(text)), "");
	assert_int_equal(nj_connect(c, -1), NJ_ERROR_CLOSED);
	snprintf(expected, sizeof(expected), "cannot connect to mqtt://%s: Connection refused",
		 address);
	assert_string_equal(nj_problem(c, text, sizeof(text)), expected);
	assert_string_equal(nj_problem(c, text, 7), "cannot");
	nj_free(c);
	close(fd);
}

static void test_problem_of_a_path_without_a_server(void **state)
{
	(void)state;
	struct nj_options options = NJ_OPTIONS_INIT;
	char text[128];
	nj_client *c;
	options.address = "unix:///nonexistent/socket";
	options.stays_down = true;
	assert_int_equal(nj_new(&options, &c), 0);
	assert_int_equal(nj_connect(c, -1), NJ_ERROR_CLOSED);
	assert_string_equal(
		nj_problem(c, text, sizeof(text)),
		"cannot connect to unix:///nonexistent/socket: No such file or directory");
	nj_free(c);
}

static void refused(uint8_t version, uint8_t code, const char *end_of_text)
{
	char text[128];
	app_prepare(version);
	app.host.server.connack.code = code;
	app.options.stays_down = true;
	assert_int_equal(nj_new(&app.options, &app.client), 0);
	assert_int_equal(nj_connect(app.client, 0), 0);
	settle(&app.host, app.client);
	nj_problem(app.client, text, sizeof(text));
	assert_non_null(strstr(text, end_of_text));
	app_end();
}

static void test_problem_of_a_refusal(void **state)
{
	(void)state;
	refused(NJ_MQTT_5, REASON_NOT_AUTHORIZED, " refuses the connection: Not authorized (0x87)");
	refused(NJ_MQTT_3_1_1, 4, "Connection Refused: bad user name or password (0x04)");
}

static void test_problem_of_options(void **state)
{
	(void)state;
	const struct nj_options good = NJ_OPTIONS_INIT;
	struct nj_message_out will = {.topic = "a/#"};
	struct nj_options o = good;
	assert_null(nj_options_problem(&o));
	o.address = "tcp://localhost";
	assert_null(nj_options_problem(&o));
	o.address = "http://localhost";
	assert_non_null(strstr(nj_options_problem(&o), "mqtt://"));
	o.address = "host:65536";
	assert_non_null(strstr(nj_options_problem(&o), "65535"));
	o = good;
	o.size = 1;
	assert_non_null(strstr(nj_options_problem(&o), "NJ_OPTIONS_INIT"));
	o = good;
	o.version = NJ_MQTT_3_1_1;
	o.clean_start = false;
	assert_non_null(strstr(nj_options_problem(&o), "client_id"));
	o = good;
	o.will = &will;
	assert_non_null(strstr(nj_options_problem(&o), "will"));
	o = good;
	o.inflight_max = 0;
	assert_non_null(strstr(nj_options_problem(&o), "inflight_max"));
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(nj_reason_text(REASON_QUOTA_EXCEEDED), "Quota exceeded");
	assert_string_equal(nj_reason_text(0x7f), "Unknown reason");
	assert_string_equal(nj_outcome_text(NJ_ACKNOWLEDGED), "acknowledged");
	assert_string_equal(nj_outcome_text((enum nj_outcome)99), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_line_calls),
		cmocka_unit_test(test_run_ends_with_the_time_or_the_wish),
		cmocka_unit_test(test_problem_of_an_address_without_a_server),
		cmocka_unit_test(test_problem_of_a_path_without_a_server),
		cmocka_unit_test(test_problem_of_a_refusal),
		cmocka_unit_test(test_problem_of_options),
		cmocka_unit_test(test_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
