/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/line_text.h"

#include <stdarg.h>
#include <stdio.h>

void line_text_init(struct line_text *t, char *text, size_t room, unsigned types)
{
	*t = (struct line_text){.text = text, .room = room, .types = types, .is_muted = true};
	text[0] = '\0';
}

/* All of it or nothing, so that neither a character nor an escape is cut in two. */
static void append_whole(struct line_text *t, const char *bytes, size_t len)
{
	if (t->is_muted || t->is_full)
		return;
	if (len + t->is_next + (t->mark > 0) >= t->room - t->len) {
		t->is_full = true;
		return;
	}
	if (t->is_next)
		t->text[t->len++] = '\n';
	t->is_next = false;
	if (t->mark > 0)
		t->text[t->len++] = (char)t->mark;
	t->mark = 0;
	memcpy(t->text + t->len, bytes, len);
	t->len += len;
	t->text[t->len] = '\0';
}

void line_begin(struct line_text *t, unsigned type)
{
	t->is_muted = (t->types & type) == 0;
	t->is_next = t->len > 0;
	t->mark = t->has_marks ? LINE_MARK(type) : 0;
}

void line_sentence(struct line_text *t, const char *sentence)
{
	for (; sentence && *sentence; sentence++)
		append_whole(t, sentence, 1);
}

void line_words(struct line_text *t, const char *format, ...)
{
	char words[128];
	va_list arguments;
	va_start(arguments, format);
	int len = vsnprintf(words, sizeof(words), format, arguments);
	va_end(arguments);
	ASSERT(len >= 0 && (size_t)len < sizeof(words));
	line_sentence(t, words);
}

/* Bytes of the UTF-8 character at the start (RFC 3629), its code point; 0 when it is none. */
static size_t character_len(struct span s, uint32_t *code_out)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	uint8_t lead = s.ptr[0];
	size_t len = lead < 0x80 ? 1 : lead < 0xC0 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
	if (len == 0 || len > s.len || lead > 0xF4)
		return 0;
	uint32_t code = len == 1 ? lead : lead & (0xFFu >> (len + 1));
	for (size_t i = 1; i < len; i++) {
		if ((s.ptr[i] & 0xC0) != 0x80)
			return 0;
		code = code << 6 | (s.ptr[i] & 0x3Fu);
	}
	if (code < smallest[len] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
		return 0;
	*code_out = code;
	return len;
}

/* May a line show it as it is? Not: control characters, line and paragraph separators, marks that
 * turn the direction of what follows (Unicode 15, Bidi_Control), the byte order mark. */
static bool is_harmless(uint32_t code)
{
	bool is_control = code < 0x20 || (code >= 0x7F && code < 0xA0);
	bool is_separator = code == 0x2028 || code == 0x2029;
	bool is_direction = code == 0x061C || code == 0x200E || code == 0x200F ||
			    (code >= 0x202A && code <= 0x202E) ||
			    (code >= 0x2066 && code <= 0x2069);
	return !is_control && !is_separator && !is_direction && code != 0xFEFF;
}

static void append_escaped(struct line_text *t, struct span bytes)
{
	static const char digits[] = "0123456789ABCDEF";
	for (size_t i = 0; i < bytes.len; i++) {
		uint8_t byte = bytes.ptr[i];
		const char escape[4] = {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
		append_whole(t, escape, sizeof(escape));
	}
}

void line_foreign(struct line_text *t, struct span bytes)
{
	while (bytes.len > 0 && !t->is_muted && !t->is_full) {
		uint32_t code = 0;
		size_t len = character_len(bytes, &code);
		if (len > 0 && is_harmless(code))
			append_whole(t, (const char *)bytes.ptr, len);
		else
			append_escaped(t, span_of(bytes.ptr, len > 0 ? len : 1));
		len = len > 0 ? len : 1;
		bytes = span_of(bytes.ptr + len, bytes.len - len);
	}
}
