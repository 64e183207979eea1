/* SPDX-License-Identifier: Apache-2.0 */
/* See bench_run.h. */
#include "cli/bench_run.h"

#include <errno.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/bench_parties.h"
#include "cli/bench_process.h"
#include "mqtt/reason.h"

/* One read: large enough that the call's cost vanishes, small enough to stay in the cache. */
#define INBOX_BYTES (256u << 10)
/* Answers to one full inbox and one turn of publications, or one message of the largest size. */
#define BATCH_BYTES (512u << 10)
/* Descriptors that are not connections: standard streams, epoll, /proc. */
#define DESCRIPTORS_SPARE 16

int bench_run_fail(struct bench_run *run, const char *format, ...)
{
	va_list arguments;
	if (run->failure[0])
		return ERROR_INVALID;
	va_start(arguments, format);
	vsnprintf(run->failure, sizeof(run->failure), format, arguments);
	va_end(arguments);
	return ERROR_INVALID;
}

const char *bench_role_name(enum bench_role role)
{
	static const char *const names[] = {
		[BENCH_PUBLISHER] = "publisher",
		[BENCH_SUBSCRIBER] = "subscriber",
		[BENCH_CLIENT] = "client",
	};
	return names[role];
}

int bench_run_fail_connection(struct bench_run *run, const struct bench_connection *c, int error)
{
	const char *reason = error == ERROR_SYSTEM ? strerror(errno) : error_text(error);
	if (c->carrier && bench_carrier_reason(c->carrier))
		reason = bench_carrier_reason(c->carrier);
	if (c->stage == BENCH_CONNECTING || c->stage == BENCH_SECURING)
		return bench_run_fail(run, "cannot connect to %s port %u: %s", run->options->host,
				      run->options->port, reason);
	if (error == ERROR_CLOSED)
		return bench_run_fail(
			run, "the server closed the connection of %s %u%s",
			bench_role_name(c->role), c->index,
			c->stage == BENCH_WAITS_FOR_CONNACK ? " without an answer to CONNECT" : "");
	return bench_run_fail(run, "the connection of %s %u failed: %s", bench_role_name(c->role),
			      c->index, reason);
}

int bench_run_fail_packet(struct bench_run *run, const struct bench_connection *c,
			  const struct bench_packet *packet)
{
	if (packet->type == PACKET_DISCONNECT)
		return bench_run_fail(
			run, "the server disconnected %s %u: %s", bench_role_name(c->role),
			c->index,
			reason_name(packet->body.len ? packet->body.ptr[0] : 0, PACKET_DISCONNECT));
	return bench_run_fail(run, "the server sent %s to %s %u, where it has no place",
			      packet_type_name(packet->type), bench_role_name(c->role), c->index);
}

int bench_run_fail_bytes(struct bench_run *run, const struct bench_connection *c)
{
	return bench_run_fail(run, "the server sent something that is not MQTT to %s %u",
			      bench_role_name(c->role), c->index);
}

int bench_run_send_batch(struct bench_run *run, struct bench_connection *c)
{
	run->wire.bytes_out += buffer_len(&run->batch);
	int error = bench_connection_send(c, buffer_content(&run->batch), run->epoll_fd);
	run->batch.end = 0;
	return error ? bench_run_fail_connection(run, c, error) : 0;
}

int bench_run_flush(struct bench_run *run, struct bench_connection *c)
{
	int error = bench_connection_flush(c, run->epoll_fd);
	return error ? bench_run_fail_connection(run, c, error) : 0;
}

static int find_server(struct bench_run *run)
{
	char port[8];
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
	snprintf(port, sizeof(port), "%u", run->options->port);
	int reason = getaddrinfo(run->options->host, port, &hints, &found);
	if (reason)
		return bench_run_fail(run, "cannot find host '%s': %s", run->options->host,
				      gai_strerror(reason));
	memcpy(&run->address.address, found->ai_addr, found->ai_addrlen);
	run->address.len = found->ai_addrlen;
	freeaddrinfo(found);
	return 0;
}

/* Raises the soft limit as far as it goes. */
static int reserve_descriptors(struct bench_run *run, uint64_t connections)
{
	struct rlimit limit;
	uint64_t needed = connections + DESCRIPTORS_SPARE;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return bench_run_fail(run, "cannot read the limit of open files: %s",
				      strerror(errno));
	if (limit.rlim_cur >= needed)
		return 0;
	if (limit.rlim_max < needed)
		return bench_run_fail(run,
				      "%llu connections need %llu open files, and this process may "
				      "have %llu (ulimit -Hn)",
				      (unsigned long long)connections, (unsigned long long)needed,
				      (unsigned long long)limit.rlim_max);
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		return bench_run_fail(run, "cannot raise the limit of open files: %s",
				      strerror(errno));
	return 0;
}

static int allocate(struct bench_run *run)
{
	size_t batch_bytes = BATCH_BYTES + bench_parties_payload_max(run);
	run->inbox.len = BENCH_PACKET_HEAD_MAX + INBOX_BYTES;
	run->inbox.ptr = mem_alloc(run->inbox.len);
	if (!run->inbox.ptr || buffer_reserve(&run->batch, batch_bytes) != 0)
		return ERROR_NO_MEMORY;
	/* The padding of all payloads; what else is written over it does no harm. */
	memset(run->batch.ptr, 'x', run->batch.capacity);
	return 0;
}

int bench_run_init(struct bench_run *run, const struct bench_options *options)
{
	*run = (struct bench_run){.options = options,
				  .id = (uint32_t)getpid(),
				  .epoll_fd = -1,
				  .measured_from_ns = UINT64_MAX};
	char reason[TLS_REASON_MAX];
	bench_parties_count(run);
	int error = find_server(run);
	if (!error && bench_carriage_init(&run->carriage, options, reason) != 0)
		error = bench_run_fail(run, "%s", reason);
	if (!error)
		error = reserve_descriptors(run, (uint64_t)run->publisher_count +
							 run->subscriber_count + run->client_count);
	if (error)
		return error;
	error = bench_parties_init(run);
	if (!error)
		error = allocate(run);
	if (error)
		return bench_run_fail(run, "not enough memory for so many connections");
	/* The kernel may delay a timed wait by 50 us to save wake-ups; a pace needs it exact. */
	prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
	run->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (run->epoll_fd < 0)
		return bench_run_fail(run, "cannot use epoll: %s", strerror(errno));
	return 0;
}

void bench_run_release(struct bench_run *run)
{
	bench_parties_release(run);
	bench_carriage_release(&run->carriage);
	mem_free(run->inbox.ptr);
	buffer_release(&run->batch);
	if (run->epoll_fd >= 0)
		close(run->epoll_fd);
}

/* epoll_pwait2 came with Linux 5.11; before, a wait is rounded up to whole milliseconds. */
static int wait_ns(struct bench_run *run, uint64_t ns)
{
	struct timespec timeout = {(time_t)(ns / BENCH_NS_PER_S), (long)(ns % BENCH_NS_PER_S)};
	int count = epoll_pwait2(run->epoll_fd, run->events, BENCH_EVENTS_MAX, &timeout, NULL);
	if (count < 0 && errno == ENOSYS)
		count = epoll_wait(run->epoll_fd, run->events, BENCH_EVENTS_MAX,
				   (int)((ns + 999999) / 1000000));
	return count;
}

int bench_run_wait(struct bench_run *run, uint64_t until_ns, int *count_out)
{
	int count;
	do {
		uint64_t now_ns = bench_now_ns();
		count = wait_ns(run, until_ns > now_ns ? until_ns - now_ns : 0);
	} while (count < 0 && errno == EINTR);
	if (count < 0)
		return bench_run_fail(run, "cannot wait for the server: %s", strerror(errno));
	*count_out = count;
	return 0;
}

static uint64_t own_cpu_ns(void)
{
	struct timespec time;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return (uint64_t)time.tv_sec * BENCH_NS_PER_S + (uint64_t)time.tv_nsec;
}

static int fail_process(struct bench_run *run)
{
	return bench_run_fail(run, "cannot measure server process %u: %s", run->options->server_pid,
			      errno == ESRCH || errno == ENOENT ? "there is no such process"
								: strerror(errno));
}

int bench_run_mark(struct bench_run *run, struct bench_mark *mark_out)
{
	uint32_t pid = run->options->server_pid;
	struct bench_mark mark = {
		.counts = run->counts, .wire = run->wire, .own_cpu_ns = own_cpu_ns()};
	if (pid && bench_process_cpu(pid, &mark.server_cpu_ns) != 0)
		return fail_process(run);
	mark.time_ns = bench_now_ns();
	*mark_out = mark;
	return 0;
}

int bench_run_measure_rss(struct bench_run *run, uint64_t *rss_bytes_out)
{
	uint32_t pid = run->options->server_pid;
	if (pid && bench_process_rss(pid, rss_bytes_out) != 0)
		return fail_process(run);
	return 0;
}
