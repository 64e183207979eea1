/* SPDX-License-Identifier: Apache-2.0 */
/* What a message carries: its stream, its number, and bytes that follow from both. */
#ifndef NIGHTJAR_STRESS_PAYLOAD_H
#define NIGHTJAR_STRESS_PAYLOAD_H

#include "base/base.h"
#include "random.h"

#define PAYLOAD_BYTES_MAX 20008

/* Whether that message of a retained topic is empty, which removes the one that is kept. */
static inline bool payload_removes(uint32_t number)
{
	return number % 8 == 7;
}

static inline size_t payload_len(uint32_t stream, uint32_t number)
{
	uint64_t random = (uint64_t)stream << 32 | number;
	if (random_percent(&random, 1))
		return PAYLOAD_BYTES_MAX;
	return 8 + random_below(&random, 200);
}

static inline struct span payload_write(uint32_t stream, uint32_t number, uint8_t *bytes)
{
	size_t len = payload_len(stream, number);
	store_u32(bytes, stream);
	store_u32(bytes + 4, number);
	for (size_t i = 8; i < len; i++)
		bytes[i] = (uint8_t)(number + i);
	return span_of(bytes, len);
}

static inline bool payload_read(struct span payload, uint32_t *stream, uint32_t *number)
{
	if (payload.len < 8)
		return false;
	*stream = load_u32(payload.ptr);
	*number = load_u32(payload.ptr + 4);
	if (payload.len != payload_len(*stream, *number))
		return false;
	for (size_t i = 8; i < payload.len; i++) {
		if (payload.ptr[i] != (uint8_t)(*number + i))
			return false;
	}
	return true;
}

#endif
