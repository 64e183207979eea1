/* SPDX-License-Identifier: Apache-2.0 */
/* The filter over system calls holds for good: each case is a process of its own. */
#include "daemon/sandbox.h"
#include "daemon/sandbox_calls.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

#define PAGE 4096u

/* The exit status of a case: 0, or the line that failed. */
#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			_exit(__LINE__ % 250 + 1);                                                 \
	} while (0)

static int run(void (*test)(void), bool only_logs)
{
	int status;
	char reason[SANDBOX_REASON_MAX];
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		CHECK(sandbox_start(only_logs, reason) == 0);
		test();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static void try_program(void)
{
	char name[SANDBOX_NAME_MAX];
	char *words[] = {(char[]){"/bin/true"}, NULL};
	CHECK(execve(words[0], words, words + 1) == -1 && errno == ENOSYS);
	CHECK(sandbox_take_refused(name) && strncmp(name, "execve (", 8) == 0);
	CHECK(!sandbox_take_refused(name));
	CHECK(execve(words[0], words, words + 1) == -1 && errno == ENOSYS);
	CHECK(!sandbox_take_refused(name)); /* told once */
}

static void try_process(void)
{
	CHECK(fork() == -1 && errno == ENOSYS);
}

static void try_other_sockets(void)
{
	CHECK(socket(AF_PACKET, SOCK_RAW, 0) == -1 && errno == ENOSYS);
	CHECK(socket(AF_VSOCK, SOCK_STREAM, 0) == -1 && errno == ENOSYS);
}

static void try_code_of_its_own(void)
{
	CHECK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		   0) == MAP_FAILED);
	void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(page != MAP_FAILED);
	CHECK(mprotect(page, PAGE, PROT_READ | PROT_EXEC) == -1 && errno == ENOSYS);
	CHECK(mprotect(page, PAGE, PROT_READ) == 0);
}

static void try_others(void)
{
	CHECK(kill(getppid(), 0) == -1 && errno == ENOSYS);
	CHECK(syscall(SYS_ptrace, 0, 0, 0, 0) == -1 && errno == ENOSYS);
	CHECK(syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0) == -1);
	CHECK(setuid(getuid()) == -1 && errno == ENOSYS);
	CHECK(prctl(PR_SET_DUMPABLE, 1) == -1 && errno == ENOSYS);
}

static void *count(void *number)
{
	char name[SANDBOX_NAME_MAX];
	CHECK(pthread_setname_np(pthread_self(), "counter") == 0);
	CHECK(syscall(SYS_reboot, 0, 0, 0, NULL) == -1 && errno == ENOSYS);
	CHECK(sandbox_take_refused(name) && strncmp(name, "reboot", 6) == 0);
	++*(int *)number;
	return NULL;
}

/* What a broker does long after its start. */
static void do_usual_things(void)
{
	pthread_t thread;
	struct addrinfo *found = NULL;
	int number = 0;
	char path[] = "/tmp/nightjar-sandbox-XXXXXX";
	CHECK(pthread_create(&thread, NULL, count, &number) == 0);
	CHECK(pthread_join(thread, NULL) == 0 && number == 1);
	CHECK(getaddrinfo("127.0.0.1", "1883", NULL, &found) == 0);
	freeaddrinfo(found);
	(void)!getaddrinfo("nightjar.invalid", "1883", NULL, &found); /* whatever it answers */
	int fd = mkstemp(path);
	CHECK(fd >= 0 && write(fd, "x", 1) == 1 && fdatasync(fd) == 0 && unlink(path) == 0);
	int unsent, tcp = socket(AF_INET, SOCK_STREAM, 0);
	(void)!ioctl(tcp, SIOCOUTQ, &unsent);
	FILE *file = fopen("/dev/null", "r");
	CHECK(file && fclose(file) == 0);
	CHECK(setpriority(PRIO_PROCESS, 0, 10) == 0);
	CHECK(malloc(1 << 24) != NULL);
	char name[SANDBOX_NAME_MAX];
	CHECK(!sandbox_take_refused(name));
}

static void do_abort(void)
{
	abort();
}

static bool is_sanitized(void)
{
	return sandbox_sanitizer_calls[0] != '\0';
}

#define TEST_OF(name, has_conditions)                                                              \
	static void test_##name(void **state)                                                      \
	{                                                                                          \
		(void)state;                                                                       \
		if ((has_conditions) && is_sanitized())                                            \
			skip(); /* its sanitizer needs them */                                     \
		assert_int_equal(run(name, false), 0);                                             \
	}

TEST_OF(try_program, true)
TEST_OF(try_process, true)
TEST_OF(try_other_sockets, true)
TEST_OF(try_code_of_its_own, true)
TEST_OF(try_others, true)
TEST_OF(do_usual_things, false)

static void test_abort_still_ends_it(void **state)
{
	(void)state;
	int status = run(do_abort, false);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void start_program(void)
{
	char *words[] = {(char[]){"/bin/true"}, NULL};
	execve(words[0], words, words + 1);
	_exit(9);
}

static void test_log_refuses_nothing(void **state)
{
	(void)state;
	assert_int_equal(run(start_program, true), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_try_program),
		cmocka_unit_test(test_try_process),
		cmocka_unit_test(test_try_other_sockets),
		cmocka_unit_test(test_try_code_of_its_own),
		cmocka_unit_test(test_try_others),
		cmocka_unit_test(test_do_usual_things),
		cmocka_unit_test(test_abort_still_ends_it),
		cmocka_unit_test(test_log_refuses_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
