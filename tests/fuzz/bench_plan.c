/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a scenario file of nightjar bench: it is refused with one printable sentence that
 * names a line which is there, or every group that was read can be run.
 */
#include <stdlib.h>

#include "cli/bench_plan.h"
#include "fuzz.h"
#include "mqtt/topic.h"
#include "mqtt/wire.h"

static size_t lines_of(const uint8_t *data, size_t len)
{
	size_t count = 1;
	for (size_t i = 0; i < len; i++)
		count += data[i] == '\n';
	return count;
}

static void check_problem(const char *problem, size_t line_count)
{
	char *rest;
	unsigned long line = strtoul(problem, &rest, 10);
	CHECK(line <= line_count);
	CHECK(strncmp(rest, ": ", 2) == 0 && rest[2]);
	for (const char *at = problem; *at; at++)
		CHECK(*at >= ' ' && *at <= '~');
}

static void check_topic(const struct bench_plan_group *g, uint32_t number)
{
	char text[BENCH_TOPIC_MAX + 1];
	CHECK(bench_plan_topic(g, number, text));
	struct span topic = span_of_text(text);
	CHECK(topic.len > 0 && topic.len <= BENCH_TOPIC_MAX && utf8_is_valid(topic));
	CHECK(g->is_publisher ? topic_name_is_valid(topic) : topic_filter_is_valid(topic));
}

static void check_group(const struct bench_plan_group *g)
{
	CHECK(g->name[0] && g->count > 0 && g->qos <= 2);
	if (g->is_publisher) {
		CHECK(g->payload_bytes >= BENCH_PAYLOAD_MIN);
		CHECK(g->payload_bytes <= BENCH_PAYLOAD_MAX);
		CHECK(g->burst == 1 || g->rate > 0);
		CHECK(g->window <= UINT16_MAX);
	}
	check_topic(g, 0);
	check_topic(g, g->count / 2);
	check_topic(g, g->count - 1);
}

static void check_plan(const struct bench_plan *plan)
{
	uint64_t publishers = bench_plan_members(plan, true);
	uint64_t subscribers = bench_plan_members(plan, false);
	CHECK(publishers > 0 && subscribers > 0);
	CHECK(publishers * subscribers <= BENCH_PLAN_FLOWS_MAX);
	CHECK(plan->group_count <= BENCH_PLAN_GROUPS_MAX);
	CHECK(plan->duration_ms > 0);
	CHECK(plan->version == BENCH_PLAN_UNSET || (plan->version >= 3 && plan->version <= 5));
	for (uint32_t i = 0; i < plan->group_count; i++)
		check_group(&plan->groups[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct bench_plan plan;
	char problem[256] = "";
	uint8_t *copy = fuzz_copy(data, len);
	int error = bench_plan_parse(&plan, span_of(copy, len), problem, sizeof(problem));
	if (error)
		check_problem(problem, lines_of(data, len));
	else
		check_plan(&plan);
	free(copy);
	return 0;
}
