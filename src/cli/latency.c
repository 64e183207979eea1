/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/latency.h"

#include "base/mem.h"

#include <stdlib.h>

int latencies_add(struct latencies *l, uint64_t us)
{
	const uint64_t us_max = UINT64_C(3600) * 1000000;
	if (l->count == l->capacity) {
		uint32_t capacity = l->capacity ? l->capacity * 2 : 64;
		uint32_t *times = mem_realloc(l->us, capacity * sizeof(*times));
		if (!times)
			return ERROR_NO_MEMORY;
		l->us = times;
		l->capacity = capacity;
	}
	l->us[l->count++] = (uint32_t)(us < us_max ? us : us_max);
	return 0;
}

uint32_t latencies_at(const struct latencies *l, uint32_t ten_thousandths)
{
	if (l->count == 0)
		return 0;
	uint64_t rank = ((uint64_t)l->count * ten_thousandths + 9999) / 10000;
	return l->us[rank > 0 ? rank - 1 : 0];
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

void latencies_print(struct latencies *l, FILE *to)
{
	static const struct {
		const char *name;
		uint32_t ten_thousandths;
	} rows[] = {{"least", 0},  {"p50", 5000},   {"p90", 9000},    {"p95", 9500},
		    {"p99", 9900}, {"p99.9", 9990}, {"p99.99", 9999}, {"most", 10000}};
	if (l->count == 0)
		return;
	qsort(l->us, l->count, sizeof(*l->us), compare);
	fputs("latency in ms:", to);
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
		fprintf(to, "%s %s %.3f", i > 0 ? "," : "", rows[i].name,
			latencies_at(l, rows[i].ten_thousandths) / 1000.0);
	fputc('\n', to);
}

void latencies_release(struct latencies *l)
{
	mem_free(l->us);
}
