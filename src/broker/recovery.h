/* SPDX-License-Identifier: Apache-2.0 */
/* What recovery's files share: sessions by the names that records give them. */
#ifndef NIGHTJAR_BROKER_RECOVERY_H
#define NIGHTJAR_BROKER_RECOVERY_H

#include "broker/recover.h"
#include "broker/shard.h"
#include "route/hash_index.h"

/* A session that records may speak of. It may have ended since. */
struct known_session {
	uint64_t log_id;
	uint64_t number;
	/* From this queue position on it is not known which message stands where: records before
	 * may be lost. UINT64_MAX = it is. */
	uint64_t doubtful_from;
};

struct recovery {
	struct recovery_source source;
	struct hash_index sessions; /* struct known_session by log_id */
	uint64_t position;          /* of the newest record */
	struct recovery_report report;
};

/* A session has come up; its log_id is set. 0 or ERROR_NO_MEMORY. */
int recovery_know(struct recovery *r, const struct session *session) MUST_USE;
struct known_session *recovery_find(const struct recovery *r, uint64_t log_id);
/* A line of the report, about that many lost things. */
void recovery_lost(struct recovery *r, uint64_t count, const char *format, ...) PRINTF_LIKE(3, 4);
/* What shards have told each other meanwhile is heard, until nobody has anything more to say. */
void recovery_settle(struct broker *b);
void recovery_free(struct recovery *r);

/* For people: what is not printable is replaced. At most len - 1 bytes. */
void recovery_text(struct span text, char *out, size_t len);

#endif
