/* SPDX-License-Identifier: Apache-2.0 */
/* In place of the store (kept.h) in a library that was built without it: store_path is refused,
 * c->kept stays NULL, and what needs it is never called. */
#include "client/kept.h"

int kept_open(nj_client *c, struct nj_options *o)
{
	(void)c;
	if (o->store_says)
		o->store_says(o->context, "This libnightjar was built without a store "
					  "(-Dclient_store=disabled): leave store_path NULL.");
	return NJ_ERROR_STORE;
}

int kept_open_disk(nj_client *c, struct nj_options *o, struct disk *disk, uint64_t store_id)
{
	(void)store_id;
	disk->ops->free(disk);
	return kept_open(c, o);
}

void kept_close(nj_client *c)
{
	(void)c;
}

bool kept_waits(const nj_client *c)
{
	(void)c;
	return false;
}

bool outbox_keeps(const nj_client *c, uint8_t qos)
{
	(void)c;
	(void)qos;
	return false;
}

bool outbox_is_stuck(const nj_client *c)
{
	(void)c;
	return false;
}

bool inbox_is_answering(const nj_client *c)
{
	(void)c;
	return false;
}

/* --- never called --- */

NORETURN static void never(void)
{
	assert_failed("there is a store", __FILE__, __LINE__);
}

int kept_load(nj_client *c)
{
	(void)c;
	never();
}

void kept_call_said(nj_client *c, struct event *event)
{
	(void)c;
	(void)event;
	never();
}

void kept_drop_said(struct event *event)
{
	(void)event;
	never();
}

int kept_connected(nj_client *c, bool session_present)
{
	(void)c;
	(void)session_present;
	never();
}

void kept_lost(nj_client *c)
{
	(void)c;
	never();
}

int outbox_publish(nj_client *c, const struct publish *p, uint64_t mark, struct nj_delivery *d)
{
	(void)c;
	(void)p;
	(void)mark;
	(void)d;
	never();
}

void outbox_finished(nj_client *c, uint64_t position)
{
	(void)c;
	(void)position;
	never();
}

bool outbox_pubrec(void *context, uint64_t position)
{
	(void)context;
	(void)position;
	never();
}

void outbox_call_stored(nj_client *c, struct event *event)
{
	(void)c;
	(void)event;
	never();
}

void outbox_drop_stored(struct event *event)
{
	(void)event;
	never();
}

int inbox_arrived(nj_client *c, struct nj_message *m, const struct publish *p)
{
	(void)c;
	(void)m;
	(void)p;
	never();
}

bool inbox_owes(const nj_client *c, const struct nj_message *m)
{
	(void)c;
	(void)m;
	never();
}

int inbox_let_go(nj_client *c, const struct nj_message *m, uint8_t reason_code)
{
	(void)c;
	(void)m;
	(void)reason_code;
	never();
}

int inbox_give_back(nj_client *c, const struct nj_message *m)
{
	(void)c;
	(void)m;
	never();
}

bool inbox_pubrel(void *context, uint16_t packet_id)
{
	(void)context;
	(void)packet_id;
	never();
}

/* --- public calls --- */

uint64_t nj_store_mark(nj_client *c)
{
	(void)c;
	return 0;
}

int nj_skip(nj_client *c, uint64_t mark)
{
	(void)c;
	(void)mark;
	return NJ_ERROR_INVALID;
}

uint64_t nj_message_mark(const nj_message *m)
{
	(void)m;
	return 0;
}

int nj_delivery_wait_stored(nj_delivery *d, int64_t timeout_ms)
{
	(void)d;
	(void)timeout_ms;
	return NJ_ERROR_INVALID;
}
