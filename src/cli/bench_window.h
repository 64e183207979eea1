/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A publisher's packet ids at QoS 1 and 2: at most `size` messages are in flight, ids 1 to `size`
 * are used in turn, and every acknowledgement must be the one that its id waits for.
 */
#ifndef NIGHTJAR_CLI_BENCH_WINDOW_H
#define NIGHTJAR_CLI_BENCH_WINDOW_H

#include "mqtt/types.h"

struct bench_window {
	uint16_t *free_ids; /* a ring of `size` */
	uint64_t *sent_ns;  /* by id: when the message was sent, or due */
	uint8_t *waits_for; /* by id: the packet type that answers, 0 = not in flight */
	uint16_t size;
	uint16_t free_start;
	uint16_t free_count;
};

/* 0 or ERROR_NO_MEMORY. `size` is 1 to 65,535. */
int bench_window_init(struct bench_window *w, uint16_t size) MUST_USE;
void bench_window_release(struct bench_window *w);

/* Sends a message of `qos` 1 or 2 under the id returned; there must be a free one. */
static inline uint16_t bench_window_take(struct bench_window *w, uint8_t qos)
{
	ASSERT(w->free_count > 0);
	uint16_t id = w->free_ids[w->free_start];
	w->free_start = (uint16_t)(w->free_start + 1 == w->size ? 0 : w->free_start + 1);
	w->free_count--;
	w->waits_for[id] = qos == 1 ? PACKET_PUBACK : PACKET_PUBREC;
	return id;
}

enum bench_step {
	BENCH_STEP_DONE,       /* the message is delivered, the id free */
	BENCH_STEP_RELEASE,    /* PUBREC: PUBREL is to be sent */
	BENCH_STEP_UNEXPECTED, /* nothing was waiting for this */
};

/* An acknowledgement came. `is_refusal`: its reason code is 0x80 or more, which ends the message
 * with PUBREC too ([5] 4.3.3). */
enum bench_step bench_window_acknowledge(struct bench_window *w, uint8_t packet_type, uint16_t id,
					 bool is_refusal);

#endif
