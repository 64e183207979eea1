/* SPDX-License-Identifier: Apache-2.0 */
/* See bench_publish.h. */
#include "cli/bench_publish.h"

#include "mqtt/packets.h"

/* A publisher's turn: about what a server reads at once, so that others get theirs soon. */
#define TURN_BYTES (128u << 10)

/* How many messages of the whole run this publisher may have sent by now. */
static uint32_t sendable(const struct bench_run *run, uint32_t index)
{
	const struct bench_stream *s = run->publishers[index].stream;
	uint64_t total = s->pace.rate ? s->paced : run->options->count;
	if (total == 0)
		return s->pace.rate ? 0 : UINT32_MAX;
	return run->publishers[index].sent_before +
	       (uint32_t)bench_pace_share(total, s->count, index - s->first);
}

/* What the slowest subscriber of this publisher has come to. */
static uint32_t slowest_received(const struct bench_run *run, uint32_t index)
{
	size_t first = (size_t)index * run->flows_each;
	uint32_t slowest = run->publishers[index].sent;
	for (size_t i = first; i < first + run->flows_each; i++) {
		if (run->flows[i].next < slowest && bench_run_flow_qos(run, i) != BENCH_FLOW_NONE)
			slowest = run->flows[i].next;
	}
	return slowest;
}

static bool is_at_limit(const struct bench_publisher *p)
{
	return p->sent - p->received >= p->stream->outstanding;
}

/* How many more messages may be outstanding. */
static uint32_t outstanding_left(const struct bench_run *run, struct bench_publisher *p)
{
	if (is_at_limit(p)) {
		uint32_t received = slowest_received(run, p->connection.index);
		if (received > p->received)
			p->received = received;
	}
	return is_at_limit(p) ? 0 : p->stream->outstanding - (p->sent - p->received);
}

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* How many messages it may send at once; 0 as long as its socket is blocked. */
static uint32_t allowance(const struct bench_run *run, struct bench_publisher *p)
{
	uint32_t limit = sendable(run, p->connection.index);
	if (!run->is_publishing || p->connection.is_blocked || p->sent >= limit)
		return 0;
	uint32_t count = least(limit - p->sent, outstanding_left(run, p));
	return p->stream->qos ? least(count, p->window.free_count) : count;
}

static uint64_t stamp_time(const struct bench_publisher *p, uint64_t now_ns)
{
	const struct bench_stream *s = p->stream;
	if (!s->pace.rate)
		return now_ns;
	uint64_t number =
		(uint64_t)(p->sent - p->sent_before) * s->count + p->connection.index - s->first;
	return bench_pace_time(&s->pace, number);
}

static void write_messages(struct bench_run *run, struct bench_publisher *p, uint32_t count)
{
	uint8_t qos = p->stream->qos;
	uint64_t now_ns = bench_now_ns();
	uint8_t *ptr = run->batch.ptr + run->batch.end;
	for (uint32_t i = 0; i < count; i++) {
		struct bench_stamp stamp = {p->sent, p->connection.index, stamp_time(p, now_ns)};
		uint16_t id = qos ? bench_window_take(&p->window, qos) : 0;
		if (id)
			p->window.sent_ns[id] = stamp.time_ns;
		ptr = bench_head_write(&p->head, ptr, id, &stamp);
		p->sent++;
	}
	run->counts.published += count;
	run->counts.expected += (uint64_t)count * p->audiences;
	run->counts.promised += qos ? count : 0;
	run->wire.packets_out += count;
	buffer_commit(&run->batch, (size_t)count * p->head.packet_len);
}

/* Puts what the publisher may send behind the batch, one turn's worth; the rest stays queued. */
static void fill_batch(struct bench_run *run, struct bench_publisher *p)
{
	uint32_t turn = TURN_BYTES / p->head.packet_len + 1;
	uint32_t count = allowance(run, p);
	if (count > turn)
		bench_run_enqueue(run, p->connection.index);
	write_messages(run, p, least(count, turn));
	p->is_starved = is_at_limit(p);
}

/* From sent (or due) to done: PUBACK, or PUBCOMP. */
static void record_done(struct bench_run *run, const struct bench_publisher *p, uint16_t id)
{
	uint64_t sent_ns = p->window.sent_ns[id], now_ns = run->received_ns;
	if (sent_ns >= run->measured_from_ns)
		bench_histogram_record(&run->done_latency, now_ns > sent_ns ? now_ns - sent_ns : 0,
				       1);
}

static int take_acknowledgement(struct bench_run *run, struct bench_publisher *p,
				const struct bench_packet *packet)
{
	bool is_refusal = packet->body.len > 2 && packet->body.ptr[2] >= 0x80;
	switch (bench_window_acknowledge(&p->window, packet->type, packet->packet_id, is_refusal)) {
	case BENCH_STEP_DONE:
		run->counts.acknowledged++;
		record_done(run, p, packet->packet_id);
		run->counts.refused += is_refusal;
		run->counts.expected -= is_refusal ? p->audiences : 0;
		break;
	case BENCH_STEP_RELEASE:
		run->wire.packets_out++;
		run->batch.end += ACK_BYTES_MIN;
		ack_encode_short(run->batch.ptr + run->batch.end - ACK_BYTES_MIN, PACKET_PUBREL,
				 packet->packet_id);
		break;
	case BENCH_STEP_UNEXPECTED:
		return bench_run_fail(run,
				      "the server sent %s for packet id %u to publisher %u, "
				      "which waits for no such thing",
				      packet_type_name(packet->type), packet->packet_id,
				      p->connection.index);
	}
	return 0;
}

static int take_packet(struct bench_run *run, struct bench_publisher *p,
		       const struct bench_packet *packet)
{
	switch (packet->type) {
	case PACKET_PUBACK:
	case PACKET_PUBREC:
	case PACKET_PUBCOMP:
		run->wire.answers++;
		if (p->stream->qos > 0)
			return take_acknowledgement(run, p, packet);
		break;
	default: break;
	}
	return bench_run_fail_packet(run, &p->connection, packet);
}

static int take_packets(struct bench_run *run, struct bench_publisher *p,
			struct bench_scanner *scanner)
{
	struct bench_packet packet;
	for (;;) {
		switch (bench_scan_next(scanner, &packet)) {
		case BENCH_SCAN_BROKEN: return bench_run_fail_bytes(run, &p->connection);
		case BENCH_SCAN_MORE: return bench_connection_keep(&p->connection, scanner);
		case BENCH_SCAN_PACKET: break;
		}
		run->wire.packets_in++;
		int error = take_packet(run, p, &packet);
		if (error)
			return error;
	}
}

int bench_publish_receive(struct bench_run *run, struct bench_publisher *p)
{
	struct bench_scanner scanner;
	int error = bench_connection_receive(&p->connection, &run->inbox, &scanner);
	if (error == ERROR_AGAIN)
		return 0;
	if (error)
		return bench_run_fail_connection(run, &p->connection, error);
	scanner.version = (uint8_t)run->options->version;
	run->wire.bytes_in += (uint64_t)(scanner.end - scanner.ptr);
	run->received_ns = bench_now_ns();
	error = take_packets(run, p, &scanner);
	if (error)
		return error;
	fill_batch(run, p);
	return bench_run_send_batch(run, &p->connection);
}

/* The same for one stream: hands out what is due, and returns when the next is. */
static uint64_t pace_stream(struct bench_run *run, struct bench_stream *s, uint64_t now_ns)
{
	uint64_t count = run->options->count;
	uint64_t due = bench_pace_due(&s->pace, now_ns);
	if (count && due > count)
		due = count;
	/* Once around reaches everyone. */
	uint64_t first = due - s->paced > s->count ? due - s->count : s->paced;
	for (uint64_t i = first; i < due; i++)
		bench_run_enqueue(run, s->first + (uint32_t)(i % s->count));
	s->paced = due;
	return count && due == count ? UINT64_MAX : bench_pace_time(&s->pace, due);
}

uint64_t bench_publish_pace(struct bench_run *run, uint64_t now_ns)
{
	uint64_t next_ns = UINT64_MAX;
	if (!run->is_publishing || run->is_pace_over)
		return next_ns;
	for (uint32_t i = 0; i < run->stream_count; i++) {
		uint64_t due_ns = UINT64_MAX;
		if (run->streams[i].pace.rate)
			due_ns = pace_stream(run, &run->streams[i], now_ns);
		next_ns = due_ns < next_ns ? due_ns : next_ns;
	}
	return next_ns;
}

uint64_t bench_publish_unsent(const struct bench_run *run)
{
	uint64_t unsent = 0;
	for (uint32_t i = 0; i < run->publisher_count; i++) {
		const struct bench_publisher *p = &run->publishers[i];
		if (p->stream->pace.rate)
			unsent += sendable(run, i) - p->sent;
	}
	return unsent;
}

int bench_publish_queued(struct bench_run *run)
{
	for (uint32_t left = run->queue_count; left > 0; left--) {
		struct bench_publisher *p = &run->publishers[run->queue[run->queue_start]];
		run->queue_count--;
		run->queue_start =
			run->queue_start + 1 == run->publisher_count ? 0 : run->queue_start + 1;
		p->is_queued = false;
		fill_batch(run, p);
		int error = bench_run_send_batch(run, &p->connection);
		if (error)
			return error;
	}
	return 0;
}

bool bench_publish_is_complete(const struct bench_run *run)
{
	return run->options->count && run->counts.published >= run->options->count;
}

void bench_publish_give_up(struct bench_run *run)
{
	for (uint32_t i = 0; i < run->publisher_count; i++) {
		struct bench_publisher *p = &run->publishers[i];
		if (!p->is_starved)
			continue;
		p->received = p->sent;
		run->counts.stalls++;
		bench_run_enqueue(run, i);
	}
}
