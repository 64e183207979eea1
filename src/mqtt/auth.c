/* SPDX-License-Identifier: Apache-2.0 */
/* AUTH ([5] 3.15): version 5 only. */
#include "mqtt/packets.h"

/* [5] 3.15.2.1: an empty packet means success; any other names its method (3.15.2.2.2). */
const struct flaw *auth_decode(struct span body, struct auth *out)
{
	struct reader r = reader_of(body);
	out->reason_code = REASON_SUCCESS;
	properties_clear(&out->properties);
	if (reader_left(&r) == 0)
		return NULL;
	out->reason_code = read_u8(&r);
	if (!reason_is_allowed(out->reason_code, PACKET_AUTH))
		reader_fail(&r, &flaw_reason_code); /* [MQTT-3.15.2-1] */
	if (properties_decode(&r, PACKET_AUTH, &out->properties))
		return r.flaw;
	if (!properties_has(&out->properties, PROPERTY_AUTHENTICATION_METHOD))
		return &flaw_authentication_method;
	return reader_finish(&r);
}

size_t auth_encode(const struct auth *p, struct room room)
{
	struct writer w = writer_of(room);
	bool is_short = p->reason_code == REASON_SUCCESS && properties_are_empty(&p->properties);
	size_t size = is_short ? 0 : 1 + properties_size_with_length(&p->properties);
	write_fixed_header(&w, PACKET_AUTH, 0, size);
	if (!is_short) {
		write_u8(&w, p->reason_code);
		properties_encode(&w, &p->properties);
	}
	return writer_finish(&w, room);
}
