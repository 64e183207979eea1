/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/proxy_header.h"
#include "io/stream_memory.h"

#define V2 "\r\n\r\n\0\r\nQUIT\n"
#define BYTES(text) text, sizeof(text) - 1
#define IPV4_BODY "\xc0\0\x02\x01\xc6\x33\x64\x01\x12\x67\x07\x5b"
#define IPV6_BODY                                                                                  \
	"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02"     \
	"\x12\x67\x07\x5b"

static const struct {
	const char *bytes;
	size_t len;
	const char *address, *name;
} good[] = {
	{BYTES("PROXY TCP4 192.0.2.1 198.51.100.1 4711 1883\r\n"), "192.0.2.1:4711", ""},
	{BYTES("PROXY TCP6 2001:db8::1 2001:db8::2 4711 1883\r\n"), "[2001:db8::1]:4711", ""},
	{BYTES("PROXY UNKNOWN\r\n"), "", ""},
	{BYTES("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n"), "", ""},
	{BYTES(V2 "\x21\x11\0\x0c" IPV4_BODY), "192.0.2.1:4711", ""},
	{BYTES(V2 "\x21\x21\0\x24" IPV6_BODY), "[2001:db8::1]:4711", ""},
	{BYTES(V2 "\x20\0\0\0"), "", ""},               /* LOCAL: a health check */
	{BYTES(V2 "\x21\0\0\0"), "", ""},               /* PROXY, and says nothing */
	{BYTES(V2 "\x20\x11\0\x0c" IPV4_BODY), "", ""}, /* LOCAL: addresses do not count */
	{BYTES(V2 "\x21\x11\0\x0f" IPV4_BODY "\x04\0\0"), "192.0.2.1:4711", ""}, /* no-op */
	/* a certificate that was verified, its name "al" */
	{BYTES(V2 "\x21\x11\0\x19" IPV4_BODY "\x20\0\x0a\x03\0\0\0\0\x22\0\x02"
		  "al"),
	 "192.0.2.1:4711", "al"},
	/* not verified: no name */
	{BYTES(V2 "\x21\x11\0\x19" IPV4_BODY "\x20\0\x0a\x03\0\0\0\x01\x22\0\x02"
		  "al"),
	 "192.0.2.1:4711", ""},
	/* no certificate was shown */
	{BYTES(V2 "\x21\x11\0\x19" IPV4_BODY "\x20\0\x0a\x01\0\0\0\0\x22\0\x02"
		  "al"),
	 "192.0.2.1:4711", ""},
};

static const struct {
	const char *bytes;
	size_t len;
} bad[] = {
	{BYTES("\x10\x0c\0\x04MQTT")},
	{BYTES("GET / HTTP/1.1\r\n")},
	{BYTES("PROXY\r\n")},
	{BYTES("PROXY TCP4 192.0.2.1 198.51.100.1 4711\r\n")},
	{BYTES("PROXY TCP4 192.0.2.1 198.51.100.1 4711 1883 \r\n")},
	{BYTES("PROXY TCP4 192.0.2.256 198.51.100.1 4711 1883\r\n")},
	{BYTES("PROXY TCP4 192.0.2.1 198.51.100.1 65536 1883\r\n")},
	{BYTES("PROXY TCP4 192.0.2.1 198.51.100.1 -1 1883\r\n")},
	{BYTES("PROXY TCP4 2001:db8::1 2001:db8::2 4711 1883\r\n")},
	{BYTES("PROXY TCP5 192.0.2.1 198.51.100.1 4711 1883\r\n")},
	{BYTES("PROXY TCP4 192.0.2.1                                                           "
	       "                                   ")},
	{BYTES(V2 "\x11\x11\0\x0c" IPV4_BODY)},              /* another version */
	{BYTES(V2 "\x22\x11\0\x0c" IPV4_BODY)},              /* another command */
	{BYTES(V2 "\x21\x41\0\x0c" IPV4_BODY)},              /* another family */
	{BYTES(V2 "\x21\x11\0\x0b" IPV4_BODY)},              /* too short for its addresses */
	{BYTES(V2 "\x21\x11\xff\xff")},                      /* too long */
	{BYTES(V2 "\x21\x11\0\x0f" IPV4_BODY "\x04\0\x01")}, /* a value that is not all there */
};

static void test_proxy_headers_tell_the_address(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
		struct proxy_header h;
		const char *reason = NULL;
		for (size_t len = 0; len < good[i].len; len++)
			assert_int_equal(
				proxy_header_decode(span_of(good[i].bytes, len), &h, &reason), 0);
		assert_int_equal(
			proxy_header_decode(span_of(good[i].bytes, good[i].len), &h, &reason),
			good[i].len);
		assert_string_equal(h.address, good[i].address);
		assert_string_equal(h.name, good[i].name);
	}
}

static void test_proxy_headers_that_are_wrong(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		struct proxy_header h;
		const char *reason = NULL;
		assert_int_equal(
			proxy_header_decode(span_of(bad[i].bytes, bad[i].len), &h, &reason),
			ERROR_INVALID);
		assert_non_null(reason);
	}
}

static void test_proxy_layer_gives_on_what_follows(void **state)
{
	(void)state;
	static const char bytes[] = "PROXY TCP4 192.0.2.1 198.51.100.1 4711 1883\r\nhello";
	for (uint32_t step = 0; step < 3; step++) {
		struct stream ends[2];
		struct layer_bottom bottom;
		struct span part = span_of(bytes, sizeof(bytes) - 1);
		uint8_t got[8];
		assert_int_equal(memory_pair_open(1000, &ends[0], &ends[1]), 0);
		assert_int_equal(ends[1].ops->write(&ends[1], &part, 1), part.len);
		memory_set_step(&ends[0], step);
		layer_bottom_init(&bottom, &ends[0]);
		struct layer *l = proxy_layer_new(&(struct proxy_terms){0}, NULL);
		l->below = &bottom.layer;
		assert_int_equal(layer_open(l), 0);
		size_t len = 0;
		while (len < 5) {
			long n = layer_read(l, (struct room){got + len, 2});
			assert_true(n > 0);
			len += (size_t)n;
		}
		assert_memory_equal(got, "hello", 5);
		assert_false(layer_has_more(l));
		struct stream_peer peer = {0};
		layer_peer(l, &peer);
		assert_string_equal(peer.address, "192.0.2.1:4711");
		layer_free(l);
		bottom.stream.ops->close(&bottom.stream);
		ends[1].ops->close(&ends[1]);
	}
}

#define TLS_VALUE(client, verified) "\x20\0\x05" client "\0\0\0" verified

/* What the listener asks of a header; only the second version tells. */
static void test_proxy_layer_keeps_terms(void **state)
{
	(void)state;
	static const struct {
		const char *bytes;
		size_t len;
		bool has_tls, has_certificate;
	} headers[] = {
		{BYTES("PROXY TCP4 192.0.2.1 198.51.100.1 4711 1883\r\n"), false, false},
		{BYTES(V2 "\x20\0\0\0"), false, false},
		{BYTES(V2 "\x21\x11\0\x0c" IPV4_BODY), false, false},
		{BYTES(V2 "\x21\x11\0\x14" IPV4_BODY TLS_VALUE("\0", "\0")), false, false},
		{BYTES(V2 "\x21\x11\0\x14" IPV4_BODY TLS_VALUE("\x01", "\0")), true, false},
		{BYTES(V2 "\x21\x11\0\x14" IPV4_BODY TLS_VALUE("\x03", "\x01")), true, false},
		{BYTES(V2 "\x21\x11\0\x14" IPV4_BODY TLS_VALUE("\x03", "\0")), true, true},
	};
	for (size_t i = 0; i < 4 * ARRAY_COUNT(headers); i++) {
		struct proxy_terms terms = {.must_have_tls = i & 1, .must_have_certificate = i & 2};
		bool is_good = (!terms.must_have_tls || headers[i / 4].has_tls) &&
			       (!terms.must_have_certificate || headers[i / 4].has_certificate);
		struct stream ends[2];
		struct layer_bottom bottom;
		struct span part = span_of(headers[i / 4].bytes, headers[i / 4].len);
		assert_int_equal(memory_pair_open(1000, &ends[0], &ends[1]), 0);
		assert_int_equal(ends[1].ops->write(&ends[1], &part, 1), part.len);
		layer_bottom_init(&bottom, &ends[0]);
		struct layer *l = proxy_layer_new(&terms, NULL);
		l->below = &bottom.layer;
		assert_int_equal(layer_open(l), is_good ? 0 : ERROR_CLOSED);
		assert_int_equal(l->reason != NULL, !is_good);
		layer_free(l);
		bottom.stream.ops->close(&bottom.stream);
		ends[1].ops->close(&ends[1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_proxy_headers_tell_the_address),
		cmocka_unit_test(test_proxy_headers_that_are_wrong),
		cmocka_unit_test(test_proxy_layer_gives_on_what_follows),
		cmocka_unit_test(test_proxy_layer_keeps_terms),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
