/* SPDX-License-Identifier: Apache-2.0 */
#include "access/answer_cache.h"

#include "base/mem.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

static struct span question_of(const void *element)
{
	return span_of(((const struct cached_answer *)element)->question, CACHE_KEY_BYTES);
}

void answer_cache_init(struct answer_cache *c, const uint8_t key[CACHE_KEY_BYTES], uint64_t seed,
		       unsigned count_max)
{
	memcpy(c->key, key, CACHE_KEY_BYTES);
	map_init(&c->answers, seed, question_of);
	list_init(&c->by_age);
	c->count_max = count_max;
}

static void forget(struct answer_cache *c, struct cached_answer *answer)
{
	map_remove(&c->answers, question_of(answer));
	link_remove(&answer->link);
	mem_free(answer);
}

void answer_cache_release(struct answer_cache *c)
{
	while (!list_is_empty(&c->by_age))
		forget(c, CONTAINER_OF(c->by_age.next, struct cached_answer, link));
	map_release(&c->answers);
	OPENSSL_cleanse(c->key, sizeof(c->key));
}

/* The key in front, and the hash once more with it: SHA-256 alone could be lengthened. */
int answer_cache_question(const struct answer_cache *c, const struct span *parts, size_t count,
			  uint8_t question_out[CACHE_KEY_BYTES])
{
	uint8_t inner[CACHE_KEY_BYTES];
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool is_good = context && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 &&
		       EVP_DigestUpdate(context, c->key, CACHE_KEY_BYTES) == 1;
	for (size_t i = 0; i < count && is_good; i++) {
		uint64_t len = parts[i].len;
		is_good = EVP_DigestUpdate(context, &len, sizeof(len)) == 1 &&
			  EVP_DigestUpdate(context, parts[i].ptr, parts[i].len) == 1;
	}
	is_good = is_good && EVP_DigestFinal_ex(context, inner, NULL) == 1 &&
		  EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 &&
		  EVP_DigestUpdate(context, c->key, CACHE_KEY_BYTES) == 1 &&
		  EVP_DigestUpdate(context, inner, sizeof(inner)) == 1 &&
		  EVP_DigestFinal_ex(context, question_out, NULL) == 1;
	EVP_MD_CTX_free(context);
	OPENSSL_cleanse(inner, sizeof(inner));
	return is_good ? 0 : ERROR_SYSTEM;
}

const struct cached_answer *
answer_cache_find(struct answer_cache *c, const uint8_t question[CACHE_KEY_BYTES], uint64_t now_ms)
{
	struct cached_answer *answer = map_find(&c->answers, span_of(question, CACHE_KEY_BYTES));
	if (!answer || now_ms < answer->good_until_ms)
		return answer;
	forget(c, answer);
	return NULL;
}

void answer_cache_keep(struct answer_cache *c, const struct cached_answer *from,
		       const char *user_name)
{
	size_t len = user_name ? strlen(user_name) : 0;
	struct cached_answer *old = map_find(&c->answers, question_of(from));
	if (old)
		forget(c, old);
	if (len > CACHE_NAME_BYTES_MAX)
		return;
	while (c->answers.count >= c->count_max)
		forget(c, CONTAINER_OF(c->by_age.next, struct cached_answer, link));
	struct cached_answer *answer = mem_alloc(sizeof(*answer) + len + 1);
	if (!answer)
		return;
	*answer = *from;
	answer->link = (struct link){0};
	answer->has_user_name = user_name != NULL;
	answer->name_len = (uint16_t)len;
	memcpy(answer->user_name, user_name ? user_name : "", len + 1);
	if (map_add(&c->answers, answer))
		mem_free(answer);
	else
		list_append(&c->by_age, &answer->link);
}
