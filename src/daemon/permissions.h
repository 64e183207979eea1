/* SPDX-License-Identifier: Apache-2.0 */
/* Files of the configuration that too many users of the machine may read or change, or too few. */
#ifndef NIGHTJAR_DAEMON_PERMISSIONS_H
#define NIGHTJAR_DAEMON_PERMISSIONS_H

#include "config/config.h"
#include "daemon/log.h"

/* What the broker makes is not for others (umask(2)), but for its group. */
#define PERMISSIONS_UMASK 0027

/* A warning, with what to do, for each of them; asked by the user that the broker has become. Files of passwords and of keys for tokens are told of
 * when they are read. */
void permissions_check(const struct config *c, struct logger *log);

#endif
