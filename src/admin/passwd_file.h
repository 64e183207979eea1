/* SPDX-License-Identifier: Apache-2.0 */
/* A password file on its way from disk, through a change, and back as a whole. */
#ifndef NIGHTJAR_ADMIN_PASSWD_FILE_H
#define NIGHTJAR_ADMIN_PASSWD_FILE_H

#include "base/buffer.h"

/* 0, or ERROR_SYSTEM (errno says how), ERROR_NO_MEMORY, ERROR_LIMIT: it is no password file. */
int passwd_file_read(const char *path, struct buffer *text) MUST_USE;

/*
 * Puts a file with that text in its place: whoever opens it finds the old or the new one, whole,
 * also after a power cut. Mode and owner stay; a new one may be read by its owner alone. A link
 * stays one. Errors as above.
 */
int passwd_file_write(const char *path, struct span text) MUST_USE;

/* The text with that user's line set to `stored`, or added at the end; for NULL without it. All
 * other lines stay as they are. 0, ERROR_NOT_FOUND or ERROR_NO_MEMORY. */
int passwd_file_set(struct span text, struct span user, const char *stored, struct buffer *out,
		    bool *was_there_out) MUST_USE;

#endif
