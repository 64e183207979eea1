/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is how often there, and who has done what lately: of addresses, user names and client ids, for
 * limits and bans (admission.h). Any thread may ask; it is asked when connections come and go, never
 * for a message. So a lock for each of some stripes is enough.
 *
 * Bounded: beyond the maximum the one goes that was longest without an event; those with connections
 * stay, and are no more than connections. A name is kept as a hash.
 */
#ifndef NIGHTJAR_BROKER_LEDGER_H
#define NIGHTJAR_BROKER_LEDGER_H

#include "base/list.h"
#include "base/map.h"

#include <pthread.h>

#define LEDGER_STRIPES 32
/* Without connections: some six megabytes of them, and as many addresses as a large attack has. */
#define LEDGER_ENTRIES_MAX 65536
#define LEDGER_KEY_BYTES 17

/* A kind and sixteen bytes: an address, or two hashes of a name. */
struct ledger_key {
	uint8_t bytes[LEDGER_KEY_BYTES];
};

enum ledger_mark {
	MARK_FAILED_LOGIN,
	MARK_ERROR,   /* of the protocol, or of a handshake before it */
	MARK_CONNECT, /* came in: who does so often is flapping */
	MARK_COUNT,
};

/* So many marks within a time lead to a ban. */
struct ledger_rule {
	uint32_t marks_max; /* 0: none */
	uint64_t window_ms;
	uint64_t ban_ms;
};

enum ledger_answer { LEDGER_WELCOME, LEDGER_BANNED, LEDGER_TOO_MANY };

struct ledger_stripe {
	pthread_mutex_t mutex;
	struct map entries;
	struct link idle; /* without connections; the one with the oldest event first */
	uint32_t idle_count;
};

struct ledger {
	struct ledger_stripe stripes[LEDGER_STRIPES];
	uint64_t seed;
	uint32_t idle_max; /* of each stripe */
};

void ledger_init(struct ledger *l, uint64_t seed, uint32_t entries_max);
void ledger_release(struct ledger *l);
/* One more connection of that key, unless it is banned or has `connections_max` (0: any number).
 * Without memory it comes in, and is not counted. */
enum ledger_answer ledger_enter(struct ledger *l, const struct ledger_key *key,
				uint32_t connections_max, uint64_t now_ms);
/* One that has entered is gone. */
void ledger_leave(struct ledger *l, const struct ledger_key *key);
bool ledger_is_banned(struct ledger *l, const struct ledger_key *key, uint64_t now_ms);
/* True when a ban begins by it. */
bool ledger_note(struct ledger *l, const struct ledger_key *key, enum ledger_mark mark,
		 const struct ledger_rule *rule, uint64_t now_ms);
/* Of all stripes, for tests. */
uint32_t ledger_count(struct ledger *l);

#endif
