/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A record is a time and the text of an event, which may have several lines. They are brought into
 * the forms of their destinations when records are written, under the mutex: so one stamp is made per
 * second for all.
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

/* An event's lines, with marks (event_lines_marked); behind them its client id and address. */
struct record {
	uint64_t time_ms;
	uint32_t len;
	uint16_t client_len, address_len;
	uint8_t kind; /* of the event */
	uint8_t reason_code;
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
		snprintf(reason, LOG_REASON_MAX, "cannot open the log file '%s': %s%s",
			 l->options.file, strerror(errno),
			 errno == EROFS ? ". ReadWritePaths= in a unit of systemd opens its folder "
					  "(docs/SERVICE.md)"
					: "");
		return ERROR_SYSTEM;
	}
	l->sink_count++;
	return 0;
}

static int open_syslog(struct logger *l, char reason[LOG_REASON_MAX])
{
	if (log_sink_open_syslog(&l->sinks[l->sink_count], LOG_SYSTEM_PATH,
				 l->options.syslog_facility) != 0) {
		snprintf(reason, LOG_REASON_MAX, "cannot open the system log: %s", strerror(errno));
		return ERROR_SYSTEM;
	}
	l->sink_count++;
	return 0;
}

static const char *journal_of(const struct log_options *o)
{
	return o->journal ? o->journal : LOG_JOURNAL_PATH;
}

static int open_journal(struct logger *l, char reason[LOG_REASON_MAX])
{
	const char *path = journal_of(&l->options);
	if (log_sink_open_journal(&l->sinks[l->sink_count], path) != 0) {
		snprintf(reason, LOG_REASON_MAX, "cannot open the journal: %s", strerror(errno));
		return ERROR_SYSTEM;
	}
	l->sink_count++;
	return 0;
}

/* A service's standard error goes into the journal anyway: by its own protocol it keeps what the
 * line is about, and how bad it is. */
static void find_journal(struct log_options *o)
{
	if ((o->destinations & LOG_TO_STDERR) && log_sink_is_journal_stream(STDERR_FILENO) &&
	    access(journal_of(o), W_OK) == 0)
		o->destinations = (o->destinations & ~(unsigned)LOG_TO_STDERR) | LOG_TO_JOURNAL;
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
	if (error == 0 && destinations & LOG_TO_JOURNAL)
		error = open_journal(l, reason);
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
	find_journal(&l->options);
	int error = open_sinks(l, reason);
	if (error != 0)
		log_close(l);
	return error;
}

static void tell_left_out(struct logger *l, uint64_t now_ms);

void log_close(struct logger *l)
{
	tell_left_out(l, UINT64_MAX);
	for (unsigned i = 0; i < l->sink_count; i++)
		log_sink_close(&l->sinks[i]);
	buffer_release(&l->text);
	log_rate_release(&l->rate);
	log_topic_release(&l->topic);
	release_options(&l->options);
	pthread_mutex_destroy(&l->mutex);
}

static void swap_sinks(struct logger *a, struct logger *b)
{
	struct log_options options = a->options;
	struct log_sink sinks[ARRAY_COUNT(a->sinks)];
	unsigned count = a->sink_count;
	memcpy(sinks, a->sinks, sizeof(sinks));
	memcpy(a->sinks, b->sinks, sizeof(sinks));
	memcpy(b->sinks, sinks, sizeof(sinks));
	a->options = b->options;
	b->options = options;
	a->sink_count = b->sink_count;
	b->sink_count = count;
}

int log_change(struct logger *l, const struct log_options *options, char reason[LOG_REASON_MAX])
{
	struct logger other;
	int error = log_open(&other, options, reason);
	if (error != 0)
		return error;
	pthread_mutex_lock(&l->mutex);
	swap_sinks(l, &other);
	l->stamp_s = UINT64_MAX; /* the form of the time may be another */
	l->stamp_len = 0;
	pthread_mutex_unlock(&l->mutex);
	log_close(&other);
	return 0;
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
		if (!l->sinks[i].is_owned || l->sinks[i].socket_path)
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
static void add_bytes(struct logger *l, struct span line)
{
	if (buffer_append(&l->text, line) != 0) {
		for (unsigned i = 0; i < l->sink_count; i++)
			l->sinks[i].lost_lines++;
	}
}

/* With time as text has it, or else as JSON has it where nobody asked for another. */
static struct span json_time(const struct logger *l, const struct log_item *e, char *room)
{
	if (!l->options.has_time)
		return SPAN_NONE;
	if (l->options.time_format)
		return span_of(l->stamp, l->stamp_len - 2);
	return span_of(room, log_time_text(e->time_ms, room));
}

/* The line as a file gets it, its end included. */
static struct span format_line(const struct logger *l, const struct log_item *e, char *room)
{
	char time[LOG_TIME_TEXT_MAX];
	if (l->options.is_json)
		return span_of(room, log_format_json(room, e, json_time(l, e, time)));
	memcpy(room, l->stamp, l->stamp_len);
	memcpy(room + l->stamp_len, e->text.ptr, e->text.len);
	room[l->stamp_len + e->text.len] = '\n';
	return span_of(room, l->stamp_len + e->text.len + 1);
}

static void publish_line(struct logger *l, const struct log_item *e, struct span line)
{
	const char *topic = log_type_topic(e->type);
	if (topic && (l->options.destinations & LOG_TO_TOPIC))
		log_topic_add(&l->topic, topic, span_of(line.ptr, line.len - 1));
}

/* To all destinations: descriptors get it with what comes after it. */
static void write_item(struct logger *l, const struct log_item *e)
{
	char room[LOG_FORMAT_MAX];
	make_stamp(l, e->time_ms / 1000);
	struct span line = format_line(l, e, room);
	add_bytes(l, line);
	for (unsigned i = 0; i < l->sink_count; i++) {
		if (l->sinks[i].socket_path)
			log_sink_send(&l->sinks[i], e,
				      l->options.is_json ? span_of(line.ptr, line.len - 1)
							 : e->text);
	}
	publish_line(l, e, line);
}

/* What was asked for with -v is shown, however much it is. */
static bool is_limited(unsigned type)
{
	return (type & ((unsigned)LOG_TYPE_DEBUG | LOG_TYPE_SUBSCRIBE | LOG_TYPE_UNSUBSCRIBE)) == 0;
}

static void add_item(struct logger *l, const struct log_item *e, const void *place)
{
	if (!is_limited(e->type) || log_rate_allows(&l->rate, l->options.rate_max, place, e->type,
						    e->text, clock_steady_ms()))
		write_item(l, e);
}

static void write_text(struct logger *l);

/* "1,234" */
static void write_number(uint64_t number, char text[32])
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)number), at = 0;
	for (int i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			text[at++] = ',';
		text[at++] = digits[i];
	}
	text[at] = '\0';
}

/* The mutex is held. */
static void tell_left_out_of(struct logger *l, struct log_place *place)
{
	char text[LOG_RATE_SAMPLE_MAX + 128], number[32];
	write_number(place->left_out, number);
	int len = snprintf(text, sizeof(text), "%s more %s like this in the last %d s: %.*s%s",
			   number, place->left_out == 1 ? "line" : "lines",
			   LOG_RATE_WINDOW_MS / 1000, (int)place->sample_len, place->sample,
			   place->sample_len < LOG_RATE_SAMPLE_MAX - 3 ? "" : "...");
	struct log_item e = {
		.time_ms = clock_wall_ms(),
		.type = place->type,
		.text = span_of(text, (size_t)len),
	};
	log_place_restart(place);
	write_item(l, &e);
}

static void tell_left_out(struct logger *l, uint64_t now_ms)
{
	struct log_place *place;
	pthread_mutex_lock(&l->mutex);
	while ((place = log_rate_ended(&l->rate, now_ms)))
		tell_left_out_of(l, place);
	write_text(l);
	pthread_mutex_unlock(&l->mutex);
}

/* A flood that begins while its caller sleeps is seen when it is called again. */
uint64_t log_look(struct logger *l)
{
	uint64_t now_ms = clock_steady_ms();
	tell_left_out(l, now_ms);
	pthread_mutex_lock(&l->mutex);
	uint64_t next_ms = l->rate.next_ms;
	bool has_limit = l->options.rate_max > 0;
	pthread_mutex_unlock(&l->mutex);
	if (next_ms == 0)
		return has_limit ? LOG_RATE_WINDOW_MS : UINT64_MAX;
	return next_ms - now_ms;
}

void log_publish(struct logger *l, void (*wake)(void *context), void *context)
{
	pthread_mutex_lock(&l->mutex);
	l->topic.wake = wake;
	l->topic.context = context;
	pthread_mutex_unlock(&l->mutex);
}

bool log_take_topic(struct logger *l, struct log_topic_line *line_out)
{
	pthread_mutex_lock(&l->mutex);
	bool is_taken = log_topic_take(&l->topic, line_out);
	pthread_mutex_unlock(&l->mutex);
	return is_taken;
}

/* Each line of an event, by the byte before it. */
static void add_record(struct logger *l, const struct record *r, const char *bytes)
{
	struct span text = span_of(bytes, r->len);
	struct log_item e = {
		.time_ms = r->time_ms,
		.event = event_kind_name(r->kind),
		.client_id = span_of(bytes + r->len, r->client_len),
		.address = span_of(bytes + r->len + r->client_len, r->address_len),
		.reason_code = r->reason_code,
	};
	while (text.len > 0) {
		const uint8_t *end = memchr(text.ptr, '\n', text.len);
		size_t len = end ? (size_t)(end - text.ptr) : text.len;
		e.type = 1u << (text.ptr[0] - 1);
		e.text = span_of(text.ptr + 1, len - 1);
		add_item(l, &e, e.event);
		size_t used = end ? len + 1 : len;
		text = span_of(text.ptr + used, text.len - used);
	}
}

/* The first thing that a destination says when it takes lines again. */
static void confess(struct logger *l, struct log_sink *s)
{
	char text[128], room[LOG_FORMAT_MAX];
	int len = snprintf(text, sizeof(text),
			   "%llu lines of the log were lost, because nobody took them.",
			   (unsigned long long)s->lost_lines);
	struct log_item e = {
		.time_ms = clock_wall_ms(),
		.type = LOG_TYPE_WARNING,
		.text = span_of(text, (size_t)len),
	};
	s->lost_lines = 0;
	log_sink_write(s, format_line(l, &e, room));
}

static void write_text(struct logger *l)
{
	struct span text = buffer_content(&l->text);
	for (unsigned i = 0; i < l->sink_count; i++) {
		struct log_sink *s = &l->sinks[i];
		if (s->socket_path || text.len == 0)
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
	struct log_item e = {
		.time_ms = clock_wall_ms(), .type = type, .text = span_of(text, (size_t)len)};
	pthread_mutex_lock(&l->mutex);
	add_item(l, &e, format);
	write_text(l);
	pthread_mutex_unlock(&l->mutex);
}

void log_lines(struct logger *l, unsigned type, struct span text)
{
	while (text.len > 0) {
		const uint8_t *end = memchr(text.ptr, '\n', text.len);
		size_t len = end ? (size_t)(end - text.ptr) : text.len;
		log_line(l, type, "%.*s", (int)len, (const char *)text.ptr);
		size_t used = end ? len + 1 : len;
		text = span_of(text.ptr + used, text.len - used);
	}
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

/* One byte more tells that there was more. */
static uint16_t field_len(struct span field)
{
	return (uint16_t)(field.len <= LOG_FIELD_MAX ? field.len : LOG_FIELD_MAX + 1);
}

static uint8_t *append(uint8_t *to, struct span bytes)
{
	if (bytes.len > 0)
		memcpy(to, bytes.ptr, bytes.len);
	return to + bytes.len;
}

void log_buffer_event(struct log_buffer *b, const struct event *event,
		      const struct event_detail *detail)
{
	unsigned types = atomic_load_explicit(&b->log->types, memory_order_relaxed);
	char text[LOG_LINE_MAX];
	if (!may_have_line(event, types))
		return;
	size_t len = event_lines_marked(event, detail, types, text, sizeof(text));
	if (len == 0)
		return;
	struct record record = {
		.time_ms = event->time_ms,
		.len = (uint32_t)len,
		.client_len = field_len(detail->client_id),
		.address_len = field_len(detail->address),
		.kind = event->kind,
		.reason_code = event->reason_code,
	};
	size_t size = sizeof(record) + len + record.client_len + record.address_len;
	if (buffer_reserve(&b->records, size) != 0) {
		b->lost_lines++;
		return;
	}
	uint8_t *to = buffer_room(&b->records).ptr;
	to = append(to, span_of(&record, sizeof(record)));
	to = append(to, span_of(text, len));
	to = append(to, span_of(detail->client_id.ptr, record.client_len));
	append(to, span_of(detail->address.ptr, record.address_len));
	buffer_commit(&b->records, size);
	if (buffer_len(&b->records) >= RECORDS_BYTES_MAX)
		log_buffer_flush(b);
}

static void add_records(struct logger *l, struct buffer *records)
{
	struct record record;
	while (buffer_len(records) > 0) {
		const uint8_t *from = buffer_content(records).ptr;
		memcpy(&record, from, sizeof(record));
		add_record(l, &record, (const char *)from + sizeof(record));
		buffer_consume(records, sizeof(record) + record.len + record.client_len +
						record.address_len);
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
