/* SPDX-License-Identifier: Apache-2.0 */
/* Mistakes and notices as lines of text. What stood in a file is shown harmless. */
#include "config/reading.h"

#include <stdarg.h>
#include <stdio.h>

#include "trace/line_text.h"

/* A sentence with a value in it; longer ones end early. */
#define MESSAGE_BYTES_MAX 1024

void config_report_release(struct config_report *r)
{
	buffer_release(&r->errors);
	buffer_release(&r->notices);
	*r = (struct config_report){0};
}

static void add_line(struct config_report *report, struct buffer *lines, const struct line_text *t)
{
	if (buffer_append(lines, span_of(t->text, t->len)) ||
	    buffer_append(lines, SPAN_LITERAL("\n")))
		report->is_out_of_memory = true;
}

static void add_error(struct config_report *report, const struct line_text *t)
{
	report->error_count++;
	if (report->error_count <= CONFIG_ERRORS_MAX)
		add_line(report, &report->errors, t);
}

/* "nightjar.conf:12: max_qos: " */
static void write_place(struct line_text *t, const struct reading *r)
{
	if (r->file) {
		line_foreign(t, span_of_text(r->file));
		if (r->line > 0)
			line_words(t, ":%u", r->line);
		line_sentence(t, ": ");
	}
	if (r->name.len > 0) {
		line_foreign(t, r->name);
		line_sentence(t, ": ");
	}
}

static void write_format(struct line_text *t, const char *format, va_list arguments)
{
	char words[MESSAGE_BYTES_MAX];
	int len = vsnprintf(words, sizeof(words), format, arguments);
	ASSERT(len >= 0);
	line_foreign(t, span_of_text(words)); /* there may be names of files among them */
}

int reading_refuse(const struct reading *r, const char *format, ...)
{
	char text[MESSAGE_BYTES_MAX];
	struct line_text t;
	line_text_init(&t, text, sizeof(text), LOG_TYPES_ALL);
	line_begin(&t, LOG_TYPE_ERROR);
	write_place(&t, r);
	va_list arguments;
	va_start(arguments, format);
	write_format(&t, format, arguments);
	va_end(arguments);
	add_error(r->report, &t);
	return ERROR_INVALID;
}

/* As much of a value as one needs to recognise it. */
static void write_value(struct line_text *t, struct span value)
{
	const size_t shown_max = 100;
	line_sentence(t, "'");
	line_foreign(t, span_of(value.ptr, value.len < shown_max ? value.len : shown_max));
	line_sentence(t, value.len > shown_max ? "...' " : "' ");
}

int reading_refuse_value(const struct reading *r, const char *format, ...)
{
	char text[MESSAGE_BYTES_MAX];
	struct line_text t;
	line_text_init(&t, text, sizeof(text), LOG_TYPES_ALL);
	line_begin(&t, LOG_TYPE_ERROR);
	write_place(&t, r);
	write_value(&t, r->value);
	va_list arguments;
	va_start(arguments, format);
	write_format(&t, format, arguments);
	va_end(arguments);
	if (r->value.len > 0 && memchr(r->value.ptr, '#', r->value.len))
		line_sentence(&t, " (a comment needs a line of its own)");
	add_error(r->report, &t);
	return ERROR_INVALID;
}

void reading_notice(const struct reading *r, const char *format, ...)
{
	char text[MESSAGE_BYTES_MAX];
	struct line_text t;
	line_text_init(&t, text, sizeof(text), LOG_TYPES_ALL);
	line_begin(&t, LOG_TYPE_NOTICE);
	write_place(&t, r);
	va_list arguments;
	va_start(arguments, format);
	write_format(&t, format, arguments);
	va_end(arguments);
	add_line(r->report, &r->report->notices, &t);
}

void report_notice(struct config_report *report, const char *format, ...)
{
	char text[MESSAGE_BYTES_MAX];
	struct line_text t;
	line_text_init(&t, text, sizeof(text), LOG_TYPES_ALL);
	line_begin(&t, LOG_TYPE_NOTICE);
	va_list arguments;
	va_start(arguments, format);
	write_format(&t, format, arguments);
	va_end(arguments);
	add_line(report, &report->notices, &t);
}

void report_count_rest(struct config_report *report)
{
	char text[64];
	struct line_text t;
	if (report->error_count <= CONFIG_ERRORS_MAX)
		return;
	line_text_init(&t, text, sizeof(text), LOG_TYPES_ALL);
	line_begin(&t, LOG_TYPE_ERROR);
	line_words(&t, "and %u more", report->error_count - CONFIG_ERRORS_MAX);
	add_line(report, &report->errors, &t);
}
