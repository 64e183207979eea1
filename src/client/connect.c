/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where to connect to, and when again: addresses in turn, and after each round of them a random
 * wait from 0 to min(max, base * 2^rounds) ("full jitter"), so that many clients that lost their
 * server at once do not come back at once.
 */
#include <errno.h>

#include "client/client_state.h"

static uint64_t next_random(nj_client *c)
{
	c->random ^= c->random << 13;
	c->random ^= c->random >> 7;
	c->random ^= c->random << 17;
	return c->random;
}

static uint64_t longest_wait(const nj_client *c)
{
	uint64_t wait = c->retry_base_ms;
	for (unsigned i = 0; i < c->failed_rounds && wait < c->retry_max_ms; i++)
		wait *= 2;
	return wait < c->retry_max_ms ? wait : c->retry_max_ms;
}

/* A connection that lived no longer than we would have waited counts as a failure: a server that
 * takes us and drops us is not to be hammered. */
static void count_failure(nj_client *c, uint64_t now_ms)
{
	bool has_lived = c->connected_ms > 0 && now_ms - c->connected_ms > longest_wait(c);
	bool was_connected = c->connected_ms > 0;
	c->connected_ms = 0;
	if (has_lived)
		c->failed_rounds = 0;
	else if (was_connected || c->endpoint_at == 0)
		c->failed_rounds += c->failed_rounds < 32;
}

void connect_later(nj_client *c, uint64_t now_ms)
{
	bool was_connected = c->connected_ms > 0;
	c->endpoint_at = was_connected ? 0 : (c->endpoint_at + 1) % c->endpoint_count;
	if (c->connects_anew) { /* told to, while the last one was ending */
		c->connects_anew = false;
		c->connected_ms = 0;
		c->link = LINK_WAITING;
		c->retry_at_ms = now_ms;
		return;
	}
	/* one round of the addresses is one attempt */
	bool has_others = !was_connected && engine_is_idle(c->engine) && c->endpoint_at != 0;
	if (!c->wants_connection || (c->stays_down && !has_others)) {
		c->wants_connection = false;
		c->connected_ms = 0;
		c->link = LINK_DOWN;
		return;
	}
	uint64_t longest = longest_wait(c);
	count_failure(c, now_ms);
	c->link = LINK_WAITING;
	c->retry_at_ms = now_ms;
	if (c->endpoint_at == 0 && longest > 0)
		c->retry_at_ms += next_random(c) % (longest + 1);
}

bool connect_next_candidate(nj_client *c, uint64_t now_ms)
{
	while (c->candidate_at < c->candidates.count) {
		size_t i = c->candidate_at++;
		bool is_connected;
		int fd = transport_open(&c->candidates.addresses[i], c->candidates.lens[i],
					&c->locals, c->has_delay, &is_connected);
		if (fd >= 0) {
			link_opened(c, fd, is_connected, now_ms);
			return true;
		}
		c->system_error = errno;
	}
	return false;
}

/* Where to is known, or is not to be had. */
static void go(nj_client *c, const struct resolved *found, uint64_t now_ms)
{
	c->candidates = found->servers;
	c->locals = found->locals;
	c->candidate_at = 0;
	if (connect_next_candidate(c, now_ms))
		return;
	connect_later(c, now_ms);
	events_disconnected(c, NJ_END_UNREACHABLE, 0, found->trouble);
}

/* There is no thread to be had: whoever drives waits, and lets the mutex go for it. */
static void wait_and_go(nj_client *c, const struct endpoint *e)
{
	struct resolved found;
	pthread_mutex_unlock(&c->mutex);
	resolve_and_wait(e->transport, e->name, e->port, c->bind_name, &found);
	pthread_mutex_lock(&c->mutex);
	if (c->wants_connection && !c->is_freed)
		go(c, &found, client_now_ms());
	else
		c->link = LINK_DOWN;
}

void connect_begin(nj_client *c, uint64_t now_ms)
{
	const struct endpoint *e = &c->endpoints[c->endpoint_at];
	struct resolved found;
	c->link = LINK_OPENING;
	c->endpoint_tried = c->endpoint_at;
	c->deadline_ms = now_ms + c->connect_timeout_ms;
	c->system_error = 0;
	if (resolve_at_once(e->transport, e->name, e->port, c->bind_name, &found)) {
		go(c, &found, now_ms);
		return;
	}
	c->candidates.count = c->candidate_at = 0;
	c->resolver = resolver_start(e->transport, e->name, e->port, c->bind_name, c->wake_fd);
	if (!c->resolver)
		wait_and_go(c, e);
}

void connect_resolved(nj_client *c, uint64_t now_ms)
{
	struct resolved found;
	if (!c->resolver || !resolver_is_done(c->resolver))
		return;
	resolver_take(c->resolver, &found);
	c->resolver = NULL;
	go(c, &found, now_ms);
}
