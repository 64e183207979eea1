/* SPDX-License-Identifier: Apache-2.0 */
/* Every property in every packet, and what each may say. */
#include "any_packet.h"
#include "bytes.h"

#define WILL PROPERTIES_OF_WILL

/* [5] table 2-4, written down once more: a good value, and the packets that may hold it. */
static const struct sample {
	uint8_t id;
	const char *name;
	struct span value;
	uint16_t packets;
} samples[] = {
#define P(packet) (1u << PACKET_##packet)
#define W (1u << WILL)
#define V(text)                                                                                    \
	{                                                                                          \
		(const uint8_t *)(text), sizeof(text) - 1                                          \
	}
	{0x01, "Payload Format Indicator", V("\1"), P(PUBLISH) | W},
	{0x02, "Message Expiry Interval", V("\0\0\0\1"), P(PUBLISH) | W},
	{0x03, "Content Type", V("\0\1c"), P(PUBLISH) | W},
	{0x08, "Response Topic", V("\0\1r"), P(PUBLISH) | W},
	{0x09, "Correlation Data", V("\0\2\0\xFF"), P(PUBLISH) | W},
	{0x0B, "Subscription Identifier", V("\xFF\xFF\xFF\x7F"), P(PUBLISH) | P(SUBSCRIBE)},
	{0x11, "Session Expiry Interval", V("\xFF\xFF\xFF\xFF"),
	 P(CONNECT) | P(CONNACK) | P(DISCONNECT)},
	{0x12, "Assigned Client Identifier", V("\0\1i"), P(CONNACK)},
	{0x13, "Server Keep Alive", V("\0\0"), P(CONNACK)},
	{0x15, "Authentication Method", V("\0\1m"), P(CONNECT) | P(CONNACK) | P(AUTH)},
	{0x16, "Authentication Data", V("\0\1\0"), P(CONNECT) | P(CONNACK) | P(AUTH)},
	{0x17, "Request Problem Information", V("\0"), P(CONNECT)},
	{0x18, "Will Delay Interval", V("\0\0\0\5"), W},
	{0x19, "Request Response Information", V("\1"), P(CONNECT)},
	{0x1A, "Response Information", V("\0\1i"), P(CONNACK)},
	{0x1C, "Server Reference", V("\0\1s"), P(CONNACK) | P(DISCONNECT)},
	{0x1F, "Reason String", V("\0\1r"),
	 P(CONNACK) | P(PUBACK) | P(PUBREC) | P(PUBREL) | P(PUBCOMP) | P(SUBACK) | P(UNSUBACK) |
		 P(DISCONNECT) | P(AUTH)},
	{0x21, "Receive Maximum", V("\0\1"), P(CONNECT) | P(CONNACK)},
	{0x22, "Topic Alias Maximum", V("\0\0"), P(CONNECT) | P(CONNACK)},
	{0x23, "Topic Alias", V("\0\1"), P(PUBLISH)},
	{0x24, "Maximum QoS", V("\1"), P(CONNACK)},
	{0x25, "Retain Available", V("\0"), P(CONNACK)},
	{0x26, "User Property", V("\0\1n\0\1v"),
	 P(CONNECT) | P(CONNACK) | P(PUBLISH) | W | P(PUBACK) | P(PUBREC) | P(PUBREL) | P(PUBCOMP) |
		 P(SUBSCRIBE) | P(SUBACK) | P(UNSUBSCRIBE) | P(UNSUBACK) | P(DISCONNECT) | P(AUTH)},
	{0x27, "Maximum Packet Size", V("\0\0\0\1"), P(CONNECT) | P(CONNACK)},
	{0x28, "Wildcard Subscription Available", V("\0"), P(CONNACK)},
	{0x29, "Subscription Identifier Available", V("\1"), P(CONNACK)},
	{0x2A, "Shared Subscription Available", V("\0"), P(CONNACK)},
#undef P
#undef W
};

/* A packet without properties, cut where the property length stands. */
static const struct frame {
	uint8_t where;
	struct span before, behind;
} frames[] = {
	{WILL, V("\0\4MQTT\5\6\0\0\0\0\0"), V("\0\1w\0\0")},
	{PACKET_CONNECT, V("\0\4MQTT\5\2\0\0"), V("\0\0")},
	{PACKET_CONNACK, V("\0\0"), V("")},
	{PACKET_PUBLISH, V("\0\1t"), V("payload")},
	{PACKET_PUBACK, V("\0\1\0"), V("")},
	{PACKET_PUBREC, V("\0\1\0"), V("")},
	{PACKET_PUBREL, V("\0\1\0"), V("")},
	{PACKET_PUBCOMP, V("\0\1\0"), V("")},
	{PACKET_SUBSCRIBE, V("\0\1"), V("\0\1f\0")},
	{PACKET_SUBACK, V("\0\1"), V("\0")},
	{PACKET_UNSUBSCRIBE, V("\0\1"), V("\0\1f")},
	{PACKET_UNSUBACK, V("\0\1"), V("\0")},
	{PACKET_DISCONNECT, V("\0"), V("")},
	{PACKET_AUTH, V("\x18"), V("")},
};

/* Decodes a whole packet with these properties in it. */
static const struct flaw *decode_in_frame(const struct frame *frame, struct span properties,
					  struct any_packet *out)
{
	uint8_t bytes[256];
	struct room room = {bytes, sizeof(bytes)};
	struct writer w = writer_of(room);
	write_bytes(&w, frame->before);
	write_variable_integer(&w, (uint32_t)properties.len);
	write_bytes(&w, properties);
	write_bytes(&w, frame->behind);
	size_t len = writer_finish(&w, room);
	assert_true(len > 0);
	uint8_t type = frame->where == WILL ? PACKET_CONNECT : frame->where;
	return any_packet_decode(type, 0, bytes_copy(bytes, len), MQTT_5, out);
}

static const struct properties *decoded(const struct frame *frame, const struct any_packet *p)
{
	return frame->where == WILL ? &p->connect.will_properties : any_packet_properties(p);
}

static void write_sample(struct writer *w, const struct sample *sample)
{
	write_u8(w, sample->id);
	write_bytes(w, sample->value);
}

/* AUTH, and authentication data anywhere, cannot do without a method. */
static struct span property_bytes(const struct frame *frame, const struct sample *sample, int times,
				  uint8_t *buffer, size_t len)
{
	struct room room = {buffer, len};
	struct writer w = writer_of(room);
	if ((frame->where == PACKET_AUTH || sample->id == 0x16) && sample->id != 0x15)
		write_bytes(&w, span_of("\x15\0\1m", 4));
	for (int i = 0; i < times; i++)
		write_sample(&w, sample);
	return span_of(buffer, writer_finish(&w, room));
}

static void test_every_property_in_every_packet(void **state)
{
	(void)state;
	for (size_t f = 0; f < ARRAY_COUNT(frames); f++)
		for (size_t s = 0; s < ARRAY_COUNT(samples); s++) {
			struct any_packet p;
			uint8_t buffer[64];
			struct span bytes =
				property_bytes(&frames[f], &samples[s], 1, buffer, sizeof(buffer));
			const struct flaw *flaw = decode_in_frame(&frames[f], bytes, &p);
			bool is_allowed = samples[s].packets >> frames[f].where & 1;
			/* the method in front is the first that does not belong there */
			if (flaw != (is_allowed ? NULL : &flaw_property_misplaced))
				fail_msg("%s in %s", samples[s].name,
					 packet_type_name(frames[f].where));
			if (is_allowed)
				assert_true(properties_has(decoded(&frames[f], &p), samples[s].id));
		}
}

static void test_every_property_twice(void **state)
{
	(void)state;
	for (size_t f = 0; f < ARRAY_COUNT(frames); f++)
		for (size_t s = 0; s < ARRAY_COUNT(samples); s++) {
			struct any_packet p;
			uint8_t buffer[64];
			struct span bytes =
				property_bytes(&frames[f], &samples[s], 2, buffer, sizeof(buffer));
			if (!(samples[s].packets >> frames[f].where & 1))
				continue;
			/* [5] 2.2.2.2, 3.3.2.3.8: these may repeat */
			bool repeats = samples[s].id == 0x26 ||
				       (samples[s].id == 0x0B && frames[f].where == PACKET_PUBLISH);
			assert_ptr_equal(decode_in_frame(&frames[f], bytes, &p),
					 repeats ? NULL : &flaw_property_repeated);
		}
}

/* Identifiers of no property, whatever follows them. */
static void test_every_other_identifier(void **state)
{
	(void)state;
	for (unsigned id = 0; id < 256; id++) {
		bool is_known = false;
		for (size_t s = 0; s < ARRAY_COUNT(samples); s++)
			is_known |= samples[s].id == id;
		const char *name = property_name(id);
		assert_int_equal(strcmp(name, "unknown property") != 0, is_known);
		for (size_t f = 0; !is_known && f < ARRAY_COUNT(frames); f++) {
			struct any_packet p;
			uint8_t bytes[9] = {(uint8_t)id, 0, 1, 'a', 0, 1, 'a', 0, 0};
			struct span all = span_of(bytes, sizeof(bytes));
			assert_flaw(decode_in_frame(&frames[f], all, &p), flaw_property_unknown);
		}
	}
	assert_string_equal(property_name(UINT32_MAX), "unknown property");
}

static void test_names(void **state)
{
	(void)state;
	for (size_t s = 0; s < ARRAY_COUNT(samples); s++)
		assert_string_equal(property_name(samples[s].id), samples[s].name);
}

static const struct flaw *flaw_in(unsigned where, struct span properties)
{
	struct any_packet p;
	for (size_t f = 0; f < ARRAY_COUNT(frames); f++)
		if (frames[f].where == where)
			return decode_in_frame(&frames[f], properties, &p);
	fail();
	return NULL;
}

/* A byte that says yes or no says nothing else. */
static void test_bytes_over_1(void **state)
{
	(void)state;
	const struct {
		uint8_t id, where;
	} bytes[] = {
		{0x01, PACKET_PUBLISH}, {0x01, WILL},           {0x17, PACKET_CONNECT},
		{0x19, PACKET_CONNECT}, {0x24, PACKET_CONNACK}, {0x25, PACKET_CONNACK},
		{0x28, PACKET_CONNACK}, {0x29, PACKET_CONNACK}, {0x2A, PACKET_CONNACK},
	};
	for (size_t i = 0; i < ARRAY_COUNT(bytes); i++)
		for (unsigned value = 0; value < 256; value++) {
			struct span property = BYTES(bytes[i].id, (uint8_t)value);
			const struct flaw *flaw = flaw_in(bytes[i].where, property);
			assert_ptr_equal(flaw, value <= 1 ? NULL : &flaw_property_range);
		}
}

static void test_numbers_that_must_not_be_0(void **state)
{
	(void)state;
	const uint8_t places[] = {PACKET_CONNECT, PACKET_CONNACK};
	for (size_t i = 0; i < 2; i++) {
		assert_flaw(flaw_in(places[i], BYTES(0x21, 0, 0)), flaw_property_range);
		assert_good(flaw_in(places[i], BYTES(0x21, 0, 1)));
		assert_good(flaw_in(places[i], BYTES(0x21, 0xFF, 0xFF)));
		assert_flaw(flaw_in(places[i], BYTES(0x27, 0, 0, 0, 0)), flaw_property_range);
		assert_good(flaw_in(places[i], BYTES(0x27, 0, 0, 0, 1)));
		assert_good(flaw_in(places[i], BYTES(0x27, 0xFF, 0xFF, 0xFF, 0xFF)));
	}
	assert_flaw(flaw_in(PACKET_SUBSCRIBE, BYTES(0x0B, 0)), flaw_property_range);
	assert_good(flaw_in(PACKET_SUBSCRIBE, BYTES(0x0B, 1)));
	assert_flaw(flaw_in(PACKET_PUBLISH, BYTES(0x0B, 0)), flaw_property_range);
	assert_flaw(flaw_in(PACKET_PUBLISH, BYTES(0x0B, 1, 0x0B, 0)), flaw_property_range);
	assert_flaw(flaw_in(PACKET_PUBLISH, BYTES(0x23, 0, 0)), flaw_topic_alias);
	assert_int_equal(flaw_topic_alias.reason_code, 0x94); /* [MQTT-3.3.2-8] */
	assert_good(flaw_in(PACKET_PUBLISH, BYTES(0x23, 0xFF, 0xFF)));
}

static void test_a_subscription_identifier_is_a_minimal_integer(void **state)
{
	(void)state;
	assert_flaw(flaw_in(PACKET_SUBSCRIBE, BYTES(0x0B, 0x81, 0x00)), flaw_variable_integer);
	assert_flaw(flaw_in(PACKET_SUBSCRIBE, BYTES(0x0B, 0xFF, 0xFF, 0xFF, 0xFF, 0x01)),
		    flaw_variable_integer);
}

/* [MQTT-1.5.4-1, 1.5.7-1, 3.3.2-13, 3.3.2-19] */
static void test_texts_must_be_utf8(void **state)
{
	(void)state;
	assert_flaw(flaw_in(PACKET_PUBLISH, BYTES(0x03, 0, 1, 0xFF)), flaw_utf8);
	assert_flaw(flaw_in(PACKET_PUBLISH, BYTES(0x08, 0, 1, 0xFF)), flaw_utf8);
	assert_flaw(flaw_in(PACKET_PUBLISH, BYTES(0x08, 0, 1, 0x00)), flaw_utf8);
	assert_flaw(flaw_in(PACKET_PUBLISH, BYTES(0x26, 0, 1, 0xFF, 0, 0)), flaw_utf8);
	assert_flaw(flaw_in(PACKET_PUBLISH, BYTES(0x26, 0, 0, 0, 1, 0x00)), flaw_utf8);
	assert_good(flaw_in(PACKET_PUBLISH, BYTES(0x26, 0, 0, 0, 0)));
	assert_good(flaw_in(PACKET_PUBLISH, BYTES(0x09, 0, 1, 0xFF)));
	assert_flaw(flaw_in(PACKET_CONNACK, BYTES(0x12, 0, 2, 0xC3, 0x28)), flaw_utf8);
	assert_flaw(flaw_in(PACKET_PUBACK, BYTES(0x1F, 0, 3, 0xED, 0xA0, 0x80)), flaw_utf8);
}

/* [MQTT-3.3.2-14] */
static void test_a_response_topic_has_no_wildcards(void **state)
{
	(void)state;
	assert_flaw(flaw_in(PACKET_PUBLISH, BYTES(0x08, 0, 3, 'a', '/', '#')), flaw_response_topic);
	assert_flaw(flaw_in(WILL, BYTES(0x08, 0, 1, '+')), flaw_response_topic);
	assert_good(flaw_in(PACKET_PUBLISH, BYTES(0x08, 0, 3, 'a', '/', 'b')));
	assert_good(flaw_in(PACKET_PUBLISH, BYTES(0x03, 0, 1, '#')));
}

static void test_authentication_data_need_a_method(void **state)
{
	(void)state;
	assert_flaw(flaw_in(PACKET_CONNECT, BYTES(0x16, 0, 0)), flaw_authentication_data);
	assert_flaw(flaw_in(PACKET_CONNACK, BYTES(0x16, 0, 0)), flaw_authentication_data);
	assert_flaw(flaw_in(PACKET_AUTH, BYTES(0x16, 0, 0)), flaw_authentication_data);
	assert_good(flaw_in(PACKET_CONNECT, BYTES(0x16, 0, 0, 0x15, 0, 1, 'm')));
	assert_good(flaw_in(PACKET_CONNECT, BYTES(0x15, 0, 1, 'm')));
}

/* The property length is one too long, one too short, longer than the packet, not minimal. */
static void test_lengths(void **state)
{
	(void)state;
	struct publish p;
	struct ack ack;
	assert_good(publish_decode(0, BYTES(0, 1, 't', 2, 0x01, 1), MQTT_5, &p));
	assert_int_equal(p.payload.len, 0);
	assert_flaw(publish_decode(0, BYTES(0, 1, 't', 3, 0x01, 1), MQTT_5, &p), flaw_truncated);
	assert_flaw(publish_decode(0, BYTES(0, 1, 't', 1, 0x01, 1), MQTT_5, &p), flaw_truncated);
	assert_flaw(publish_decode(0, BYTES(0, 1, 't'), MQTT_5, &p), flaw_truncated);
	assert_flaw(publish_decode(0, BYTES(0, 1, 't', 0x82, 0, 0x01, 1), MQTT_5, &p),
		    flaw_variable_integer);
	assert_flaw(publish_decode(0, BYTES(0, 1, 't', 0xFF, 0xFF, 0xFF, 0x7F), MQTT_5, &p),
		    flaw_truncated);
	assert_flaw(ack_decode(PACKET_PUBACK, BYTES(0, 1, 0, 0, 0), MQTT_5, &ack), flaw_trailing);
	/* a property may not reach behind the properties into the rest of the packet */
	assert_flaw(publish_decode(0, BYTES(0, 1, 't', 4, 0x03, 0, 2, 'a', 'b'), MQTT_5, &p),
		    flaw_truncated);
}

/* All fields of the structure, by way of CONNACK and PUBLISH. */
static void test_fields(void **state)
{
	(void)state;
	struct any_packet p;
	struct span bytes = BYTES(0x11, 0, 1, 0, 2, 0x21, 1, 2, 0x24, 1, 0x25, 0, 0x27, 9, 8, 7, 6,
				  0x12, 0, 2, 'i', 'd', 0x22, 3, 4, 0x1F, 0, 2, 'r', 's', 0x28, 1,
				  0x29, 0, 0x2A, 1, 0x13, 5, 6, 0x1A, 0, 2, 'r', 'i', 0x1C, 0, 2,
				  's', 'r', 0x15, 0, 2, 'a', 'm', 0x16, 0, 2, 0xAD, 0x00);
	assert_good(decode_in_frame(&frames[2], bytes, &p));
	const struct properties *c = &p.connack.properties;
	assert_int_equal(c->session_expiry_interval, 0x00010002);
	assert_int_equal(c->receive_maximum, 0x0102);
	assert_int_equal(c->maximum_qos, 1);
	assert_int_equal(c->retain_available, 0);
	assert_int_equal(c->maximum_packet_size, 0x09080706);
	assert_text(c->assigned_client_identifier, "id");
	assert_int_equal(c->topic_alias_maximum, 0x0304);
	assert_text(c->reason_string, "rs");
	assert_int_equal(c->wildcard_subscription_available, 1);
	assert_int_equal(c->subscription_identifier_available, 0);
	assert_int_equal(c->shared_subscription_available, 1);
	assert_int_equal(c->server_keep_alive, 0x0506);
	assert_text(c->response_information, "ri");
	assert_text(c->server_reference, "sr");
	assert_text(c->authentication_method, "am");
	assert_span(c->authentication_data, 0xAD, 0x00);
	bytes = BYTES(0x01, 1, 0x02, 1, 2, 3, 4, 0x23, 5, 6, 0x08, 0, 1, 'r', 0x09, 0, 1, 0xCD,
		      0x0B, 0x81, 0x01, 0x0B, 7, 0x03, 0, 1, 'c');
	assert_good(decode_in_frame(&frames[3], bytes, &p));
	c = &p.publish.properties;
	assert_int_equal(c->payload_format_indicator, 1);
	assert_int_equal(c->message_expiry_interval, 0x01020304);
	assert_int_equal(c->topic_alias, 0x0506);
	assert_text(c->response_topic, "r");
	assert_span(c->correlation_data, 0xCD);
	assert_int_equal(c->subscription_identifier, 129); /* the first one */
	assert_text(c->content_type, "c");
	assert_text(p.publish.payload, "payload");
}

static void test_fields_of_connect_and_will(void **state)
{
	(void)state;
	struct any_packet p;
	assert_good(decode_in_frame(&frames[1], BYTES(0x17, 0, 0x19, 1, 0x22, 0, 9), &p));
	assert_int_equal(p.connect.properties.request_problem_information, 0);
	assert_int_equal(p.connect.properties.request_response_information, 1);
	assert_int_equal(p.connect.properties.topic_alias_maximum, 9);
	assert_int_equal(p.connect.properties.present,
			 UINT64_C(1) << 0x17 | UINT64_C(1) << 0x19 | UINT64_C(1) << 0x22);
	assert_good(decode_in_frame(&frames[0], BYTES(0x18, 0, 0, 1, 0), &p));
	assert_int_equal(p.connect.will_properties.will_delay_interval, 256);
	assert_int_equal(p.connect.properties.present, 0);
}

static void test_walking(void **state)
{
	(void)state;
	struct span rest = BYTES(0x26, 0, 1, 'a', 0, 1, '1', 0x0B, 0x81, 0x01, 0x26, 0, 0, 0, 0,
				 0x09, 0, 1, 0xFF);
	struct property p;
	assert_true(property_next(&rest, &p));
	assert_int_equal(p.id, 0x26);
	assert_text(p.text, "a");
	assert_text(p.value, "1");
	assert_span(p.raw, 0x26, 0, 1, 'a', 0, 1, '1');
	assert_true(property_next(&rest, &p));
	assert_int_equal(p.id, 0x0B);
	assert_int_equal(p.number, 129);
	assert_true(property_next(&rest, &p));
	assert_int_equal(p.text.len + p.value.len, 0);
	assert_true(property_next(&rest, &p));
	assert_span(p.text, 0xFF);
	assert_int_equal(rest.len, 0);
	assert_false(property_next(&rest, &p));
	rest = SPAN_NONE;
	assert_false(property_next(&rest, &p));
}

static void test_walking_over_bytes_that_break_off(void **state)
{
	(void)state;
	struct property p;
	struct span rest = BYTES(0x26, 0, 1, 'a', 0, 1);
	assert_false(property_next(&rest, &p));
	rest = BYTES(0x00, 1);
	assert_false(property_next(&rest, &p));
	assert_int_equal(rest.len, 2);
}

/* In order of identifier, then what the caller gives. */
static void test_encoding(void **state)
{
	(void)state;
	uint8_t bytes[64];
	struct room room = {bytes, sizeof(bytes)};
	struct writer w = writer_of(room);
	user_property_encode(&w, SPAN_LITERAL("n"), SPAN_LITERAL("v"));
	struct span user = span_of(bytes, writer_finish(&w, room));
	assert_span(user, 0x26, 0, 1, 'n', 0, 1, 'v');
	struct properties p;
	properties_clear(&p);
	assert_true(properties_are_empty(&p));
	assert_int_equal(properties_size(&p), 0);
	p.user = user;
	p.present = UINT64_C(1) << 0x23 | UINT64_C(1) << 0x01 | UINT64_C(1) << 0x03 |
		    UINT64_C(1) << 0x0B | UINT64_C(1) << 0x26;
	p.topic_alias = 7;
	p.payload_format_indicator = 1;
	p.content_type = SPAN_LITERAL("c");
	p.subscription_identifier = 128;
	assert_false(properties_are_empty(&p));
	assert_int_equal(properties_size(&p), 19);
	assert_int_equal(properties_size_with_length(&p), 20);
	uint8_t out[20];
	w = writer_of((struct room){out, sizeof(out)});
	properties_encode(&w, &p);
	assert_false(w.is_overflown);
	assert_span(span_of(out, 20), 19, 0x01, 1, 0x03, 0, 1, 'c', 0x0B, 0x80, 0x01, 0x23, 0, 7,
		    0x26, 0, 1, 'n', 0, 1, 'v');
}

static void test_a_text_too_long_to_encode(void **state)
{
	(void)state;
	uint8_t *block = calloc(2, 70000);
	assert_non_null(block);
	struct properties p;
	properties_clear(&p);
	p.present = UINT64_C(1) << PROPERTY_REASON_STRING;
	p.reason_string = span_of(block, 65536);
	struct writer w = writer_of((struct room){block + 70000, 70000});
	properties_encode(&w, &p);
	assert_true(w.is_overflown);
	p.present = 0;
	p.user = span_of(block, (size_t)REMAINING_LENGTH_MAX + 1); /* length alone is looked at */
	w = writer_of((struct room){block, 70000});
	properties_encode(&w, &p);
	assert_true(w.is_overflown);
	assert_true(properties_size_with_length(&p) > REMAINING_LENGTH_MAX);
	struct connack connack = {.properties = p};
	struct room room = {block, 70000};
	assert_int_equal(connack_encode(&connack, MQTT_5, room), 0);
	free(block);
}

/* Whatever the table knows is written as it is read; a number too large for its type is not. */
static void test_property_encode_of_every_kind(void **state)
{
	(void)state;
	static const struct property good[] = {
		{.id = PROPERTY_PAYLOAD_FORMAT_INDICATOR, .number = 255},
		{.id = PROPERTY_TOPIC_ALIAS, .number = 65535},
		{.id = PROPERTY_MESSAGE_EXPIRY_INTERVAL, .number = UINT32_MAX},
		{.id = PROPERTY_SUBSCRIPTION_IDENTIFIER, .number = REMAINING_LENGTH_MAX},
		{.id = PROPERTY_CONTENT_TYPE, .text = {(const uint8_t *)"text", 4}},
		{.id = PROPERTY_CORRELATION_DATA, .text = {(const uint8_t *)"\0\1", 2}},
		{.id = PROPERTY_USER_PROPERTY,
		 .text = {(const uint8_t *)"n", 1},
		 .value = {(const uint8_t *)"v", 1}},
	};
	static const struct property bad[] = {
		{.id = 0},
		{.id = 99},
		{.id = PROPERTY_PAYLOAD_FORMAT_INDICATOR, .number = 256},
		{.id = PROPERTY_TOPIC_ALIAS, .number = 65536},
		{.id = PROPERTY_SUBSCRIPTION_IDENTIFIER, .number = REMAINING_LENGTH_MAX + 1},
	};
	for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
		uint8_t bytes[16];
		struct room room = {bytes, sizeof(bytes)};
		struct writer w = writer_of(room);
		struct property back;
		assert_true(property_encode(&w, &good[i]));
		struct span rest = span_of(bytes, writer_finish(&w, room));
		assert_true(property_next(&rest, &back));
		assert_int_equal(rest.len, 0);
		assert_int_equal(back.id, good[i].id);
		assert_int_equal(back.number, good[i].number);
		assert_true(span_is_equal(back.text, good[i].text));
		assert_true(span_is_equal(back.value, good[i].value));
	}
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		uint8_t bytes[16];
		struct writer w = writer_of((struct room){bytes, sizeof(bytes)});
		assert_false(property_encode(&w, &bad[i]));
		assert_ptr_equal(w.ptr, bytes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_property_in_every_packet),
		cmocka_unit_test(test_every_property_twice),
		cmocka_unit_test(test_every_other_identifier),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_bytes_over_1),
		cmocka_unit_test(test_numbers_that_must_not_be_0),
		cmocka_unit_test(test_a_subscription_identifier_is_a_minimal_integer),
		cmocka_unit_test(test_texts_must_be_utf8),
		cmocka_unit_test(test_a_response_topic_has_no_wildcards),
		cmocka_unit_test(test_authentication_data_need_a_method),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_fields_of_connect_and_will),
		cmocka_unit_test(test_walking),
		cmocka_unit_test(test_walking_over_bytes_that_break_off),
		cmocka_unit_test(test_encoding),
		cmocka_unit_test(test_a_text_too_long_to_encode),
		cmocka_unit_test(test_property_encode_of_every_kind),
	};
	return cmocka_run_group_tests(tests, NULL, bytes_forget);
}
