/* SPDX-License-Identifier: Apache-2.0 */
/* Argon2id (RFC 9106), from the library that the build found (argon2id.c), or none
 * (argon2id_absent.c). */
#ifndef NIGHTJAR_ACCESS_ARGON2ID_H
#define NIGHTJAR_ACCESS_ARGON2ID_H

#include "base/base.h"

struct argon2id_cost {
	uint32_t kib;
	uint32_t passes;
	uint32_t lanes;
};

bool argon2id_is_here(void);
/* Fills `hash`. 0, ERROR_NO_MEMORY, or ERROR_INVALID: it was not here, or does not take that. */
int argon2id_hash(const struct argon2id_cost *cost, struct span salt, struct span password,
		  struct room hash) MUST_USE;

#endif
