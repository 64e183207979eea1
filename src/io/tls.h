/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS 1.2 and 1.3 as a layer (layer.h). What it needs of OpenSSL is made when the first bytes come,
 * and its buffers go back when they are empty: an idle connection holds nothing but its keys.
 */
#ifndef NIGHTJAR_IO_TLS_H
#define NIGHTJAR_IO_TLS_H

#include "io/layer.h"
#include "io/tls_context.h"

/* Keeps a reference of the context. `server_name` (client; or NULL): the name that is asked for,
 * and looked for in the certificate when `checks_name`. NULL without memory. */
struct layer *tls_new(struct tls_context *context, const char *server_name,
		      bool checks_name) MUST_USE;
/* Of one of these: is it open, by a handshake that an earlier one made shorter? */
bool tls_is_resumed(const struct layer *l);

#endif
