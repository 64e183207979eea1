/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/log_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

void log_sink_init(struct log_sink *s, int fd)
{
	struct stat status;
	bool is_file = fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
	*s = (struct log_sink){.fd = fd, .may_block = !is_file};
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

static int open_socket(struct log_sink *s, const char *path)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return ERROR_SYSTEM;
	*s = (struct log_sink){.fd = fd, .is_owned = true, .socket_path = path};
	return 0;
}

int log_sink_open_syslog(struct log_sink *s, const char *path, int facility)
{
	int error = open_socket(s, path);
	s->facility = facility;
	return error;
}

int log_sink_open_journal(struct log_sink *s, const char *path)
{
	int error = open_socket(s, path);
	s->is_journal = true;
	return error;
}

bool log_sink_is_journal_stream(int fd)
{
	const char *text = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat status;
	return text && sscanf(text, "%llu:%llu", &device, &inode) == 2 && fstat(fd, &status) == 0 &&
	       status.st_dev == device && status.st_ino == inode;
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

void log_sink_write(struct log_sink *s, struct span text)
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

/* In a container there is often neither; a log that is only full is no reason to speak. */
static void tell_absence(struct log_sink *s)
{
	if (s->has_failed || errno == EAGAIN || errno == ENOBUFS)
		return;
	s->has_failed = true;
	dprintf(STDERR_FILENO,
		"nightjar: %s cannot be reached at %s: %s. Lines are lost until it can; log_dest "
		"names other places.\n",
		s->is_journal ? "systemd's journal" : "the system's log", s->socket_path,
		strerror(errno));
}

/* Addressed anew each time: the system's log may be restarted. */
static void send_bytes(struct log_sink *s, const char *text, size_t len)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	snprintf(to.sun_path, sizeof(to.sun_path), "%s", s->socket_path);
	if (sendto(s->fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&to,
		   sizeof(to)) < 0) {
		tell_absence(s);
		s->lost_lines++;
		return;
	}
	s->lost_lines = 0;
	s->has_failed = false;
}

/* "<29>Mar 23 17:08:34 nightjar[4711]: text", as syslogd expects it at its socket (RFC 3164). */
static void send_syslog(struct log_sink *s, unsigned type, struct span line)
{
	char text[LOG_PIECE_MAX], stamp[32];
	time_t now = time(NULL);
	struct tm local;
	strftime(stamp, sizeof(stamp), "%b %e %H:%M:%S", localtime_r(&now, &local));
	int len = snprintf(text, sizeof(text), "<%d>%s nightjar[%d]: %.*s",
			   s->facility | log_type_severity(type), stamp, (int)getpid(),
			   (int)line.len, (const char *)line.ptr);
	if (len >= (int)sizeof(text))
		len = sizeof(text) - 1;
	send_bytes(s, text, (size_t)len);
}

void log_sink_send(struct log_sink *s, const struct log_item *e, struct span text)
{
	char fields[LOG_FORMAT_MAX];
	if (s->is_journal)
		send_bytes(s, fields, log_format_journal(fields, e));
	else
		send_syslog(s, e->type, text);
}
