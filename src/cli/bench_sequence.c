/* SPDX-License-Identifier: Apache-2.0 */
/* See bench_sequence.h. */
#include "cli/bench_sequence.h"

#include "base/mem.h"

/* Gives up the older half of the gaps. */
static void gaps_forget(struct bench_sequence *s)
{
	uint32_t half = BENCH_GAPS_MAX / 2;
	for (uint32_t i = 0; i < half; i++)
		s->forgotten += s->gaps[i].to - s->gaps[i].from;
	s->gap_count -= half;
	memmove(s->gaps, s->gaps + half, s->gap_count * sizeof(*s->gaps));
}

/* Makes room for one more gap; false when there is no memory for any. */
static bool gaps_reserve(struct bench_sequence *s)
{
	if (!s->gaps)
		s->gaps = mem_alloc(BENCH_GAPS_MAX * sizeof(*s->gaps));
	if (s->gaps && s->gap_count == BENCH_GAPS_MAX)
		gaps_forget(s);
	return s->gaps != NULL;
}

/* Numbers s->next up to `number` were jumped over. */
static void gap_append(struct bench_sequence *s, uint32_t number)
{
	if (gaps_reserve(s))
		s->gaps[s->gap_count++] = (struct bench_gap){s->next, number};
	else
		s->forgotten += number - s->next;
}

/* The index of the first gap that ends behind `number`. */
static uint32_t gap_find(const struct bench_sequence *s, uint32_t number)
{
	uint32_t low = 0, high = s->gap_count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (s->gaps[middle].to > number)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static void gap_remove(struct bench_sequence *s, uint32_t index)
{
	s->gap_count--;
	memmove(s->gaps + index, s->gaps + index + 1, (s->gap_count - index) * sizeof(*s->gaps));
}

/* Takes a number out of the middle of a gap: two remain. */
static void gap_split(struct bench_sequence *s, uint32_t index, uint32_t number)
{
	uint32_t count_before = s->gap_count;
	gaps_reserve(s);
	uint32_t moved = count_before - s->gap_count; /* gaps_forget shifts what is left */
	if (moved > index) {
		/* the gap itself was given up, and now one of its numbers has come */
		s->forgotten--;
		return;
	}
	index -= moved;
	struct bench_gap *gap = &s->gaps[index];
	memmove(gap + 1, gap, (s->gap_count - index) * sizeof(*gap));
	s->gap_count++;
	gap[0].to = number;
	gap[1].from = number + 1;
}

static enum bench_arrival note_late(struct bench_sequence *s, uint32_t number)
{
	uint32_t index = gap_find(s, number);
	if (index == s->gap_count || s->gaps[index].from > number)
		return BENCH_DUPLICATE;
	struct bench_gap *gap = &s->gaps[index];
	if (gap->to - gap->from == 1)
		gap_remove(s, index);
	else if (gap->from == number)
		gap->from++;
	else if (gap->to == number + 1)
		gap->to--;
	else
		gap_split(s, index, number);
	return BENCH_LATE;
}

enum bench_arrival bench_sequence_note_other(struct bench_sequence *s, uint32_t number)
{
	if (number < s->next)
		return note_late(s, number);
	gap_append(s, number);
	s->next = number + 1;
	return BENCH_AHEAD;
}

uint64_t bench_sequence_missing(const struct bench_sequence *s, uint32_t sent)
{
	uint64_t missing = s->forgotten + (sent > s->next ? sent - s->next : 0);
	for (uint32_t i = 0; i < s->gap_count; i++)
		missing += s->gaps[i].to - s->gaps[i].from;
	return missing;
}

void bench_sequence_release(struct bench_sequence *s)
{
	mem_free(s->gaps);
	*s = (struct bench_sequence){0};
}
