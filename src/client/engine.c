/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a connection: begin, bytes in and out, time, end. */
#include "client/engine.h"

#include "base/mem.h"
#include "client/engine_state.h"

/* How long to wait for CONNACK when the application wants no keep alive. */
#define CONNACK_WAIT_MS 60000

void engine_options_init(struct engine_options *options)
{
	*options = (struct engine_options){
		.inflight_max =
			20, /* as other clients: keeps a link busy, floods no small server */
		.queue_messages_max = 10000,
		.queue_bytes_max = (size_t)64 << 20,
		.packet_bytes_max = PACKET_BYTES_MAX,
		.held_messages_max = 1000,
		.held_bytes_max = (size_t)64 << 20,
	};
}

int engine_new(const struct connect *connect, const struct engine_options *options,
	       const struct engine_events *events, void *context, struct engine **engine_out)
{
	if (options->acknowledges_when_told && options->holds_until_release)
		return ERROR_INVALID;
	struct engine *e = mem_zalloc(sizeof(*e));
	if (!e)
		return ERROR_NO_MEMORY;
	int error = hello_init(&e->hello, connect);
	if (error) {
		mem_free(e);
		return error;
	}
	e->options = *options;
	e->events = *events;
	e->context = context;
	e->version = connect->version;
	send_init(&e->send, options->inflight_max);
	receive_init(&e->receive);
	held_init(&e->held);
	incoming_init(&e->incoming);
	list_init(&e->queue);
	list_init(&e->requests);
	e->expiry_ms = UINT64_MAX;
	const struct properties *p = &e->hello.connect.properties;
	bool has_aliases = properties_has(p, PROPERTY_TOPIC_ALIAS_MAXIMUM);
	aliases_init(&e->aliases, has_aliases ? p->topic_alias_maximum : 0);
	if (properties_has(p, PROPERTY_MAXIMUM_PACKET_SIZE) &&
	    p->maximum_packet_size < e->options.packet_bytes_max)
		e->options.packet_bytes_max = p->maximum_packet_size;
	*engine_out = e;
	return 0;
}

static void drop_sending(void *context, struct sending *sending)
{
	(void)context;
	mem_free(sending->message);
}

void engine_free(struct engine *e)
{
	if (!e)
		return;
	send_release(&e->send, drop_sending, NULL);
	receive_release(&e->receive);
	held_release(&e->held);
	incoming_release(&e->incoming);
	while (!list_is_empty(&e->queue)) {
		struct outgoing *o = outgoing_of(e->queue.next);
		link_remove(&o->link);
		mem_free(o);
	}
	transmit_forget_requests(e);
	aliases_clear(&e->aliases);
	alias_choice_release(&e->choice);
	buffer_release(&e->input);
	buffer_release(&e->output);
	hello_release(&e->hello);
	mem_free(e);
}

int engine_connect(struct engine *e, uint64_t now_ms)
{
	ASSERT(e->state == ENGINE_IDLE);
	int error = buffer_append(&e->output, span_of(e->hello.bytes, e->hello.len));
	if (error)
		return error;
	e->now_ms = e->started_ms = e->sent_ms = e->received_ms = now_ms;
	e->waits_for_pong = false;
	e->waits_for_admission = e->is_admitted = false;
	e->retry_at_ms = now_ms + e->options.retry_interval_ms;
	e->retry_oldest = 0;
	e->auth_turn = hello_has_method(&e->hello) ? AUTH_SERVER : AUTH_NONE;
	e->state = ENGINE_CONNECTING;
	e->closed = (struct engine_closed){.end = ENGINE_END_LOST};
	engine_show(e, true, PACKET_CONNECT, &e->hello.connect, e->hello.len);
	return 0;
}

void engine_show(struct engine *e, bool is_outgoing, uint8_t type, const void *packet, size_t len)
{
	if (!e->events.packet)
		return;
	struct engine_packet shown = {
		.is_outgoing = is_outgoing, .type = type, .connect = packet, .len = len};
	e->events.packet(e->context, &shown);
}

/* Bytes written; 0 when it does not fit what the server takes, or memory. */
static size_t try_disconnect(struct engine *e, const struct disconnect *disconnect)
{
	const size_t overhead = 16; /* headers, reason code, property length */
	if (buffer_reserve(&e->output, overhead + properties_size(&disconnect->properties)))
		return 0;
	size_t len = disconnect_encode(disconnect, e->version, buffer_room(&e->output));
	return len <= e->server.packet_bytes_max ? len : 0;
}

/* Nothing follows a DISCONNECT [MQTT-3.14.4-1]. Its properties are left out when they would make
 * it too large [MQTT-3.14.2-3, 3.14.2-4], the packet when there is no memory. */
static void write_disconnect(struct engine *e, const struct disconnect *disconnect)
{
	struct disconnect bare = {.reason_code = disconnect->reason_code};
	size_t len = try_disconnect(e, disconnect);
	if (len == 0) {
		disconnect = &bare;
		len = try_disconnect(e, disconnect);
	}
	if (len == 0)
		return;
	buffer_commit(&e->output, len);
	engine_show(e, true, PACKET_DISCONNECT, disconnect, len);
}

void engine_disconnect(struct engine *e, const struct disconnect *disconnect)
{
	struct disconnect plain = {.reason_code = REASON_NORMAL_DISCONNECTION};
	if (!engine_is_up(e))
		return;
	if (!disconnect)
		disconnect = &plain;
	if (e->state == ENGINE_CONNECTED)
		write_disconnect(e, disconnect);
	e->state = ENGINE_CLOSING;
	e->closed = (struct engine_closed){.end = ENGINE_END_DISCONNECTED,
					   .reason_code = disconnect->reason_code};
}

/* Whoever fails closes [MQTT-4.13.2-1], a second authentication included [MQTT-4.12.1-2]. */
void engine_fail(struct engine *e, enum engine_end end, uint8_t reason_code, const char *text)
{
	bool tells = e->state == ENGINE_CONNECTED && e->version == MQTT_5 &&
		     end != ENGINE_END_SERVER && end != ENGINE_END_REFUSED;
	if (!engine_is_up(e))
		return;
	if (tells)
		write_disconnect(e, &(struct disconnect){.reason_code = reason_code});
	e->state = ENGINE_CLOSING;
	e->closed = (struct engine_closed){end, reason_code, text};
}

void engine_fail_flaw(struct engine *e, const struct flaw *flaw)
{
	engine_fail(e, ENGINE_END_FLAW, flaw->reason_code, flaw->text);
}

void engine_fail_memory(struct engine *e)
{
	engine_fail(e, ENGINE_END_NO_MEMORY, REASON_UNSPECIFIED_ERROR, NULL);
}

void engine_lost(struct engine *e, uint64_t now_ms)
{
	if (e->state == ENGINE_IDLE)
		return;
	e->now_ms = now_ms;
	e->state = ENGINE_IDLE;
	if (e->closed.end == ENGINE_END_DISCONNECTED && buffer_len(&e->output) > 0)
		e->closed.end = ENGINE_END_LOST; /* the last words never left */
	e->has_more = false;
	buffer_release(&e->input);
	buffer_release(&e->output);
	aliases_clear(&e->aliases);
	transmit_forget_requests(e);
	incoming_lose(&e->incoming, e->options.drops_duplicates);
	if (e->events.closed)
		e->events.closed(e->context, &e->closed);
}

void engine_give_held(struct engine *e)
{
	resume_give_held(e, 0);
}

bool engine_is_idle(const struct engine *e)
{
	return e->state == ENGINE_IDLE;
}

bool engine_is_connected(const struct engine *e)
{
	return e->state == ENGINE_CONNECTED;
}

bool engine_is_closing(const struct engine *e)
{
	return e->state == ENGINE_CLOSING;
}

static enum header_result decode_header(const struct engine *e, struct span bytes,
					struct fixed_header *header_out,
					const struct flaw **flaw_out)
{
	return e->version == MQTT_3_1 ? fixed_header_decode_3_1(bytes, header_out, flaw_out)
				      : fixed_header_decode(bytes, header_out, flaw_out);
}

static const struct flaw flaw_packet_too_large = {REASON_PACKET_TOO_LARGE,
						  "the packet is larger than we take"};

/* 3.x: the application has as many as it wants at a time. */
static bool is_full(const struct engine *e)
{
	uint32_t count = e->incoming.arrived_count[0] + e->incoming.arrived_count[1];
	return e->version != MQTT_5 && e->options.unacknowledged_max > 0 &&
	       count >= e->options.unacknowledged_max;
}

/* Handles the whole packets at the start of `bytes`, or one; returns how many bytes they take. */
static size_t handle_packets(struct engine *e, struct span bytes)
{
	size_t done = 0;
	e->has_more = false;
	while (engine_is_up(e)) {
		struct span rest = span_of(bytes.ptr + done, bytes.len - done);
		struct fixed_header header;
		const struct flaw *flaw;
		enum header_result result = decode_header(e, rest, &header, &flaw);
		if (result == HEADER_INCOMPLETE)
			return done;
		if (result == HEADER_MALFORMED) {
			engine_fail_flaw(e, flaw);
			break;
		}
		size_t len = (size_t)header.header_len + header.remaining_length;
		if (len > e->options.packet_bytes_max) {
			engine_fail_flaw(e, &flaw_packet_too_large);
			break;
		}
		if (len > rest.len)
			return done;
		engine_handle(e, &header,
			      span_of(rest.ptr + header.header_len, header.remaining_length));
		if (e->waits_for_admission && engine_is_up(e))
			return done; /* it is handled again */
		done += len;
		if ((e->options.stops_after_packet || is_full(e)) && engine_is_up(e)) {
			e->has_more = done < bytes.len;
			return done;
		}
	}
	return bytes.len;
}

static void settle_input(struct engine *e)
{
	if (buffer_len(&e->input) == 0)
		buffer_release(&e->input);
	transmit_pump(e);
}

/* Packets are read where they lie; only the beginning of one that is not all there is kept. */
void engine_input(struct engine *e, struct span bytes, uint64_t now_ms)
{
	e->now_ms = now_ms;
	if (!engine_is_up(e) || bytes.len == 0)
		return;
	e->received_ms = now_ms;
	int error = 0;
	if (buffer_len(&e->input) == 0) {
		size_t done = handle_packets(e, bytes);
		error = buffer_append(&e->input, span_of(bytes.ptr + done, bytes.len - done));
	} else {
		error = buffer_append(&e->input, bytes);
		if (!error)
			buffer_consume(&e->input, handle_packets(e, buffer_content(&e->input)));
	}
	if (error)
		engine_fail_memory(e);
	settle_input(e);
}

bool engine_has_more(const struct engine *e)
{
	return e->has_more && engine_is_up(e) && !is_full(e);
}

void engine_admit(struct engine *e, uint64_t now_ms)
{
	if (!e->waits_for_admission || !engine_is_up(e))
		return;
	e->waits_for_admission = false;
	e->is_admitted = true;
	e->has_more = true;
	engine_continue(e, now_ms);
}

void engine_reject(struct engine *e, const char *text)
{
	engine_fail(e, ENGINE_END_UNPROVEN, REASON_UNSPECIFIED_ERROR, text);
}

int engine_set_auth_data(struct engine *e, struct span data)
{
	ASSERT(e->state == ENGINE_IDLE);
	return hello_set_auth_data(&e->hello, data);
}

void engine_continue(struct engine *e, uint64_t now_ms)
{
	if (!engine_has_more(e))
		return;
	e->now_ms = now_ms;
	buffer_consume(&e->input, handle_packets(e, buffer_content(&e->input)));
	settle_input(e);
}

bool engine_wants_input(const struct engine *e)
{
	return engine_is_up(e) && has_room_for_output(e) && !e->waits_for_admission &&
	       !is_full(e) && !e->has_more;
}

void engine_not_reading(struct engine *e, uint64_t now_ms)
{
	e->now_ms = e->received_ms = now_ms;
	e->waits_for_pong = false; /* it may lie there unread */
}

struct span engine_output(const struct engine *e)
{
	return buffer_content(&e->output);
}

void engine_sent(struct engine *e, size_t len, uint64_t now_ms)
{
	e->now_ms = now_ms;
	if (len == 0)
		return;
	e->sent_ms = now_ms;
	buffer_consume(&e->output, len);
	if (buffer_len(&e->output) == 0 && e->output.capacity > OUTPUT_BYTES_HIGH)
		buffer_release(&e->output);
	transmit_pump(e);
}

static uint64_t keep_alive_ms(const struct engine *e)
{
	return (uint64_t)e->server.keep_alive * 1000;
}

/* A tenth of the interval early, a second at most, so that the packet arrives in time. */
static uint64_t ping_deadline(const struct engine *e)
{
	uint64_t interval = keep_alive_ms(e);
	uint64_t margin = interval / 10 < 1000 ? interval / 10 : 1000;
	uint64_t since = e->sent_ms < e->received_ms ? e->sent_ms : e->received_ms;
	return since + interval - margin;
}

static uint64_t alive_deadline(const struct engine *e)
{
	if (e->state == ENGINE_CONNECTING) {
		uint64_t wait = (uint64_t)e->hello.connect.keep_alive * 1000;
		return e->started_ms + (wait ? wait : CONNACK_WAIT_MS);
	}
	if (e->state != ENGINE_CONNECTED || e->server.keep_alive == 0)
		return UINT64_MAX;
	return e->waits_for_pong ? e->ping_ms + keep_alive_ms(e) : ping_deadline(e);
}

uint64_t engine_deadline(const struct engine *e)
{
	uint64_t alive = alive_deadline(e), retry = transmit_retry_deadline(e);
	return alive < retry ? alive : retry;
}

void engine_tick(struct engine *e, uint64_t now_ms)
{
	e->now_ms = now_ms;
	if (now_ms >= transmit_retry_deadline(e))
		transmit_retry(e);
	if (now_ms < alive_deadline(e))
		return;
	if (e->state == ENGINE_CONNECTING || e->waits_for_pong)
		engine_fail(e, ENGINE_END_SILENT, REASON_UNSPECIFIED_ERROR, NULL);
	else
		transmit_ping(e); /* [MQTT-3.1.2-20] */
}

void engine_set_now(struct engine *e, uint64_t now_ms)
{
	e->now_ms = now_ms;
	e->expires = true;
}

uint32_t engine_unfinished(const struct engine *e)
{
	return e->unfinished_count;
}

struct span engine_client_id(const struct engine *e)
{
	return e->hello.connect.client_id;
}
