/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of options: every name that mosquitto 2.0 and 2.1 know, and our own. Parsing, range checks,
 * the suggestions for misspelt names and the manual page all read it.
 */
#ifndef NIGHTJAR_CONFIG_OPTION_H
#define NIGHTJAR_CONFIG_OPTION_H

#include "base/base.h"

/* Room for the table's rows; a test holds the table to it. */
#define OPTION_COUNT_MAX 256

enum option_type {
	OPTION_BOOL,     /* true or false, also 1 and 0 */
	OPTION_NUMBER,   /* decimal, from min to max */
	OPTION_DURATION, /* a number and one of h d w m y; kept in seconds */
	OPTION_CHOICE,   /* one of the words of `choices` */
	OPTION_TEXT,     /* the rest of the line */
	OPTION_SPECIAL,  /* has a reader of its own */
};

enum option_status {
	OPTION_SUPPORTED,
	OPTION_ONLY,   /* known, but the only value that holds here is `only` */
	OPTION_UNUSED, /* accepted with a notice, unless it is `only`; it changes nothing */
	OPTION_LATER,  /* mosquitto has it, this version has not */
};

/* Lines that belong together are refused with one sentence. */
enum option_section {
	OPTION_SECTION_NONE,
	OPTION_SECTION_BRIDGE,
	OPTION_SECTION_PLUGIN,
};

/* Whose member the value goes to. */
enum option_target {
	OPTION_TO_NOTHING, /* a special reader, or no value but one */
	OPTION_TO_CONFIG,
	OPTION_TO_SETTINGS,
	OPTION_TO_LISTENER, /* the one whose `listener` line stands above */
	OPTION_TO_ACCESS,   /* of that listener with per_listener_settings, else of all */
};

/* When another value in a file that is read anew holds. */
enum option_change {
	OPTION_CHANGE_UNSAID,      /* of what has one value, or none */
	OPTION_CHANGES_AT_ONCE,    /* for all who are connected, too */
	OPTION_CHANGES_FOR_NEW,    /* for clients that connect from then on */
	OPTION_CHANGES_AT_RESTART, /* not before the broker is started again */
	OPTION_CHANGES_NEVER,      /* accepted, but nothing follows from it */
};

/* Under which headline of the manual. */
enum option_group {
	OPTION_GROUP_LISTENERS,
	OPTION_GROUP_TLS,
	OPTION_GROUP_CONNECTIONS,
	OPTION_GROUP_SESSIONS,
	OPTION_GROUP_ACCESS,
	OPTION_GROUP_LIMITS,
	OPTION_GROUP_STORE,
	OPTION_GROUP_DELIVERY,
	OPTION_GROUP_QUEUES,
	OPTION_GROUP_ROUTING,
	OPTION_GROUP_LOG,
	OPTION_GROUP_PROCESS,
	OPTION_GROUP_COUNT,
};

struct option {
	const char *name; /* one that ends in '*' stands for all names that begin like it */
	uint8_t type;     /* enum option_type */
	uint8_t status;   /* enum option_status */
	uint8_t target;   /* enum option_target */
	uint8_t group;    /* enum option_group, of what is supported */
	uint8_t change;   /* enum option_change, of what is supported */
	uint8_t size;     /* of the member, in bytes */
	uint16_t offset;
	bool is_ours;          /* no option of mosquitto's */
	bool is_secret;        /* the value is shown to nobody */
	bool negative_is_zero; /* OPTION_NUMBER: -1 in the file puts 0 into the member */
	uint8_t section;       /* enum option_section, of what is refused */
	bool opens_section;    /* is it the section's first line? */
	int64_t min, max;      /* OPTION_NUMBER, in the unit of the file */
	uint32_t scale;        /* the member's units in one of the file's; 0 = 1 */
	int64_t zero_means;    /* OPTION_NUMBER: what a 0 in the file puts into the member; 0 = 0 */
	const char *const *choices; /* OPTION_CHOICE: words for 0, 1, ...; ends with NULL */
	const char *only;           /* OPTION_ONLY, OPTION_UNUSED: the value that holds */
	const char *value;          /* how the manual names the value */
	const char *default_text;   /* where the member's first value doesn't tell */
	/* supported: what it does; OPTION_UNUSED: why not, or what does; else: what to do instead */
	const char *text;
};

/* Rows about one subject. */
struct option_table {
	const struct option *rows;
	size_t count;
};
extern const struct option_table options_listener;
extern const struct option_table options_tls;
extern const struct option_table options_client;
extern const struct option_table options_access;
extern const struct option_table options_limit;
extern const struct option_table options_login;
extern const struct option_table options_store;
extern const struct option_table options_delivery;
extern const struct option_table options_process;
/* Those that are accepted and without effect, and those that are refused with a reason. */
extern const struct option_table options_unused;
extern const struct option_table options_refused;

/* The table's rows by index; NULL past the end. */
const struct option *option_at(size_t index);
size_t option_count(void);
/* NULL when there is none of that name. */
const struct option *option_named(struct span name);
/* The row nearest to a misspelt name, NULL when none is near. */
const struct option *option_nearest(struct span name);
size_t option_index(const struct option *option);
/* "Listeners" and so on. */
const char *option_group_name(unsigned group);

#endif
