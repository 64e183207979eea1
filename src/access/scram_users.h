/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SCRAM for the users of a password file. Whoever is not in it, or has no stored form of SCRAM, is
 * given a challenge all the same, the same one each time, which no password answers: so the answer
 * does not tell who is there.
 */
#ifndef NIGHTJAR_ACCESS_SCRAM_USERS_H
#define NIGHTJAR_ACCESS_SCRAM_USERS_H

#include "access/scram.h"
#include "access/users.h"

/* Does anybody in it have what SCRAM needs? */
bool scram_users_exist(const struct users *u);
/* What that user's answer is verified by; NULL in `user_out`: there is none, and nothing will do.
 * Somebody must exist. 0 or ERROR_NO_MEMORY. */
int scram_users_find(const struct users *u, struct span name, struct scram_verifier *verifier_out,
		     const struct user **user_out) MUST_USE;

#endif
