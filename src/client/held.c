/* SPDX-License-Identifier: Apache-2.0 */
#include "client/held.h"

#include "base/mem.h"

/* A message as the PUBLISH packet it could have come in, its topic alias resolved. */
struct held_message {
	struct link link;
	uint16_t packet_id;
	uint8_t flags;
	uint32_t len;
	uint8_t body[];
};

void held_init(struct held *h)
{
	list_init(&h->messages);
	h->count = 0;
	h->bytes = 0;
}

static struct held_message *message_of(struct link *link)
{
	return CONTAINER_OF(link, struct held_message, link);
}

static void take_out(struct held *h, struct held_message *m)
{
	link_remove(&m->link);
	h->count--;
	h->bytes -= m->len;
}

void held_release(struct held *h)
{
	while (!list_is_empty(&h->messages)) {
		struct held_message *m = message_of(h->messages.next);
		take_out(h, m);
		mem_free(m);
	}
}

/* All properties in their order are in `raw`; encoding takes them from there. */
static struct publish as_received(const struct publish *message)
{
	struct publish p = *message;
	p.properties.user = message->properties.raw;
	p.properties.present = 0;
	return p;
}

int held_add(struct held *h, const struct publish *message, uint8_t version)
{
	struct publish p = as_received(message);
	size_t len = publish_size(&p, version);
	if (len == 0)
		return ERROR_INVALID;
	struct held_message *m = mem_alloc(sizeof(*m) + len);
	if (!m)
		return ERROR_NO_MEMORY;
	size_t written = publish_encode(&p, version, (struct room){m->body, len});
	ASSERT(written == len);
	m->link = (struct link){0};
	m->packet_id = message->packet_id;
	struct fixed_header header;
	const struct flaw *flaw;
	if (fixed_header_decode(span_of(m->body, len), &header, &flaw) != HEADER_OK) {
		mem_free(m);
		return ERROR_INVALID;
	}
	m->flags = header.flags;
	m->len = header.remaining_length;
	memmove(m->body, m->body + header.header_len, m->len);
	list_append(&h->messages, &m->link);
	h->count++;
	h->bytes += m->len;
	return 0;
}

static struct held_message *find(struct held *h, uint16_t packet_id)
{
	for (struct link *at = h->messages.next; at != &h->messages; at = at->next)
		if (packet_id == 0 || message_of(at)->packet_id == packet_id)
			return message_of(at);
	return NULL;
}

bool held_give(struct held *h, uint16_t packet_id, uint8_t version,
	       void (*give)(void *context, const struct publish *message), void *context)
{
	struct held_message *m = find(h, packet_id);
	if (!m)
		return false;
	struct publish p;
	const struct flaw *flaw = publish_decode(m->flags, span_of(m->body, m->len), version, &p);
	ASSERT(!flaw);  /* it was decoded before, and encoded by us */
	take_out(h, m); /* first: `give` may ask for more */
	give(context, &p);
	mem_free(m);
	return true;
}
