/* SPDX-License-Identifier: Apache-2.0 */
/* What stands below a directory: which file system, on which kind of device. */
#ifndef NIGHTJAR_JOURNAL_DISK_DEVICE_H
#define NIGHTJAR_JOURNAL_DISK_DEVICE_H

#include "journal/disk.h"

/* Fills in all but is_direct; what the system does not tell stays empty or false. */
void disk_device_facts(int directory, struct disk_facts *out);

#endif
