/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Enhanced authentication ([5] 4.12) by SCRAM-SHA-256: a client proves that it knows its password
 * and does not show it. CONNECT begins it, or AUTH 0x19 on a connection that came in so.
 *
 *     NEW --CONNECT--> PROVING --AUTH 0x18, right--> NEW --the same CONNECT again--> CONNECTING
 *
 * What it costs the broker is some microseconds: the key is made by the client. So the thread that
 * serves clients does it, and nothing waits.
 */
#ifndef NIGHTJAR_BROKER_AUTHENTICATE_H
#define NIGHTJAR_BROKER_AUTHENTICATE_H

#include "broker/connection.h"

/* Is it a method by which somebody could come in at that listener? */
bool authenticate_has(const struct connection *c, struct span method);
/* CONNECT names a method that is there. NULL and c->identity: it has proved who it is. NULL and
 * CONNECTION_PROVING: it was asked to. Else why it may not come in. `body` is the CONNECT. */
const struct flaw *authenticate(struct connection *c, const struct connect *p, struct span body);
/* Where the user name is the client id and CONNECT has none: the one that it begins to prove. */
const struct flaw *authenticate_name(struct connection *c, struct connect *p);
/* What its CONNACK says of the method and the server's own proof. */
void authenticate_put(const struct connection *c, struct properties *out);
/* What was kept for it goes. False when there was nothing. */
bool authenticate_forget(struct connection *c);

#endif
