/* SPDX-License-Identifier: Apache-2.0 */
#include "access/text.h"

static bool is_blank(uint8_t byte)
{
	return byte == ' ' || byte == '\t';
}

struct span text_trimmed(struct span text)
{
	while (text.len > 0 && is_blank(text.ptr[0]))
		text = span_of(text.ptr + 1, text.len - 1);
	while (text.len > 0 && is_blank(text.ptr[text.len - 1]))
		text.len--;
	return text;
}

struct span text_line_take(struct span *text)
{
	const uint8_t *end = memchr(text->ptr, '\n', text->len);
	struct span line = span_of(text->ptr, end ? (size_t)(end - text->ptr) : text->len);
	size_t taken = line.len + (end ? 1 : 0);
	*text = span_of(text->ptr + taken, text->len - taken);
	while (line.len > 0 && (is_blank(line.ptr[line.len - 1]) || line.ptr[line.len - 1] == '\r'))
		line.len--;
	return line;
}

struct span text_word_take(struct span *text)
{
	struct span rest = text_trimmed(*text);
	size_t len = 0;
	while (len < rest.len && !is_blank(rest.ptr[len]))
		len++;
	*text = text_trimmed(span_of(rest.ptr + len, rest.len - len));
	return span_of(rest.ptr, len);
}
