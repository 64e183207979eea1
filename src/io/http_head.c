/* SPDX-License-Identifier: Apache-2.0 */
#include "io/http_head.h"

size_t http_head_len(struct span bytes)
{
	const uint8_t *end = bytes.len ? memmem(bytes.ptr, bytes.len, "\r\n\r\n", 4) : NULL;
	return end ? (size_t)(end - bytes.ptr) + 4 : 0;
}

static uint8_t lower(uint8_t letter)
{
	return letter >= 'A' && letter <= 'Z' ? letter | 0x20 : letter;
}

bool http_text_is(struct span text, const char *word)
{
	if (text.len != strlen(word))
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (lower(text.ptr[i]) != lower((uint8_t)word[i]))
			return false;
	return true;
}

static struct span trim(struct span text)
{
	while (text.len > 0 && (text.ptr[0] == ' ' || text.ptr[0] == '\t'))
		text = span_of(text.ptr + 1, text.len - 1);
	while (text.len > 0 && (text.ptr[text.len - 1] == ' ' || text.ptr[text.len - 1] == '\t'))
		text.len--;
	return text;
}

/* Without its CR LF, which the caller knows to be there. */
static struct span line_take(struct span *rest)
{
	const uint8_t *end = memmem(rest->ptr, rest->len, "\r\n", 2);
	size_t len = end ? (size_t)(end - rest->ptr) : rest->len;
	struct span line = span_of(rest->ptr, len);
	size_t taken = end ? len + 2 : len;
	*rest = span_of(rest->ptr + taken, rest->len - taken);
	return line;
}

/* RFC 9110, 5.6.2 */
static bool is_token_letter(uint8_t letter)
{
	uint8_t low = lower(letter);
	return (low >= 'a' && low <= 'z') || (letter >= '0' && letter <= '9') ||
	       (letter && strchr("!#$%&'*+-.^_`|~", letter));
}

static const char *check_field(struct span line)
{
	size_t len = 0;
	while (len < line.len && is_token_letter(line.ptr[len]))
		len++;
	if (len == 0 || len == line.len || line.ptr[len] != ':')
		return "a header is not of the form Name: value";
	for (size_t i = len; i < line.len; i++)
		if ((line.ptr[i] < 0x20 && line.ptr[i] != '\t') || line.ptr[i] == 0x7F)
			return "a header holds a control character";
	return NULL;
}

/* Two words without blanks, and the rest, which may have some or be missing. */
static bool split_first(struct span line, struct span words[3])
{
	for (int i = 0; i < 2; i++) {
		const uint8_t *blank = line.len ? memchr(line.ptr, ' ', line.len) : NULL;
		size_t len = blank ? (size_t)(blank - line.ptr) : line.len;
		words[i] = span_of(line.ptr, len);
		if (len == 0 || (!blank && i == 0))
			return false;
		size_t taken = blank ? len + 1 : len;
		line = span_of(line.ptr + taken, line.len - taken);
	}
	words[2] = line;
	return true;
}

static bool has_control(struct span line)
{
	for (size_t i = 0; i < line.len; i++)
		if (line.ptr[i] < 0x20 || line.ptr[i] == 0x7F)
			return true;
	return false;
}

const char *http_head_parse(struct span bytes, struct http_head *out)
{
	struct span rest = span_of(bytes.ptr, bytes.len - 2); /* without the empty line */
	struct span line = line_take(&rest);
	if (has_control(line) || !split_first(line, out->first))
		return "the first line is not one of HTTP";
	out->fields = rest;
	while (rest.len > 0) {
		const char *flaw = check_field(line_take(&rest));
		if (flaw)
			return flaw;
	}
	return NULL;
}

bool http_field_next(const struct http_head *h, const char *name, size_t *at,
		     struct span *value_out)
{
	size_t name_len = strlen(name);
	while (*at < h->fields.len) {
		struct span rest = span_of(h->fields.ptr + *at, h->fields.len - *at);
		struct span line = line_take(&rest);
		*at = h->fields.len - rest.len;
		if (line.len <= name_len || line.ptr[name_len] != ':' ||
		    !http_text_is(span_of(line.ptr, name_len), name))
			continue;
		*value_out = trim(span_of(line.ptr + name_len + 1, line.len - name_len - 1));
		return true;
	}
	return false;
}

struct span http_field(const struct http_head *h, const char *name)
{
	struct span value = SPAN_NONE;
	size_t at = 0;
	(void)http_field_next(h, name, &at, &value);
	return value;
}

bool http_list_take(struct span *list, struct span *element_out)
{
	while (list->len > 0) {
		const uint8_t *comma = memchr(list->ptr, ',', list->len);
		size_t len = comma ? (size_t)(comma - list->ptr) : list->len;
		*element_out = trim(span_of(list->ptr, len));
		size_t taken = comma ? len + 1 : len;
		*list = span_of(list->ptr + taken, list->len - taken);
		if (element_out->len > 0)
			return true;
	}
	return false;
}

bool http_list_has(const struct http_head *h, const char *name, const char *word)
{
	struct span list, element;
	size_t at = 0;
	while (http_field_next(h, name, &at, &list))
		while (http_list_take(&list, &element))
			if (http_text_is(element, word))
				return true;
	return false;
}
