/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client that answers what it was not asked, with what does not belong there, and sends what it
 * must not. The broker may close its connection, and nothing else may happen: nobody else hears of
 * it, since its topics are its own.
 */
#include "world.h"

#define TOPIC "$m/x"
#define IDS 4 /* packet ids that it uses: few, so that they meet */

static struct room room_of(uint8_t *bytes, size_t len)
{
	return (struct room){bytes, len};
}

static size_t hello(struct world *w, struct hostile *h, struct room room)
{
	static const uint8_t versions[] = {MQTT_3_1, MQTT_3_1_1, MQTT_5};
	struct random *r = &w->random;
	struct connect p = {.version = versions[random_below(r, ARRAY_COUNT(versions))],
			    .clean_start = random_chance(r, 20),
			    .client_id = SPAN_LITERAL("mallory")};
	properties_clear(&p.properties);
	properties_clear(&p.will_properties);
	h->version = p.version;
	if (p.version == MQTT_5) {
		p.properties.present = 1ull << PROPERTY_SESSION_EXPIRY_INTERVAL;
		p.properties.session_expiry_interval = 3600;
	}
	return connect_encode(&p, room);
}

static size_t interest(struct world *w, const struct hostile *h, struct room room)
{
	uint8_t text[32];
	struct writer writer = writer_of(room_of(text, sizeof(text)));
	struct subscription_options options = {.qos = (uint8_t)(1 + random_below(&w->random, 2))};
	struct subscribe p = {.packet_id = 9};
	properties_clear(&p.properties);
	subscribe_filter_encode(&writer, SPAN_LITERAL("$m/#"), &options);
	p.filters = span_of(text, (size_t)(writer.ptr - text));
	return subscribe_encode(&p, h->version, room);
}

static size_t message(struct world *w, const struct hostile *h, struct room room)
{
	struct random *r = &w->random;
	struct publish p = {.qos = (uint8_t)random_below(r, 3),
			    .topic = SPAN_LITERAL(TOPIC),
			    .payload = SPAN_LITERAL("hostile")};
	properties_clear(&p.properties);
	p.dup = p.qos > 0 && random_chance(r, 30);
	p.packet_id = p.qos > 0 ? (uint16_t)(1 + random_below(r, IDS)) : 0;
	world_note(w, "mallory publishes q%u m%u%s", p.qos, p.packet_id, p.dup ? " dup" : "");
	return publish_encode(&p, h->version, room);
}

/* Of a message that it was sent, or of none. */
static size_t answer(struct world *w, const struct hostile *h, struct room room)
{
	struct random *r = &w->random;
	struct ack p = {.type = (uint8_t)(PACKET_PUBACK + random_below(r, 4)),
			.packet_id = (uint16_t)(1 + random_below(r, IDS))};
	properties_clear(&p.properties);
	if (h->id_count > 0 && p.type != PACKET_PUBREL && random_chance(r, 80))
		p.packet_id = h->ids[random_below(r, h->id_count)];
	if (p.type == PACKET_PUBREC && h->version == MQTT_5 && random_chance(r, 40))
		p.reason_code = REASON_UNSPECIFIED_ERROR;
	world_note(w, "mallory says %s m%u %02x", packet_type_name(p.type), p.packet_id,
		   p.reason_code);
	return ack_encode(&p, h->version, room);
}

static size_t noise(struct world *w, struct room room)
{
	size_t len = 1 + random_below(&w->random, 20);
	for (size_t i = 0; i < len; i++)
		room.ptr[i] = (uint8_t)random_next(&w->random);
	world_note(w, "mallory makes noise");
	return len;
}

static void say(struct hostile *h, const uint8_t *bytes, size_t len)
{
	struct span part = span_of(bytes, len);
	if (len > 0 && stream_is_open(&h->stream))
		(void)h->stream.ops->write(&h->stream, &part, 1);
}

static void take_packet(struct hostile *h, struct span packet)
{
	struct fixed_header header;
	const struct flaw *flaw;
	struct publish p;
	if (fixed_header_decode_3_1(packet, &header, &flaw) != HEADER_OK ||
	    header.type != PACKET_PUBLISH)
		return;
	struct span body = span_of(packet.ptr + header.header_len, header.remaining_length);
	if (publish_decode(header.flags, body, h->version, &p) || p.qos == 0)
		return;
	if (h->id_count == ARRAY_COUNT(h->ids))
		memmove(h->ids, h->ids + 1, --h->id_count * sizeof(h->ids[0]));
	h->ids[h->id_count++] = p.packet_id;
}

static void leave(struct hostile *h)
{
	if (stream_is_open(&h->stream))
		h->stream.ops->close(&h->stream);
	buffer_release(&h->in);
}

static void listen(struct hostile *h)
{
	static uint8_t block[5000];
	struct fixed_header header;
	const struct flaw *flaw;
	long n = h->stream.ops->read(&h->stream, (struct room){block, sizeof(block)});
	if (n == 0 || n == ERROR_CLOSED) {
		leave(h);
		return;
	}
	if (n > 0 && buffer_append(&h->in, span_of(block, (size_t)n)))
		ASSERT(!"memory");
	while (fixed_header_decode_3_1(buffer_content(&h->in), &header, &flaw) == HEADER_OK) {
		struct span in = buffer_content(&h->in);
		size_t len = (size_t)header.header_len + header.remaining_length;
		if (in.len < len)
			return;
		take_packet(h, span_of(in.ptr, len));
		buffer_consume(&h->in, len);
	}
}

static void come(struct world *w, struct hostile *h)
{
	uint8_t bytes[200];
	unsigned shard = random_below(&w->random, w->kit.shard_count);
	h->stream = kit_open(&w->kit, shard, 20000, NULL);
	say(h, bytes, hello(w, h, room_of(bytes, sizeof(bytes))));
	say(h, bytes, interest(w, h, room_of(bytes, sizeof(bytes))));
	world_note(w, "mallory connects v%u", h->version);
}

void hostile_act(struct world *w)
{
	uint8_t bytes[200];
	struct room room = room_of(bytes, sizeof(bytes));
	struct hostile *h = &w->hostile;
	if (!w->has_hostile)
		return;
	if (stream_is_open(&h->stream))
		listen(h);
	if (!stream_is_open(&h->stream))
		come(w, h);
	unsigned count = 1 + random_below(&w->random, 5);
	for (unsigned i = 0; i < count; i++) {
		uint32_t dice = random_below(&w->random, 100);
		if (dice < 40)
			say(h, bytes, message(w, h, room));
		else if (dice < 98)
			say(h, bytes, answer(w, h, room));
		else
			say(h, bytes, noise(w, room));
	}
}

void hostile_end(struct world *w)
{
	leave(&w->hostile);
}
