/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What awaits a connection behind a listener: layers between its bytes and MQTT. The certificates
 * can be replaced while connections come; those that are there keep theirs. For other options
 * another door takes the place of this one (listening.h).
 */
#ifndef NIGHTJAR_DAEMON_DOOR_H
#define NIGHTJAR_DAEMON_DOOR_H

#include <pthread.h>
#include <stdatomic.h>

#include "broker/broker.h"
#include "config/config.h"
#include "daemon/file_watch.h"
#include "io/proxy_header.h"
#include "io/stream.h"
#include "io/tls_context.h"
#include "io/websocket.h"

#define DOOR_REASON_MAX TLS_REASON_MAX

struct door {
	atomic_uint refs;
	pthread_mutex_t mutex;
	struct tls_context *tls; /* guarded by the mutex; NULL: none */
	uint8_t answer;          /* enum answer of the listener */
	bool has_proxy;          /* each connection begins with a proxy's header */
	struct proxy_terms of_proxy;
	bool takes_peers_name; /* of the user who connects to a Unix socket */
	bool has_websocket;
	struct websocket_settings websocket; /* its text is owned */
	uint8_t realm;                       /* by which its clients are judged */
	uint8_t listener;                    /* the same number: whose limits hold for them */
	struct mount *mount;                 /* what stands in front of their topics, or NULL */
	bool is_named_by_user;               /* their user names stand for their client ids */
	uint8_t refused_versions;            /* bit n: of clients of protocol level n */
};

/* Reads what the listener's options name. One reference, or NULL with the reason. `before`: another
 * one of the same listener, whose clients may come back by session tickets; or NULL. */
struct door *door_new(const struct config *c, const struct config_listener *from,
		      struct door *before, char reason[DOOR_REASON_MAX]);
/* The other one has taken its place: who came in by this one is judged by it. Once for each. */
void door_succeed(struct door *d, struct door *successor);
struct door *door_ref(struct door *d);
/* The last one frees it; any thread. NULL is allowed. */
void door_unref(struct door *d);
/* Of a door with TLS: the same anew; on an error the old stays. */
int door_reload(struct door *d, const struct config *c, const struct config_listener *from,
		char reason[DOOR_REASON_MAX]) MUST_USE;
/* Puts the layers on a socket that was just accepted. On the thread of
 * that shard, which judges what a proxy tells. An error: it was closed. */
int door_furnish(struct door *d, struct stream *s, struct shard *shard) MUST_USE;
/* The files that the listener's options name. */
void door_watch(const struct config *c, const struct config_listener *from, struct file_watch *w);

#endif
