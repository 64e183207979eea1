/* SPDX-License-Identifier: Apache-2.0 */
/* The header of the PROXY protocol: whole or in part, the same header, and texts that are texts. */
#include "io/proxy_header.h"
#include "fuzz.h"
#include "mqtt/wire.h"

static void check_texts(const struct proxy_header *h)
{
	size_t address_len = strnlen(h->address, sizeof(h->address));
	CHECK(address_len < sizeof(h->address));
	CHECK(strnlen(h->name, sizeof(h->name)) < sizeof(h->name));
	for (size_t i = 0; i < address_len; i++)
		CHECK(strchr("0123456789abcdef.:[]", h->address[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct proxy_header whole, part;
	const char *reason = NULL;
	uint8_t *copy = fuzz_copy(data, len);
	long used = proxy_header_decode(span_of(copy, len), &whole, &reason);
	free(copy);
	CHECK(used == 0 || used == ERROR_INVALID || (used > 0 && (size_t)used <= len));
	CHECK(used != ERROR_INVALID || reason);
	CHECK(used != 0 || len < PROXY_HEADER_BYTES); /* or it would wait for ever */
	if (used <= 0)
		return 0;
	check_texts(&whole);
	/* what is behind it says nothing, and before its end it is not there */
	for (long at = 0; at <= used; at++) {
		copy = fuzz_copy(data, (size_t)at);
		long n = proxy_header_decode(span_of(copy, (size_t)at), &part, &reason);
		free(copy);
		CHECK(n == (at < used ? 0 : used));
	}
	CHECK(strcmp(part.address, whole.address) == 0 && strcmp(part.name, whole.name) == 0);
	return 0;
}
