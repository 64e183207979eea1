/* SPDX-License-Identifier: Apache-2.0 */
#include "access/scram_users.h"

#include "access/password.h"
#include "access/scram_part.h"

#include <openssl/crypto.h>

bool scram_users_exist(const struct users *u)
{
	return users_scram_pattern(u) != NULL;
}

/* As the pattern's, with a salt and keys that follow from the name and from what only the file
 * knows. What a server's signature is made by must sign no names for strangers: hence a key of its
 * own. */
static int make_up(struct scram_verifier *v, struct span name)
{
	uint8_t key[SCRAM_KEY_BYTES], block[SCRAM_KEY_BYTES];
	int error = scram_hmac(v->server_key, SPAN_LITERAL("nightjar: nobody's salt"), key);
	if (!error)
		error = scram_hmac(key, name, block);
	for (uint32_t at = 0; at < v->salt_len && !error; at += SCRAM_KEY_BYTES) {
		uint32_t left = v->salt_len - at;
		memcpy(v->salt + at, block, left < SCRAM_KEY_BYTES ? left : SCRAM_KEY_BYTES);
		error = scram_hmac(key, span_of(block, sizeof(block)), block);
	}
	/* whose preimage nobody has */
	memcpy(v->stored_key, block, sizeof(block));
	OPENSSL_cleanse(key, sizeof(key));
	OPENSSL_cleanse(block, sizeof(block));
	return error;
}

int scram_users_find(const struct users *u, struct span name, struct scram_verifier *verifier_out,
		     const struct user **user_out)
{
	struct scram_verifier real = {0}, made_up = {0};
	const struct user *pattern = users_scram_pattern(u), *user = users_find(u, name);
	ASSERT(pattern && password_scram(pattern->stored, &made_up));
	int error = make_up(&made_up, name);
	bool is_there = user && password_scram(user->stored, &real);
	if (!error) {
		*verifier_out = is_there ? real : made_up;
		*user_out = is_there ? user : NULL;
	}
	OPENSSL_cleanse(&real, sizeof(real));
	return error;
}
