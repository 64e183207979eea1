/* SPDX-License-Identifier: Apache-2.0 */
#include "io/sha1.h"

#define BLOCK 64

static uint32_t rotate(uint32_t value, unsigned bits)
{
	return value << bits | value >> (32 - bits);
}

/* f and K of RFC 3174, 5. */
static uint32_t mix(unsigned t, uint32_t b, uint32_t c, uint32_t d)
{
	if (t < 20)
		return ((b & c) | (~b & d)) + 0x5A827999u;
	if (t < 40)
		return (b ^ c ^ d) + 0x6ED9EBA1u;
	if (t < 60)
		return ((b & c) | (b & d) | (c & d)) + 0x8F1BBCDCu;
	return (b ^ c ^ d) + 0xCA62C1D6u;
}

static void take_block(uint32_t h[5], const uint8_t *block)
{
	uint32_t w[80], v[5];
	for (unsigned t = 0; t < 16; t++)
		w[t] = load_u32(block + t * 4);
	for (unsigned t = 16; t < 80; t++)
		w[t] = rotate(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
	memcpy(v, h, sizeof(v));
	for (unsigned t = 0; t < 80; t++) {
		uint32_t next = rotate(v[0], 5) + mix(t, v[1], v[2], v[3]) + v[4] + w[t];
		v[4] = v[3];
		v[3] = v[2];
		v[2] = rotate(v[1], 30);
		v[1] = v[0];
		v[0] = next;
	}
	for (unsigned i = 0; i < 5; i++)
		h[i] += v[i];
}

void sha1(struct span text, uint8_t digest[SHA1_BYTES])
{
	uint32_t h[5] = {0x67452301u, 0xEFCDAB89u, 0x98BADCFEu, 0x10325476u, 0xC3D2E1F0u};
	uint8_t padded[SHA1_INPUT_MAX + BLOCK + 8] = {0};
	ASSERT(text.len <= SHA1_INPUT_MAX);
	size_t len = (text.len + 1 + 8 + BLOCK - 1) / BLOCK * BLOCK;
	memcpy(padded, text.ptr, text.len);
	padded[text.len] = 0x80;
	store_u32(padded + len - 4, (uint32_t)text.len * 8);
	for (size_t at = 0; at < len; at += BLOCK)
		take_block(h, padded + at);
	for (unsigned i = 0; i < 5; i++)
		store_u32(digest + i * 4, h[i]);
}
