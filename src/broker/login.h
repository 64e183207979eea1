/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who a client says it is, on its way to a thread that can tell whether that is so, and back with
 * the answer: a password takes long to verify, a token somewhat, a service answers when it likes.
 *
 * It holds copies of all that it needs, and a reference of the table that it is judged by: the
 * connection may be gone, and the table another one, when the answer is found.
 */
#ifndef NIGHTJAR_BROKER_LOGIN_H
#define NIGHTJAR_BROKER_LOGIN_H

#include "access/access.h"

struct connection;
struct broker;

struct login {
	struct connection *connection; /* of the shard's thread alone */
	unsigned shard;
	uint32_t source;          /* the same for all that come from one address */
	atomic_bool is_forgotten; /* nobody waits for the answer any more: it need not be found */
	struct access *access;    /* a reference; its realm: */
	uint8_t realm;
	uint8_t method; /* enum access_method: how to find the answer */
	uint8_t at;     /* in the realm's chain */
	/* METHOD_PASSWORD: what the password is verified against, in `access`; and is it that of
	 * somebody else, since there is no such user? */
	struct span stored;
	bool is_decoy;
	bool has_user_name, has_password;
	uint16_t port; /* of our listener */
	struct span user_name, password, client_id, address;
	struct span
		certificate; /* what the connection has proved, and no method of the chain took */
	uint64_t wall_ms;    /* when it was asked */
	/* The answer. */
	uint8_t result;     /* enum login_result */
	uint64_t stamp;     /* with LOGIN_KNOWN: by what (identity.h) */
	uint64_t until_s;   /* how long that is good; since 1970; 0: for ever */
	char *known_name;   /* what the client is called, if not by its user name; NULL: by that */
	struct login *next; /* for who keeps it */
	size_t len;
	uint8_t bytes[];
};

/* Finds the answer where no other program is asked (not METHOD_HTTP). Any thread. */
void login_answer(struct login *login);
/* The service to be asked: METHOD_HTTP. */
const struct service *login_service(const struct login *login);
/* By what it was known. */
struct span login_name(const struct login *login);
/* What it takes of memory. */
size_t login_bytes(const struct login *login);
/* Wipes what is secret. Any thread. */
void login_free(struct login *login);
/* Gives it back, answered. Any thread. */
void broker_answer_login(struct broker *b, struct login *login);

#endif
