/* SPDX-License-Identifier: Apache-2.0 */
/* PUBACK, PUBREC, PUBREL, PUBCOMP ([5] 3.4-3.7): four packets of one form. */
#include "mqtt/packets.h"

/* [5] 3.4.2.1: the reason code may be missing (0x00), and the properties behind it. */
static void read_reason(struct reader *r, struct ack *out)
{
	if (reader_left(r) == 0)
		return;
	out->reason_code = read_u8(r);
	if (!reason_is_allowed(out->reason_code, out->type))
		reader_fail(r, &flaw_reason_code); /* [MQTT-3.4.2-1, 3.5.2-1, 3.6.2-1, 3.7.2-1] */
	if (reader_left(r) > 0 && properties_decode(r, out->type, &out->properties))
		return;
}

const struct flaw *ack_decode(uint8_t type, struct span body, uint8_t version, struct ack *out)
{
	struct reader r = reader_of(body);
	out->type = type;
	out->reason_code = REASON_SUCCESS;
	out->packet_id = read_packet_id(&r);
	properties_clear(&out->properties);
	if (version == MQTT_5)
		read_reason(&r, out);
	return reader_finish(&r);
}

size_t ack_encode(const struct ack *p, uint8_t version, struct room room)
{
	struct writer w = writer_of(room);
	bool has_properties = version == MQTT_5 && !properties_are_empty(&p->properties);
	bool has_reason = has_properties || (version == MQTT_5 && p->reason_code != REASON_SUCCESS);
	size_t size = has_reason ? 3 : 2;
	if (has_properties)
		size += properties_size_with_length(&p->properties);
	write_fixed_header(&w, p->type, fixed_header_flags(p->type), size);
	write_u16(&w, p->packet_id);
	if (has_reason)
		write_u8(&w, p->reason_code);
	if (has_properties)
		properties_encode(&w, &p->properties);
	return writer_finish(&w, room);
}
