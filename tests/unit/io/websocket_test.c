/* SPDX-License-Identifier: Apache-2.0 */
/* Both ends of a WebSocket over a stream in memory, and one end against bytes by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"
#include "io/sha1.h"
#include "io/stream_memory.h"
#include "io/websocket.h"

#define REQUEST(more)                                                                              \
	"GET /mqtt HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: keep-alive, "          \
	"Upgrade\r\n"                                                                              \
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" more "\r\n"
#define GOOD REQUEST("Sec-WebSocket-Protocol: mqtt\r\n")

static const struct websocket_settings plain = {.head_bytes_max = 1024};

/* A server's layer over one end of a memory stream; the other end is the test's. */
struct server {
	struct layer_bottom bottom;
	struct layer *layer;
	struct stream peer;
};

static void server_open(struct server *s, const struct websocket_settings *settings)
{
	struct stream end;
	assert_int_equal(memory_pair_open(65536, &end, &s->peer), 0);
	layer_bottom_init(&s->bottom, &end);
	s->layer = websocket_server_new(settings);
	assert_non_null(s->layer);
	s->layer->below = &s->bottom.layer;
}

static void server_close(struct server *s)
{
	layer_free(s->layer);
	s->bottom.stream.ops->close(&s->bottom.stream);
	s->peer.ops->close(&s->peer);
}

static void say(struct server *s, const void *bytes, size_t len)
{
	struct span part = span_of(bytes, len);
	assert_int_equal(s->peer.ops->write(&s->peer, &part, 1), (long)len);
}

static size_t hear(struct server *s, char *text, size_t room)
{
	long n = s->peer.ops->read(&s->peer, (struct room){(uint8_t *)text, room - 1});
	size_t len = n > 0 ? (size_t)n : 0;
	text[len] = '\0';
	return len;
}

static void open_by_hand(struct server *s)
{
	char text[512];
	server_open(s, &plain);
	say(s, GOOD, sizeof(GOOD) - 1);
	assert_int_equal(layer_open(s->layer), 0);
	hear(s, text, sizeof(text));
	assert_non_null(strstr(text, "HTTP/1.1 101 "));
}

static void test_sha1_of_the_standard(void **state)
{
	(void)state;
	static const uint8_t expected[SHA1_BYTES] = {0xa9, 0x99, 0x3e, 0x36, 0x47, 0x06, 0x81,
						     0x6a, 0xba, 0x3e, 0x25, 0x71, 0x78, 0x50,
						     0xc2, 0x6c, 0x9c, 0xd0, 0xd8, 0x9d};
	static const uint8_t longer[SHA1_BYTES] = {0x84, 0x98, 0x3e, 0x44, 0x1c, 0x3b, 0xd2,
						   0x6e, 0xba, 0xae, 0x4a, 0xa1, 0xf9, 0x51,
						   0x29, 0xe5, 0xe5, 0x46, 0x70, 0xf1};
	uint8_t digest[SHA1_BYTES];
	sha1(SPAN_LITERAL("abc"), digest); /* RFC 3174, 7.3 */
	assert_memory_equal(digest, expected, SHA1_BYTES);
	sha1(SPAN_LITERAL("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"), digest);
	assert_memory_equal(digest, longer, SHA1_BYTES);
}

static void test_websocket_opens_as_the_standard_shows(void **state)
{
	/* [MQTT-6.0.0-4], [3.1.1 MQTT-6.0.0-4] */
	(void)state;
	struct server s;
	char text[512];
	server_open(&s, &plain);
	for (size_t i = 0; i < sizeof(GOOD) - 1; i++) {
		assert_int_equal(layer_open(s.layer), ERROR_AGAIN);
		say(&s, &GOOD[i], 1);
	}
	assert_int_equal(layer_open(s.layer), 0);
	hear(&s, text, sizeof(text));
	/* RFC 6455, 1.3; [MQTT-6.0.0-4] */
	assert_non_null(strstr(text, "\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
	assert_non_null(strstr(text, "\r\nSec-WebSocket-Protocol: mqtt\r\n"));
	server_close(&s);
}

static void test_websocket_requests_that_are_refused(void **state)
{
	(void)state;
	static char large[2000] = "GET / HTTP/1.1\r\nCookie: ";
	memset(large + strlen(large), 'x', sizeof(large) - 1 - strlen(large));
	const struct {
		const char *request, *answer, *reason;
	} cases[] = {
		{REQUEST(""), "HTTP/1.1 400 ", "the subprotocol mqtt is not asked for"},
		{REQUEST("Sec-WebSocket-Protocol: chat, xmqtt\r\n"), "HTTP/1.1 400 ",
		 "subprotocol"},
		{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 426 ", "not for pages"},
		{"POST / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 405 ", "GET opens one"},
		{"GET / HTTP/1.0\r\nHost: a\r\n\r\n", "HTTP/1.1 400 ", "HTTP/1.1"},
		{"\x10\x0c\0\x04MQTT\r\n\r\n", "HTTP/1.1 400 ", "first line"},
		{"GET / HTTP/1.1\r\nA B: c\r\n\r\n", "HTTP/1.1 400 ", "Name: value"},
		{"GET / HTTP/1.1\r\n folded\r\n\r\n", "HTTP/1.1 400 ", "Name: value"},
		{"GET / HTTP/1.1\r\nA: b\x01\r\n\r\n", "HTTP/1.1 400 ", "control character"},
		{REQUEST("Sec-WebSocket-Protocol: mqtt\r\nOrigin: http://evil\r\n"),
		 "HTTP/1.1 403 ", "origin"},
		{"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
		 "Sec-WebSocket-Version: 8\r\n\r\n",
		 "HTTP/1.1 426 ", "version 13"},
		{"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
		 "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n\r\n",
		 "HTTP/1.1 400 ", "Sec-WebSocket-Key"},
		{large, "HTTP/1.1 431 ", "too large"},
	};
	struct websocket_settings strict = {.head_bytes_max = 1024,
					    .origins = "https://a, https://b"};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct server s;
		char text[1024];
		size_t len = strlen(cases[i].request);
		server_open(&s, strstr(cases[i].request, "evil") ? &strict : &plain);
		if (cases[i].request[0] == 0x10)
			len = 12;
		say(&s, cases[i].request, len);
		assert_int_equal(layer_open(s.layer), ERROR_CLOSED);
		assert_int_equal(layer_open(s.layer), ERROR_CLOSED);
		hear(&s, text, sizeof(text));
		assert_ptr_equal(strstr(text, cases[i].answer), text);
		if (!strstr(layer_reason(s.layer), cases[i].reason))
			fail_msg("'%s' does not say '%s'", layer_reason(s.layer), cases[i].reason);
		assert_non_null(strstr(text, layer_reason(s.layer)));
		server_close(&s);
	}
}

static void test_websocket_origin_and_address(void **state)
{
	(void)state;
	struct websocket_settings settings = {.head_bytes_max = 1024,
					      .origins = "https://a, https://b",
					      .trusts_forwarded = true};
	static const char request[] = REQUEST(
		"Sec-WebSocket-Protocol: mqtt\r\nOrigin: https://b\r\n"
		"X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-For: 10.0.0.1, 2001:db8::1\r\n");
	struct server s;
	struct stream_peer peer = {0};
	server_open(&s, &settings);
	say(&s, request, sizeof(request) - 1);
	assert_int_equal(layer_open(s.layer), 0);
	layer_peer(s.layer, &peer);
	assert_string_equal(peer.address, "2001:db8::1");
	server_close(&s);
}

#define MASK 1, 2, 3, 4
/* "abc" masked with 1 2 3 4 */
#define ABC 'a' ^ 1, 'b' ^ 2, 'c' ^ 3

static void test_websocket_frames_make_one_stream(void **state)
{
	/* [MQTT-6.0.0-2], [3.1.1 MQTT-6.0.0-2] */
	(void)state;
	static const uint8_t frames[] = {
		0x82, 0x83, MASK, ABC,           /* a message */
		0x02, 0x83, MASK, ABC,           /* a piece, */
		0x89, 0x81, MASK, 'p' ^ 1,       /* a ping between, */
		0x80, 0x80, MASK,                /* an empty end of it */
		0x82, 0xfe, 0,    126,     MASK, /* a longer one, whose payload is 126 times 'z' */
	};
	for (uint32_t step = 0; step < 4; step++) {
		struct server s;
		uint8_t got[200], masked[126], pong[8];
		size_t len = 0;
		open_by_hand(&s);
		memory_set_step(&s.peer, step);
		for (size_t i = 0; i < sizeof(masked); i++)
			masked[i] = 'z' ^ (uint8_t)(i % 4 + 1);
		for (size_t i = 0; i < sizeof(frames); i++)
			say(&s, frames + i, 1);
		for (size_t i = 0; i < sizeof(masked); i++)
			say(&s, masked + i, 1);
		while (len < 132) {
			long n = layer_read(s.layer, (struct room){got + len, sizeof(got) - len});
			assert_true(n > 0 || n == ERROR_AGAIN);
			len += n > 0 ? (size_t)n : 0;
		}
		assert_memory_equal(got, "abcabczzzz", 10);
		assert_int_equal(got[131], 'z');
		memory_set_step(&s.peer, 0);
		assert_int_equal(s.peer.ops->read(&s.peer, (struct room){pong, 8}), 3);
		assert_memory_equal(pong, "\x8a\x01p", 3);
		server_close(&s);
	}
}

static void test_websocket_frames_that_end_it(void **state)
{
	/* [MQTT-6.0.0-1], [3.1.1 MQTT-6.0.0-1] */
	(void)state;
	static const struct {
		const char *frame;
		size_t len;
		uint16_t code;
		const char *reason;
	} cases[] = {
		{"\x81\x81\1\2\3\4a", 7, 1003, "not binary"}, /* [MQTT-6.0.0-1] */
		{"\x82\x01"
		 "a",
		 3, 1002, "masking"},
		{"\xc2\x81\1\2\3\4a", 7, 1002, "reserved bits"},
		{"\x80\x81\1\2\3\4a", 7, 1002, "continues nothing"},
		{"\x02\x80\1\2\3\4\x82\x80\1\2\3\4", 12, 1002, "within another"},
		{"\x09\x80\1\2\3\4", 6, 1002, "in pieces"},
		{"\x89\xfe\0\x7e\1\2\3\4", 8, 1002, "too long"},
		{"\x8b\x80\1\2\3\4", 6, 1002, "unknown kind"},
		{"\x83\x80\1\2\3\4", 6, 1003, "not binary"},
		{"\x82\xfe\0\x05\1\2\3\4", 8, 1002, "wrong length"},
		{"\x82\xff\x80\0\0\0\0\0\0\0\1\2\3\4", 14, 1002, "wrong length"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct server s;
		uint8_t got[64];
		open_by_hand(&s);
		say(&s, cases[i].frame, cases[i].len);
		assert_int_equal(layer_read(s.layer, (struct room){got, sizeof(got)}),
				 ERROR_CLOSED);
		if (!strstr(layer_reason(s.layer), cases[i].reason))
			fail_msg("'%s' does not say '%s'", layer_reason(s.layer), cases[i].reason);
		assert_int_equal(s.peer.ops->read(&s.peer, (struct room){got, sizeof(got)}), 4);
		assert_int_equal(got[0], 0x88);
		assert_int_equal(load_u16(got + 2), cases[i].code);
		assert_int_equal(layer_read(s.layer, (struct room){got, sizeof(got)}),
				 ERROR_CLOSED);
		server_close(&s);
	}
}

static void test_websocket_close_is_answered(void **state)
{
	(void)state;
	struct server s;
	uint8_t got[64];
	open_by_hand(&s);
	say(&s, "\x82\x81\1\2\3\4`\x88\x82\1\2\3\4\2\xea", 15);
	assert_int_equal(layer_read(s.layer, (struct room){got, sizeof(got)}), 1);
	assert_int_equal(got[0], 'a');
	assert_true(layer_has_more(s.layer));
	assert_int_equal(layer_read(s.layer, (struct room){got, sizeof(got)}), 0);
	assert_int_equal(s.peer.ops->read(&s.peer, (struct room){got, sizeof(got)}), 4);
	assert_memory_equal(got, "\x88\x02\x03\xe8", 4);
	server_close(&s);
}

/* A stream of nothing but pings gives others their turn, and takes no memory. */
static void test_websocket_flood_of_pings_is_bounded(void **state)
{
	(void)state;
	struct server s;
	uint8_t got[12];
	open_by_hand(&s);
	for (int i = 0; i < 1000; i++)
		say(&s, "\x89\x80\1\2\3\4", 6);
	assert_int_equal(layer_read(s.layer, (struct room){got, sizeof(got)}), ERROR_AGAIN);
	assert_true(layer_has_more(s.layer));
	assert_true(memory_unread(&s.bottom.stream) > 5000);
	server_close(&s);
}

struct pair {
	struct layer_bottom bottom[2];
	struct layer *end[2]; /* server, client */
};

static void pair_open(struct pair *p, uint32_t capacity, uint32_t step)
{
	struct stream streams[2];
	assert_int_equal(memory_pair_open(capacity, &streams[0], &streams[1]), 0);
	memory_set_step(&streams[0], step);
	for (int i = 0; i < 2; i++) {
		layer_bottom_init(&p->bottom[i], &streams[i]);
		p->end[i] = i == 0 ? websocket_server_new(&plain)
				   : websocket_client_new("a:80", "/mqtt");
		assert_non_null(p->end[i]);
		p->end[i]->below = &p->bottom[i].layer;
	}
	int results[2] = {ERROR_AGAIN, ERROR_AGAIN};
	for (int round = 0; results[0] || results[1]; round++) {
		assert_true(round < 100000);
		for (int i = 1; i >= 0; i--)
			if (results[i])
				results[i] = layer_open(p->end[i]);
		assert_true(results[0] != ERROR_CLOSED && results[1] != ERROR_CLOSED);
	}
}

static void pair_close(struct pair *p)
{
	for (int i = 0; i < 2; i++) {
		layer_free(p->end[i]);
		p->bottom[i].stream.ops->close(&p->bottom[i].stream);
	}
}

static void move_bytes(struct layer *from, struct layer *to, size_t total)
{
	static uint8_t bytes[70000], got[4096];
	size_t written = 0, read = 0;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7 >> 2);
	for (int round = 0; read < total; round++) {
		assert_true(round < 1000000);
		struct span parts[3] = {span_of(bytes + written, 0)};
		size_t left = total - written, first = left < 10 ? left : 10;
		parts[0].len = first;
		parts[1] = span_of(bytes + written + first, left - first);
		long n = left > 0 ? layer_write(from, parts, left > first ? 2 : 1) : 0;
		assert_true(n >= 0 || n == ERROR_AGAIN);
		written += n > 0 ? (size_t)n : 0;
		long m = layer_read(to, (struct room){got, sizeof(got)});
		assert_true(m > 0 || m == ERROR_AGAIN);
		if (m > 0)
			assert_memory_equal(got, bytes + read, (size_t)m);
		read += m > 0 ? (size_t)m : 0;
	}
}

static void test_websocket_client_takes_binary_frames_only(void **state)
{
	/* [MQTT-6.0.0-1], [3.1.1 MQTT-6.0.0-1] */
	(void)state;
	struct pair p;
	uint8_t got[16];
	struct span text = SPAN_LITERAL("\x81\x01"
					"a");
	pair_open(&p, 1000, 0);
	struct stream *server = &p.bottom[0].stream;
	assert_int_equal(server->ops->write(server, &text, 1), 3);
	assert_int_equal(layer_read(p.end[1], (struct room){got, sizeof(got)}), ERROR_CLOSED);
	assert_non_null(strstr(layer_reason(p.end[1]), "not binary"));
	/* a frame of a client is masked (RFC 6455, 5.1) */
	assert_int_equal(server->ops->read(server, (struct room){got, sizeof(got)}), 8);
	assert_int_equal(got[0], 0x88);
	assert_int_equal(got[1], 0x82);
	pair_close(&p);
}

/* And what it takes for an answer. */
static void test_websocket_client_asks_for_mqtt(void **state)
{
	/* [MQTT-6.0.0-3], [3.1.1 MQTT-6.0.0-3] */
	(void)state;
	static const struct {
		const char *answer, *reason;
	} cases[] = {
		{"HTTP/1.1 404 Not Found\r\n\r\n", "opens no WebSocket"},
		{"SSH-2.0-OpenSSH\r\n\r\n", "no HTTP"},
		{"HTTP/1.1 101 x\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
		 "another request"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct stream ends[2];
		struct layer_bottom bottom;
		char request[1024];
		assert_int_equal(memory_pair_open(65536, &ends[0], &ends[1]), 0);
		layer_bottom_init(&bottom, &ends[0]);
		struct layer *l = websocket_client_new("broker.example:8080", "/mqtt");
		l->below = &bottom.layer;
		assert_int_equal(layer_open(l), ERROR_AGAIN);
		long n = ends[1].ops->read(&ends[1],
					   (struct room){(uint8_t *)request, sizeof(request) - 1});
		assert_true(n > 0);
		request[n] = '\0';
		assert_ptr_equal(
			strstr(request, "GET /mqtt HTTP/1.1\r\nHost: broker.example:8080\r\n"),
			request);
		assert_non_null(strstr(request, "\r\nSec-WebSocket-Protocol: mqtt\r\n"));
		struct span part = span_of_text(cases[i].answer);
		assert_int_equal(ends[1].ops->write(&ends[1], &part, 1), (long)part.len);
		assert_int_equal(layer_open(l), ERROR_CLOSED);
		assert_non_null(strstr(layer_reason(l), cases[i].reason));
		layer_free(l);
		bottom.stream.ops->close(&bottom.stream);
		ends[1].ops->close(&ends[1]);
	}
}

static void test_websocket_both_ways_through_narrow_streams(void **state)
{
	/* [MQTT-6.0.0-2], [3.1.1 MQTT-6.0.0-2] */
	(void)state;
	static const struct {
		uint32_t capacity, step;
		size_t total;
	} ways[] = {{65536, 0, 70000}, {1000, 0, 70000}, {100, 7, 70000}, {20, 1, 3000}};
	for (size_t i = 0; i < ARRAY_COUNT(ways); i++) {
		struct pair p;
		pair_open(&p, ways[i].capacity, ways[i].step);
		move_bytes(p.end[0], p.end[1], ways[i].total);
		move_bytes(p.end[1], p.end[0], ways[i].total);
		pair_close(&p);
	}
}

static void test_websocket_without_memory(void **state)
{
	(void)state;
	for (unsigned long n = 1;; n++) {
		struct server s;
		server_open(&s, &plain);
		say(&s, GOOD, sizeof(GOOD) - 1);
		mem_fail_after(n);
		int result = layer_open(s.layer);
		bool has_failed = mem_has_failed();
		mem_fail_after(0);
		/* the stream in memory calls it a full one */
		assert_true(has_failed ? result == ERROR_NO_MEMORY || result == ERROR_AGAIN
				       : result == 0);
		server_close(&s);
		if (!has_failed)
			break;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sha1_of_the_standard),
		cmocka_unit_test(test_websocket_opens_as_the_standard_shows),
		cmocka_unit_test(test_websocket_requests_that_are_refused),
		cmocka_unit_test(test_websocket_origin_and_address),
		cmocka_unit_test(test_websocket_frames_make_one_stream),
		cmocka_unit_test(test_websocket_frames_that_end_it),
		cmocka_unit_test(test_websocket_close_is_answered),
		cmocka_unit_test(test_websocket_flood_of_pings_is_bounded),
		cmocka_unit_test(test_websocket_both_ways_through_narrow_streams),
		cmocka_unit_test(test_websocket_client_takes_binary_frames_only),
		cmocka_unit_test(test_websocket_client_asks_for_mqtt),
		cmocka_unit_test(test_websocket_without_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
