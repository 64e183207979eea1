/* SPDX-License-Identifier: Apache-2.0 */
#include "access/scram_part.h"

#include "mqtt/wire.h"

#include <stdio.h>

int scram_verifier_make(struct span password, struct span salt, uint32_t iterations,
			struct scram_verifier *v)
{
	uint8_t client_key[SCRAM_KEY_BYTES];
	if (!scram_is_text(password) || salt.len == 0 || salt.len > SCRAM_SALT_MAX ||
	    iterations < SCRAM_ITERATIONS_MIN || iterations > SCRAM_ITERATIONS_MAX)
		return ERROR_INVALID;
	int error = scram_make_keys(password, salt, iterations, client_key, v->server_key);
	if (!error)
		error = scram_hash(client_key, v->stored_key);
	explicit_bzero(client_key, sizeof(client_key));
	if (error)
		return error;
	v->iterations = iterations;
	v->salt_len = (uint32_t)salt.len;
	memcpy(v->salt, salt.ptr, salt.len);
	return 0;
}

/* --- the client's first message --- */

/* "n,," or "y,," and perhaps a name to act for, which nobody may here but his own. */
static const char *take_header(struct span *rest, struct span *header_out, struct span *acts_out)
{
	struct span whole = *rest;
	if (rest->len < 3 || rest->ptr[1] != ',' || (rest->ptr[0] != 'n' && rest->ptr[0] != 'y'))
		return rest->len > 0 && rest->ptr[0] == 'p'
			       ? "channel binding is not offered here"
			       : "the first message is not one of SCRAM";
	*rest = span_of(rest->ptr + 2, rest->len - 2);
	*acts_out = SPAN_NONE;
	if (rest->ptr[0] == ',')
		*rest = span_of(rest->ptr + 1, rest->len - 1);
	else if (!scram_take(rest, 'a', acts_out) || rest->len == 0)
		return "the first message is not one of SCRAM";
	*header_out = span_of(whole.ptr, whole.len - rest->len);
	return NULL;
}

/* False for an equals sign that escapes nothing. */
static bool unescape(struct span name, uint8_t *out, size_t *len_out)
{
	size_t len = 0;
	for (size_t i = 0; i < name.len; i++) {
		bool is_escape = name.ptr[i] == '=';
		if (is_escape && i + 2 < name.len && memcmp(name.ptr + i, "=2C", 3) == 0)
			out[len++] = ',';
		else if (is_escape && i + 2 < name.len && memcmp(name.ptr + i, "=3D", 3) == 0)
			out[len++] = '=';
		else if (is_escape)
			return false;
		else
			out[len++] = name.ptr[i];
		i += is_escape ? 2 : 0;
	}
	*len_out = len;
	return true;
}

static const char *read_name(struct scram_server *s, struct span escaped, struct span acts_for,
			     int *error_out)
{
	size_t len;
	if (escaped.len > 3 * SCRAM_NAME_MAX)
		return "the name is too long";
	if (acts_for.len > 0 && !span_is_equal(acts_for, escaped))
		return "nobody may act for another here";
	*error_out = buffer_reserve(&s->user, escaped.len);
	if (*error_out)
		return NULL;
	if (!unescape(escaped, buffer_room(&s->user).ptr, &len))
		return "the name is not escaped as SCRAM wants it";
	buffer_commit(&s->user, len);
	struct span name = buffer_content(&s->user);
	return scram_is_text(name) && name.len <= SCRAM_NAME_MAX && utf8_is_valid(name)
		       ? NULL
		       : "the name is empty, too long, no UTF-8, or has control characters";
}

static const char *read_first(struct scram_server *s, struct span rest, int *error_out)
{
	struct span header, acts_for, name, nonce;
	if (rest.len > SCRAM_MESSAGE_MAX)
		return "the SCRAM message is too long";
	const char *trouble = take_header(&rest, &header, &acts_for);
	if (trouble)
		return trouble;
	struct span bare = rest;
	if (scram_take(&rest, 'm', &name))
		return "no extension of SCRAM is known here";
	if (!scram_take(&rest, 'n', &name) || name.len == 0 || !scram_take(&rest, 'r', &nonce) ||
	    !scram_is_nonce(nonce))
		return "the first message is not one of SCRAM";
	s->nonce_len = (uint32_t)nonce.len;
	*error_out = buffer_append(&s->header, header);
	if (!*error_out)
		*error_out = buffer_append(&s->bare, bare);
	/* for the time being: the client's nonce, to which ours is added */
	if (!*error_out)
		*error_out = scram_add_text(&s->first, "r=");
	if (!*error_out)
		*error_out = buffer_append(&s->first, nonce);
	return *error_out ? NULL : read_name(s, name, acts_for, error_out);
}

int scram_server_begin(struct scram_server *s, struct span client_first, struct span *user_out,
		       const char **trouble_out)
{
	int error = 0;
	scram_server_release(s);
	*trouble_out = read_first(s, client_first, &error);
	if (error || *trouble_out)
		return error ? error : ERROR_INVALID;
	*user_out = buffer_content(&s->user);
	s->state = SCRAM_FIRST;
	return 0;
}

/* --- our challenge --- */

int scram_server_first(struct scram_server *s, const struct scram_verifier *v, struct span nonce,
		       struct buffer *message)
{
	char count[16];
	size_t before = buffer_len(&s->first);
	if (s->state != SCRAM_FIRST || !scram_is_nonce(nonce))
		return ERROR_INVALID;
	snprintf(count, sizeof(count), ",i=%u", v->iterations);
	int error = buffer_append(&s->first, nonce);
	if (!error)
		error = scram_add_base64(&s->first, ",s=", span_of(v->salt, v->salt_len));
	if (!error)
		error = scram_add_text(&s->first, count);
	if (!error)
		error = buffer_append(message, buffer_content(&s->first));
	s->nonce_len = (uint32_t)(before - 2 + nonce.len);
	s->state = error ? SCRAM_IDLE : SCRAM_FINAL;
	return error;
}

/* --- the client's answer --- */

/* The proof is the last attribute. */
static bool split_proof(struct span whole, struct span *without_out, struct span *proof_out)
{
	for (size_t i = whole.len; i >= 3; i--) {
		if (memcmp(whole.ptr + i - 3, ",p=", 3) != 0)
			continue;
		*without_out = span_of(whole.ptr, i - 3);
		*proof_out = span_of(whole.ptr + i, whole.len - i);
		return memchr(proof_out->ptr, ',', proof_out->len) == NULL;
	}
	return false;
}

/* The header that came in front of the first message comes back in base 64. */
static bool is_same_header(const struct scram_server *s, struct span value)
{
	struct span header = buffer_content(&s->header);
	uint8_t bytes[3 + 3 * SCRAM_NAME_MAX + 8];
	size_t len;
	return scram_read_base64(value, (struct room){bytes, sizeof(bytes)}, &len) &&
	       span_is_equal(span_of(bytes, len), header);
}

static const char *read_answer(const struct scram_server *s, struct span whole,
			       struct span *without_out, uint8_t proof[SCRAM_KEY_BYTES])
{
	struct span text, rest, header, nonce;
	struct span first = buffer_content(&s->first);
	size_t len;
	if (s->state != SCRAM_FINAL)
		return "this is not the time for it";
	if (whole.len > SCRAM_MESSAGE_MAX + SCRAM_NONCE_TEXT ||
	    !split_proof(whole, without_out, &text))
		return "the last message is not one of SCRAM";
	rest = *without_out;
	if (!scram_take(&rest, 'c', &header) || !scram_take(&rest, 'r', &nonce) ||
	    !scram_read_base64(text, (struct room){proof, SCRAM_KEY_BYTES}, &len) ||
	    len != SCRAM_KEY_BYTES)
		return "the last message is not one of SCRAM";
	if (!is_same_header(s, header))
		return "the header is another than that of the first message";
	if (!span_is_equal(nonce, span_of(first.ptr + 2, s->nonce_len)))
		return "the nonce is not the one of this exchange";
	return NULL;
}

/* H(proof XOR HMAC(stored key, what was said)) is the stored key ([RFC 5802] 3). */
static int judge(const struct scram_verifier *v, struct span auth_message,
		 uint8_t proof[SCRAM_KEY_BYTES])
{
	uint8_t mask[SCRAM_KEY_BYTES], key[SCRAM_KEY_BYTES];
	int error = scram_hmac(v->stored_key, auth_message, mask);
	for (size_t i = 0; i < SCRAM_KEY_BYTES && !error; i++)
		proof[i] ^= mask[i];
	if (!error)
		error = scram_hash(proof, key);
	explicit_bzero(proof, SCRAM_KEY_BYTES);
	if (error)
		return error;
	return scram_is_same(key, v->stored_key) ? 0 : ERROR_NOT_FOUND;
}

int scram_server_final(struct scram_server *s, const struct scram_verifier *v,
		       struct span client_final, struct buffer *message, const char **trouble_out)
{
	uint8_t proof[SCRAM_KEY_BYTES], signature[SCRAM_KEY_BYTES];
	struct span without_proof;
	struct buffer auth_message = {0};
	*trouble_out = read_answer(s, client_final, &without_proof, proof);
	s->state = SCRAM_IDLE;
	if (*trouble_out)
		return ERROR_INVALID;
	int error = scram_auth_message(buffer_content(&s->bare), buffer_content(&s->first),
				       without_proof, &auth_message);
	if (!error)
		error = judge(v, buffer_content(&auth_message), proof);
	if (!error)
		error = scram_hmac(v->server_key, buffer_content(&auth_message), signature);
	if (!error)
		error = scram_add_base64(message, "v=", span_of(signature, sizeof(signature)));
	if (!error)
		s->state = SCRAM_DONE;
	buffer_release(&auth_message);
	return error;
}

void scram_server_release(struct scram_server *s)
{
	buffer_release(&s->bare);
	buffer_release(&s->header);
	buffer_release(&s->user);
	buffer_release(&s->first);
	*s = (struct scram_server){0};
}
