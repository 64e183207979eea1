/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/notify.h"

#include "base/base.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* A state, a sentence that names all listeners, and room. */
#define MESSAGE_MAX 2048

/* "/run/systemd/notify", or "@name" in the abstract namespace (unix(7)). */
static bool read_address(struct notifier *n, const char *text)
{
	size_t len = text ? strlen(text) : 0;
	n->to = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (len < 2 || len >= sizeof(n->to.sun_path) || (text[0] != '/' && text[0] != '@'))
		return false;
	memcpy(n->to.sun_path, text, len);
	if (text[0] == '@')
		n->to.sun_path[0] = '\0';
	n->to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	return true;
}

static bool read_number(const char *name, uint64_t *number_out)
{
	const char *text = getenv(name);
	char *end = NULL;
	errno = 0;
	unsigned long long number = text ? strtoull(text, &end, 10) : 0;
	if (!text || text[0] < '0' || text[0] > '9' || *end || errno != 0)
		return false;
	*number_out = number;
	return true;
}

/* Set for another process (WATCHDOG_PID), it was only inherited. */
static uint64_t read_watchdog_ms(void)
{
	uint64_t period_us, pid;
	if (!read_number("WATCHDOG_USEC", &period_us))
		return 0;
	if (getenv("WATCHDOG_PID") &&
	    (!read_number("WATCHDOG_PID", &pid) || pid != (uint64_t)getpid()))
		return 0;
	return period_us / 1000;
}

void notify_open(struct notifier *n)
{
	*n = (struct notifier){.fd = -1};
	if (!read_address(n, getenv("NOTIFY_SOCKET")))
		return;
	n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (n->fd >= 0)
		n->watchdog_ms = read_watchdog_ms();
}

void notify_close(struct notifier *n)
{
	if (n->fd >= 0)
		close(n->fd);
	n->fd = -1;
}

static void send_message(const struct notifier *n, const char *format, ...) PRINTF_LIKE(2, 3);

/* A message that does not get through is lost: the service manager's own timeouts are for that. It
 * may wait for room, as sd_notify does, since a lost READY would end the service. */
static void send_message(const struct notifier *n, const char *format, ...)
{
	char text[MESSAGE_MAX];
	va_list arguments;
	if (n->fd < 0)
		return;
	va_start(arguments, format);
	int len = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (len >= (int)sizeof(text))
		len = sizeof(text) - 1;
	ssize_t sent;
	do
		sent = sendto(n->fd, text, (size_t)len, MSG_NOSIGNAL,
			      (const struct sockaddr *)&n->to, n->to_len);
	while (sent < 0 && errno == EINTR);
}

/* The process that the service manager started is another one, when it went to the background. */
void notify_ready(const struct notifier *n, const char *status)
{
	send_message(n, "READY=1\nMAINPID=%d\nSTATUS=%s", (int)getpid(), status);
}

/* The time lets the service manager tell this reload from an earlier one. */
void notify_reloading(const struct notifier *n)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	send_message(n, "RELOADING=1\nMONOTONIC_USEC=%llu\nSTATUS=Reading the configuration anew",
		     (unsigned long long)now.tv_sec * 1000000 +
			     (unsigned long long)now.tv_nsec / 1000);
}

void notify_stopping(const struct notifier *n)
{
	send_message(n, "STOPPING=1\nSTATUS=Saying goodbye to clients");
}

void notify_alive(const struct notifier *n)
{
	send_message(n, "WATCHDOG=1");
}
