/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Enhanced authentication in the broker ([5] 4.12) where the wire alone does not decide: the file
 * changes in the middle, the user name is the client id, a certificate has said another name, memory
 * fails at each place. What goes over the wire is in tests/conformance/cases/4.12-auth.case.
 */
#include "access/password.h"
#include "access/scram.h"
#include "base/mem.h"
#include "broker/shard.h"
#include "kit/kit.h"
#include "mqtt/packets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define SHARDS 3
#define CAPACITY (1u << 16)

static struct settings set;
static struct kit kit;
static unsigned long failing_allocation; /* of the broker, for what is sent next; 0: none */
static bool has_failed;
static uint32_t failed_logins_max; /* before a user is banned; 0: no bans */

struct client {
	struct stream stream;
	struct scram_client scram;
	const char *password;
	uint8_t code;      /* of the last CONNACK, DISCONNECT or AUTH */
	uint8_t type;      /* of the last packet; 0: none */
	char id[64];       /* that was assigned; empty: none was */
	uint8_t data[512]; /* of the last AUTH or CONNACK */
	size_t data_len;
	bool is_ended;
};

/* "lena:secret:1": name, password, and a letter that makes the stored form another one. */
static struct access *access_of(const char *name, const char *password, char salt_letter)
{
	struct access_report report = {.file = "users"};
	uint8_t salt[PASSWORD_SALT_BYTES];
	const struct password_cost cost = {.iterations = SCRAM_ITERATIONS_MIN};
	char stored[PASSWORD_STORED_MAX], line[PASSWORD_STORED_MAX + 64];
	memset(salt, salt_letter, sizeof(salt));
	assert_int_equal(
		password_store(PASSWORD_SCRAM, &cost, salt, span_of_text(password), stored), 0);
	snprintf(line, sizeof(line), "%s:%s\n", name, stored);
	struct access *a = access_new(1);
	assert_non_null(a);
	a->realms[0].users = users_read(span_of_text(line), 7, &report);
	assert_non_null(a->realms[0].users);
	access_finish(a);
	return a;
}

static void start(const char *name, const char *password)
{
	settings_init(&set);
	set.limits.ban.failed_logins_max = failed_logins_max;
	set.limits.ban.of_users = true;
	set.limits.ban.of_addresses = false;
	set.limits.ban.window_s = set.limits.ban.ban_s = 60;
	mem_count_start();
	kit_start(&kit, &set, SHARDS, 11);
	assert_int_equal(broker_use_access(kit.broker, access_of(name, password, 'a')), 0);
}

static void stop(void)
{
	kit_stop(&kit);
	assert_int_equal(mem_count_live(), 0);
}

static void take(struct client *c, uint8_t type, struct span body)
{
	struct connack connack;
	struct auth auth;
	struct disconnect disconnect;
	const struct properties *in = NULL;
	c->type = type;
	if (type == PACKET_CONNACK) {
		assert_null(connack_decode(body, MQTT_5, &connack));
		c->code = connack.code;
		in = &connack.properties;
		if (properties_has(in, PROPERTY_ASSIGNED_CLIENT_IDENTIFIER))
			snprintf(c->id, sizeof(c->id), "%.*s",
				 (int)in->assigned_client_identifier.len,
				 (const char *)in->assigned_client_identifier.ptr);
	} else if (type == PACKET_AUTH) {
		assert_null(auth_decode(body, &auth));
		c->code = auth.reason_code;
		in = &auth.properties;
	} else {
		assert_int_equal(type, PACKET_DISCONNECT);
		assert_null(disconnect_decode(body, MQTT_5, &disconnect));
		c->code = disconnect.reason_code;
	}
	if (!in || !properties_has(in, PROPERTY_AUTHENTICATION_DATA))
		return;
	c->data_len = in->authentication_data.len;
	assert_in_range(c->data_len, 1, sizeof(c->data));
	memcpy(c->data, in->authentication_data.ptr, c->data_len);
}

static void receive(struct client *c)
{
	uint8_t bytes[4096];
	struct fixed_header h;
	const struct flaw *flaw;
	size_t len = 0;
	while (!c->is_ended) {
		long n = c->stream.ops->read(&c->stream,
					     (struct room){bytes + len, sizeof(bytes) - len});
		if (n == ERROR_AGAIN)
			break;
		c->is_ended = n <= 0;
		len += n > 0 ? (size_t)n : 0;
	}
	for (struct span rest = span_of(bytes, len); rest.len > 0;) {
		assert_int_equal(fixed_header_decode(rest, &h, &flaw), HEADER_OK);
		take(c, h.type, span_of(rest.ptr + h.header_len, h.remaining_length));
		size_t whole = (size_t)h.header_len + h.remaining_length;
		rest = span_of(rest.ptr + whole, rest.len - whole);
	}
}

static void send_bytes(struct client *c, struct span bytes)
{
	c->type = 0;
	assert_int_equal(c->stream.ops->write(&c->stream, &bytes, 1), bytes.len);
	mem_fail_after(failing_allocation);
	kit_settle(&kit);
	has_failed = mem_has_failed();
	mem_fail_after(0);
	receive(c);
}

static void put_method(struct properties *p, struct buffer *data)
{
	p->present |= 1ull << PROPERTY_AUTHENTICATION_METHOD | 1ull << PROPERTY_AUTHENTICATION_DATA;
	p->authentication_method = span_of_text(SCRAM_METHOD);
	p->authentication_data = buffer_content(data);
}

static void send_auth(struct client *c, uint8_t code, struct buffer *data)
{
	uint8_t bytes[1024];
	struct auth p = {.reason_code = code};
	properties_clear(&p.properties);
	put_method(&p.properties, data);
	size_t len = auth_encode(&p, (struct room){bytes, sizeof(bytes)});
	buffer_release(data);
	send_bytes(c, span_of(bytes, len));
}

/* CONNECT with the first message of that user; `name`: the User Name beside it, or NULL. */
static void connect_as(struct client *c, const char *id, const char *user, const char *password,
		       const char *name)
{
	uint8_t bytes[1024];
	struct buffer first = {0};
	struct connect p = {.version = MQTT_5,
			    .clean_start = true,
			    .keep_alive = 60,
			    .client_id = span_of_text(id),
			    .has_user_name = name != NULL};
	*c = (struct client){.password = password};
	c->stream = kit_open(&kit, 0, CAPACITY, NULL);
	properties_clear(&p.properties);
	properties_clear(&p.will_properties);
	if (name)
		p.user_name = span_of_text(name);
	assert_int_equal(
		scram_client_first(&c->scram, span_of_text(user), SPAN_LITERAL("nonce"), &first),
		0);
	put_method(&p.properties, &first);
	size_t len = connect_encode(&p, (struct room){bytes, sizeof(bytes)});
	assert_true(len > 0);
	buffer_release(&first);
	send_bytes(c, span_of(bytes, len));
}

static void expect(const struct client *c, uint8_t type, uint8_t code)
{
	assert_int_equal(c->type, type);
	assert_int_equal(c->code, code);
}

static void answer(struct client *c)
{
	struct buffer final = {0};
	const char *trouble;
	expect(c, PACKET_AUTH, REASON_CONTINUE_AUTHENTICATION);
	assert_int_equal(scram_client_final(&c->scram, span_of_text(c->password),
					    span_of(c->data, c->data_len), &final, &trouble),
			 0);
	send_auth(c, REASON_CONTINUE_AUTHENTICATION, &final);
}

static void begin_again(struct client *c, const char *user)
{
	struct buffer first = {0};
	assert_int_equal(
		scram_client_first(&c->scram, span_of_text(user), SPAN_LITERAL("other"), &first),
		0);
	send_auth(c, REASON_REAUTHENTICATE, &first);
}

static void assert_proven(struct client *c)
{
	const char *trouble;
	assert_int_equal(scram_client_check(&c->scram, span_of(c->data, c->data_len), &trouble), 0);
}

static void leave(struct client *c)
{
	c->stream.ops->close(&c->stream);
	scram_client_release(&c->scram);
	kit_settle(&kit);
}

/* On whatever shard its session is; both prove themselves, at first and again. */
static void test_authenticate_proves_both(void **state)
{
	static const char *const ids[] = {"", "a", "b", "c", "d"};
	struct client c;
	(void)state;
	start("lena", "secret");
	for (size_t i = 0; i < ARRAY_COUNT(ids); i++) {
		connect_as(&c, ids[i], "lena", "secret", NULL);
		answer(&c);
		expect(&c, PACKET_CONNACK, REASON_SUCCESS);
		assert_proven(&c);
		begin_again(&c, "lena");
		answer(&c);
		expect(&c, PACKET_AUTH, REASON_SUCCESS);
		assert_proven(&c);
		leave(&c);
	}
	stop();
}

/* The file is another one by the time of the answer: what was proven is worth nothing. */
static void test_authenticate_while_the_file_changes(void **state)
{
	struct client before, same, after, other;
	(void)state;
	start("lena", "secret");
	connect_as(&before, "a", "lena", "secret", NULL);
	connect_as(&same, "b", "lena", "secret", NULL);
	answer(&same);
	expect(&same, PACKET_CONNACK, REASON_SUCCESS);
	begin_again(&same, "lena");
	broker_change_access(kit.broker, access_of("lena", "secret", 'b'));
	kit_settle(&kit);
	receive(&same);
	expect(&same, PACKET_DISCONNECT, REASON_NOT_AUTHORIZED);
	answer(&before);
	expect(&before, PACKET_CONNACK, REASON_BAD_USER_NAME_OR_PASSWORD);
	connect_as(&after, "c", "lena", "secret", NULL);
	answer(&after);
	expect(&after, PACKET_CONNACK, REASON_SUCCESS);
	/* nobody is known by SCRAM any more */
	struct access *none = access_new(1);
	none->realms[0].allows_anonymous = true;
	access_finish(none);
	broker_change_access(kit.broker, none);
	kit_settle(&kit);
	connect_as(&other, "d", "lena", "secret", NULL);
	expect(&other, PACKET_CONNACK, REASON_BAD_AUTHENTICATION_METHOD);
	begin_again(&after, "lena");
	expect(&after, PACKET_DISCONNECT, REASON_NOT_AUTHORIZED);
	leave(&before);
	leave(&same);
	leave(&after);
	leave(&other);
	stop();
}

static void test_authenticate_names_must_agree(void **state)
{
	struct client c;
	(void)state;
	start("lena", "secret");
	connect_as(&c, "a", "lena", "secret", "lena");
	answer(&c);
	expect(&c, PACKET_CONNACK, REASON_SUCCESS);
	begin_again(&c, "olaf");
	expect(&c, PACKET_DISCONNECT, REASON_NOT_AUTHORIZED);
	leave(&c);
	connect_as(&c, "a", "lena", "secret", "olaf");
	expect(&c, PACKET_CONNACK, REASON_BAD_USER_NAME_OR_PASSWORD);
	leave(&c);
	stop();
}

/* Who stays silent is not waited for; the time is that from the beginning of the connection. */
static void test_authenticate_within_the_connect_timeout(void **state)
{
	struct client c;
	(void)state;
	start("lena", "secret");
	connect_as(&c, "", "lena", "secret", NULL);
	kit_advance(&kit, set.connect_timeout_ms - 1);
	receive(&c);
	assert_false(c.is_ended);
	kit_advance(&kit, 1000);
	receive(&c);
	expect(&c, PACKET_CONNACK, REASON_NOT_AUTHORIZED);
	assert_true(c.is_ended);
	leave(&c);
	stop();
}

/* Guesses count by the name that the proof was for, whether CONNECT says it or not. */
static void test_authenticate_guesses_are_counted(void **state)
{
	static const char *const names[] = {NULL, "lena", NULL};
	struct client c;
	(void)state;
	failed_logins_max = 3;
	start("lena", "secret");
	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		connect_as(&c, "a", "lena", "guessed", names[i]);
		answer(&c);
		expect(&c, PACKET_CONNACK, REASON_BAD_USER_NAME_OR_PASSWORD);
		leave(&c);
	}
	for (size_t i = 0; i < 2; i++) {
		connect_as(&c, "b", "lena", "secret", names[i]);
		expect(&c, PACKET_CONNACK, REASON_BANNED);
		assert_true(c.is_ended);
		leave(&c);
	}
	failed_logins_max = 0;
	stop();
}

/* Each allocation fails in turn: the client comes in or is refused, and nothing stays behind. */
static void test_authenticate_without_memory(void **state)
{
	unsigned refused = 0;
	(void)state;
	has_failed = true;
	for (unsigned long n = 1; has_failed; n++) {
		struct client c;
		start("lena", "secret");
		connect_as(&c, "a", "lena", "secret", NULL);
		struct buffer final = {0};
		const char *trouble;
		assert_int_equal(scram_client_final(&c.scram, SPAN_LITERAL("secret"),
						    span_of(c.data, c.data_len), &final, &trouble),
				 0);
		failing_allocation = n;
		send_auth(&c, REASON_CONTINUE_AUTHENTICATION, &final);
		failing_allocation = 0;
		assert_true(c.is_ended || c.code == REASON_SUCCESS);
		refused += c.is_ended;
		leave(&c);
		stop();
		assert_in_range(n, 1, 200);
	}
	assert_true(refused > 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_authenticate_proves_both),
		cmocka_unit_test(test_authenticate_while_the_file_changes),
		cmocka_unit_test(test_authenticate_names_must_agree),
		cmocka_unit_test(test_authenticate_within_the_connect_timeout),
		cmocka_unit_test(test_authenticate_guesses_are_counted),
		cmocka_unit_test(test_authenticate_without_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
