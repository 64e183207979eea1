/* SPDX-License-Identifier: Apache-2.0 */
/* SUBACK and UNSUBACK ([5] 3.9, 3.11). */
#include "mqtt/packets.h"

#define CODE_FAILURE 0x80 /* the only one in 3.1.1 [3.1.1 MQTT-3.9.3-2] */

static bool code_is_listed(uint8_t type, uint8_t version, uint8_t code)
{
	if (version == MQTT_5)
		return reason_is_allowed(code, type); /* [MQTT-3.9.3-2, 3.11.3-2] */
	return code <= QOS_MAX || code == CODE_FAILURE;
}

static void read_codes(struct reader *r, uint8_t version, struct suback *out)
{
	out->codes = read_bytes(r, reader_left(r));
	if (out->codes.len == 0)
		reader_fail(r, &flaw_no_code);
	for (size_t i = 0; i < out->codes.len; i++)
		if (!code_is_listed(out->type, version, out->codes.ptr[i]))
			reader_fail(r, &flaw_reason_code);
}

/* An UNSUBACK of 3.x says nothing more than that it is one. */
static bool has_codes(uint8_t type, uint8_t version)
{
	return type == PACKET_SUBACK || version == MQTT_5;
}

const struct flaw *suback_decode(uint8_t type, struct span body, uint8_t version,
				 struct suback *out)
{
	struct reader r = reader_of(body);
	out->type = type;
	out->packet_id = read_packet_id(&r);
	out->codes = SPAN_NONE;
	properties_clear(&out->properties);
	if (version == MQTT_5 && properties_decode(&r, type, &out->properties))
		return r.flaw;
	if (has_codes(type, version))
		read_codes(&r, version, out);
	return reader_finish(&r);
}

static void write_codes_3(struct writer *w, struct span codes)
{
	for (size_t i = 0; i < codes.len; i++)
		write_u8(w, codes.ptr[i] < CODE_FAILURE ? codes.ptr[i] : CODE_FAILURE);
}

size_t suback_encode(const struct suback *p, uint8_t version, struct room room)
{
	struct writer w = writer_of(room);
	size_t size = 2;
	if (has_codes(p->type, version))
		size += p->codes.len;
	if (version == MQTT_5)
		size += properties_size_with_length(&p->properties);
	write_fixed_header(&w, p->type, 0, size);
	write_u16(&w, p->packet_id);
	if (version == MQTT_5) {
		properties_encode(&w, &p->properties);
		write_bytes(&w, p->codes);
	} else if (has_codes(p->type, version)) {
		write_codes_3(&w, p->codes);
	}
	return writer_finish(&w, room);
}
