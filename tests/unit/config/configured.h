/* SPDX-License-Identifier: Apache-2.0 */
/* A configuration made from text in one line of a test, and what was said about it. */
#ifndef NIGHTJAR_TESTS_CONFIGURED_H
#define NIGHTJAR_TESTS_CONFIGURED_H

#include "config/config.h"

struct configured {
	struct config config;
	struct config_report report;
	int rc;       /* of config_finish */
	char *errors; /* NUL-terminated */
	char *notices;
};

/* The text as file "f.conf", then the ports of the command line ("" or "0 1884"). NULL: no file. */
void configure(struct configured *c, const char *text, const char *ports);
void configure_bytes(struct configured *c, struct span text);
/* What was said so far goes to `errors` and `notices`. */
void configured_finish(struct configured *c);
void configured_release(struct configured *c);

#endif
