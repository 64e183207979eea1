/* SPDX-License-Identifier: Apache-2.0 */
/* Records read back for whoever asks, in large reads, each verified. No thread of its own. */
#ifndef NIGHTJAR_JOURNAL_READER_H
#define NIGHTJAR_JOURNAL_READER_H

#include "journal/inside.h"

int reader_open(struct journal *j) MUST_USE;
/* Any thread. */
void reader_append(struct journal *j, struct log_read *request);
/* Answers one request. False: there is none. */
bool reader_step(struct journal *j);
/* Sleeps until there is one, or reader_stop; false then. */
bool reader_wait(struct journal *j);
void reader_stop(struct journal *j);
void reader_release(struct journal *j);

#endif
