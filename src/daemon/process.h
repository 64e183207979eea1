/* SPDX-License-Identifier: Apache-2.0 */
/* What the process asks of the system: descriptors, cores, chance, a pid file, fewer privileges. */
#ifndef NIGHTJAR_DAEMON_PROCESS_H
#define NIGHTJAR_DAEMON_PROCESS_H

#include "base/base.h"

/* Room for a sentence that says why not. */
#define PROCESS_REASON_MAX 256

/* Puts /dev/null where standard input, output or error is closed, or else the next socket would
 * take that number and get our log lines. */
void process_fill_standard(void);
/* Raises the limit of open descriptors as far as allowed; returns what it is then. */
uint64_t process_raise_descriptors(void);
/* The journal's writer may take a real-time priority, also after privileges are dropped: as far as
 * this process may allow it. */
void process_allow_priority(void);
/* Cores that this process may run on; at least 1. */
unsigned process_core_count(void);
/* Whether a crash may leave the process's memory in a file, as far as the system's own limit goes. After
 * privileges are dropped, which changes it. */
void process_allow_core(bool is_allowed);
/* Unpredictable. */
uint64_t process_random(void);

/* Writes the process id, and holds the file as long as the descriptor is open: a second broker with
 * the same file is refused. 0 or ERROR_SYSTEM, with the reason. */
int process_write_pid_file(const char *path, int *fd_out, char reason[PROCESS_REASON_MAX]) MUST_USE;

/* As root: become this user, with its groups. NULL: `mosquitto`, else `nobody`. "root" and whoever
 * is not root anyway stay. 0, ERROR_INVALID (no such user) or ERROR_SYSTEM, with the reason. */
int process_drop_privileges(const char *user, char reason[PROCESS_REASON_MAX]) MUST_USE;
/* Who the process is by now, as a sentence for the log: root deserves a warning (true). */
bool process_tell_user(bool was_root, char sentence[PROCESS_REASON_MAX]);

/* As root: lets a new file or directory belong to the user that process_drop_privileges will become.
 * Errors as there. */
int process_give_to_user(const char *path, const char *user,
			 char reason[PROCESS_REASON_MAX]) MUST_USE;

/*
 * Goes on in a background process of its own session. The parent waits and ends with status 0 when
 * the child calls process_background_ready, with 1 when the child ends before. Returns in the
 * child only: 0 and what it must hand to process_background_ready; or ERROR_SYSTEM in the parent.
 */
int process_to_background(int *ready_fd_out) MUST_USE;
/* Lets the parent go, and standard input, output and error with it. */
void process_background_ready(int ready_fd);

#endif
