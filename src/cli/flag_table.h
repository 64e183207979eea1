/* SPDX-License-Identifier: Apache-2.0 */
/* The options of pub, sub and rr as a table: names, whose they are, what they take, what they set. */
#ifndef NIGHTJAR_CLI_FLAG_TABLE_H
#define NIGHTJAR_CLI_FLAG_TABLE_H

#include "cli/options.h"

enum flag_kind {
	FLAG_ON,       /* sets the bool at `field` */
	FLAG_TEXT,     /* stores its value's address at `field` */
	FLAG_VALUE,    /* gives its value to `take` */
	FLAG_SWITCH,   /* calls `take` with NULL */
	FLAG_PROPERTY, /* -D and its three or four words */
	FLAG_EXEC,     /* "exec" and a value, which is given to `take` */
	FLAG_HELP,
	FLAG_VERSION,
	FLAG_HEADING,       /* no option: `help` stands above those that follow */
	FLAG_REFUSED,       /* mosquitto's, and not ours; `help` says why, and what to do */
	FLAG_REFUSED_VALUE, /* the same, with a value */
};

struct flag_row {
	const char *short_name; /* "-h", or NULL */
	const char *long_name;  /* "--host", or NULL */
	uint8_t tools;          /* of enum tool */
	uint8_t kind;           /* enum flag_kind */
	uint16_t field;         /* in struct options */
	const char *noun;       /* "no host specified"; NULL when there is no value */
	/* False when the value is no good; it has said so on stderr. */
	bool (*take)(struct options *o, const char *value);
	const char *help;
};

extern const struct flag_row flag_table[];
extern const size_t flag_table_count;

/* Does a value follow it? */
bool flag_takes_value(const struct flag_row *row);
bool flag_is_refused(const struct flag_row *row);

/* The row of a word on the command line, or NULL. */
const struct flag_row *flag_find(enum tool tool, const char *word);

#endif
