/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NIGHTJAR_JOURNAL_LOG_DISK_H
#define NIGHTJAR_JOURNAL_LOG_DISK_H

#include "journal/log.h"

/* The journal as a log; `free` is journal_close. */
extern const struct log_ops log_disk_ops;

#endif
