/* SPDX-License-Identifier: Apache-2.0 */
/* A way through the states as a numbered sequence diagram. */
#ifndef NIGHTJAR_TESTS_EXPLORE_DIAGRAM_H
#define NIGHTJAR_TESTS_EXPLORE_DIAGRAM_H

#include "search.h"

void diagram_print(const struct config *config, const struct found *found);

#endif
