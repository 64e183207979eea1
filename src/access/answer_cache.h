/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers of a service, kept for a while: clients that come back ask nobody. A question is known by
 * a keyed hash of all that it holds, and the key by chance of this process: no password is kept, nor
 * what one could be guessed from elsewhere.
 */
#ifndef NIGHTJAR_ACCESS_ANSWER_CACHE_H
#define NIGHTJAR_ACCESS_ANSWER_CACHE_H

#include "access/login_result.h"
#include "base/list.h"
#include "base/map.h"

#define CACHE_KEY_BYTES 32
/* Some 200 bytes each. */
#define CACHE_ANSWERS_MAX 8192
/* Longer ones are not kept. */
#define CACHE_NAME_BYTES_MAX 256

struct cached_answer {
	uint8_t question[CACHE_KEY_BYTES];
	struct link link; /* the oldest first */
	uint64_t good_until_ms;
	uint64_t until_s;
	uint8_t result;     /* enum login_result */
	bool has_user_name; /* another than the one of CONNECT */
	uint16_t name_len;
	char user_name[];
};

struct answer_cache {
	uint8_t key[CACHE_KEY_BYTES];
	struct map answers;
	struct link by_age;
	unsigned count_max;
};

void answer_cache_init(struct answer_cache *c, const uint8_t key[CACHE_KEY_BYTES], uint64_t seed,
		       unsigned count_max);
void answer_cache_release(struct answer_cache *c);

/* What a question is known by; parts are told apart by their lengths. 0, or ERROR_SYSTEM. */
int answer_cache_question(const struct answer_cache *c, const struct span *parts, size_t count,
			  uint8_t question_out[CACHE_KEY_BYTES]) MUST_USE;
/* NULL: there is none that is still good. */
const struct cached_answer *
answer_cache_find(struct answer_cache *c, const uint8_t question[CACHE_KEY_BYTES], uint64_t now_ms);
/* Takes the place of an older one. `user_name` NULL: the one of CONNECT. Without memory it is not
 * kept. */
void answer_cache_keep(struct answer_cache *c, const struct cached_answer *answer,
		       const char *user_name);

#endif
