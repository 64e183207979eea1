/* SPDX-License-Identifier: Apache-2.0 */
/* See bench_parties.h. */
#include "cli/bench_parties.h"

#include <stdio.h>

#include "base/mem.h"
#include "mqtt/topic.h"

/* Of a group without a rate: so that readers keep up. */
#define PLAN_OUTSTANDING 1000

void bench_parties_count(struct bench_run *run)
{
	const struct bench_options *o = run->options;
	if (!bench_shape_publishes(o->shape)) {
		run->client_count = o->clients;
		return;
	}
	run->publisher_count = o->publishers;
	run->subscriber_count = o->subscribers;
	run->stream_count = o->plan ? o->plan->group_count : 1;
	run->flows_each = o->shape == BENCH_EVERYONE || o->plan ? o->subscribers : 1;
}

static int allocate(struct bench_run *run)
{
	size_t flow_count = (size_t)run->publisher_count * run->flows_each;
	bool is_planned = run->options->plan != NULL;
	run->streams = mem_zalloc(run->stream_count * sizeof(*run->streams));
	run->publishers = mem_zalloc(run->publisher_count * sizeof(*run->publishers));
	run->subscribers = mem_zalloc(run->subscriber_count * sizeof(*run->subscribers));
	run->flows = mem_zalloc(flow_count * sizeof(*run->flows));
	run->queue = mem_zalloc(run->publisher_count * sizeof(*run->queue));
	run->clients = mem_zalloc(run->client_count * sizeof(*run->clients));
	if (is_planned)
		run->flow_qos = mem_zalloc(flow_count);
	bool is_complete = run->streams && run->publishers && run->subscribers && run->flows &&
			   run->queue && run->clients && (run->flow_qos || !is_planned);
	return is_complete ? 0 : ERROR_NO_MEMORY;
}

/* --- streams and publishers --- */

/* Open loop: the window must not hold back what a slow server makes wait, so it has room for what
 * falls due in ten seconds; the descriptor of each message takes 11 bytes. */
static uint32_t window_of(uint32_t wanted, uint64_t rate, uint32_t publishers)
{
	uint64_t room = rate * 10 / publishers;
	if (wanted)
		return wanted;
	if (room < 100)
		return 100;
	return room < UINT16_MAX ? (uint32_t)room : UINT16_MAX;
}

static struct bench_stream stream_of_options(const struct bench_options *o)
{
	return (struct bench_stream){
		.count = o->publishers,
		.qos = (uint8_t)o->qos,
		.payload_bytes = o->payload_bytes,
		.outstanding = o->outstanding,
		.window = window_of(o->window, bench_options_rate_max(o), o->publishers),
		.pace = {.rate = o->rate, .burst = o->burst},
	};
}

static struct bench_stream stream_of_group(const struct bench_plan_group *g, uint32_t first)
{
	return (struct bench_stream){
		.first = first,
		.count = g->count,
		.qos = (uint8_t)g->qos,
		.payload_bytes = g->payload_bytes,
		.outstanding = g->rate ? UINT32_MAX : PLAN_OUTSTANDING,
		.window = window_of(g->window, g->rate, g->count),
		.pace = {.rate = g->rate, .burst = g->burst},
	};
}

static void init_publisher(struct bench_run *run, uint32_t index, struct bench_stream *stream,
			   const char *topic)
{
	struct bench_publisher *p = &run->publishers[index];
	p->connection.role = BENCH_PUBLISHER;
	p->connection.index = index;
	p->stream = stream;
	p->audiences = run->flows_each;
	bench_head_init(&p->head, span_of_text(topic), stream->qos, (uint8_t)run->options->version,
			stream->payload_bytes);
}

static void publishers_of_options(struct bench_run *run)
{
	run->streams[0] = stream_of_options(run->options);
	for (uint32_t i = 0; i < run->publisher_count; i++) {
		char topic[BENCH_TOPIC_MAX + 1];
		snprintf(topic, sizeof(topic), "bench/%u/%u", run->id, i);
		init_publisher(run, i, &run->streams[0], topic);
	}
}

static void publishers_of_plan(struct bench_run *run)
{
	const struct bench_plan *plan = run->options->plan;
	uint32_t index = 0;
	run->stream_count = 0;
	for (uint32_t i = 0; i < plan->group_count; i++) {
		const struct bench_plan_group *g = &plan->groups[i];
		if (!g->is_publisher)
			continue;
		struct bench_stream *stream = &run->streams[run->stream_count++];
		*stream = stream_of_group(g, index);
		for (uint32_t number = 0; number < g->count; number++) {
			char topic[BENCH_TOPIC_MAX + 1];
			bool fits = bench_plan_topic(g, number, topic);
			ASSERT(fits); /* bench_plan_parse has tried the longest */
			init_publisher(run, index++, stream, topic);
		}
	}
}

/* --- subscribers --- */

static int init_subscriber(struct bench_run *run, uint32_t index, uint8_t qos, bool is_sharing)
{
	struct bench_subscriber *s = &run->subscribers[index];
	s->connection.role = BENCH_SUBSCRIBER;
	s->connection.index = index;
	s->audience = is_sharing ? 0 : index;
	s->qos = qos;
	if (qos == 2) {
		s->held_ids = mem_zalloc((UINT16_MAX + 1) / 8);
		if (!s->held_ids)
			return ERROR_NO_MEMORY;
	}
	if (is_sharing) {
		s->next = mem_zalloc(run->publisher_count * sizeof(*s->next));
		if (!s->next)
			return ERROR_NO_MEMORY;
	}
	return 0;
}

static int subscribers_of_options(struct bench_run *run)
{
	const struct bench_options *o = run->options;
	int error = 0;
	for (uint32_t i = 0; !error && i < run->subscriber_count; i++) {
		error = init_subscriber(run, i, (uint8_t)o->qos, bench_run_is_shared(run));
		run->subscribers[i].is_persistent = o->is_persistent;
		run->has_sessions |= o->is_persistent;
	}
	return error;
}

/* The first subscriber with the same share and filter: its audience is theirs. */
static uint32_t audience_of_share(const struct bench_run *run, uint32_t index, const char *filter)
{
	for (uint32_t i = 0; i < index; i++) {
		char other[BENCH_FILTER_MAX + 1];
		if (!run->subscribers[i].next)
			continue;
		bench_parties_filter(run, &run->subscribers[i], other);
		if (strcmp(other, filter) == 0)
			return run->subscribers[i].audience;
	}
	return index;
}

static int init_member(struct bench_run *run, uint32_t index, const struct bench_plan_group *g,
		       uint32_t number)
{
	struct bench_subscriber *s = &run->subscribers[index];
	struct span share, inner;
	char filter[BENCH_FILTER_MAX + 1];
	s->group = g;
	s->number = number;
	bench_parties_filter(run, s, filter);
	bool is_sharing = topic_filter_split_share(span_of_text(filter), &share, &inner);
	int error = init_subscriber(run, index, (uint8_t)g->qos, is_sharing);
	s->is_persistent = g->is_persistent;
	run->has_sessions |= s->is_persistent;
	s->audience = is_sharing ? audience_of_share(run, index, filter) : index;
	return error;
}

static int subscribers_of_plan(struct bench_run *run)
{
	const struct bench_plan *plan = run->options->plan;
	uint32_t index = 0;
	int error = 0;
	for (uint32_t i = 0; i < plan->group_count; i++) {
		const struct bench_plan_group *g = &plan->groups[i];
		for (uint32_t n = 0; !error && !g->is_publisher && n < g->count; n++)
			error = init_member(run, index++, g, n);
	}
	return error;
}

void bench_parties_filter(const struct bench_run *run, const struct bench_subscriber *s, char *text)
{
	size_t len = BENCH_FILTER_MAX + 1;
	if (s->group) {
		bool fits = bench_plan_topic(s->group, s->number, text);
		ASSERT(fits);
		return;
	}
	switch (run->options->shape) {
	case BENCH_PAIRS: snprintf(text, len, "bench/%u/%u", run->id, s->connection.index); break;
	case BENCH_SHARED: snprintf(text, len, "$share/bench/bench/%u/+", run->id); break;
	default: snprintf(text, len, "bench/%u/+", run->id); break;
	}
}

/* --- who hears whom --- */

/* What is published at one QoS and subscribed to at another comes at the lower of them
 * [MQTT-3.8.4-8]. */
static void connect_flows(struct bench_run *run, const struct bench_subscriber *s)
{
	char text[BENCH_FILTER_MAX + 1];
	struct span share, filter;
	bench_parties_filter(run, s, text);
	filter = span_of_text(text);
	(void)topic_filter_split_share(filter, &share, &filter);
	for (uint32_t i = 0; i < run->publisher_count; i++) {
		struct bench_publisher *p = &run->publishers[i];
		uint8_t *qos = &run->flow_qos[(size_t)i * run->flows_each + s->audience];
		uint8_t lower = p->stream->qos < s->qos ? p->stream->qos : s->qos;
		if (*qos != BENCH_FLOW_NONE || !topic_matches(filter, bench_head_topic(&p->head)))
			continue;
		*qos = lower;
		p->audiences++;
	}
}

static void connect_all(struct bench_run *run)
{
	memset(run->flow_qos, BENCH_FLOW_NONE, (size_t)run->publisher_count * run->flows_each);
	for (uint32_t i = 0; i < run->publisher_count; i++)
		run->publishers[i].audiences = 0;
	for (uint32_t i = 0; i < run->subscriber_count; i++)
		connect_flows(run, &run->subscribers[i]);
}

/* --- all --- */

int bench_parties_init(struct bench_run *run)
{
	int error = allocate(run);
	if (error)
		return error;
	for (uint32_t i = 0; i < run->client_count; i++) {
		run->clients[i].role = BENCH_CLIENT;
		run->clients[i].index = i;
	}
	if (!bench_shape_publishes(run->options->shape))
		return 0;
	if (!run->options->plan) {
		publishers_of_options(run);
		return subscribers_of_options(run);
	}
	publishers_of_plan(run);
	error = subscribers_of_plan(run);
	if (!error)
		connect_all(run);
	return error;
}

uint32_t bench_parties_payload_max(const struct bench_run *run)
{
	uint32_t most = 0;
	for (uint32_t i = 0; i < run->stream_count; i++)
		if (run->streams[i].payload_bytes > most)
			most = run->streams[i].payload_bytes;
	return most;
}

void bench_parties_release(struct bench_run *run)
{
	for (uint32_t i = 0; run->publishers && i < run->publisher_count; i++) {
		bench_connection_close(&run->publishers[i].connection);
		bench_window_release(&run->publishers[i].window);
	}
	for (uint32_t i = 0; run->subscribers && i < run->subscriber_count; i++) {
		bench_connection_close(&run->subscribers[i].connection);
		mem_free(run->subscribers[i].held_ids);
		mem_free(run->subscribers[i].next);
	}
	for (uint32_t i = 0; run->clients && i < run->client_count; i++)
		bench_connection_close(&run->clients[i]);
	for (size_t i = 0; run->flows && i < (size_t)run->publisher_count * run->flows_each; i++)
		bench_sequence_release(&run->flows[i]);
	mem_free(run->streams);
	mem_free(run->publishers);
	mem_free(run->subscribers);
	mem_free(run->clients);
	mem_free(run->flows);
	mem_free(run->flow_qos);
	mem_free(run->queue);
}
