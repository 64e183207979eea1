/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes for tests of the codec: each run of them stands in a heap block of exactly its length, so
 * that the address sanitizer sees a decoder that reads one byte too far. */
#ifndef NIGHTJAR_TESTS_UNIT_MQTT_BYTES_H
#define NIGHTJAR_TESTS_UNIT_MQTT_BYTES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>
#include <stdlib.h>

#include "mqtt/packets.h"

#define BYTES_BLOCKS_MAX 64

static uint8_t *bytes_blocks[BYTES_BLOCKS_MAX];
static size_t bytes_count;

/* The oldest block goes when there are too many: no test looks back that far. */
static inline struct span bytes_copy(const void *from, size_t len)
{
	uint8_t **block = &bytes_blocks[bytes_count++ % BYTES_BLOCKS_MAX];
	free(*block);
	*block = malloc(len ? len : 1);
	assert_non_null(*block);
	if (len > 0)
		memcpy(*block, from, len);
	return span_of(len ? *block : *block + 1, len);
}

static inline int bytes_forget(void **state)
{
	(void)state;
	for (size_t i = 0; i < BYTES_BLOCKS_MAX; i++) {
		free(bytes_blocks[i]);
		bytes_blocks[i] = NULL;
	}
	return 0;
}

#define BYTES(...)                                                                                 \
	bytes_copy((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))
#define NO_BYTES bytes_copy(NULL, 0)
#define TEXT(literal) bytes_copy(literal, sizeof(literal) - 1)

#define assert_span(span, ...)                                                                     \
	bytes_assert_equal(span, (const uint8_t[]){__VA_ARGS__},                                   \
			   sizeof((const uint8_t[]){__VA_ARGS__}), __FILE__, __LINE__)
#define assert_text(span, literal)                                                                 \
	bytes_assert_equal(span, literal, sizeof(literal) - 1, __FILE__, __LINE__)

static inline void bytes_assert_equal(struct span got, const void *expected, size_t len,
				      const char *file, int line)
{
	_assert_int_equal(got.len, len, file, line);
	if (len > 0)
		_assert_memory_equal(got.ptr, expected, len, file, line);
}

/* The flaw must be this one: another one with the same reason code would be luck. */
#define assert_flaw(expression, expected) assert_ptr_equal(expression, &(expected))
#define assert_good(expression) assert_null(expression)

/* What an encoder wrote into a block of exactly `len` bytes; one byte less must be refused. */
#define assert_encoded(encode_call_with_room, ...)                                                 \
	do {                                                                                       \
		static const uint8_t expected_[] = {__VA_ARGS__};                                  \
		uint8_t *block_ = malloc(sizeof(expected_));                                       \
		assert_non_null(block_);                                                           \
		struct room room = {block_, sizeof(expected_)};                                    \
		size_t written_ = encode_call_with_room;                                           \
		assert_int_equal(written_, sizeof(expected_));                                     \
		assert_memory_equal(block_, expected_, sizeof(expected_));                         \
		for (room.len = 0; room.len < sizeof(expected_); room.len++) {                     \
			written_ = encode_call_with_room;                                          \
			assert_int_equal(written_, 0);                                             \
		}                                                                                  \
		free(block_);                                                                      \
	} while (0)

#endif
