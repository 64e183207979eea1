/* SPDX-License-Identifier: Apache-2.0 */
/* Enhanced authentication ([5] 4.12): what the engine passes on, and what it refuses. */
#include "server.h"

static void with_method(struct connect *connect, struct engine_options *options)
{
	(void)options;
	connect->properties.present = UINT64_C(1) << PROPERTY_AUTHENTICATION_METHOD;
	connect->properties.authentication_method = SPAN_LITERAL("M");
}

static void feed(struct client *c, const void *bytes, size_t len)
{
	engine_input(c->engine, span_of(bytes, len), c->now_ms);
}

#define FEED(c, text) feed(c, text, sizeof(text) - 1)

static void assert_output(struct client *c, const void *bytes, size_t len)
{
	struct span output = engine_output(c->engine);
	assert_int_equal(output.len, len);
	assert_memory_equal(output.ptr, bytes, len);
	engine_sent(c->engine, output.len, c->now_ms);
}

#define OUTPUT(c, text) assert_output(c, text, sizeof(text) - 1)

static void begin(struct client *c, void (*changes)(struct connect *, struct engine_options *))
{
	client_init(c, MQTT_5, changes);
	assert_int_equal(engine_connect(c->engine, c->now_ms), 0);
	engine_sent(c->engine, engine_output(c->engine).len, c->now_ms);
}

static struct auth answer_of(uint8_t reason_code, const char *method)
{
	struct auth p = {.reason_code = reason_code};
	p.properties.present = UINT64_C(1) << PROPERTY_AUTHENTICATION_METHOD |
			       UINT64_C(1) << PROPERTY_AUTHENTICATION_DATA;
	p.properties.authentication_method = span_of_text(method);
	p.properties.authentication_data = SPAN_LITERAL("d");
	return p;
}

static void test_challenge_and_answer(void **state)
{
	(void)state;
	struct client c;
	struct auth p = answer_of(REASON_CONTINUE_AUTHENTICATION, "M");
	begin(&c, with_method);
	FEED(&c, "\xf0\x06\x18\x04\x15\0\1M");
	assert_int_equal(c.auth_count, 1);
	assert_int_equal(engine_auth(c.engine, &p), 0);
	OUTPUT(&c, "\xf0\x0a\x18\x08\x15\0\1M\x16\0\1d");
	p.reason_code = REASON_REAUTHENTICATE; /* not before CONNACK */
	assert_int_equal(engine_auth(c.engine, &p), ERROR_INVALID);
	FEED(&c, "\x20\x07\0\0\x04\x15\0\1M");
	assert_true(engine_is_connected(c.engine));
	assert_int_equal(engine_auth(c.engine, &p), 0);
	OUTPUT(&c, "\xf0\x0a\x19\x08\x15\0\1M\x16\0\1d");
	client_release(&c);
}

static void test_answers_that_may_not_be_sent(void **state)
{
	(void)state;
	struct client c;
	struct auth p = answer_of(REASON_CONTINUE_AUTHENTICATION, "M");
	begin(&c, NULL); /* without a method [MQTT-4.12.0-7] */
	FEED(&c, "\x20\x03\0\0\0");
	assert_int_equal(engine_auth(c.engine, &p), ERROR_INVALID);
	client_release(&c);
	begin(&c, with_method);
	p = answer_of(REASON_CONTINUE_AUTHENTICATION, "N"); /* [MQTT-4.12.1-1] */
	assert_int_equal(engine_auth(c.engine, &p), ERROR_INVALID);
	p = answer_of(REASON_SUCCESS, "M"); /* [MQTT-4.12.0-3] */
	assert_int_equal(engine_auth(c.engine, &p), ERROR_INVALID);
	engine_lost(c.engine, 0);
	p = answer_of(REASON_CONTINUE_AUTHENTICATION, "M");
	assert_int_equal(engine_auth(c.engine, &p), ERROR_CLOSED);
	client_release(&c);
}

/* [MQTT-4.12.0-5] */
static void test_servers_that_mix_up_the_method(void **state)
{
	(void)state;
	static const struct {
		bool has_method;
		const char *bytes;
		size_t len;
	} rows[] = {
		{true, "\xf0\x06\x18\x04\x15\0\1N", 8},  /* AUTH with another */
		{true, "\xf0\x02\x18\0", 4},             /* and without */
		{true, "\x20\x07\0\0\x04\x15\0\1N", 9},  /* CONNACK with another */
		{true, "\x20\x03\0\0\0", 5},             /* and without */
		{false, "\x20\x07\0\0\x04\x15\0\1N", 9}, /* unasked */
		{false, "\xf0\x06\x18\x04\x15\0\1N", 8},
	};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct client c;
		begin(&c, rows[i].has_method ? with_method : NULL);
		feed(&c, rows[i].bytes, rows[i].len);
		assert_true(engine_is_closing(c.engine));
		assert_int_equal(c.auth_count + c.connected_count, 0);
		engine_lost(c.engine, 0);
		assert_int_equal(c.closed.end, ENGINE_END_FLAW);
		client_release(&c);
	}
}

/* [MQTT-3.14.2-4]: a DISCONNECT goes out, if need be without its properties. */
static void test_disconnect_fits_the_server(void **state)
{
	(void)state;
	struct client c;
	struct disconnect p = {.reason_code = REASON_DISCONNECT_WITH_WILL};
	p.properties.user = SPAN_LITERAL("\x26\0\1n\0\1v");
	begin(&c, NULL);
	FEED(&c, "\x20\x08\0\0\x05\x27\0\0\0\x0b");
	engine_disconnect(c.engine, &p);
	OUTPUT(&c, "\xe0\x09\x04\x07\x26\0\1n\0\1v");
	client_release(&c);
	begin(&c, NULL);
	FEED(&c, "\x20\x08\0\0\x05\x27\0\0\0\x0a");
	engine_disconnect(c.engine, &p);
	OUTPUT(&c, "\xe0\x01\x04");
	client_release(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_challenge_and_answer),
		cmocka_unit_test(test_answers_that_may_not_be_sent),
		cmocka_unit_test(test_servers_that_mix_up_the_method),
		cmocka_unit_test(test_disconnect_fits_the_server),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
