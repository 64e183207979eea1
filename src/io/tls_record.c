/* SPDX-License-Identifier: Apache-2.0 */
#include "io/tls_record.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/mem.h"

/* Of AES in GCM 2^24.5 whole records are safe (RFC 8446, 5.5). */
#define RECORDS_MAX (UINT64_C(1) << 24)
/* "tls13 " and the longest label. */
#define INFO_BYTES 32

struct record_suite {
	unsigned number;
	unsigned index;
	const EVP_CIPHER *(*cipher)(void);
	const EVP_MD *(*digest)(void);
	int key_len;
	size_t secret_len;
};

#define SUITE_COUNT 3

static const struct record_suite suites[SUITE_COUNT] = {
	{0x1301, 0, EVP_aes_128_gcm, EVP_sha256, 16, 32},
	{0x1302, 1, EVP_aes_256_gcm, EVP_sha384, 32, 48},
	{0x1303, 2, EVP_chacha20_poly1305, EVP_sha256, 32, 32},
};

const struct record_suite *record_suite_find(unsigned number)
{
	for (unsigned i = 0; i < SUITE_COUNT; i++)
		if (suites[i].number == number)
			return &suites[i];
	return NULL;
}

size_t record_suite_secret_len(const struct record_suite *suite)
{
	return suite->secret_len;
}

/* --- a thread's ciphers --- */

enum { SEALING, OPENING };

/* Setting a key up costs as much as sealing a small record: it stays until another is needed. */
struct gear {
	EVP_CIPHER_CTX *contexts[SUITE_COUNT][2];
	uint64_t key_ids[SUITE_COUNT][2]; /* 0: none */
};

static pthread_key_t gear_key;
static bool has_gear_key;

static void free_gear(void *pointer)
{
	struct gear *g = pointer;
	for (unsigned i = 0; i < SUITE_COUNT; i++)
		for (unsigned j = 0; j < 2; j++)
			EVP_CIPHER_CTX_free(g->contexts[i][j]);
	mem_free(g);
}

static void make_gear_key(void)
{
	has_gear_key = pthread_key_create(&gear_key, free_gear) == 0;
}

static struct gear *gear_of_thread(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, make_gear_key);
	if (!has_gear_key)
		return NULL;
	struct gear *g = pthread_getspecific(gear_key);
	if (g)
		return g;
	g = mem_zalloc(sizeof(*g));
	if (g && pthread_setspecific(gear_key, g) != 0) {
		mem_free(g);
		return NULL;
	}
	return g;
}

static EVP_CIPHER_CTX *new_context(const struct record_suite *suite, int direction)
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	if (c && EVP_CipherInit_ex(c, suite->cipher(), NULL, NULL, NULL, direction == SEALING) == 1)
		return c;
	EVP_CIPHER_CTX_free(c);
	return NULL;
}

/* A cipher with the key and the next record's nonce; NULL without memory. */
static EVP_CIPHER_CTX *cipher_for(const struct record_keys *k, int direction)
{
	struct gear *g = gear_of_thread();
	uint8_t nonce[RECORD_IV_BYTES];
	if (!g)
		return NULL;
	EVP_CIPHER_CTX **c = &g->contexts[k->suite->index][direction];
	uint64_t *id = &g->key_ids[k->suite->index][direction];
	if (!*c)
		*c = new_context(k->suite, direction);
	if (!*c)
		return NULL;
	for (unsigned i = 0; i < RECORD_IV_BYTES; i++) {
		unsigned shift = 8 * (RECORD_IV_BYTES - 1 - i);
		uint8_t part = shift < 64 ? (uint8_t)(k->sequence >> shift) : 0;
		nonce[i] = k->iv[i] ^ part;
	}
	const uint8_t *key = *id == k->id ? NULL : k->key;
	*id = 0;
	if (EVP_CipherInit_ex(*c, NULL, NULL, key, nonce, -1) != 1)
		return NULL;
	*id = k->id;
	return *c;
}

/* --- keys --- */

/* HKDF-Expand-Label without context, RFC 8446, 7.1: what is asked for is never longer than one hash,
 * so that one round does. */
static int expand(const struct record_suite *suite, const uint8_t *secret, const char *label,
		  uint8_t *out, size_t len)
{
	uint8_t info[INFO_BYTES], hash[EVP_MAX_MD_SIZE];
	size_t label_len = strlen(label);
	unsigned hash_len;
	uint8_t *at = info;
	*at++ = 0;
	*at++ = (uint8_t)len;
	*at++ = (uint8_t)(6 + label_len);
	memcpy(at, "tls13 ", 6);
	memcpy(at + 6, label, label_len);
	at += 6 + label_len;
	*at++ = 0; /* the context */
	*at++ = 1; /* the round */
	ASSERT(at <= info + INFO_BYTES && len <= suite->secret_len);
	if (!HMAC(suite->digest(), secret, (int)suite->secret_len, info, (size_t)(at - info), hash,
		  &hash_len))
		return ERROR_NO_MEMORY;
	memcpy(out, hash, len);
	OPENSSL_cleanse(hash, sizeof(hash));
	return 0;
}

static uint64_t new_id(void)
{
	static atomic_uint_fast64_t last;
	return atomic_fetch_add(&last, 1) + 1;
}

int record_keys_init(struct record_keys *k, const struct record_suite *suite, const uint8_t *secret)
{
	*k = (struct record_keys){.suite = suite, .id = new_id()};
	memcpy(k->secret, secret, suite->secret_len);
	int error = expand(suite, secret, "key", k->key, (size_t)suite->key_len);
	return error ? error : expand(suite, secret, "iv", k->iv, RECORD_IV_BYTES);
}

int record_keys_update(struct record_keys *k)
{
	uint8_t next[RECORD_SECRET_MAX];
	int error = expand(k->suite, k->secret, "traffic upd", next, k->suite->secret_len);
	if (!error)
		error = record_keys_init(k, k->suite, next);
	OPENSSL_cleanse(next, sizeof(next));
	return error;
}

bool record_keys_are_worn(const struct record_keys *k)
{
	return k->sequence >= RECORDS_MAX;
}

void record_keys_release(struct record_keys *k)
{
	OPENSSL_cleanse(k, sizeof(*k));
}

/* --- records --- */

static void write_head(uint8_t *record, size_t body_len)
{
	record[0] = RECORD_DATA;
	record[1] = record[2] = 3;
	record[3] = (uint8_t)(body_len >> 8);
	record[4] = (uint8_t)body_len;
}

long record_seal(struct record_keys *k, uint8_t type, uint8_t *record, size_t len)
{
	ASSERT(len <= RECORD_CONTENT_MAX);
	EVP_CIPHER_CTX *c = cipher_for(k, SEALING);
	uint8_t *body = record + RECORD_HEAD_BYTES;
	size_t plain_len = len + 1;
	int n;
	if (!c)
		return ERROR_NO_MEMORY;
	write_head(record, plain_len + RECORD_TAG_BYTES);
	body[len] = type;
	if (EVP_EncryptUpdate(c, NULL, &n, record, (int)RECORD_HEAD_BYTES) != 1 ||
	    EVP_EncryptUpdate(c, body, &n, body, (int)plain_len) != 1 ||
	    EVP_EncryptFinal_ex(c, body + plain_len, &n) != 1 ||
	    EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, (int)RECORD_TAG_BYTES,
				body + plain_len) != 1)
		return ERROR_NO_MEMORY;
	k->sequence++;
	return (long)(len + RECORD_EXTRA_BYTES);
}

/* The type of the content is the last byte that is not zero (5.4). */
static enum record_result take_type(const uint8_t *content, size_t len, size_t *len_out,
				    uint8_t *type_out)
{
	while (len > 0 && content[len - 1] == 0)
		len--;
	if (len == 0)
		return RECORD_MALFORMED;
	*type_out = content[len - 1];
	*len_out = len - 1;
	return RECORD_OPEN;
}

enum record_result record_open(struct record_keys *k, const uint8_t *record, size_t body_len,
			       uint8_t *content, size_t *len_out, uint8_t *type_out)
{
	ASSERT(body_len > RECORD_TAG_BYTES && body_len <= RECORD_BODY_MAX);
	EVP_CIPHER_CTX *c = cipher_for(k, OPENING);
	const uint8_t *body = record + RECORD_HEAD_BYTES;
	size_t plain_len = body_len - RECORD_TAG_BYTES;
	uint8_t tag[RECORD_TAG_BYTES];
	int n;
	memcpy(tag, body + plain_len, RECORD_TAG_BYTES);
	if (!c || EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, (int)RECORD_TAG_BYTES, tag) != 1 ||
	    EVP_DecryptUpdate(c, NULL, &n, record, (int)RECORD_HEAD_BYTES) != 1)
		return RECORD_FAILED;
	if (EVP_DecryptUpdate(c, content, &n, body, (int)plain_len) != 1 ||
	    EVP_DecryptFinal_ex(c, content + plain_len, &n) != 1)
		return RECORD_FORGED;
	k->sequence++;
	return take_type(content, plain_len, len_out, type_out);
}
