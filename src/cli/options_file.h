/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file of default options of a tool: a line is an option and its value, and `#` begins a
 * comment. It is mosquitto's own, so that who comes from there finds their settings.
 */
#ifndef NIGHTJAR_CLI_OPTIONS_FILE_H
#define NIGHTJAR_CLI_OPTIONS_FILE_H

#include "base/buffer.h"

#define OPTIONS_PATH_MAX 4096
/* Longer files are refused: all options together are shorter by far. */
#define OPTIONS_FILE_MAX ((size_t)64 << 10)
/* Words of one line, at most: -D and what belongs to it. */
#define OPTIONS_WORDS_MAX 5

/* Where the file of that name is: $XDG_CONFIG_HOME/NAME, or $HOME/.config/NAME. False: nowhere. */
bool options_file_path(const char *name, char *path, size_t size);

/* The whole file, with a NUL behind it. 0, ERROR_SYSTEM (errno), ERROR_LIMIT, ERROR_NO_MEMORY. */
int options_file_read(const char *path, struct buffer *text) MUST_USE;

/*
 * Cuts a line in place: the option, and the rest as one value; -D and --property take several
 * words. The number of words, which is 0 for a comment and for nothing.
 */
int options_file_cut(char *line, char *words[OPTIONS_WORDS_MAX]);

#endif
