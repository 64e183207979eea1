/* SPDX-License-Identifier: Apache-2.0 */
/* A message of a script: topic, options, and the payload as the rest of the line. */
#ifndef NIGHTJAR_CLI_SIMULATE_MESSAGE_H
#define NIGHTJAR_CLI_SIMULATE_MESSAGE_H

#include "cli/simulate_script.h"

enum message_role { MESSAGE_PUBLISHED = 1, MESSAGE_WILL = 2, MESSAGE_BIRTH = 4 };

/* The line behind `publish`, `will` or `birth`. Complaints go to `w`; release in every case. */
int simulate_message_parse(struct simulate_message *m, struct words *w, enum message_role role,
			   uint32_t *cell_count) MUST_USE;
void simulate_message_release(struct simulate_message *m);

#endif
