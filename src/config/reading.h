/* SPDX-License-Identifier: Apache-2.0 */
/* One option on its way from text into the configuration, and the sentences when it fails. */
#ifndef NIGHTJAR_CONFIG_READING_H
#define NIGHTJAR_CONFIG_READING_H

#include "config/config.h"

struct reading {
	struct config *config;
	struct config_report *report;
	const char *file;            /* NULL: the command line */
	uint16_t file_index;         /* of that file in config.files */
	unsigned line;               /* 0: none in particular */
	struct span name;            /* of the option; empty: none in particular */
	struct span value;           /* trimmed */
	const struct option *option; /* NULL until it is found */
	unsigned refused_sections;   /* of this file; bits by enum option_section */
};

/* Finds the option, checks and stores its value. 0, ERROR_INVALID (reported) or ERROR_NO_MEMORY. */
int reading_apply(struct reading *r) MUST_USE;

/*
 * Reports "file:line: option: words", words as printf. The second puts the value in quotes before
 * the words. Both return ERROR_INVALID.
 */
int reading_refuse(const struct reading *r, const char *format, ...) PRINTF_LIKE(2, 3);
int reading_refuse_value(const struct reading *r, const char *format, ...) PRINTF_LIKE(2, 3);
/* A line for the log at start: with the place and the option before it, or without. */
void reading_notice(const struct reading *r, const char *format, ...) PRINTF_LIKE(2, 3);
void report_notice(struct config_report *report, const char *format, ...) PRINTF_LIKE(2, 3);

/* Says how many mistakes had no room, if any. */
void report_count_rest(struct config_report *report);

/* The listener that the line is about. */
struct config_listener *reading_listener(const struct reading *r);
/* A place for messages, about an option. */
struct reading reading_place(struct config *c, struct config_report *report,
			     struct config_place place, const char *name);
/* The place of what is being read. */
struct config_place reading_here(const struct reading *r);
/* Where an option was said before: below the same listener, for one of a listener. */
struct config_place reading_given(const struct reading *r, const struct option *o);

/* file.c: the lines of one file that was read. */
int file_read_lines(struct reading *r, struct span text) MUST_USE;
/* include.c: the files of a directory, in mosquitto's order. */
int read_include_dir(struct reading *r) MUST_USE;
/* Keeps in mind that it was read; ERROR_INVALID (reported) when it was before. */
int file_enter(struct reading *r, struct config_file_id id) MUST_USE;

/* tls.c */
int read_tls_certificate(struct reading *r) MUST_USE;
void tls_check(struct config *c, struct config_report *report, const struct config_listener *l);

/* limits.c */
void limits_finish(struct config *c, struct config_report *report);

/* access.c */
struct config_access config_access_new(void);
void config_access_release(struct config_access *a);
/* Does it ask for nothing, as a new one? */
bool config_access_is_plain(const struct config_access *a);
void config_finish_access(struct config *c, struct config_report *report);
void config_check_peer_name(const struct config_listener *l, struct config_report *report);
/* login.c: the same for the ways to know a client, of one realm; `listener`: whose; NULL: all. */
void config_finish_login(struct config *c, struct config_access *a,
			 const struct config_listener *listener, struct config_report *report);
/* Of a listener, or of all of them? */
bool option_is_of_listener(const struct config *c, const struct option *o);

/* The word of log_dest for a bit of config.log_destinations. */
const char *log_destination_word(unsigned bit);

/* Readers of the options that are more than a name and a value. */
int read_special(struct reading *r) MUST_USE;
/* Does it ask for nothing, as a new one? */
bool listener_is_plain(const struct config_listener *l);
struct config_listener listener_new(void);
void listener_release(struct config_listener *l);
/* With texts of its own, but without the address. */
int listener_copy(struct config_listener *l, const struct config_listener *from) MUST_USE;
/* Keeps a copy of the text; the old one goes. */
int keep_text(char **text, struct span value) MUST_USE;

/* Digits, perhaps with a '-'. False when it is no number; what is beyond int64_t becomes its end. */
bool number_read(struct span text, int64_t *value_out);
/* The first word goes from the text to the result; empty at its end. */
struct span word_take(struct span *text);
struct span text_trim(struct span text);
bool text_is(struct span text, const char *word);

#endif
