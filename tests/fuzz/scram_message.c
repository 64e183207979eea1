/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A message of SCRAM-SHA-256, as each of the four: a name and a nonce for our first one, a peer's
 * first, a server's challenge and proof, a client's answer. A name that the client takes comes out of
 * the server as it was; nobody is taken by a proof that is not the real one; whatever is refused
 * says why.
 */
#include "access/scram.h"
#include "fuzz.h"
#include "mqtt/wire.h"

#define NONCE "rOprNGfwEbeRWgbNEkqO"
#define SALT "0123456789abcdef"

/* Its hash is made once: that takes the time of 4096 hashes. */
static const struct scram_verifier *verifier(void)
{
	static struct scram_verifier v;
	if (v.iterations == 0)
		CHECK(scram_verifier_make(SPAN_LITERAL("pencil"), SPAN_LITERAL(SALT),
					  SCRAM_ITERATIONS_MIN, &v) == 0);
	return &v;
}

static void as_name(struct span name)
{
	struct scram_client c = {0};
	struct scram_server s = {0};
	struct buffer first = {0};
	struct span user;
	const char *trouble;
	if (utf8_is_valid(name) && scram_client_first(&c, name, SPAN_LITERAL(NONCE), &first) == 0) {
		CHECK(scram_server_begin(&s, buffer_content(&first), &user, &trouble) == 0);
		CHECK(span_is_equal(user, name));
	}
	buffer_release(&first);
	scram_client_release(&c);
	scram_server_release(&s);
}

static void as_first(struct span message)
{
	struct scram_server s = {0};
	struct buffer challenge = {0}, proof = {0};
	struct span user;
	const char *trouble;
	int error = scram_server_begin(&s, message, &user, &trouble);
	CHECK((error == 0) == (trouble == NULL));
	if (error == 0) {
		CHECK(user.len > 0 && user.len <= SCRAM_NAME_MAX && utf8_is_valid(user));
		CHECK(scram_server_first(&s, verifier(), SPAN_LITERAL("x"), &challenge) == 0);
		CHECK(scram_server_final(&s, verifier(), message, &proof, &trouble) != 0);
	}
	buffer_release(&challenge);
	buffer_release(&proof);
	scram_server_release(&s);
}

/* More iterations than the least would only take time. */
static bool asks_for_much(struct span message)
{
	for (size_t i = 0; i + 6 < message.len; i++)
		if (message.ptr[i] == 'i' && message.ptr[i + 1] == '=' &&
		    message.ptr[i + 6] >= '0' && message.ptr[i + 6] <= '9')
			return true;
	return false;
}

static void as_challenge(struct span message)
{
	static struct scram_client c; /* keeps the keys of the last salt */
	struct buffer out = {0};
	const char *trouble;
	if (asks_for_much(message))
		return;
	CHECK(scram_client_first(&c, SPAN_LITERAL("user"), SPAN_LITERAL(NONCE), &out) == 0);
	buffer_release(&out);
	int error = scram_client_final(&c, SPAN_LITERAL("pencil"), message, &out, &trouble);
	CHECK((error == 0) == (trouble == NULL));
	CHECK((error == 0) == (buffer_len(&out) > 0));
	if (error == 0) {
		CHECK(scram_client_check(&c, message, &trouble) != 0 && trouble);
		CHECK(!scram_client_is_done(&c));
	}
	buffer_release(&out);
}

/* With the real answer in it, it is taken; changed in any way, it is not. */
static void as_answer(struct span message)
{
	static struct scram_client c;
	struct scram_server s = {0};
	struct buffer first = {0}, challenge = {0}, answer = {0}, proof = {0};
	struct span user;
	const char *trouble;
	CHECK(scram_client_first(&c, SPAN_LITERAL("user"), SPAN_LITERAL(NONCE), &first) == 0);
	CHECK(scram_server_begin(&s, buffer_content(&first), &user, &trouble) == 0);
	CHECK(scram_server_first(&s, verifier(), SPAN_LITERAL("server"), &challenge) == 0);
	CHECK(scram_client_final(&c, SPAN_LITERAL("pencil"), buffer_content(&challenge), &answer,
				 &trouble) == 0);
	bool is_real = span_is_equal(message, buffer_content(&answer));
	int error = scram_server_final(&s, verifier(), message, &proof, &trouble);
	CHECK(error != 0 || is_real);
	CHECK(!is_real || error == 0);
	CHECK(scram_client_check(&c, message, &trouble) != 0);
	buffer_release(&first);
	buffer_release(&challenge);
	buffer_release(&answer);
	buffer_release(&proof);
	scram_server_release(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static void (*const ways[])(struct span) = {as_name, as_first, as_challenge, as_answer};
	if (len == 0)
		return 0;
	uint8_t *copy = fuzz_copy(data + 1, len - 1);
	ways[data[0] % ARRAY_COUNT(ways)](span_of(copy, len - 1));
	free(copy);
	return 0;
}
