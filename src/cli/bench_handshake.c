/* SPDX-License-Identifier: Apache-2.0 */
/* See bench_handshake.h. */
#include "cli/bench_handshake.h"

#include <stdio.h>

#include "cli/bench_parties.h"
#include "mqtt/packets.h"

/* Connections on their way at a time: fewer than the shortest usual listen backlog (100). */
#define PARALLEL_MAX 64
/* A server that answers nobody for so long is taken for hung. */
#define PATIENCE_NS (10 * BENCH_NS_PER_S)
/* The same for one to which all come back at once. */
#define STORM_PATIENCE_NS (60 * BENCH_NS_PER_S)

int bench_handshake_begin(struct bench_run *run, struct bench_connection *c)
{
	c->opened_ns = bench_now_ns();
	int error = bench_connection_open(c, &run->address, run->epoll_fd);
	if (!error)
		return 0;
	c->stage = BENCH_CONNECTING; /* so that the sentence is about connecting */
	bench_run_fail_connection(run, c, error);
	c->stage = BENCH_CLOSED;
	return ERROR_SYSTEM;
}

/* Client ids of 3.1 have 23 characters at most; "bench" and two numbers of ten, in hexadecimal
 * eight, fit. */
static void format_client_id(const struct bench_run *run, const struct bench_connection *c,
			     char *text, size_t len)
{
	snprintf(text, len, "bench%x%c%x", run->id, bench_role_name(c->role)[0], c->index);
}

static bool is_persistent(const struct bench_connection *c)
{
	return c->role == BENCH_SUBSCRIBER && bench_subscriber_of(c)->is_persistent;
}

static int send_connect(struct bench_run *run, struct bench_connection *c)
{
	const struct bench_options *o = run->options;
	char client_id[24];
	format_client_id(run, c, client_id, sizeof(client_id));
	bool survives = is_persistent(c) && !run->is_cleaning;
	struct connect packet = {
		.version = (uint8_t)o->version,
		.clean_start = !survives,
		.client_id = span_of_text(client_id),
		.has_user_name = o->user_name != NULL,
		.has_password = o->password != NULL,
		.user_name = span_of_text(o->user_name ? o->user_name : ""),
		.password = span_of_text(o->password ? o->password : ""),
	};
	if (survives && o->version >= MQTT_5) {
		packet.properties.present = UINT64_C(1) << PROPERTY_SESSION_EXPIRY_INTERVAL;
		packet.properties.session_expiry_interval = UINT32_MAX;
	}
	size_t len = connect_encode(&packet, buffer_room(&run->batch));
	if (len == 0)
		return bench_run_fail(run, "user name and password are too long");
	buffer_commit(&run->batch, len);
	c->stage = BENCH_WAITS_FOR_CONNACK;
	return bench_run_send_batch(run, c);
}

static int send_subscribe(struct bench_run *run, struct bench_connection *c)
{
	char filter[BENCH_FILTER_MAX + 1];
	uint8_t encoded[BENCH_FILTER_MAX + 3];
	const struct bench_subscriber *s = bench_subscriber_of(c);
	struct writer w = writer_of((struct room){encoded, sizeof(encoded)});
	struct subscription_options options = {.qos = s->qos};
	bench_parties_filter(run, s, filter);
	subscribe_filter_encode(&w, span_of_text(filter), &options);
	struct subscribe packet = {.packet_id = 1};
	packet.filters = span_of(encoded, (size_t)(w.ptr - encoded));
	size_t len =
		subscribe_encode(&packet, (uint8_t)run->options->version, buffer_room(&run->batch));
	ASSERT(len > 0);
	buffer_commit(&run->batch, len);
	c->stage = BENCH_WAITS_FOR_SUBACK;
	return bench_run_send_batch(run, c);
}

int bench_handshake_take_connack(struct bench_run *run, struct bench_connection *c,
				 const struct bench_packet *packet)
{
	uint8_t version = (uint8_t)run->options->version;
	struct connack connack;
	if (packet->type != PACKET_CONNACK)
		return bench_run_fail_packet(run, c, packet);
	if (connack_decode(packet->body, version, &connack) != NULL)
		return bench_run_fail_bytes(run, c);
	if (connack.code != 0)
		return bench_run_fail(run, "the server refused %s %u: %s", bench_role_name(c->role),
				      c->index,
				      version >= MQTT_5 ? reason_name(connack.code, PACKET_CONNACK)
							: return_code_name(connack.code));
	if (version >= MQTT_5 && properties_has(&connack.properties, PROPERTY_RECEIVE_MAXIMUM))
		c->receive_maximum = connack.properties.receive_maximum;
	c->stage = BENCH_READY;
	return 0;
}

static int take_connack(struct bench_run *run, struct bench_connection *c,
			const struct bench_packet *packet)
{
	int error = bench_handshake_take_connack(run, c, packet);
	if (error || c->role != BENCH_SUBSCRIBER || run->is_cleaning)
		return error;
	return send_subscribe(run, c);
}

static int take_suback(struct bench_run *run, struct bench_connection *c,
		       const struct bench_packet *packet)
{
	struct suback suback;
	if (packet->type != PACKET_SUBACK)
		return bench_run_fail_packet(run, c, packet);
	if (suback_decode(PACKET_SUBACK, packet->body, (uint8_t)run->options->version, &suback) ||
	    suback.codes.len != 1)
		return bench_run_fail_bytes(run, c);
	uint8_t qos = bench_subscriber_of(c)->qos;
	if (suback.codes.ptr[0] != qos)
		return bench_run_fail(run, "the server did not grant subscriber %u QoS %u: %s",
				      c->index, qos,
				      reason_name(suback.codes.ptr[0], PACKET_SUBACK));
	c->stage = BENCH_READY;
	return 0;
}

static int take_packet(struct bench_run *run, struct bench_connection *c,
		       const struct bench_packet *packet)
{
	switch (c->stage) {
	case BENCH_WAITS_FOR_CONNACK: return take_connack(run, c, packet);
	case BENCH_WAITS_FOR_SUBACK: return take_suback(run, c, packet);
	default: return bench_run_fail_packet(run, c, packet);
	}
}

static int take_packets(struct bench_run *run, struct bench_connection *c)
{
	struct bench_scanner scanner;
	struct bench_packet packet;
	int error = bench_connection_receive(c, &run->inbox, &scanner);
	if (error == ERROR_AGAIN)
		return 0;
	if (error)
		return bench_run_fail_connection(run, c, error);
	scanner.version = (uint8_t)run->options->version;
	for (;;) {
		switch (bench_scan_next(&scanner, &packet)) {
		case BENCH_SCAN_BROKEN: return bench_run_fail_bytes(run, c);
		case BENCH_SCAN_MORE: return bench_connection_keep(c, &scanner);
		case BENCH_SCAN_PACKET: break;
		}
		error = take_packet(run, c, &packet);
		if (error)
			return error;
	}
}

/* TLS and WebSocket, where they are asked for; then CONNECT. */
static int secure(struct bench_run *run, struct bench_connection *c)
{
	c->stage = BENCH_SECURING;
	int error = bench_connection_secure(c, &run->carriage, run->epoll_fd);
	if (error == ERROR_AGAIN)
		return 0;
	if (error)
		return bench_run_fail_connection(run, c, error);
	run->counts.resumed += c->carrier && bench_carrier_is_resumed(c->carrier);
	return send_connect(run, c);
}

int bench_handshake_step(struct bench_run *run, struct bench_connection *c)
{
	if (c->stage == BENCH_SECURING)
		return secure(run, c);
	if (c->stage != BENCH_CONNECTING)
		return take_packets(run, c);
	int error = bench_connection_finish(c, run->epoll_fd);
	return error ? bench_run_fail_connection(run, c, error) : secure(run, c);
}

static struct bench_connection *party(struct bench_run *run, enum bench_role role, uint32_t index)
{
	switch (role) {
	case BENCH_PUBLISHER: return &run->publishers[index].connection;
	case BENCH_SUBSCRIBER: return &run->subscribers[index].connection;
	case BENCH_CLIENT: break;
	}
	return &run->clients[index];
}

static uint32_t party_count(const struct bench_run *run, enum bench_role role)
{
	switch (role) {
	case BENCH_PUBLISHER: return run->publisher_count;
	case BENCH_SUBSCRIBER: return run->subscriber_count;
	case BENCH_CLIENT: break;
	}
	return run->client_count;
}

static void note_ready(struct bench_run *run)
{
	if (run->lost_ns)
		bench_histogram_record(&run->latency, bench_now_ns() - run->lost_ns, 1);
}

/* Attempts for each client after which nobody is there any more. */
#define RETRIES_MAX 20

/* Who comes back and is turned away comes again, as clients do. */
static bool try_again(struct bench_run *run, struct bench_connection *c)
{
	if (!run->lost_ns || c->stage == BENCH_READY ||
	    run->counts.retried >= (uint64_t)RETRIES_MAX * run->client_count)
		return false;
	run->failure[0] = 0;
	run->counts.retried++;
	bench_connection_close(c);
	return bench_handshake_begin(run, c) == 0;
}

/* Works off what has happened within the server's patience; counts who became ready. */
static int step_all(struct bench_run *run, uint32_t *ready)
{
	int count = 0;
	uint64_t patience_ns = run->lost_ns ? STORM_PATIENCE_NS : PATIENCE_NS;
	int error = bench_run_wait(run, bench_now_ns() + patience_ns, &count);
	if (!error && count == 0)
		return bench_run_fail(run, "the server did not answer for %u seconds",
				      (unsigned)(patience_ns / BENCH_NS_PER_S));
	for (int i = 0; !error && i < count; i++) {
		struct bench_connection *c = run->events[i].data.ptr;
		error = bench_handshake_step(run, c);
		if (error && try_again(run, c))
			error = 0;
		if (error || c->stage != BENCH_READY)
			continue;
		note_ready(run);
		++*ready;
	}
	return error;
}

int bench_handshake_all(struct bench_run *run, enum bench_role role)
{
	uint32_t count = party_count(run, role), opened = 0, ready = 0;
	uint32_t parallel = run->options->at_once ? run->options->at_once : PARALLEL_MAX;
	int error = 0;
	if (run->lost_ns)
		parallel = count;
	while (!error && ready < count) {
		while (!error && opened < count && opened - ready < parallel)
			error = bench_handshake_begin(run, party(run, role, opened++));
		if (!error)
			error = step_all(run, &ready);
	}
	return error;
}

int bench_handshake_leave(struct bench_run *run, struct bench_connection *c)
{
	struct disconnect packet = {.reason_code = REASON_NORMAL_DISCONNECTION};
	size_t len = disconnect_encode(&packet, (uint8_t)run->options->version,
				       buffer_room(&run->batch));
	ASSERT(len > 0);
	buffer_commit(&run->batch, len);
	c->stage = BENCH_LEAVING;
	return bench_run_send_batch(run, c);
}
