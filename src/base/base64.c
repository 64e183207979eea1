/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base64.h"

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_letters[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void base64_encode(struct span bytes, char *text_out)
{
	char *out = text_out;
	for (size_t i = 0; i < bytes.len; i += 3) {
		size_t left = bytes.len - i;
		uint32_t group = (uint32_t)bytes.ptr[i] << 16;
		if (left > 1)
			group |= (uint32_t)bytes.ptr[i + 1] << 8;
		if (left > 2)
			group |= bytes.ptr[i + 2];
		*out++ = letters[group >> 18];
		*out++ = letters[group >> 12 & 63];
		*out++ = left > 1 ? letters[group >> 6 & 63] : '=';
		*out++ = left > 2 ? letters[group & 63] : '=';
	}
	*out = '\0';
}

static int value_of(const char *alphabet, uint8_t letter)
{
	const char *found = letter ? strchr(alphabet, letter) : NULL;
	return found ? (int)(found - alphabet) : -1;
}

static struct span without_padding(struct span text)
{
	for (int i = 0; i < 2 && text.len % 4 == (size_t)(4 - i) % 4; i++) {
		if (text.len == 0 || text.ptr[text.len - 1] != '=')
			break;
		text.len--;
	}
	return text;
}

static bool decode(const char *alphabet, struct span text, struct room room, size_t *len_out)
{
	uint32_t bits = 0;
	unsigned count = 0; /* of bits that make no byte yet */
	size_t len = 0;
	if (text.len % 4 == 1)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		int value = value_of(alphabet, text.ptr[i]);
		if (value < 0)
			return false;
		bits = bits << 6 | (uint32_t)value;
		count += 6;
		if (count < 8)
			continue;
		count -= 8;
		if (len == room.len)
			return false;
		room.ptr[len++] = (uint8_t)(bits >> count);
		bits &= (1u << count) - 1;
	}
	*len_out = len;
	return bits == 0;
}

bool base64_decode(struct span text, struct room room, size_t *len_out)
{
	return decode(letters, without_padding(text), room, len_out);
}

bool base64url_decode(struct span text, struct room room, size_t *len_out)
{
	return decode(url_letters, text, room, len_out);
}
