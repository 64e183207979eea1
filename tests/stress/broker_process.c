/* SPDX-License-Identifier: Apache-2.0 */
#include "broker_process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* A sanitizer build on a busy machine starts slowly. */
#define START_MS 60000
#define END_MS 120000
#define PAUSE_MS 20

/* The address sanitizer keeps freed memory, to notice its use: only a little here, so that what the
 * process holds can be judged. */
#define ASAN_MEMORY_OPTIONS                                                                        \
	"quarantine_size_mb=8:thread_local_quarantine_size_kb=64:"                                 \
	"allocator_release_to_os_interval_ms=200"

static bool wait_for_input(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	return poll(&p, 1, ms) > 0;
}

/* Reads its log up to the line that names the port. */
static bool read_port(struct broker_process *b)
{
	char text[4096];
	size_t len = 0;
	while (len < sizeof(text) - 1 && wait_for_input(b->log, START_MS)) {
		ssize_t got = read(b->log, text + len, sizeof(text) - 1 - len);
		if (got <= 0)
			break;
		len += (size_t)got;
		text[len] = '\0';
		const char *found = strstr(text, "listening on 127.0.0.1:");
		if (found && strchr(found, '\n')) {
			b->port = (uint16_t)atoi(strchr(found, ':') + 1);
			return b->port != 0;
		}
	}
	text[len] = '\0';
	fprintf(stderr, "the broker does not listen; it said:\n%s\n", text);
	return false;
}

bool broker_process_start(struct broker_process *b, const char *program, const char *shards)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC))
		return false;
	char asan_options[512];
	const char *given = getenv("ASAN_OPTIONS");
	snprintf(asan_options, sizeof(asan_options), "%s:" ASAN_MEMORY_OPTIONS, given ? given : "");
	*b = (struct broker_process){.folder = "/tmp/nightjar-stress-XXXXXX"};
	if (!mkdtemp(b->folder))
		return false;
	char state[sizeof(b->folder) + 8];
	snprintf(state, sizeof(state), "%s/state", b->folder);
	pid_t pid = fork();
	if (pid == 0) {
		setenv("ASAN_OPTIONS", asan_options, 1);
		setenv("STATE_DIRECTORY", state, 1);
		dup2(ends[1], STDERR_FILENO);
		execl(program, program, "broker", "-p", "0", "--shards", shards, (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	b->pid = pid;
	b->log = ends[0];
	return pid > 0 && read_port(b) && fcntl(b->log, F_SETFL, O_NONBLOCK) == 0;
}

/* Connections come and go by the thousand; only what says more than that is passed on. */
static bool is_routine(const char *line)
{
	return strstr(line, "New connection from") || strstr(line, "New client connected") ||
	       strstr(line, "disconnected: ") || strstr(line, " refused: connection ") ||
	       strstr(line, "Session of ");
}

void broker_process_read_log(struct broker_process *b)
{
	static char text[65536];
	static size_t len;
	while (b->pid > 0) {
		ssize_t got = read(b->log, text + len, sizeof(text) - 1 - len);
		if (got <= 0)
			return;
		len += (size_t)got;
		text[len] = '\0';
		char *line = text;
		for (char *end; (end = strchr(line, '\n')); line = end + 1) {
			*end = '\0';
			if (!is_routine(line))
				fprintf(stderr, "broker: %s\n", line);
		}
		len = strlen(line);
		memmove(text, line, len + 1);
		if (len == sizeof(text) - 1)
			len = 0;
	}
}

/* Its end, while its last words are read. */
static bool wait_for_end(struct broker_process *b, int *status)
{
	const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000};
	for (int ms = 0; ms < END_MS; ms += PAUSE_MS) {
		if (waitpid(b->pid, status, WNOHANG) == b->pid)
			return true;
		broker_process_read_log(b);
		nanosleep(&pause, NULL);
	}
	return false;
}

static void remove_state(const struct broker_process *b)
{
	char path[sizeof(b->folder) + 8];
	snprintf(path, sizeof(path), "%s/state", b->folder);
	DIR *folder = opendir(path);
	for (struct dirent *e; folder && (e = readdir(folder));)
		unlinkat(dirfd(folder), e->d_name, 0);
	if (folder)
		closedir(folder);
	rmdir(path);
	rmdir(b->folder);
}

bool broker_process_stop(struct broker_process *b)
{
	if (b->pid <= 0)
		return true;
	int status = -1;
	kill(b->pid, SIGTERM);
	bool has_ended = wait_for_end(b, &status);
	if (!has_ended) {
		kill(b->pid, SIGKILL);
		waitpid(b->pid, &status, 0);
	}
	broker_process_read_log(b);
	close(b->log);
	b->pid = 0;
	remove_state(b);
	if (!has_ended)
		fprintf(stderr, "the broker did not end on SIGTERM\n");
	else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fprintf(stderr, "the broker ended badly: wait status 0x%x\n", (unsigned)status);
	return has_ended && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

uint64_t broker_process_memory(const struct broker_process *b)
{
	char path[64], line[256];
	uint64_t kilobytes = 0;
	snprintf(path, sizeof(path), "/proc/%d/status", (int)b->pid);
	FILE *file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		if (strncmp(line, "VmRSS:", 6) == 0)
			kilobytes = strtoull(line + 6, NULL, 10);
	}
	if (file)
		fclose(file);
	return kilobytes * 1024;
}

static bool is_socket(DIR *folder, const char *name)
{
	char target[32];
	ssize_t len = readlinkat(dirfd(folder), name, target, sizeof(target));
	return len > 7 && memcmp(target, "socket:", 7) == 0;
}

/* Its files come and go with the store. */
unsigned broker_process_sockets(const struct broker_process *b)
{
	char path[64];
	unsigned count = 0;
	const struct dirent *entry;
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)b->pid);
	DIR *folder = opendir(path);
	while (folder && (entry = readdir(folder)))
		count += is_socket(folder, entry->d_name);
	if (folder)
		closedir(folder);
	return count;
}
