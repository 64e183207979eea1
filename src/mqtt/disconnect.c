/* SPDX-License-Identifier: Apache-2.0 */
/* DISCONNECT ([5] 3.14). */
#include "mqtt/packets.h"

/* [5] 3.14.2.1: the reason code may be missing (0x00), and the properties behind it. */
static void read_reason(struct reader *r, struct disconnect *out)
{
	if (reader_left(r) == 0)
		return;
	out->reason_code = read_u8(r);
	if (!reason_is_allowed(out->reason_code, PACKET_DISCONNECT))
		reader_fail(r, &flaw_reason_code); /* [MQTT-3.14.2-1] */
	if (reader_left(r) > 0 && properties_decode(r, PACKET_DISCONNECT, &out->properties))
		return;
}

const struct flaw *disconnect_decode(struct span body, uint8_t version, struct disconnect *out)
{
	struct reader r = reader_of(body);
	out->reason_code = REASON_NORMAL_DISCONNECTION;
	properties_clear(&out->properties);
	if (version == MQTT_5)
		read_reason(&r, out);
	return reader_finish(&r);
}

size_t disconnect_encode(const struct disconnect *p, uint8_t version, struct room room)
{
	struct writer w = writer_of(room);
	bool has_properties = version == MQTT_5 && !properties_are_empty(&p->properties);
	bool has_reason = has_properties ||
			  (version == MQTT_5 && p->reason_code != REASON_NORMAL_DISCONNECTION);
	size_t size = has_reason ? 1 : 0;
	if (has_properties)
		size += properties_size_with_length(&p->properties);
	write_fixed_header(&w, PACKET_DISCONNECT, 0, size);
	if (has_reason)
		write_u8(&w, p->reason_code);
	if (has_properties)
		properties_encode(&w, &p->properties);
	return writer_finish(&w, room);
}
