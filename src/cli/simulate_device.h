/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A simulated device: an engine, a socket, a timer. It connects when it is to be on, comes back
 * with full jitter when its connection breaks, publishes when something is due, and counts.
 *
 *	OFF --on--> OPENING --> OPEN --off--> LINGERING --> OFF
 *	              ^  |        |
 *	              |  +--broken+
 *	              +-- WAITING
 */
#ifndef NIGHTJAR_CLI_SIMULATE_DEVICE_H
#define NIGHTJAR_CLI_SIMULATE_DEVICE_H

#include <sys/socket.h>

#include "base/timer.h"
#include "cli/bench_histogram.h"
#include "cli/simulate_script.h"
#include "client/engine.h"

enum device_state {
	DEVICE_OFF,
	DEVICE_WAITING, /* for its next try */
	DEVICE_OPENING,
	DEVICE_OPEN,
	DEVICE_LINGERING, /* all is written; the server is to close */
};

struct simulate_count {
	uint64_t published[3]; /* by QoS */
	uint64_t acknowledged;
	uint64_t refused; /* publications */
	uint64_t expired;
	uint64_t unfinished; /* of QoS 1 and 2 */
	uint64_t received[3];
	uint64_t received_bytes;
	uint64_t duplicates;    /* with DUP */
	uint64_t connections;   /* that the server took */
	uint64_t reconnections; /* after one that broke */
	uint64_t failures;      /* attempts without a connection */
	uint64_t rejections;    /* CONNACK with an error */
	uint64_t unsubscribed;  /* filters that the server refused */
	uint32_t connected;
	uint32_t connected_max;
	struct bench_histogram latency_us; /* from publication to PUBACK or PUBCOMP */
};

/* What all devices of a run share. */
struct simulate_field {
	struct sockaddr_storage address;
	socklen_t address_len;
	int epoll_fd;
	struct timer_wheel wheel;
	uint64_t now_ms; /* of this turn */
	uint64_t start_ms;
	uint64_t wall_ms; /* at start_ms */
	bool is_ending;   /* nothing new is published, nobody comes back */
	bool is_out_of_memory;
	char trouble[200]; /* the first connection that failed, in words; "" */
	struct buffer topic, payload;
	uint8_t *input;
	struct simulate_count count;
};

struct simulate_device {
	struct timer timer;
	struct simulate_field *field;
	const struct simulate_kind *kind;
	struct engine *engine;
	double *cells;
	uint64_t *due_ms;   /* of each flow */
	uint64_t random;    /* for what it says */
	uint64_t chance;    /* for when: so that a late turn changes no payload */
	uint64_t change_ms; /* on or off; UINT64_MAX: never */
	uint64_t wait_ms;   /* to try again, or no longer to linger */
	uint32_t id;
	uint32_t tries;
	uint32_t interest;
	int fd;
	uint8_t state; /* enum device_state */
	bool is_on;    /* is to be connected */
	bool is_connected;
	bool has_lost; /* its last connection broke */
};

/* Prepares it to start at its time. 0, ERROR_NO_MEMORY or ERROR_INVALID (what the script says
 * cannot be sent). Release in every case. */
int simulate_device_init(struct simulate_device *d, struct simulate_field *field,
			 const struct simulate_kind *kind, uint32_t id, uint64_t seed) MUST_USE;
void simulate_device_release(struct simulate_device *d);

/* Its timer has fired: does what is due. */
void simulate_device_tick(struct simulate_device *d);
/* Its socket is ready. */
void simulate_device_ready(struct simulate_device *d, uint32_t epoll_events);
/* Wants no connection any more, and says goodbye. */
void simulate_device_leave(struct simulate_device *d);

/* simulate_publish.c. What is due is given to the engine; the connection is there. */
void simulate_publish_due(struct simulate_device *d);
/* The connection has come about: `birth`, and when each flow is due first. */
void simulate_publish_first(struct simulate_device *d);
/* When the next is due; UINT64_MAX: none. */
uint64_t simulate_publish_next(const struct simulate_device *d);
/* Renders into a buffer that is emptied before. False without memory, which is noted. */
bool simulate_render(struct simulate_device *d, const struct template *t, struct buffer *out);
/* A time that deviates by so many percent to either side at most. */
uint64_t simulate_jitter(struct simulate_device *d, uint64_t ms, uint32_t percent);

/* simulate_engine.c: the engine of a device, and what it tells. */
int simulate_engine_new(struct simulate_device *d) MUST_USE;

/* Microseconds of a clock that never jumps. */
uint64_t simulate_now_us(void);

#endif
