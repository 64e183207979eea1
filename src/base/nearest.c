/* SPDX-License-Identifier: Apache-2.0 */
#include "base/nearest.h"

struct nearest nearest_start(struct span word)
{
	return (struct nearest){.word = word, .distance = word.len / 3 + 2};
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Letters to insert, drop or change (Levenshtein's distance), row by row. */
static size_t distance_between(struct span a, struct span b)
{
	size_t row[NEAREST_LEN_MAX + 1];
	for (size_t j = 0; j <= b.len; j++)
		row[j] = j;
	for (size_t i = 0; i < a.len; i++) {
		size_t diagonal = row[0];
		row[0] = i + 1;
		for (size_t j = 0; j < b.len; j++) {
			size_t changed = diagonal + (a.ptr[i] != b.ptr[j]);
			diagonal = row[j + 1];
			row[j + 1] = smaller(changed, smaller(row[j], diagonal) + 1);
		}
	}
	return row[b.len];
}

void nearest_offer(struct nearest *n, const char *candidate)
{
	struct span other = span_of_text(candidate);
	if (n->word.len > NEAREST_LEN_MAX || other.len > NEAREST_LEN_MAX)
		return;
	size_t distance = distance_between(n->word, other);
	if (distance >= n->distance)
		return;
	n->best = candidate;
	n->distance = distance;
}
