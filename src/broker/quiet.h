/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of log that a peer could cause without end: some of each span of time, the rest counted. */
#ifndef NIGHTJAR_BROKER_QUIET_H
#define NIGHTJAR_BROKER_QUIET_H

#include "base/base.h"

/* Enough to see who it is. */
#define QUIET_LINES 10
#define QUIET_SPAN_MS 10000

struct quiet {
	uint64_t until_ms; /* steady clock; end of the span */
	uint32_t shown;    /* in it */
	uint32_t left_out; /* since the last that was shown */
};

/* May this one be shown? Then how many were not before it. */
static inline bool quiet_allows(struct quiet *q, uint64_t now_ms, uint32_t *left_out_out)
{
	if (now_ms >= q->until_ms) {
		q->until_ms = now_ms + QUIET_SPAN_MS;
		q->shown = 0;
	}
	if (q->shown == QUIET_LINES) {
		q->left_out += q->left_out < UINT32_MAX;
		return false;
	}
	q->shown++;
	*left_out_out = q->left_out;
	q->left_out = 0;
	return true;
}

#endif
