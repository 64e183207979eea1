/* SPDX-License-Identifier: Apache-2.0 */
#include "access/report.h"

#include <stdarg.h>
#include <stdio.h>

#define LINE_MAX_BYTES 1024

void access_report_release(struct access_report *r)
{
	buffer_release(&r->errors);
	buffer_release(&r->notices);
	*r = (struct access_report){0};
}

static void add(struct access_report *r, struct buffer *lines, unsigned line, const char *format,
		va_list arguments)
{
	char text[LINE_MAX_BYTES], sentence[LINE_MAX_BYTES];
	vsnprintf(sentence, sizeof(sentence), format, arguments);
	if (line > 0)
		snprintf(text, sizeof(text), "%.400s:%u: %.500s\n", r->file, line, sentence);
	else
		snprintf(text, sizeof(text), "%.400s: %.500s\n", r->file, sentence);
	if (buffer_append(lines, span_of_text(text)))
		r->is_out_of_memory = true;
}

void access_refuse(struct access_report *r, unsigned line, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	if (r->error_count++ < ACCESS_ERRORS_MAX)
		add(r, &r->errors, line, format, arguments);
	va_end(arguments);
}

void access_notice(struct access_report *r, unsigned line, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	if (r->notice_count++ < ACCESS_ERRORS_MAX)
		add(r, &r->notices, line, format, arguments);
	va_end(arguments);
}

const char *access_show(struct span text, char shown[ACCESS_SHOWN_MAX])
{
	size_t len = text.len < ACCESS_SHOWN_MAX ? text.len : ACCESS_SHOWN_MAX - 1;
	for (size_t i = 0; i < len; i++)
		shown[i] = (char)(text.ptr[i] < 0x20 || text.ptr[i] == 0x7F ? '?' : text.ptr[i]);
	shown[len] = '\0';
	if (text.len > len)
		memcpy(shown + len - 3, "...", 3);
	return shown;
}
