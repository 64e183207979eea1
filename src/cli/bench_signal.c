/* SPDX-License-Identifier: Apache-2.0 */
/* See bench_signal.h. */
#include "cli/bench_signal.h"

#include <signal.h>

static volatile sig_atomic_t has_come;

static void note(int number)
{
	(void)number;
	has_come = 1;
}

void bench_signal_await(int number)
{
	struct sigaction action = {.sa_handler = note, .sa_flags = SA_RESETHAND | SA_RESTART};
	sigaction(number, &action, NULL);
}

bool bench_signal_came(void)
{
	return has_come;
}
