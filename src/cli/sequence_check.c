/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/sequence_check.h"

#include "base/mem.h"

struct sequence_topic {
	char *name;
	uint8_t *seen; /* a bit for each number */
	size_t seen_bytes;
	uint32_t lowest, highest;
	uint32_t distinct_count;
};

static struct sequence_topic *find(struct sequence_check *c, struct span name)
{
	for (size_t i = 0; i < c->topic_count; i++)
		if (span_is_equal(span_of_text(c->topics[i].name), name))
			return &c->topics[i];
	return NULL;
}

static struct sequence_topic *add(struct sequence_check *c, struct span name)
{
	struct sequence_topic *topics =
		mem_realloc(c->topics, (c->topic_count + 1) * sizeof(*topics));
	if (!topics)
		return NULL;
	c->topics = topics;
	struct sequence_topic *t = &topics[c->topic_count];
	*t = (struct sequence_topic){.name = mem_copy_text(name), .lowest = UINT32_MAX};
	if (!t->name)
		return NULL;
	c->topic_count++;
	return t;
}

/* The number at the payload's start; false when there is none, or it is too large. */
static bool read_number(struct span payload, uint32_t *number_out)
{
	uint64_t number = 0;
	size_t i = 0;
	for (; i < payload.len && payload.ptr[i] >= '0' && payload.ptr[i] <= '9'; i++)
		if (number <= SEQUENCE_NUMBER_MAX)
			number = number * 10 + (payload.ptr[i] - '0');
	*number_out = (uint32_t)number;
	return i > 0 && number <= SEQUENCE_NUMBER_MAX;
}

static int make_room(struct sequence_check *c, struct sequence_topic *t, uint32_t number)
{
	size_t needed = number / 8 + 1, bytes = t->seen_bytes ? t->seen_bytes : 64;
	while (bytes < needed)
		bytes *= 2;
	if (bytes == t->seen_bytes)
		return 0;
	if (c->bytes + bytes - t->seen_bytes > SEQUENCE_BYTES_MAX)
		return ERROR_LIMIT;
	uint8_t *seen = mem_realloc(t->seen, bytes);
	if (!seen)
		return ERROR_NO_MEMORY;
	memset(seen + t->seen_bytes, 0, bytes - t->seen_bytes);
	c->bytes += bytes - t->seen_bytes;
	t->seen = seen;
	t->seen_bytes = bytes;
	return 0;
}

static bool has_seen(const struct sequence_topic *t, uint32_t number)
{
	return t->seen[number / 8] >> (number % 8) & 1;
}

static enum sequence_result note(struct sequence_check *c, struct sequence_topic *t,
				 uint32_t number, bool may_be_repeated)
{
	if (has_seen(t, number)) {
		if (may_be_repeated)
			c->allowed_count++;
		else
			c->duplicate_count++;
		return SEQUENCE_REPEATED;
	}
	if (t->distinct_count > 0 && number < t->highest)
		c->out_of_order_count++;
	t->seen[number / 8] |= (uint8_t)(1 << (number % 8));
	t->lowest = number < t->lowest ? number : t->lowest;
	t->highest = number > t->highest ? number : t->highest;
	t->distinct_count++;
	c->distinct_count++;
	return SEQUENCE_NEW;
}

enum sequence_result sequence_note(struct sequence_check *c, struct span topic, struct span payload,
				   bool may_be_repeated)
{
	uint32_t number;
	if (!read_number(payload, &number)) {
		c->unnumbered_count++;
		return SEQUENCE_NEW;
	}
	struct sequence_topic *t = find(c, topic);
	if (!t && c->topic_count < SEQUENCE_TOPICS_MAX)
		t = add(c, topic);
	if (!t || make_room(c, t, number))
		return SEQUENCE_NO_ROOM;
	return note(c, t, number, may_be_repeated);
}

uint64_t sequence_missing(const struct sequence_check *c)
{
	uint64_t count = 0;
	for (size_t i = 0; i < c->topic_count; i++)
		if (c->topics[i].distinct_count > 0)
			count += c->topics[i].highest - c->topics[i].lowest + UINT64_C(1) -
				 c->topics[i].distinct_count;
	return count;
}

bool sequence_report(const struct sequence_check *c, uint64_t wanted, FILE *to)
{
	uint64_t missing = sequence_missing(c);
	bool is_enough = wanted == 0 || c->distinct_count == wanted;
	bool is_right = is_enough && missing == 0 && c->duplicate_count == 0 &&
			c->out_of_order_count == 0 && c->unnumbered_count == 0;
	fprintf(to, "%s: %llu different messages", is_right ? "Right" : "Wrong",
		(unsigned long long)c->distinct_count);
	if (!is_enough)
		fprintf(to, " instead of %llu", (unsigned long long)wanted);
	fprintf(to, ", %llu missing, %llu duplicates, %llu out of order, %llu without a number",
		(unsigned long long)missing, (unsigned long long)c->duplicate_count,
		(unsigned long long)c->out_of_order_count, (unsigned long long)c->unnumbered_count);
	if (c->allowed_count > 0)
		fprintf(to, "; %llu came again at QoS 1, as it may",
			(unsigned long long)c->allowed_count);
	fputs(".\n", to);
	return is_right;
}

void sequence_release(struct sequence_check *c)
{
	for (size_t i = 0; i < c->topic_count; i++) {
		mem_free(c->topics[i].name);
		mem_free(c->topics[i].seen);
	}
	mem_free(c->topics);
}
