/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection of TLS 1.3 behind its handshake, the server's end: bytes in and out as records
 * (tls_record.h), key updates, alerts. It holds a few hundred bytes, and for a while the rest of a
 * record that has not come or left whole.
 */
#ifndef NIGHTJAR_IO_TLS_FLOW_H
#define NIGHTJAR_IO_TLS_FLOW_H

#include "io/layer.h"
#include "io/tls_record.h"

struct tls_flow;

/* Where the handshake has left it. */
struct tls_flow_start {
	const struct record_suite *suite;
	const uint8_t *secret_in, *secret_out; /* the traffic secrets with number 0 */
	uint64_t sealed;                       /* records of the handshake that took these keys */
	struct span early;                     /* read already, and not looked at */
};

/* NULL without memory. */
struct tls_flow *tls_flow_new(const struct tls_flow_start *start) MUST_USE;
void tls_flow_free(struct tls_flow *f); /* NULL is allowed */

/* As a layer's operations (layer.h). Of `has_more`, `is_blocked` and `reason` of `l` they take
 * care. */
long tls_flow_read(struct tls_flow *f, struct layer *l, struct room room) MUST_USE;
/* What could not leave is to be written again, with the same bytes. */
long tls_flow_write(struct tls_flow *f, struct layer *l, const struct span *parts,
		    unsigned count) MUST_USE;
/* close_notify. */
void tls_flow_finish(struct tls_flow *f, struct layer *l);

#endif
