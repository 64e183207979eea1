/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A password file, read: `name:stored` in each line (access/password.h has the stored forms), as
 * mosquitto_passwd writes it. It never changes; a new file makes a new one.
 */
#ifndef NIGHTJAR_ACCESS_USERS_H
#define NIGHTJAR_ACCESS_USERS_H

#include "access/report.h"

/* Some 300,000 users. */
#define USERS_FILE_BYTES_MAX ((size_t)64 << 20)

struct user {
	struct span name;
	struct span stored; /* what no password can be verified against lets nobody in */
	uint64_t stamp;     /* of the stored form: another one when the password was set anew */
};

struct users;

/* NULL when the file is of no use, or without memory; the report says which. `seed` hides from
 * peers what is looked up. The text is copied. */
struct users *users_read(struct span text, uint64_t seed, struct access_report *report);
void users_free(struct users *u);

size_t users_count(const struct users *u);
/* NULL: there is none of that name. */
const struct user *users_find(const struct users *u, struct span name);
/* Somebody else, always the same one for a name: for whom the password of an unknown user is
 * verified, so that the time does not tell that there is none. NULL: the file is empty. */
const struct user *users_decoy(const struct users *u, struct span name);

/* Whose stored form is SCRAM's and stands for all of them: what an unknown user is told follows from
 * it, and changes with it only. NULL: nobody has one. */
const struct user *users_scram_pattern(const struct users *u);

/* One line of the file. */
enum users_line {
	USERS_LINE_EMPTY, /* or a comment */
	USERS_LINE_USER,
	USERS_LINE_BARE, /* a name without a colon: without a password */
};
enum users_line users_line_split(struct span line, struct span *name_out, struct span *stored_out);

#endif
