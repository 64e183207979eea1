/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is it? The user name and password of a CONNECT. Verifying a password takes long on purpose,
 * so another thread does it (broker_hooks.verify), and the connection waits with its CONNECT kept:
 *
 *     NEW --CONNECT--> CHECKING --verified--> NEW --the same CONNECT again--> CONNECTING
 *
 * A user that is not there costs a verification, too.
 */
#ifndef NIGHTJAR_BROKER_ADMIT_H
#define NIGHTJAR_BROKER_ADMIT_H

#include "broker/connection.h"

/* NULL and c->identity: it is known. NULL and CONNECTION_CHECKING: it waits. Else why it may not
 * come in. With `is_proved` its carrier knows the user name for sure. */
const struct flaw *admit(struct connection *c, const struct connect *p, bool is_proved);

/* The answer to a question came back, by letter. Takes it over. */
void admit_answered(struct shard *s, struct password_question *q);
/* Its connection ends. */
void admit_forget(struct connection *c);

#endif
