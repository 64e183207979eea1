/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The body of a record: what decodes is encoded to the same bytes again, in exactly the size that
 * was announced; and the message alone is the message of the whole.
 */
#include "broker/record.h"
#include "fuzz.h"
#include "mqtt/packets.h"

#define POSITION 4711

static void check_again(struct span body, const struct command *c)
{
	size_t len = record_size(c);
	CHECK(len == body.len);
	uint8_t *bytes = malloc(len);
	CHECK(bytes);
	CHECK(record_encode(c, (struct room){bytes, len}) == len);
	CHECK(memcmp(bytes, body.ptr, len) == 0);
	free(bytes);
}

static void check_filters(const struct command *c)
{
	struct span rest = command_text(c), filter;
	struct subscription_options options;
	CHECK(rest.len > 0);
	if (c->kind == COMMAND_SUBSCRIBE)
		while (subscribe_next(&rest, &filter, &options))
			CHECK(options.qos <= 2 && options.retain_handling <= 2);
	else if (c->kind == COMMAND_UNSUBSCRIBE)
		while (unsubscribe_next(&rest, &filter))
			;
	CHECK(rest.len == 0);
}

static void check_message(struct span body, const struct command *c)
{
	struct message *m = NULL;
	int error = record_decode_message(body, POSITION, &m);
	CHECK((error == 0) == (c && c->kind == COMMAND_PUBLISH));
	if (error)
		return;
	CHECK(m->position == POSITION && c->message->position == POSITION);
	CHECK(m->qos == c->message->qos && m->retain == c->message->retain);
	CHECK(m->has_expiry == c->message->has_expiry);
	CHECK(span_is_equal(message_topic(m), message_topic(c->message)));
	CHECK(span_is_equal(message_properties(m), message_properties(c->message)));
	CHECK(span_is_equal(message_payload(m), message_payload(c->message)));
	message_unref(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t *copy = fuzz_copy(data, len);
	struct span body = span_of(copy, len);
	struct command *c = NULL;
	int error = record_decode(body, POSITION, &c);
	CHECK(error == 0 || error == ERROR_DAMAGED);
	check_message(body, c);
	if (c) {
		CHECK(c->kind == record_kind(body) && c->entry.position == POSITION);
		CHECK(strcmp(command_kind_name(c->kind), "unknown") != 0);
		check_again(body, c);
		if (c->kind == COMMAND_SUBSCRIBE || c->kind == COMMAND_UNSUBSCRIBE)
			check_filters(c);
	}
	command_free(c);
	free(copy);
	return 0;
}
