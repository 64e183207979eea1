/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may come in as far as its address, its user name and its client id go: how many connections an
 * address has, and who is banned for what was done before (ban_settings). The address is the one
 * that a proxy has told, where listeners have proxies: their own is never judged.
 *
 *     accepted (shard_admits) --> a proxy's word, if any --> CONNECT (admission_judge)
 *     --> came in (admission_connected) or failed (admission_failed) --> left
 */
#ifndef NIGHTJAR_BROKER_ADMISSION_H
#define NIGHTJAR_BROKER_ADMISSION_H

#include "broker/connection.h"

/* At CONNECT. NULL, or why it may not come in. It may be asked twice about the same. */
const struct flaw *admission_judge(struct connection *c, const struct connect *p);
/* The same of a name that only its authentication says. */
const struct flaw *admission_judge_user(struct connection *c, struct span user_name);
/* It came in, with that client id. */
void admission_connected(struct connection *c, struct span client_id);
/* Its login, with these names, did not go well. */
void admission_failed(struct connection *c, const struct connect *p, uint8_t reason_code);
/* It ends, for that reason, or is gone (NULL). */
void admission_ended(struct connection *c, const struct farewell *why);
void admission_left(struct connection *c);

#endif
