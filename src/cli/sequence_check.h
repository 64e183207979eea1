/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --assert of sub: does every message come, once, in order? A payload begins with the message's
 * number, counted up by one within its topic; `seq 1 1000 | nightjar pub -l` makes such.
 *
 *	1 2 3 5 4 4 7      5 came before 4: 4 is out of order; the second 4 is a duplicate;
 *	                   6 is missing at the end
 *
 * What DUP says at QoS 1 is the standard's right: such a duplicate is counted, and is no fault.
 */
#ifndef NIGHTJAR_CLI_SEQUENCE_CHECK_H
#define NIGHTJAR_CLI_SEQUENCE_CHECK_H

#include "base/base.h"

#include <stdio.h>

/* A number takes a bit of memory, so that this is 16 MiB for a topic. */
#define SEQUENCE_NUMBER_MAX ((UINT32_C(1) << 27) - 1)
/* Of all topics together: publishers choose the numbers. */
#define SEQUENCE_BYTES_MAX ((size_t)256 << 20)
#define SEQUENCE_TOPICS_MAX 10000

struct sequence_check {
	struct sequence_topic *topics;
	size_t topic_count;
	size_t bytes; /* of all `seen` */
	uint64_t distinct_count;
	uint64_t duplicate_count; /* beyond those that the standard allows */
	uint64_t allowed_count;   /* at QoS 1, with DUP */
	uint64_t out_of_order_count;
	uint64_t unnumbered_count;
};

enum sequence_result {
	SEQUENCE_NEW,
	SEQUENCE_REPEATED, /* it came before */
	SEQUENCE_NO_ROOM,  /* too many topics, too large numbers, or no memory */
};

enum sequence_result sequence_note(struct sequence_check *c, struct span topic, struct span payload,
				   bool may_be_repeated) MUST_USE;
/* Numbers between the lowest and the highest of each topic that never came. */
uint64_t sequence_missing(const struct sequence_check *c);
/* Prints one line; true when nothing is wrong. `wanted`: how many there should be; 0: any. */
bool sequence_report(const struct sequence_check *c, uint64_t wanted, FILE *to);
void sequence_release(struct sequence_check *c);

#endif
