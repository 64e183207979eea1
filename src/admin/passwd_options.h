/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of `nightjar passwd`. */
#ifndef NIGHTJAR_ADMIN_PASSWD_OPTIONS_H
#define NIGHTJAR_ADMIN_PASSWD_OPTIONS_H

#include "access/password.h"

#define PASSWD_REASON_MAX 512

struct passwd_options {
	bool is_batch, creates, deletes, upgrades; /* -b -c -D -U */
	bool wants_help;
	enum password_method method;
	struct password_cost cost;
	const char *file, *user, *password; /* borrowed; NULL: not given */
};

/* argv[0] is skipped. 0, or ERROR_INVALID and a sentence. */
int passwd_options_parse(int argc, char **argv, struct passwd_options *out,
			 char reason[PASSWD_REASON_MAX]) MUST_USE;
const char *passwd_options_help(void);

#endif
