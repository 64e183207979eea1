/* SPDX-License-Identifier: Apache-2.0 */
#include "access/password.h"

#include "access/argon2id.h"
#include "base/base64.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>

#define SHA512_BYTES 64
#define ARGON2_BYTES 32
/* Decoded; mosquitto's salts have 12 bytes, and 64 since 2.1. */
#define SALT_BYTES_MAX 64
#define HASH_BYTES_MAX 64
#define ARGON2_SALT_BYTES_MIN 8
#define ARGON2_HASH_BYTES_MIN 16

/* A few milliseconds. mosquitto's 101 are what its only thread can spare; it verifies these, too. */
#define ITERATIONS_DEFAULT 10000
/* What OWASP's Password Storage Cheat Sheet asks of argon2id at least. */
#define ARGON2_KIB_DEFAULT 19456
#define ARGON2_PASSES_DEFAULT 2

struct stored {
	enum password_method method;
	uint32_t iterations;
	struct argon2id_cost cost;
	uint8_t salt[SALT_BYTES_MAX];
	size_t salt_len;
	uint8_t hash[HASH_BYTES_MAX];
	size_t hash_len;
	struct scram_verifier scram; /* of PASSWORD_SCRAM, which has none of the above */
};

/* Up to the sign, which is taken as well; all of it when there is none. */
static struct span part_take(struct span *rest, uint8_t sign)
{
	const uint8_t *end = rest->len > 0 ? memchr(rest->ptr, sign, rest->len) : NULL;
	struct span part = span_of(rest->ptr, end ? (size_t)(end - rest->ptr) : rest->len);
	size_t taken = part.len + (end ? 1 : 0);
	*rest = span_of(rest->ptr + taken, rest->len - taken);
	return part;
}

static bool prefix_take(struct span *rest, struct span prefix)
{
	if (rest->len < prefix.len || memcmp(rest->ptr, prefix.ptr, prefix.len) != 0)
		return false;
	*rest = span_of(rest->ptr + prefix.len, rest->len - prefix.len);
	return true;
}

static bool number_read(struct span text, uint32_t max, uint32_t *out)
{
	uint64_t value = 0;
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9' || value > max)
			return false;
		value = value * 10 + (text.ptr[i] - '0');
	}
	*out = (uint32_t)value;
	return text.len > 0 && value > 0 && value <= max;
}

/* "salt$hash", the rest of each form. */
static bool read_salt_and_hash(struct span rest, struct stored *s)
{
	struct span salt = part_take(&rest, '$');
	return base64_decode(salt, (struct room){s->salt, sizeof(s->salt)}, &s->salt_len) &&
	       base64_decode(rest, (struct room){s->hash, sizeof(s->hash)}, &s->hash_len) &&
	       s->salt_len > 0;
}

/* "v=19$m=19456,t=2,p=1$salt$hash" */
static const char *read_argon2id(struct span rest, struct stored *s)
{
	struct span version = part_take(&rest, '$'), costs = part_take(&rest, '$');
	struct span kib = part_take(&costs, ','), passes = part_take(&costs, ',');
	s->method = PASSWORD_ARGON2ID;
	if (!span_is_equal(version, SPAN_LITERAL("v=19")))
		return "is of a version of argon2 that is not supported (only v=19 is)";
	if (!prefix_take(&kib, SPAN_LITERAL("m=")) || !prefix_take(&passes, SPAN_LITERAL("t=")) ||
	    !prefix_take(&costs, SPAN_LITERAL("p=")) ||
	    !number_read(kib, PASSWORD_ARGON2_KIB_MAX, &s->cost.kib) ||
	    !number_read(passes, PASSWORD_ARGON2_PASSES_MAX, &s->cost.passes) ||
	    !number_read(costs, PASSWORD_ARGON2_LANES_MAX, &s->cost.lanes) ||
	    s->cost.kib < 8 * s->cost.lanes)
		return "asks argon2id for no sensible cost";
	if (!read_salt_and_hash(rest, s) || s->hash_len < ARGON2_HASH_BYTES_MIN ||
	    s->salt_len < ARGON2_SALT_BYTES_MIN)
		return "is damaged";
	return argon2id_is_here() ? NULL : "needs argon2, which this build is without";
}

/* "iterations$salt$hash" */
static const char *read_pbkdf2(struct span rest, struct stored *s)
{
	s->method = PASSWORD_PBKDF2;
	if (!number_read(part_take(&rest, '$'), PASSWORD_ITERATIONS_MAX, &s->iterations))
		return "asks for no sensible number of iterations";
	return read_salt_and_hash(rest, s) && s->hash_len == SHA512_BYTES ? NULL : "is damaged";
}

static const char *read_sha512(struct span rest, struct stored *s)
{
	s->method = PASSWORD_SHA512;
	return read_salt_and_hash(rest, s) && s->hash_len == SHA512_BYTES ? NULL : "is damaged";
}

static bool read_key(struct span text, uint8_t key[SCRAM_KEY_BYTES])
{
	size_t len;
	return base64_decode(text, (struct room){key, SCRAM_KEY_BYTES}, &len) &&
	       len == SCRAM_KEY_BYTES;
}

/* "iterations$salt$stored key$server key" */
static const char *read_scram(struct span rest, struct stored *s)
{
	struct scram_verifier *v = &s->scram;
	size_t salt_len;
	s->method = PASSWORD_SCRAM;
	if (!number_read(part_take(&rest, '$'), SCRAM_ITERATIONS_MAX, &v->iterations) ||
	    v->iterations < SCRAM_ITERATIONS_MIN)
		return "asks for no sensible number of iterations";
	struct span salt = part_take(&rest, '$'), stored_key = part_take(&rest, '$');
	if (!base64_decode(salt, (struct room){v->salt, sizeof(v->salt)}, &salt_len) ||
	    salt_len == 0 || !read_key(stored_key, v->stored_key) || !read_key(rest, v->server_key))
		return "is damaged";
	v->salt_len = (uint32_t)salt_len;
	return NULL;
}

static const char *stored_read(struct span text, struct stored *s)
{
	*s = (struct stored){0};
	if (text.len == 0)
		return "is missing";
	if (text.len >= PASSWORD_STORED_MAX)
		return "is longer than any that is known";
	if (prefix_take(&text, SPAN_LITERAL("$7$")))
		return read_pbkdf2(text, s);
	if (prefix_take(&text, SPAN_LITERAL("$6$")))
		return read_sha512(text, s);
	if (prefix_take(&text, SPAN_LITERAL("$argon2id$")))
		return read_argon2id(text, s);
	if (prefix_take(&text, SPAN_LITERAL("$scram-sha-256$")))
		return read_scram(text, s);
	return "is not hashed, or in a way that is not known";
}

const char *password_why_not(struct span stored)
{
	struct stored s;
	return stored_read(stored, &s);
}

bool password_scram(struct span stored, struct scram_verifier *verifier_out)
{
	struct stored s;
	if (stored_read(stored, &s) || s.method != PASSWORD_SCRAM)
		return false;
	*verifier_out = s.scram;
	return true;
}

static int hash_sha512(struct span salt, struct span password, struct room hash)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	if (!context)
		return ERROR_NO_MEMORY;
	bool is_done = EVP_DigestInit_ex(context, EVP_sha512(), NULL) == 1 &&
		       EVP_DigestUpdate(context, password.ptr, password.len) == 1 &&
		       EVP_DigestUpdate(context, salt.ptr, salt.len) == 1 &&
		       EVP_DigestFinal_ex(context, hash.ptr, NULL) == 1;
	EVP_MD_CTX_free(context);
	return is_done ? 0 : ERROR_SYSTEM;
}

/* Fills `hash`, as the stored form says how. */
static int hash_of(const struct stored *s, struct span password, struct room hash)
{
	struct span salt = span_of(s->salt, s->salt_len);
	/* an empty password is a password, but not a null pointer */
	if (password.len == 0)
		password = SPAN_LITERAL("");
	switch (s->method) {
	case PASSWORD_SHA512: return hash_sha512(salt, password, hash);
	case PASSWORD_PBKDF2:
		return PKCS5_PBKDF2_HMAC((const char *)password.ptr, (int)password.len, salt.ptr,
					 (int)salt.len, (int)s->iterations, EVP_sha512(),
					 (int)hash.len, hash.ptr) == 1
			       ? 0
			       : ERROR_SYSTEM;
	default: return argon2id_hash(&s->cost, salt, password, hash);
	}
}

/* A client that shows its password may come in by what SCRAM stores of it, too. */
static int verify_by_scram(const struct scram_verifier *v, struct span password)
{
	struct scram_verifier made;
	int error =
		scram_verifier_make(password, span_of(v->salt, v->salt_len), v->iterations, &made);
	if (error)
		return error;
	error = CRYPTO_memcmp(made.stored_key, v->stored_key, SCRAM_KEY_BYTES) ? ERROR_INVALID : 0;
	OPENSSL_cleanse(&made, sizeof(made));
	return error;
}

int password_verify(struct span stored, struct span password)
{
	struct stored s;
	uint8_t hash[HASH_BYTES_MAX];
	if (stored_read(stored, &s) || password.len > PASSWORD_BYTES_MAX)
		return ERROR_INVALID;
	if (s.method == PASSWORD_SCRAM)
		return verify_by_scram(&s.scram, password);
	int error = hash_of(&s, password, (struct room){hash, s.hash_len});
	if (error == 0 && CRYPTO_memcmp(hash, s.hash, s.hash_len) != 0)
		error = ERROR_INVALID;
	OPENSSL_cleanse(hash, sizeof(hash));
	return error;
}

static struct span without_padding(const char *text)
{
	size_t len = strlen(text);
	while (len > 0 && text[len - 1] == '=')
		len--;
	return span_of(text, len);
}

static void stored_write(const struct stored *s, char out[PASSWORD_STORED_MAX])
{
	char salt[BASE64_LEN(SALT_BYTES_MAX) + 1], hash[BASE64_LEN(HASH_BYTES_MAX) + 1];
	int len;
	base64_encode(span_of(s->salt, s->salt_len), salt);
	base64_encode(span_of(s->hash, s->hash_len), hash);
	struct span bare_salt = without_padding(salt), bare_hash = without_padding(hash);
	if (s->method == PASSWORD_SHA512)
		len = snprintf(out, PASSWORD_STORED_MAX, "$6$%s$%s", salt, hash);
	else if (s->method == PASSWORD_PBKDF2)
		len = snprintf(out, PASSWORD_STORED_MAX, "$7$%u$%s$%s", s->iterations, salt, hash);
	else
		len = snprintf(out, PASSWORD_STORED_MAX, "$argon2id$v=19$m=%u,t=%u,p=%u$%.*s$%.*s",
			       s->cost.kib, s->cost.passes, s->cost.lanes, (int)bare_salt.len,
			       (const char *)bare_salt.ptr, (int)bare_hash.len,
			       (const char *)bare_hash.ptr);
	ASSERT(len > 0 && len < PASSWORD_STORED_MAX);
}

static int store_scram(uint32_t iterations, struct span salt, struct span password,
		       char out[PASSWORD_STORED_MAX])
{
	struct scram_verifier v;
	char salt_text[BASE64_LEN(PASSWORD_SALT_BYTES) + 1];
	char stored_key[BASE64_LEN(SCRAM_KEY_BYTES) + 1];
	char server_key[BASE64_LEN(SCRAM_KEY_BYTES) + 1];
	int error = scram_verifier_make(password, salt, iterations, &v);
	if (error)
		return error;
	base64_encode(salt, salt_text);
	base64_encode(span_of(v.stored_key, SCRAM_KEY_BYTES), stored_key);
	base64_encode(span_of(v.server_key, SCRAM_KEY_BYTES), server_key);
	int len = snprintf(out, PASSWORD_STORED_MAX, "$scram-sha-256$%u$%s$%s$%s", iterations,
			   salt_text, stored_key, server_key);
	ASSERT(len > 0 && len < PASSWORD_STORED_MAX);
	return 0;
}

/* What mosquitto 2.0 reads has a salt of 12 bytes. */
static size_t salt_len_of(enum password_method method)
{
	return method == PASSWORD_ARGON2ID ? PASSWORD_SALT_BYTES : 12;
}

int password_store(enum password_method method, const struct password_cost *cost,
		   const uint8_t salt[PASSWORD_SALT_BYTES], struct span password,
		   char stored_out[PASSWORD_STORED_MAX])
{
	struct stored s = {
		.method = method,
		.iterations = cost->iterations ? cost->iterations : ITERATIONS_DEFAULT,
		.cost = {.kib = cost->kib ? cost->kib : ARGON2_KIB_DEFAULT,
			 .passes = cost->passes ? cost->passes : ARGON2_PASSES_DEFAULT,
			 .lanes = 1},
		.salt_len = salt_len_of(method),
		.hash_len = method == PASSWORD_ARGON2ID ? ARGON2_BYTES : SHA512_BYTES,
	};
	if (method == PASSWORD_SCRAM)
		return store_scram(s.iterations, span_of(salt, PASSWORD_SALT_BYTES), password,
				   stored_out);
	memcpy(s.salt, salt, s.salt_len);
	int error = hash_of(&s, password, (struct room){s.hash, s.hash_len});
	if (error == 0)
		stored_write(&s, stored_out);
	return error;
}
