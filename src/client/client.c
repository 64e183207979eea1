/* SPDX-License-Identifier: Apache-2.0 */
/* A client's life: made, connected, disconnected, freed. */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/mem.h"
#include "client/kept.h"

const char *nj_error_text(int error)
{
	static const char *const texts[] = {
		[0] = "no error",
		[-NJ_ERROR_NO_MEMORY] = "no memory",
		[-NJ_ERROR_LIMIT] = "beyond a limit of the protocol or the server",
		[-NJ_ERROR_SYSTEM] = "a system call failed",
		[-NJ_ERROR_INVALID] = "an argument cannot be used",
		[-NJ_ERROR_FULL] = "the outbox is full",
		[-NJ_ERROR_CLOSED] = "there is no connection, and there will be none",
		[-NJ_ERROR_NOT_FOUND] = "the message needs no acknowledgement",
		[-NJ_ERROR_TIMED_OUT] = "the time is over",
		[-NJ_ERROR_WOULD_WAIT] = "a callback may not wait",
		[-NJ_ERROR_REFUSED] = "the server refuses the connection",
		[-NJ_ERROR_STORE] = "the store cannot be used",
	};
	bool is_known = error <= 0 && (size_t) - (long)error < ARRAY_COUNT(texts);
	return is_known && texts[-error] ? texts[-error] : "unknown error";
}

/* --- make --- */

static void init_lists(nj_client *c)
{
	struct link *const lists[] = {&c->unwritten,     &c->requests,
				      &c->requests_sent, &c->subscriptions,
				      &c->inbox,         &c->again,
				      &c->held,          &c->events,
				      &c->handing,       &c->responses.outstanding};
	for (size_t i = 0; i < ARRAY_COUNT(lists); i++)
		list_init(lists[i]);
}

static int init_locks(nj_client *c)
{
	pthread_condattr_t monotonic;
	if (pthread_mutex_init(&c->mutex, NULL) != 0)
		return ERROR_SYSTEM;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	int error = pthread_cond_init(&c->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	if (error)
		pthread_mutex_destroy(&c->mutex);
	return error ? ERROR_SYSTEM : 0;
}

static int open_descriptors(nj_client *c)
{
	struct epoll_event event = {.events = EPOLLIN};
	c->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	c->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	event.data.fd = c->wake_fd;
	if (c->epoll_fd < 0 || c->wake_fd < 0 ||
	    epoll_ctl(c->epoll_fd, EPOLL_CTL_ADD, c->wake_fd, &event) != 0)
		return ERROR_SYSTEM;
	return 0;
}

static void close_descriptors(nj_client *c)
{
	int *const fds[] = {&c->fd, &c->epoll_fd, &c->wake_fd};
	for (size_t i = 0; i < ARRAY_COUNT(fds); i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
}

/* All but the lock and the structure itself. */
static void release(nj_client *c)
{
	int saved = errno;
	close_descriptors(c);
	engine_free(c->engine);
	c->engine = NULL;
	client_forget_endpoints(c);
	carry_release(&c->carry);
	mem_free(c->slots);
	mem_free((void *)c->connack_properties.ptr);
	mem_free((void *)c->farewell_properties.ptr);
	resolver_abandon(c->resolver);
	c->resolver = NULL;
	auth_release(c);
	request_release(c);
	fault_release(c);
	errno = saved;
}

/* What the caller's header did not know yet has its default. */
static bool complete_options(const struct nj_options *given, struct nj_options *out)
{
	*out = (struct nj_options)NJ_OPTIONS_INIT;
	if (given->size > sizeof(*out) || given->size < sizeof(given->size))
		return false;
	memcpy(out, given, given->size);
	return true;
}

const char *nj_options_problem(const struct nj_options *given)
{
	struct nj_options options;
	if (!complete_options(given, &options))
		return "size is not that of struct nj_options: begin with NJ_OPTIONS_INIT, and use "
		       "the header of this library";
	return client_options_problem(&options);
}

/* --- free --- */

void client_unref(nj_client *c)
{
	bool is_last = --c->reference_count == 0;
	pthread_mutex_unlock(&c->mutex);
	if (!is_last)
		return;
	pthread_cond_destroy(&c->changed);
	pthread_mutex_destroy(&c->mutex);
	mem_free(c);
}

/* Deliveries and messages that the application holds keep the lock alive, and nothing else. */
static void dispose(nj_client *c)
{
	/* first, and without the lock: the store tells of all that is still on its way */
	pthread_mutex_unlock(&c->mutex);
	kept_close(c);
	pthread_mutex_lock(&c->mutex);
	events_drop(&c->handing);
	events_drop(&c->events);
	request_give_up(c);
	delivery_give_up(c);
	subscribe_give_up(c);
	message_give_up(c);
	c->is_disposed = true;
	release(c);
	client_unref(c);
}

void client_leave(nj_client *c)
{
	bool is_mine = c->is_orphan && !c->has_thread && !c->is_driven && c->wait_count == 0;
	if (is_mine && !c->is_disposed)
		dispose(c);
	else
		pthread_mutex_unlock(&c->mutex);
}

void nj_free(nj_client *c)
{
	if (!c)
		return;
	pthread_mutex_lock(&c->mutex);
	c->is_freed = true;
	if (client_is_driver(c)) {
		c->is_orphan = true;
		pthread_mutex_unlock(&c->mutex);
		return;
	}
	client_wake(c);
	pthread_cond_broadcast(&c->changed);
	if (c->has_thread) {
		pthread_mutex_unlock(&c->mutex);
		pthread_join(c->thread, NULL);
		pthread_mutex_lock(&c->mutex);
	}
	while (c->is_driven || c->wait_count > 0)
		pthread_cond_wait(&c->changed, &c->mutex);
	dispose(c);
}

/* --- new --- */

static nj_client *new_client(void)
{
	nj_client *c = mem_zalloc(sizeof(*c));
	if (!c)
		return NULL;
	c->fd = c->epoll_fd = c->wake_fd = -1;
	c->reference_count = 1;
	c->is_polling = true;
	init_lists(c);
	if (init_locks(c)) {
		mem_free(c);
		return NULL;
	}
	return c;
}

static int open_store(nj_client *c, struct nj_options *o, struct disk *disk, uint64_t store_id)
{
	if (disk)
		return kept_open_disk(c, o, disk, store_id);
	return o->store_path ? kept_open(c, o) : 0;
}

int client_new_on_disk(const struct nj_options *given, struct disk *disk, uint64_t store_id,
		       nj_client **client_out)
{
	struct nj_options options;
	bool is_known = complete_options(given, &options);
	nj_client *c = is_known ? new_client() : NULL;
	int error = c ? open_descriptors(c) : is_known ? ERROR_NO_MEMORY : ERROR_INVALID;
	if (error && disk)
		disk->ops->free(disk);
	if (!c)
		return error;
	if (!error)
		error = open_store(c, &options, disk, store_id);
	if (!error)
		error = client_configure(c, &options);
	if (!error && getrandom(&c->random, sizeof(c->random), 0) != sizeof(c->random))
		error = ERROR_SYSTEM;
	c->random |= 1; /* the generator would stay at 0 */
	if (!error && c->kept)
		error = kept_load(c);
	if (error) {
		pthread_mutex_lock(&c->mutex);
		c->is_freed = true;
		dispose(c);
		return error;
	}
	*client_out = c;
	return 0;
}

int nj_new(const struct nj_options *given, nj_client **client_out)
{
	return client_new_on_disk(given, NULL, 0, client_out);
}

/* --- connect --- */

static bool is_decided(nj_client *c, void *subject)
{
	(void)subject;
	return engine_is_connected(c->engine) || !c->wants_connection || c->was_refused;
}

static int connect_result(const nj_client *c)
{
	if (engine_is_connected(c->engine))
		return 0;
	return c->was_refused ? NJ_ERROR_REFUSED : NJ_ERROR_CLOSED;
}

int nj_connect(nj_client *c, int64_t timeout_ms)
{
	int error = 0;
	pthread_mutex_lock(&c->mutex);
	if (!engine_is_connected(c->engine))
		c->was_refused = false;
	if (!c->wants_connection) {
		c->wants_connection = true;
		c->failed_rounds = 0;
		c->connects_anew = c->link != LINK_DOWN;
		c->endpoint_at = c->fd >= 0 ? c->endpoint_at : 0;
		client_wake(c);
	}
	if (timeout_ms != 0)
		error = client_wait(c, is_decided, NULL, timeout_ms);
	if (timeout_ms != 0 && !error)
		error = connect_result(c);
	client_leave(c);
	return error;
}

static bool is_down(nj_client *c, void *subject)
{
	(void)subject;
	return c->link == LINK_DOWN;
}

/* Not on its way yet, so that there is nothing to tell the server. */
static void cancel(nj_client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	c->interest = 0;
	c->link = LINK_DOWN;
	resolver_abandon(c->resolver);
	c->resolver = NULL;
	link_remove(&c->auth.event.link); /* nobody waits for an answer */
}

void client_say_farewell(nj_client *c)
{
	struct disconnect p = {.reason_code = c->farewell_code,
			       .properties.user = c->farewell_properties};
	engine_disconnect(c->engine, &p);
}

/* Takes over `properties`. */
static int disconnect(nj_client *c, uint8_t reason_code, struct span properties, int64_t timeout_ms)
{
	int error = 0;
	pthread_mutex_lock(&c->mutex);
	c->wants_connection = false;
	mem_free((void *)c->farewell_properties.ptr);
	c->farewell_code = reason_code;
	c->farewell_properties = properties;
	message_give_held(c);
	if (c->link == LINK_WAITING || c->link == LINK_ASKING ||
	    (c->link == LINK_OPENING && (c->fd >= 0 || c->resolver)))
		cancel(c);
	else if (c->link == LINK_OPEN && (client_is_driver(c) || inbox_is_answering(c)))
		c->disconnects_soon = true;
	else if (c->link == LINK_OPEN)
		client_say_farewell(c);
	client_wake(c);
	if (timeout_ms != 0)
		error = client_wait(c, is_down, NULL, timeout_ms);
	client_leave(c);
	return error;
}

int nj_disconnect(nj_client *c, int64_t timeout_ms)
{
	return disconnect(c, REASON_NORMAL_DISCONNECTION, SPAN_NONE, timeout_ms);
}

int nj_disconnect_with(nj_client *c, uint8_t reason_code, const struct nj_property *list,
		       size_t count, int64_t timeout_ms)
{
	struct span properties;
	struct nj_property expiry;
	if (!reason_is_allowed(reason_code, PACKET_DISCONNECT))
		return NJ_ERROR_INVALID;
	int error = property_list_encode(list, count, PACKET_DISCONNECT, &properties);
	if (error)
		return error;
	struct nj_bytes bytes = {properties.ptr, properties.len};
	if (!c->has_session_expiry &&
	    nj_property_find(bytes, NJ_SESSION_EXPIRY_INTERVAL, &expiry) && expiry.number > 0) {
		mem_free((void *)properties.ptr);
		return NJ_ERROR_INVALID;
	}
	return disconnect(c, reason_code, properties, timeout_ms);
}

bool nj_is_connected(nj_client *c)
{
	pthread_mutex_lock(&c->mutex);
	bool is_connected = engine_is_connected(c->engine);
	pthread_mutex_unlock(&c->mutex);
	return is_connected;
}

uint32_t nj_unfinished(nj_client *c)
{
	pthread_mutex_lock(&c->mutex);
	uint32_t count = engine_unfinished(c->engine);
	pthread_mutex_unlock(&c->mutex);
	return count;
}

/* Has `published` been called for all? Who asks in a callback cannot wait for others. */
static bool has_told(const nj_client *c)
{
	return client_is_driver(c) || (list_is_empty(&c->events) && !c->is_handing);
}

static bool is_drained(nj_client *c, void *subject)
{
	(void)subject;
	return has_told(c) && engine_unfinished(c->engine) == 0 && list_is_empty(&c->unwritten) &&
	       list_is_empty(&c->requests) && list_is_empty(&c->requests_sent);
}

int nj_drain(nj_client *c, int64_t timeout_ms)
{
	pthread_mutex_lock(&c->mutex);
	int error = client_wait(c, is_drained, NULL, timeout_ms);
	client_leave(c);
	return error;
}
