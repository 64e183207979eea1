/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One run of the generator: everything that its parts share. A single thread, one epoll, one
 * batch for what is about to be sent, one inbox for what was received.
 *
 * A function that returns an error has told the reason with bench_run_fail, once, as a sentence
 * for the user; its callers only pass the error on.
 */
#ifndef NIGHTJAR_CLI_BENCH_RUN_H
#define NIGHTJAR_CLI_BENCH_RUN_H

#include <sys/epoll.h>
#include <time.h>

#include "cli/bench_connection.h"
#include "cli/bench_histogram.h"
#include "cli/bench_options.h"
#include "cli/bench_progress.h"
#include "cli/bench_sequence.h"
#include "cli/bench_stream.h"
#include "cli/bench_window.h"

/* Events taken from the kernel per turn. */
#define BENCH_EVENTS_MAX 512

struct bench_publisher {
	struct bench_connection connection; /* first: epoll's pointers are to it */
	struct bench_stream *stream;
	uint32_t audiences; /* how many are to get each of its messages */
	struct bench_head head;
	struct bench_window window; /* QoS 1 and 2; set up when the server has said its limit */
	uint32_t sent;              /* also the number of its next message */
	uint32_t sent_before;       /* of them, before the timetable at hand began */
	uint32_t received; /* of them, what its slowest subscriber had when last looked at */
	bool is_queued;    /* stands in bench_run.queue */
	bool is_starved;   /* paused until its subscribers have caught up */
};

struct bench_subscriber {
	struct bench_connection connection; /* first */
	uint8_t qos;
	bool is_persistent; /* its session outlives its connection */
	uint32_t
		audience; /* which of the publishers' flows are its own; shared in a $share group */
	/* Of a scenario file; NULL: what it hears follows from the shape. */
	const struct bench_plan_group *group;
	uint32_t number;    /* in the group */
	uint64_t *held_ids; /* QoS 2: a bit per packet id between PUBLISH and PUBREL */
	uint32_t *next;     /* shared group: per publisher, one past the last number seen here */
};

/* Counted from the start of the run, warm-up included. */
struct bench_counts {
	uint64_t published;
	uint64_t expected;  /* deliveries of what was published and not refused */
	uint64_t promised;  /* published at QoS 1 and 2: to be acknowledged */
	uint64_t delivered; /* duplicates included */
	uint64_t unique;    /* of a shared group: by any of its subscribers */
	uint64_t duplicates;
	uint64_t misordered;
	uint64_t broken;       /* of those two, what the message's QoS does not allow */
	uint64_t foreign;      /* messages that are not of this run */
	uint64_t refused;      /* publications answered with a reason code of 0x80 or more */
	uint64_t acknowledged; /* QoS 1 and 2: publications that are done */
	uint64_t connected;    /* churn: connections that were accepted */
	uint64_t retried;      /* connections that came back and were turned away */
	uint64_t resumed;      /* handshakes of TLS that an earlier one made shorter */
	uint64_t stalls;       /* QoS 0: outstanding messages given up */
};

/* What went over the wire, both sides of the generator together. */
struct bench_wire {
	uint64_t packets_out;
	uint64_t packets_in;
	uint64_t bytes_out;
	uint64_t bytes_in;
	uint64_t answers; /* packets that came back to publishers */
};

/* What had been counted at an instant. */
struct bench_mark {
	uint64_t time_ns;
	uint64_t server_cpu_ns;
	uint64_t own_cpu_ns;
	struct bench_counts counts;
	struct bench_wire wire;
};

struct bench_run {
	const struct bench_options *options;
	struct bench_address address;
	struct bench_carriage carriage;
	uint32_t id; /* makes topics and client ids of this run its own */
	int epoll_fd;
	struct bench_inbox inbox;
	struct buffer batch; /* the bytes that the connection at hand is about to send */
	struct epoll_event events[BENCH_EVENTS_MAX];

	struct bench_publisher *publishers;
	uint32_t publisher_count;
	struct bench_subscriber *subscribers;
	uint32_t subscriber_count;
	struct bench_stream *streams;
	uint32_t stream_count;
	/* Of publisher p: flows_each from p * flows_each on; more than one if several audiences hear
	 * it, then one for each: a subscriber, or a $share group. */
	struct bench_sequence *flows;
	uint32_t flows_each;
	uint8_t *flow_qos; /* scenario files: at which QoS each flow goes; NULL: all alike */
	struct bench_connection *clients; /* churn and idle */
	uint32_t client_count;

	uint32_t *queue; /* publishers that may have something to send: a ring */
	uint32_t queue_start;
	uint32_t queue_count;
	bool is_publishing;
	bool is_away;      /* the subscribers are: acknowledgements are all that is waited for */
	bool has_sessions; /* of some subscriber the session outlives its connection */
	bool is_cleaning;  /* sessions are ended: CONNECT says so and nobody subscribes */
	bool is_pace_over; /* nothing more falls due */
	struct bench_pace pace; /* churn: of connections */

	uint64_t measured_from_ns; /* latency counts for messages stamped from here on */
	struct bench_histogram latency;
	struct bench_histogram done_latency; /* QoS 1 and 2: until the publisher had its answer */
	uint64_t received_ns;                /* when the bytes at hand were read */
	struct bench_counts counts;
	struct bench_wire wire;
	struct bench_mark start, end; /* the measured part */
	uint64_t rss_before, rss_after;
	uint64_t lost_ns; /* idle: when all lost their connections; 0: they have not */
	/* absent: how long the queue took to fill, and what it took of the server's memory */
	uint64_t fill_ns, fill_count, fill_rss_bytes;

	struct bench_progress progress;
	uint64_t progress_ns; /* when something was last delivered or acknowledged */

	char failure[512]; /* the first one; "" = none */
};

/* Finds the server and takes memory, descriptors and epoll. 0 or an error. Release in any case. */
int bench_run_init(struct bench_run *run, const struct bench_options *options) MUST_USE;
void bench_run_release(struct bench_run *run);

/* Notes why the run cannot go on; returns ERROR_INVALID. */
int bench_run_fail(struct bench_run *run, const char *format, ...) PRINTF_LIKE(2, 3);
/* The same for a connection that was lost or cannot be used: `error` as bench_connection_* gave
 * it, with errno. */
int bench_run_fail_connection(struct bench_run *run, const struct bench_connection *c, int error);

/* The same for a packet that has no place here, DISCONNECT among them. */
int bench_run_fail_packet(struct bench_run *run, const struct bench_connection *c,
			  const struct bench_packet *packet);
/* The same for bytes that are not MQTT. */
int bench_run_fail_bytes(struct bench_run *run, const struct bench_connection *c);

/* Waits for events until `until_ns` at most, and returns their number in `count_out`. */
int bench_run_wait(struct bench_run *run, uint64_t until_ns, int *count_out) MUST_USE;

/* Notes what has been counted by now. */
int bench_run_mark(struct bench_run *run, struct bench_mark *mark_out) MUST_USE;
/* Server memory; untouched when no server process was named. */
int bench_run_measure_rss(struct bench_run *run, uint64_t *rss_bytes_out) MUST_USE;

/* "publisher", "subscriber", "client" */
const char *bench_role_name(enum bench_role role);

static inline uint64_t bench_now_ns(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * BENCH_NS_PER_S + (uint64_t)time.tv_nsec;
}

/* Sends the batch to a connection and empties it. */
int bench_run_send_batch(struct bench_run *run, struct bench_connection *c) MUST_USE;
/* Sends what the kernel had not taken before, after EPOLLOUT. */
int bench_run_flush(struct bench_run *run, struct bench_connection *c) MUST_USE;

static inline bool bench_run_is_shared(const struct bench_run *run)
{
	return run->options->shape == BENCH_SHARED;
}

/* flow_qos of a flow that is to carry nothing: the topic does not match. */
#define BENCH_FLOW_NONE 0xFF

/* The QoS at which a flow goes, or BENCH_FLOW_NONE. */
static inline uint8_t bench_run_flow_qos(const struct bench_run *run, size_t flow)
{
	return run->flow_qos ? run->flow_qos[flow] : (uint8_t)run->options->qos;
}

/* The subscriber whose connection it is. */
static inline const struct bench_subscriber *bench_subscriber_of(const struct bench_connection *c)
{
	return CONTAINER_OF(c, const struct bench_subscriber, connection);
}

/* Puts a publisher into the queue, once. */
static inline void bench_run_enqueue(struct bench_run *run, uint32_t publisher)
{
	struct bench_publisher *p = &run->publishers[publisher];
	if (p->is_queued)
		return;
	p->is_queued = true;
	uint32_t end = run->queue_start + run->queue_count++;
	run->queue[end < run->publisher_count ? end : end - run->publisher_count] = publisher;
}

#endif
