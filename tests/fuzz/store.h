/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stores that are not as a journal left them: one that a broker wrote, and what the input does to
 * its files (docs/JOURNAL.md has the bytes).
 *
 *   byte 0   bits 0-1: which store, the others are the target's      byte 1   the target's
 *   steps    bits 0-1: 1 = checksums of that file are made right again, bits 2-5: what
 *
 * A file is chosen by its number in order of the alphabet, modulo their count.
 */
#ifndef NIGHTJAR_TESTS_FUZZ_STORE_H
#define NIGHTJAR_TESTS_FUZZ_STORE_H

#include "disk/disk_simulated.h"
#include "input.h"

enum store_step {
	STORE_WRITE = 0,  /* bytes: file, offset (2), length, bytes in place of those there */
	STORE_WORD = 1,   /* bytes: file, block, word of 8 in its first 64, value (8) */
	STORE_FLIP = 2,   /* bytes: file, offset (2), bit */
	STORE_CUT = 3,    /* bytes: file, length (2) */
	STORE_REMOVE = 4, /* byte: file */
	STORE_COPY = 5,   /* bytes: file, kind of name, number: what the copy is called */
	STORE_NEW = 6,   /* bytes: kind of name, number, length, content, in the last block zeros */
	STORE_BLOCK = 7, /* bytes: file and block, file and block that the first one is put into */
	STORE_RECORD = 8,  /* bytes: file, which record (2), length, body in place of its own */
	STORE_LINE = 9,    /* bytes: file, length, text in place of the whole file */
	STORE_RENAME = 10, /* bytes: file, kind of name, number */
};

enum store_base {
	STORE_EMPTY, /* started and ended */
	STORE_SMALL, /* some sessions, what waits for them, retained messages; killed */
	STORE_LONG,  /* several segments, checkpoints, copies */
	STORE_ENDED, /* the second, ended in order, and started again */
	STORE_BASES,
};

/* A medium as the input says; to be freed. Bases are made at the first call. */
struct simdisk *store_of(struct input *in, uint8_t choice);
/* Nothing was done to it. */
bool store_is_whole(void);
/* Bytes were made valid that no journal wrote: no disk can do that, only somebody with a plan. */
bool store_is_forged(void);
/* With FUZZ_SHOW in the environment: prints its files. */
void store_show(struct simdisk *medium, const char *when);
/* Makes the checksums of a file right for the bytes that are there. */
void store_seal(struct simdisk *medium, const char *name);
/* store_base.c: such a store. */
struct simdisk *store_base_new(enum store_base base);

#endif
