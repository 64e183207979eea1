/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Letters from many threads to one: lock-free, in batches, with one wake-up per batch and none
 * when the receiver is awake.
 *
 * The receiver announces that it is about to sleep, looks once more, and sleeps; a sender that
 * finds the announcement takes it down and wakes. Both steps are sequentially consistent: so
 * either the sender sees the announcement or the receiver sees the letter.
 */
#ifndef NIGHTJAR_IO_MAILBOX_H
#define NIGHTJAR_IO_MAILBOX_H

#include "base/base.h"

#include <stdatomic.h>

struct mail {
	struct mail *next;
};

struct mailbox {
	_Atomic(struct mail *) newest; /* a stack; the receiver turns it round */
	atomic_bool is_asleep;
	void (*wake)(void *context); /* called on the sender's thread */
	void *wake_context;
};

void mailbox_init(struct mailbox *m, void (*wake)(void *context), void *wake_context);
/* Any thread. Letters of one sender arrive in the order posted. */
void mailbox_post(struct mailbox *m, struct mail *mail);
/* As mailbox_post, but wakes nobody: for a sender that makes sure itself that it is read. */
void mailbox_push(struct mailbox *m, struct mail *mail);
static inline bool mailbox_is_empty(struct mailbox *m)
{
	return atomic_load(&m->newest) == NULL;
}
/* Receiver only: everything that is there, oldest first; NULL when empty. */
struct mail *mailbox_take(struct mailbox *m);
/* Receiver only, before sleeping: false when a letter is there (do not sleep). */
bool mailbox_sleep(struct mailbox *m) MUST_USE;
/* Receiver only, after sleeping. */
void mailbox_awake(struct mailbox *m);

#endif
