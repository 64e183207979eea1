/* SPDX-License-Identifier: Apache-2.0 */
#include "broker.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATH_BYTES 512
#define LOG_SHOWN 3000
/* A sanitizer build on a busy machine. */
#define END_MS 60000

static void path_of(const struct broker *b, const char *name, char path[PATH_BYTES])
{
	ASSERT(snprintf(path, PATH_BYTES, "%s/%s", b->folder, name) < PATH_BYTES);
}

static void pause_ms(unsigned ms)
{
	nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* A port that nobody listens on: mosquitto cannot choose one itself. */
static uint16_t free_port(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ASSERT(fd >= 0 && bind(fd, (struct sockaddr *)&a, len) == 0);
	ASSERT(getsockname(fd, (struct sockaddr *)&a, &len) == 0);
	close(fd);
	return ntohs(a.sin_port);
}

static void write_configuration(struct broker *b)
{
	char path[PATH_BYTES], store[PATH_BYTES];
	path_of(b, "broker.conf", path);
	path_of(b, "store", store);
	FILE *file = fopen(path, "we");
	ASSERT(file);
	fputs("max_queued_messages 0\n", file);
	if (b->is_mosquitto) {
		b->port = free_port();
		fprintf(file,
			"listener %u 127.0.0.1\nallow_anonymous true\n"
			"persistence true\npersistence_location %s/\nautosave_interval 1\n",
			b->port, store);
	} else if (!b->is_volatile) {
		fprintf(file, "persistence true\npersistence_location %s\n", store);
	} else {
		fputs("persistence false\n", file);
	}
	/* As root a broker takes another user, who may not enter this folder. */
	fprintf(file, "%s%s\n", geteuid() == 0 ? "user root\n" : "", b->settings);
	ASSERT(fclose(file) == 0);
}

void broker_prepare(struct broker *b)
{
	char path[PATH_BYTES];
	mkdir(b->folder, 0700);
	path_of(b, "store", path);
	mkdir(path, 0700);
	path_of(b, "powercut", path);
	if (b->powercut_library)
		mkdir(path, 0700);
}

/* In the child: the library that watches the disk goes into the broker only. */
static void preload(const struct broker *b)
{
	char side[PATH_BYTES], store[PATH_BYTES];
	path_of(b, "powercut", side);
	path_of(b, "store", store);
	setenv("POWERCUT_SIDE", side, 1);
	setenv("POWERCUT_STORE", store, 1);
	setenv("LD_PRELOAD", b->powercut_library, 1);
}

static void become_broker(const struct broker *b)
{
	char configuration[PATH_BYTES];
	path_of(b, "broker.conf", configuration);
	if (b->powercut_library)
		preload(b);
	if (b->is_mosquitto)
		execl(b->program, b->program, "-c", configuration, (char *)NULL);
	else
		execl(b->program, b->program, "broker", "-p", "0", "--shards", b->shards, "-c",
		      configuration, (char *)NULL);
	_exit(127);
}

void broker_spawn(struct broker *b)
{
	char path[PATH_BYTES];
	struct stat s;
	ASSERT(b->pid == 0);
	write_configuration(b);
	path_of(b, "broker.log", path);
	int log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	ASSERT(log >= 0 && fstat(log, &s) == 0);
	b->log_from = s.st_size;
	b->starts++;
	b->pid = fork();
	ASSERT(b->pid >= 0);
	if (b->pid == 0) {
		dup2(log, STDERR_FILENO);
		dup2(log, STDOUT_FILENO);
		become_broker(b);
	}
	close(log);
}

/* The log of this start; from its end, when it is too long. */
static void read_log(const struct broker *b, char *text, size_t size)
{
	char path[PATH_BYTES];
	struct stat s;
	path_of(b, "broker.log", path);
	int log = open(path, O_RDONLY | O_CLOEXEC);
	ASSERT(log >= 0 && fstat(log, &s) == 0);
	off_t from = b->log_from;
	if (s.st_size - from > (off_t)size - 1)
		from = s.st_size - (off_t)size + 1;
	ssize_t got = pread(log, text, size - 1, from);
	text[got > 0 ? got : 0] = '\0';
	close(log);
}

void broker_show_log(const struct broker *b)
{
	char text[LOG_SHOWN];
	read_log(b, text, sizeof(text));
	fprintf(stderr, "the broker said last:\n%s\n", text);
}

static bool is_listening(struct broker *b)
{
	char text[16384];
	read_log(b, text, sizeof(text));
	if (b->is_mosquitto)
		return strstr(text, " running\n") != NULL;
	const char *found = strstr(text, "listening on 127.0.0.1:");
	if (!found || !strchr(found, '\n'))
		return false;
	b->port = (uint16_t)atoi(strchr(found, ':') + 1);
	return true;
}

enum broker_start broker_wait_start(struct broker *b, unsigned ms_max)
{
	for (unsigned ms = 0; ms <= ms_max; ms++) {
		if (is_listening(b))
			return BROKER_RUNS;
		if (waitpid(b->pid, NULL, WNOHANG) == b->pid) {
			b->pid = 0;
			return BROKER_ENDED;
		}
		pause_ms(1);
	}
	return BROKER_STILL_STARTS;
}

bool broker_has_ended(struct broker *b)
{
	int status;
	if (b->pid == 0 || waitpid(b->pid, &status, WNOHANG) != b->pid)
		return false;
	b->pid = 0;
	fprintf(stderr, "the broker has ended by itself: wait status 0x%x\n", (unsigned)status);
	broker_show_log(b);
	return true;
}

/* Makes the store what the disk would hold had the power gone. */
static bool cut_power(struct broker *b)
{
	char side[PATH_BYTES], store[PATH_BYTES], seed[32];
	int status = -1;
	path_of(b, "powercut", side);
	path_of(b, "store", store);
	snprintf(seed, sizeof(seed), "%lu", (unsigned long)b->powercut_seed++);
	pid_t pid = fork();
	if (pid == 0) {
		execl(b->powercut_apply, b->powercut_apply, "--seed", seed, side, store,
		      (char *)NULL);
		_exit(127);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

bool broker_kill(struct broker *b)
{
	if (b->pid > 0) {
		kill(b->pid, SIGKILL);
		waitpid(b->pid, NULL, 0);
	}
	b->pid = 0;
	return !b->powercut_library || cut_power(b);
}

void broker_ask_to_end(struct broker *b)
{
	kill(b->pid, SIGTERM);
}

bool broker_wait_end(struct broker *b)
{
	int status = -1;
	for (unsigned ms = 0; ms < END_MS; ms += 2, pause_ms(2)) {
		if (waitpid(b->pid, &status, WNOHANG) != b->pid)
			continue;
		b->pid = 0;
		return WIFEXITED(status) && WEXITSTATUS(status) == 0;
	}
	return false;
}
