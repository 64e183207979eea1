/* SPDX-License-Identifier: Apache-2.0 */
/* Password and ACL files, and keys of tokens, read from disk into what a broker judges by. */
#ifndef NIGHTJAR_DAEMON_ACCESS_FILES_H
#define NIGHTJAR_DAEMON_ACCESS_FILES_H

#include "access/access.h"
#include "config/config.h"
#include "daemon/file_watch.h"

/* Lines of text, each ended by '\n'. Zero-initialised is empty. */
struct access_lines {
	struct buffer errors;
	struct buffer notices;
	bool is_out_of_memory;
};
void access_lines_release(struct access_lines *lines);

/* All that the configuration names, or NULL and what is wrong with it. `seed` is by chance. */
struct access *access_files_read(const struct config *c, uint64_t seed, struct access_lines *lines);
/* The files that it names. */
void access_files_watch(const struct config *c, struct file_watch *w);

#endif
