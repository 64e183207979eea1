/* SPDX-License-Identifier: Apache-2.0 */
#include "io/mailbox.h"

void mailbox_init(struct mailbox *m, void (*wake)(void *context), void *wake_context)
{
	atomic_init(&m->newest, NULL);
	atomic_init(&m->is_asleep, false);
	m->wake = wake;
	m->wake_context = wake_context;
}

void mailbox_push(struct mailbox *m, struct mail *mail)
{
	struct mail *newest = atomic_load_explicit(&m->newest, memory_order_relaxed);
	do
		mail->next = newest;
	while (!atomic_compare_exchange_weak(&m->newest, &newest, mail));
}

void mailbox_post(struct mailbox *m, struct mail *mail)
{
	mailbox_push(m, mail);
	if (atomic_load(&m->is_asleep) && atomic_exchange(&m->is_asleep, false))
		m->wake(m->wake_context);
}

struct mail *mailbox_take(struct mailbox *m)
{
	if (!atomic_load_explicit(&m->newest, memory_order_relaxed))
		return NULL;
	struct mail *mail = atomic_exchange(&m->newest, NULL);
	struct mail *oldest = NULL;
	while (mail) {
		struct mail *next = mail->next;
		mail->next = oldest;
		oldest = mail;
		mail = next;
	}
	return oldest;
}

bool mailbox_sleep(struct mailbox *m)
{
	atomic_store(&m->is_asleep, true);
	if (!atomic_load(&m->newest))
		return true;
	atomic_store(&m->is_asleep, false);
	return false;
}

void mailbox_awake(struct mailbox *m)
{
	atomic_store(&m->is_asleep, false);
}
