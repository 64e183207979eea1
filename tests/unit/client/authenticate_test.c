/* SPDX-License-Identifier: Apache-2.0 */
/* Enhanced authentication over the public header ([5] 4.12): SCRAM-SHA-256 against servers that
 * know the password and servers that do not, and a method of the application's own. */
#include "app.h"

#include <stdio.h>

#include "access/scram.h"
#include "base/mem.h"
#include "mqtt/reason.h"

/* --- a server that speaks SCRAM --- */

enum fault {
	FAULT_NONE,
	FAULT_PASSWORD, /* the server's is another: it refuses */
	FAULT_NO_PROOF, /* it takes us without its proof */
	FAULT_WRONG_PROOF,
	FAULT_NO_QUESTION, /* it takes us at once */
	FAULT_ITERATIONS,  /* it asks for too many */
	FAULT_TWO_QUESTIONS,
	FAULT_THIRD,        /* it refuses the third time */
	FAULT_DONE_BY_AUTH, /* AUTH 0x00 where CONNACK belongs */
};

static struct scram_server scram;
static struct scram_verifier verifier;
static enum fault fault;
static unsigned first_count, proven_count;
static bool is_connected; /* behind CONNACK */

static void make_verifier(const char *password)
{
	static const uint8_t salt[16] = {1, 2, 3};
	assert_int_equal(scram_verifier_make(span_of_text(password), span_of(salt, sizeof(salt)),
					     SCRAM_ITERATIONS_MIN, &verifier),
			 0);
}

static void take_first(struct server *s, struct span data)
{
	struct buffer out = {0};
	struct span user;
	const char *trouble;
	first_count++;
	assert_int_equal(scram_server_begin(&scram, data, &user, &trouble), 0);
	assert_true(span_is_equal(user, SPAN_LITERAL("user")));
	assert_int_equal(scram_server_first(&scram, &verifier, SPAN_LITERAL("server"), &out), 0);
	if (fault == FAULT_ITERATIONS)
		out.ptr[out.end - 4] = '1'; /* 4096 -> 1096 */
	server_auth(s, REASON_CONTINUE_AUTHENTICATION, SCRAM_METHOD, buffer_content(&out));
	if (fault == FAULT_TWO_QUESTIONS)
		server_auth(s, REASON_CONTINUE_AUTHENTICATION, SCRAM_METHOD, buffer_content(&out));
	buffer_release(&out);
}

static void say_done(struct server *s, struct span data)
{
	if (is_connected || fault == FAULT_DONE_BY_AUTH)
		server_auth(s, REASON_SUCCESS, SCRAM_METHOD, data);
	else
		server_accept(s, 0, SCRAM_METHOD, data);
	is_connected = true;
}

static void say_no(struct server *s)
{
	if (!is_connected)
		server_accept(s, REASON_NOT_AUTHORIZED, SCRAM_METHOD, SPAN_NONE);
	else
		server_write(s, "\xe0\x01\x87", 3);
}

static void take_final(struct server *s, struct span data)
{
	struct buffer out = {0};
	const char *trouble;
	int error = scram_server_final(&scram, &verifier, data, &out, &trouble);
	assert_int_not_equal(error, ERROR_INVALID);
	if (fault == FAULT_WRONG_PROOF)
		out.ptr[5] ^= 1;
	if (error || (fault == FAULT_THIRD && proven_count == 2))
		say_no(s);
	else
		say_done(s, fault == FAULT_NO_PROOF ? SPAN_NONE : buffer_content(&out));
	proven_count += error == 0;
	buffer_release(&out);
}

static void serve_scram(struct server *s, uint8_t type, const struct properties *p)
{
	assert_true(span_is_equal(p->authentication_method, SPAN_LITERAL(SCRAM_METHOD)));
	assert_false(s->connect.has_user_name);
	assert_false(s->connect.has_password);
	if (type == PACKET_CONNECT)
		is_connected = false;
	if (fault == FAULT_NO_QUESTION)
		say_done(s, SPAN_LITERAL("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
	else if (scram.state != SCRAM_FINAL || type == PACKET_CONNECT)
		take_first(s, p->authentication_data);
	else
		take_final(s, p->authentication_data);
}

static void prepare(enum fault with)
{
	fault = with;
	first_count = proven_count = 0;
	app_prepare(NJ_MQTT_5);
	app.host.server.authenticate = serve_scram;
	app.options.auth_method = "SCRAM-SHA-256";
	app.options.user_name = "user";
	app.options.password = "pencil";
	app.options.password_len = 6;
	make_verifier(with == FAULT_PASSWORD ? "crayon" : "pencil");
}

static void end(void)
{
	app_end();
	scram_server_release(&scram);
}

/* --- SCRAM --- */

static void test_scram_takes_and_is_taken(void **state)
{
	(void)state;
	prepare(FAULT_NONE);
	app_open();
	assert_int_equal(proven_count, 1);
	assert_int_equal(app_publish(1, 1, NULL), 0);
	settle(&app.host, app.client);
	assert_int_equal(app.published[0].outcome, NJ_ACKNOWLEDGED);
	/* each connection has a nonce, and a proof, of its own */
	app_reconnect();
	assert_int_equal(first_count, 2);
	assert_int_equal(proven_count, 2);
	end();
}

static bool has_ended(void *context)
{
	(void)context;
	return app.disconnected_count > 0;
}

static void expect_end(enum fault with, enum nj_end wanted)
{
	char text[256];
	prepare(with);
	app.options.stays_down = true;
	assert_int_equal(nj_new(&app.options, &app.client), 0);
	assert_int_equal(app_publish(1, 1, NULL), 0);
	assert_int_equal(nj_connect(app.client, 0), 0);
	assert_true(step_until(&app.host, app.client, has_ended, NULL));
	assert_int_equal(app.disconnected.end, wanted);
	assert_int_equal(app.connected_count, 0);
	/* it gets nothing of ours */
	assert_int_equal(app.host.server.packet_count[PACKET_PUBLISH], 0);
	assert_true(strlen(nj_problem(app.client, text, sizeof(text))) > 10);
	end();
}

static void test_servers_that_are_not_taken(void **state)
{
	(void)state;
	expect_end(FAULT_PASSWORD, NJ_END_REFUSED);
	expect_end(FAULT_NO_PROOF, NJ_END_UNPROVEN);
	expect_end(FAULT_WRONG_PROOF, NJ_END_UNPROVEN);
	expect_end(FAULT_NO_QUESTION, NJ_END_UNPROVEN);
	expect_end(FAULT_ITERATIONS, NJ_END_UNPROVEN);
	expect_end(FAULT_TWO_QUESTIONS, NJ_END_FLAW);
	expect_end(FAULT_DONE_BY_AUTH, NJ_END_FLAW);
}

static bool is_proven_twice(void *context)
{
	(void)context;
	return proven_count == 2;
}

static void test_scram_again(void **state)
{
	(void)state;
	prepare(FAULT_NONE);
	app_open();
	assert_int_equal(nj_authenticate(app.client, 0), 0);
	assert_int_equal(nj_authenticate(app.client, 0), 0); /* the same one */
	assert_true(step_until(&app.host, app.client, is_proven_twice, NULL));
	settle(&app.host, app.client);
	assert_int_equal(nj_authenticate(app.client, 0), 0);
	settle(&app.host, app.client);
	assert_int_equal(proven_count, 3);
	assert_int_equal(app.disconnected_count, 0);
	/* it is told that the password has changed */
	make_verifier("crayon");
	app.host.server.is_connected = true;
	assert_int_equal(nj_authenticate(app.client, 0), 0);
	assert_true(step_until(&app.host, app.client, has_ended, NULL));
	assert_int_equal(app.disconnected.end, NJ_END_SERVER);
	assert_int_equal(app.disconnected.reason_code, REASON_NOT_AUTHORIZED);
	end();
	/* and a server that does not prove itself the second time */
	prepare(FAULT_NONE);
	app_open();
	fault = FAULT_WRONG_PROOF;
	assert_int_equal(nj_authenticate(app.client, 0), 0);
	assert_true(step_until(&app.host, app.client, has_ended, NULL));
	assert_int_equal(app.disconnected.end, NJ_END_UNPROVEN);
	end();
}

static void test_authenticate_waits(void **state)
{
	(void)state;
	prepare(FAULT_THIRD);
	host_start(&app.host);
	assert_int_equal(nj_new(&app.options, &app.client), 0);
	assert_int_equal(nj_authenticate(app.client, 1000), NJ_ERROR_CLOSED);
	assert_int_equal(nj_connect(app.client, 20000), 0);
	assert_int_equal(nj_authenticate(app.client, 20000), 0);
	assert_int_equal(nj_authenticate(app.client, 20000), NJ_ERROR_REFUSED);
	end();
}

static void test_options(void **state)
{
	(void)state;
	static const struct nj_property method[] = {NJ_TEXT(NJ_AUTHENTICATION_METHOD, "x")};
	struct nj_options good = NJ_OPTIONS_INIT, bad;
	good.auth_method = "SCRAM-SHA-256";
	good.user_name = "user";
	good.password = "pencil";
	good.password_len = 6;
	assert_null(nj_options_problem(&good));
	bad = good;
	bad.version = NJ_MQTT_3_1_1;
	assert_non_null(nj_options_problem(&bad));
	bad = good;
	bad.password = NULL;
	assert_non_null(nj_options_problem(&bad));
	bad = good;
	bad.user_name = NULL;
	assert_non_null(nj_options_problem(&bad));
	bad = good;
	bad.auth_method = "SCRAM-SHA-1"; /* nobody to speak it */
	assert_non_null(nj_options_problem(&bad));
	bad = good;
	bad.auth_method = NULL;
	bad.properties = method;
	bad.property_count = 1;
	assert_non_null(nj_options_problem(&bad));
}

/* --- a method of the application's --- */

static struct nj_auth steps[16];
static char step_data[16][8];
static unsigned step_count;
static bool answers_later, rejects;

static void on_auth(nj_client *c, void *context, const struct nj_auth *auth)
{
	(void)context;
	assert_true(step_count < 16);
	assert_string_equal(auth->method, "M");
	steps[step_count] = *auth;
	memset(step_data[step_count], 0, 8);
	if (auth->data.len > 0)
		memcpy(step_data[step_count], auth->data.ptr, auth->data.len);
	step_count++;
	if (auth->step == NJ_AUTH_DONE && rejects)
		assert_int_equal(nj_auth_reject(c), 0);
	else if (auth->step == NJ_AUTH_DONE)
		assert_int_equal(nj_auth_answer(c, "x", 1), NJ_ERROR_NOT_FOUND);
	else if (!answers_later)
		assert_int_equal(nj_auth_answer(c, "answer", 6), 0);
}

/* Asks twice, then takes whoever it is. */
static void serve_method(struct server *s, uint8_t type, const struct properties *p)
{
	static unsigned questions;
	assert_true(span_is_equal(p->authentication_data, SPAN_LITERAL("answer")));
	if (type == PACKET_CONNECT) {
		questions = 0;
		is_connected = false;
	}
	if (questions++ < 2)
		server_auth(s, REASON_CONTINUE_AUTHENTICATION, "M", SPAN_LITERAL("ask"));
	else if (is_connected)
		server_auth(s, REASON_SUCCESS, "M", SPAN_LITERAL("again"));
	else
		server_accept(s, 0, "M", SPAN_LITERAL("proof"));
	if (questions > 2) {
		is_connected = true;
		questions = 0;
	}
}

static void prepare_method(void)
{
	step_count = 0;
	answers_later = rejects = false;
	app_prepare(NJ_MQTT_5);
	app.host.server.authenticate = serve_method;
	app.options.auth_method = "M";
	app.options.callbacks.auth = on_auth;
}

static void test_callback_takes_each_step(void **state)
{
	(void)state;
	static const enum nj_auth_step wanted[] = {NJ_AUTH_BEGIN, NJ_AUTH_CHALLENGE,
						   NJ_AUTH_CHALLENGE, NJ_AUTH_DONE};
	static const char *const data[] = {"", "ask", "ask", "proof", "", "ask", "ask", "again"};
	prepare_method();
	app_open();
	assert_int_equal(step_count, 4);
	assert_int_equal(nj_authenticate(app.client, 0), 0);
	settle(&app.host, app.client);
	assert_int_equal(step_count, 8);
	for (unsigned i = 0; i < 8; i++) {
		assert_int_equal(steps[i].step, wanted[i % 4]);
		assert_int_equal(steps[i].is_again, i >= 4);
		assert_string_equal(step_data[i], data[i]);
	}
	assert_int_equal(nj_auth_reject(app.client), NJ_ERROR_NOT_FOUND);
	assert_int_equal(app.disconnected_count, 0);
	app_end();
}

static bool is_asked(void *context)
{
	return step_count > *(unsigned *)context;
}

static void test_answers_may_come_later(void **state)
{
	(void)state;
	prepare_method();
	answers_later = true;
	assert_int_equal(nj_new(&app.options, &app.client), 0);
	assert_int_equal(nj_auth_answer(app.client, "answer", 6), NJ_ERROR_NOT_FOUND);
	assert_int_equal(nj_connect(app.client, 0), 0);
	for (unsigned i = 0; i < 3; i++) {
		assert_true(step_until(&app.host, app.client, is_asked, &i));
		settle(&app.host, app.client);
		assert_int_equal(step_count, i + 1);
		assert_int_equal(nj_auth_answer(app.client, "answer", 6), 0);
		assert_int_equal(nj_auth_answer(app.client, "answer", 6), NJ_ERROR_NOT_FOUND);
	}
	assert_true(step_until(&app.host, app.client, app_is_connected, NULL));
	/* one that waits for an answer can be told to go */
	assert_int_equal(nj_disconnect(app.client, 0), 0);
	settle(&app.host, app.client);
	assert_int_equal(nj_connect(app.client, 0), 0);
	unsigned before = step_count;
	assert_true(step_until(&app.host, app.client, is_asked, &before));
	assert_int_equal(nj_disconnect(app.client, 0), 0);
	assert_int_equal(nj_auth_answer(app.client, "answer", 6), NJ_ERROR_NOT_FOUND);
	settle(&app.host, app.client);
	assert_int_equal(nj_timeout_ms(app.client), -1);
	app_end();
}

static void test_callback_does_not_take_the_server(void **state)
{
	(void)state;
	prepare_method();
	rejects = true;
	app.options.stays_down = true;
	assert_int_equal(nj_new(&app.options, &app.client), 0);
	assert_int_equal(app_publish(1, 1, NULL), 0);
	assert_int_equal(nj_connect(app.client, 0), 0);
	assert_true(step_until(&app.host, app.client, has_ended, NULL));
	assert_int_equal(app.disconnected.end, NJ_END_UNPROVEN);
	assert_int_equal(app.connected_count, 0);
	assert_int_equal(app.host.server.packet_count[PACKET_PUBLISH], 0);
	app_end();
}

/* --- memory --- */

static bool connect_with(unsigned long countdown)
{
	prepare(FAULT_NONE);
	app.options.retry_base_ms = 0;
	host_start(&app.host); /* its own thread, whose memory does not fail */
	mem_fail_after(countdown);
	if (nj_new(&app.options, &app.client) == 0)
		assert_int_equal(nj_connect(app.client, 20000), 0);
	bool has_failed = mem_has_failed();
	mem_fail_after(0);
	end();
	assert_int_equal(mem_count_live(), 0);
	return has_failed;
}

static void test_each_allocation_fails(void **state)
{
	(void)state;
	unsigned long countdown = 1;
	mem_count_start();
	while (connect_with(countdown))
		countdown++;
	assert_true(countdown > 15);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scram_takes_and_is_taken),
		cmocka_unit_test(test_servers_that_are_not_taken),
		cmocka_unit_test(test_scram_again),
		cmocka_unit_test(test_authenticate_waits),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_callback_takes_each_step),
		cmocka_unit_test(test_answers_may_come_later),
		cmocka_unit_test(test_callback_does_not_take_the_server),
		cmocka_unit_test(test_each_allocation_fails),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
