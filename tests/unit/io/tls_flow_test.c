/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a server does with the records of TLS 1.3 that come behind a handshake. The other end is
 * played here, record by record, as no honest program would; that both ends understand OpenSSL is
 * seen in tls_test.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/stream_memory.h"
#include "io/tls_flow.h"

#define SUITE 0x1301
#define CAPACITY 100000

/* RFC 8448, 3: the traffic secrets of the simple handshake, and what follows from them. */
static const uint8_t secret_client[32] = {0x9e, 0x40, 0x64, 0x6c, 0xe7, 0x9a, 0x7f, 0x9d,
					  0xc0, 0x5a, 0xf8, 0x88, 0x9b, 0xce, 0x65, 0x52,
					  0x87, 0x5a, 0xfa, 0x0b, 0x06, 0xdf, 0x00, 0x87,
					  0xf7, 0x92, 0xeb, 0xb7, 0xc1, 0x75, 0x04, 0xa5};
static const uint8_t secret_server[32] = {0xa1, 0x1a, 0xf9, 0xf0, 0x55, 0x31, 0xf8, 0x56,
					  0xad, 0x47, 0x11, 0x6b, 0x45, 0xa9, 0x50, 0x32,
					  0x82, 0x04, 0xb4, 0xf4, 0x4b, 0xfb, 0x6b, 0x3a,
					  0x4b, 0x4f, 0x1f, 0x3f, 0xcb, 0x63, 0x16, 0x43};
static const uint8_t key_client[16] = {0x17, 0x42, 0x2d, 0xda, 0x59, 0x6e, 0xd5, 0xd9,
				       0xac, 0xd8, 0x90, 0xe3, 0xc6, 0x3f, 0x50, 0x51};
static const uint8_t iv_client[12] = {0x5b, 0x78, 0x92, 0x3d, 0xee, 0x08,
				      0x57, 0x90, 0x33, 0xe5, 0x23, 0xd9};

static const uint8_t key_server[16] = {0x9f, 0x02, 0x28, 0x3b, 0x6c, 0x9c, 0x07, 0xef,
				       0xc2, 0x6b, 0xb9, 0xf2, 0xac, 0x92, 0xe3, 0x56};
static const uint8_t iv_server[12] = {0xcf, 0x78, 0x2b, 0x88, 0xdd, 0x83,
				      0x54, 0x9a, 0xad, 0xf1, 0xe9, 0x84};

struct stage {
	struct layer_bottom bottom;
	struct layer layer;
	struct stream peer;
	struct tls_flow *flow;
	struct record_keys to_flow, from_flow; /* the peer's */
};

static void stage_open_at(struct stage *s, size_t capacity, uint64_t sealed, struct span early)
{
	struct stream streams[2];
	struct tls_flow_start start = {.suite = record_suite_find(SUITE),
				       .secret_in = secret_client,
				       .secret_out = secret_server,
				       .sealed = sealed,
				       .early = early};
	*s = (struct stage){0};
	assert_int_equal(memory_pair_open(capacity, &streams[0], &streams[1]), 0);
	layer_bottom_init(&s->bottom, &streams[0]);
	s->layer.below = &s->bottom.layer;
	s->peer = streams[1];
	s->flow = tls_flow_new(&start);
	assert_non_null(s->flow);
	assert_int_equal(record_keys_init(&s->to_flow, start.suite, secret_client), 0);
	assert_int_equal(record_keys_init(&s->from_flow, start.suite, secret_server), 0);
	s->from_flow.sequence = sealed;
}

static void stage_open(struct stage *s)
{
	stage_open_at(s, CAPACITY, 0, (struct span){0});
}

static void stage_close(struct stage *s)
{
	tls_flow_free(s->flow);
	s->bottom.stream.ops->close(&s->bottom.stream);
	s->peer.ops->close(&s->peer);
}

static void send_bytes(struct stage *s, const uint8_t *bytes, size_t len)
{
	struct span part = span_of(bytes, len);
	assert_int_equal(s->peer.ops->write(&s->peer, &part, 1), len);
}

static size_t seal(struct stage *s, uint8_t type, const void *content, size_t len, uint8_t *record)
{
	memcpy(record + RECORD_HEAD_BYTES, content, len);
	long sealed = record_seal(&s->to_flow, type, record, len);
	assert_true(sealed > 0);
	return (size_t)sealed;
}

static void send_record(struct stage *s, uint8_t type, const void *content, size_t len)
{
	uint8_t record[RECORD_CONTENT_MAX + RECORD_EXTRA_BYTES];
	send_bytes(s, record, seal(s, type, content, len, record));
}

static long read_flow(struct stage *s, uint8_t *bytes, size_t len)
{
	return tls_flow_read(s->flow, &s->layer, (struct room){bytes, len});
}

/* The next record that the flow has sent: its type, and content as text. */
static uint8_t receive_record(struct stage *s, uint8_t *content, size_t *len)
{
	uint8_t record[RECORD_HEAD_BYTES + RECORD_BODY_MAX], type;
	assert_int_equal(s->peer.ops->read(&s->peer, (struct room){record, RECORD_HEAD_BYTES}),
			 RECORD_HEAD_BYTES);
	size_t body = (size_t)record[3] << 8 | record[4];
	struct room room = {record + RECORD_HEAD_BYTES, body};
	assert_int_equal(s->peer.ops->read(&s->peer, room), body);
	assert_int_equal(record_open(&s->from_flow, record, body, content, len, &type),
			 RECORD_OPEN);
	return type;
}

/* The flow breaks off, with that alert, and says why. */
static void assert_broken(struct stage *s, uint8_t alert)
{
	uint8_t bytes[RECORD_BODY_MAX];
	size_t len;
	assert_int_equal(read_flow(s, bytes, 100), ERROR_CLOSED);
	assert_non_null(s->layer.reason);
	assert_int_equal(receive_record(s, bytes, &len), RECORD_ALERT);
	assert_int_equal(len, 2);
	assert_int_equal(bytes[0], 2);
	assert_int_equal(bytes[1], alert);
	/* and stays so */
	assert_int_equal(read_flow(s, bytes, 100), ERROR_CLOSED);
	struct span part = span_of_text("more");
	assert_int_equal(tls_flow_write(s->flow, &s->layer, &part, 1), ERROR_CLOSED);
}

static void test_keys_of_the_standard(void **state)
{
	(void)state;
	struct record_keys k;
	assert_int_equal(record_keys_init(&k, record_suite_find(SUITE), secret_client), 0);
	assert_memory_equal(k.key, key_client, sizeof(key_client));
	assert_memory_equal(k.iv, iv_client, sizeof(iv_client));
	assert_int_equal(record_keys_init(&k, record_suite_find(SUITE), secret_server), 0);
	assert_memory_equal(k.key, key_server, sizeof(key_server));
	assert_memory_equal(k.iv, iv_server, sizeof(iv_server));
	assert_null(record_suite_find(0x1304)); /* CCM is left to OpenSSL */
}

/* In rooms of all sizes, among empty records and padding (RFC 8446, 5.4). */
static void test_data_in_small_rooms(void **state)
{
	(void)state;
	for (size_t room = 1; room < 12; room++) {
		struct stage s;
		uint8_t bytes[32], all[64];
		size_t used = 0;
		stage_open(&s);
		send_record(&s, RECORD_DATA, "hello, ", 7);
		send_record(&s, RECORD_DATA, "", 0);
		send_record(&s, 0, "this\x17\0\0", 7);
		send_record(&s, RECORD_DATA, " is it", 6);
		long n;
		while ((n = read_flow(&s, bytes, room)) != ERROR_AGAIN) {
			assert_in_range(n, 1, room);
			memcpy(all + used, bytes, (size_t)n);
			used += (size_t)n;
			/* nothing is in the stream any more: who waits for it would wait in vain */
			assert_true(s.layer.has_more || used == 17);
		}
		assert_int_equal(used, 17);
		assert_memory_equal(all, "hello, this is it", 17);
		stage_close(&s);
	}
}

static void test_records_in_pieces(void **state)
{
	(void)state;
	struct stage s;
	uint8_t record[100], bytes[32];
	stage_open(&s);
	size_t len = seal(&s, RECORD_DATA, "piece", 5, record);
	for (size_t i = 0; i + 1 < len; i++) {
		send_bytes(&s, record + i, 1);
		assert_int_equal(read_flow(&s, bytes, sizeof(bytes)), ERROR_AGAIN);
		assert_false(s.layer.has_more);
	}
	send_bytes(&s, record + len - 1, 1);
	assert_int_equal(read_flow(&s, bytes, sizeof(bytes)), 5);
	assert_memory_equal(bytes, "piece", 5);
	stage_close(&s);
}

/* Read by the handshake already, the half of it. */
static void test_data_that_came_early(void **state)
{
	(void)state;
	struct stage s, other;
	uint8_t record[100], bytes[32];
	stage_open(&other);
	size_t len = seal(&other, RECORD_DATA, "early", 5, record);
	stage_open_at(&s, CAPACITY, 0, span_of(record, 9));
	assert_int_equal(read_flow(&s, bytes, sizeof(bytes)), ERROR_AGAIN);
	send_bytes(&s, record + 9, len - 9);
	assert_int_equal(read_flow(&s, bytes, sizeof(bytes)), 5);
	stage_close(&s);
	stage_open_at(&s, CAPACITY, 0, span_of(record, len));
	assert_int_equal(read_flow(&s, bytes, sizeof(bytes)), 5);
	stage_close(&s);
	stage_close(&other);
}

/* RFC 8446, 4.6.3: the answer comes before the next data, and each side's new key is its own. */
static void test_key_updates(void **state)
{
	(void)state;
	for (uint8_t wants_answer = 0; wants_answer < 2; wants_answer++) {
		const uint8_t update[] = {24, 0, 0, 1, wants_answer};
		struct span part = span_of_text("answer");
		struct stage s;
		uint8_t bytes[RECORD_BODY_MAX];
		size_t len;
		stage_open(&s);
		send_record(&s, RECORD_DATA, "old", 3);
		send_record(&s, RECORD_HANDSHAKE, update, sizeof(update));
		assert_int_equal(record_keys_update(&s.to_flow), 0);
		send_record(&s, RECORD_DATA, "new", 3);
		assert_int_equal(read_flow(&s, bytes, 100), 6);
		assert_memory_equal(bytes, "oldnew", 6);
		assert_int_equal(tls_flow_write(s.flow, &s.layer, &part, 1), 6);
		if (wants_answer) {
			assert_int_equal(receive_record(&s, bytes, &len), RECORD_HANDSHAKE);
			assert_int_equal(len, 5);
			assert_memory_equal(bytes, "\x18\0\0\x01\0", 5);
			assert_int_equal(record_keys_update(&s.from_flow), 0);
		}
		assert_int_equal(receive_record(&s, bytes, &len), RECORD_DATA);
		assert_int_equal(len, 6);
		stage_close(&s);
	}
}

/* RFC 8446, 5.5. */
static void test_a_worn_key_is_changed(void **state)
{
	(void)state;
	struct span part = span_of_text("long since");
	struct stage s;
	uint8_t bytes[RECORD_BODY_MAX];
	size_t len;
	stage_open_at(&s, CAPACITY, UINT64_C(1) << 24, (struct span){0});
	assert_int_equal(tls_flow_write(s.flow, &s.layer, &part, 1), 10);
	assert_int_equal(receive_record(&s, bytes, &len), RECORD_HANDSHAKE);
	assert_int_equal(record_keys_update(&s.from_flow), 0);
	assert_int_equal(receive_record(&s, bytes, &len), RECORD_DATA);
	assert_memory_equal(bytes, "long since", 10);
	stage_close(&s);
}

static void test_what_breaks_the_flow(void **state)
{
	(void)state;
	static const struct {
		uint8_t type, alert;
		const char *content;
		size_t len;
	} sealed[] = {
		{RECORD_HANDSHAKE, 10, "\x18\0\0\x01", 4},       /* a part of a message */
		{RECORD_HANDSHAKE, 10, "\x18\0\0\x01\0\x18", 6}, /* not at the record's end */
		{RECORD_HANDSHAKE, 10, "\x04\0\0\x01\0", 5},     /* another message */
		{RECORD_HANDSHAKE, 47, "\x18\0\0\x01\x02", 5},
		{RECORD_CHANGE_CIPHER_SPEC, 10, "\x01", 1},
		{0, 10, "", 0}, /* nothing but zeroes */
		{0, 10, "\0\0\0", 3},
		{RECORD_ALERT, 50, "\x02", 1},
	};
	static const struct {
		const char *head;
		uint8_t alert;
	} plain[] = {
		{"\x15\x03\x03\x00\x20", 10}, {"\x16\x03\x03\x00\x20", 10},
		{"\x14\x03\x03\x00\x01", 10}, {"GET /", 10},
		{"\x17\x03\x03\x41\x01", 22}, /* 2^14 + 257 */
		{"\x17\x03\x03\x00\x10", 50}, /* no more than a tag */
		{"\x17\x03\x03\x00\x00", 50},
	};
	for (size_t i = 0; i < ARRAY_COUNT(sealed); i++) {
		struct stage s;
		stage_open(&s);
		send_record(&s, sealed[i].type, sealed[i].content, sealed[i].len);
		assert_broken(&s, sealed[i].alert);
		stage_close(&s);
	}
	for (size_t i = 0; i < ARRAY_COUNT(plain); i++) {
		struct stage s;
		stage_open(&s);
		send_bytes(&s, (const uint8_t *)plain[i].head, 5);
		assert_broken(&s, plain[i].alert);
		stage_close(&s);
	}
}

/* Whichever bit is changed, left out or sent twice; what came before it is still there. */
static void test_forged_records(void **state)
{
	(void)state;
	for (size_t i = 5; i < 5 + 6 + 16; i++) {
		struct stage s;
		uint8_t record[100], bytes[32];
		stage_open(&s);
		send_record(&s, RECORD_DATA, "good", 4);
		size_t len = seal(&s, RECORD_DATA, "wrong", 5, record);
		record[i] ^= 1;
		send_bytes(&s, record, len);
		assert_int_equal(read_flow(&s, bytes, sizeof(bytes)), 4);
		assert_true(s.layer.has_more);
		assert_broken(&s, 20);
		stage_close(&s);
	}
	struct stage s;
	uint8_t record[100], bytes[32];
	stage_open(&s);
	size_t len = seal(&s, RECORD_DATA, "twice", 5, record);
	send_bytes(&s, record, len);
	assert_int_equal(read_flow(&s, bytes, sizeof(bytes)), 5);
	send_bytes(&s, record, len);
	assert_broken(&s, 20);
	stage_close(&s);
}

static void test_updates_without_end(void **state)
{
	(void)state;
	static const uint8_t update[] = {24, 0, 0, 1, 0};
	struct stage s;
	uint8_t bytes[32];
	stage_open(&s);
	for (int i = 0; i < 32; i++) {
		send_record(&s, RECORD_HANDSHAKE, update, sizeof(update));
		assert_int_equal(record_keys_update(&s.to_flow), 0);
	}
	assert_int_equal(read_flow(&s, bytes, sizeof(bytes)), ERROR_AGAIN);
	send_record(&s, RECORD_HANDSHAKE, update, sizeof(update));
	assert_broken(&s, 10);
	stage_close(&s);
}

static void test_alerts(void **state)
{
	(void)state;
	static const struct {
		const char *content;
		long result;
	} alerts[] = {{"\x01\0", 0}, {"\x01\x5a", ERROR_AGAIN}, {"\x02\x14", ERROR_CLOSED}};
	for (size_t i = 0; i < ARRAY_COUNT(alerts); i++) {
		struct stage s;
		uint8_t bytes[32];
		stage_open(&s);
		send_record(&s, RECORD_DATA, "last", 4);
		send_record(&s, RECORD_ALERT, alerts[i].content, 2);
		assert_int_equal(read_flow(&s, bytes, sizeof(bytes)), 4);
		assert_int_equal(s.layer.has_more, alerts[i].result != ERROR_AGAIN);
		assert_int_equal(read_flow(&s, bytes, sizeof(bytes)), alerts[i].result);
		/* an alert is not answered by one */
		assert_int_equal(s.peer.ops->read(&s.peer, (struct room){bytes, 1}), ERROR_AGAIN);
		stage_close(&s);
	}
}

/* More than a batch, through a way that takes little: each byte once, in order. */
static void test_writing_against_a_slow_reader(void **state)
{
	(void)state;
	static uint8_t sent[70000], got[80000];
	struct stage s;
	size_t written = 0, got_len = 0;
	stage_open_at(&s, 5000, 0, (struct span){0});
	for (size_t i = 0; i < sizeof(sent); i++)
		sent[i] = (uint8_t)(i * 31 >> 4);
	for (int round = 0; written < sizeof(sent); round++) {
		assert_true(round < 1000);
		size_t third = (sizeof(sent) - written) / 3;
		const struct span parts[] = {
			span_of(sent + written, third), span_of(sent, 0),
			span_of(sent + written + third, sizeof(sent) - written - third)};
		long n = tls_flow_write(s.flow, &s.layer, parts, 3);
		assert_true(n > 0 || n == ERROR_AGAIN);
		written += n > 0 ? (size_t)n : 0;
		n = s.peer.ops->read(&s.peer, (struct room){got + got_len, sizeof(got) - got_len});
		got_len += n > 0 ? (size_t)n : 0;
	}
	size_t at = 0, opened = 0;
	while (at < got_len) {
		uint8_t content[RECORD_BODY_MAX], type;
		size_t body = (size_t)got[at + 3] << 8 | got[at + 4], len;
		assert_int_equal(record_open(&s.from_flow, got + at, body, content, &len, &type),
				 RECORD_OPEN);
		assert_memory_equal(content, sent + opened, len);
		opened += len;
		at += RECORD_HEAD_BYTES + body;
	}
	assert_int_equal(opened, sizeof(sent));
	tls_flow_finish(s.flow, &s.layer);
	uint8_t content[RECORD_BODY_MAX];
	size_t len;
	assert_int_equal(receive_record(&s, content, &len), RECORD_ALERT);
	assert_memory_equal(content, "\x01\0", 2);
	stage_close(&s);
}

/* --- by chance, from a seed --- */

struct chance {
	uint64_t state;
};

static uint32_t below(struct chance *c, uint32_t end)
{
	c->state ^= c->state << 13;
	c->state ^= c->state >> 7;
	c->state ^= c->state << 17;
	return (uint32_t)(c->state >> 32) % end;
}

static uint8_t byte_at(size_t index)
{
	return (uint8_t)(index * 7 >> 2);
}

struct talk {
	struct stage stage;
	struct chance chance;
	uint8_t out[3 * (RECORD_CONTENT_MAX + RECORD_EXTRA_BYTES)]; /* sealed, not sent yet */
	size_t out_start, out_end;
	size_t said, heard; /* bytes of data */
};

/* The peer's next record: data with padding or without, or a change of its key. */
static void talk_seal(struct talk *t)
{
	uint8_t content[RECORD_CONTENT_MAX];
	uint8_t *at = t->out + t->out_end;
	if (below(&t->chance, 8) == 0) {
		const uint8_t update[] = {24, 0, 0, 1, (uint8_t)below(&t->chance, 2)};
		t->out_end += seal(&t->stage, RECORD_HANDSHAKE, update, sizeof(update), at);
		assert_int_equal(record_keys_update(&t->stage.to_flow), 0);
		return;
	}
	size_t len = below(&t->chance, below(&t->chance, 4) ? 100 : RECORD_CONTENT_MAX - 20);
	size_t padding = below(&t->chance, 3) ? 0 : 1 + below(&t->chance, 10);
	for (size_t i = 0; i < len; i++)
		content[i] = byte_at(t->said + i);
	t->said += len;
	if (padding == 0) {
		t->out_end += seal(&t->stage, RECORD_DATA, content, len, at);
		return;
	}
	memset(content + len, 0, padding);
	content[len] = RECORD_DATA;
	t->out_end += seal(&t->stage, 0, content, len + padding, at);
}

/* Some of what is sealed leaves; records begin and end wherever they do. */
static void talk_send(struct talk *t)
{
	size_t len = 1 + below(&t->chance, 40000);
	if (len > t->out_end - t->out_start)
		len = t->out_end - t->out_start;
	struct span part = span_of(t->out + t->out_start, len);
	long n = len ? t->stage.peer.ops->write(&t->stage.peer, &part, 1) : 0;
	t->out_start += n > 0 ? (size_t)n : 0;
	if (t->out_start == t->out_end)
		t->out_start = t->out_end = 0;
}

static void talk_read(struct talk *t)
{
	uint8_t bytes[40000];
	size_t room = 1 + below(&t->chance, below(&t->chance, 3) ? 200 : sizeof(bytes) - 1);
	long n = read_flow(&t->stage, bytes, room);
	assert_true(n > 0 || n == ERROR_AGAIN);
	for (long i = 0; i < n; i++)
		assert_int_equal(bytes[i], byte_at(t->heard + (size_t)i));
	t->heard += n > 0 ? (size_t)n : 0;
}

static void test_talks_by_chance(void **state)
{
	(void)state;
	static struct talk t;
	for (uint64_t seed = 1; seed <= 60; seed++) {
		t = (struct talk){.chance = {seed * UINT64_C(0x9E3779B97F4A7C15)}};
		stage_open(&t.stage);
		for (int step = 0; step < 400; step++) {
			size_t left = sizeof(t.out) - t.out_end;
			if (below(&t.chance, 2) && left > RECORD_CONTENT_MAX + RECORD_EXTRA_BYTES)
				talk_seal(&t);
			talk_send(&t);
			talk_read(&t);
		}
		for (int round = 0; t.heard < t.said; round++) {
			assert_true(round < 100000);
			talk_send(&t);
			talk_read(&t);
		}
		assert_int_equal(t.heard, t.said);
		assert_null(t.stage.layer.reason);
		stage_close(&t.stage);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys_of_the_standard),
		cmocka_unit_test(test_data_in_small_rooms),
		cmocka_unit_test(test_records_in_pieces),
		cmocka_unit_test(test_data_that_came_early),
		cmocka_unit_test(test_key_updates),
		cmocka_unit_test(test_a_worn_key_is_changed),
		cmocka_unit_test(test_what_breaks_the_flow),
		cmocka_unit_test(test_forged_records),
		cmocka_unit_test(test_updates_without_end),
		cmocka_unit_test(test_alerts),
		cmocka_unit_test(test_writing_against_a_slow_reader),
		cmocka_unit_test(test_talks_by_chance),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
