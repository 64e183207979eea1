/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every file may rely on: byte spans, errors, assertions, the few GNU extensions in use.
 *
 * Nothing here allocates, asks the clock or talks to the system.
 */
#ifndef NIGHTJAR_BASE_BASE_H
#define NIGHTJAR_BASE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(index, first) __attribute__((format(printf, index, first)))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define NORETURN __attribute__((noreturn))

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The structure that holds `member` at `pointer`. */
#define CONTAINER_OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

/*
 * An error of our own surroundings (memory, system). Functions return 0 or one of these.
 * A peer's mistake is not an error: it is a `struct flaw` (mqtt/flaw.h) with a reason code.
 */
enum error {
	ERROR_NO_MEMORY = -1,
	ERROR_LIMIT = -2,   /* a configured or built-in maximum was reached */
	ERROR_SYSTEM = -3,  /* a system call failed; errno says how */
	ERROR_INVALID = -4, /* the caller's text or value cannot be used */
	ERROR_AGAIN = -5,   /* nothing to be had now, later perhaps */
	ERROR_CLOSED = -6,  /* the other end is gone */
	ERROR_FULL = -7,    /* no space on the disk */
	ERROR_NOT_FOUND = -8,
	ERROR_READ_ONLY = -9,
	ERROR_DAMAGED = -10, /* bytes are not what was written */
};

/* A short English name, for log lines. Never NULL. */
const char *error_text(int error);

/* Our own mistake: prints the place and ends the process, in release builds too.
 * Never depends on what a peer sends. */
#define ASSERT(condition)                                                                          \
	(LIKELY(condition) ? (void)0 : assert_failed(#condition, __FILE__, __LINE__))
NORETURN void assert_failed(const char *condition, const char *file, int line);

/* Borrowed bytes: whoever holds the span does not own them. */
struct span {
	const uint8_t *ptr;
	size_t len;
};

/* Borrowed bytes to write into. */
struct room {
	uint8_t *ptr;
	size_t len;
};

#define SPAN_LITERAL(text) ((struct span){(const uint8_t *)(text), sizeof(text) - 1})
#define SPAN_NONE ((struct span){NULL, 0})

static inline struct span span_of(const void *ptr, size_t len)
{
	return (struct span){(const uint8_t *)ptr, len};
}

static inline struct span span_of_text(const char *text)
{
	return span_of(text, strlen(text));
}

static inline bool span_is_equal(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline uint16_t load_u16(const uint8_t *p)
{
	return (uint16_t)((unsigned)p[0] << 8 | p[1]);
}

static inline uint32_t load_u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint8_t *store_u16(uint8_t *p, uint16_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
	return p + 2;
}

static inline uint8_t *store_u32(uint8_t *p, uint32_t value)
{
	p[0] = (uint8_t)(value >> 24);
	p[1] = (uint8_t)(value >> 16);
	p[2] = (uint8_t)(value >> 8);
	p[3] = (uint8_t)value;
	return p + 4;
}

#endif
