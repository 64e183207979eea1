/* SPDX-License-Identifier: Apache-2.0 */
/* Commands as bytes and back: every kind, every field, and what is no record. */
#include "broker/record.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define POSITION 0x100000008ull

static struct message *message_of(const char *topic, const char *payload, uint8_t qos)
{
	struct message_parts parts = {.topic = span_of_text(topic),
				      .properties = SPAN_LITERAL("\x01\x01"),
				      .payload = span_of_text(payload),
				      .expires_ms = 1767225600123,
				      .has_expiry = true,
				      .source = qos == 1 ? SPAN_LITERAL("\x05\x01\x00\x01nid")
							 : SPAN_NONE,
				      .qos = qos,
				      .retain = qos == 1};
	struct message *m = message_new(&parts);
	assert_non_null(m);
	return m;
}

static struct command *filled(uint8_t kind, const char *text)
{
	struct command *c = command_new(kind, span_of_text(text));
	assert_non_null(c);
	c->session_id = 0x1122334455667788;
	return c;
}

static void assert_same_message(const struct message *a, const struct message *b)
{
	assert_int_equal(!a, !b);
	if (!a)
		return;
	assert_int_equal(a->qos, b->qos);
	assert_int_equal(a->retain, b->retain);
	assert_int_equal(a->has_expiry, b->has_expiry);
	assert_int_equal(a->has_expiry ? a->expires_ms : 0, b->has_expiry ? b->expires_ms : 0);
	assert_true(span_is_equal(message_topic(a), message_topic(b)));
	assert_true(span_is_equal(message_properties(a), message_properties(b)));
	assert_true(span_is_equal(message_payload(a), message_payload(b)));
	assert_true(span_is_equal(message_source(a), message_source(b)));
}

static void assert_same_connect(const struct connect_options *a, const struct connect_options *b)
{
	assert_int_equal(a->clean_start, b->clean_start);
	assert_int_equal(a->expiry_interval, b->expiry_interval);
	assert_int_equal(!a->will, !b->will);
	if (!a->will)
		return;
	assert_int_equal(a->will->delay, b->will->delay);
	assert_same_message(a->will->message, b->will->message);
}

static void assert_same(const struct command *a, const struct command *b)
{
	assert_int_equal(a->kind, b->kind);
	assert_int_equal(a->flags, b->flags);
	assert_int_equal(a->qos, b->qos);
	assert_int_equal(a->queued_flags, b->queued_flags);
	assert_int_equal(a->packet_id, b->packet_id);
	assert_int_equal(a->session_id, b->session_id);
	assert_int_equal(a->connect_id, b->connect_id);
	assert_int_equal(a->from, b->from);
	assert_int_equal(a->to, b->to);
	assert_int_equal(a->subscription_identifier, b->subscription_identifier);
	assert_int_equal(a->expiry_interval, b->expiry_interval);
	assert_memory_equal(&a->limits, &b->limits, sizeof(a->limits));
	assert_true(span_is_equal(command_text(a), command_text(b)));
	if (a->connect)
		assert_same_connect(a->connect, b->connect);
	assert_same_message(a->message, b->message);
}

/* Every shorter body, and one that is longer, is none, but for a message, which has no end of its
 * own. */
static void assert_neighbours_are_none(struct span body, bool has_end)
{
	uint8_t *longer = mem_zalloc(body.len + 1);
	struct command *c = NULL;
	memcpy(longer, body.ptr, body.len);
	for (size_t len = 0; has_end && len < body.len; len++)
		assert_int_equal(record_decode(span_of(longer, len), POSITION, &c), ERROR_DAMAGED);
	if (has_end)
		assert_int_equal(record_decode(span_of(longer, body.len + 1), POSITION, &c),
				 ERROR_DAMAGED);
	assert_null(c);
	mem_free(longer);
}

static size_t there_and_back(struct command *c, bool has_end)
{
	struct command *back = NULL;
	size_t len = record_size(c);
	uint8_t *bytes = mem_alloc(len);
	assert_int_equal(record_encode(c, (struct room){bytes, len}), len);
	assert_int_equal(record_decode(span_of(bytes, len), POSITION, &back), 0);
	assert_int_equal(record_kind(span_of(bytes, len)), c->kind);
	assert_int_equal(back->entry.position, POSITION);
	assert_same(c, back);
	assert_neighbours_are_none(span_of(bytes, len), has_end);
	command_free(back);
	command_free(c);
	mem_free(bytes);
	return len;
}

static void test_record_plain_kinds(void **state)
{
	(void)state;
	struct command *c;
	for (unsigned kind = 0; kind < COMMAND_KIND_COUNT; kind++)
		assert_string_not_equal(command_kind_name(kind), "unknown");
	assert_string_equal(command_kind_name(COMMAND_KIND_COUNT), "unknown");
	assert_int_equal(there_and_back(command_new(COMMAND_NOTHING, SPAN_NONE), true), 1);
	there_and_back(command_new(COMMAND_CHECKPOINT, SPAN_NONE), true);
	c = command_new(COMMAND_LIMITS, SPAN_NONE);
	c->limits = (struct limits){.subscriptions_per_client_max = 1000000,
				    .topic_levels_max = 200,
				    .qos_max = 2,
				    .upgrade_outgoing_qos = true};
	there_and_back(c, true);
	c = command_new(COMMAND_RESTART, SPAN_NONE);
	c->last = POSITION;
	c->time_ms = 1767225600000;
	there_and_back(c, true);
}

static void test_record_of_a_session(void **state)
{
	(void)state;
	struct command *c = filled(COMMAND_AWAY, "");
	c->flags = COMMAND_AWAY_KEEP_WILL;
	c->connect_id = POSITION;
	c->time_ms = 1767225600000;
	c->expiry_interval = UINT32_MAX;
	c->sent_to = UINT64_MAX;
	there_and_back(c, true);
	c = filled(COMMAND_END, "");
	c->connect_id = UINT64_MAX;
	c->time_ms = 0;
	there_and_back(c, true);
	c = filled(COMMAND_RELEASE, "");
	c->packet_id = UINT16_MAX;
	there_and_back(c, true);
	c = filled(COMMAND_FINISH, "");
	c->flags = COMMAND_FINISH_REFUSED;
	c->from = 1;
	c->to = UINT64_MAX;
	there_and_back(c, true);
	c = filled(COMMAND_REPLAYED, "");
	c->asked = POSITION;
	there_and_back(c, true);
	c = filled(COMMAND_RECEIVED, "");
	c->from = 128;
	there_and_back(c, true);
}

static void test_record_small(void **state)
{
	(void)state;
	struct command *c = filled(COMMAND_FINISH, "");
	c->from = 100000;
	c->to = 100050;
	assert_int_equal(there_and_back(c, true), 14);
}

static void test_record_filters(void **state)
{
	(void)state;
	struct command *c = command_new(COMMAND_SUBSCRIBE, SPAN_LITERAL("\0\1a\x2d\0\3b/#\2"));
	c->flags = COMMAND_SUBSCRIBE_REFUSED;
	c->packet_id = 7;
	c->subscription_identifier = 268435455;
	size_t len = record_size(c);
	assert_int_equal(len, 1 + 1 + 8 + 2 + 4 + 10);
	there_and_back(c, false);
	c = command_new(COMMAND_UNSUBSCRIBE, SPAN_LITERAL("\0\1a\0\3b/#"));
	c->packet_id = 1;
	there_and_back(c, false);
}

static void assert_none(struct span body)
{
	struct command *c;
	struct message *m;
	assert_int_equal(record_decode(body, POSITION, &c), ERROR_DAMAGED);
	assert_int_equal(record_decode_message(body, POSITION, &m), ERROR_DAMAGED);
}

static void test_record_filters_broken(void **state)
{
	(void)state;
#define SUBSCRIBE_HEAD                                                                             \
	"\5\0"                                                                                     \
	"\0\0\0\0\0\0\0\1"                                                                         \
	"\1\0"                                                                                     \
	"\0"
	struct command *c;
	assert_int_equal(record_decode(SPAN_LITERAL(SUBSCRIBE_HEAD "\0\1a\1"), POSITION, &c), 0);
	command_free(c);
	assert_none(SPAN_LITERAL(SUBSCRIBE_HEAD));                  /* no filter */
	assert_none(SPAN_LITERAL(SUBSCRIBE_HEAD "\0\1a"));          /* no options */
	assert_none(SPAN_LITERAL(SUBSCRIBE_HEAD "\0\1a\3"));        /* QoS 3 */
	assert_none(SPAN_LITERAL(SUBSCRIBE_HEAD "\0\1a\x30"));      /* retain handling 3 */
	assert_none(SPAN_LITERAL(SUBSCRIBE_HEAD "\0\1a\x40"));      /* reserved bit */
	assert_none(SPAN_LITERAL(SUBSCRIBE_HEAD "\0\1a\1\0\2b\1")); /* runs over the end */
}

static void test_record_given(void **state)
{
	(void)state;
	struct command *c = filled(COMMAND_GIVE, "$share/g/a/#");
	c->given = POSITION;
	c->qos = 2;
	c->queued_flags = 0x81;
	c->subscription_identifier = 12;
	there_and_back(c, false);
	c = filled(COMMAND_RETURN, "$share/g/a/#");
	c->given = POSITION;
	c->from = 99;
	c->queued_flags = 2;
	there_and_back(c, false);
}

static struct will *will_of(void)
{
	struct will *will = mem_zalloc(sizeof(*will));
	assert_non_null(will);
	will->delay = 300;
	will->message = message_of("last/words", "gone", 1);
	return will;
}

static void test_record_connect(void **state)
{
	(void)state;
	struct command *c = command_new(COMMAND_CONNECT, SPAN_LITERAL("client"));
	c->time_ms = 1767225600000;
	c->connect->expiry_interval = 3600;
	there_and_back(c, true);
	c = command_new(COMMAND_CONNECT, SPAN_LITERAL("client"));
	c->flags = COMMAND_CONNECT_CLEAN;
	c->connect->clean_start = true;
	c->connect->will = will_of();
	there_and_back(c, false);
}

static void test_record_publish(void **state)
{
	(void)state;
	struct command *c = filled(COMMAND_PUBLISH, "");
	c->message = message_of("a/b", "hello", 2);
	c->packet_id = 77;
	there_and_back(c, false);
	c = command_new(COMMAND_PUBLISH, SPAN_NONE);
	c->message = message_of("a/b", "", 0);
	there_and_back(c, false);
	c = filled(COMMAND_PUBLISH, "");
	c->flags = COMMAND_PUBLISH_WILL;
	c->connect_id = POSITION + 8;
	c->message = message_of("a/b", "gone", 1);
	there_and_back(c, false);
}

/* A message of 64 bytes costs few more than it has. */
static void test_record_publish_overhead(void **state)
{
	(void)state;
	char payload[65];
	memset(payload, 'x', 64);
	payload[64] = 0;
	struct message_parts parts = {
		.topic = SPAN_LITERAL("t"), .payload = span_of(payload, 64), .qos = 2};
	struct command *c = filled(COMMAND_PUBLISH, "");
	c->message = message_new(&parts);
	c->packet_id = 5;
	assert_int_equal(record_size(c), 64 + 1 + 14);
	command_free(c);
}

static void test_record_message_alone(void **state)
{
	(void)state;
	struct command *c = filled(COMMAND_PUBLISH, "");
	struct message *m;
	uint8_t bytes[200];
	c->message = message_of("a/b", "hello", 2);
	c->packet_id = 77;
	size_t len = record_encode(c, (struct room){bytes, sizeof(bytes)});
	assert_int_equal(record_decode_message(span_of(bytes, len), POSITION, &m), 0);
	assert_int_equal(m->position, POSITION);
	assert_same_message(m, c->message);
	message_unref(m);
	command_free(c);
}

static void test_record_none(void **state)
{
	(void)state;
	assert_none(SPAN_NONE);
	assert_none(SPAN_LITERAL("\x0f")); /* no such kind */
	assert_none(SPAN_LITERAL("\xff"));
	assert_none(SPAN_LITERAL("\7\3\1t\0"));                   /* QoS 3 */
	assert_none(SPAN_LITERAL("\7\x80\1t\0"));                 /* no source */
	assert_none(SPAN_LITERAL("\7\x80\0\1t\0"));               /* an empty one */
	assert_none(SPAN_LITERAL("\7\x80\5\0\0\0\1n\1t\0"));      /* a name of no user */
	assert_none(SPAN_LITERAL("\7\0\0\0"));                    /* no topic */
	assert_none(SPAN_LITERAL("\7\0\1#\0"));                   /* a filter */
	assert_none(SPAN_LITERAL("\7\0\x81\0t\0"));               /* a number longer than needed */
	assert_none(SPAN_LITERAL("\7\x40\0\0\1t\0"));             /* packet id 0 is left out */
	assert_none(SPAN_LITERAL("\7\x20\0\0\0\0\0\0\0\0\1t\0")); /* and no session as well */
	assert_none(SPAN_LITERAL("\3\2"
				 "\0\0\0\0\0\0\0\1"
				 "\0\0\0\0\0\0\0\1"
				 "\0\0\0"));     /* flag */
	assert_none(SPAN_LITERAL("\1\0\0\3\0")); /* limits: QoS 3 */
	assert_none(SPAN_LITERAL("\1\0\0\2\2"));
	assert_none(SPAN_LITERAL("\2\4\0\0\1c")); /* CONNECT: no such bit */
}

static void test_record_without_memory(void **state)
{
	(void)state;
	uint8_t bytes[200];
	struct command *c = command_new(COMMAND_CONNECT, SPAN_LITERAL("client")), *back = NULL;
	c->connect->will = will_of();
	size_t len = record_encode(c, (struct room){bytes, sizeof(bytes)});
	command_free(c);
	mem_count_start();
	for (unsigned long n = 1;; n++) {
		mem_fail_after(n);
		int error = record_decode(span_of(bytes, len), POSITION, &back);
		bool has_failed = mem_has_failed();
		mem_fail_after(0);
		assert_int_equal(error, has_failed ? ERROR_NO_MEMORY : 0);
		if (!has_failed)
			break;
		assert_int_equal(mem_count_live(), 0);
		assert_true(n < 10);
	}
	command_free(back);
	assert_int_equal(mem_count_live(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_record_plain_kinds),
		cmocka_unit_test(test_record_of_a_session),
		cmocka_unit_test(test_record_small),
		cmocka_unit_test(test_record_filters),
		cmocka_unit_test(test_record_filters_broken),
		cmocka_unit_test(test_record_given),
		cmocka_unit_test(test_record_connect),
		cmocka_unit_test(test_record_publish),
		cmocka_unit_test(test_record_publish_overhead),
		cmocka_unit_test(test_record_message_alone),
		cmocka_unit_test(test_record_none),
		cmocka_unit_test(test_record_without_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
