/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/stop.h"

static volatile sig_atomic_t has_stop_signal;

static void note_signal(int number)
{
	(void)number;
	has_stop_signal = 1;
}

void stop_catch(sigset_t *mask_while_waiting)
{
	struct sigaction action = {.sa_handler = note_signal};
	sigset_t held_back;
	sigemptyset(&action.sa_mask);
	sigemptyset(&held_back);
	sigaddset(&held_back, SIGINT);
	sigaddset(&held_back, SIGTERM);
	sigprocmask(SIG_BLOCK, &held_back, mask_while_waiting);
	sigdelset(mask_while_waiting, SIGINT);
	sigdelset(mask_while_waiting, SIGTERM);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

bool stop_is_asked(void)
{
	return has_stop_signal != 0;
}
