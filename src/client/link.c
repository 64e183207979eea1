/* SPDX-License-Identifier: Apache-2.0 */
/* The socket of a client, from open to close. */
#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/mem.h"
#include "client/client_state.h"

/* How long the last bytes may take to leave, and then the server to close its end: long enough
 * for a slow link, short enough for one who waits. */
#define FLUSH_MS 2000
#define LINGER_MS 1000
/* One read, on the stack of whoever drives, and so many of them in a turn: others wait too. */
#define READ_BYTES ((size_t)16 << 10)
#define READS_MAX 16

static bool is_passing(int error)
{
	return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

/* --- open --- */

static void drop_socket(nj_client *c)
{
	resolver_abandon(c->resolver);
	c->resolver = NULL;
	carry_end(&c->carry);
	fault_lost(c);
	if (c->fd >= 0)
		close(c->fd); /* epoll forgets it by itself */
	c->fd = -1;
	c->interest = 0;
}

void link_begin_mqtt(nj_client *c, uint64_t now_ms)
{
	c->link = LINK_OPEN;
	c->cannot_write = c->is_finishing = false;
	if (engine_connect(c->engine, now_ms)) {
		drop_socket(c);
		connect_later(c, now_ms);
		events_disconnected(c, NJ_END_NO_MEMORY, 0, NULL);
	}
}

/* Where authentication is the application's, it may take its time to say how it begins. */
static void begin(nj_client *c, uint64_t now_ms)
{
	c->link = LINK_ASKING;
	if (auth_begin(c))
		link_begin_mqtt(c, now_ms);
}

/* What the layers say of why it ended; NULL: nothing. */
static const char *reason_of(const nj_client *c)
{
	return c->carry.reason[0] ? c->carry.reason : NULL;
}

static void open_failed(nj_client *c, int error, uint64_t now_ms)
{
	c->system_error = error;
	drop_socket(c);
	if (connect_next_candidate(c, now_ms))
		return;
	connect_later(c, now_ms);
	events_disconnected(c, NJ_END_UNREACHABLE, 0, reason_of(c));
}

static void shake(nj_client *c, uint64_t now_ms)
{
	int error = carry_open(&c->carry);
	if (error == 0)
		begin(c, now_ms);
	else if (error != ERROR_AGAIN)
		open_failed(c, error == ERROR_NO_MEMORY ? ENOMEM : EPROTO, now_ms);
}

static void connected(nj_client *c, uint64_t now_ms)
{
	const struct endpoint *e = &c->endpoints[c->endpoint_at];
	if (carry_begin(&c->carry, e, c->fd) != 0) {
		open_failed(c, ENOMEM, now_ms);
		return;
	}
	c->link = LINK_SHAKING;
	if (carry_is_used(&c->carry))
		shake(c, now_ms);
	else
		begin(c, now_ms);
}

void link_opened(nj_client *c, int fd, bool is_connected, uint64_t now_ms)
{
	struct epoll_event event = {.data.fd = fd};
	c->fd = fd;
	c->interest = 0;
	c->link = LINK_OPENING;
	if (epoll_ctl(c->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
		open_failed(c, errno, now_ms);
	else if (is_connected)
		connected(c, now_ms);
}

/* --- close --- */

void link_close(nj_client *c, uint64_t now_ms)
{
	drop_socket(c);
	c->link = LINK_DOWN;
	connect_later(c, now_ms);
	if (engine_is_idle(c->engine))
		events_disconnected(c, NJ_END_UNREACHABLE, 0, reason_of(c));
	else
		engine_lost(c->engine, now_ms);
}

/* The engine is done with this connection. */
static void finish(nj_client *c, uint64_t now_ms)
{
	if (!c->is_finishing)
		c->deadline_ms = now_ms + FLUSH_MS;
	c->is_finishing = true;
	if (c->cannot_write) {
		link_close(c, now_ms);
	} else if (engine_output(c->engine).len == 0 && !fault_has_output(c)) {
		carry_finish(&c->carry);
		transport_finish(c->fd);
		c->link = LINK_LINGERING;
		c->deadline_ms = now_ms + LINGER_MS;
	}
}

/* --- read and write --- */

ssize_t link_put(nj_client *c, struct span bytes)
{
	if (carry_is_used(&c->carry))
		return carry_write(&c->carry, bytes.ptr, bytes.len);
	return transport_write(c->fd, bytes.ptr, bytes.len);
}

ssize_t link_take(nj_client *c, struct room room)
{
	if (carry_is_used(&c->carry))
		return carry_read(&c->carry, room.ptr, room.len);
	return transport_read(c->fd, room.ptr, room.len);
}

static ssize_t put_bytes(nj_client *c, struct span bytes)
{
	return c->faults ? fault_write(c, bytes) : link_put(c, bytes);
}

static ssize_t get_bytes(nj_client *c, struct room room)
{
	return c->faults ? fault_read(c, room) : link_take(c, room);
}

void link_write(nj_client *c, uint64_t now_ms)
{
	if (c->link != LINK_OPEN)
		return;
	layer_flush(c->carry.top);
	for (;;) {
		struct span output = engine_output(c->engine);
		if ((output.len == 0 && !fault_has_output(c)) || c->cannot_write)
			break;
		ssize_t len = put_bytes(c, output);
		if (len < 0 && is_passing(errno))
			break;
		if (len < 0) {
			c->cannot_write = true; /* read what the server has left, then close */
			c->system_error = errno;
			break;
		}
		c->written += (uint64_t)len;
		engine_sent(c->engine, (size_t)len, now_ms);
		if ((size_t)len < output.len || len == 0)
			break;
	}
	delivery_written(c);
	if (engine_is_closing(c->engine))
		finish(c, now_ms);
}

static void ended(nj_client *c, ssize_t len, uint64_t now_ms)
{
	if (len < 0)
		c->system_error = reason_of(c) ? 0 : errno;
	link_close(c, now_ms);
}

static void read_some(nj_client *c, uint64_t now_ms)
{
	uint8_t bytes[READ_BYTES];
	for (unsigned i = 0; i < READS_MAX && c->link == LINK_OPEN && link_reads(c); i++) {
		ssize_t len = get_bytes(c, (struct room){bytes, sizeof(bytes)});
		if (len < 0 && is_passing(errno))
			return;
		if (len <= 0) {
			ended(c, len, now_ms);
			return;
		}
		engine_input(c->engine, span_of(bytes, (size_t)len), now_ms);
		if ((size_t)len < sizeof(bytes) || c->one_by_one)
			return;
	}
}

static void read_waste(nj_client *c, uint64_t now_ms)
{
	uint8_t bytes[1024];
	ssize_t len = transport_read(c->fd, bytes, sizeof(bytes));
	if (len == 0 || (len < 0 && !is_passing(errno)))
		link_close(c, now_ms);
}

void link_ready(nj_client *c, uint32_t epoll_events, uint64_t now_ms)
{
	if (c->link == LINK_OPENING) {
		int error = transport_opened(c->fd);
		if (error)
			open_failed(c, error, now_ms);
		else if (epoll_events & EPOLLOUT)
			connected(c, now_ms);
	} else if (c->link == LINK_SHAKING) {
		shake(c, now_ms);
	} else if (c->link == LINK_ASKING) {
		if (epoll_events & (EPOLLERR | EPOLLHUP))
			link_close(c, now_ms);
	} else if (c->link == LINK_LINGERING) {
		read_waste(c, now_ms);
	} else if (c->link == LINK_OPEN && epoll_events & ~(uint32_t)EPOLLOUT) {
		if (link_reads(c))
			read_some(c, now_ms);
		else if (epoll_events & (EPOLLERR | EPOLLHUP))
			link_close(c, now_ms); /* nothing can be written, nothing is to be read */
	}
}

bool link_reads(const nj_client *c)
{
	if (c->cannot_write)
		return true;
	return engine_wants_input(c->engine) && c->inbox_bytes < c->inbox_bytes_max &&
	       !engine_has_more(c->engine);
}

/* The socket would not tell of it. */
bool link_holds_bytes(const nj_client *c)
{
	return c->link == LINK_OPEN && layer_has_more(c->carry.top) && link_reads(c);
}

/* --- time --- */

static void timed_out(nj_client *c, uint64_t now_ms)
{
	c->is_late = true;
	if (c->link == LINK_OPENING || c->link == LINK_SHAKING)
		open_failed(c, ETIMEDOUT, now_ms);
	else
		link_close(c, now_ms);
}

void link_timers(nj_client *c, uint64_t now_ms)
{
	if (c->link == LINK_OPEN) {
		if (!link_reads(c) && engine_is_connected(c->engine))
			engine_not_reading(c->engine, now_ms);
		engine_tick(c->engine, now_ms);
		if (engine_is_connected(c->engine))
			c->deadline_ms = UINT64_MAX;
		if (now_ms >= fault_deadline(c))
			read_some(c, now_ms);
	}
	if ((c->fd >= 0 || c->resolver) && now_ms >= c->deadline_ms)
		timed_out(c, now_ms);
}

static uint32_t wanted(const nj_client *c)
{
	if (c->link == LINK_OPENING)
		return EPOLLOUT;
	if (c->link == LINK_ASKING)
		return 0;
	if (c->link == LINK_LINGERING)
		return EPOLLIN;
	bool is_blocked = layer_is_blocked(c->carry.top);
	if (c->link == LINK_SHAKING)
		return is_blocked ? EPOLLOUT : EPOLLIN;
	bool writes = is_blocked || ((engine_output(c->engine).len > 0 || fault_can_write(c)) &&
				     !c->cannot_write);
	return (link_reads(c) ? (uint32_t)EPOLLIN : 0) | (writes ? (uint32_t)EPOLLOUT : 0);
}

void link_watch(nj_client *c)
{
	if (c->fd < 0)
		return;
	uint32_t interest = wanted(c);
	struct epoll_event event = {.events = interest, .data.fd = c->fd};
	if (interest != c->interest && epoll_ctl(c->epoll_fd, EPOLL_CTL_MOD, c->fd, &event) == 0)
		c->interest = interest;
}
