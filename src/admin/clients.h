/* SPDX-License-Identifier: Apache-2.0 */
/* Client ids by the CONNECT that began their sessions, as far as that still stands in the log. */
#ifndef NIGHTJAR_ADMIN_CLIENTS_H
#define NIGHTJAR_ADMIN_CLIENTS_H

#include "base/map.h"

struct client {
	uint64_t log_id;
	uint64_t records, bytes; /* of its messages */
	uint32_t name_len;
	uint8_t name[];
};

struct clients {
	struct map by_log_id;
	bool is_out_of_memory;
};

void clients_init(struct clients *c);
void clients_release(struct clients *c);
/* A CONNECT stands at this position. */
void clients_add(struct clients *c, uint64_t log_id, struct span name);
/* NULL when it is not known. */
struct client *clients_find(const struct clients *c, uint64_t log_id);

#endif
