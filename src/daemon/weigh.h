/* SPDX-License-Identifier: Apache-2.0 */
/* What the process holds, for memory_ceiling: OpenSSL's share too. */
#ifndef NIGHTJAR_DAEMON_WEIGH_H
#define NIGHTJAR_DAEMON_WEIGH_H

#include "base/base.h"

/* Before OpenSSL has taken any memory: it does not change over later. */
void weigh_start(void);

#endif
