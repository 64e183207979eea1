/* SPDX-License-Identifier: Apache-2.0 */
#include "access/scram_part.h"

#include "base/base64.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

bool scram_take(struct span *rest, char name, struct span *value_out)
{
	if (rest->len < 2 || rest->ptr[0] != (uint8_t)name || rest->ptr[1] != '=')
		return false;
	const uint8_t *value = rest->ptr + 2, *comma = memchr(value, ',', rest->len - 2);
	size_t len = comma ? (size_t)(comma - value) : rest->len - 2;
	size_t taken = 2 + len + (comma != NULL);
	*value_out = span_of(value, len);
	*rest = span_of(rest->ptr + taken, rest->len - taken);
	return true;
}

bool scram_is_nonce(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] < 0x21 || text.ptr[i] > 0x7e || text.ptr[i] == ',')
			return false;
	return text.len > 0;
}

bool scram_is_text(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] < 0x20 || text.ptr[i] == 0x7f)
			return false;
	return text.len > 0;
}

int scram_add_text(struct buffer *message, const char *text)
{
	return buffer_append(message, span_of_text(text));
}

int scram_add_base64(struct buffer *message, const char *prefix, struct span bytes)
{
	size_t len = BASE64_LEN(bytes.len);
	int error = scram_add_text(message, prefix);
	if (!error)
		error = buffer_reserve(message, len + 1); /* and its NUL */
	if (error)
		return error;
	base64_encode(bytes, (char *)buffer_room(message).ptr);
	buffer_commit(message, len);
	return 0;
}

bool scram_read_base64(struct span text, struct room room, size_t *len_out)
{
	return text.len % 4 == 0 && base64_decode(text, room, len_out);
}

/* --- hashes --- */

int scram_hmac(const uint8_t key[SCRAM_KEY_BYTES], struct span text, uint8_t out[SCRAM_KEY_BYTES])
{
	unsigned len = 0;
	const uint8_t *done =
		HMAC(EVP_sha256(), key, SCRAM_KEY_BYTES, text.ptr, text.len, out, &len);
	return done && len == SCRAM_KEY_BYTES ? 0 : ERROR_NO_MEMORY;
}

int scram_hash(const uint8_t bytes[SCRAM_KEY_BYTES], uint8_t out[SCRAM_KEY_BYTES])
{
	bool is_done = EVP_Digest(bytes, SCRAM_KEY_BYTES, out, NULL, EVP_sha256(), NULL) == 1;
	return is_done ? 0 : ERROR_NO_MEMORY;
}

int scram_make_keys(struct span password, struct span salt, uint32_t iterations,
		    uint8_t client_key[SCRAM_KEY_BYTES], uint8_t server_key[SCRAM_KEY_BYTES])
{
	uint8_t salted[SCRAM_KEY_BYTES];
	bool is_done = PKCS5_PBKDF2_HMAC((const char *)password.ptr, (int)password.len, salt.ptr,
					 (int)salt.len, (int)iterations, EVP_sha256(),
					 SCRAM_KEY_BYTES, salted) == 1;
	int error = is_done ? 0 : ERROR_NO_MEMORY;
	if (!error)
		error = scram_hmac(salted, SPAN_LITERAL("Client Key"), client_key);
	if (!error)
		error = scram_hmac(salted, SPAN_LITERAL("Server Key"), server_key);
	explicit_bzero(salted, sizeof(salted));
	return error;
}

bool scram_is_same(const uint8_t a[SCRAM_KEY_BYTES], const uint8_t b[SCRAM_KEY_BYTES])
{
	return CRYPTO_memcmp(a, b, SCRAM_KEY_BYTES) == 0;
}

int scram_auth_message(struct span bare, struct span server_first, struct span without_proof,
		       struct buffer *out)
{
	const struct span parts[] = {bare, SPAN_LITERAL(","), server_first, SPAN_LITERAL(","),
				     without_proof};
	int error = 0;
	for (size_t i = 0; i < ARRAY_COUNT(parts) && !error; i++)
		error = buffer_append(out, parts[i]);
	return error;
}

void scram_nonce(const uint8_t random[SCRAM_NONCE_RANDOM], char text_out[SCRAM_NONCE_TEXT])
{
	base64_encode(span_of(random, SCRAM_NONCE_RANDOM), text_out);
}
