/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A flood of lines from one place is told by its first lines and a number. A place is a sentence of
 * ours, or a kind of event: whatever a peer does, it can fill no disk with it, nor hide what others
 * say.
 */
#ifndef NIGHTJAR_DAEMON_LOG_RATE_H
#define NIGHTJAR_DAEMON_LOG_RATE_H

#include "base/base.h"

/* Lines of a place are counted for so long. */
#define LOG_RATE_WINDOW_MS 10000
/* More places than there are in the program; what finds no room has no limit. */
#define LOG_RATE_PLACES 256
/* So much of the last line that was left out is shown. */
#define LOG_RATE_SAMPLE_MAX 160

struct log_place {
	const void *key; /* NULL: free */
	uint64_t until_ms;
	uint64_t count;    /* lines since the window began */
	uint64_t left_out; /* of them */
	unsigned type;
	uint8_t sample_len;
	char sample[LOG_RATE_SAMPLE_MAX];
};

struct log_rate {
	struct log_place *places; /* NULL: none was counted yet */
	uint64_t next_ms; /* when the first window with lines left out ends; 0: there is none */
};

/* Zero-initialised is empty. */
void log_rate_release(struct log_rate *r);
/* May this line be written, when a place may have so many in a window (0: any number)? It is
 * counted; `type` is told with the sum. */
bool log_rate_allows(struct log_rate *r, uint32_t lines_max, const void *key, unsigned type,
		     struct span line, uint64_t now_ms);
/* A place whose window has ended, and that left lines out, until log_place_restart; NULL: none. With
 * UINT64_MAX as time: any that left lines out. */
struct log_place *log_rate_ended(struct log_rate *r, uint64_t now_ms);
void log_place_restart(struct log_place *place);

#endif
