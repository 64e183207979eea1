/* SPDX-License-Identifier: Apache-2.0 */
#include "access/scram_part.h"

#define HEADER "n,," /* no channel binding, nobody else's name */
#define HEADER_BASE64 "biws"

/* --- first --- */

/* saslname: a comma and an equals sign stand for themselves in no other way ([RFC 5802] 5.1). */
static int add_name(struct buffer *message, struct span user)
{
	int error = 0;
	for (size_t i = 0; i < user.len && !error; i++) {
		if (user.ptr[i] == ',')
			error = scram_add_text(message, "=2C");
		else if (user.ptr[i] == '=')
			error = scram_add_text(message, "=3D");
		else
			error = buffer_append(message, span_of(user.ptr + i, 1));
	}
	return error;
}

int scram_client_first(struct scram_client *c, struct span user, struct span nonce,
		       struct buffer *message)
{
	c->state = SCRAM_IDLE;
	buffer_release(&c->bare);
	if (!scram_is_text(user) || user.len > SCRAM_NAME_MAX || !scram_is_nonce(nonce))
		return ERROR_INVALID;
	int error = scram_add_text(&c->bare, "n=");
	if (!error)
		error = add_name(&c->bare, user);
	if (!error)
		error = scram_add_text(&c->bare, ",r=");
	if (!error)
		error = buffer_append(&c->bare, nonce);
	if (!error)
		error = buffer_reserve(message, sizeof(HEADER) + buffer_len(&c->bare));
	if (error)
		return error;
	error = scram_add_text(message, HEADER);
	if (!error)
		error = buffer_append(message, buffer_content(&c->bare));
	c->nonce_len = (uint32_t)nonce.len;
	c->state = SCRAM_FIRST;
	return error;
}

/* --- final --- */

struct challenge {
	struct span nonce;
	uint32_t iterations;
	uint32_t salt_len;
	uint8_t salt[SCRAM_SALT_MAX];
};

static bool read_count(struct span text, uint32_t *count_out)
{
	uint32_t count = 0;
	if (text.len == 0 || text.len > 9 || text.ptr[0] == '0')
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return false;
		count = count * 10 + (uint32_t)(text.ptr[i] - '0');
	}
	*count_out = count;
	return true;
}

static bool starts_with(struct span text, struct span start)
{
	return text.len > start.len && memcmp(text.ptr, start.ptr, start.len) == 0;
}

/* NULL, or what is wrong with it. */
static const char *read_challenge(struct span rest, struct span own_nonce, struct challenge *out)
{
	struct span salt, count;
	size_t salt_len;
	if (rest.len > SCRAM_MESSAGE_MAX)
		return "the server's SCRAM message is too long";
	if (scram_take(&rest, 'm', &salt))
		return "the server wants an extension of SCRAM that is not known";
	if (!scram_take(&rest, 'r', &out->nonce) || !scram_take(&rest, 's', &salt) ||
	    !scram_take(&rest, 'i', &count))
		return "the server's first message is not one of SCRAM";
	if (!scram_is_nonce(out->nonce) || !starts_with(out->nonce, own_nonce))
		return "the server's nonce does not go on from ours";
	if (!scram_read_base64(salt, (struct room){out->salt, sizeof(out->salt)}, &salt_len) ||
	    salt_len == 0)
		return "the server's salt is empty, too long or no base 64";
	if (!read_count(count, &out->iterations) || out->iterations < SCRAM_ITERATIONS_MIN ||
	    out->iterations > SCRAM_ITERATIONS_MAX)
		return "the server's number of iterations is not within 4096 and 1000000";
	out->salt_len = (uint32_t)salt_len;
	return NULL;
}

static bool has_keys_of(const struct scram_client *c, const struct challenge *challenge)
{
	return c->iterations == challenge->iterations && c->salt_len == challenge->salt_len &&
	       memcmp(c->salt, challenge->salt, c->salt_len) == 0;
}

static int make_keys(struct scram_client *c, struct span password,
		     const struct challenge *challenge)
{
	if (has_keys_of(c, challenge))
		return 0;
	c->iterations = 0;
	int error = scram_make_keys(password, span_of(challenge->salt, challenge->salt_len),
				    challenge->iterations, c->client_key, c->server_key);
	if (error)
		return error;
	c->iterations = challenge->iterations;
	c->salt_len = challenge->salt_len;
	memcpy(c->salt, challenge->salt, challenge->salt_len);
	return 0;
}

/* ClientProof, and the signature that the server will have to show ([RFC 5802] 3). */
static int prove(struct scram_client *c, struct span auth_message, uint8_t proof[SCRAM_KEY_BYTES])
{
	uint8_t stored_key[SCRAM_KEY_BYTES];
	int error = scram_hash(c->client_key, stored_key);
	if (!error)
		error = scram_hmac(stored_key, auth_message, proof);
	if (!error)
		error = scram_hmac(c->server_key, auth_message, c->signature);
	for (size_t i = 0; i < SCRAM_KEY_BYTES && !error; i++)
		proof[i] ^= c->client_key[i];
	explicit_bzero(stored_key, sizeof(stored_key));
	return error;
}

static int answer(struct scram_client *c, struct span server_first, struct span nonce,
		  struct buffer *message)
{
	uint8_t proof[SCRAM_KEY_BYTES];
	struct buffer without_proof = {0}, auth_message = {0};
	int error = scram_add_text(&without_proof, "c=" HEADER_BASE64 ",r=");
	if (!error)
		error = buffer_append(&without_proof, nonce);
	if (!error)
		error = scram_auth_message(buffer_content(&c->bare), server_first,
					   buffer_content(&without_proof), &auth_message);
	if (!error)
		error = prove(c, buffer_content(&auth_message), proof);
	if (!error)
		error = buffer_append(message, buffer_content(&without_proof));
	if (!error)
		error = scram_add_base64(message, ",p=", span_of(proof, sizeof(proof)));
	buffer_release(&without_proof);
	buffer_release(&auth_message);
	return error;
}

int scram_client_final(struct scram_client *c, struct span password, struct span server_first,
		       struct buffer *message, const char **trouble_out)
{
	struct challenge challenge;
	struct span bare = buffer_content(&c->bare);
	struct span nonce = span_of(bare.ptr + bare.len - c->nonce_len, c->nonce_len);
	*trouble_out = NULL;
	if (c->state != SCRAM_FIRST)
		*trouble_out = "the server asks when it is not its turn";
	else if (!scram_is_text(password))
		*trouble_out = "the password is empty or has control characters";
	else
		*trouble_out = read_challenge(server_first, nonce, &challenge);
	c->state = SCRAM_IDLE;
	if (*trouble_out)
		return ERROR_INVALID;
	int error = make_keys(c, password, &challenge);
	if (!error)
		error = answer(c, server_first, challenge.nonce, message);
	if (!error)
		c->state = SCRAM_FINAL;
	return error;
}

/* --- the server's proof --- */

static const char *read_proof(const struct scram_client *c, struct span rest)
{
	uint8_t signature[SCRAM_KEY_BYTES];
	struct span value;
	size_t len;
	if (rest.len > SCRAM_MESSAGE_MAX)
		return "the server's SCRAM message is too long";
	if (scram_take(&rest, 'e', &value))
		return "the server does not take the proof";
	if (!scram_take(&rest, 'v', &value))
		return "the server does not prove that it knows the password";
	if (!scram_read_base64(value, (struct room){signature, sizeof(signature)}, &len) ||
	    len != sizeof(signature) || !scram_is_same(signature, c->signature))
		return "the server's proof is wrong: it does not know the password";
	return NULL;
}

int scram_client_check(struct scram_client *c, struct span server_final, const char **trouble_out)
{
	*trouble_out = c->state == SCRAM_FINAL
			       ? read_proof(c, server_final)
			       : "the server takes us without having asked for the password";
	c->state = *trouble_out ? SCRAM_IDLE : SCRAM_DONE;
	return *trouble_out ? ERROR_INVALID : 0;
}

void scram_client_release(struct scram_client *c)
{
	buffer_release(&c->bare);
	explicit_bzero(c, sizeof(*c));
}
