/* SPDX-License-Identifier: Apache-2.0 */
#include "io/linger.h"

#include "base/mem.h"

#include <errno.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

void linger_list_init(struct linger_list *list)
{
	list_init(&list->lingerers);
	list->count = 0;
}

static struct lingerer *oldest(const struct linger_list *list)
{
	return CONTAINER_OF(list->lingerers.next, struct lingerer, link);
}

static void remove_and_close(struct linger_list *list, struct lingerer *lingerer)
{
	close(lingerer->fd);
	link_remove(&lingerer->link);
	list->count--;
	mem_free(lingerer);
}

void linger_list_release(struct linger_list *list)
{
	while (list->count > 0)
		remove_and_close(list, oldest(list));
}

/* Bytes thrown away, 0 at the end of input, ERROR_AGAIN, ERROR_CLOSED. With MSG_TRUNC the kernel
 * drops the bytes of a TCP stream without copying them (tcp(7)). Not by recv(): the sanitizers'
 * would report that all threads write to NULL. */
static long discard_input(int fd, size_t len)
{
	long n = syscall(SYS_recvfrom, fd, NULL, len, MSG_TRUNC | MSG_DONTWAIT, NULL, NULL);
	if (n >= 0)
		return n;
	return errno == EAGAIN || errno == EINTR ? ERROR_AGAIN : ERROR_CLOSED;
}

static bool is_all_acknowledged(int fd)
{
	int unacknowledged = 0;
	return ioctl(fd, SIOCOUTQ, &unacknowledged) == 0 && unacknowledged == 0;
}

bool linger_is_needed(int fd)
{
	if (is_all_acknowledged(fd))
		return false;
	long n = discard_input(fd, LINGER_BYTES_MAX);
	return n > 0 || n == ERROR_AGAIN;
}

struct lingerer *linger_add(struct linger_list *list, int fd, uint64_t now_ms)
{
	shutdown(fd, SHUT_WR);
	struct lingerer *lingerer = mem_alloc(sizeof(*lingerer));
	if (!lingerer) {
		close(fd);
		return NULL;
	}
	if (list->count == LINGER_COUNT_MAX)
		remove_and_close(list, oldest(list));
	*lingerer = (struct lingerer){
		.deadline_ms = now_ms + LINGER_MS,
		.bytes_left = LINGER_BYTES_MAX,
		.fd = fd,
	};
	list_append(&list->lingerers, &lingerer->link);
	list->count++;
	return lingerer;
}

void linger_ready(struct linger_list *list, struct lingerer *lingerer)
{
	long n = discard_input(lingerer->fd, lingerer->bytes_left);
	if (n == ERROR_AGAIN)
		return;
	if (n > 0 && (size_t)n < lingerer->bytes_left) {
		lingerer->bytes_left -= (size_t)n;
		return;
	}
	remove_and_close(list, lingerer);
}

static void close_with_reset(struct linger_list *list, struct lingerer *lingerer)
{
	struct linger at_once = {.l_onoff = 1, .l_linger = 0};
	setsockopt(lingerer->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	remove_and_close(list, lingerer);
}

void linger_expire(struct linger_list *list, uint64_t now_ms)
{
	while (list->count > 0 && oldest(list)->deadline_ms <= now_ms)
		close_with_reset(list, oldest(list));
}

uint64_t linger_deadline_ms(const struct linger_list *list)
{
	return list->count > 0 ? oldest(list)->deadline_ms : UINT64_MAX;
}
