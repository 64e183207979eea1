/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/change.h"

#include "base/mem.h"
#include "broker/shard.h"
#include "broker/start.h"

size_t scratch_len_of(const struct settings *settings)
{
	size_t len = settings->input_bytes_per_turn;
	return len > SCRATCH_BYTES_MIN ? len : SCRATCH_BYTES_MIN;
}

uint64_t pager_budget_of(const struct shard *s)
{
	uint64_t bytes_max = s->settings->queue_memory_bytes_max;
	return bytes_max ? bytes_max / s->broker->shard_count : UINT64_MAX;
}

/* It only grows: parts of packets may be kept that are as long as it is. Without memory one round
 * stays as it was. */
static void grow_scratch(struct shard *s)
{
	size_t len = scratch_len_of(s->settings);
	uint8_t *scratch = len > s->scratch_len ? mem_alloc(len) : NULL;
	if (!scratch)
		return;
	mem_free(s->scratch);
	s->scratch = scratch;
	s->scratch_len = len;
}

static bool is_same_limits(const struct limits *a, const struct limits *b)
{
	return a->subscriptions_per_client_max == b->subscriptions_per_client_max &&
	       a->topic_levels_max == b->topic_levels_max && a->qos_max == b->qos_max &&
	       a->upgrade_outgoing_qos == b->upgrade_outgoing_qos;
}

/* One shard says it for all. */
static void tell_log(struct shard *s, const struct settings *before)
{
	struct limits old = limits_of(before), now = limits_of(s->settings);
	if (s->index == 0 && !is_same_limits(&old, &now))
		limits_append(s);
}

void settings_change(struct shard *s, const struct settings *fresh)
{
	const struct settings *before = s->settings;
	s->settings = fresh;
	grow_scratch(s);
	s->pager.budget = pager_budget_of(s);
	if (fresh->cached_topics_max != before->cached_topics_max)
		routes_cache_topics(s->routes, fresh->cached_topics_max);
	tell_log(s, before);
	settings_unref(before);
}
