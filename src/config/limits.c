/* SPDX-License-Identifier: Apache-2.0 */
/* What follows from the options about limits (options_limit.c). */
#include "config/reading.h"

static void read_exempt(struct config *c, struct config_report *report, struct span text)
{
	struct limit_settings *set = &c->settings.limits;
	size_t index = option_index(option_named(SPAN_LITERAL("limit_exempt")));
	struct reading r = reading_place(c, report, c->given[index], "limit_exempt");
	r.value = text_trim(text);
	if (set->exempt_count == EXEMPT_MAX)
		reading_refuse(&r, "more than %d networks", EXEMPT_MAX);
	else if (!network_read(r.value, &set->exempt[set->exempt_count]))
		reading_refuse_value(&r, "is no address and no network, as in 192.0.2.0/24: behind "
					 "the bits that count there may be only zeros");
	else
		set->exempt_count++;
}

void limits_finish(struct config *c, struct config_report *report)
{
	const char *next = c->limit_exempt;
	c->settings.limits.ipv6_prefix = c->limit_ipv6_prefix;
	c->settings.limits.memory_ceiling = c->memory_ceiling;
	c->settings.limits.exempt_count = 0;
	while (next) {
		const char *comma = strchr(next, ',');
		size_t len = comma ? (size_t)(comma - next) : strlen(next);
		read_exempt(c, report, span_of(next, len));
		next = comma ? comma + 1 : NULL;
	}
}
