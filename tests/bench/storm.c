/* SPDX-License-Identifier: Apache-2.0 */
/*
 * COUNT clients of libnightjar in one event loop, for tests/bench/storm.py: what a fleet does when
 * its broker is gone. Prints a line for each connection made (C), lost (L) and attempt that failed
 * (F), with the time in microseconds of the monotonic clock; "up" whenever all are connected.
 *
 *	storm mqtt://127.0.0.1:1883 COUNT FIRST_NUMBER
 */
#include <nightjar/client.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>

/* How often deadlines are looked at: they are of seconds. */
#define SCAN_US 2000
#define EVENTS 256

struct member {
	nj_client *client;
	int64_t due_us; /* INT64_MAX: never */
	int is_connected;
};

static struct member *members;
static long member_count, connected_count;
static int64_t now_us;

static int64_t clock_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void note(char kind)
{
	printf("%c %lld\n", kind, (long long)clock_us());
}

static void on_connected(nj_client *client, void *context, const struct nj_connected *connected)
{
	struct member *m = context;
	(void)client;
	(void)connected;
	m->is_connected = 1;
	note('C');
	if (++connected_count == member_count)
		puts("up");
	if (connected_count == member_count)
		fflush(stdout);
}

static void on_disconnected(nj_client *client, void *context, const struct nj_disconnected *end)
{
	struct member *m = context;
	(void)client;
	(void)end;
	connected_count -= m->is_connected;
	note(m->is_connected ? 'L' : 'F');
	m->is_connected = 0;
}

static void step(struct member *m)
{
	nj_step(m->client);
	int timeout_ms = nj_timeout_ms(m->client);
	m->due_us = timeout_ms < 0 ? INT64_MAX : now_us + (int64_t)timeout_ms * 1000;
}

static void begin(struct member *m, const char *address, long number, int epoll_fd)
{
	struct nj_options options = NJ_OPTIONS_INIT; /* reconnect by its defaults */
	struct epoll_event event = {0};
	char id[32], filter[48];
	snprintf(id, sizeof(id), "storm-%ld", number);
	snprintf(filter, sizeof(filter), "storm/%ld/#", number);
	options.address = address;
	options.client_id = id;
	options.context = m;
	options.callbacks.connected = on_connected;
	options.callbacks.disconnected = on_disconnected;
	if (nj_new(&options, &m->client) != 0 || nj_connect(m->client, 0) != 0 ||
	    nj_subscribe_to(m->client, filter, 1) != 0)
		abort();
	event.events = EPOLLIN;
	event.data.ptr = m;
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, nj_descriptor(m->client), &event) != 0)
		abort();
	step(m);
}

static void loop(int epoll_fd)
{
	struct epoll_event ready[EVENTS];
	int64_t scan_us = 0;
	for (;;) {
		int count = epoll_wait(epoll_fd, ready, EVENTS, SCAN_US / 1000);
		now_us = clock_us();
		for (int i = 0; i < count; i++)
			step(ready[i].data.ptr);
		if (now_us < scan_us)
			continue;
		scan_us = now_us + SCAN_US;
		for (long i = 0; i < member_count; i++)
			if (members[i].due_us <= now_us)
				step(&members[i]);
	}
}

int main(int argc, char **argv)
{
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	member_count = argc == 4 ? atol(argv[2]) : 0;
	if (member_count < 1 || epoll_fd < 0)
		return 2;
	members = calloc((size_t)member_count, sizeof(*members));
	if (!members)
		return 1;
	now_us = clock_us();
	for (long i = 0; i < member_count; i++)
		begin(&members[i], argv[1], atol(argv[3]) + i, epoll_fd);
	loop(epoll_fd);
	return 0;
}
