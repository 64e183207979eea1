/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order of retained topics: byte by byte, but `/` before every other byte and the end before
 * all. So a topic stands right before its children, and all that match `a/b/#` stand together.
 *
 * And the step that a wildcard walk makes in that order: for a topic that does not match the
 * filter, the lowest place behind it where a match may stand. A walk that jumps from place to
 * place visits about as many topics as a tree would have branches, keeps no state but the topic
 * it saw last, and never looks back.
 */
#ifndef NIGHTJAR_ROUTE_TOPIC_ORDER_H
#define NIGHTJAR_ROUTE_TOPIC_ORDER_H

#include "base/base.h"

/* A topic in two pieces, one behind the other. */
struct topic_place {
	struct span head;
	struct span tail;
};

/* Below 0, 0, above 0: the topic stands before, at, behind the place. */
int topic_order_compare(struct span topic, struct topic_place place);

/* The levels of a filter from `at` up to the next wildcard, without the slash before that. */
struct span topic_order_literal(struct span filter, size_t at);

enum topic_step {
	TOPIC_MATCHES,
	TOPIC_JUMP, /* no match before the place */
	TOPIC_END,  /* no match behind this topic at all */
};

/* What a walk does at this topic. On TOPIC_JUMP the place is behind the topic, and borrows from
 * topic and filter. Both have at least one byte. [MQTT-4.7.2-1] is kept. */
enum topic_step topic_order_step(struct span filter, struct span topic,
				 struct topic_place *place_out);

#endif
