/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A published message as it waits: body once, counted references, in one allocation:
 *
 *     | struct message | topic | properties to forward | payload | source, and its length before it |
 *
 * Immutable once made. While one thread knows it, counting is plain arithmetic; before it is handed
 * to another thread, message_share makes counting atomic.
 */
#ifndef NIGHTJAR_QUEUE_MESSAGE_H
#define NIGHTJAR_QUEUE_MESSAGE_H

#include "base/base.h"

#include <stdatomic.h>

struct message {
	atomic_uint refs;
	uint32_t payload_len;
	uint32_t properties_len; /* encoded properties to forward: not expiry, alias, identifiers */
	uint16_t topic_len;
	uint8_t qos; /* as published */
	bool retain : 1;
	bool is_shared : 1; /* more than one thread may hold references */
	bool has_expiry : 1;
	bool has_source : 1;
	uint64_t expires_ms; /* wall clock; meaningful with has_expiry */
	uint64_t publisher;  /* session number of the publisher, 0 = none (for no local) */
	uint64_t
		position; /* of its record in the log, 0 = it is in none; set before it is shared */
	uint8_t bytes[];
};

struct message_parts {
	struct span topic;
	struct span properties;
	struct span payload;
	struct span source; /* who has published it (broker/source.h); empty: nobody asks */
	uint64_t publisher;
	uint64_t expires_ms;
	bool has_expiry;
	uint8_t qos;
	bool retain;
};

/* With one reference, the caller's. NULL when there is no memory. */
struct message *message_new(const struct message_parts *parts) MUST_USE;
void message_destroy(struct message *m);

/* Before another thread gets to know it. */
static inline void message_share(struct message *m)
{
	if (!m->is_shared) /* others may be reading it */
		m->is_shared = true;
}

static inline struct message *message_ref(struct message *m)
{
	if (UNLIKELY(m->is_shared))
		atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
	else
		atomic_store_explicit(&m->refs,
				      atomic_load_explicit(&m->refs, memory_order_relaxed) + 1,
				      memory_order_relaxed);
	return m;
}

static inline void message_unref(struct message *m)
{
	unsigned before;
	if (UNLIKELY(m->is_shared)) {
		before = atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel);
	} else {
		before = atomic_load_explicit(&m->refs, memory_order_relaxed);
		atomic_store_explicit(&m->refs, before - 1, memory_order_relaxed);
	}
	if (before == 1)
		message_destroy(m);
}

static inline struct span message_topic(const struct message *m)
{
	return span_of(m->bytes, m->topic_len);
}
static inline struct span message_properties(const struct message *m)
{
	return span_of(m->bytes + m->topic_len, m->properties_len);
}
static inline struct span message_payload(const struct message *m)
{
	return span_of(m->bytes + m->topic_len + m->properties_len, m->payload_len);
}
static inline struct span message_source(const struct message *m)
{
	uint32_t len;
	struct span payload = message_payload(m);
	if (LIKELY(!m->has_source))
		return SPAN_NONE;
	memcpy(&len, payload.ptr + payload.len, sizeof(len));
	return span_of(payload.ptr + payload.len + sizeof(len), len);
}
/* Bytes that it holds, for limits. */
static inline size_t message_bytes(const struct message *m)
{
	return sizeof(*m) + m->topic_len + m->properties_len + m->payload_len +
	       message_source(m).len;
}

#endif
