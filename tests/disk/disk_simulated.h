/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A disk in memory that loses what a real one may lose, driven by one seed.
 *
 *     simdisk           the medium: outlives the process that uses it
 *     simdisk_attach    what a process opens: a disk as in journal/disk.h
 *
 * It knows of each file which sectors stand on the medium and which versions of a sector were
 * written since its last sync; of the directory, which names were synced and what happened since.
 * A power cut keeps of each unsynced sector any version or the old bytes, and does or undoes each
 * unsynced create, rename and remove. A kill keeps all of it, as the system's memory does.
 */
#ifndef NIGHTJAR_TESTS_DISK_SIMULATED_H
#define NIGHTJAR_TESTS_DISK_SIMULATED_H

#include "journal/disk.h"

#define SIMDISK_SECTOR 512

struct simdisk;

/* `capacity` in bytes, 0 = any. Never NULL: a test without memory ends. */
struct simdisk *simdisk_new(uint64_t seed, uint64_t capacity);
void simdisk_free(struct simdisk *s);
/* A second medium with the same files, as after a kill and a sync. */
struct simdisk *simdisk_clone(struct simdisk *s, uint64_t seed);

/* A disk for one process. Its `free` leaves the medium alone. */
struct disk *simdisk_attach(struct simdisk *s);
/* The process is gone: what it had open answers with errors, its lock is free, what it wrote
 * stands in the system's memory. */
void simdisk_kill(struct simdisk *s);
/* The same, and the power was gone too: what was not synced is kept or lost as `seed` says. */
void simdisk_power_cut(struct simdisk *s, uint64_t seed);
/* Everything that was written reaches the medium, as it does in time. */
void simdisk_settle(struct simdisk *s);

/* --- faults --- */

enum simdisk_call {
	SIMDISK_OPEN,
	SIMDISK_READ,
	SIMDISK_WRITE,
	SIMDISK_SYNC,
	SIMDISK_RESERVE,
	SIMDISK_RENAME,
	SIMDISK_REMOVE,
	SIMDISK_SYNC_NAMES,
	SIMDISK_CALLS,
};

enum simdisk_fault_flag {
	SIMDISK_LASTING = 1 << 0, /* from then on each call of that kind fails */
	/* A failed sync takes what was unsynced for written: the medium does not have it, the
	 * system's memory still shows it, and the next sync succeeds. */
	SIMDISK_DROPS = 1 << 1,
};

/* The n-th call of that kind from now fails (1 = the next) with errno `error_number`; a write has
 * done any part of its work then. n = 0 switches it off. */
void simdisk_fail(struct simdisk *s, enum simdisk_call call, uint64_t n, int error_number,
		  unsigned flags);
/* The power goes in the middle of the n-th call from now that changes something: it has done any
 * part of its work, this call and all later ones fail. simdisk_power_cut then says what is left.
 * n = 0 switches it off. */
void simdisk_cut_at(struct simdisk *s, uint64_t n);
/* Whether a cut that was ordered has come. */
bool simdisk_is_cut(const struct simdisk *s);
/* Calls that change something, since the medium is there. */
uint64_t simdisk_changes(const struct simdisk *s);
/* Calls of one kind. */
uint64_t simdisk_calls(const struct simdisk *s, enum simdisk_call call);
/* In bytes, 0 = any; while it runs too. */
void simdisk_set_capacity(struct simdisk *s, uint64_t capacity);
uint64_t simdisk_used(struct simdisk *s);

/* --- damage, at once and on the medium --- */

/* False when there is no such file, or it is not that long. */
bool simdisk_flip(struct simdisk *s, const char *name, uint64_t offset, unsigned bit);
bool simdisk_truncate(struct simdisk *s, const char *name, uint64_t len);
bool simdisk_overwrite(struct simdisk *s, const char *name, uint64_t offset, struct span bytes);
bool simdisk_remove(struct simdisk *s, const char *name);
bool simdisk_size(struct simdisk *s, const char *name, uint64_t *len_out);
/* The bytes as they are now; NULL when there is no such file. Until the next change. */
const uint8_t *simdisk_bytes(struct simdisk *s, const char *name, uint64_t *len_out);
/* The n-th name (from 0) in order of the alphabet; NULL behind the last. */
const char *simdisk_name(struct simdisk *s, unsigned n);

#endif
