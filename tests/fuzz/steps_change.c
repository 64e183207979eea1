/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How libFuzzer changes inputs that consist of steps (input.h). Its own changes shift lengths and
 * take steps apart; here whole steps come, go and change, and those behind them stay.
 */
#include "fuzz.h"
#include "input.h"
#include "kit/random.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t len, size_t len_max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t len_max, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *data, size_t len, const uint8_t *other,
				 size_t other_len, uint8_t *out, size_t out_max, unsigned seed);

/* The first step's bytes. */
static size_t step_len(const uint8_t *data, size_t len)
{
	const struct step_shape *shape = &step_shapes[step_kind_of(data[0])];
	size_t body_at = 1 + (size_t)shape->arguments;
	bool has_body = shape->len_at > 0 && shape->len_at < len;
	size_t all = body_at + (has_body ? data[shape->len_at] : 0);
	return all < len ? all : len;
}

/* A step chosen by chance; there is one at least. */
static struct span any_step(struct random *r, const uint8_t *data, size_t len)
{
	unsigned count = 0;
	struct span chosen = SPAN_NONE;
	for (size_t at = HEAD_BYTES; at < len; at += step_len(data + at, len - at))
		if (random_below(r, ++count) == 0)
			chosen = span_of(data + at, step_len(data + at, len - at));
	return chosen;
}

/* Puts `with` in place of the bytes at `at`. The new length. */
static size_t splice(uint8_t *data, size_t len, size_t len_max, struct span at, struct span with)
{
	size_t offset = (size_t)(at.ptr - data);
	uint8_t *copy = fuzz_copy(with.ptr, with.len);
	if (len - at.len + with.len <= len_max) {
		memmove(data + offset + with.len, at.ptr + at.len, len - offset - at.len);
		memcpy(data + offset, copy, with.len);
		len += with.len - at.len;
	}
	free(copy);
	return len;
}

/* Changes a body, and keeps the steps after it apart. */
static size_t change_body(uint8_t *data, size_t len, size_t len_max, struct span step)
{
	uint8_t changed[1 + UINT8_MAX + UINT8_MAX];
	const struct step_shape *shape = &step_shapes[step_kind_of(step.ptr[0])];
	size_t len_at = shape->len_at, body_at = 1 + (size_t)shape->arguments;
	if (len_at == 0 || step.len < body_at || step.len > sizeof(changed))
		return LLVMFuzzerMutate(data, len, len_max);
	memcpy(changed, step.ptr, step.len);
	size_t body_len = LLVMFuzzerMutate(changed + body_at, step.len - body_at, UINT8_MAX);
	changed[len_at] = (uint8_t)body_len;
	return splice(data, len, len_max, step, span_of(changed, body_at + body_len));
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t len_max, unsigned seed)
{
	struct random r = {seed};
	if (len <= HEAD_BYTES || random_chance(&r, 40))
		return LLVMFuzzerMutate(data, len, len_max);
	struct span step = any_step(&r, data, len), other = any_step(&r, data, len);
	size_t offset = (size_t)(step.ptr - data);
	switch (random_below(&r, 5)) {
	case 0: return splice(data, len, len_max, step, SPAN_NONE);
	case 1: return splice(data, len, len_max, span_of(step.ptr, 0), other);
	case 2: data[offset] ^= (uint8_t)(1u << random_below(&r, 2)); return len;
	case 3: data[offset] ^= (uint8_t)(0x40u << random_below(&r, 2)); return len;
	default: return change_body(data, len, len_max, step);
	}
}

/* A step of one input goes into the other. */
size_t LLVMFuzzerCustomCrossOver(const uint8_t *data, size_t len, const uint8_t *other,
				 size_t other_len, uint8_t *out, size_t out_max, unsigned seed)
{
	struct random r = {seed};
	if (len <= HEAD_BYTES || len > out_max || other_len <= HEAD_BYTES)
		return 0;
	memcpy(out, data, len);
	struct span step = any_step(&r, out, len);
	return splice(out, len, out_max, span_of(step.ptr, 0), any_step(&r, other, other_len));
}
