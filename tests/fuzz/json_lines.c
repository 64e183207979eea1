/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A line of pub --json-lines. A refusal says why, in printable words; what is taken is a message
 * that MQTT can carry, and comes out the same when sub --json prints it and it is read again.
 */
#include "base/mem.h"
#include "cli/json_input.h"
#include "cli/json_print.h"
#include "client/client_state.h"
#include "fuzz.h"
#include "mqtt/topic.h"

static const struct nj_message_out defaults = {.topic = "default", .qos = 1};
static const struct timespec when = {.tv_sec = 86400, .tv_nsec = 42000};

static void check_problem(const char *problem)
{
	CHECK(problem[0] != '\0');
	for (const char *at = problem; *at != '\0'; at++)
		CHECK((unsigned char)*at >= ' ');
}

/* What stands in an object can stand there once only: a user property's name too. */
static void check_same(const struct nj_message_out *a, const struct nj_message_out *b)
{
	CHECK(strcmp(a->topic, b->topic) == 0);
	CHECK(a->qos == b->qos && a->retain == b->retain);
	CHECK(a->payload_len == b->payload_len);
	CHECK(a->payload_len == 0 || memcmp(a->payload, b->payload, a->payload_len) == 0);
	CHECK(a->property_count == b->property_count);
}

static void check_again(const struct nj_message_out *out, struct span properties)
{
	struct publish p = {.topic = span_of_text(out->topic),
			    .payload = span_of(out->payload, out->payload_len),
			    .qos = out->qos,
			    .retain = out->retain,
			    .packet_id = 1,
			    .properties.raw = properties};
	struct json_message again;
	char *text;
	size_t len;
	FILE *to = open_memstream(&text, &len);
	CHECK(to);
	CHECK(json_print(to, &(struct json_style){0}, &p, &when));
	fclose(to);
	CHECK(!memchr(text, '\n', len));
	CHECK(json_message_read(&again, span_of(text, len), &defaults));
	check_same(out, &again.out);
	json_message_release(&again);
	free(text);
}

static void check_message(const struct nj_message_out *out)
{
	struct span properties;
	CHECK(topic_name_is_valid(span_of_text(out->topic)));
	CHECK(out->qos <= 2);
	int error = property_list_encode(out->properties, out->property_count, PACKET_PUBLISH,
					 &properties);
	CHECK(error == 0);
	check_again(out, properties);
	mem_free((void *)properties.ptr);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct json_message m;
	uint8_t *line = fuzz_copy(data, len);
	if (json_message_read(&m, span_of(line, len), &defaults))
		check_message(&m.out);
	else
		check_problem(m.problem);
	json_message_release(&m);
	free(line);
	return 0;
}
