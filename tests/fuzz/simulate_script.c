/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a script of `nightjar simulate`: it is read, or refused with lines that a terminal
 * may show and that name their place; what was read is within its bounds, and its topics are topics.
 */
#include "cli/simulate_script.h"
#include "base/mem.h"
#include "fuzz.h"
#include "mqtt/topic.h"
#include "mqtt/types.h"

static void check_errors(struct span text)
{
	CHECK(text.len > 2 && text.ptr[text.len - 1] == '\n');
	CHECK(memcmp(text.ptr, "s:", 2) == 0);
	for (size_t i = 0; i < text.len; i++)
		CHECK((text.ptr[i] >= 0x20 && text.ptr[i] != 0x7f) || text.ptr[i] == '\n');
}

/* The cells are as many as the kind says: the sanitizer sees one too many. */
static void check_template(const struct simulate_kind *k, const struct template *t,
			   bool (*is_valid)(struct span text))
{
	struct buffer out = {0}, sample = {0};
	double *cells = mem_zalloc((k->cell_count + 1) * sizeof(*cells));
	uint64_t random = 1;
	CHECK(cells);
	struct template_device device = {.id = k->count,
					 .name = k->name,
					 .cells = cells,
					 .random = &random,
					 .run_ms = 12345,
					 .wall_ms = 1000000000000};
	for (int i = 0; i < 3; i++) {
		out.start = out.end = 0;
		CHECK(template_render(t, &device, &out) == 0);
	}
	CHECK(template_sample(t, &sample) == 0);
	CHECK(!is_valid || is_valid(buffer_content(&sample)));
	buffer_release(&out);
	buffer_release(&sample);
	mem_free(cells);
}

static void check_message(const struct simulate_kind *k, const struct simulate_message *m)
{
	CHECK(m->qos <= QOS_MAX && m->jitter <= 100);
	check_template(k, &m->topic, topic_name_is_valid);
	check_template(k, &m->payload, NULL);
}

static void check_kind(const struct simulate_kind *k)
{
	CHECK(k->count >= 1 && k->count <= SIMULATE_DEVICES_MAX);
	CHECK(k->version >= MQTT_3_1 && k->version <= MQTT_5);
	CHECK(k->flow_count <= SIMULATE_FLOWS_MAX && k->churn_jitter <= 100 && k->cut <= 100);
	CHECK((k->on_ms == 0) == (k->off_ms == 0));
	check_template(k, &k->client_id, NULL);
	if (k->has_will)
		check_message(k, &k->will);
	if (k->has_birth)
		check_message(k, &k->birth);
	for (uint32_t i = 0; i < k->flow_count; i++) {
		CHECK(k->flows[i].every_ms >= 1);
		check_message(k, &k->flows[i]);
	}
	for (uint32_t i = 0; i < k->subscription_count; i++)
		check_template(k, &k->subscriptions[i].filter, topic_filter_is_valid);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct simulate_script s;
	struct buffer errors = {0};
	uint8_t *copy = fuzz_copy(data, len);
	int error = simulate_script_parse(&s, "s", span_of(copy, len), &errors);
	free(copy); /* nothing of it is borrowed */
	CHECK((error == 0) == (buffer_len(&errors) == 0));
	if (error)
		check_errors(buffer_content(&errors));
	CHECK(error || (s.kind_count >= 1 && s.device_count >= s.kind_count));
	for (uint32_t i = 0; !error && i < s.kind_count; i++)
		check_kind(&s.kinds[i]);
	simulate_script_release(&s);
	buffer_release(&errors);
	return 0;
}
