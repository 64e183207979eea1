/* SPDX-License-Identifier: Apache-2.0 */
#include "client/aliases.h"

#include "base/mem.h"

static const struct flaw flaw_alias_beyond_maximum = {
	REASON_TOPIC_ALIAS_INVALID, "the topic alias is larger than the maximum we announced"};
static const struct flaw flaw_alias_unknown = {REASON_PROTOCOL_ERROR,
					       "the topic alias was never set"};

void aliases_clear(struct aliases *a)
{
	for (uint32_t i = 0; i < a->capacity; i++)
		mem_free(a->table[i].topic);
	mem_free(a->table);
	aliases_init(a, a->maximum);
}

/* Servers give aliases from 1 upwards, so the table grows with them. */
static int grow(struct aliases *a, uint16_t alias)
{
	uint32_t capacity = a->capacity ? a->capacity : 8; /* a cache line or two of entries */
	while (capacity < alias)
		capacity *= 2;
	struct alias *table = mem_zalloc(capacity * sizeof(*table));
	if (!table)
		return ERROR_NO_MEMORY;
	if (a->capacity > 0)
		memcpy(table, a->table, a->capacity * sizeof(*table));
	mem_free(a->table);
	a->table = table;
	a->capacity = capacity;
	return 0;
}

static int set(struct aliases *a, uint16_t alias, struct span topic)
{
	int error = alias > a->capacity ? grow(a, alias) : 0;
	if (error)
		return error;
	char *copy = mem_copy_text(topic);
	if (!copy)
		return ERROR_NO_MEMORY;
	struct alias *entry = &a->table[alias - 1];
	mem_free(entry->topic);
	*entry = (struct alias){copy, topic.len};
	return 0;
}

const struct flaw *aliases_resolve(struct aliases *a, struct publish *message, int *error_out)
{
	*error_out = 0;
	if (!properties_has(&message->properties, PROPERTY_TOPIC_ALIAS))
		return NULL;
	uint16_t alias = message->properties.topic_alias;
	if (alias > a->maximum)
		return &flaw_alias_beyond_maximum;
	if (message->topic.len > 0) {
		*error_out = set(a, alias, message->topic);
		return NULL;
	}
	if (alias > a->capacity || !a->table[alias - 1].topic)
		return &flaw_alias_unknown;
	message->topic = span_of(a->table[alias - 1].topic, a->table[alias - 1].len);
	return NULL;
}
