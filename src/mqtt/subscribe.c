/* SPDX-License-Identifier: Apache-2.0 */
/* SUBSCRIBE ([5] 3.8). */
#include "mqtt/packets.h"
#include "mqtt/topic.h"

enum option {
	OPTION_QOS = 0x03,
	OPTION_NO_LOCAL = 0x04,
	OPTION_RETAIN_AS_PUBLISHED = 0x08,
	OPTION_RETAIN_HANDLING = 0x30,
	OPTION_RESERVED = 0xC0,
	OPTION_DENIED = 0x80, /* our own mark: see subscribe_deny */
};
#define RETAIN_HANDLING_SHIFT 4

static const struct flaw *options_flaw(uint8_t options, struct span filter, uint8_t version)
{
	bool is_qos_3 = (options & OPTION_QOS) == OPTION_QOS;
	struct span name, inner;
	if (version != MQTT_5) /* [3.1.1 MQTT-3.8.3-4] */
		return is_qos_3 || options & ~OPTION_QOS ? &flaw_option_bits : NULL;
	if (options & OPTION_RESERVED)
		return &flaw_option_bits; /* [MQTT-3.8.3-5] */
	if (is_qos_3)
		return &flaw_subscribe_qos;
	if ((options & OPTION_RETAIN_HANDLING) == OPTION_RETAIN_HANDLING)
		return &flaw_retain_handling;
	if (options & OPTION_NO_LOCAL && topic_filter_split_share(filter, &name, &inner))
		return &flaw_no_local; /* [MQTT-3.8.3-4] */
	return NULL;
}

static void check_filters(struct reader *r, uint8_t version)
{
	if (reader_left(r) == 0)
		reader_fail(r, &flaw_no_filter); /* [MQTT-3.8.3-2] */
	while (reader_left(r) > 0) {
		struct span filter = read_utf8(r); /* [MQTT-3.8.3-1] */
		uint8_t options = read_u8(r);
		const struct flaw *flaw = options_flaw(options, filter, version);
		if (flaw)
			reader_fail(r, flaw);
	}
}

const struct flaw *subscribe_decode(struct span body, uint8_t version, struct subscribe *out)
{
	struct reader r = reader_of(body);
	out->packet_id = read_packet_id(&r);
	properties_clear(&out->properties);
	if (version == MQTT_5 && properties_decode(&r, PACKET_SUBSCRIBE, &out->properties))
		return r.flaw;
	out->filters = span_of(r.ptr, reader_left(&r));
	check_filters(&r, version);
	return r.flaw;
}

bool subscribe_next(struct span *rest, struct span *filter_out,
		    struct subscription_options *options_out)
{
	if (rest->len == 0)
		return false;
	struct reader r = reader_of(*rest);
	struct span filter = read_binary(&r);
	uint8_t options = read_u8(&r);
	if (r.flaw)
		return false;
	*filter_out = filter;
	*options_out = (struct subscription_options){
		.qos = options & OPTION_QOS,
		.no_local = options & OPTION_NO_LOCAL,
		.retain_as_published = options & OPTION_RETAIN_AS_PUBLISHED,
		.retain_handling = (options & OPTION_RETAIN_HANDLING) >> RETAIN_HANDLING_SHIFT,
		.is_denied = options & OPTION_DENIED,
	};
	*rest = span_of(r.ptr, reader_left(&r));
	return true;
}

void subscribe_deny(struct room *filters, struct span filter, struct span *rest)
{
	uint8_t *text = filters->ptr + (filter.ptr - filters->ptr);
	store_u16(text - 2, 0);
	text[0] = OPTION_DENIED;
	memmove(text + 1, rest->ptr, rest->len);
	*rest = span_of(text + 1, rest->len);
	filters->len -= filter.len;
}

void subscribe_filter_encode(struct writer *w, struct span filter,
			     const struct subscription_options *options)
{
	write_binary(w, filter);
	write_u8(w, (uint8_t)(options->qos | (options->no_local ? OPTION_NO_LOCAL : 0) |
			      (options->retain_as_published ? OPTION_RETAIN_AS_PUBLISHED : 0) |
			      options->retain_handling << RETAIN_HANDLING_SHIFT));
}

/* 3.x has the QoS only. */
static void write_filters_3(struct writer *w, struct span filters)
{
	struct span filter;
	struct subscription_options options;
	while (subscribe_next(&filters, &filter, &options))
		subscribe_filter_encode(w, filter,
					&(struct subscription_options){.qos = options.qos});
}

size_t subscribe_encode(const struct subscribe *p, uint8_t version, struct room room)
{
	struct writer w = writer_of(room);
	size_t size = 2 + p->filters.len;
	if (version == MQTT_5)
		size += properties_size_with_length(&p->properties);
	write_fixed_header(&w, PACKET_SUBSCRIBE, fixed_header_flags(PACKET_SUBSCRIBE), size);
	write_u16(&w, p->packet_id);
	if (version == MQTT_5) {
		properties_encode(&w, &p->properties);
		write_bytes(&w, p->filters);
	} else {
		write_filters_3(&w, p->filters);
	}
	return writer_finish(&w, room);
}
