/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A record is a time and the text of an event, which may have several lines. Stamps are put before
 * the lines when records are written, under the mutex: so one stamp is made per second for all.
 */
#include "daemon/log.h"

#include "base/mem.h"
#include "config/config.h"
#include "daemon/clock.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

struct record {
	uint64_t time_ms;
	uint32_t len;
};

/* Handed over before the turn's end when there is so much: keeps the memory bounded. */
#define RECORDS_BYTES_MAX 65536

static void release_options(struct log_options *o)
{
	mem_free((char *)(uintptr_t)o->file);
	mem_free((char *)(uintptr_t)o->time_format);
	*o = (struct log_options){0};
}

static int copy_text(const char *from, const char **to)
{
	*to = from ? mem_copy_text(span_of_text(from)) : NULL;
	return from && !*to ? ERROR_NO_MEMORY : 0;
}

static int copy_options(struct log_options *to, const struct log_options *from)
{
	*to = *from;
	to->time_format = NULL;
	int error = copy_text(from->file, &to->file);
	if (error == 0)
		error = copy_text(from->time_format, &to->time_format);
	if (error != 0)
		release_options(to);
	return error;
}

static int open_file(struct logger *l, char reason[LOG_REASON_MAX])
{
	if (log_sink_open_file(&l->sinks[l->sink_count], l->options.file) != 0) {
		snprintf(reason, LOG_REASON_MAX, "cannot open the log file '%s': %s",
			 l->options.file, strerror(errno));
		return ERROR_SYSTEM;
	}
	l->sink_count++;
	return 0;
}

static int open_syslog(struct logger *l, char reason[LOG_REASON_MAX])
{
	int priority = l->options.syslog_facility | LOG_NOTICE;
	if (log_sink_open_syslog(&l->sinks[l->sink_count], LOG_SYSTEM_PATH, priority) != 0) {
		snprintf(reason, LOG_REASON_MAX, "cannot open the system log: %s", strerror(errno));
		return ERROR_SYSTEM;
	}
	l->sink_count++;
	return 0;
}

static int open_sinks(struct logger *l, char reason[LOG_REASON_MAX])
{
	unsigned destinations = l->options.destinations;
	int error = 0;
	if (destinations & LOG_TO_STDERR)
		log_sink_init(&l->sinks[l->sink_count++], STDERR_FILENO);
	if (destinations & LOG_TO_STDOUT)
		log_sink_init(&l->sinks[l->sink_count++], STDOUT_FILENO);
	if (destinations & LOG_TO_FILE)
		error = open_file(l, reason);
	if (error == 0 && destinations & LOG_TO_SYSLOG)
		error = open_syslog(l, reason);
	return error;
}

int log_open(struct logger *l, const struct log_options *options, char reason[LOG_REASON_MAX])
{
	*l = (struct logger){.stamp_s = UINT64_MAX};
	if (copy_options(&l->options, options) != 0) {
		snprintf(reason, LOG_REASON_MAX, "cannot open the log: out of memory");
		return ERROR_NO_MEMORY;
	}
	atomic_init(&l->types, options->types);
	pthread_mutex_init(&l->mutex, NULL);
	int error = open_sinks(l, reason);
	if (error != 0)
		log_close(l);
	return error;
}

void log_close(struct logger *l)
{
	for (unsigned i = 0; i < l->sink_count; i++)
		log_sink_close(&l->sinks[i]);
	buffer_release(&l->text);
	release_options(&l->options);
	pthread_mutex_destroy(&l->mutex);
}

void log_set_types(struct logger *l, unsigned types)
{
	atomic_store(&l->types, types);
}

static bool is_wanted(struct logger *l, unsigned type)
{
	return (atomic_load_explicit(&l->types, memory_order_relaxed) & type) != 0;
}

int log_reopen(struct logger *l)
{
	struct log_sink fresh;
	if (!(l->options.destinations & LOG_TO_FILE))
		return 0;
	int error = log_sink_open_file(&fresh, l->options.file);
	if (error != 0)
		return error;
	pthread_mutex_lock(&l->mutex);
	for (unsigned i = 0; i < l->sink_count; i++) {
		if (!l->sinks[i].is_owned || l->sinks[i].syslog_path)
			continue;
		log_sink_close(&l->sinks[i]);
		l->sinks[i] = fresh;
	}
	pthread_mutex_unlock(&l->mutex);
	return 0;
}

static void make_stamp(struct logger *l, uint64_t second)
{
	if (l->stamp_s == second || !l->options.has_time)
		return;
	char *text = l->stamp;
	size_t room = sizeof(l->stamp) - sizeof(": ");
	time_t time = (time_t)second;
	struct tm local;
	if (l->options.time_format)
		l->stamp_len =
			strftime(text, room, l->options.time_format, localtime_r(&time, &local));
	else
		l->stamp_len = (size_t)snprintf(text, room, "%llu", (unsigned long long)second);
	memcpy(l->stamp + l->stamp_len, ": ", 2);
	l->stamp_len += 2;
	l->stamp_s = second;
}

/* What does not fit into memory is lost like what a destination does not take. */
static void add_line(struct logger *l, struct span line)
{
	size_t len = l->stamp_len + line.len + 1;
	if (buffer_reserve(&l->text, len) != 0) {
		for (unsigned i = 0; i < l->sink_count; i++)
			l->sinks[i].lost_lines++;
		return;
	}
	uint8_t *to = buffer_room(&l->text).ptr;
	memcpy(to, l->stamp, l->stamp_len);
	if (line.len > 0)
		memcpy(to + l->stamp_len, line.ptr, line.len);
	to[len - 1] = '\n';
	buffer_commit(&l->text, len);
}

static void write_to_system_log(struct logger *l, struct span line)
{
	for (unsigned i = 0; i < l->sink_count; i++) {
		if (l->sinks[i].syslog_path)
			log_sink_write(&l->sinks[i], line);
	}
}

/* Each line of a record's text: stamped into the text for files, bare to the system's log. */
static void add_record(struct logger *l, uint64_t time_ms, struct span text)
{
	make_stamp(l, time_ms / 1000);
	while (text.len > 0) {
		const uint8_t *end = memchr(text.ptr, '\n', text.len);
		size_t len = end ? (size_t)(end - text.ptr) : text.len;
		struct span line = span_of(text.ptr, len);
		add_line(l, line);
		write_to_system_log(l, line);
		size_t used = end ? len + 1 : len;
		text = span_of(text.ptr + used, text.len - used);
	}
}

/* The first thing that a destination says when it takes lines again. */
static void confess(struct logger *l, struct log_sink *s)
{
	char text[256];
	int len = snprintf(text, sizeof(text),
			   "%.*s%llu lines of the log were lost, because nobody took them.\n",
			   (int)l->stamp_len, l->stamp, (unsigned long long)s->lost_lines);
	s->lost_lines = 0;
	log_sink_write(s, span_of(text, (size_t)len));
}

static void write_text(struct logger *l)
{
	struct span text = buffer_content(&l->text);
	for (unsigned i = 0; i < l->sink_count; i++) {
		struct log_sink *s = &l->sinks[i];
		if (s->syslog_path)
			continue;
		if (s->lost_lines > 0 && log_sink_is_ready(s))
			confess(l, s);
		log_sink_write(s, text);
	}
	buffer_consume(&l->text, text.len);
}

void log_line(struct logger *l, unsigned type, const char *format, ...)
{
	char text[LOG_LINE_MAX];
	if (!is_wanted(l, type))
		return;
	va_list arguments;
	va_start(arguments, format);
	int len = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (len >= (int)sizeof(text))
		len = sizeof(text) - 1;
	pthread_mutex_lock(&l->mutex);
	add_record(l, clock_wall_ms(), span_of(text, (size_t)len));
	write_text(l);
	pthread_mutex_unlock(&l->mutex);
}

void log_buffer_init(struct log_buffer *b, struct logger *log)
{
	*b = (struct log_buffer){.log = log};
}

void log_buffer_release(struct log_buffer *b)
{
	buffer_release(&b->records);
}

/* A quiet log looks at an event's kind only: most events are packets. */
static bool may_have_line(const struct event *event, unsigned types)
{
	const unsigned verbose =
		(unsigned)LOG_TYPE_DEBUG | LOG_TYPE_SUBSCRIBE | LOG_TYPE_UNSUBSCRIBE;
	return (types & verbose) != 0 || event_is_notice(event);
}

void log_buffer_event(struct log_buffer *b, const struct event *event,
		      const struct event_detail *detail)
{
	unsigned types = atomic_load_explicit(&b->log->types, memory_order_relaxed);
	char text[LOG_LINE_MAX];
	if (!may_have_line(event, types))
		return;
	size_t len = event_lines_of_types(event, detail, types, text, sizeof(text));
	if (len == 0)
		return;
	struct record record = {.time_ms = event->time_ms, .len = (uint32_t)len};
	if (buffer_reserve(&b->records, sizeof(record) + len) != 0) {
		b->lost_lines++;
		return;
	}
	uint8_t *to = buffer_room(&b->records).ptr;
	memcpy(to, &record, sizeof(record));
	memcpy(to + sizeof(record), text, len);
	buffer_commit(&b->records, sizeof(record) + len);
	if (buffer_len(&b->records) >= RECORDS_BYTES_MAX)
		log_buffer_flush(b);
}

static void add_records(struct logger *l, struct buffer *records)
{
	struct record record;
	while (buffer_len(records) > 0) {
		const uint8_t *from = buffer_content(records).ptr;
		memcpy(&record, from, sizeof(record));
		add_record(l, record.time_ms, span_of(from + sizeof(record), record.len));
		buffer_consume(records, sizeof(record) + record.len);
	}
}

void log_buffer_flush(struct log_buffer *b)
{
	if (buffer_len(&b->records) == 0)
		return;
	struct logger *l = b->log;
	pthread_mutex_lock(&l->mutex);
	for (unsigned i = 0; i < l->sink_count; i++)
		l->sinks[i].lost_lines += b->lost_lines;
	b->lost_lines = 0;
	add_records(l, &b->records);
	write_text(l);
	pthread_mutex_unlock(&l->mutex);
}
