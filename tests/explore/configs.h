/* SPDX-License-Identifier: Apache-2.0 */
/* What is explored. */
#ifndef NIGHTJAR_TESTS_EXPLORE_CONFIGS_H
#define NIGHTJAR_TESTS_EXPLORE_CONFIGS_H

#include "world.h"

extern const struct config configs[];
extern const size_t config_count;

#endif
