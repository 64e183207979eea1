/* SPDX-License-Identifier: Apache-2.0 */
/* The checks of text against the definition: bytes to code points by arithmetic, then what [5]
 * 1.5.4 says about code points. */
#include "fuzz.h"
#include "mqtt/scan.h"
#include "mqtt/wire.h"

/* Bytes that the first byte announces; 0 when it announces nothing. */
static size_t announced(uint8_t first)
{
	size_t ones = 0;
	while (ones < 8 && first & 0x80 >> ones)
		ones++;
	return ones == 0 ? 1 : ones >= 2 && ones <= 4 ? ones : 0;
}

/* The smallest code point that needs so many bytes. */
static uint32_t smallest(size_t len)
{
	return len == 1 ? 0 : len == 2 ? 0x80 : len == 3 ? 0x800 : 0x10000;
}

static bool is_character(const uint8_t *p, size_t len)
{
	uint32_t c = len == 1 ? p[0] : p[0] & (0x7Fu >> len);
	for (size_t i = 1; i < len; i++) {
		if (p[i] >> 6 != 2)
			return false;
		c = c << 6 | (p[i] & 0x3F);
	}
	bool is_surrogate = c >= 0xD800 && c <= 0xDFFF;
	return c >= smallest(len) && c <= 0x10FFFF && c != 0 && !is_surrogate;
}

static bool is_valid(const uint8_t *p, size_t left)
{
	while (left > 0) {
		size_t len = announced(p[0]);
		if (len == 0 || len > left || !is_character(p, len))
			return false;
		p += len;
		left -= len;
	}
	return true;
}

static void check_scan(const uint8_t *p, size_t len)
{
	bool is_ascii = true, has_wildcard = false;
	for (size_t i = 0; i < len; i++) {
		is_ascii &= p[i] > 0 && p[i] < 0x80;
		has_wildcard |= p[i] == '+' || p[i] == '#';
	}
	CHECK(scan_is_ascii(span_of(p, len)) == is_ascii);
	CHECK(scan_is_ascii_topic(span_of(p, len)) == (is_ascii && !has_wildcard));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t *copy = fuzz_copy(data, len);
	CHECK(utf8_is_valid(span_of(copy, len)) == is_valid(copy, len));
	check_scan(copy, len);
	free(copy);
	return 0;
}
