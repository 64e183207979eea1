/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NIGHTJAR_DAEMON_CONFIG_MAIN_H
#define NIGHTJAR_DAEMON_CONFIG_MAIN_H

#include "daemon/broker_options.h"

/* `nightjar config`; the status of the process. */
int config_main(int argc, char **argv);
/* What --test-config does. */
int config_main_test(const struct broker_options *o);

#endif
