/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file of options, line by line. What is not a configuration (a device, an archive, a page of
 * another encoding) is refused with one sentence instead of a thousand.
 */
#include "config/reading.h"

#include "mqtt/wire.h"

static unsigned line_of(struct span text, const uint8_t *place)
{
	unsigned line = 1;
	for (const uint8_t *p = text.ptr; p < place; p++)
		line += *p == '\n';
	return line;
}

/* Is it text at all? */
static int check_text(struct reading *r, struct span text)
{
	const uint8_t *nul = text.len > 0 ? memchr(text.ptr, '\0', text.len) : NULL;
	bool is_utf16 =
		text.len >= 2 && (load_u16(text.ptr) == 0xFEFF || load_u16(text.ptr) == 0xFFFE);
	if (is_utf16)
		return reading_refuse(r, "is written in UTF-16: save it as UTF-8");
	if (!nul)
		return 0;
	r->line = line_of(text, nul);
	return reading_refuse(r, "holds a NUL byte: this is no configuration");
}

static bool has_control(struct span line)
{
	for (size_t i = 0; i < line.len; i++) {
		if ((line.ptr[i] < 0x20 && line.ptr[i] != '\t') || line.ptr[i] == 0x7F)
			return true;
	}
	return false;
}

static int read_line(struct reading *r, struct span line)
{
	r->name = SPAN_NONE;
	r->value = SPAN_NONE;
	if (line.len > 0 && line.ptr[line.len - 1] == '\r')
		line.len--;
	if (line.len > CONFIG_LINE_BYTES_MAX)
		return reading_refuse(r, "the line is longer than %d bytes", CONFIG_LINE_BYTES_MAX);
	line = text_trim(line);
	if (line.len == 0 || line.ptr[0] == '#')
		return 0;
	if (!utf8_is_valid(line))
		return reading_refuse(r, "the line is not UTF-8");
	if (has_control(line))
		return reading_refuse(r, "the line holds a control character");
	r->name = word_take(&line);
	r->value = line;
	return reading_apply(r);
}

static struct span without_byte_order_mark(struct span text)
{
	if (text.len >= 3 && memcmp(text.ptr, "\xEF\xBB\xBF", 3) == 0)
		return span_of(text.ptr + 3, text.len - 3);
	return text;
}

/* The next line, without its end. */
static struct span line_take(struct span *text)
{
	const uint8_t *end = memchr(text->ptr, '\n', text->len);
	size_t len = end ? (size_t)(end - text->ptr) : text->len;
	struct span line = span_of(text->ptr, len);
	size_t taken = len + (end ? 1 : 0);
	*text = span_of(text->ptr + taken, text->len - taken);
	return line;
}

int file_read_lines(struct reading *r, struct span text)
{
	int rc = check_text(r, text);
	if (rc)
		return rc;
	text = without_byte_order_mark(text);
	while (text.len > 0) {
		r->line++;
		int line_rc = read_line(r, line_take(&text));
		if (line_rc == ERROR_NO_MEMORY)
			return line_rc;
		rc = line_rc ? line_rc : rc;
	}
	return rc;
}

int config_load_text(struct config *c, const char *name, struct span text,
		     struct config_report *report)
{
	struct reading r = {.config = c, .report = report, .file = name};
	int rc = file_enter(&r, (struct config_file_id){0});
	if (rc == 0)
		rc = file_read_lines(&r, text);
	return report->is_out_of_memory ? ERROR_NO_MEMORY : rc;
}
