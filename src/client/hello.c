/* SPDX-License-Identifier: Apache-2.0 */
#include "client/hello.h"

#include "base/buffer.h"
#include "base/mem.h"

#define FLAG_CLEAN_START 0x02

static int decode(struct hello *h)
{
	struct fixed_header header;
	const struct flaw *flaw;
	if (fixed_header_decode(span_of(h->bytes, h->len), &header, &flaw) != HEADER_OK)
		return ERROR_INVALID;
	h->header_len = header.header_len;
	struct span body = span_of(h->bytes + header.header_len, header.remaining_length);
	return connect_decode(body, &h->connect) ? ERROR_INVALID : 0;
}

/* Bytes that are surely enough: the fields, their lengths, and room for all that is fixed. */
static size_t size_bound(const struct connect *c)
{
	const size_t fixed = 64; /* headers, flags and six two-byte lengths take less */
	return fixed + c->client_id.len + c->will_topic.len + c->will_payload.len +
	       c->user_name.len + c->password.len + properties_size(&c->properties) +
	       properties_size(&c->will_properties);
}

int hello_init(struct hello *h, const struct connect *connect)
{
	size_t bound = size_bound(connect);
	*h = (struct hello){.bytes = mem_alloc(bound)};
	if (!h->bytes)
		return ERROR_NO_MEMORY;
	h->len = connect_encode(connect, (struct room){h->bytes, bound});
	int error = h->len > 0 ? decode(h) : ERROR_INVALID;
	if (error)
		hello_release(h);
	return error;
}

void hello_release(struct hello *h)
{
	mem_free(h->bytes);
	*h = (struct hello){0};
}

/* The flags stand behind the protocol's name and level. */
static uint8_t *flags_of(struct hello *h)
{
	uint8_t *body = h->bytes + h->header_len;
	return body + 2 + load_u16(body) + 1;
}

void hello_set_clean_start(struct hello *h, bool clean_start)
{
	uint8_t *flags = flags_of(h);
	*flags = (uint8_t)(clean_start ? *flags | FLAG_CLEAN_START : *flags & ~FLAG_CLEAN_START);
	h->connect.clean_start = clean_start;
}

/* The packet with another client id: what stands before it, the id, what stands behind it. */
static size_t splice(const struct hello *h, struct span client_id, struct room room)
{
	struct span old = h->connect.client_id;
	const uint8_t *body = h->bytes + h->header_len;
	struct span before = span_of(body, (size_t)(old.ptr - 2 - body));
	const uint8_t *behind = old.ptr + old.len;
	struct span after = span_of(behind, (size_t)(h->bytes + h->len - behind));
	struct writer w = writer_of(room);
	write_fixed_header(&w, PACKET_CONNECT, 0, before.len + 2 + client_id.len + after.len);
	write_bytes(&w, before);
	write_binary(&w, client_id);
	write_bytes(&w, after);
	return writer_finish(&w, room);
}

/* Takes the place of what there was. */
static int replace(struct hello *h, struct hello *changed)
{
	int error = changed->len > 0 ? decode(changed) : ERROR_INVALID;
	if (error) {
		hello_release(changed);
		return error;
	}
	hello_release(h);
	*h = *changed;
	return 0;
}

/* All properties but the one that is to change. */
static int copy_others(struct span rest, struct buffer *out)
{
	struct property p;
	int error = 0;
	while (!error && property_next(&rest, &p))
		if (p.id != PROPERTY_AUTHENTICATION_DATA)
			error = buffer_append(out, p.raw);
	return error;
}

int hello_set_auth_data(struct hello *h, struct span data)
{
	struct buffer others = {0};
	struct connect c = h->connect;
	int error = copy_others(c.properties.raw, &others);
	c.properties.present = UINT64_C(1) << PROPERTY_AUTHENTICATION_DATA;
	c.properties.authentication_data = data;
	c.properties.user = buffer_content(&others);
	c.will_properties.present = 0;
	c.will_properties.user = c.has_will ? c.will_properties.raw : SPAN_NONE;
	size_t bound = size_bound(&c);
	struct hello changed = {.bytes = error ? NULL : mem_alloc(bound)};
	if (!error && !changed.bytes)
		error = ERROR_NO_MEMORY;
	if (!error) {
		changed.len = connect_encode(&c, (struct room){changed.bytes, bound});
		error = replace(h, &changed);
	}
	buffer_release(&others);
	return error;
}

int hello_set_client_id(struct hello *h, struct span client_id)
{
	size_t bound = h->len + client_id.len + FIXED_HEADER_BYTES_MAX;
	struct hello changed = {.bytes = mem_alloc(bound)};
	if (!changed.bytes)
		return ERROR_NO_MEMORY;
	changed.len = splice(h, client_id, (struct room){changed.bytes, bound});
	return replace(h, &changed);
}
