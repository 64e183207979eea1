/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A token bucket: so much a second, and so much at once. Of the tokens only one number is kept: when
 * the bucket will be full again if nothing more is taken (the "virtual scheduling" of GCRA, ITU-T
 * I.371). More may be taken than is there: that is a debt, which takes its time.
 *
 *         burst
 *     |<--------->|
 *     +-----------+----- time        taken beyond the burst: wait until now reaches full - burst
 *    now                full
 *
 * Time is an argument; all zero is a full bucket.
 */
#ifndef NIGHTJAR_BASE_BUCKET_H
#define NIGHTJAR_BASE_BUCKET_H

#include "base/base.h"

/* Neither a rate nor a burst is more: their product with nanoseconds must fit 64 bits. */
#define RATE_MAX 4000000000u

struct rate {
	uint32_t per_second; /* 0: no limit, and none of the functions below may be asked */
	uint32_t burst;      /* at least 1 */
};

struct bucket {
	uint64_t full_ns; /* steady clock */
};

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S UINT64_C(1000000000)

/* How long it takes until so many tokens have come. */
static inline uint64_t rate_ns(const struct rate *r, uint64_t tokens)
{
	return tokens * NS_PER_S / r->per_second;
}

/* Takes them, whether they are there or not. */
static inline void bucket_take(struct bucket *b, const struct rate *r, uint32_t tokens,
			       uint64_t now_ms)
{
	uint64_t now_ns = now_ms * NS_PER_MS;
	b->full_ns = (b->full_ns > now_ns ? b->full_ns : now_ns) + rate_ns(r, tokens);
}

/* Milliseconds until no debt is left; 0: there is none. */
static inline uint64_t bucket_wait_ms(const struct bucket *b, const struct rate *r, uint64_t now_ms)
{
	uint64_t allowed_ns = now_ms * NS_PER_MS + rate_ns(r, r->burst);
	return b->full_ns > allowed_ns ? (b->full_ns - allowed_ns + NS_PER_MS - 1) / NS_PER_MS : 0;
}

/* Are so many there? What is more than the burst is there when the bucket is full. */
static inline bool bucket_has(const struct bucket *b, const struct rate *r, uint32_t tokens,
			      uint64_t now_ms)
{
	uint32_t wanted = tokens < r->burst ? tokens : r->burst;
	uint64_t allowed_ns = now_ms * NS_PER_MS + rate_ns(r, r->burst - wanted);
	return b->full_ns <= allowed_ns;
}

#endif
