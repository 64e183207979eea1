/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/signals.h"

#include "daemon/sandbox.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

int signals_open(void)
{
	sigset_t set;
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigaddset(&set, SIGRTMIN);
	sigaddset(&set, SIGALRM);
	sigaddset(&set, SANDBOX_SIGNAL);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		return ERROR_SYSTEM;
	int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd >= 0 ? fd : ERROR_SYSTEM;
}

int signals_wait(int signals_fd, const int others[2], int timeout_ms)
{
	struct pollfd ready[3] = {
		{.fd = others[0], .events = POLLIN},
		{.fd = others[1], .events = POLLIN},
		{.fd = signals_fd, .events = POLLIN},
	};
	for (;;) {
		struct signalfd_siginfo info;
		int count = poll(ready, 3, timeout_ms);
		ASSERT(count >= 0 || errno == EINTR);
		if (read(signals_fd, &info, sizeof(info)) == sizeof(info))
			return (int)info.ssi_signo;
		if (ready[0].revents != 0)
			return -1;
		if (ready[1].revents != 0)
			return -2;
		if (count == 0)
			return 0;
	}
}
