/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One destination of the log: a file, a terminal, a pipe, the system's log or its journal. A destination that
 * blocks or fails costs lines, which are counted, but never stops the broker.
 */
#ifndef NIGHTJAR_DAEMON_LOG_SINK_H
#define NIGHTJAR_DAEMON_LOG_SINK_H

#include "daemon/log_format.h"

/* How long a full pipe or a stopped terminal may hold a thread up, once; until it takes lines
 * again it is then only asked, not waited for. */
#define LOG_PATIENCE_MS 100
/* A pipe that says it is writable takes so much without blocking (PIPE_BUF, pipe(7)). */
#define LOG_PIECE_MAX 4096

struct log_sink {
	int fd;
	int facility;  /* of syslog(3) */
	bool is_owned; /* close the descriptor at the end */
	bool may_block;
	bool is_blocked;
	bool has_failed;     /* it was said on standard error, once until it takes lines again */
	uint64_t lost_lines; /* since a line last got through */
	const char
		*socket_path; /* where each line goes by itself; NULL: bytes go to the descriptor */
	bool is_journal;      /* and in fields */
};

/* Standard output or error: stays open. */
void log_sink_init(struct log_sink *s, int fd);
/* Appends to a file. 0 or ERROR_SYSTEM. */
int log_sink_open_file(struct log_sink *s, const char *path) MUST_USE;
/* The system's log, through its socket (/dev/log), which need not be there yet. The facility as in
 * syslog(3). The path is borrowed. 0 or ERROR_SYSTEM. */
int log_sink_open_syslog(struct log_sink *s, const char *path, int facility) MUST_USE;
/* The journal of systemd, through its socket. As above. */
int log_sink_open_journal(struct log_sink *s, const char *path) MUST_USE;
/* Is this descriptor (standard error) a stream into the journal? systemd.exec(5), JOURNAL_STREAM. */
bool log_sink_is_journal_stream(int fd);
void log_sink_close(struct log_sink *s);

/* Whole lines, each ended by '\n', to a descriptor. */
void log_sink_write(struct log_sink *s, struct span lines);
/* One line to a socket; `text` is what the system's log gets of it. */
void log_sink_send(struct log_sink *s, const struct log_item *e, struct span text);
/* Would a line get through now, as far as can be told? */
bool log_sink_is_ready(struct log_sink *s);

#endif
