/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WebSocket (RFC 6455) as a layer (layer.h), for both ends: a stream of bytes in binary frames
 * ([MQTT-6.0.0-1]; where a frame ends says nothing, [MQTT-6.0.0-2]). Frames are taken apart where
 * they were read to, and written around the caller's bytes: no message is ever held, of whatever
 * size it is.
 *
 *     server    head of a request -> 101, or 4xx and a sentence -> frames
 *     client    head of a request, its answer -> frames, masked
 */
#ifndef NIGHTJAR_IO_WEBSOCKET_H
#define NIGHTJAR_IO_WEBSOCKET_H

#include "io/layer.h"

/* A head is rarely over one kilobyte; cookies of browsers can be long. */
#define WEBSOCKET_HEAD_BYTES 8192

/* Of a server. */
struct websocket_settings {
	uint32_t head_bytes_max;
	const char *origins; /* that pages may come from, with commas; NULL: any */
	/* A proxy stands in front, and what it says of where clients come from is to be believed:
	 * the last address of X-Forwarded-For, or X-Real-IP. */
	bool trusts_forwarded;
};

/* Settings are copied. NULL without memory. */
struct layer *websocket_server_new(const struct websocket_settings *settings) MUST_USE;
/* `host` and `path` go into the request; copied. */
struct layer *websocket_client_new(const char *host, const char *path) MUST_USE;

#endif
