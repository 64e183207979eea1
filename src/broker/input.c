/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes in: whole packets only reach the handlers. Everything is read into the shard's scratch
 * area first and decoded there without a copy; a connection owns memory only for the rest of a
 * packet that has not fully come, and that grows with the bytes that came, not with the length
 * that was announced.
 */
#include "base/mem.h"
#include "broker/handle.h"
#include "broker/see.h"
#include "broker/shard.h"
#include "broker/shed.h"
#include "broker/throttle.h"

static const struct flaw flaw_too_large = {REASON_PACKET_TOO_LARGE,
					   "packet larger than the broker takes"};
static const struct flaw flaw_connect_first = {REASON_PROTOCOL_ERROR,
					       "first packet is not CONNECT"};
static const struct flaw flaw_connect_twice = {REASON_PROTOCOL_ERROR, "second CONNECT"};
static const struct flaw flaw_not_for_servers = {REASON_PROTOCOL_ERROR,
						 "packet type that only servers send"};
static const struct flaw flaw_auth_in_3 = {REASON_PROTOCOL_ERROR, "AUTH before MQTT 5.0"};
static const struct flaw flaw_pingreq_body = {REASON_MALFORMED_PACKET, "PINGREQ with a payload"};
static const struct farewell peer_closed = {.text = "connection closed by the client"};
static const struct farewell out_of_memory = {
	.reason_code = REASON_QUOTA_EXCEEDED, .tell = true, .text = "out of memory"};

static const struct farewell memory_is_short = {.reason_code = REASON_QUOTA_EXCEEDED,
						.tell = true,
						.text = "memory is short, and its packet is large"};

static void handle_pingreq(struct connection *c, struct span body)
{
	if (body.len > 0) {
		connection_fail(c, &flaw_pingreq_body);
		return;
	}
	see_packet(c, true, PACKET_PINGREQ, 0, 0);
	uint8_t *p = connection_packet(c, PING_BYTES);
	if (!p)
		return;
	ping_encode(p, PACKET_PINGRESP); /* [MQTT-3.12.4-1] */
	connection_packet_done(c, PING_BYTES);
	see_packet(c, false, PACKET_PINGRESP, 0, 0);
}

static void handle_open(struct connection *c, const struct fixed_header *h, struct span body)
{
	if (UNLIKELY(throttle_of(c) != NULL) &&
	    !throttle_take(c, h->type, (size_t)h->header_len + h->remaining_length))
		return;
	switch (h->type) {
	case PACKET_PUBLISH: handle_publish(c, h->flags, body); break;
	case PACKET_PUBACK:
	case PACKET_PUBREC:
	case PACKET_PUBREL:
	case PACKET_PUBCOMP: handle_ack(c, h->type, body); break;
	case PACKET_SUBSCRIBE: handle_subscribe(c, body); break;
	case PACKET_UNSUBSCRIBE: handle_unsubscribe(c, body); break;
	case PACKET_PINGREQ: handle_pingreq(c, body); break;
	case PACKET_DISCONNECT: handle_disconnect(c, body); break;
	case PACKET_CONNECT: connection_fail(c, &flaw_connect_twice); break; /* [MQTT-3.1.0-2] */
	case PACKET_AUTH:
		if (c->version == MQTT_5)
			handle_auth(c, body);
		else
			connection_fail(c, &flaw_auth_in_3);
		break;
	default: connection_fail(c, &flaw_not_for_servers); break; /* [5] 2.1.2 */
	}
}

/* Before its CONNACK a client sends AUTH or DISCONNECT, and nothing else [MQTT-3.1.2-30]. */
static void handle_proving(struct connection *c, uint8_t type, struct span body)
{
	static const struct flaw flaw_not_yet = {REASON_PROTOCOL_ERROR,
						 "packet before the end of the authentication"};
	static const struct farewell given_up = {.text = "client disconnected before the end of "
							 "the authentication"};
	struct disconnect p;
	const struct flaw *flaw = &flaw_not_yet;
	if (type == PACKET_AUTH) {
		handle_auth(c, body);
		return;
	}
	if (type == PACKET_DISCONNECT)
		flaw = disconnect_decode(body, c->version, &p);
	if (flaw)
		connection_fail(c, flaw);
	else
		connection_end(c, &given_up);
}

static bool may_go_on(const struct connection *c)
{
	return connection_takes_packets(c) && !c->is_paused && !c->is_full && !c->is_waiting &&
	       !c->is_held && !c->is_throttled;
}

/* Whoever asks faster than answers can leave, or does not take them, waits. */
static void hold_input(struct connection *c)
{
	const struct settings *set = c->terms;
	const struct session *session = c->session;
	if (UNLIKELY(c->output.bytes >= OUTPUT_FULL_BYTES + c->shard->settings->output_bytes_max))
		connection_fill(c);
	if (UNLIKELY(session && acks_count(session->acks) > (uint32_t)set->receive_maximum +
								    set->receive_maximum_slack))
		connection_pause(c);
}

/* 3.1 has other flags. */
static enum header_result decode_header(const struct connection *c, struct span bytes,
					struct fixed_header *out, const struct flaw **flaw_out)
{
	return c->version == MQTT_3_1 ? fixed_header_decode_3_1(bytes, out, flaw_out)
				      : fixed_header_decode(bytes, out, flaw_out);
}

/* Who speaks another protocol has come to the wrong port, which is good to know. */
static const struct flaw *flaw_of_stranger(const struct connection *c, struct span bytes,
					   const struct flaw *flaw)
{
	static const struct flaw flaw_tls = {REASON_MALFORMED_PACKET,
					     "TLS on a port that is without it"};
	static const struct flaw flaw_http = {REASON_MALFORMED_PACKET,
					      "HTTP on a port for MQTT without WebSocket"};
	static const char *const methods[] = {"GET ", "HEAD", "POST", "PUT ", "OPTI"};
	if (c->state != CONNECTION_NEW || bytes.len < 4)
		return flaw;
	if (bytes.ptr[0] == 0x16 && bytes.ptr[1] == 0x03) /* a handshake record, RFC 8446, 5.1 */
		return &flaw_tls;
	for (size_t i = 0; i < ARRAY_COUNT(methods); i++)
		if (memcmp(bytes.ptr, methods[i], 4) == 0)
			return &flaw_http;
	return flaw;
}

/* One packet from the start of the bytes; the length that was used, 0 when it is not whole. */
static size_t handle_packet(struct connection *c, struct span bytes)
{
	struct fixed_header h;
	const struct flaw *flaw;
	enum header_result result = decode_header(c, bytes, &h, &flaw);
	if (result == HEADER_INCOMPLETE)
		return 0;
	if (UNLIKELY(result == HEADER_MALFORMED)) {
		connection_fail(c, flaw_of_stranger(c, bytes, flaw));
		return 0;
	}
	if (UNLIKELY(c->state == CONNECTION_NEW && h.type != PACKET_CONNECT)) {
		/* [MQTT-3.1.0-1] */
		connection_fail(c, flaw_of_stranger(c, bytes, &flaw_connect_first));
		return 0;
	}
	size_t len = (size_t)h.header_len + h.remaining_length;
	if (UNLIKELY(len > c->terms->packet_bytes_max)) {
		connection_fail(c, &flaw_too_large);
		return 0;
	}
	if (bytes.len < len)
		return 0;
	c->last_packet_ms = c->shard->now.steady_ms;
	struct span body = span_of(bytes.ptr + h.header_len, h.remaining_length);
	if (LIKELY(c->state == CONNECTION_OPEN))
		handle_open(c, &h, body);
	else if (c->state == CONNECTION_PROVING)
		handle_proving(c, h.type, body);
	else
		handle_connect(c, body);
	hold_input(c);
	/* the packet is kept, to be looked at once more */
	return c->state == CONNECTION_MOVING || c->state == CONNECTION_CHECKING ? 0 : len;
}

static size_t handle_packets(struct connection *c, struct span bytes)
{
	size_t used = 0;
	while (used < bytes.len && may_go_on(c)) {
		size_t len = handle_packet(c, span_of(bytes.ptr + used, bytes.len - used));
		if (len == 0)
			break;
		used += len;
	}
	return used;
}

/* The rest of a packet that has not fully come. */
struct kept_input {
	uint32_t len;
	uint32_t capacity;
	uint8_t bytes[];
};

size_t connection_kept_bytes(const struct connection *c)
{
	return c->input ? c->input->capacity : 0;
}

static size_t input_len(const struct connection *c)
{
	return c->input ? c->input->len : 0;
}

static struct span input_kept(const struct connection *c)
{
	return span_of(c->input->bytes, c->input->len);
}

static void input_free(struct connection *c)
{
	mem_free(c->input);
	c->input = NULL;
}

static int input_reserve(struct connection *c, size_t capacity)
{
	struct kept_input *input = c->input;
	if (input && capacity <= input->capacity)
		return 0;
	input = mem_realloc(input, sizeof(*input) + capacity);
	if (!input)
		return ERROR_NO_MEMORY;
	if (!c->input)
		input->len = 0;
	input->capacity = (uint32_t)capacity;
	c->input = input;
	return 0;
}

/* Keeps what was not used; `rest` may lie in c->input itself. */
static void keep_rest(struct connection *c, struct span rest)
{
	if (c->state >= CONNECTION_CLOSING || rest.len == 0) {
		input_free(c);
		return;
	}
	bool is_own = c->input && rest.ptr >= c->input->bytes &&
		      rest.ptr < c->input->bytes + c->input->capacity;
	if (!is_own && input_reserve(c, rest.len)) { /* [3.1.1 MQTT-4.8.0-2] */
		connection_end(c, &out_of_memory);
		input_free(c);
		return;
	}
	memmove(c->input->bytes, rest.ptr, rest.len);
	c->input->len = (uint32_t)rest.len;
}

static void process(struct connection *c, struct span bytes)
{
	if (UNLIKELY(throttle_is_due(c)) && c->state == CONNECTION_OPEN)
		throttle_begin(c);
	size_t used = handle_packets(c, bytes);
	keep_rest(c, span_of(bytes.ptr + used, bytes.len - used));
	if (c->state == CONNECTION_MOVING) {
		unsigned home = c->home;
		c->state = CONNECTION_NEW;
		c->home = LOGIN_NONE;
		connection_move(c, home);
	}
}

/* Whole length of the packet whose beginning is kept; 0 when even that is unknown. */
static size_t expected_len(const struct connection *c)
{
	struct fixed_header h;
	const struct flaw *flaw;
	if (decode_header(c, input_kept(c), &h, &flaw) != HEADER_OK)
		return 0;
	return (size_t)h.header_len + h.remaining_length;
}

static long read_into(struct connection *c, uint8_t *ptr, size_t len)
{
	long n = c->stream.ops->read(&c->stream, (struct room){ptr, len});
	if (n > 0) {
		c->shard->status.bytes_in += (uint64_t)n;
		return n;
	}
	if (n == 0)
		connection_end(c, &peer_closed);
	else if (n != ERROR_AGAIN)
		connection_end(c, &(struct farewell){.text = connection_lost_text(c)});
	return 0;
}

/* The packet is larger than the scratch area: read it to where it is kept. */
static void read_large(struct connection *c, size_t expected)
{
	size_t capacity = input_len(c) * 2;
	if (capacity < c->shard->scratch_len)
		capacity = c->shard->scratch_len;
	if (capacity > expected)
		capacity = expected;
	if (shed_large(c->shard) && capacity > connection_kept_bytes(c)) {
		guard_count(&c->shard->broker->guard, GUARD_SWEPT);
		connection_end(c, &memory_is_short);
		input_free(c);
		return;
	}
	if (input_reserve(c, capacity)) {
		connection_end(c, &out_of_memory);
		input_free(c);
		return;
	}
	struct kept_input *input = c->input;
	long n = read_into(c, input->bytes + input->len, input->capacity - input->len);
	input->len += (uint32_t)n;
	if (input->len == expected)
		process(c, input_kept(c));
	else if (c->state >= CONNECTION_CLOSING)
		input_free(c);
}

void connection_readable(struct connection *c)
{
	struct shard *s = c->shard;
	if (!may_go_on(c))
		return;
	size_t expected = input_len(c) > 0 ? expected_len(c) : 0;
	if (expected > s->scratch_len) {
		read_large(c, expected);
		return;
	}
	size_t kept = input_len(c);
	ASSERT(kept < s->scratch_len);
	if (kept > 0)
		memcpy(s->scratch, c->input->bytes, kept);
	long n = read_into(c, s->scratch + kept, s->scratch_len - kept);
	if (n > 0)
		process(c, span_of(s->scratch, kept + (size_t)n));
	else if (c->state >= CONNECTION_CLOSING)
		input_free(c);
}

void connection_resume_input(struct connection *c)
{
	if (input_len(c) > 0 && may_go_on(c))
		process(c, input_kept(c));
}
