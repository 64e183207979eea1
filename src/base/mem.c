/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"

#include <stdatomic.h>
#include <stdlib.h>

/* One branch on the normal path: both test aids hide behind it. */
static atomic_bool is_watched;
static atomic_bool is_counting;
static atomic_long live_count;
static _Thread_local unsigned long fail_countdown;
static _Thread_local bool has_failed;

static bool fails_now(void)
{
	if (fail_countdown == 0 || --fail_countdown > 0)
		return false;
	has_failed = true;
	return true;
}

static void *counted(void *ptr)
{
	if (ptr && atomic_load_explicit(&is_counting, memory_order_relaxed))
		atomic_fetch_add_explicit(&live_count, 1, memory_order_relaxed);
	return ptr;
}

static bool is_normal(void)
{
	return LIKELY(!atomic_load_explicit(&is_watched, memory_order_relaxed));
}

void *mem_alloc(size_t len)
{
	if (is_normal())
		return malloc(len);
	return fails_now() ? NULL : counted(malloc(len));
}

void *mem_zalloc(size_t len)
{
	if (is_normal())
		return calloc(1, len);
	return fails_now() ? NULL : counted(calloc(1, len));
}

void *mem_realloc(void *old, size_t len)
{
	if (is_normal())
		return realloc(old, len);
	if (fails_now())
		return NULL;
	return old ? realloc(old, len) : counted(malloc(len));
}

void mem_free(void *ptr)
{
	if (!is_normal() && ptr && atomic_load_explicit(&is_counting, memory_order_relaxed))
		atomic_fetch_sub_explicit(&live_count, 1, memory_order_relaxed);
	free(ptr);
}

char *mem_copy_text(struct span text)
{
	char *copy = mem_alloc(text.len + 1);
	if (!copy)
		return NULL;
	if (text.len > 0)
		memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	return copy;
}

void mem_fail_after(unsigned long countdown)
{
	fail_countdown = countdown;
	has_failed = false;
	atomic_store(&is_watched, true);
}

bool mem_has_failed(void)
{
	return has_failed;
}

void mem_count_start(void)
{
	atomic_store(&live_count, 0);
	atomic_store(&is_counting, true);
	atomic_store(&is_watched, true);
}

long mem_count_live(void)
{
	return atomic_load(&live_count);
}
