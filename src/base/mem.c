/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>

/* What a thread takes and gives before it tells the others. */
#define WEIGHT_STEP 65536

/* One branch on the normal path: the scales and both test aids hide behind it. */
static atomic_bool is_watched;
static atomic_bool is_counting;
static atomic_long live_count;
static atomic_bool is_weighing;
static atomic_long weight;
static _Thread_local long weight_unsaid;
static _Thread_local unsigned long fail_countdown;
static _Thread_local bool has_failed;

static bool fails_now(void)
{
	if (fail_countdown == 0 || --fail_countdown > 0)
		return false;
	has_failed = true;
	return true;
}

static void weigh(void *ptr, long sign)
{
	if (!ptr || !atomic_load_explicit(&is_weighing, memory_order_relaxed))
		return;
	weight_unsaid += sign * (long)malloc_usable_size(ptr);
	if (weight_unsaid < WEIGHT_STEP && weight_unsaid > -WEIGHT_STEP)
		return;
	atomic_fetch_add_explicit(&weight, weight_unsaid, memory_order_relaxed);
	weight_unsaid = 0;
}

static void *counted(void *ptr)
{
	weigh(ptr, 1);
	if (ptr && atomic_load_explicit(&is_counting, memory_order_relaxed))
		atomic_fetch_add_explicit(&live_count, 1, memory_order_relaxed);
	return ptr;
}

static void *reallocated(void *old, size_t len)
{
	weigh(old, -1);
	void *ptr = realloc(old, len);
	weigh(ptr ? ptr : old, 1);
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
	return old ? reallocated(old, len) : counted(malloc(len));
}

void mem_free(void *ptr)
{
	if (!is_normal()) {
		weigh(ptr, -1);
		if (ptr && atomic_load_explicit(&is_counting, memory_order_relaxed))
			atomic_fetch_sub_explicit(&live_count, 1, memory_order_relaxed);
	}
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

void mem_weigh_start(void)
{
	atomic_store(&is_weighing, true);
	atomic_store(&is_watched, true);
}

uint64_t mem_weight(void)
{
	long now = atomic_load_explicit(&weight, memory_order_relaxed);
	return now > 0 ? (uint64_t)now : 0;
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
