/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only door to the heap. Tests make each allocation fail in turn through it, and count what
 * is still held.
 */
#ifndef NIGHTJAR_BASE_MEM_H
#define NIGHTJAR_BASE_MEM_H

#include "base/base.h"

/* As malloc, calloc, realloc and free. NULL when there is no memory. `mem_free(NULL)` is allowed. */
void *mem_alloc(size_t len) MUST_USE;
void *mem_zalloc(size_t len) MUST_USE;
void *mem_realloc(void *old, size_t len) MUST_USE;
void mem_free(void *ptr);

/* A copy of the bytes with a NUL behind them; NULL when there is no memory. */
char *mem_copy_text(struct span text) MUST_USE;

/* From now on what is held is weighed, as malloc_usable_size(3) has it, for mem_weight. It costs a
 * little for each call of the above. Call it early: what was taken before and is given back later
 * is weighed wrong. */
void mem_weigh_start(void);
/* Bytes held, over all threads: each may have kept some ten thousand to itself. Any thread. */
uint64_t mem_weight(void);

/*
 * For tests: the `countdown`-th allocation of this thread from now fails (1 = the next), once.
 * 0 switches it off.
 */
void mem_fail_after(unsigned long countdown);
/* For tests: true when an armed failure has happened since mem_fail_after. */
bool mem_has_failed(void);
/* For tests: allocations that were not freed, over all threads; counted since mem_count_start(). */
void mem_count_start(void);
long mem_count_live(void);

#endif
