/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log: lines "1490312914: text", from all threads, to the destinations that were configured.
 *
 * A shard collects its lines in a buffer of its own and hands them over at the end of a turn, so
 * that its lines stay in order and unbroken, and a verbose log costs one write per turn.
 */
#ifndef NIGHTJAR_DAEMON_LOG_H
#define NIGHTJAR_DAEMON_LOG_H

#include "base/buffer.h"
#include "daemon/log_rate.h"
#include "daemon/log_sink.h"
#include "daemon/log_topic.h"
#include "trace/lines.h"

#include <pthread.h>
#include <stdatomic.h>

/* Longer lines (topics of 65,535 bytes) are cut. */
#define LOG_LINE_MAX 2048
#define LOG_REASON_MAX 512
/* The socket of the system's log. */
#define LOG_SYSTEM_PATH "/dev/log"
/* The socket of systemd's journal. */
#define LOG_JOURNAL_PATH "/run/systemd/journal/socket"

struct log_options {
	unsigned destinations; /* LOG_TO_ bits of config/config.h */
	const char *file;
	int syslog_facility; /* as in syslog(3) */
	bool is_json;        /* one object per line, in place of "time: text" */
	bool has_time;
	const char *time_format; /* for strftime in local time; NULL: seconds since 1970 */
	unsigned types;          /* LOG_TYPE_ bits: which lines to write */
	uint32_t rate_max;       /* lines of a place in LOG_RATE_WINDOW_MS; 0: any number */
	const char *journal;     /* its socket; NULL: where systemd has it. Borrowed */
};

struct logger {
	pthread_mutex_t mutex;
	struct log_options options; /* its texts are owned */
	atomic_uint types;
	struct log_rate rate; /* guarded by the mutex, as all below */
	struct log_topic topic;
	struct log_sink sinks[5];
	unsigned sink_count;
	struct buffer text; /* lines being put together */
	uint64_t stamp_s;   /* the second that `stamp` tells */
	char stamp[96];
	size_t stamp_len;
};

/* The options are copied. 0, ERROR_NO_MEMORY or ERROR_SYSTEM, with the reason. */
int log_open(struct logger *l, const struct log_options *options,
	     char reason[LOG_REASON_MAX]) MUST_USE;
void log_close(struct logger *l);
/* Other destinations, and another form of the time, from now on; a file is opened again. On an error,
 * with the reason, all stays. */
int log_change(struct logger *l, const struct log_options *options,
	       char reason[LOG_REASON_MAX]) MUST_USE;
/* Which lines to write from now on. Any thread. */
void log_set_types(struct logger *l, unsigned types);
/* Opens the log's file anew, after it was moved away; keeps the old one when that fails. */
int log_reopen(struct logger *l) MUST_USE;

/* To be called with LOG_TO_TOPIC before anything is logged from another thread: `wake` is called, on
 * any thread and with the log held, when lines wait for log_topic_take. */
void log_publish(struct logger *l, void (*wake)(void *context), void *context);
/* A line that is to be published. False: none is left. */
bool log_take_topic(struct logger *l, struct log_topic_line *line_out);

/* Tells how many lines were left out in floods that have ended; how long until it wants to be called
 * again at the latest. One thread. */
uint64_t log_look(struct logger *l);

/* One line, at once. Any thread. `type` is a bit of LOG_TYPE_. */
void log_line(struct logger *l, unsigned type, const char *format, ...) PRINTF_LIKE(3, 4);
/* Lines of text, each ended by '\n', as a line of the log each. */
void log_lines(struct logger *l, unsigned type, struct span text);

/* Lines of one thread, on their way to the log. */
struct log_buffer {
	struct logger *log;
	struct buffer records;
	uint64_t lost_lines; /* for want of memory */
};
void log_buffer_init(struct log_buffer *b, struct logger *log);
void log_buffer_release(struct log_buffer *b);
void log_buffer_event(struct log_buffer *b, const struct event *event,
		      const struct event_detail *detail);
void log_buffer_flush(struct log_buffer *b);

#endif
