/* SPDX-License-Identifier: Apache-2.0 */
/* See bench_receive.h. */
#include "cli/bench_receive.h"

#include "cli/bench_handshake.h"
#include "mqtt/packets.h"

/* Messages that came in one read, with one stamp time: recorded at once. */
struct arrivals {
	uint64_t now_ns;
	uint64_t sent_ns;
	uint64_t count;
	uint32_t publisher;
};

static void arrivals_record(struct bench_run *run, struct arrivals *a)
{
	uint64_t latency_ns = a->now_ns > a->sent_ns ? a->now_ns - a->sent_ns : 0;
	if (a->count && a->sent_ns >= run->measured_from_ns)
		bench_histogram_record(&run->latency, latency_ns, a->count);
	if (a->count)
		bench_progress_latency(&run->progress, latency_ns);
	a->count = 0;
}

static void arrivals_add(struct bench_run *run, struct arrivals *a, const struct bench_stamp *stamp)
{
	if (stamp->time_ns != a->sent_ns) {
		arrivals_record(run, a);
		a->sent_ns = stamp->time_ns;
	}
	a->count++;
	if (stamp->publisher != a->publisher) {
		a->publisher = stamp->publisher;
		if (run->publishers[stamp->publisher].is_starved)
			bench_run_enqueue(run, stamp->publisher);
	}
}

static void count_arrival(struct bench_run *run, enum bench_arrival arrival, uint8_t qos)
{
	run->counts.delivered++;
	run->counts.unique += arrival != BENCH_DUPLICATE;
	if (UNLIKELY(arrival == BENCH_DUPLICATE)) {
		run->counts.duplicates++;
		run->counts.broken += qos == 2;
	}
}

/* QoS 0 promises the order too, but no more than the messages. */
static void count_misordered(struct bench_run *run, uint8_t qos)
{
	run->counts.misordered++;
	run->counts.broken += qos > 0;
}

/* In a shared group each member sees a part of the numbers: rising, or order is broken. */
static void check_member_order(struct bench_run *run, struct bench_subscriber *s,
			       const struct bench_packet *packet, enum bench_arrival arrival)
{
	const struct bench_stamp *stamp = &packet->stamp;
	uint32_t *next = &s->next[stamp->publisher];
	if (stamp->number >= *next)
		*next = stamp->number + 1;
	else if (arrival != BENCH_DUPLICATE)
		count_misordered(run, packet->qos);
}

/* Topics of a scenario file may be other people's too. */
static bool is_of_plan(const struct bench_run *run, size_t flow, const struct bench_stamp *stamp)
{
	return run->flow_qos[flow] != BENCH_FLOW_NONE &&
	       stamp->number < run->publishers[stamp->publisher].sent;
}

static void take_message(struct bench_run *run, struct bench_subscriber *s,
			 const struct bench_packet *packet, struct arrivals *a)
{
	const struct bench_stamp *stamp = &packet->stamp;
	bool is_pair = run->options->shape == BENCH_PAIRS;
	if (UNLIKELY(!packet->has_stamp || stamp->publisher >= run->publisher_count ||
		     (is_pair && stamp->publisher != s->connection.index))) {
		run->counts.foreign++;
		return;
	}
	size_t flow = (size_t)stamp->publisher * run->flows_each +
		      (run->flows_each > 1 ? s->audience : 0);
	if (run->flow_qos && !is_of_plan(run, flow, stamp)) {
		run->counts.foreign++;
		return;
	}
	enum bench_arrival arrival = bench_sequence_note(&run->flows[flow], stamp->number);
	count_arrival(run, arrival, packet->qos);
	if (s->next)
		check_member_order(run, s, packet, arrival);
	else if (UNLIKELY(arrival == BENCH_LATE))
		count_misordered(run, packet->qos);
	arrivals_add(run, a, stamp);
}

static void answer(struct bench_run *run, uint8_t type, uint16_t packet_id)
{
	ack_encode_short(run->batch.ptr + run->batch.end, type, packet_id);
	run->batch.end += ACK_BYTES_MIN;
	run->wire.packets_out++;
}

/* QoS 2: a packet id between PUBLISH and PUBREL is the same message again [MQTT-4.3.3-10]. */
static bool is_held(const struct bench_subscriber *s, uint16_t packet_id)
{
	return s->held_ids[packet_id / 64] >> packet_id % 64 & 1;
}

static void take_publish(struct bench_run *run, struct bench_subscriber *s,
			 const struct bench_packet *packet, struct arrivals *a)
{
	switch (packet->qos) {
	case 0: take_message(run, s, packet, a); break;
	case 1:
		take_message(run, s, packet, a);
		answer(run, PACKET_PUBACK, packet->packet_id);
		break;
	default:
		if (!is_held(s, packet->packet_id))
			take_message(run, s, packet, a);
		s->held_ids[packet->packet_id / 64] |= UINT64_C(1) << packet->packet_id % 64;
		answer(run, PACKET_PUBREC, packet->packet_id);
		break;
	}
}

static int take_packet(struct bench_run *run, struct bench_subscriber *s,
		       const struct bench_packet *packet, struct arrivals *a)
{
	if (LIKELY(packet->type == PACKET_PUBLISH && packet->qos <= s->qos)) {
		take_publish(run, s, packet, a);
		return 0;
	}
	if (packet->type == PACKET_PUBREL && s->qos == 2) {
		s->held_ids[packet->packet_id / 64] &= ~(UINT64_C(1) << packet->packet_id % 64);
		answer(run, PACKET_PUBCOMP, packet->packet_id);
		return 0;
	}
	if (s->connection.stage == BENCH_WAITS_FOR_CONNACK) /* it has come back */
		return bench_handshake_take_connack(run, &s->connection, packet);
	return bench_run_fail_packet(run, &s->connection, packet);
}

static int take_packets(struct bench_run *run, struct bench_subscriber *s,
			struct bench_scanner *scanner, struct arrivals *a)
{
	struct bench_packet packet;
	for (;;) {
		switch (bench_scan_next(scanner, &packet)) {
		case BENCH_SCAN_BROKEN: return bench_run_fail_bytes(run, &s->connection);
		case BENCH_SCAN_MORE: return bench_connection_keep(&s->connection, scanner);
		case BENCH_SCAN_PACKET: break;
		}
		run->wire.packets_in++;
		int error = take_packet(run, s, &packet, a);
		if (UNLIKELY(error))
			return error;
	}
}

int bench_receive(struct bench_run *run, struct bench_subscriber *s)
{
	struct bench_scanner scanner;
	int error = bench_connection_receive(&s->connection, &run->inbox, &scanner);
	if (error == ERROR_AGAIN)
		return 0;
	if (error)
		return bench_run_fail_connection(run, &s->connection, error);
	struct arrivals a = {.now_ns = bench_now_ns(), .publisher = UINT32_MAX};
	scanner.version = (uint8_t)run->options->version;
	run->wire.bytes_in += (uint64_t)(scanner.end - scanner.ptr);
	error = take_packets(run, s, &scanner, &a);
	if (error)
		return error;
	arrivals_record(run, &a);
	return bench_run_send_batch(run, &s->connection);
}

uint64_t bench_receive_missing(const struct bench_run *run, uint8_t qos_min)
{
	uint64_t missing = 0;
	for (size_t p = 0; p < run->publisher_count; p++) {
		for (size_t i = p * run->flows_each; i < (p + 1) * run->flows_each; i++) {
			uint8_t qos = bench_run_flow_qos(run, i);
			if (qos != BENCH_FLOW_NONE && qos >= qos_min)
				missing += bench_sequence_missing(&run->flows[i],
								  run->publishers[p].sent);
		}
	}
	return missing;
}
