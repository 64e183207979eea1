/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is it? The methods of the realm's chain are asked one after the other (access.h). Finding out
 * may take long: another thread does it (login.h), and the connection waits with its CONNECT kept:
 *
 *     NEW --CONNECT--> CHECKING --answered--> NEW --the same CONNECT again--> CONNECTING
 *
 * and goes on behind the method that did not know it. A user that is not there costs a
 * verification, too.
 */
#ifndef NIGHTJAR_BROKER_ADMIT_H
#define NIGHTJAR_BROKER_ADMIT_H

#include "broker/connection.h"

/* What a certificate, a shared key or the kernel has proved takes the place of what CONNECT claims: that method
 * for admit. NULL, or why it may not come in. */
const struct flaw *admit_proof(const struct connection *c, struct connect *p,
			       enum access_method *proved_out);

/* NULL and c->identity: it is known. NULL and CONNECTION_CHECKING: it waits. Else why it may not
 * come in. `proved`: from admit_proof. */
const struct flaw *admit(struct connection *c, const struct connect *p, enum access_method proved);

/* NULL, or why no client of that id may come in. */
const struct flaw *admit_client_id(const struct connection *c, const struct connect *p);

/* A login came back, by letter. Takes it over. */
void admit_answered(struct shard *s, struct login *login);
/* Its connection ends. */
void admit_forget(struct connection *c);

#endif
