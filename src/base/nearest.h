/* SPDX-License-Identifier: Apache-2.0 */
/* The word that somebody probably meant. */
#ifndef NIGHTJAR_BASE_NEAREST_H
#define NIGHTJAR_BASE_NEAREST_H

#include "base/base.h"

/* Longer words are not compared. */
#define NEAREST_LEN_MAX 32

struct nearest {
	struct span word;
	const char *best; /* NULL while nothing is near */
	size_t distance;  /* of the best; what is as far is not near */
};

struct nearest nearest_start(struct span word);
/* Near is what one change in three letters makes of it. The first of equals wins. */
void nearest_offer(struct nearest *n, const char *candidate);

#endif
