/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/job.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define RETRY_MS 1000
#define RETRY_MS_MAX 60000

void jobs_init(struct jobs *j, const char *command)
{
	*j = (struct jobs){.command = command, .fd = -1};
}

bool jobs_is_running(const struct jobs *j)
{
	return j->fd >= 0;
}

uint64_t jobs_deadline(const struct jobs *j)
{
	return j->count > 0 && !jobs_is_running(j) ? j->retry_at_ms : UINT64_MAX;
}

int jobs_add(struct jobs *j, nj_message *message)
{
	if (j->count == j->capacity) {
		size_t capacity = j->capacity ? j->capacity * 2 : 16;
		nj_message **waiting = mem_realloc(j->waiting, capacity * sizeof(nj_message *));
		if (!waiting)
			return ERROR_NO_MEMORY;
		j->waiting = waiting;
		j->capacity = capacity;
	}
	nj_message_ref(message);
	j->waiting[j->count++] = message;
	return 0;
}

static void drop_first(struct jobs *j)
{
	nj_message_unref(j->waiting[0]);
	j->count--;
	memmove(j->waiting, j->waiting + 1, j->count * sizeof(nj_message *));
	j->failures = 0;
	j->retry_at_ms = 0;
}

/* --- a command --- */

static void set_number(const char *name, unsigned long long number)
{
	char text[32];
	snprintf(text, sizeof(text), "%llu", number);
	setenv(name, text, 1);
}

static void set_text(const char *name, struct nj_bytes properties, uint8_t id)
{
	struct nj_property property;
	unsetenv(name);
	if (!nj_property_find(properties, id, &property))
		return;
	char *text = mem_copy_text(span_of(property.text.ptr, property.text.len));
	if (text)
		setenv(name, text, 1);
	mem_free(text);
}

/* In the child. */
static void set_environment(const nj_message *m)
{
	setenv("MQTT_TOPIC", nj_message_topic(m), 1);
	set_number("MQTT_QOS", nj_message_qos(m));
	set_number("MQTT_RETAIN", nj_message_retain(m));
	set_number("MQTT_DUP", nj_message_dup(m));
	set_number("MQTT_PAYLOAD_LENGTH", nj_message_payload(m).len);
	set_text("MQTT_CONTENT_TYPE", nj_message_properties(m), NJ_CONTENT_TYPE);
	set_text("MQTT_RESPONSE_TOPIC", nj_message_properties(m), NJ_RESPONSE_TOPIC);
}

/* A file without a name that holds the payload, so that nobody has to feed a pipe; or -1. */
static int payload_file(const nj_message *m)
{
	struct nj_bytes payload = nj_message_payload(m);
	const char *at = payload.ptr;
	size_t left = payload.len;
	int fd = memfd_create("payload", MFD_CLOEXEC);
	while (fd >= 0 && left > 0) {
		ssize_t len = write(fd, at, left);
		if (len < 0 && errno != EINTR) {
			close(fd);
			return -1;
		}
		at += len > 0 ? len : 0;
		left -= len > 0 ? (size_t)len : 0;
	}
	if (fd >= 0)
		(void)lseek(fd, 0, SEEK_SET);
	return fd;
}

NORETURN static void run_child(const char *command, const nj_message *m, int input)
{
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	set_environment(m);
	if (dup2(input, STDIN_FILENO) >= 0)
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(127);
}

static int start(struct jobs *j)
{
	int input = payload_file(j->waiting[0]);
	if (input < 0)
		return ERROR_SYSTEM;
	fflush(stdout);
	int pid = fork();
	if (pid == 0)
		run_child(j->command, j->waiting[0], input);
	close(input);
	if (pid < 0)
		return ERROR_SYSTEM;
	j->pid = pid;
	j->fd = (int)syscall(SYS_pidfd_open, pid, 0);
	return j->fd >= 0 ? 0 : ERROR_SYSTEM;
}

/* --- its end --- */

static enum job_result judge(struct jobs *j, int status, uint64_t now_ms)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		(void)nj_ack(j->waiting[0]); /* void when the server will send it again */
		drop_first(j);
		return JOB_DONE;
	}
	uint64_t wait = (uint64_t)RETRY_MS << (j->failures < 6 ? j->failures : 6);
	wait = wait < RETRY_MS_MAX ? wait : RETRY_MS_MAX;
	j->failures++;
	j->retry_at_ms = now_ms + wait;
	if (WIFSIGNALED(status))
		fprintf(stderr, "Warning: The command was ended by signal %d", WTERMSIG(status));
	else
		fprintf(stderr, "Warning: The command ended with status %d", WEXITSTATUS(status));
	fprintf(stderr, " for a message on %s; again in %llu s.\n", nj_message_topic(j->waiting[0]),
		(unsigned long long)wait / 1000);
	return JOB_FAILED;
}

static bool has_ended(struct jobs *j, int options, int *status_out)
{
	int pid;
	do
		pid = waitpid(j->pid, status_out, options);
	while (pid < 0 && errno == EINTR);
	if (pid != j->pid)
		return false;
	close(j->fd);
	j->fd = -1;
	return true;
}

enum job_result jobs_turn(struct jobs *j, uint64_t now_ms)
{
	enum job_result result = JOB_NONE;
	int status;
	if (jobs_is_running(j) && has_ended(j, WNOHANG, &status))
		result = judge(j, status, now_ms);
	if (!jobs_is_running(j) && j->count > 0 && now_ms >= j->retry_at_ms && start(j))
		return JOB_BROKEN;
	return result;
}

void jobs_finish(struct jobs *j)
{
	int status;
	if (jobs_is_running(j) && has_ended(j, 0, &status))
		(void)judge(j, status, 0);
}

void jobs_release(struct jobs *j)
{
	int status;
	if (jobs_is_running(j))
		(void)has_ended(j, 0, &status);
	while (j->count > 0)
		drop_first(j);
	mem_free(j->waiting);
}
