/* SPDX-License-Identifier: Apache-2.0 */
/* Which byte sequences are text ([5] 1.5.4; RFC 3629 section 4). */
#include "mqtt/scan.h"
#include "mqtt/wire.h"

/* Well-formed sequences over U+007F: by leaving out C0, C1, F5 and above and by narrowing the
 * second byte, over-long forms, surrogates and values over U+10FFFF are not in it. */
static const struct sequence {
	uint8_t first_min, first_max, second_min, second_max, len;
} sequences[] = {
	{0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3}, {0xE1, 0xEC, 0x80, 0xBF, 3},
	{0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3}, {0xF0, 0xF0, 0x90, 0xBF, 4},
	{0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4},
};

static bool is_continuation(uint8_t byte)
{
	return (byte & 0xC0) == 0x80;
}

static const struct sequence *sequence_of(uint8_t first)
{
	for (size_t i = 0; i < ARRAY_COUNT(sequences); i++)
		if (first <= sequences[i].first_max)
			return first >= sequences[i].first_min ? &sequences[i] : NULL;
	return NULL;
}

/* Bytes of the character at the start, 0 when it is not well-formed. */
static size_t character_len(const uint8_t *p, size_t left)
{
	if (p[0] < 0x80)
		return p[0] != 0; /* [MQTT-1.5.4-2] */
	const struct sequence *s = sequence_of(p[0]);
	if (!s || left < s->len || p[1] < s->second_min || p[1] > s->second_max)
		return 0;
	for (size_t i = 2; i < s->len; i++)
		if (!is_continuation(p[i]))
			return 0;
	return s->len;
}

/* [MQTT-1.5.4-1]; EF BB BF is a character like others [MQTT-1.5.4-3] */
bool utf8_is_valid(struct span text)
{
	if (LIKELY(scan_is_ascii(text)))
		return true;
	const uint8_t *p = text.ptr, *end = text.ptr + text.len;
	while (p < end) {
		if (end - p >= 8 && scan_word_text(scan_load_u64(p)) == 0) {
			p += 8;
			continue;
		}
		size_t len = character_len(p, (size_t)(end - p));
		if (len == 0)
			return false;
		p += len;
	}
	return true;
}
