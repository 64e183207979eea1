/* SPDX-License-Identifier: Apache-2.0 */
/* PUBLISH ([5] 3.3): the packet that counts, so its common form takes few branches. */
#include "mqtt/packets.h"
#include "mqtt/scan.h"
#include "mqtt/topic.h"

enum publish_flag {
	FLAG_RETAIN = 1,
	FLAG_QOS = 6,
	FLAG_DUP = 8,
};
#define QOS_SHIFT 1

static const struct flaw *flags_flaw(uint8_t flags)
{
	if ((flags & FLAG_QOS) == FLAG_QOS)
		return &flaw_publish_qos; /* [MQTT-3.3.1-4] */
	if (flags & FLAG_DUP && !(flags & FLAG_QOS))
		return &flaw_publish_dup; /* [MQTT-3.3.1-2] */
	return NULL;
}

/* One look at short ASCII topics; the rules one by one for the others. */
static void read_topic(struct reader *r, struct publish *out)
{
	out->topic = read_binary(r);
	if (LIKELY(scan_is_ascii_topic(out->topic)))
		return;
	if (!utf8_is_valid(out->topic))
		reader_fail(r, &flaw_utf8); /* [MQTT-3.3.2-1, 4.7.3-2] */
	else if (topic_has_wildcard(out->topic))
		reader_fail(r, &flaw_topic_wildcard); /* [MQTT-3.3.2-2] */
}

const struct flaw *publish_decode(uint8_t flags, struct span body, uint8_t version,
				  struct publish *out)
{
	struct reader r = reader_of(body);
	const struct flaw *flaw = flags_flaw(flags);
	if (UNLIKELY(flaw != NULL))
		return flaw;
	out->dup = flags & FLAG_DUP;
	out->retain = flags & FLAG_RETAIN;
	out->qos = (flags & FLAG_QOS) >> QOS_SHIFT;
	read_topic(&r, out);
	out->packet_id = out->qos > 0 ? read_packet_id(&r) : 0; /* [MQTT-2.2.1-2] */
	properties_clear(&out->properties);
	if (version == MQTT_5 && properties_decode(&r, PACKET_PUBLISH, &out->properties))
		return r.flaw;
	if (UNLIKELY(r.flaw != NULL))
		return r.flaw;
	if (UNLIKELY(out->topic.len == 0 &&
		     !properties_has(&out->properties, PROPERTY_TOPIC_ALIAS)))
		return &flaw_topic_empty; /* [MQTT-4.7.3-1] */
	out->payload = span_of(r.ptr, reader_left(&r));
	return NULL;
}

static size_t body_size(const struct publish *p, uint8_t version)
{
	size_t size = 2 + p->topic.len + p->payload.len;
	if (p->qos > 0)
		size += 2;
	if (version == MQTT_5)
		size += properties_size_with_length(&p->properties);
	return size;
}

size_t publish_size(const struct publish *p, uint8_t version)
{
	size_t size = body_size(p, version);
	if (size > REMAINING_LENGTH_MAX)
		return 0;
	return 1 + variable_integer_size((uint32_t)size) + size;
}

static uint8_t flags_of(const struct publish *p)
{
	return (uint8_t)((p->dup ? FLAG_DUP : 0) | p->qos << QOS_SHIFT |
			 (p->retain ? FLAG_RETAIN : 0));
}

size_t publish_encode(const struct publish *p, uint8_t version, struct room room)
{
	struct writer w = writer_of(room);
	write_fixed_header(&w, PACKET_PUBLISH, flags_of(p), body_size(p, version));
	write_binary(&w, p->topic);
	if (p->qos > 0)
		write_u16(&w, p->packet_id);
	if (version == MQTT_5)
		properties_encode(&w, &p->properties);
	write_bytes(&w, p->payload);
	return writer_finish(&w, room);
}
