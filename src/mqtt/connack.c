/* SPDX-License-Identifier: Apache-2.0 */
/* CONNACK ([5] 3.2). */
#include "mqtt/packets.h"

#define FLAG_SESSION_PRESENT 0x01
#define RETURN_CODE_MAX 5 /* [3.1.1 MQTT-3.2.2-6] */

static void read_flags(struct reader *r, uint8_t version, struct connack *out)
{
	uint8_t flags = read_u8(r);
	if (version == MQTT_3_1)
		flags = 0; /* the byte has no meaning there */
	if (flags & ~FLAG_SESSION_PRESENT)
		reader_fail(r, &flaw_connack_flags); /* [MQTT-3.2.2-1] */
	out->session_present = flags & FLAG_SESSION_PRESENT;
}

const struct flaw *connack_decode(struct span body, uint8_t version, struct connack *out)
{
	struct reader r = reader_of(body);
	read_flags(&r, version, out);
	out->code = read_u8(&r);
	properties_clear(&out->properties);
	bool is_listed = version == MQTT_5 ? reason_is_allowed(out->code, PACKET_CONNACK)
					   : out->code <= RETURN_CODE_MAX;
	if (!is_listed)
		reader_fail(&r, &flaw_reason_code); /* [MQTT-3.2.2-8] */
	if (version == MQTT_5 && properties_decode(&r, PACKET_CONNACK, &out->properties))
		return r.flaw;
	return reader_finish(&r);
}

size_t connack_encode(const struct connack *p, uint8_t version, struct room room)
{
	struct writer w = writer_of(room);
	size_t size = 2;
	if (version == MQTT_5)
		size += properties_size_with_length(&p->properties);
	write_fixed_header(&w, PACKET_CONNACK, 0, size);
	write_u8(&w, p->session_present && version != MQTT_3_1 ? FLAG_SESSION_PRESENT : 0);
	write_u8(&w, p->code);
	if (version == MQTT_5)
		properties_encode(&w, &p->properties);
	return writer_finish(&w, room);
}
