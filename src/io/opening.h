/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams whose layers are not open yet (layer.h), and how many of them may work at it at once.
 *
 * A TLS handshake costs a thousand times as much as a message, and some ten kilobytes until it is
 * done. When everybody comes at once, those who are in must not notice and memory must not grow:
 * so a few steps are done in each turn, a limited number of handshakes is under way, and the rest
 * waits its turn, with nothing but a descriptor. Who has begun and falls silent gives way when
 * others wait.
 *
 *     waiting    something came, nothing is begun: in the order of arrival
 *     going      begun, and the next step can be done
 *     stalled    begun, and waiting for the peer; oldest first
 */
#ifndef NIGHTJAR_IO_OPENING_H
#define NIGHTJAR_IO_OPENING_H

#include "base/list.h"

/* Begun and not done, for each loop: about sixteen megabytes. */
#define OPENINGS_MAX 512
/* Costly steps in one turn: about a millisecond where a step is an RSA signature. */
#define OPENING_STEPS_MAX 2
/* The same for those that cost little. */
#define OPENING_CHEAP_STEPS_MAX 64
/* After that a silent peer gives way to others: long enough for a bad mobile link, and for a small
 * machine that opens many connections at once itself. */
#define OPENING_PATIENCE_MS 5000
/* Where peers in general are slow to answer (their machine, or the way to it, has all of them at
 * once), to send one away is to do his handshake twice: then it is so many times what they take, but
 * no longer than that. */
#define OPENING_PATIENCE_TIMES 4
#define OPENING_PATIENCE_MAX_MS 20000

enum opening_state {
	OPENING_IDLE, /* nothing came yet, or it is open */
	OPENING_WAITING,
	OPENING_GOING,
	OPENING_STALLED,
};

struct opening {
	struct link link;
	uint64_t since_ms; /* in its state */
	uint8_t state;     /* enum opening_state */
	bool is_costly;
	bool has_begun;
};

struct openings {
	struct link waiting, going, stalled;
	unsigned begun_count;
	uint64_t usual_us; /* that a peer takes to answer, lately */
};

void openings_init(struct openings *o);
/* Something came for it. */
void opening_wake(struct openings *o, struct opening *at, uint64_t now_ms);
/* The next one to do a step for, which is GOING then and begun; NULL: none may. `steps` of this
 * turn are counted there. Each that was returned must be told of: stall, or leave. */
struct opening *openings_next(struct openings *o, unsigned steps[2], uint64_t now_ms);
/* The step was done; the next one needs the peer. */
void opening_stall(struct openings *o, struct opening *at, uint64_t now_ms);
/* It is open, or closed. */
void opening_leave(struct openings *o, struct opening *at);
/* One that is to give way; NULL: none. It stays until it leaves. */
struct opening *openings_give_way(const struct openings *o, uint64_t now_ms);

/* There is work that need not wait for the peer. */
bool openings_are_busy(const struct openings *o);
/* When openings_give_way may have something to say; UINT64_MAX: never. */
uint64_t openings_deadline_ms(const struct openings *o);

#endif
