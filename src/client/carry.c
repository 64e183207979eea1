/* SPDX-License-Identifier: Apache-2.0 */
#include "client/carry.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "io/tls.h"
#include "io/websocket.h"
#include "nightjar/client.h"

/* --- options --- */

static void fill_settings(const struct nj_options *o, struct tls_settings *s)
{
	*s = (struct tls_settings){
		.is_client = true,
		.ca_file = o->tls_ca_file,
		.ca_path = o->tls_ca_path,
		.believes_system = !o->tls_ca_file && !o->tls_ca_path && !o->tls_psk,
		.key_password = o->tls_key_password,
		.version = o->tls_version,
		.is_only_version = o->tls_version != NULL,
		.ciphers = o->tls_ciphers,
		.ciphersuites = o->tls_ciphersuites,
		.alpn = o->tls_alpn,
		.key_log_file = o->tls_key_log_file,
		.uses_psk = o->tls_psk != NULL,
		.psk_identity = o->tls_psk_identity,
		.psk = span_of(o->tls_psk, o->tls_psk_len),
	};
	if (!o->tls_certificate_file)
		return;
	s->certificate_count = 1;
	s->certificates[0] =
		(struct tls_certificate){o->tls_certificate_file, o->tls_key_file, NULL};
}

static const char *contradiction_of(const struct nj_options *o)
{
	if (o->tls_psk && (!o->tls_psk_identity || o->tls_psk_len == 0))
		return "tls_psk needs tls_psk_identity and tls_psk_len";
	if (o->tls_psk && (o->tls_ca_file || o->tls_ca_path))
		return "tls_psk takes the place of certificates: leave tls_ca_file and tls_ca_path "
		       "out";
	if (o->tls_key_file && !o->tls_certificate_file)
		return "tls_key_file needs tls_certificate_file";
	return NULL;
}

static int make_context(const struct nj_options *o, struct tls_context **out, char *reason)
{
	struct tls_settings settings;
	const char *contradiction = contradiction_of(o);
	if (contradiction) {
		snprintf(reason, CARRY_REASON_MAX, "%s", contradiction);
		return ERROR_INVALID;
	}
	fill_settings(o, &settings);
	return tls_context_new(&settings, NULL, out, reason);
}

const char *carry_problem(const struct nj_options *o, bool needs_tls)
{
	static _Thread_local char reason[CARRY_REASON_MAX];
	struct tls_context *context;
	if (!needs_tls)
		return NULL;
	if (make_context(o, &context, reason) != 0)
		return reason;
	tls_context_unref(context);
	return NULL;
}

int carry_init(struct carry *c, const struct nj_options *o, bool needs_tls)
{
	if (!needs_tls)
		return 0;
	c->checks_name = !o->tls_any_server_name;
	if (o->tls_server_name) {
		c->server_name = mem_copy_text(span_of_text(o->tls_server_name));
		if (!c->server_name)
			return ERROR_NO_MEMORY;
	}
	return make_context(o, &c->tls, c->reason);
}

void carry_release(struct carry *c)
{
	carry_end(c);
	tls_context_unref(c->tls);
	mem_free(c->server_name);
}

/* --- the socket as a stream --- */

static long result_of(ssize_t n)
{
	if (n >= 0)
		return n;
	return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? ERROR_AGAIN
									 : ERROR_CLOSED;
}

static long socket_read(struct stream *s, struct room room)
{
	return result_of(recv(s->fd, room.ptr, room.len, 0));
}

/* Layers write in one piece what they can. */
static long socket_write(struct stream *s, const struct span *parts, unsigned count)
{
	struct iovec vector[STREAM_PARTS_MAX];
	for (unsigned i = 0; i < count; i++)
		vector[i] = (struct iovec){(void *)(uintptr_t)parts[i].ptr, parts[i].len};
	struct msghdr message = {.msg_iov = vector, .msg_iovlen = count};
	return result_of(sendmsg(s->fd, &message, MSG_NOSIGNAL));
}

/* --- a connection --- */

/* False without memory. */
static bool push(struct carry *c, struct layer *layer)
{
	if (!layer)
		return false;
	layer->below = c->top;
	c->top = layer;
	return true;
}

/* "host:port", as the head of an HTTP request names it. */
static struct layer *make_websocket(const struct endpoint *e)
{
	char host[320];
	bool has_colon = strchr(e->name, ':') != NULL;
	snprintf(host, sizeof(host), "%s%.255s%s:%u", has_colon ? "[" : "", e->name,
		 has_colon ? "]" : "", e->port);
	return websocket_client_new(host, e->path);
}

int carry_begin(struct carry *c, const struct endpoint *e, int fd)
{
	static const struct stream_ops ops = {.read = socket_read, .write = socket_write};
	const struct transport *t = e->transport;
	c->reason[0] = '\0';
	if (!t->has_tls && !t->has_websocket)
		return 0;
	layer_bottom_init(&c->bottom, &(struct stream){.ops = &ops, .fd = fd});
	c->top = &c->bottom.layer;
	const char *name = c->server_name ? c->server_name : e->name;
	if (t->has_tls && !push(c, tls_new(c->tls, name, c->checks_name)))
		return ERROR_NO_MEMORY;
	if (t->has_websocket && !push(c, make_websocket(e)))
		return ERROR_NO_MEMORY;
	return 0;
}

static int open_all(struct carry *c)
{
	const struct layer *below = NULL;
	while (below != c->top) {
		struct layer *at = c->top;
		while (at->below != below)
			at = at->below;
		int error = layer_open(at);
		if (error)
			return error;
		below = at;
	}
	return 0;
}

static void keep_reason(struct carry *c)
{
	const char *reason = layer_reason(c->top);
	if (reason)
		snprintf(c->reason, sizeof(c->reason), "%s", reason);
}

int carry_open(struct carry *c)
{
	int error = open_all(c);
	if (error && error != ERROR_AGAIN)
		keep_reason(c);
	return error;
}

/* A layer's own end has no number of the system. */
static ssize_t answer_of(struct carry *c, long n)
{
	if (n >= 0)
		return n;
	keep_reason(c);
	errno = n == ERROR_AGAIN ? EAGAIN : c->reason[0] ? EPROTO : ECONNRESET;
	return -1;
}

ssize_t carry_read(struct carry *c, void *bytes, size_t len)
{
	return answer_of(c, layer_read(c->top, (struct room){bytes, len}));
}

ssize_t carry_write(struct carry *c, const void *bytes, size_t len)
{
	struct span part = span_of(bytes, len);
	return answer_of(c, layer_write(c->top, &part, 1));
}

void carry_finish(struct carry *c)
{
	layer_finish(c->top);
}

void carry_end(struct carry *c)
{
	layer_free(c->top);
	c->top = NULL;
}
