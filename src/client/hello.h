/* SPDX-License-Identifier: Apache-2.0 */
/* The CONNECT of one engine: encoded once, sent at every connection. What may change meanwhile is
 * changed in place: the clean start flag, the client id when the server assigns one, and the data
 * with which authentication begins. */
#ifndef NIGHTJAR_CLIENT_HELLO_H
#define NIGHTJAR_CLIENT_HELLO_H

#include "mqtt/packets.h"

struct hello {
	uint8_t *bytes;
	size_t len;
	size_t header_len;
	struct connect connect; /* decoded from `bytes`, borrowing them */
};

/* ERROR_INVALID when it is not a valid CONNECT, ERROR_NO_MEMORY. */
int hello_init(struct hello *h, const struct connect *connect) MUST_USE;
void hello_release(struct hello *h);

/* From now on the session is to be resumed. */
void hello_set_clean_start(struct hello *h, bool clean_start);
static inline bool hello_has_method(const struct hello *h)
{
	return properties_has(&h->connect.properties, PROPERTY_AUTHENTICATION_METHOD);
}
/* 0, ERROR_INVALID or ERROR_NO_MEMORY; nothing changes on error. */
int hello_set_auth_data(struct hello *h, struct span data) MUST_USE;
int hello_set_client_id(struct hello *h, struct span client_id) MUST_USE;

#endif
