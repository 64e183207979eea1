/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream of packets from a hostile peer. The first byte chooses the version. Whatever the decoder
 * takes must come back: written, read and written again it says the same.
 */
#include "fuzz.h"
#include "unit/mqtt/any_packet.h"

static void check_properties(const struct properties *p)
{
	struct span rest = p->raw;
	struct property property;
	uint64_t met = 0;
	while (property_next(&rest, &property))
		met |= UINT64_C(1) << property.id;
	CHECK(rest.len == 0);
	CHECK(met == p->present);
}

static void check_subscribe(const struct subscribe *s)
{
	struct span rest = s->filters, filter;
	struct subscription_options options;
	while (subscribe_next(&rest, &filter, &options)) {
		CHECK(utf8_is_valid(filter));
		CHECK(options.qos <= QOS_MAX);
		CHECK(options.retain_handling <= RETAIN_SEND_NEVER);
	}
	CHECK(rest.len == 0);
}

static void check_unsubscribe(const struct unsubscribe *u)
{
	struct span rest = u->filters, filter;
	while (unsubscribe_next(&rest, &filter))
		CHECK(utf8_is_valid(filter));
	CHECK(rest.len == 0);
}

static void check_content(const struct any_packet *p)
{
	const struct properties *properties = any_packet_properties(p);
	if (properties)
		check_properties(properties);
	if (p->type == PACKET_CONNECT)
		check_properties(&p->connect.will_properties);
	if (p->type == PACKET_SUBSCRIBE)
		check_subscribe(&p->subscribe);
	if (p->type == PACKET_UNSUBSCRIBE)
		check_unsubscribe(&p->unsubscribe);
}

static void check_header(struct span bytes, enum header_result result,
			 const struct fixed_header *header, const struct flaw *flaw)
{
	struct fixed_header other;
	const struct flaw *other_flaw = NULL;
	CHECK(fixed_header_decode_any(bytes, &other, &other_flaw) == result);
	CHECK(flaw == other_flaw);
	if (result != HEADER_OK)
		return;
	CHECK(other.type == header->type && other.flags == header->flags);
	CHECK(other.header_len == header->header_len);
	CHECK(other.remaining_length == header->remaining_length);
}

/* The encoded packet is never longer than the one that was read: no form is shorter than ours. */
static void check_round_trip(const struct any_packet *first, size_t packet_len)
{
	uint8_t *once = malloc(packet_len), *again = malloc(packet_len);
	CHECK(once && again);
	struct room room = {once, packet_len};
	size_t len = any_packet_encode(first, room);
	struct fixed_header header;
	const struct flaw *flaw;
	CHECK(len > 0);
	CHECK(fixed_header_decode(span_of(once, len), &header, &flaw) == HEADER_OK);
	CHECK(header.type == first->type);
	CHECK(header.header_len + header.remaining_length == len);
	struct span body = span_of(once + header.header_len, header.remaining_length);
	struct any_packet second;
	CHECK(!any_packet_decode(header.type, header.flags, body, first->version, &second));
	CHECK(any_packet_is_equal(first, &second));
	CHECK(any_packet_encode(&second, (struct room){again, packet_len}) == len);
	CHECK(memcmp(once, again, len) == 0);
	free(once);
	free(again);
}

static bool is_ping(uint8_t type)
{
	return type == PACKET_PINGREQ || type == PACKET_PINGRESP;
}

/* Bytes of the packet at the start, 0 when the stream ends here. */
static size_t one_packet(struct span bytes, uint8_t version)
{
	struct fixed_header header;
	const struct flaw *flaw = NULL;
	enum header_result result = fixed_header_decode(bytes, &header, &flaw);
	check_header(bytes, result, &header, flaw);
	if (result != HEADER_OK || header.remaining_length > bytes.len - header.header_len)
		return 0;
	size_t packet_len = header.header_len + header.remaining_length;
	if (is_ping(header.type))
		return packet_len;
	if (header.type == PACKET_AUTH && version != MQTT_5)
		return 0;
	uint8_t *body = fuzz_copy(bytes.ptr + header.header_len, header.remaining_length);
	struct any_packet p;
	flaw = any_packet_decode(header.type, header.flags, span_of(body, header.remaining_length),
				 version, &p);
	if (flaw) {
		CHECK(flaw->reason_code >= REASON_UNSPECIFIED_ERROR && flaw->text[0]);
	} else {
		check_content(&p);
		check_round_trip(&p, packet_len);
	}
	free(body);
	return flaw ? 0 : packet_len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len == 0)
		return 0;
	uint8_t version = (uint8_t)(MQTT_3_1 + data[0] % 3);
	uint8_t *copy = fuzz_copy(data + 1, len - 1);
	struct span rest = span_of(copy, len - 1);
	size_t packet_len;
	while ((packet_len = one_packet(rest, version)) > 0)
		rest = span_of(rest.ptr + packet_len, rest.len - packet_len);
	free(copy);
	return 0;
}
