/* SPDX-License-Identifier: Apache-2.0 */
/* Messages on the standard output, as -v, -F, -N and --json ask for. */
#ifndef NIGHTJAR_CLI_SHOW_H
#define NIGHTJAR_CLI_SHOW_H

#include "cli/options.h"
#include "mqtt/packets.h"

/* A message of the library as the packet that it came in; of the properties only `raw` is set.
 * Borrowed from the message. */
struct publish show_publish_of(const nj_message *message);
void show_message(const struct options *o, const struct publish *message);

#endif
