/* SPDX-License-Identifier: Apache-2.0 */
/* SIGINT and SIGTERM, which end sub and rr in peace. */
#ifndef NIGHTJAR_CLI_STOP_H
#define NIGHTJAR_CLI_STOP_H

#include "base/base.h"

#include <signal.h>

/* From now on they are let through only while `mask_while_waiting` is in force, so that none is
 * missed. */
void stop_catch(sigset_t *mask_while_waiting);
/* Has one come? */
bool stop_is_asked(void);

#endif
