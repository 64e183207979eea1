/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/log_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

void log_sink_init(struct log_sink *s, int fd)
{
	struct stat status;
	bool is_file = fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
	*s = (struct log_sink){.fd = fd, .syslog_priority = -1, .may_block = !is_file};
}

int log_sink_open_file(struct log_sink *s, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0640);
	if (fd < 0)
		return ERROR_SYSTEM;
	log_sink_init(s, fd);
	s->is_owned = true;
	return 0;
}

int log_sink_open_syslog(struct log_sink *s, const char *path, int priority)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return ERROR_SYSTEM;
	*s = (struct log_sink){
		.fd = fd,
		.syslog_priority = priority,
		.is_owned = true,
		.syslog_path = path,
	};
	return 0;
}

void log_sink_close(struct log_sink *s)
{
	if (s->is_owned)
		close(s->fd);
	s->fd = -1;
}

bool log_sink_is_ready(struct log_sink *s)
{
	if (!s->may_block)
		return true;
	struct pollfd writable = {.fd = s->fd, .events = POLLOUT};
	int count = poll(&writable, 1, s->is_blocked ? 0 : LOG_PATIENCE_MS);
	s->is_blocked = count == 0;
	return count > 0;
}

static uint64_t count_lines(struct span text)
{
	uint64_t count = 0;
	for (size_t i = 0; i < text.len; i++)
		count += text.ptr[i] == '\n';
	return count;
}

/* As many whole lines as surely fit; a longer line is cut. */
static size_t piece_len(const struct log_sink *s, struct span text)
{
	if (!s->may_block || text.len <= LOG_PIECE_MAX)
		return text.len;
	const uint8_t *end = memrchr(text.ptr, '\n', LOG_PIECE_MAX);
	return end ? (size_t)(end - text.ptr) + 1 : LOG_PIECE_MAX;
}

/* A file on a full disk would otherwise end without a word. */
static void tell_failure(struct log_sink *s)
{
	if (s->has_failed || !s->is_owned)
		return;
	s->has_failed = true;
	dprintf(STDERR_FILENO,
		"nightjar: the log file cannot be written: %s. Lines are lost until it can.\n",
		strerror(errno));
}

static void write_bytes(struct log_sink *s, struct span text)
{
	while (text.len > 0) {
		ssize_t n = -1;
		if (log_sink_is_ready(s))
			n = write(s->fd, text.ptr, piece_len(s, text));
		if (n < 0 && errno == EINTR && !s->is_blocked)
			continue;
		if (n <= 0) {
			if (n < 0 && !s->is_blocked)
				tell_failure(s);
			s->lost_lines += count_lines(text);
			return;
		}
		text = span_of(text.ptr + n, text.len - (size_t)n);
	}
	s->lost_lines = 0;
	s->has_failed = false;
}

/* "<29>Mar 23 17:08:34 nightjar[4711]: text", as syslogd expects it at its socket (RFC 3164). */
static void write_syslog(struct log_sink *s, struct span line)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	char text[LOG_PIECE_MAX], stamp[32];
	time_t now = time(NULL);
	struct tm local;
	size_t line_len = line.len > 0 && line.ptr[line.len - 1] == '\n' ? line.len - 1 : line.len;
	strftime(stamp, sizeof(stamp), "%b %e %H:%M:%S", localtime_r(&now, &local));
	int len = snprintf(text, sizeof(text), "<%d>%s nightjar[%d]: %.*s", s->syslog_priority,
			   stamp, (int)getpid(), (int)line_len, (const char *)line.ptr);
	if (len >= (int)sizeof(text))
		len = sizeof(text) - 1;
	snprintf(to.sun_path, sizeof(to.sun_path), "%s", s->syslog_path);
	/* Addressed anew each time: the system's log may be restarted. */
	if (sendto(s->fd, text, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&to,
		   sizeof(to)) < 0)
		s->lost_lines++;
	else
		s->lost_lines = 0;
}

void log_sink_write(struct log_sink *s, struct span lines)
{
	if (s->syslog_priority >= 0)
		write_syslog(s, lines);
	else
		write_bytes(s, lines);
}
