/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses with too many connections, and those who are banned for what they did before. */
#include "access/password.h"
#include "broker/guard.h"
#include "kit/play.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct settings set;
static struct listener_limits *const limits = &set.limits.listeners[0];
static struct ban_settings *const ban = &set.limits.ban;

static int setup(void **state)
{
	(void)state;
	settings_init(&set);
	return 0;
}

#define IN(actor) actor " > CONNECT v5 id=" actor " clean\n" actor " < CONNACK 00\n"
#define OUT(actor) actor " > CONNECT v5 id=" actor " clean\n" actor " < closed\n"
#define ERROR(actor) actor " > RAW v5 10 00\n" actor " < closed\n"

static void exempt(const char *network)
{
	set.limits.exempt_count = 1;
	assert_true(network_read(span_of_text(network), &set.limits.exempt[0]));
}

static void test_connections_of_an_address(void **state)
{
	(void)state;
	limits->connections_per_address = 2;
	play_all(&set,
		 "a from 192.0.2.7:1\nb from 192.0.2.7:2\nc from 192.0.2.7:3\n"
		 "d from 192.0.2.8:1\n" IN("a") IN("b") OUT("c") IN(
			 "d") "# one goes, another one comes\n"
			      "a cut\n" IN("c") OUT(
				      "a") "# and so does one that was refused for something else\n"
					   "b cut\n" ERROR("e") IN("b"));
}

/* A network has a great many addresses to come from. */
static void test_connections_of_a_network_of_ipv6(void **state)
{
	(void)state;
	limits->connections_per_address = 1;
	play_all(&set, "a from [2001:db8:0:1::1]:1\nb from [2001:db8:0:1:ffff::2]:1\n"
		       "c from [2001:db8:0:2::1]:1\n" IN("a") OUT("b") IN("c"));
}

static void test_connections_of_unix_sockets_are_free(void **state)
{
	(void)state;
	limits->connections_per_address = 1;
	ban->errors_max = 1;
	play_all(&set,
		 "a from unix\nb from unix\nc from unix\n" IN("a") IN("b") ERROR("c") IN("c"));
}

static void test_connections_of_those_who_are_exempt(void **state)
{
	(void)state;
	limits->connections_per_address = 1;
	limits->messages_per_s = 1;
	ban->errors_max = 1;
	exempt("192.0.2.0/24");
	play_all(&set, "c from 198.51.100.1:1\nd from 198.51.100.1:2\n" ERROR("a") IN("a") IN("b")
			       IN("c") OUT("d") "repeat 20 a > PINGREQ\na < 20 PINGRESP\n"
						"repeat 20 c > PINGREQ\nc < 2 PINGRESP\n"
						"c < nothing\n");
}

static void test_ban_for_errors(void **state)
{
	static struct play p;
	(void)state;
	ban->errors_max = 3;
	ban->window_s = 10;
	ban->ban_s = 20;
	play_start(&p, &set, 2, 3, 0);
	play_lines(&p, "o from 192.0.2.2:1\n" ERROR("a") ERROR("b") IN("a") "a > RAW v5 f1 00\n"
									    "a < DISCONNECT 81\n"
									    "a < closed\n");
	assert_int_equal(p.kit.events[EVENT_BANNED], 1);
	play_lines(&p, OUT("a") OUT("b") IN("o") "wait 19900\n" OUT("a") "wait 200\n" IN("a"));
	assert_int_equal(guard_counted(broker_guard(p.kit.broker), GUARD_BANS), 1);
	assert_int_equal(guard_counted(broker_guard(p.kit.broker), GUARD_BANNED), 3);
	play_stop(&p);
}

static void test_ban_not_for_errors_of_long_ago(void **state)
{
	(void)state;
	ban->errors_max = 3;
	ban->window_s = 10;
	play_all(&set, ERROR("a") ERROR("b") "wait 10100\n" ERROR("a") ERROR("b") IN("a"));
}

/* Who connects and says nothing holds a descriptor for as long as he is let. */
static void test_ban_for_silence(void **state)
{
	(void)state;
	ban->errors_max = 2;
	set.connect_timeout_ms = 1000;
	play_all(&set, "a + PINGREQ\n" /* opens a connection, and says one byte less */
		       "b > RAW v5 10\n"
		       "c > RAW v5 10\n"
		       "wait 1100\nb < closed\nc < closed\n" OUT("d"));
}

static void test_ban_for_flapping(void **state)
{
	(void)state;
	ban->connects_max = 3;
	play_all(&set, IN("a") "a > DISCONNECT\na < closed\n" IN("a") "a cut\n" IN(
			       "b") "# those who are in may stay\n"
				    "b > PINGREQ\nb < PINGRESP\n" OUT("a"));
}

/* An address may be that of a whole house: then it is the client that is meant. */
static void test_ban_of_client_ids(void **state)
{
	(void)state;
	ban->connects_max = 2;
	ban->of_addresses = false;
	ban->of_client_ids = true;
	play_all(&set,
		 IN("a") "a > DISCONNECT\na < closed\n" IN(
			 "a") "a > DISCONNECT\na < closed\n"
			      "a > CONNECT v5 id=a clean\na < CONNACK 8a\na < closed\n"
			      "o > CONNECT v4 id=a clean\no < CONNACK 05\no < closed\n" IN("b"));
}

static void test_ban_for_failed_logins(void **state)
{
	static struct play p;
	(void)state;
	ban->failed_logins_max = 2;
	ban->of_users = true;
	play_start(&p, &set, 2, 3, 0);
	struct access *access = access_new(1); /* nobody is known, nobody may be unknown */
	assert_non_null(access);
	access_finish(access);
	assert_int_equal(broker_use_access(p.kit.broker, access), 0);
	play_lines(&p, "a from 192.0.2.1:1\nb from 192.0.2.2:1\nc from 192.0.2.3:1\n"
		       "a > CONNECT v5 id=a name=lena pass=x\na < CONNACK 87\na < closed\n"
		       "b > CONNECT v5 id=b name=lena pass=x\nb < CONNACK 87\nb < closed\n"
		       "# from a third address, as the same user\n"
		       "c > CONNECT v5 id=c name=lena pass=x\nc < CONNACK 8a\nc < closed\n"
		       "# a guess of other names, from one address\n"
		       "b > CONNECT v4 id=b name=olaf pass=x\nb < CONNACK 05\nb < closed\n"
		       "b > CONNECT v5 id=b name=nina pass=x\nb < closed\n");
	play_stop(&p);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_connections_of_an_address),
		TEST(test_connections_of_a_network_of_ipv6),
		TEST(test_connections_of_unix_sockets_are_free),
		TEST(test_connections_of_those_who_are_exempt),
		TEST(test_ban_for_errors),
		TEST(test_ban_not_for_errors_of_long_ago),
		TEST(test_ban_for_silence),
		TEST(test_ban_for_flapping),
		TEST(test_ban_of_client_ids),
		TEST(test_ban_for_failed_logins),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
