/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "client/client_state.h"

/* What the ids of the public header stand for is the standard's, so the values are the same. */
_Static_assert((int)NJ_USER_PROPERTY == (int)PROPERTY_USER_PROPERTY, "[5] 2.2.2.2");
_Static_assert((int)NJ_SHARED_SUBSCRIPTION_AVAILABLE == (int)PROPERTY_SHARED_SUBSCRIPTION_AVAILABLE,
	       "[5] 2.2.2.2");

static size_t size_bound(const struct nj_property *list, size_t count)
{
	const size_t fixed = 9; /* identifier; an integer, or two lengths of texts */
	size_t size = 4;        /* the length in front, for the check */
	for (size_t i = 0; i < count; i++)
		size += fixed + list[i].text.len + list[i].value.len;
	return size;
}

static bool encode_all(struct writer *w, const struct nj_property *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct property p = {.id = list[i].id,
				     .number = list[i].number,
				     .text = span_of(list[i].text.ptr, list[i].text.len),
				     .value = span_of(list[i].value.ptr, list[i].value.len)};
		if (!property_encode(w, &p))
			return false;
	}
	return !w->is_overflown;
}

/* Would a receiver take them? */
static bool is_sound(struct span bytes, unsigned where)
{
	struct properties p;
	struct reader r = reader_of(bytes);
	return properties_decode(&r, where, &p) == NULL;
}

int property_list_encode(const struct nj_property *list, size_t count, unsigned where,
			 struct span *bytes_out)
{
	*bytes_out = SPAN_NONE;
	if (count == 0)
		return 0;
	size_t bound = size_bound(list, count);
	uint8_t *bytes = bound > REMAINING_LENGTH_MAX ? NULL : mem_alloc(2 * bound);
	if (!bytes)
		return bound > REMAINING_LENGTH_MAX ? ERROR_INVALID : ERROR_NO_MEMORY;
	struct writer w = writer_of((struct room){bytes, bound});
	struct writer whole = writer_of((struct room){bytes + bound, bound});
	bool is_good = encode_all(&w, list, count);
	struct span encoded = span_of(bytes, (size_t)(w.ptr - bytes));
	write_variable_integer(&whole, (uint32_t)encoded.len);
	write_bytes(&whole, encoded);
	is_good = is_good && !whole.is_overflown &&
		  is_sound(span_of(bytes + bound, (size_t)(whole.ptr - bytes) - bound), where);
	if (!is_good) {
		mem_free(bytes);
		return ERROR_INVALID;
	}
	*bytes_out = encoded;
	return 0;
}

bool nj_property_next(struct nj_bytes *rest, struct nj_property *property_out)
{
	struct span bytes = span_of(rest->ptr, rest->len);
	struct property p;
	if (!property_next(&bytes, &p))
		return false;
	*rest = (struct nj_bytes){bytes.ptr, bytes.len};
	*property_out = (struct nj_property){
		p.id, p.number, {p.text.ptr, p.text.len}, {p.value.ptr, p.value.len}};
	return true;
}

bool nj_property_find(struct nj_bytes properties, uint8_t id, struct nj_property *property_out)
{
	struct nj_property p;
	while (nj_property_next(&properties, &p)) {
		if (p.id == id) {
			*property_out = p;
			return true;
		}
	}
	return false;
}
