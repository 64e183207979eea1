/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/server.h"

#include "base/mem.h"
#include "broker/guard.h"
#include "daemon/http_logins.h"
#include "daemon/process.h"
#include "daemon/verifier.h"
#include "daemon/worker.h"
#include "io/layered.h"
#include "io/stream_tcp.h"

#include <errno.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

/* A turn takes less, but when the machine is very busy. */
#define CHANGE_PATIENCE_MS 1000
#define CHANGE_LOOK_MS 1

struct server {
	struct crew crew;
	struct broker *broker;
	struct verifier verifier;        /* with the broker */
	struct http_logins *http_logins; /* the same; NULL: not in this build */
	unsigned open_count;             /* workers that are open */
	unsigned started_count;          /* and whose threads were started */
	struct worker workers[];
};

static void wake_shard(void *context, unsigned shard)
{
	struct server *s = context;
	loop_wake(&s->workers[shard].loop);
}

static int attach_stream(void *context, unsigned shard, struct stream *stream)
{
	struct server *s = context;
	struct loop *loop = &s->workers[shard].loop;
	return stream->layered ? layered_attach(stream, loop) : stream_tcp_attach(stream, loop);
}

static int judge_login(void *context, struct login *login)
{
	struct server *s = context;
	if (login->method == METHOD_HTTP)
		return http_logins_ask(s->http_logins, login);
	return verifier_ask(&s->verifier, login);
}

static int random_bytes(void *context, struct room room)
{
	(void)context;
	return getrandom(room.ptr, room.len, 0) == (ssize_t)room.len ? 0 : ERROR_SYSTEM;
}

static uint64_t weigh_memory(void *context)
{
	(void)context;
	return mem_weight();
}

static void log_event(void *context, unsigned shard, const struct event *event,
		      const struct event_detail *detail)
{
	struct server *s = context;
	log_buffer_event(&s->workers[shard].lines, event, detail);
}

static void settle_log(void *context, unsigned shard)
{
	struct server *s = context;
	log_buffer_flush(&s->workers[shard].lines);
}

static int open_workers(struct server *s)
{
	s->crew.ended_fd = eventfd(0, EFD_CLOEXEC);
	if (s->crew.ended_fd < 0)
		return ERROR_SYSTEM;
	for (unsigned i = 0; i < s->crew.worker_count; i++) {
		if (worker_open(&s->workers[i], &s->crew, i) != 0)
			return ERROR_SYSTEM;
		s->open_count++;
	}
	return 0;
}

static void wake_publisher(void *context)
{
	wake_shard(context, 0);
}

static int open_broker(struct server *s, const struct server_parts *parts)
{
	struct broker_hooks hooks = {
		.context = s,
		.wake = wake_shard,
		.attach = attach_stream,
		.memory = weigh_memory,
		.verify = judge_login,
		.random = random_bytes,
		.event = log_event,
		.settle = settle_log,
	};
	struct clock clock = {0};
	log_publish(parts->log, wake_publisher, s);
	s->broker = broker_new(parts->settings, &hooks, s->crew.worker_count, process_random(),
			       clock_now(&clock));
	if (!s->broker)
		return ERROR_NO_MEMORY;
	s->crew.broker = s->broker;
	verifier_init(&s->verifier, s->broker);
	s->http_logins = http_logins_new(s->broker, parts->log);
	if (!s->http_logins && http_logins_are_here())
		return ERROR_NO_MEMORY;
	for (unsigned i = 0; i < s->crew.worker_count; i++)
		s->workers[i].shard = broker_shard(s->broker, i);
	return broker_use_access(s->broker, access_ref(parts->access));
}

static int start_workers(struct server *s)
{
	for (unsigned i = 0; i < s->crew.worker_count; i++) {
		if (worker_start(&s->workers[i]) != 0)
			return ERROR_SYSTEM;
		s->started_count++;
	}
	return 0;
}

static struct server *server_new(const struct server_parts *parts)
{
	struct server *s = mem_zalloc(sizeof(*s) + parts->shard_count * sizeof(s->workers[0]));
	if (!s)
		return NULL;
	s->crew.log = parts->log;
	s->crew.listening = listening_ref(parts->listening);
	pthread_mutex_init(&s->crew.listening_mutex, NULL);
	s->crew.store = parts->store;
	s->crew.workers = s->workers;
	s->crew.worker_count = parts->shard_count;
	s->crew.running_count = parts->shard_count;
	s->crew.ended_fd = -1;
	return s;
}

static struct server *give_up(struct server *s)
{
	if (s) {
		server_stop(s, 0);
		server_join(s);
	}
	return NULL;
}

struct server *server_start(const struct server_parts *parts, char reason[STORE_REASON_MAX])
{
	struct server *s = server_new(parts);
	int error = s ? open_workers(s) : ERROR_NO_MEMORY;
	if (error == 0)
		error = open_broker(s, parts);
	if (error == 0 && store_start(parts->store, s->broker, s->crew.worker_count, reason) != 0)
		return give_up(s);
	if (error == 0)
		error = start_workers(s);
	if (error == 0)
		return s;
	snprintf(reason, STORE_REASON_MAX, "cannot start %u shards: %s", parts->shard_count,
		 error == ERROR_SYSTEM ? strerror(errno) : error_text(error));
	return give_up(s);
}

void server_stop(struct server *s, uint32_t drain_ms)
{
	atomic_store(&s->crew.drain_ms, drain_ms);
	atomic_store(&s->crew.is_stopping, true);
	for (unsigned i = 0; i < s->open_count; i++)
		loop_wake(&s->workers[i].loop);
}

void server_change_access(struct server *s, struct access *access)
{
	broker_change_access(s->broker, access);
}

void server_change_settings(struct server *s, const struct settings *shared)
{
	broker_change_settings(s->broker, shared);
}

void server_change_listening(struct server *s, struct listening *listening)
{
	pthread_mutex_lock(&s->crew.listening_mutex);
	struct listening *before = s->crew.listening;
	s->crew.listening = listening_ref(listening);
	atomic_fetch_add(&s->crew.listening_count, 1);
	pthread_mutex_unlock(&s->crew.listening_mutex);
	listening_unref(before);
	for (unsigned i = 0; i < s->open_count; i++)
		loop_wake(&s->workers[i].loop);
}

void server_recheck_peers(struct server *s)
{
	broker_recheck_peers(s->broker);
	for (unsigned i = 0; i < s->open_count; i++)
		loop_wake(&s->workers[i].loop);
}

void server_tell_subscriptions(struct server *s)
{
	broker_tell_subscriptions(s->broker);
	for (unsigned i = 0; i < s->open_count; i++)
		loop_wake(&s->workers[i].loop);
}

void server_want_checkpoint(struct server *s)
{
	broker_want_checkpoint(s->broker);
}

/* The loop, and not the shard, is woken: a shard's turn may be taken by another's thread. */
void server_ask_turns(struct server *s)
{
	for (unsigned i = 0; i < s->open_count; i++) {
		struct worker *w = &s->workers[i];
		w->asked_count = atomic_load_explicit(&w->turn_count, memory_order_relaxed);
		loop_wake(&w->loop);
	}
}

bool server_has_turned(const struct server *s, unsigned *shard_out)
{
	for (unsigned i = 0; i < s->open_count; i++) {
		const struct worker *w = &s->workers[i];
		if (atomic_load_explicit(&w->turn_count, memory_order_relaxed) == w->asked_count) {
			*shard_out = i;
			return false;
		}
	}
	return true;
}

void server_log_limits(struct server *s, bool always)
{
	const struct guard *g = broker_guard(s->broker);
	uint64_t delay_ms = atomic_load_explicit(&g->delay_peak_ms, memory_order_relaxed);
	char text[1024];
	guard_text(g, text, sizeof(text));
	if (text[0] || always)
		log_line(s->crew.log, LOG_TYPE_INFORMATION,
			 "Limits so far: %s. Clients waited for their turn at most %llu ms, on "
			 "average over two seconds.",
			 text[0] ? text : "nobody has met one", (unsigned long long)delay_ms);
}

/* A turn that is under way may be past all of it. The next one reads what was posted to the shard,
 * and finds other listeners, which the one behind it takes over. */
void server_await_changes(struct server *s)
{
	const struct timespec nap = {.tv_nsec = CHANGE_LOOK_MS * 1000000L};
	unsigned left = CHANGE_PATIENCE_MS / CHANGE_LOOK_MS, shard;
	for (unsigned turn = 0; turn < 3; turn++)
		for (server_ask_turns(s); !server_has_turned(s, &shard) && left > 0; left--)
			nanosleep(&nap, NULL);
}

int server_ended_fd(const struct server *s)
{
	return s->crew.ended_fd;
}

/* What the shards appended last comes back while the broker is still there. The broker closes what
 * is still connected, for which the loops must still be there. */
void server_join(struct server *s)
{
	log_publish(s->crew.log, NULL, NULL);
	for (unsigned i = 0; i < s->started_count; i++)
		pthread_join(s->workers[i].thread, NULL);
	if (s->broker) {
		verifier_stop(&s->verifier);
		http_logins_free(s->http_logins);
		broker_free(s->broker);
	}
	store_close(s->crew.store);
	for (unsigned i = 0; i < s->open_count; i++)
		worker_close(&s->workers[i]);
	listening_unref(s->crew.listening);
	pthread_mutex_destroy(&s->crew.listening_mutex);
	if (s->crew.ended_fd >= 0)
		close(s->crew.ended_fd);
	mem_free(s);
}
