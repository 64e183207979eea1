/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client's store: the records of store_record.h in a journal, and what they make
 * (store_state.h).
 *
 *	client_store_open    what is there; entries are in `state`
 *	client_store_load    the messages that are wanted, read back
 *	client_store_start   from here on records are taken
 *	client_store_put ... hooks.happened, in the same order, when each is durable
 *	client_store_close
 *
 * The state is its caller's: whoever calls a function of the store holds hooks.lock, and `happened`
 * is called with it. With threads it comes from the journal's committer, else from client_store_step.
 */
#ifndef NIGHTJAR_CLIENT_STORE_H
#define NIGHTJAR_CLIENT_STORE_H

#include "client/store_state.h"
#include "journal/journal.h"

#define STORE_REASON_MAX 512
/* With less there is no room for the segments of a journal. */
#define STORE_BYTES_MIN ((uint64_t)2 << 20)

struct store_options {
	struct span client_id; /* empty: the store's, or a new one */
	uint64_t bytes_max;    /* of all files together */
	bool has_threads;
	uint64_t store_id; /* tests give one; 0: drawn */
};

struct store_hooks {
	void *context;
	void (*lock)(void *context);
	void (*unlock)(void *context);
	/*
	 * A record is durable, or with an error it is not and never will be; called before the
	 * entry changes. `subject` is the store_out or store_in, NULL for a kind without one.
	 * An OUT or IN that fails is gone afterwards; of others a failure changes nothing.
	 */
	void (*happened)(void *context, const struct store_record *r, void *subject, int error);
	/* A sentence for the user, without the lock. Any thread. */
	void (*say)(void *context, const char *text);
	/* Health has changed: see client_store_health. Without the lock, any thread. */
	void (*changed)(void *context);
	uint64_t (*now_ms)(void *context); /* never going back */
};

struct client_store {
	struct store_state state;
	struct store_hooks hooks;
	struct journal *journal;
	uint64_t live_bytes_max;
	bool is_new; /* made by client_store_open */
	bool is_started;
	bool has_checkpoint; /* one is under way */
	struct store_ticket checkpoint;
};

/* Takes the disk over, also when it fails. On failure one sentence; errors as journal_open, and
 * ERROR_INVALID for another client's store. */
int client_store_open(struct client_store *s, struct disk *disk,
		      const struct store_options *options, const struct store_hooks *hooks,
		      char reason[STORE_REASON_MAX]) MUST_USE;
/* Calls `found` for each entry, out and then in, in order; `r` has the message when it is still
 * wanted, else only what an entry knows. Entries may be dropped by it. */
int client_store_load(struct client_store *s,
		      int (*found)(void *context, const struct store_record *r, void *subject),
		      void *context, char reason[STORE_REASON_MAX]) MUST_USE;
int client_store_start(struct client_store *s, char reason[STORE_REASON_MAX]) MUST_USE;
/* All that was put is durable, or `happened` has said not. Without the lock. */
void client_store_close(struct client_store *s);
/* Without threads: one piece of work. False: nothing to do. */
bool client_store_step(struct client_store *s);

enum log_health client_store_health(const struct client_store *s);
/* Is there room for a record of so many bytes? */
bool client_store_has_room(const struct client_store *s, size_t len);

/*
 * A message: the number is given. In two steps, so that the second cannot fail: after
 * client_store_prepare the entry is there, then client_store_put or client_store_cancel (which drops it).
 */
int client_store_prepare(struct client_store *s, struct store_record *r,
			 struct store_ticket **out) MUST_USE;
void client_store_put(struct client_store *s, struct store_ticket *t);
void client_store_cancel(struct client_store *s, struct store_ticket *t);

/* What becomes of it. Nothing happens when that is on its way already. */
void client_store_received(struct client_store *s, struct store_out *e);
void client_store_done(struct client_store *s, struct store_out *e);
void client_store_acked(struct client_store *s, struct store_in *e, uint8_t reason_code);
void client_store_released(struct client_store *s, struct store_in *e);
void client_store_forgotten(struct client_store *s, struct store_in *e);
/* The server has begun a session; all that was put may be sent. 0 or ERROR_NO_MEMORY. */
int client_store_session(struct client_store *s) MUST_USE;
int client_store_sending(struct client_store *s) MUST_USE;

#endif
