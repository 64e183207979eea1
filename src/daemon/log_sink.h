/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One destination of the log: a file, a terminal, a pipe, or the system's log. A destination that
 * blocks or fails costs lines, which are counted, but never stops the broker.
 */
#ifndef NIGHTJAR_DAEMON_LOG_SINK_H
#define NIGHTJAR_DAEMON_LOG_SINK_H

#include "base/base.h"

/* How long a full pipe or a stopped terminal may hold a thread up, once; until it takes lines
 * again it is then only asked, not waited for. */
#define LOG_PATIENCE_MS 100
/* A pipe that says it is writable takes so much without blocking (PIPE_BUF, pipe(7)). */
#define LOG_PIECE_MAX 4096

struct log_sink {
	int fd;
	int syslog_priority; /* facility and severity; -1 when it is a descriptor of bytes */
	bool is_owned;       /* close the descriptor at the end */
	bool may_block;
	bool is_blocked;
	bool has_failed;     /* it was said on standard error, once until it takes lines again */
	uint64_t lost_lines; /* since a line last got through */
	const char *syslog_path;
};

/* Standard output or error: stays open. */
void log_sink_init(struct log_sink *s, int fd);
/* Appends to a file. 0 or ERROR_SYSTEM. */
int log_sink_open_file(struct log_sink *s, const char *path) MUST_USE;
/* The system's log, through its socket (/dev/log), which need not be there yet. `priority` as in
 * syslog(3). The path is borrowed. 0 or ERROR_SYSTEM. */
int log_sink_open_syslog(struct log_sink *s, const char *path, int priority) MUST_USE;
void log_sink_close(struct log_sink *s);

/* Whole lines, each ended by '\n'; for the system's log exactly one, without time stamp. */
void log_sink_write(struct log_sink *s, struct span lines);
/* Would a line get through now, as far as can be told? */
bool log_sink_is_ready(struct log_sink *s);

#endif
