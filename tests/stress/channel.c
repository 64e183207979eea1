/* SPDX-License-Identifier: Apache-2.0 */
#include "channel.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BYTES 16384

static int epoll_set = -1;
static struct sockaddr_in broker;
static struct channel *buried;

void channels_init(uint16_t port)
{
	epoll_set = epoll_create1(EPOLL_CLOEXEC);
	ASSERT(epoll_set >= 0);
	broker = (struct sockaddr_in){.sin_family = AF_INET,
				      .sin_port = htons(port),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

void channels_set_port(uint16_t port)
{
	broker.sin_port = htons(port);
}

void channels_release(void)
{
	channel_bury();
	close(epoll_set);
}

int channels_epoll(void)
{
	return epoll_set;
}

struct channel *channel_open(void *owner)
{
	struct channel *k = mem_zalloc(sizeof(*k));
	ASSERT(k);
	k->owner = owner;
	k->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	ASSERT(k->fd >= 0);
	int on = 1;
	setsockopt(k->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	/* On the loopback a connection is there at once, or its backlog is full for a moment. */
	int result = connect(k->fd, (struct sockaddr *)&broker, sizeof(broker));
	/* A refusal shows at the first read. */
	ASSERT(result == 0 || errno == EINPROGRESS || errno == ECONNREFUSED);
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = k};
	k->events = event.events;
	ASSERT(epoll_ctl(epoll_set, EPOLL_CTL_ADD, k->fd, &event) == 0);
	return k;
}

void channel_close(struct channel *k, bool resets)
{
	if (resets) {
		struct linger now = {.l_onoff = 1};
		setsockopt(k->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	}
	close(k->fd);
	k->fd = -1;
	buffer_release(&k->in);
	buffer_release(&k->out);
	k->next_buried = buried;
	buried = k;
}

void channel_bury(void)
{
	while (buried) {
		struct channel *k = buried;
		buried = k->next_buried;
		mem_free(k);
	}
}

static void want(struct channel *k, uint32_t bit, bool wants)
{
	uint32_t events = wants ? k->events | bit : k->events & ~bit;
	if (events == k->events)
		return;
	k->events = events;
	struct epoll_event event = {.events = events, .data.ptr = k};
	ASSERT(epoll_ctl(epoll_set, EPOLL_CTL_MOD, k->fd, &event) == 0);
}

void channel_want_read(struct channel *k, bool wants)
{
	want(k, EPOLLIN, wants);
}

void channel_leave_behind(struct channel *k)
{
	k->owner = NULL;
	buffer_release(&k->out);
	want(k, EPOLLOUT, false);
	want(k, EPOLLIN, true);
}

void channel_flush(struct channel *k)
{
	while (buffer_len(&k->out) > 0) {
		struct span rest = buffer_content(&k->out);
		ssize_t sent = send(k->fd, rest.ptr, rest.len, MSG_NOSIGNAL);
		if (sent < 0) {
			/* A broken connection shows at the next read. */
			want(k, EPOLLOUT, errno == EAGAIN || errno == ENOTCONN);
			return;
		}
		buffer_consume(&k->out, (size_t)sent);
	}
	want(k, EPOLLOUT, false);
}

void channel_send(struct channel *k, struct span packet)
{
	ASSERT(buffer_append(&k->out, packet) == 0);
	if (!(k->events & EPOLLOUT))
		channel_flush(k);
}

bool channel_fill(struct channel *k)
{
	ASSERT(buffer_reserve(&k->in, READ_BYTES) == 0);
	struct room room = buffer_room(&k->in);
	ssize_t got = recv(k->fd, room.ptr, room.len, 0);
	if (got < 0)
		return errno == EAGAIN || errno == EINTR;
	buffer_commit(&k->in, (size_t)got);
	return got > 0;
}

bool channel_packet(const struct channel *k, struct fixed_header *header, struct span *body)
{
	const struct flaw *flaw = NULL;
	struct span content = buffer_content(&k->in);
	enum header_result result = fixed_header_decode(content, header, &flaw);
	ASSERT(result != HEADER_MALFORMED);
	if (result != HEADER_OK || content.len - header->header_len < header->remaining_length)
		return false;
	*body = span_of(content.ptr + header->header_len, header->remaining_length);
	return true;
}
