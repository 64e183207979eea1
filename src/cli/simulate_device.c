/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/simulate_device.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"

/* Full jitter, as the library's defaults. */
#define RETRY_BASE_MS 1000
#define RETRY_MAX_MS 60000
/* How long the server may take to close its end. */
#define LINGER_MS 2000
/* One read; the room is shared by all devices. */
#define INPUT_BYTES ((size_t)64 << 10)

uint64_t simulate_now_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* --- the socket --- */

static void drop_socket(struct simulate_device *d)
{
	if (d->fd >= 0)
		close(d->fd);
	d->fd = -1;
	d->interest = 0;
}

static void retry_later(struct simulate_device *d)
{
	uint64_t longest = RETRY_BASE_MS;
	for (uint32_t i = 0; i < d->tries && longest < RETRY_MAX_MS; i++)
		longest *= 2;
	longest = longest < RETRY_MAX_MS ? longest : RETRY_MAX_MS;
	d->tries++;
	d->state = DEVICE_WAITING;
	d->wait_ms = d->field->now_ms + simulate_random(&d->chance) % (longest + 1);
}

/* Nothing is open any more. */
static void rest(struct simulate_device *d)
{
	drop_socket(d);
	d->state = DEVICE_OFF;
	if (d->is_on && !d->field->is_ending)
		retry_later(d);
}

static void open_failed(struct simulate_device *d, int error)
{
	struct simulate_field *f = d->field;
	f->count.failures++;
	if (f->trouble[0] == '\0')
		snprintf(f->trouble, sizeof(f->trouble), "%s %u cannot connect: %s", d->kind->name,
			 d->id, strerror(error));
	rest(d);
}

static void close_connection(struct simulate_device *d)
{
	drop_socket(d);
	engine_lost(d->engine, d->field->now_ms);
	rest(d);
}

static void watch(struct simulate_device *d)
{
	bool writes = d->state == DEVICE_OPENING ||
		      (d->state == DEVICE_OPEN && engine_output(d->engine).len > 0);
	uint32_t wanted = (d->state == DEVICE_OPENING ? 0u : EPOLLIN) | (writes ? EPOLLOUT : 0u);
	struct epoll_event event = {.events = wanted, .data.ptr = d};
	if (d->fd < 0 || wanted == d->interest)
		return;
	int operation = d->interest == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
	if (epoll_ctl(d->field->epoll_fd, operation, d->fd, &event) != 0)
		d->field->is_out_of_memory = true;
	d->interest = wanted;
}

static void begin_mqtt(struct simulate_device *d)
{
	d->state = DEVICE_OPEN;
	if (engine_connect(d->engine, d->field->now_ms)) {
		d->field->is_out_of_memory = true;
		rest(d);
	}
}

static void open_socket(struct simulate_device *d)
{
	const struct sockaddr *to = (const struct sockaddr *)&d->field->address;
	int one = 1;
	d->fd = socket(to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (d->fd < 0) {
		open_failed(d, errno);
		return;
	}
	(void)setsockopt(d->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	d->state = DEVICE_OPENING;
	if (connect(d->fd, to, d->field->address_len) == 0)
		begin_mqtt(d);
	else if (errno != EINPROGRESS)
		open_failed(d, errno);
}

static void opened(struct simulate_device *d)
{
	int error = 0;
	socklen_t len = sizeof(error);
	if (getsockopt(d->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		error = errno;
	if (error)
		open_failed(d, error);
	else
		begin_mqtt(d);
}

static bool is_passing(int error)
{
	return error == EAGAIN || error == EINTR;
}

static void write_out(struct simulate_device *d)
{
	while (d->state == DEVICE_OPEN) {
		struct span output = engine_output(d->engine);
		if (output.len == 0)
			break;
		ssize_t len = send(d->fd, output.ptr, output.len, MSG_NOSIGNAL);
		if (len < 0 && !is_passing(errno))
			close_connection(d);
		if (len < 0)
			return;
		engine_sent(d->engine, (size_t)len, d->field->now_ms);
	}
	if (d->state == DEVICE_OPEN && engine_is_closing(d->engine)) {
		/* closing with unread input would reset the connection, and DISCONNECT with it */
		(void)shutdown(d->fd, SHUT_WR);
		d->state = DEVICE_LINGERING;
		d->wait_ms = d->field->now_ms + LINGER_MS;
	}
}

static void read_in(struct simulate_device *d)
{
	ssize_t len = recv(d->fd, d->field->input, INPUT_BYTES, 0);
	if (len > 0 && d->state == DEVICE_OPEN)
		engine_input(d->engine, span_of(d->field->input, (size_t)len), d->field->now_ms);
	else if (len == 0 || (len < 0 && !is_passing(errno)))
		close_connection(d);
}

/* --- on and off --- */

/* Some ends are as a cut cable's: the server is to find out, and publishes the will. */
static void turn_off(struct simulate_device *d)
{
	bool is_cut = simulate_random(&d->chance) % 100 < d->kind->cut;
	d->is_on = false;
	if (d->state == DEVICE_OPEN && !is_cut && d->is_connected)
		engine_disconnect(d->engine, NULL);
	else if (d->state == DEVICE_OPEN)
		close_connection(d);
	else if (d->state != DEVICE_LINGERING)
		rest(d);
}

static void change(struct simulate_device *d)
{
	const struct simulate_kind *k = d->kind;
	if (d->is_on)
		turn_off(d);
	else
		d->is_on = true;
	uint64_t next = d->is_on ? k->on_ms : k->off_ms;
	d->change_ms = next > 0 ? d->field->now_ms + simulate_jitter(d, next, k->churn_jitter)
				: UINT64_MAX;
}

void simulate_device_leave(struct simulate_device *d)
{
	d->change_ms = UINT64_MAX;
	d->is_on = false;
	if (d->state == DEVICE_OPEN && d->is_connected)
		engine_disconnect(d->engine, NULL);
	else if (d->state == DEVICE_OPEN)
		close_connection(d);
	else if (d->state != DEVICE_LINGERING)
		rest(d);
	simulate_device_tick(d);
}

/* --- time --- */

static uint64_t earliest(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void set_timer(struct simulate_device *d)
{
	uint64_t due = d->field->is_ending ? UINT64_MAX : d->change_ms;
	if (d->state == DEVICE_WAITING || d->state == DEVICE_LINGERING)
		due = earliest(due, d->wait_ms);
	if (d->state == DEVICE_OPEN) {
		due = earliest(due, engine_deadline(d->engine));
		if (d->is_connected)
			due = earliest(due, simulate_publish_next(d));
	}
	if (due == UINT64_MAX)
		timer_cancel(&d->field->wheel, &d->timer);
	else
		timer_set(&d->field->wheel, &d->timer, due);
}

void simulate_device_tick(struct simulate_device *d)
{
	uint64_t now_ms = d->field->now_ms;
	bool is_ending = d->field->is_ending;
	if (d->change_ms <= now_ms && !is_ending)
		change(d);
	if (d->state == DEVICE_LINGERING && d->wait_ms <= now_ms)
		close_connection(d);
	bool is_due =
		d->state == DEVICE_OFF || (d->state == DEVICE_WAITING && d->wait_ms <= now_ms);
	if (is_due && d->is_on && !is_ending)
		open_socket(d);
	if (d->state == DEVICE_OPEN) {
		engine_tick(d->engine, now_ms);
		if (d->is_connected)
			simulate_publish_due(d);
		write_out(d);
	}
	watch(d);
	set_timer(d);
}

void simulate_device_ready(struct simulate_device *d, uint32_t epoll_events)
{
	if (d->fd < 0)
		return; /* closed earlier in this turn */
	if (d->state == DEVICE_OPENING)
		opened(d);
	else if (epoll_events & ~(uint32_t)EPOLLOUT)
		read_in(d);
	simulate_device_tick(d);
}

/* --- life --- */

int simulate_device_init(struct simulate_device *d, struct simulate_field *field,
			 const struct simulate_kind *kind, uint32_t id, uint64_t seed)
{
	*d = (struct simulate_device){
		.field = field, .kind = kind, .id = id, .fd = -1, .random = seed};
	d->chance = simulate_random(&d->random);
	d->cells = mem_zalloc((kind->cell_count + 1) * sizeof(*d->cells));
	d->due_ms = mem_zalloc((kind->flow_count + 1) * sizeof(*d->due_ms));
	if (!d->cells || !d->due_ms)
		return ERROR_NO_MEMORY;
	d->change_ms = field->now_ms;
	if (kind->start_ms > 0)
		d->change_ms += simulate_random(&d->chance) % kind->start_ms;
	timer_set(&field->wheel, &d->timer, d->change_ms);
	return simulate_engine_new(d);
}

void simulate_device_release(struct simulate_device *d)
{
	drop_socket(d);
	engine_free(d->engine);
	mem_free(d->cells);
	mem_free(d->due_ms);
}
