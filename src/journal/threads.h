/* SPDX-License-Identifier: Apache-2.0 */
/* Who does the journal's work: three threads, or whoever calls journal_step. */
#ifndef NIGHTJAR_JOURNAL_THREADS_H
#define NIGHTJAR_JOURNAL_THREADS_H

#include "journal/inside.h"

/* 0 or ERROR_SYSTEM with errno; nothing runs then. */
int threads_start(struct journal *j) MUST_USE;
/* Everything that waits is done, the threads have ended. Without threads: the same, here. */
void threads_stop(struct journal *j);

#endif
