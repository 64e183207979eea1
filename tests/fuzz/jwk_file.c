/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file of keys: a JWK Set, PEM or a secret (first byte). It is refused with printable lines, or
 * each of its keys is of one kind and has what that needs.
 */
#include "access/jws.h"
#include "base/mem.h"
#include "fuzz.h"

static void check_lines(struct span lines)
{
	for (size_t i = 0; i < lines.len; i++)
		CHECK(lines.ptr[i] == '\n' || (lines.ptr[i] >= 0x20 && lines.ptr[i] != 0x7F));
	CHECK(lines.len == 0 || lines.ptr[lines.len - 1] == '\n');
}

static void check_key(const struct jwk *key)
{
	static const uint8_t zeros[132];
	static const char *const names[] = {"HS256", "RS256", "PS512", "ES256",
					    "ES384", "ES512", "EdDSA"};
	CHECK(!key->key == (key->kind == JWK_SECRET));
	CHECK(!key->secret == (key->kind != JWK_SECRET));
	CHECK(!key->secret || key->secret_len >= JWK_SECRET_BYTES_MIN);
	CHECK(!key->algorithm || jws_algorithm_fits(key->algorithm, key));
	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		const struct jws_algorithm *a = jws_algorithm_of(names[i]);
		if (jws_algorithm_fits(a, key))
			CHECK(!jws_verify(a, key, SPAN_LITERAL("a.b"),
					  span_of(zeros, key->kind == JWK_P521 ? 132 : 64)));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static void (*const ways[])(struct jwk_set *, struct span, struct access_report *) = {
		jwk_add_json, jwk_add_pem, jwk_add_secret};
	struct access_report report = {.file = "f"};
	static struct jwk_set set;
	if (len == 0)
		return 0;
	uint8_t *copy = fuzz_copy(data + 1, len - 1);
	ways[data[0] % ARRAY_COUNT(ways)](&set, span_of(copy, len - 1), &report);
	CHECK(report.error_count > 0 || report.is_out_of_memory || set.count > 0);
	for (unsigned i = 0; i < set.count; i++)
		check_key(&set.list[i]);
	check_lines(buffer_content(&report.errors));
	check_lines(buffer_content(&report.notices));
	jwk_set_release(&set);
	access_report_release(&report);
	free(copy);
	return 0;
}
