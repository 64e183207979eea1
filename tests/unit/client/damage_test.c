/* SPDX-License-Identifier: Apache-2.0 */
/* A server's bytes, damaged at random: the engine ends the connection or goes on, and no more. */
#include "server.h"

#include <stdlib.h>

static void announce(struct connect *connect, struct engine_options *options)
{
	connect->properties.present |= UINT64_C(1) << PROPERTY_RECEIVE_MAXIMUM |
				       UINT64_C(1) << PROPERTY_TOPIC_ALIAS_MAXIMUM;
	connect->properties.receive_maximum = 2;
	connect->properties.topic_alias_maximum = 9;
	options->holds_until_release = true;
}

static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* A busy conversation with some bytes changed, in pieces of any size: the engine ends or goes on,
 * but never reads what is not there, and never answers after its end. */
static enum engine_end converse(uint64_t seed, uint8_t version)
{
	static const char talk_5[] =
		"\x20\x06\0\0\x03\x21\0\x05\x30\x09\0\3one\3\x23\0\1\x30\x06\0\0\3\x23\0\1"
		"\x34\x0d\0\1a\0\1\x07\x26\0\1n\0\1v\x62\x02\0\1\x32\x06\0\1a\0\2\0\x40\x02\0\1"
		"\x50\x04\0\2\x87\0\x50\x02\0\7\x70\x02\0\7\xd0\0\xe0\x02\x8b\0";
	static const char talk_3[] =
		"\x20\x02\0\0\x30\x06\0\3onex\x34\x06\0\1a\0\1x\x62\x02\0\1\x32\x05\0\1a\0\2"
		"\x40\x02\0\1\x50\x02\0\2\x70\x02\0\2\x50\x02\0\7\xd0\0";
	uint8_t bytes[256];
	bool is_5 = version == MQTT_5;
	size_t len = is_5 ? sizeof(talk_5) - 1 : sizeof(talk_3) - 1, at = 0;
	struct client c;
	memcpy(bytes, is_5 ? talk_5 : talk_3, len);
	for (unsigned i = next_random(&seed) % 4; i > 0; i--)
		bytes[next_random(&seed) % len] = (uint8_t)next_random(&seed);
	client_init(&c, version, is_5 ? announce : NULL);
	assert_int_equal(engine_connect(c.engine, 0), 0);
	engine_sent(c.engine, engine_output(c.engine).len, 0);
	for (uint32_t i = 1; i <= 4; i++)
		assert_int_equal(client_publish(&c, i, i % 3), 0);
	while (at < len) {
		size_t piece = 1 + next_random(&seed) % (len - at);
		uint8_t *exact = malloc(piece); /* so that a sanitizer sees a step too far */
		assert_non_null(exact);
		memcpy(exact, bytes + at, piece);
		bool was_closing = engine_is_closing(c.engine);
		size_t before = engine_output(c.engine).len;
		engine_input(c.engine, span_of(exact, piece), 0);
		if (was_closing)
			assert_int_equal(engine_output(c.engine).len, before);
		free(exact);
		at += piece;
	}
	engine_lost(c.engine, 0);
	assert_int_equal(c.closed_count, 1);
	client_release(&c);
	return c.closed.end;
}

static void test_changed_bytes_do_no_harm(void **state)
{
	(void)state;
	unsigned ends[ENGINE_END_NO_MEMORY + 1] = {0};
	for (uint64_t seed = 1; seed <= 20000; seed++)
		ends[converse(seed * 0x9E3779B97F4A7C15u, seed % 2 ? MQTT_5 : MQTT_3_1_1)]++;
	/* Damage of every kind was there: none, harmless, refused, told to go. */
	assert_true(ends[ENGINE_END_LOST] > 1000);
	assert_true(ends[ENGINE_END_FLAW] > 5000);
	assert_true(ends[ENGINE_END_SERVER] > 1000);
	assert_true(ends[ENGINE_END_REFUSED] > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_changed_bytes_do_no_harm),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
