/* SPDX-License-Identifier: Apache-2.0 */
#include "config/option.h"

/* Longer words are nobody's misspelling of an option. */
#define NAME_LEN_MAX 48

static const struct option_table *const tables[] = {
	&options_listener, &options_tls,    &options_client,  &options_access,
	&options_login,    &options_limit,  &options_store,   &options_delivery,
	&options_process,  &options_unused, &options_refused,
};

size_t option_count(void)
{
	size_t count = 0;
	for (size_t i = 0; i < ARRAY_COUNT(tables); i++)
		count += tables[i]->count;
	return count;
}

const struct option *option_at(size_t index)
{
	for (size_t i = 0; i < ARRAY_COUNT(tables); i++) {
		if (index < tables[i]->count)
			return &tables[i]->rows[index];
		index -= tables[i]->count;
	}
	return NULL;
}

size_t option_index(const struct option *option)
{
	size_t before = 0;
	for (size_t i = 0; i < ARRAY_COUNT(tables); i++) {
		uintptr_t at = (uintptr_t)option, first = (uintptr_t)tables[i]->rows;
		if (at >= first && at < first + tables[i]->count * sizeof(*option))
			return before + (size_t)(option - tables[i]->rows);
		before += tables[i]->count;
	}
	ASSERT(!"an option outside of the table");
	return 0;
}

static bool is_name_of(const struct option *option, struct span name)
{
	size_t len = strlen(option->name);
	if (option->name[len - 1] == '*')
		return name.len >= len && memcmp(name.ptr, option->name, len - 1) == 0;
	return name.len == len && memcmp(name.ptr, option->name, len) == 0;
}

const struct option *option_named(struct span name)
{
	for (size_t i = 0; i < option_count(); i++) {
		if (is_name_of(option_at(i), name))
			return option_at(i);
	}
	return NULL;
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/*
 * Letters to insert, remove, replace or swap with their neighbour to come from one word to the
 * other (Damerau 1964, restricted: no letter is touched twice). Three rows of the table are kept.
 * Both have at most NAME_LEN_MAX letters.
 */
static size_t edit_distance(struct span a, struct span b)
{
	size_t rows[3][NAME_LEN_MAX + 1];
	size_t *before = rows[0], *above = rows[1], *row = rows[2];
	for (size_t j = 0; j <= b.len; j++)
		row[j] = j;
	for (size_t i = 1; i <= a.len; i++) {
		size_t *free_row = before;
		before = above;
		above = row;
		row = free_row;
		row[0] = i;
		for (size_t j = 1; j <= b.len; j++) {
			size_t replaced = above[j - 1] + (a.ptr[i - 1] != b.ptr[j - 1]);
			row[j] = smaller(replaced, smaller(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && a.ptr[i - 1] == b.ptr[j - 2] &&
			    a.ptr[i - 2] == b.ptr[j - 1])
				row[j] = smaller(row[j], before[j - 2] + 1);
		}
	}
	return row[b.len];
}

const struct option *option_nearest(struct span name)
{
	const struct option *nearest = NULL;
	/* A third of the letters wrong is still recognisable; more is guessing. */
	size_t nearest_distance = name.len / 3 + 1;
	if (name.len > NAME_LEN_MAX)
		return NULL;
	for (size_t i = 0; i < option_count(); i++) {
		struct span candidate = span_of_text(option_at(i)->name);
		ASSERT(candidate.len <= NAME_LEN_MAX);
		size_t distance = edit_distance(name, candidate);
		if (distance < nearest_distance) {
			nearest = option_at(i);
			nearest_distance = distance;
		}
	}
	return nearest;
}

const char *option_group_name(unsigned group)
{
	static const char *const names[OPTION_GROUP_COUNT] = {
		[OPTION_GROUP_LISTENERS] = "Listeners",
		[OPTION_GROUP_TLS] = "TLS",
		[OPTION_GROUP_CONNECTIONS] = "Connections",
		[OPTION_GROUP_SESSIONS] = "Sessions",
		[OPTION_GROUP_STORE] = "Store",
		[OPTION_GROUP_ACCESS] = "Access",
		[OPTION_GROUP_LIMITS] = "Limits",
		[OPTION_GROUP_DELIVERY] = "Delivery",
		[OPTION_GROUP_QUEUES] = "Queues and memory",
		[OPTION_GROUP_ROUTING] = "Routing",
		[OPTION_GROUP_LOG] = "Log",
		[OPTION_GROUP_PROCESS] = "Process",
	};
	return group < OPTION_GROUP_COUNT ? names[group] : "Other";
}
