/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inputs that are read from front to back, and those that consist of steps:
 *
 *   HEAD_BYTES   what the target wants to know first
 *   steps        a byte, bits 2-5: kind, the others are the target's; the kind's arguments; a body
 *
 * How long a step is, the target's table says; so that changes (steps_change.c) can take whole
 * steps, and those behind them stay what they were.
 */
#ifndef NIGHTJAR_TESTS_FUZZ_INPUT_H
#define NIGHTJAR_TESTS_FUZZ_INPUT_H

#include "base/base.h"

#define HEAD_BYTES 2
#define STEP_KINDS 16

struct step_shape {
	uint8_t arguments; /* bytes behind the first */
	uint8_t len_at;    /* which of them is the length of the body behind them; 0: no body */
};
/* The target's. */
extern const struct step_shape step_shapes[STEP_KINDS];

static inline unsigned step_kind_of(uint8_t first)
{
	return first >> 2 & (STEP_KINDS - 1);
}

struct input {
	const uint8_t *ptr;
	size_t len;
};

/* 0 behind the end. */
static inline uint8_t take(struct input *in)
{
	if (in->len == 0)
		return 0;
	in->len--;
	return *in->ptr++;
}

static inline uint16_t take_u16(struct input *in)
{
	uint8_t high = take(in);
	return (uint16_t)(high << 8 | take(in));
}

/* What is there of so many bytes. */
static inline struct span take_span(struct input *in, size_t len)
{
	struct span s = span_of(in->ptr, len < in->len ? len : in->len);
	in->ptr += s.len;
	in->len -= s.len;
	return s;
}

#endif
