/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/door.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "broker/mount.h"
#include "io/layered.h"
#include "io/peer_layer.h"
#include "io/proxy_header.h"
#include "io/tls.h"

#define DEFAULT_ALPN "mqtt"
#define USERS_PATH "/etc/passwd"

/* "certificate key staple" of one line, cut up in place. */
static void take_certificate(char *line, struct tls_certificate *out)
{
	char *save = NULL;
	out->certificate_file = strtok_r(line, " \t", &save);
	out->key_file = strtok_r(NULL, " \t", &save);
	out->staple_file = strtok_r(NULL, " \t", &save);
}

/* `lines` is a copy that the settings borrow from. */
static int take_certificates(char *lines, struct tls_settings *out, char *reason)
{
	char *save = NULL;
	for (char *line = strtok_r(lines, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (out->certificate_count == TLS_CERTIFICATES_MAX) {
			snprintf(reason, DOOR_REASON_MAX,
				 "tls_certificate: a listener has at most %d certificates",
				 TLS_CERTIFICATES_MAX);
			return ERROR_INVALID;
		}
		take_certificate(line, &out->certificates[out->certificate_count++]);
	}
	return 0;
}

static const char *psk_file_of(const struct config *c, const struct config_listener *l)
{
	return (c->has_access_per_listener ? &l->access : &c->access)->psk_file;
}

static void fill_settings(const struct config *c, const struct config_listener *from,
			  struct tls_settings *out)
{
	const struct config_tls *t = &from->tls;
	*out = (struct tls_settings){
		.ca_file = t->ca_file,
		.ca_path = t->ca_path,
		.crl_file = t->requires_certificate ? t->crl_file : NULL,
		.requires_certificate = t->requires_certificate,
		.ignores_dates = t->ignores_dates,
		.version = t->version,
		.ciphers = t->ciphers,
		.ciphersuites = t->ciphersuites,
		.curves = t->curves,
		.dh_file = t->dh_file,
		.alpn = t->alpn ? t->alpn : DEFAULT_ALPN,
		.has_tickets = !t->has_no_tickets,
		.leaves_records = t->leaves_records,
		.key_log_file = t->key_log_file,
		.uses_psk = t->psk_hint != NULL,
		.psk_hint = t->psk_hint,
		.psk_file = psk_file_of(c, from),
	};
	if (t->uses_identity)
		out->user_name = TLS_USER_NAME_IDENTITY;
	else if (t->uses_subject)
		out->user_name = TLS_USER_NAME_SUBJECT;
	if (!t->certificate_file)
		return;
	out->certificate_count = 1;
	out->certificates[0] =
		(struct tls_certificate){t->certificate_file, t->key_file, t->staple_file};
}

static int make_tls(const struct config *c, const struct config_listener *from,
		    struct tls_context *before, struct tls_context **out, char *reason)
{
	struct tls_settings settings;
	const char *more = from->tls.more_certificates;
	char *lines = more ? mem_copy_text(span_of_text(more)) : NULL;
	int error = 0;
	fill_settings(c, from, &settings);
	if (lines)
		error = take_certificates(lines, &settings, reason);
	if (error == 0)
		error = tls_context_new(&settings, before, out, reason);
	mem_free(lines);
	return error;
}

static void fill_door(struct door *d, const struct config_listener *from)
{
	d->answer = from->answer;
	d->realm = d->listener = from->realm;
	d->is_named_by_user = from->is_named_by_user;
	d->has_proxy = from->has_proxy;
	d->of_proxy = (struct proxy_terms){
		.gives_name = from->tls.uses_identity && !d->tls,
		.must_have_tls = from->proxy_must_have_tls,
		.must_have_certificate = from->tls.requires_certificate && !d->tls,
	};
	d->takes_peers_name = from->takes_peers_name && config_listener_is_unix(from);
	d->refused_versions = from->refused_versions;
	d->has_websocket = from->protocol == CONFIG_PROTOCOL_WEBSOCKETS;
	d->websocket.head_bytes_max = from->head_bytes;
	d->websocket.trusts_forwarded = from->trusts_forwarded;
}

static struct tls_context *tls_of(struct door *d)
{
	return d ? d->tls : NULL;
}

struct door *door_new(const struct config *c, const struct config_listener *from,
		      struct door *before, char reason[DOOR_REASON_MAX])
{
	struct door *d = mem_zalloc(sizeof(*d));
	char *origins = from->origins ? mem_copy_text(span_of_text(from->origins)) : NULL;
	const char *prefix = from->mount_point;
	struct mount *mount = prefix ? mount_new(span_of_text(prefix)) : NULL;
	int error = 0;
	if (!d || !origins != !from->origins || !mount != !prefix) {
		snprintf(reason, DOOR_REASON_MAX, "out of memory");
		error = ERROR_NO_MEMORY;
	} else if (config_listener_has_tls(from)) {
		error = make_tls(c, from, tls_of(before), &d->tls, reason);
	}
	if (error != 0) {
		mem_free(origins);
		mount_unref(mount);
		mem_free(d);
		return NULL;
	}
	atomic_init(&d->refs, 1);
	d->mount = mount;
	pthread_mutex_init(&d->mutex, NULL);
	fill_door(d, from);
	d->websocket.origins = origins;
	return d;
}

void door_succeed(struct door *d, struct door *successor)
{
	if (d->tls && successor->tls)
		tls_context_succeed(d->tls, successor->tls);
}

struct door *door_ref(struct door *d)
{
	atomic_fetch_add(&d->refs, 1);
	return d;
}

void door_unref(struct door *d)
{
	if (!d || atomic_fetch_sub(&d->refs, 1) > 1)
		return;
	tls_context_unref(d->tls);
	mount_unref(d->mount);
	pthread_mutex_destroy(&d->mutex);
	mem_free((char *)(uintptr_t)d->websocket.origins);
	mem_free(d);
}

int door_reload(struct door *d, const struct config *c, const struct config_listener *from,
		char reason[DOOR_REASON_MAX])
{
	struct tls_context *fresh;
	int error = make_tls(c, from, d->tls, &fresh, reason);
	if (error != 0)
		return error;
	pthread_mutex_lock(&d->mutex);
	struct tls_context *old = d->tls;
	d->tls = fresh;
	pthread_mutex_unlock(&d->mutex);
	tls_context_succeed(old, fresh);
	tls_context_unref(old);
	return 0;
}

static struct layer *make_tls_layer(struct door *d)
{
	pthread_mutex_lock(&d->mutex);
	struct tls_context *context = tls_context_ref(d->tls);
	pthread_mutex_unlock(&d->mutex);
	struct layer *layer = tls_new(context, NULL, false);
	tls_context_unref(context);
	return layer;
}

/* False without memory. */
static bool put_on(struct layered *l, struct layer *layer)
{
	if (layer)
		layered_push(l, layer);
	return layer != NULL;
}

/* Before TLS is begun, which costs. */
static bool admits_address(void *shard, const char *address)
{
	return shard_admits_proxied(shard, address);
}

/* Who is at the other end of the socket. */
static bool put_peer(struct layered *l, int fd)
{
	char name[PEER_NAME_MAX];
	uint32_t uid;
	if (peer_uid(fd, &uid))
		return false;
	peer_name(USERS_PATH, uid, name);
	return put_on(l, peer_layer_new(name));
}

/* From the socket up. */
static bool put_layers(struct door *d, struct layered *l, struct shard *shard)
{
	const struct proxy_judge judge = {admits_address, shard};
	return (!d->takes_peers_name || put_peer(l, l->bottom.stream.fd)) &&
	       (!d->has_proxy || put_on(l, proxy_layer_new(&d->of_proxy, &judge))) &&
	       (!d->tls || put_on(l, make_tls_layer(d))) &&
	       (!d->has_websocket || put_on(l, websocket_server_new(&d->websocket)));
}

int door_furnish(struct door *d, struct stream *s, struct shard *shard)
{
	if (!d->tls && !d->has_proxy && !d->has_websocket && !d->takes_peers_name)
		return 0;
	struct layered *l = layered_init(s);
	if (l && put_layers(d, l, shard))
		return 0;
	s->ops->close(s);
	return ERROR_NO_MEMORY;
}

static void watch_more(const char *more, struct file_watch *w)
{
	struct tls_settings settings = {0};
	char reason[DOOR_REASON_MAX];
	char *lines = more ? mem_copy_text(span_of_text(more)) : NULL;
	if (lines && take_certificates(lines, &settings, reason) == 0) {
		for (unsigned i = 0; i < settings.certificate_count; i++) {
			file_watch_add(w, settings.certificates[i].certificate_file);
			file_watch_add(w, settings.certificates[i].key_file);
			file_watch_add(w, settings.certificates[i].staple_file);
		}
	}
	mem_free(lines);
}

void door_watch(const struct config *c, const struct config_listener *from, struct file_watch *w)
{
	const struct config_tls *t = &from->tls;
	const char *const files[] = {
		t->certificate_file, t->key_file,
		t->staple_file,      t->ca_file,
		t->ca_path,          t->crl_file,
		t->dh_file,          t->psk_hint ? psk_file_of(c, from) : NULL,
	};
	if (!config_listener_has_tls(from))
		return;
	for (size_t i = 0; i < ARRAY_COUNT(files); i++)
		file_watch_add(w, files[i]);
	watch_more(t->more_certificates, w);
}
