/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the text of a configuration comes from: the disk, or what a test has in its memory. So that
 * directories of files can be read in a fuzzer without any.
 */
#ifndef NIGHTJAR_CONFIG_SOURCE_H
#define NIGHTJAR_CONFIG_SOURCE_H

#include "base/buffer.h"

#define CONFIG_REASON_MAX 160

/* Tells whether two names lead to the same file; all zero: nobody knows. */
struct config_file_id {
	uint64_t device, number;
};

struct config_source {
	/* Appends the file's content. 0, or an error with words that follow the file's name. */
	int (*read)(void *context, const char *path, struct buffer *text,
		    struct config_file_id *id_out, char reason[CONFIG_REASON_MAX]);
	/* Appends the names in a directory, each with a NUL behind. */
	int (*list)(void *context, const char *path, struct buffer *names,
		    char reason[CONFIG_REASON_MAX]);
	void *context;
};

/* The disk. */
struct config_source config_source_of_disk(void);

#endif
