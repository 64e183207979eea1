/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A group of publishers that are alike: QoS, size and timetable. A run of one of the scenarios has
 * one; a scenario file may have several.
 */
#ifndef NIGHTJAR_CLI_BENCH_STREAM_H
#define NIGHTJAR_CLI_BENCH_STREAM_H

#include "cli/bench_pace.h"

struct bench_stream {
	uint32_t first; /* publisher */
	uint32_t count;
	uint8_t qos;
	uint32_t payload_bytes;
	uint32_t window;        /* QoS 1, 2: messages in flight per publisher */
	uint32_t outstanding;   /* sent, and not received by the slowest yet */
	struct bench_pace pace; /* of all its publishers together; rate 0: as fast as it goes */
	uint64_t paced;         /* messages of the timetable handed to their publishers */
};

#endif
