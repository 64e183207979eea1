/* SPDX-License-Identifier: Apache-2.0 */
/* The one hash function: XXH3 of a span, with a seed drawn at start so that peers cannot aim. */
#ifndef NIGHTJAR_BASE_HASH_H
#define NIGHTJAR_BASE_HASH_H

#include "base/base.h"

uint64_t hash_bytes(struct span bytes, uint64_t seed);

#endif
