/* SPDX-License-Identifier: Apache-2.0 */
/* UNSUBSCRIBE ([5] 3.10). */
#include "mqtt/packets.h"

static void check_filters(struct reader *r)
{
	if (reader_left(r) == 0)
		reader_fail(r, &flaw_no_filter); /* [MQTT-3.10.3-2] */
	while (reader_left(r) > 0)
		read_utf8(r); /* [MQTT-3.10.3-1] */
}

const struct flaw *unsubscribe_decode(struct span body, uint8_t version, struct unsubscribe *out)
{
	struct reader r = reader_of(body);
	out->packet_id = read_packet_id(&r);
	properties_clear(&out->properties);
	if (version == MQTT_5 && properties_decode(&r, PACKET_UNSUBSCRIBE, &out->properties))
		return r.flaw;
	out->filters = span_of(r.ptr, reader_left(&r));
	check_filters(&r);
	return r.flaw;
}

bool unsubscribe_next(struct span *rest, struct span *filter_out)
{
	if (rest->len == 0)
		return false;
	struct reader r = reader_of(*rest);
	struct span filter = read_binary(&r);
	if (r.flaw)
		return false;
	*filter_out = filter;
	*rest = span_of(r.ptr, reader_left(&r));
	return true;
}

size_t unsubscribe_encode(const struct unsubscribe *p, uint8_t version, struct room room)
{
	struct writer w = writer_of(room);
	size_t size = 2 + p->filters.len;
	if (version == MQTT_5)
		size += properties_size_with_length(&p->properties);
	write_fixed_header(&w, PACKET_UNSUBSCRIBE, fixed_header_flags(PACKET_UNSUBSCRIBE), size);
	write_u16(&w, p->packet_id);
	if (version == MQTT_5)
		properties_encode(&w, &p->properties);
	write_bytes(&w, p->filters);
	return writer_finish(&w, room);
}
