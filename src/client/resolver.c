/* SPDX-License-Identifier: Apache-2.0 */
#include "client/resolver.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/mem.h"

enum resolver_state { RESOLVER_RUNS, RESOLVER_DONE, RESOLVER_ABANDONED };

struct resolver {
	const struct transport *transport;
	char *name;
	char *bind_name;
	uint16_t port;
	int wake_fd; /* of its own */
	struct resolved found;
	atomic_int state;
};

static void resolve(const struct transport *t, const char *name, uint16_t port,
		    const char *bind_name, bool may_wait, struct resolved *out)
{
	out->locals.count = 0;
	out->trouble = t->resolve(name, port, may_wait, &out->servers);
	if (!out->trouble && bind_name && port > 0)
		out->trouble = t->resolve(bind_name, 0, may_wait, &out->locals);
	if (out->trouble)
		out->servers.count = 0;
}

bool resolve_at_once(const struct transport *t, const char *name, uint16_t port,
		     const char *bind_name, struct resolved *out)
{
	resolve(t, name, port, bind_name, false, out);
	return !out->trouble || port == 0; /* a path asks nobody */
}

void resolve_and_wait(const struct transport *t, const char *name, uint16_t port,
		      const char *bind_name, struct resolved *out)
{
	resolve(t, name, port, bind_name, true, out);
}

static void resolver_free(struct resolver *r)
{
	if (r->wake_fd >= 0)
		close(r->wake_fd);
	mem_free(r->name);
	mem_free(r->bind_name);
	mem_free(r);
}

static void *run(void *context)
{
	struct resolver *r = context;
	uint64_t one = 1;
	int wake_fd = r->wake_fd;
	r->wake_fd = -1; /* whoever frees it may be quicker than we are here */
	resolve(r->transport, r->name, r->port, r->bind_name, true, &r->found);
	if (atomic_exchange(&r->state, RESOLVER_DONE) == RESOLVER_ABANDONED)
		resolver_free(r);
	else
		(void)!write(wake_fd, &one, sizeof(one));
	close(wake_fd);
	return NULL;
}

/* Without signals, and nobody joins it. */
static int start_thread(struct resolver *r)
{
	pthread_t thread;
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int error = pthread_create(&thread, NULL, run, r);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!error)
		pthread_detach(thread);
	return error;
}

struct resolver *resolver_start(const struct transport *t, const char *name, uint16_t port,
				const char *bind_name, int wake_fd)
{
	struct resolver *r = mem_zalloc(sizeof(*r));
	if (!r)
		return NULL;
	r->transport = t;
	r->port = port;
	r->wake_fd = fcntl(wake_fd, F_DUPFD_CLOEXEC, 0);
	r->name = mem_copy_text(span_of_text(name));
	r->bind_name = bind_name ? mem_copy_text(span_of_text(bind_name)) : NULL;
	bool is_whole = r->name && (r->bind_name || !bind_name) && r->wake_fd >= 0;
	if (is_whole && start_thread(r) == 0)
		return r;
	resolver_free(r);
	return NULL;
}

bool resolver_is_done(const struct resolver *r)
{
	return atomic_load(&r->state) == RESOLVER_DONE;
}

void resolver_take(struct resolver *r, struct resolved *out)
{
	*out = r->found;
	resolver_free(r);
}

void resolver_abandon(struct resolver *r)
{
	if (r && atomic_exchange(&r->state, RESOLVER_ABANDONED) == RESOLVER_DONE)
		resolver_free(r);
}
