/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the process that started us is told of our state, in the datagrams of sd_notify(3): systemd
 * promises their form to those who do without its library. Without NOTIFY_SOCKET in the environment
 * nobody is told, and each call does nothing.
 */
#ifndef NIGHTJAR_DAEMON_NOTIFY_H
#define NIGHTJAR_DAEMON_NOTIFY_H

#include "base/base.h"

#include <sys/socket.h>
#include <sys/un.h>

struct notifier {
	int fd; /* -1: nobody asks */
	struct sockaddr_un to;
	socklen_t to_len;
	/* Within this time it wants to hear that we are alive, else it ends us; 0: it does not. */
	uint64_t watchdog_ms;
};

/* Reads the environment, which is that of systemd.exec(5); what is wrong in it counts as absent. */
void notify_open(struct notifier *n);
void notify_close(struct notifier *n);

/* Clients are served (again), with a sentence for `systemctl status`. */
void notify_ready(const struct notifier *n, const char *status);
/* The configuration is read anew, until notify_ready. */
void notify_reloading(const struct notifier *n);
void notify_stopping(const struct notifier *n);
/* All is well: for the watchdog. */
void notify_alive(const struct notifier *n);

#endif
