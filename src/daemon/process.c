/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* The kernel's own default maximum (fs.nr_open): tried where the hard limit says "unlimited". */
#define DESCRIPTORS_USUAL_MAX 1048576
/* The lowest of the real-time priorities is enough to run when the disk is done. */
#define WRITER_PRIORITY 1

void process_fill_standard(void)
{
	int fd;
	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

uint64_t process_raise_descriptors(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return 0;
	struct rlimit raised = {.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
	if (limit.rlim_max == RLIM_INFINITY)
		raised.rlim_cur = DESCRIPTORS_USUAL_MAX;
	if (raised.rlim_cur > limit.rlim_cur && setrlimit(RLIMIT_NOFILE, &raised) == 0)
		return raised.rlim_cur;
	return limit.rlim_cur;
}

void process_allow_priority(void)
{
	struct rlimit limit;
	struct rlimit wanted = {.rlim_cur = WRITER_PRIORITY, .rlim_max = WRITER_PRIORITY};
	if (getrlimit(RLIMIT_RTPRIO, &limit) == 0 && limit.rlim_cur < WRITER_PRIORITY)
		(void)!setrlimit(RLIMIT_RTPRIO, &wanted); /* as root; the journal tells if not */
}

unsigned process_core_count(void)
{
	cpu_set_t cores;
	if (sched_getaffinity(0, sizeof(cores), &cores) == 0)
		return (unsigned)CPU_COUNT(&cores);
	/* More cores than the set has room for. */
	long count = sysconf(_SC_NPROCESSORS_ONLN);
	return count > 0 ? (unsigned)count : 1;
}

/* A core that is piped to a program (core(5)) knows no limit, but this one: the kernel takes it for
 * "none". Who was root cannot be dumped any more, unless this says so. */
#define CORE_NONE 1

void process_allow_core(bool is_allowed)
{
	struct rlimit limit;
	if (is_allowed)
		prctl(PR_SET_DUMPABLE, 1);
	if (getrlimit(RLIMIT_CORE, &limit) != 0)
		return;
	limit.rlim_cur = is_allowed || limit.rlim_max < CORE_NONE ? limit.rlim_max : CORE_NONE;
	(void)!setrlimit(RLIMIT_CORE, &limit);
}

uint64_t process_random(void)
{
	uint64_t value;
	ASSERT(getrandom(&value, sizeof(value), 0) == sizeof(value));
	return value;
}

static int refuse_pid_file(const char *path, char reason[PROCESS_REASON_MAX], int fd)
{
	int error = errno;
	char text[32] = "";
	ssize_t len = fd >= 0 && error == EWOULDBLOCK ? read(fd, text, sizeof(text) - 1) : 0;
	if (len > 0)
		snprintf(reason, PROCESS_REASON_MAX,
			 "the pid file '%.128s' belongs to a broker that runs (process %d)", path,
			 atoi(text));
	else
		snprintf(reason, PROCESS_REASON_MAX, "cannot write the pid file '%.128s': %s", path,
			 strerror(error));
	if (fd >= 0)
		close(fd);
	return ERROR_SYSTEM;
}

/* What a process that is gone has left there has no lock, and is written over. */
int process_write_pid_file(const char *path, int *fd_out, char reason[PROCESS_REASON_MAX])
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0666);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) != 0 || ftruncate(fd, 0) != 0 ||
	    fchmod(fd, 0644) != 0 || dprintf(fd, "%d\n", (int)getpid()) < 0)
		return refuse_pid_file(path, reason, fd);
	*fd_out = fd;
	return 0;
}

static const struct passwd *find_user(const char *user)
{
	if (user)
		return getpwnam(user);
	const struct passwd *entry = getpwnam("mosquitto");
	return entry ? entry : getpwnam("nobody");
}

static bool stays_as_it_is(const char *user)
{
	return geteuid() != 0 || (user && strcmp(user, "root") == 0);
}

static int refuse_user(const char *user, char reason[PROCESS_REASON_MAX])
{
	snprintf(reason, PROCESS_REASON_MAX, "there is no user '%s' to become",
		 user ? user : "nobody");
	return ERROR_INVALID;
}

int process_give_to_user(const char *path, const char *user, char reason[PROCESS_REASON_MAX])
{
	if (stays_as_it_is(user))
		return 0;
	const struct passwd *entry = find_user(user);
	if (!entry)
		return refuse_user(user, reason);
	if (chown(path, entry->pw_uid, entry->pw_gid) == 0)
		return 0;
	snprintf(reason, PROCESS_REASON_MAX, "cannot give '%s' to user '%s': %s", path,
		 entry->pw_name, strerror(errno));
	return ERROR_SYSTEM;
}

int process_drop_privileges(const char *user, char reason[PROCESS_REASON_MAX])
{
	if (stays_as_it_is(user))
		return 0;
	const struct passwd *entry = find_user(user);
	if (!entry)
		return refuse_user(user, reason);
	/* root's way back must be gone, too: of the saved ids, which setuid sets for root */
	if (initgroups(entry->pw_name, entry->pw_gid) == 0 && setgid(entry->pw_gid) == 0 &&
	    setuid(entry->pw_uid) == 0 && (entry->pw_uid == 0 || setuid(0) != 0))
		return 0;
	snprintf(reason, PROCESS_REASON_MAX, "cannot become user '%s': %s", entry->pw_name,
		 strerror(errno));
	return ERROR_SYSTEM;
}

bool process_tell_user(bool was_root, char sentence[PROCESS_REASON_MAX])
{
	const struct passwd *entry = getpwuid(geteuid());
	const char *name = entry ? entry->pw_name : "of no name";
	if (geteuid() == 0) {
		snprintf(sentence, PROCESS_REASON_MAX,
			 "Stays root, as the option user says: a mistake in the broker would be "
			 "one in all of this machine. Without that line it becomes another user.");
		return true;
	}
	snprintf(sentence, PROCESS_REASON_MAX, "Runs as user %s (uid %u)%s.", name,
		 (unsigned)geteuid(), was_root ? ", root no longer" : "");
	return false;
}

/* The child writes a byte when it is up; the end of the pipe without it means that it is not. */
static NORETURN void wait_for_child(int ready_fd)
{
	char byte;
	ssize_t n;
	do
		n = read(ready_fd, &byte, 1);
	while (n < 0 && errno == EINTR);
	_exit(n == 1 ? 0 : 1);
}

int process_to_background(int *ready_fd_out)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) != 0)
		return ERROR_SYSTEM;
	fflush(NULL);
	pid_t child = fork();
	if (child < 0) {
		close(ends[0]);
		close(ends[1]);
		return ERROR_SYSTEM;
	}
	close(ends[child > 0 ? 1 : 0]);
	if (child > 0)
		wait_for_child(ends[0]);
	setsid();
	*ready_fd_out = ends[1];
	return 0;
}

void process_background_ready(int ready_fd)
{
	int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (nothing >= 0) {
		dup2(nothing, STDIN_FILENO);
		dup2(nothing, STDOUT_FILENO);
		dup2(nothing, STDERR_FILENO);
		close(nothing);
	}
	/* The working directory stays: relative paths are read again on SIGHUP. */
	ssize_t n = write(ready_fd, "", 1);
	(void)n; /* a parent that is gone waits no more */
	close(ready_fd);
}
