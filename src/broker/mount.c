/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/mount.h"

#include "base/mem.h"
#include "broker/shard.h"
#include "mqtt/topic.h"

#include <stdatomic.h>

#define TOPIC_BYTES_MAX 65535 /* [5] 1.5.4 */

struct mount {
	atomic_uint refs;
	size_t len;
	uint8_t text[];
};

static const struct flaw flaw_topic = {REASON_TOPIC_NAME_INVALID,
				       "topic too long behind the listener's mount point"};
static const struct flaw flaw_filter = {REASON_TOPIC_FILTER_INVALID,
					"topic filter too long behind the listener's mount point"};
static const struct flaw flaw_memory = {REASON_QUOTA_EXCEEDED, "out of memory"};

struct mount *mount_new(struct span text)
{
	ASSERT(text.len > 0 && text.len < TOPIC_BYTES_MAX);
	struct mount *m = mem_alloc(sizeof(*m) + text.len);
	if (!m)
		return NULL;
	atomic_init(&m->refs, 1);
	m->len = text.len;
	memcpy(m->text, text.ptr, text.len);
	return m;
}

struct mount *mount_ref(struct mount *m)
{
	atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
	return m;
}

void mount_unref(struct mount *m)
{
	if (m && atomic_fetch_sub(&m->refs, 1) == 1)
		mem_free(m);
}

static struct span text_of(const struct connection *c)
{
	const struct mount *m = c->extras->mount;
	return span_of(m->text, m->len);
}

const struct flaw *mount_topic(const struct connection *c, struct span *topic)
{
	struct buffer *out = &c->shard->mounted;
	struct span text = text_of(c);
	if (text.len + topic->len > TOPIC_BYTES_MAX)
		return &flaw_topic;
	buffer_consume(out, buffer_len(out));
	if (buffer_append(out, text) || buffer_append(out, *topic))
		return &flaw_memory;
	*topic = buffer_content(out);
	return NULL;
}

/* What stands in front of it: the mount point goes between. */
static struct span share_of(struct span filter)
{
	struct span name, inner;
	if (!topic_filter_split_share(filter, &name, &inner))
		return SPAN_NONE;
	return span_of(filter.ptr, (size_t)(inner.ptr - filter.ptr));
}

static int put_filter(struct buffer *out, struct span text, struct span filter, size_t option_len)
{
	struct span share = share_of(filter);
	uint8_t len[2];
	if (!topic_filter_is_valid(filter))
		text = SPAN_NONE;
	store_u16(len, (uint16_t)(text.len + filter.len));
	int error = buffer_append(out, span_of(len, sizeof(len)));
	if (!error)
		error = buffer_append(out, share);
	if (!error)
		error = buffer_append(out, text);
	if (!error) /* with its options, which stand behind it */
		error = buffer_append(
			out, span_of(filter.ptr + share.len, filter.len - share.len + option_len));
	return error;
}

const struct flaw *mount_filters(const struct connection *c, bool is_subscribe,
				 struct span *filters)
{
	struct buffer *out = &c->shard->mounted;
	struct span text = text_of(c), rest = *filters, filter;
	struct subscription_options options;
	buffer_consume(out, buffer_len(out));
	while (is_subscribe ? subscribe_next(&rest, &filter, &options)
			    : unsubscribe_next(&rest, &filter)) {
		if (text.len + filter.len > TOPIC_BYTES_MAX)
			return &flaw_filter;
		if (put_filter(out, text, filter, is_subscribe ? 1 : 0))
			return &flaw_memory;
	}
	*filters = buffer_content(out);
	return NULL;
}

bool mount_shows(const struct connection *c, struct span topic)
{
	struct span text = text_of(c);
	return topic.len > text.len && memcmp(topic.ptr, text.ptr, text.len) == 0;
}

struct span mount_strip(const struct connection *c, struct span topic)
{
	size_t len = mount_shows(c, topic) ? text_of(c).len : 0;
	return span_of(topic.ptr + len, topic.len - len);
}
