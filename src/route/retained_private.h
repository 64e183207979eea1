/* SPDX-License-Identifier: Apache-2.0 */
/* What the files behind retained.h share. */
#ifndef NIGHTJAR_ROUTE_RETAINED_PRIVATE_H
#define NIGHTJAR_ROUTE_RETAINED_PRIVATE_H

#include "route/hash_index.h"
#include "route/retained.h"
#include "route/topic_list.h"

struct retained {
	struct topic_list list;   /* for walks */
	struct hash_index topics; /* hash of a topic -> its item */
	uint64_t seed;
	struct span (*topic_of)(const struct message *);
};

#endif
