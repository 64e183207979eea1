/* SPDX-License-Identifier: Apache-2.0 */
/* See bench_carrier.h. */
#include "cli/bench_carrier.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "io/tls.h"
#include "io/websocket.h"

/* Taken from the socket in one go: what becomes of it always fits where the caller reads to. */
#define GULP_BYTES (128u << 10)

struct bench_carrier {
	struct layer_bottom bottom;
	struct layer *top;
	struct layer *tls; /* one of them, or NULL */
	size_t gulp;       /* what may still be taken from the socket now */
};

int bench_carriage_init(struct bench_carriage *shared, const struct bench_options *o,
			char reason[TLS_REASON_MAX])
{
	struct tls_settings settings = {
		.is_client = true,
		.ca_file = o->ca_file,
		.alpn = o->is_websocket ? NULL : "mqtt",
		.resumes = o->resumes,
	};
	*shared = (struct bench_carriage){
		.host = o->host, .checks_name = !o->is_insecure, .is_websocket = o->is_websocket};
	if (!o->ca_file)
		return 0;
	if (o->cert_file) {
		settings.certificates[0].certificate_file = o->cert_file;
		settings.certificates[0].key_file = o->key_file;
		settings.certificate_count = 1;
	}
	return tls_context_new(&settings, NULL, &shared->tls, reason);
}

void bench_carriage_release(struct bench_carriage *shared)
{
	tls_context_unref(shared->tls);
	shared->tls = NULL;
}

/* --- the socket --- */

static long error_of_errno(void)
{
	return errno == EAGAIN || errno == EINTR ? ERROR_AGAIN : ERROR_CLOSED;
}

static long socket_read(struct stream *s, struct room room)
{
	struct bench_carrier *c = s->context;
	size_t len = room.len < c->gulp ? room.len : c->gulp;
	if (len == 0)
		return ERROR_AGAIN;
	ssize_t n = recv(s->fd, room.ptr, len, MSG_DONTWAIT);
	if (n < 0)
		return error_of_errno();
	c->gulp -= (size_t)n;
	return n;
}

static long socket_write(struct stream *s, const struct span *parts, unsigned count)
{
	struct iovec vector[STREAM_PARTS_MAX];
	ASSERT(count <= STREAM_PARTS_MAX);
	for (unsigned i = 0; i < count; i++)
		vector[i] = (struct iovec){(void *)(uintptr_t)parts[i].ptr, parts[i].len};
	struct msghdr message = {.msg_iov = vector, .msg_iovlen = count};
	ssize_t n = sendmsg(s->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	return n < 0 ? error_of_errno() : n;
}

static const struct stream_ops socket_ops = {.read = socket_read, .write = socket_write};

/* --- the layers --- */

static bool push(struct bench_carrier *c, struct layer *layer)
{
	if (!layer)
		return false;
	layer->below = c->top;
	c->top = layer;
	return true;
}

struct bench_carrier *bench_carrier_new(const struct bench_carriage *shared, int fd)
{
	struct bench_carrier *c = mem_zalloc(sizeof(*c));
	if (!c)
		return NULL;
	layer_bottom_init(&c->bottom, &(struct stream){.ops = &socket_ops, .context = c, .fd = fd});
	c->top = &c->bottom.layer;
	bool is_whole = true;
	if (shared->tls) {
		c->tls = tls_new(shared->tls, shared->host, shared->checks_name);
		is_whole = push(c, c->tls);
	}
	if (is_whole && shared->is_websocket)
		is_whole = push(c, websocket_client_new(shared->host, "/mqtt"));
	if (is_whole)
		return c;
	bench_carrier_free(c);
	return NULL;
}

void bench_carrier_free(struct bench_carrier *c)
{
	if (!c)
		return;
	layer_free(c->top);
	mem_free(c);
}

static struct layer *next_above(struct layer *top, const struct layer *below)
{
	while (top->below != below)
		top = top->below;
	return top;
}

/* From the bottom up; one that is open already says so at once. */
int bench_carrier_open(struct bench_carrier *c)
{
	const struct layer *below = NULL;
	c->gulp = GULP_BYTES;
	while (below != c->top) {
		struct layer *at = next_above(c->top, below);
		int error = layer_open(at);
		if (error)
			return error;
		below = at;
	}
	return 0;
}

/* A layer may have taken something that says nothing to MQTT, as a ticket, and have more. */
long bench_carrier_receive(struct bench_carrier *c, struct room room)
{
	size_t used = 0;
	c->gulp = GULP_BYTES;
	if (layer_is_blocked(c->top))
		layer_flush(c->top);
	while (used < room.len) {
		long n = layer_read(c->top, (struct room){room.ptr + used, room.len - used});
		if (n <= 0)
			return used > 0 ? (long)used : n;
		used += (size_t)n;
		if (!layer_has_more(c->top))
			break;
	}
	return (long)used;
}

long bench_carrier_send(struct bench_carrier *c, struct span bytes)
{
	return layer_write(c->top, &bytes, 1);
}

bool bench_carrier_is_blocked(const struct bench_carrier *c)
{
	return layer_is_blocked(c->top);
}

const char *bench_carrier_reason(const struct bench_carrier *c)
{
	return layer_reason(c->top);
}

bool bench_carrier_is_resumed(const struct bench_carrier *c)
{
	return c->tls && tls_is_resumed(c->tls);
}
