/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/simulate_run.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"

#define INPUT_BYTES ((size_t)64 << 10)
#define EVENTS_MAX 512
/* Descriptors that are no connections: standard streams, epoll, the files of a script. */
#define DESCRIPTORS_SPARE 16
/* How long the end waits for acknowledgements, and then for goodbyes. */
#define DRAIN_MS 5000
#define LEAVE_MS 3000
#define PROGRESS_MS 500

static int fail(struct simulate_run *run, int error, const char *what, const char *why)
{
	snprintf(run->failure, sizeof(run->failure), "%s: %s", what, why);
	return error;
}

/* --- before --- */

static int find_server(struct simulate_run *run, const char *host, uint16_t port)
{
	char service[8], what[128];
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
	snprintf(service, sizeof(service), "%u", port);
	int reason = getaddrinfo(host, service, &hints, &found);
	if (reason) {
		snprintf(what, sizeof(what), "cannot find host '%.80s'", host);
		return fail(run, ERROR_INVALID, what, gai_strerror(reason));
	}
	memcpy(&run->field.address, found->ai_addr, found->ai_addrlen);
	run->field.address_len = found->ai_addrlen;
	freeaddrinfo(found);
	return 0;
}

static int reserve_descriptors(struct simulate_run *run)
{
	struct rlimit limit;
	rlim_t needed = run->script->device_count + DESCRIPTORS_SPARE;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return fail(run, ERROR_SYSTEM, "the limit of open files", strerror(errno));
	if (limit.rlim_cur >= needed)
		return 0;
	if (limit.rlim_max < needed) {
		snprintf(run->failure, sizeof(run->failure),
			 "%u devices need %llu open files, and this process may have %llu (ulimit "
			 "-Hn)",
			 run->script->device_count, (unsigned long long)needed,
			 (unsigned long long)limit.rlim_max);
		return ERROR_LIMIT;
	}
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		return fail(run, ERROR_SYSTEM, "the limit of open files", strerror(errno));
	return 0;
}

/* Each device has a seed of its own, so that what one does depends on no other. */
static int make_devices(struct simulate_run *run)
{
	const struct simulate_script *s = run->script;
	uint64_t seeds = s->seed;
	uint32_t at = 0;
	for (uint32_t i = 0; i < s->kind_count; i++) {
		for (uint32_t id = 1; id <= s->kinds[i].count; id++) {
			int error = simulate_device_init(&run->devices[at++], &run->field,
							 &s->kinds[i], id, simulate_random(&seeds));
			if (error == ERROR_INVALID)
				return fail(run, error, s->kinds[i].name,
					    "client id, user name, password and will must be "
					    "something that MQTT can carry");
			if (error)
				return fail(run, error, "devices", error_text(error));
		}
	}
	return 0;
}

static uint64_t wall_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

int simulate_run_init(struct simulate_run *run, const struct simulate_script *script,
		      const char *host, uint16_t port)
{
	struct simulate_field *f = &run->field;
	*run = (struct simulate_run){.script = script, .end_ms = UINT64_MAX};
	f->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	f->input = mem_alloc(INPUT_BYTES);
	run->devices = mem_zalloc(script->device_count * sizeof(*run->devices));
	if (f->epoll_fd < 0)
		return fail(run, ERROR_SYSTEM, "epoll", strerror(errno));
	if (!f->input || !run->devices)
		return fail(run, ERROR_NO_MEMORY, "devices", error_text(ERROR_NO_MEMORY));
	/* never a device that release does not know */
	for (uint32_t i = 0; i < script->device_count; i++)
		run->devices[i].fd = -1;
	int error = find_server(run, host, port);
	if (!error)
		error = reserve_descriptors(run);
	f->now_ms = f->start_ms = simulate_now_us() / 1000;
	f->wall_ms = wall_ms();
	timer_wheel_init(&f->wheel, f->now_ms);
	return error ? error : make_devices(run);
}

void simulate_run_release(struct simulate_run *run)
{
	for (uint32_t i = 0; run->devices && i < run->script->device_count; i++)
		simulate_device_release(&run->devices[i]);
	mem_free(run->devices);
	mem_free(run->field.input);
	buffer_release(&run->field.topic);
	buffer_release(&run->field.payload);
	if (run->field.epoll_fd >= 0)
		close(run->field.epoll_fd);
}

/* --- the run --- */

static uint64_t earliest(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* One turn: timers, then sockets. Sleeps until then at most. */
static int turn(struct simulate_run *run, uint64_t until_ms)
{
	struct simulate_field *f = &run->field;
	struct epoll_event events[EVENTS_MAX];
	struct timer *t;
	f->now_ms = simulate_now_us() / 1000;
	while ((t = timer_next(&f->wheel, f->now_ms)))
		simulate_device_tick(CONTAINER_OF(t, struct simulate_device, timer));
	uint64_t wait = until_ms > f->now_ms ? until_ms - f->now_ms : 0;
	wait = earliest(wait, timer_wait_ms(&f->wheel, f->now_ms));
	int count = epoll_wait(f->epoll_fd, events, EVENTS_MAX,
			       wait > INT32_MAX ? INT32_MAX : (int)wait);
	if (count < 0 && errno != EINTR)
		return fail(run, ERROR_SYSTEM, "epoll", strerror(errno));
	f->now_ms = simulate_now_us() / 1000;
	for (int i = 0; i < count; i++)
		simulate_device_ready(events[i].data.ptr, events[i].events);
	if (f->is_out_of_memory)
		return fail(run, ERROR_NO_MEMORY, "devices", error_text(ERROR_NO_MEMORY));
	return 0;
}

static bool is_everything_acknowledged(const struct simulate_run *run)
{
	return run->field.count.unfinished == 0;
}

static bool is_everyone_off(const struct simulate_run *run)
{
	for (uint32_t i = 0; i < run->script->device_count; i++)
		if (run->devices[i].fd >= 0)
			return false;
	return true;
}

static bool is_never_over(const struct simulate_run *run)
{
	(void)run;
	return false;
}

/* Until then, until it is done, or until so many signals have come. */
static int turn_until(struct simulate_run *run, uint64_t until_ms,
		      bool (*is_done)(const struct simulate_run *run), int signal_count)
{
	uint64_t shown_ms = 0;
	int error = 0;
	while (!error && run->field.now_ms < until_ms && !is_done(run) &&
	       *run->signal_count < signal_count) {
		if (run->shows_progress && run->field.now_ms >= shown_ms + PROGRESS_MS) {
			shown_ms = run->field.now_ms;
			simulate_report_progress(run);
		}
		/* also wakes in time for a signal that came just before the wait */
		error = turn(run, earliest(until_ms, run->field.now_ms + PROGRESS_MS));
	}
	return error;
}

static uint64_t cpu_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static int say_goodbye(struct simulate_run *run)
{
	for (uint32_t i = 0; i < run->script->device_count; i++)
		simulate_device_leave(&run->devices[i]);
	return turn_until(run, run->field.now_ms + LEAVE_MS, is_everyone_off, 2);
}

int simulate_run(struct simulate_run *run)
{
	struct simulate_field *f = &run->field;
	int error = turn_until(run, run->end_ms, is_never_over, 1);
	run->ran_ms = f->now_ms - f->start_ms;
	f->is_ending = true;
	if (!error)
		error = turn_until(run, f->now_ms + DRAIN_MS, is_everything_acknowledged, 2);
	run->lost = f->count.unfinished;
	if (!error)
		error = say_goodbye(run);
	run->cpu_us = cpu_us();
	if (run->shows_progress)
		fputs("\r\033[K", stderr);
	return error;
}
