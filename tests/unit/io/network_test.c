/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses and networks as bytes. */
#include "io/network.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_network_has(void **state)
{
	static const struct {
		const char *network, *address;
		bool has;
	} cases[] = {
		{"192.0.2.0/24", "192.0.2.255:1", true},
		{"192.0.2.0/24", "192.0.3.0:1", false},
		{"192.0.2.1", "192.0.2.1:65535", true},
		{"192.0.2.1", "192.0.2.2:1", false},
		{"0.0.0.0/0", "203.0.113.9:1", true},
		{"0.0.0.0/0", "[2001:db8::1]:1", false},
		{"10.0.0.0/7", "11.255.0.1:1", true},
		{"10.0.0.0/7", "12.0.0.1:1", false},
		{"2001:db8::/32", "[2001:db8:ffff::1]:1", true},
		{"2001:db8::/32", "[2001:db9::1]:1", false},
		{"::/0", "[2001:db8::1]:1", true},
		{"::1", "[::1]:1883", true},
		/* without a port, as a proxy that speaks HTTP tells it */
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "192.0.2.11", false},
		{"2001:db8::1:2", "2001:db8::1:2", true},
		{"2001:db8::1", "2001:db8::1:2", false},
		{"::1", "::1", true},
		{"::1", "[::1]", true},
		{"192.0.2.1", "::ffff:192.0.2.1", true},
		/* IPv4 that came by an IPv6 socket is shown, and judged, as IPv4 */
		{"::ffff:192.0.2.0/120", "192.0.2.7:1", true},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct network n;
		uint8_t ip[IP_BYTES];
		assert_true(network_read(span_of_text(cases[i].network), &n));
		assert_true(ip_of_address(cases[i].address, ip));
		assert_int_equal(network_has(&n, ip), cases[i].has);
	}
}

static void test_network_read_refuses(void **state)
{
	static const char *const texts[] = {
		"",
		"x",
		"192.0.2.1/24",
		"192.0.2.0/33",
		"192.0.2.0/",
		"1.2.3",
		"::1/129",
		"::1/64",
		"192.0.2.0/-1",
		"192.0.2.0/1 ",
		"1.2.3.4.5",
		"localhost",
		"192.0.2.0/0024",
		"192.0.2.0/24/24",
		"/24",
		"11111111111111111111111111111111111111111111111111111111111111111",
	};
	struct network n;
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(texts); i++)
		assert_false(network_read(span_of_text(texts[i]), &n));
	assert_false(network_read(span_of("1.2.3.4\0", 8), &n));
}

static void test_ip_of_address_refuses(void **state)
{
	static const char *const texts[] = {"",    "unix", "1.2.3",     ":1",    "[]:1",
					    "x:1", "[::1", "1.2.3.4.5", "::1::", "1.2.3.4]"};
	uint8_t ip[IP_BYTES];
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(texts); i++)
		assert_false(ip_of_address(texts[i], ip));
}

static void test_ip_cut(void **state)
{
	uint8_t ip[IP_BYTES], all[IP_BYTES];
	(void)state;
	memset(all, 0xff, sizeof(all));
	for (unsigned bits = 0; bits <= IP_BITS; bits++) {
		unsigned ones = 0;
		memcpy(ip, all, sizeof(ip));
		ip_cut(ip, bits);
		for (unsigned i = 0; i < IP_BITS; i++) {
			bool is_set = ip[i / 8] >> (7 - i % 8) & 1;
			assert_int_equal(is_set, i < bits);
			ones += is_set;
		}
		assert_int_equal(ones, bits);
	}
	assert_true(ip_of_address("192.0.2.1:1", ip) && ip_is_v4(ip));
	assert_true(ip_of_address("[2001:db8::1]:1", ip) && !ip_is_v4(ip));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_network_has),
		cmocka_unit_test(test_network_read_refuses),
		cmocka_unit_test(test_ip_of_address_refuses),
		cmocka_unit_test(test_ip_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
