/* SPDX-License-Identifier: Apache-2.0 */
/* What a start would find wrong with the files, folders and names of a configuration. */
#ifndef NIGHTJAR_DAEMON_CONFIG_CHECK_H
#define NIGHTJAR_DAEMON_CONFIG_CHECK_H

#include "config/config.h"

/*
 * After config_finish. Opens no socket, writes to no file and may run beside a broker that serves.
 * What a start does after it has given up root is tried without it: this process becomes the
 * broker's user, so that it should end soon. 0, ERROR_INVALID (reported) or ERROR_NO_MEMORY.
 */
int config_check(struct config *c, struct config_report *report) MUST_USE;

#endif
