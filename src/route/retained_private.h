/* SPDX-License-Identifier: Apache-2.0 */
/* What the files behind retained.h share. */
#ifndef NIGHTJAR_ROUTE_RETAINED_PRIVATE_H
#define NIGHTJAR_ROUTE_RETAINED_PRIVATE_H

#include "route/retained.h"
#include "route/topic_list.h"

struct retained {
	struct topic_list list;
	uint64_t count;
};

#endif
