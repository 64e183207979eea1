/* SPDX-License-Identifier: Apache-2.0 */
#include "queue/message.h"

#include "base/mem.h"

static uint8_t *put(uint8_t *to, struct span bytes)
{
	if (bytes.len > 0)
		memcpy(to, bytes.ptr, bytes.len);
	return to + bytes.len;
}

struct message *message_new(const struct message_parts *parts)
{
	uint32_t source_len = (uint32_t)parts->source.len;
	size_t room = source_len ? sizeof(source_len) + source_len : 0;
	struct message *m = mem_alloc(sizeof(*m) + parts->topic.len + parts->properties.len +
				      parts->payload.len + room);
	if (!m)
		return NULL;
	atomic_init(&m->refs, 1);
	m->payload_len = (uint32_t)parts->payload.len;
	m->properties_len = (uint32_t)parts->properties.len;
	m->topic_len = (uint16_t)parts->topic.len;
	m->qos = parts->qos;
	m->retain = parts->retain;
	m->is_shared = false;
	m->has_expiry = parts->has_expiry;
	m->has_source = source_len > 0;
	m->expires_ms = parts->expires_ms;
	m->publisher = parts->publisher;
	m->position = 0;
	uint8_t *end = put(put(put(m->bytes, parts->topic), parts->properties), parts->payload);
	if (UNLIKELY(source_len > 0))
		put(put(end, span_of(&source_len, sizeof(source_len))), parts->source);
	return m;
}

void message_destroy(struct message *m)
{
	mem_free(m);
}
