/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/source.h"

#include "broker/shard.h"

#define HEAD_BYTES 4
#define TEXT_BYTES_MAX 65535 /* [5] 1.5.4 */

bool source_make(struct shard *s, const struct identity *i, struct span client_id,
		 struct span *source_out)
{
	struct buffer *out = &s->source;
	*source_out = SPAN_NONE;
	if (!i || !s->access->realms[i->realm].acl)
		return true;
	struct span name = identity_name(i);
	uint8_t head[HEAD_BYTES] = {i->realm, i->has_name};
	store_u16(head + 2, (uint16_t)name.len);
	buffer_consume(out, buffer_len(out));
	if (buffer_append(out, span_of(head, sizeof(head))) || buffer_append(out, name) ||
	    buffer_append(out, client_id))
		return false;
	*source_out = buffer_content(out);
	return true;
}

static size_t name_len_of(struct span source)
{
	return load_u16(source.ptr + 2);
}

bool source_is_valid(struct span source)
{
	if (source.len < HEAD_BYTES || source.ptr[0] >= REALMS_MAX || source.ptr[1] > 1)
		return false;
	size_t name_len = name_len_of(source), rest = source.len - HEAD_BYTES;
	return name_len <= rest && rest - name_len <= TEXT_BYTES_MAX &&
	       (source.ptr[1] || name_len == 0);
}

bool source_may_write(const struct shard *s, struct span source, struct span topic)
{
	if (source.len == 0)
		return true;
	if (!source_is_valid(source) || source.ptr[0] >= s->access->realm_count)
		return false;
	const struct acl *acl = s->access->realms[source.ptr[0]].acl;
	if (!acl)
		return true;
	size_t name_len = name_len_of(source);
	struct span name = span_of(source.ptr + HEAD_BYTES, name_len);
	bool has_name = source.ptr[1];
	struct acl_client who = {
		.rules = acl_rules_of(acl, has_name ? &name : NULL),
		.has_user_name = has_name,
		.user_name = name,
		.client_id = span_of(name.ptr + name_len, source.len - HEAD_BYTES - name_len)};
	return acl_allows(acl, &who, ACL_WRITE, topic);
}
