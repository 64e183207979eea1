/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting: for a time, for a descriptor, for a signal that came before. */
#include "cli/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static nj_client *client;

static int make_client(void **state)
{
	struct nj_options o = NJ_OPTIONS_INIT;
	(void)state;
	if (nj_new(&o, &client))
		return -1;
	struct loop_wait first = {.readable_fd = -1};
	loop_turn(client, &first); /* who asks for its descriptor is woken once */
	return 0;
}

static int free_client(void **state)
{
	(void)state;
	nj_free(client);
	return 0;
}

static void test_waits_for_a_deadline_and_for_a_descriptor(void **state)
{
	(void)state;
	int pipe_fds[2];
	assert_int_equal(pipe(pipe_fds), 0);
	uint64_t began = loop_now_ms();
	struct loop_wait wait = {.deadline_ms = began + 20, .readable_fd = pipe_fds[0]};
	loop_turn(client, &wait);
	assert_true(loop_now_ms() >= began + 20);
	assert_false(wait.is_readable_out);
	assert_int_equal(write(pipe_fds[1], "x", 1), 1);
	wait.deadline_ms = UINT64_MAX;
	loop_turn(client, &wait);
	assert_true(wait.is_readable_out);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

static void ignore(int number)
{
	(void)number;
}

/* A signal that came before the wait ends the wait all the same. */
static void test_signal_is_not_missed(void **state)
{
	(void)state;
	sigset_t held_back, mask;
	struct sigaction action = {.sa_handler = ignore};
	sigemptyset(&action.sa_mask);
	sigemptyset(&held_back);
	sigaddset(&held_back, SIGUSR1);
	assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
	assert_int_equal(pthread_sigmask(SIG_BLOCK, &held_back, &mask), 0);
	assert_int_equal(raise(SIGUSR1), 0);
	struct loop_wait wait = {
		.deadline_ms = UINT64_MAX, .signal_mask = &mask, .readable_fd = -1};
	loop_turn(client, &wait); /* returns at all */
	assert_false(wait.is_readable_out);
	assert_int_equal(pthread_sigmask(SIG_SETMASK, &mask, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_waits_for_a_deadline_and_for_a_descriptor),
		cmocka_unit_test(test_signal_is_not_missed),
	};
	return cmocka_run_group_tests(tests, make_client, free_client);
}
