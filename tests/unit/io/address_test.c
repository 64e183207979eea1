/* SPDX-License-Identifier: Apache-2.0 */
#include "io/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <cmocka.h>

static struct sockaddr_storage ipv6(const char *digits, uint16_t port)
{
	struct sockaddr_storage address = {0};
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&address;
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	assert_int_equal(inet_pton(AF_INET6, digits, &in6->sin6_addr), 1);
	return address;
}

static void assert_shown(const struct sockaddr_storage *address, const char *expected,
			 uint16_t port)
{
	char text[ADDRESS_TEXT_MAX];
	address_text(address, text);
	assert_string_equal(text, expected);
	assert_int_equal(address_port(address), port);
}

static void test_address_ipv4(void **state)
{
	(void)state;
	struct sockaddr_storage address = {0};
	struct sockaddr_in *in = (struct sockaddr_in *)&address;
	in->sin_family = AF_INET;
	in->sin_port = htons(43210);
	in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_shown(&address, "127.0.0.1:43210", 43210);
}

static void test_address_ipv6(void **state)
{
	(void)state;
	struct sockaddr_storage address = ipv6("::1", 43210);
	assert_shown(&address, "[::1]:43210", 43210);
}

static void test_address_longest_ipv6_fits(void **state)
{
	(void)state;
	const char *digits = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
	struct sockaddr_storage address = ipv6(digits, 65535);
	assert_shown(&address, "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535", 65535);
}

static void test_address_ipv4_wrapped_in_ipv6(void **state)
{
	(void)state;
	struct sockaddr_storage address = ipv6("::ffff:192.0.2.7", 1883);
	assert_shown(&address, "192.0.2.7:1883", 1883);
}

static void test_address_without_numbers(void **state)
{
	(void)state;
	struct sockaddr_storage address = {.ss_family = AF_UNIX};
	assert_shown(&address, "unix", 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_address_ipv4),
		cmocka_unit_test(test_address_ipv6),
		cmocka_unit_test(test_address_longest_ipv6_fits),
		cmocka_unit_test(test_address_ipv4_wrapped_in_ipv6),
		cmocka_unit_test(test_address_without_numbers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
