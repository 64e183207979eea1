/* SPDX-License-Identifier: Apache-2.0 */
#include "sockets.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static bool machine_has_ipv6(void)
{
	struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int fd = socket(AF_INET6, SOCK_STREAM, 0);
	if (fd < 0)
		return false;
	bool is_there = bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0;
	close(fd);
	return is_there;
}

static unsigned open_at(const struct listen_at *at, struct listener *found)
{
	char reason[LISTENER_REASON_MAX];
	unsigned count;
	assert_int_equal(listeners_open(at, found, &count, reason), 0);
	return count;
}

static void close_all(struct listener *listeners, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		listener_close(&listeners[i]);
}

static void test_listener_port_0_is_a_free_one(void **state)
{
	(void)state;
	struct listener found[LISTENERS_PER_HOST_MAX];
	unsigned count = open_at(&(struct listen_at){.host = "127.0.0.1"}, found);
	char expected[ADDRESS_TEXT_MAX];
	assert_int_equal(count, 1);
	assert_int_not_equal(found[0].port, 0);
	snprintf(expected, sizeof(expected), "127.0.0.1:%u", found[0].port);
	assert_string_equal(found[0].text, expected);
	close_all(found, count);
}

static void test_listener_localhost_is_both_loopbacks_on_one_port(void **state)
{
	(void)state;
	struct listener found[LISTENERS_PER_HOST_MAX];
	char expected[ADDRESS_TEXT_MAX];
	unsigned count = open_at(&(struct listen_at){.host = "localhost"}, found);
	assert_int_equal(count, machine_has_ipv6() ? 2 : 1);
	for (unsigned i = 0; i < count; i++) {
		snprintf(expected, sizeof(expected), i == 0 ? "127.0.0.1:%u" : "[::1]:%u",
			 found[0].port);
		assert_string_equal(found[i].text, expected);
	}
	close_all(found, count);
}

static void test_listener_without_host_is_every_address(void **state)
{
	(void)state;
	struct listener found[LISTENERS_PER_HOST_MAX];
	unsigned count = open_at(&(struct listen_at){.host = NULL}, found);
	assert_int_equal(count, machine_has_ipv6() ? 2 : 1);
	assert_ptr_equal(strstr(found[0].text, "0.0.0.0:"), found[0].text);
	close_all(found, count);
}

static void test_listener_family_chooses_one(void **state)
{
	(void)state;
	struct listener found[LISTENERS_PER_HOST_MAX];
	struct listen_at at = {.host = "localhost", .family = AF_INET};
	unsigned count = open_at(&at, found);
	assert_int_equal(count, 1);
	assert_ptr_equal(strstr(found[0].text, "127.0.0.1:"), found[0].text);
	close_all(found, count);
}

static void test_listener_ipv6_in_brackets(void **state)
{
	(void)state;
	if (!machine_has_ipv6())
		skip();
	struct listener found[LISTENERS_PER_HOST_MAX];
	unsigned count = open_at(&(struct listen_at){.host = "[::1]"}, found);
	assert_int_equal(count, 1);
	assert_ptr_equal(strstr(found[0].text, "[::1]:"), found[0].text);
	close_all(found, count);
}

static void test_listener_port_in_use_is_named(void **state)
{
	struct sockets *sockets = *state;
	struct listen_at at = {.host = "127.0.0.1", .port = sockets->listener.port};
	struct listener found[LISTENERS_PER_HOST_MAX];
	char reason[LISTENER_REASON_MAX], expected[LISTENER_REASON_MAX];
	unsigned count = 7;
	assert_int_equal(listeners_open(&at, found, &count, reason), ERROR_SYSTEM);
	assert_int_equal(count, 7);
	snprintf(expected, sizeof(expected),
		 "cannot listen on 127.0.0.1:%u: Address already in use (is another broker "
		 "running?)",
		 at.port);
	assert_string_equal(reason, expected);
	at.host = NULL; /* 0.0.0.0 would overlap */
	assert_int_equal(listeners_open(&at, found, &count, reason), ERROR_SYSTEM);
}

static void test_listener_host_of_another_family_is_refused(void **state)
{
	(void)state;
	struct listen_at at = {.host = "127.0.0.1", .family = AF_INET6};
	struct listener found[LISTENERS_PER_HOST_MAX];
	char reason[LISTENER_REASON_MAX];
	unsigned count;
	assert_int_equal(listeners_open(&at, found, &count, reason), ERROR_INVALID);
	assert_non_null(strstr(reason, "cannot listen on '127.0.0.1': "));
}

static void test_listener_accept_names_the_peer(void **state)
{
	struct sockets *sockets = *state;
	struct stream none, stream;
	char address[ADDRESS_TEXT_MAX], expected[ADDRESS_TEXT_MAX];
	assert_int_equal(listener_accept(&sockets->listener, &none, address), ERROR_AGAIN);

	struct sockaddr_in at = {
		.sin_family = AF_INET,
		.sin_port = htons(sockets->listener.port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(at);
	int client = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(client, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listener_accept(&sockets->listener, &stream, address), 0);
	assert_int_equal(getsockname(client, (struct sockaddr *)&at, &len), 0);
	snprintf(expected, sizeof(expected), "127.0.0.1:%u", ntohs(at.sin_port));
	assert_string_equal(address, expected);
	stream.ops->close(&stream);
	assert_false(stream_is_open(&stream));
	close(client);
}

static int no_delay_of(const struct stream *stream)
{
	int value = -1;
	socklen_t len = sizeof(value);
	getsockopt(stream->fd, IPPROTO_TCP, TCP_NODELAY, &value, &len);
	return value;
}

static void test_listener_connections_inherit_no_delay(void **state)
{
	struct sockets *sockets = *state;
	struct stream stream;
	int client = sockets_connect(sockets, &stream);
	assert_int_equal(no_delay_of(&stream), 1);
	stream.ops->close(&stream);
	close(client);
}

static void test_listener_may_delay(void **state)
{
	struct sockets *sockets = *state;
	struct listener found[LISTENERS_PER_HOST_MAX];
	struct stream stream;
	listener_close(&sockets->listener);
	assert_int_equal(
		open_at(&(struct listen_at){.host = "127.0.0.1", .may_delay = true}, found), 1);
	sockets->listener = found[0];
	int client = sockets_connect(sockets, &stream);
	assert_int_equal(no_delay_of(&stream), 0);
	stream.ops->close(&stream);
	close(client);
}

static void test_listener_want_of_descriptors_is_told(void **state)
{
	struct sockets *sockets = *state;
	struct rlimit before, none;
	struct stream stream;
	char address[ADDRESS_TEXT_MAX];
	struct sockaddr_in at = {
		.sin_family = AF_INET,
		.sin_port = htons(sockets->listener.port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int client = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(client, (struct sockaddr *)&at, sizeof(at)), 0);

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){.rlim_cur = (rlim_t)client, .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	int error = listener_accept(&sockets->listener, &stream, address);
	int reason = errno;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(error, ERROR_LIMIT);
	assert_int_equal(reason, EMFILE);

	assert_int_equal(listener_accept(&sockets->listener, &stream, address), 0);
	stream.ops->close(&stream);
	close(client);
}

static void test_listener_of_an_interface(void **state)
{
	(void)state;
	struct listener found[LISTENERS_PER_HOST_MAX];
	struct listen_at at = {.interface = "lo", .family = AF_INET};
	unsigned count = open_at(&at, found);
	assert_true(count >= 1);
	assert_ptr_equal(strstr(found[0].text, "127.0.0.1:"), found[0].text);
	close_all(found, count);
}

static void test_listener_of_no_interface_is_refused(void **state)
{
	(void)state;
	struct listen_at at = {.interface = "nowhere0"};
	struct listener found[LISTENERS_PER_HOST_MAX];
	char reason[LISTENER_REASON_MAX];
	unsigned count;
	assert_int_equal(listeners_open(&at, found, &count, reason), ERROR_INVALID);
	assert_string_equal(reason, "cannot listen on interface 'nowhere0': this machine has none "
				    "of that name");
}

#define WITH_SOCKETS(test) cmocka_unit_test_setup_teardown(test, sockets_setup, sockets_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_listener_port_0_is_a_free_one),
		cmocka_unit_test(test_listener_localhost_is_both_loopbacks_on_one_port),
		cmocka_unit_test(test_listener_without_host_is_every_address),
		cmocka_unit_test(test_listener_family_chooses_one),
		cmocka_unit_test(test_listener_ipv6_in_brackets),
		cmocka_unit_test(test_listener_host_of_another_family_is_refused),
		cmocka_unit_test(test_listener_of_an_interface),
		cmocka_unit_test(test_listener_of_no_interface_is_refused),
		WITH_SOCKETS(test_listener_port_in_use_is_named),
		WITH_SOCKETS(test_listener_accept_names_the_peer),
		WITH_SOCKETS(test_listener_connections_inherit_no_delay),
		WITH_SOCKETS(test_listener_may_delay),
		WITH_SOCKETS(test_listener_want_of_descriptors_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
