/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Eight bytes of text judged at once, in a general register: nearly all strings on the wire are
 * short ASCII, and with them the careful checks need not run at all.
 *
 * A byte under 0x80 gets its high bit by subtracting 1 only if it is 0, or if the byte below it
 * borrowed, which again takes a 0 there. So one mask tells whether any byte of a word is over 0x7F
 * or 0. `+` is 0x2B and `#` is 0x23: with bit 3 set both are 0x2B, and one comparison finds them.
 */
#ifndef NIGHTJAR_MQTT_SCAN_H
#define NIGHTJAR_MQTT_SCAN_H

#include "base/base.h"

#define SCAN_EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

static inline uint64_t scan_load_u64(const uint8_t *p)
{
	uint64_t word;
	memcpy(&word, p, sizeof(word));
	return word;
}

static inline uint64_t scan_load_u32(const uint8_t *p)
{
	uint32_t word;
	memcpy(&word, p, sizeof(word));
	return word;
}

/* Non-zero when a byte is 0 or over 0x7F. */
static inline uint64_t scan_word_text(uint64_t word)
{
	return (word | (word - SCAN_EACH(1))) & SCAN_EACH(0x80);
}

/* Non-zero when a byte is 0, over 0x7F, `+` or `#`. */
static inline uint64_t scan_word_topic(uint64_t word)
{
	uint64_t wildcard = (word | SCAN_EACH(8)) ^ SCAN_EACH('+');
	return (word | (word - SCAN_EACH(1)) | (wildcard - SCAN_EACH(1))) & SCAN_EACH(0x80);
}

/* The up to eight bytes of a short text in one word, filled up with `A`. */
static inline uint64_t scan_load_short(const uint8_t *p, size_t len)
{
	if (len >= 4)
		return scan_load_u32(p) | scan_load_u32(p + len - 4) << 32;
	uint64_t word = SCAN_EACH('A');
	memcpy(&word, p, len);
	return word;
}

/* True: all bytes are 1 to 0x7F. */
static inline bool scan_is_ascii(struct span text)
{
	const uint8_t *p = text.ptr;
	size_t len = text.len;
	if (len < 8)
		return len == 0 || scan_word_text(scan_load_short(p, len)) == 0;
	uint64_t found = scan_word_text(scan_load_u64(p + len - 8));
	for (size_t i = 0; i + 8 < len; i += 8)
		found |= scan_word_text(scan_load_u64(p + i));
	return found == 0;
}

/* True: as scan_is_ascii, and no `+` and no `#`. */
static inline bool scan_is_ascii_topic(struct span topic)
{
	const uint8_t *p = topic.ptr;
	size_t len = topic.len;
	if (len < 8)
		return len == 0 || scan_word_topic(scan_load_short(p, len)) == 0;
	uint64_t found = scan_word_topic(scan_load_u64(p + len - 8));
	for (size_t i = 0; i + 8 < len; i += 8)
		found |= scan_word_topic(scan_load_u64(p + i));
	return found == 0;
}

#endif
