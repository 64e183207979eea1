/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of client/store.h: store.c (records on their way), store_open.c (life). */
#ifndef NIGHTJAR_CLIENT_STORE_INSIDE_H
#define NIGHTJAR_CLIENT_STORE_INSIDE_H

#include "client/store.h"

/* Context: the store. */
extern const struct journal_hooks client_store_journal_hooks;

/* The first record of a new store. */
int client_store_put_identity(struct client_store *s) MUST_USE;

#endif
