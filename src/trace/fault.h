/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Faults on purpose, for tests: a small table of rules that drop, repeat, hold up or cut short the
 * packets of a connection, in either direction. Pure: bytes in, bytes out, time as an argument.
 *
 *	stream of packets -> fault_pass(rules) -> stream of packets
 */
#ifndef NIGHTJAR_TRACE_FAULT_H
#define NIGHTJAR_TRACE_FAULT_H

#include "base/buffer.h"

#define FAULT_RULES_MAX 32

enum fault_kind {
	FAULT_DROP,
	FAULT_DUPLICATE,
	FAULT_DELAY, /* the packet, and so all behind it */
	FAULT_CUT,   /* the connection ends within, or behind, the packet */
};

struct fault_rule {
	enum fault_kind kind;
	bool is_outgoing;
	uint8_t type;         /* enum packet_type; 0: any */
	uint32_t skip;        /* so many pass first */
	uint32_t count;       /* then it happens to so many */
	uint32_t delay_ms;    /* FAULT_DELAY */
	uint32_t after_bytes; /* FAULT_CUT: that still pass, from the packet's first on */
};

/* The first rule that is for a packet happens to it. */
struct fault_table {
	struct fault_rule rules[FAULT_RULES_MAX];
	uint32_t rule_count;
	uint32_t happened_count;
};
/* ERROR_LIMIT when the table is full, ERROR_INVALID for a rule that does nothing. */
int fault_add(struct fault_table *t, const struct fault_rule *rule) MUST_USE;

/* One direction of one connection. All zero to begin with, but for `is_outgoing`. */
struct fault_stream {
	bool is_outgoing;
	bool is_judged; /* the first packet has had its delay */
	bool is_cutting;
	bool is_raw;     /* these are no packets: all passes */
	uint32_t left;   /* bytes until the cut */
	uint64_t due_ms; /* nothing passes before */
	struct buffer waiting;
};
/* Takes `bytes`; appends to `out` what may go on now. 0; ERROR_CLOSED: what is in `out` goes, then
 * the connection is to be cut; ERROR_NO_MEMORY. */
int fault_pass(struct fault_stream *s, struct fault_table *t, struct span bytes, uint64_t now_ms,
	       struct buffer *out) MUST_USE;
/* When fault_pass is to be called again; UINT64_MAX: when there are bytes. */
uint64_t fault_due(const struct fault_stream *s);
/* The connection is over. */
void fault_stream_release(struct fault_stream *s);

#endif
