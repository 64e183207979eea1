/* SPDX-License-Identifier: Apache-2.0 */
/* A client's store: opened and loaded before the client is, closed after it. */
#include "client/kept.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "base/mem.h"

/* In version 5 the server keeps the session so long when the options do not say. */
#define SESSION_EXPIRY_S 604800u

uint64_t kept_wall_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* --- what the store asks and tells --- */

static void lock(void *context)
{
	nj_client *c = context;
	pthread_mutex_lock(&c->mutex);
}

static void unlock(void *context)
{
	nj_client *c = context;
	pthread_mutex_unlock(&c->mutex);
}

/*
 * A process after this one must not take the server's new session for the one before, or begin one
 * more: else it would send once more what went out in it, or lose what was subscribed. And what it
 * takes for never sent must not have been.
 */
static void connection_is_known(nj_client *c, int error)
{
	if (error || --c->kept->wait_count > 0 || c->is_freed)
		return;
	engine_hold_kept(c->engine, false);
	subscribe_pending(c);
}

static void happened(void *context, const struct store_record *r, void *subject, int error)
{
	nj_client *c = context;
	switch (r->kind) {
	case STORE_OUT:
	case STORE_RECEIVED:
	case STORE_DONE: outbox_happened(c, r, subject, error); break;
	case STORE_IN:
	case STORE_ACKED:
	case STORE_RELEASED:
	case STORE_FORGOTTEN: inbox_happened(c, r, subject, error); break;
	case STORE_SESSION:
	case STORE_SENDING: connection_is_known(c, error); break;
	default: break;
	}
	client_wake(c);
}

struct said {
	struct event event;
	char text[];
};

static struct said *said_of(struct event *event)
{
	return CONTAINER_OF(event, struct said, event);
}

/* Without memory it is left out. */
static void say(void *context, const char *text)
{
	nj_client *c = context;
	size_t size = strlen(text) + 1;
	pthread_mutex_lock(&c->mutex);
	struct said *said = c->kept->says && !c->is_freed ? mem_zalloc(sizeof(*said) + size) : NULL;
	if (said) {
		memcpy(said->text, text, size);
		events_add(c, &said->event, EVENT_STORE_SAYS);
		client_wake(c);
	}
	pthread_mutex_unlock(&c->mutex);
}

void kept_drop_said(struct event *event)
{
	mem_free(said_of(event));
}

void kept_call_said(nj_client *c, struct event *event)
{
	pthread_mutex_unlock(&c->mutex);
	c->kept->says(c->context, said_of(event)->text);
	kept_drop_said(event);
	pthread_mutex_lock(&c->mutex);
}

/* Those who wait for room look again. */
static void changed(void *context)
{
	nj_client *c = context;
	pthread_mutex_lock(&c->mutex);
	c->finished_count++;
	pthread_cond_broadcast(&c->changed);
	client_wake(c);
	pthread_mutex_unlock(&c->mutex);
}

static uint64_t now_ms(void *context)
{
	(void)context;
	return client_now_ms();
}

/* --- open --- */

static int public_error(int error)
{
	switch (error) {
	case ERROR_NO_MEMORY:
	case ERROR_SYSTEM:
	case ERROR_INVALID: return error;
	default: return NJ_ERROR_STORE;
	}
}

static int tell(const struct nj_options *o, int error, const char *reason)
{
	int saved = errno;
	if (o->store_says)
		o->store_says(o->context, reason);
	errno = saved;
	return public_error(error);
}

/* A session of the store's own is resumed, in whatever process it began. In 3.x there is no other
 * way to keep it than to ask for it with every connection. */
static void decide(const struct kept *k, struct nj_options *o)
{
	o->client_id = k->store.state.client_id;
	if (o->version < NJ_MQTT_5 || k->store.state.has_session)
		o->clean_start = false;
	if (o->version == NJ_MQTT_5 && o->session_expiry == 0)
		o->session_expiry = SESSION_EXPIRY_S;
}

static int open_on(nj_client *c, struct nj_options *o, struct disk *disk,
		   const struct store_options *options)
{
	static const struct store_hooks hooks = {
		NULL, lock, unlock, happened, say, changed, now_ms,
	};
	char reason[STORE_REASON_MAX];
	struct store_hooks mine = hooks;
	struct kept *k = mem_zalloc(sizeof(*k));
	if (!k) {
		disk->ops->free(disk);
		return ERROR_NO_MEMORY;
	}
	mine.context = c;
	c->kept = k;
	c->context = o->context;
	k->says = o->store_says;
	k->stored = o->stored;
	k->keeps_qos_0 = o->store_qos_0;
	int error = client_store_open(&k->store, disk, options, &mine, reason);
	if (error)
		return tell(o, error, reason);
	k->is_open = true;
	k->mark_taken = k->store.state.mark;
	k->sendable = k->store.state.sendable;
	c->had_connection = k->store.state.has_session;
	decide(k, o);
	return 0;
}

static struct store_options options_of(const struct nj_options *o)
{
	return (struct store_options){
		.client_id = span_of_text(o->client_id ? o->client_id : ""),
		.bytes_max = o->store_bytes_max,
		.has_threads = true,
	};
}

int kept_open(nj_client *c, struct nj_options *o)
{
	char reason[STORE_REASON_MAX];
	struct disk *disk;
	struct store_options options = options_of(o);
	int error = disk_system_open(o->store_path, true, &disk);
	if (error) {
		snprintf(reason, sizeof(reason), "The store cannot be opened in '%s': %s.",
			 o->store_path, strerror(errno));
		return tell(o, error, reason);
	}
	return open_on(c, o, disk, &options);
}

int kept_open_disk(nj_client *c, struct nj_options *o, struct disk *disk, uint64_t store_id)
{
	struct store_options options = options_of(o);
	options.has_threads = false;
	options.store_id = store_id;
	return open_on(c, o, disk, &options);
}

/* --- load --- */

static int found(void *context, const struct store_record *r, void *subject)
{
	nj_client *c = context;
	return r->kind == STORE_OUT ? outbox_restore(c, r, subject) : inbox_restore(c, r, subject);
}

int kept_load(nj_client *c)
{
	char reason[STORE_REASON_MAX];
	struct kept *k = c->kept;
	struct store_state *s = &k->store.state;
	engine_set_now(c->engine, client_now_ms());
	engine_set_keep_floor(c->engine, s->next_out);
	int error = client_store_load(&k->store, found, c, reason);
	if (!list_is_empty(&s->out))
		engine_set_keep_floor(c->engine,
				      CONTAINER_OF(s->out.next, struct store_out, link)->number);
	if (!error)
		error = client_store_start(&k->store, reason);
	if (error && k->says)
		k->says(c->context, reason);
	return error ? public_error(error) : 0;
}

void kept_close(nj_client *c)
{
	if (c->kept && c->kept->is_open)
		client_store_close(&c->kept->store);
	mem_free(c->kept);
	c->kept = NULL;
}

/* --- connections --- */

/* MQTT 3.1 does not say whether there is a session: one that was asked for is taken for granted. */
static bool is_new_session(const nj_client *c, bool session_present)
{
	return !session_present && c->version != NJ_MQTT_3_1;
}

static bool has_what_was_not_sendable(const struct kept *k)
{
	const struct link *out = &k->store.state.out;
	return !list_is_empty(out) &&
	       CONTAINER_OF(out->prev, struct store_out, link)->number >= k->sendable;
}

int kept_connected(nj_client *c, bool session_present)
{
	struct kept *k = c->kept;
	int error = 0;
	if (is_new_session(c, session_present)) {
		error = client_store_session(&k->store);
		k->wait_count += !error;
	}
	if (!error && has_what_was_not_sendable(k)) {
		error = client_store_sending(&k->store);
		k->wait_count += !error;
		k->sendable = error ? k->sendable : k->store.state.next_out;
	}
	engine_hold_kept(c->engine, error || k->wait_count > 0);
	return error;
}

bool kept_waits(const nj_client *c)
{
	return c->kept && c->kept->wait_count > 0;
}

void kept_lost(nj_client *c)
{
	c->kept->connection++;
}

/* --- public calls --- */

uint64_t nj_store_mark(nj_client *c)
{
	pthread_mutex_lock(&c->mutex);
	uint64_t mark = c->kept ? c->kept->store.state.mark : 0;
	pthread_mutex_unlock(&c->mutex);
	return mark;
}
