/* SPDX-License-Identifier: Apache-2.0 */
/* See bench_process.h. */
#include "cli/bench_process.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <time.h>

int bench_process_cpu(uint32_t pid, uint64_t *cpu_ns_out)
{
	clockid_t clock;
	struct timespec time;
	int reason = clock_getcpuclockid((pid_t)pid, &clock);
	if (reason) {
		errno = reason;
		return ERROR_SYSTEM;
	}
	if (clock_gettime(clock, &time) < 0)
		return ERROR_SYSTEM;
	*cpu_ns_out = (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
	return 0;
}

/* Reads a file of /proc whole, or its first `len` - 1 bytes, as text. */
static int read_text(uint32_t pid, const char *name, char *text, size_t len)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%u/%s", pid, name);
	FILE *file = fopen(path, "re");
	if (!file)
		return ERROR_SYSTEM;
	size_t got = fread(text, 1, len - 1, file);
	int error = ferror(file) ? ERROR_SYSTEM : 0;
	fclose(file);
	text[got] = 0;
	return error;
}

int bench_process_field(const char *text, const char *key, uint64_t *value_out)
{
	size_t len = strlen(key);
	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, len) == 0 && line[len] == ':') {
			*value_out = strtoull(line + len + 1, NULL, 10);
			return 0;
		}
	}
	return ERROR_INVALID;
}

static int read_field_kib(uint32_t pid, const char *name, const char *key, uint64_t *value_out)
{
	char text[4096];
	int error = read_text(pid, name, text, sizeof(text));
	return error ? error : bench_process_field(text, key, value_out);
}

int bench_process_rss(uint32_t pid, uint64_t *rss_bytes_out)
{
	uint64_t kib;
	if (read_field_kib(pid, "smaps_rollup", "Rss", &kib) != 0 &&
	    read_field_kib(pid, "status", "VmRSS", &kib) != 0)
		return ERROR_SYSTEM;
	*rss_bytes_out = kib * 1024;
	return 0;
}

bool bench_process_is_running(uint32_t pid)
{
	char text[1024];
	if (read_text(pid, "stat", text, sizeof(text)) != 0)
		return false;
	char state = 'X';
	long thread_count = 0;
	const char *rest = strrchr(text, ')'); /* the name before it may hold anything */
	/* proc(5): state is field 3, the number of threads field 20 */
	if (!rest || sscanf(rest + 1,
			    " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
			    "%ld",
			    &state, &thread_count) != 2)
		return false;
	/* The first thread is a zombie as soon as it has ended, while others hold the sockets. */
	return (state != 'Z' && state != 'X') || thread_count > 1;
}
