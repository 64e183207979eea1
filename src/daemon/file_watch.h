/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that are to be read anew when they change. They are looked at twice a second: that also
 * finds those that another one took the place of, or that a link stands for, wherever it leads. What
 * has changed is told of when it stands still: a certificate and its key are two files.
 *
 * The time of a file tells little of one that is written twice within a tick of its file system's
 * clock, which may be as long as two seconds (NFS, FAT). So what is in it is looked at as well until
 * it is older than that.
 */
#ifndef NIGHTJAR_DAEMON_FILE_WATCH_H
#define NIGHTJAR_DAEMON_FILE_WATCH_H

#include "base/base.h"

/* How often to look, in milliseconds. */
#define WATCH_MS 500
/* More files than all listeners together may name. */
#define WATCH_FILES_MAX 4096

struct watched;

struct file_watch {
	struct watched *files;
	size_t count, capacity;
	bool has_changed; /* and does not stand still yet */
	bool is_coarse;   /* for tests: as if the file system's clock had whole seconds only */
};

/* NULL and what is watched already are left out; so is what there is no memory for. The file is as
 * it should be now. */
void file_watch_add(struct file_watch *w, const char *path);
/* Other files may be wanted from now on: those that are not added again until file_watch_sweep are
 * watched no longer. What is known of the others is kept. */
void file_watch_restart(struct file_watch *w);
void file_watch_sweep(struct file_watch *w);
void file_watch_release(struct file_watch *w);
/* To be called every WATCH_MS: has any changed, and stood still since the last look? */
bool file_watch_look(struct file_watch *w);

#endif
