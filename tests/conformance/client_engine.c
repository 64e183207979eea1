/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client engine without a process around it, for the conformance runner, which plays the
 * application, the server and the clock. Lines (lines.h); values are in hexadecimal, numbers too
 * are text in it:
 *
 *   new 5 id=61 keep-alive=3130     a fresh engine, with what its CONNECTs say
 *   connect                         a stream to the server is open
 *   input HEX                       bytes came from the server
 *   lost                            the stream is closed
 *   wait 1500                       milliseconds pass
 *   publish topic=612f62 qos=31     the application asks for something: subscribe, unsubscribe,
 *                                   disconnect and auth likewise
 *   acknowledge 2 0                 the application has done with a message: its handle, a code
 *   free                            the engine ends; says "leak" when memory is left
 *
 * What follows from it is printed: "sent HEX" for the server, "told EVENT name=HEX ..." for the
 * application, "closing" when the engine wants its stream closed, "refused" for a request.
 */
#include "lines.h"

#include "base/mem.h"
#include "client/engine.h"

#include <stdio.h>
#include <stdlib.h>

#define VALUES_MAX 64 /* on one line */

/* A member that a word can set: a span, or a number of its size. */
struct field {
	const char *name;
	size_t offset, size;
	size_t has; /* offset of the bool that says it is there; 0: none */
	unsigned property;
};

#define MEMBER(type, member) offsetof(struct type, member), sizeof(((struct type *)0)->member)
#define PROPERTY(name, id, member)                                                                 \
	{                                                                                          \
		name, MEMBER(properties, member), 0, id                                            \
	}

static const struct field connect_fields[] = {
	{"id", MEMBER(connect, client_id), 0, 0},
	{"clean", MEMBER(connect, clean_start), 0, 0},
	{"keep-alive", MEMBER(connect, keep_alive), 0, 0},
	{"will", MEMBER(connect, will_topic), offsetof(struct connect, has_will), 0},
	{"will-payload", MEMBER(connect, will_payload), 0, 0},
	{"will-qos", MEMBER(connect, will_qos), 0, 0},
	{"will-retain", MEMBER(connect, will_retain), 0, 0},
	{"user", MEMBER(connect, user_name), offsetof(struct connect, has_user_name), 0},
	{"password", MEMBER(connect, password), offsetof(struct connect, has_password), 0},
	{0},
};
static const struct field option_fields[] = {
	{"inflight-max", MEMBER(engine_options, inflight_max), 0, 0},
	{"holds-until-release", MEMBER(engine_options, holds_until_release), 0, 0},
	{"acknowledges-when-told", MEMBER(engine_options, acknowledges_when_told), 0, 0},
	{0},
};
static const struct field publish_fields[] = {
	{"topic", MEMBER(publish, topic), 0, 0},
	{"payload", MEMBER(publish, payload), 0, 0},
	{"qos", MEMBER(publish, qos), 0, 0},
	{"retain", MEMBER(publish, retain), 0, 0},
	{0},
};
static const struct field subscribe_fields[] = {{"filters", MEMBER(subscribe, filters), 0, 0}, {0}};
static const struct field unsubscribe_fields[] = {{"filters", MEMBER(unsubscribe, filters), 0, 0},
						  {0}};
static const struct field disconnect_fields[] = {{"code", MEMBER(disconnect, reason_code), 0, 0},
						 {0}};
static const struct field auth_fields[] = {{"code", MEMBER(auth, reason_code), 0, 0}, {0}};

static const struct field property_fields[] = {
	PROPERTY("payload-format-indicator", PROPERTY_PAYLOAD_FORMAT_INDICATOR,
		 payload_format_indicator),
	PROPERTY("message-expiry-interval", PROPERTY_MESSAGE_EXPIRY_INTERVAL,
		 message_expiry_interval),
	PROPERTY("content-type", PROPERTY_CONTENT_TYPE, content_type),
	PROPERTY("response-topic", PROPERTY_RESPONSE_TOPIC, response_topic),
	PROPERTY("correlation-data", PROPERTY_CORRELATION_DATA, correlation_data),
	PROPERTY("subscription-identifier", PROPERTY_SUBSCRIPTION_IDENTIFIER,
		 subscription_identifier),
	PROPERTY("session-expiry-interval", PROPERTY_SESSION_EXPIRY_INTERVAL,
		 session_expiry_interval),
	PROPERTY("authentication-method", PROPERTY_AUTHENTICATION_METHOD, authentication_method),
	PROPERTY("authentication-data", PROPERTY_AUTHENTICATION_DATA, authentication_data),
	PROPERTY("request-problem-information", PROPERTY_REQUEST_PROBLEM_INFORMATION,
		 request_problem_information),
	PROPERTY("will-delay-interval", PROPERTY_WILL_DELAY_INTERVAL, will_delay_interval),
	PROPERTY("request-response-information", PROPERTY_REQUEST_RESPONSE_INFORMATION,
		 request_response_information),
	PROPERTY("reason-string", PROPERTY_REASON_STRING, reason_string),
	PROPERTY("receive-maximum", PROPERTY_RECEIVE_MAXIMUM, receive_maximum),
	PROPERTY("topic-alias-maximum", PROPERTY_TOPIC_ALIAS_MAXIMUM, topic_alias_maximum),
	PROPERTY("topic-alias", PROPERTY_TOPIC_ALIAS, topic_alias),
	PROPERTY("maximum-packet-size", PROPERTY_MAXIMUM_PACKET_SIZE, maximum_packet_size),
	{0},
};

static struct engine *engine;
static uint64_t now_ms;
static uint32_t token;
/* Of the line at hand: what its words stand for, and encoded User Properties. */
static struct buffer values[VALUES_MAX], user, will_user;
static unsigned value_count;

static void set_number(void *member, size_t size, struct span value)
{
	char text[24] = {0};
	ASSERT(value.len < sizeof(text));
	memcpy(text, value.ptr, value.len);
	uint64_t number =
		strtoull(text, NULL, 0); /* its low bytes come first on all that we build for */
	memcpy(member, &number, size);
}

static bool set_field(const struct field *fields, void *to, const char *name, struct span value)
{
	const struct field *f = fields;
	while (f->name && strcmp(f->name, name) != 0)
		f++;
	if (!f->name)
		return false;
	char *member = (char *)to + f->offset;
	if (f->size == sizeof(struct span))
		memcpy(member, &value, sizeof(value));
	else
		set_number(member, f->size, value);
	if (f->has)
		*((char *)to + f->has) = 1;
	if (f->property)
		((struct properties *)to)->present |= UINT64_C(1) << f->property;
	return true;
}

/* `name:value` */
static void add_user_property(struct buffer *to, struct properties *p, struct span pair)
{
	const uint8_t *colon = memchr(pair.ptr, ':', pair.len);
	ASSERT(colon);
	size_t len = (size_t)(colon - pair.ptr);
	int error = buffer_reserve(to, pair.len + 8);
	ASSERT(error == 0);
	struct room room = buffer_room(to);
	struct writer w = writer_of(room);
	user_property_encode(&w, span_of(pair.ptr, len), span_of(colon + 1, pair.len - len - 1));
	buffer_commit(to, writer_finish(&w, room));
	p->user = buffer_content(to);
}

static bool set_property(struct properties *p, struct buffer *pairs, const char *name,
			 struct span value)
{
	if (strcmp(name, "user-property") != 0)
		return set_field(property_fields, p, name, value);
	add_user_property(pairs, p, value);
	return true;
}

/* Takes `name=HEX` off the line; false at its end. */
static bool next_value(char **rest, const char **name_out, struct span *value_out)
{
	char *word = line_word(rest);
	if (!word || *word == '\0')
		return false;
	char *sign = strchr(word, '=');
	ASSERT(sign && value_count < VALUES_MAX);
	*sign = '\0';
	struct buffer *bytes = &values[value_count++];
	line_bytes(sign + 1, bytes);
	*name_out = word;
	*value_out = buffer_content(bytes);
	return true;
}

static void forget_values(void)
{
	for (; value_count > 0; value_count--)
		buffer_release(&values[value_count - 1]);
	buffer_release(&user);
	buffer_release(&will_user);
}

/* The words of a request into its structure. */
static void read_request(char *rest, const struct field *fields, void *to, struct properties *p)
{
	const char *name;
	struct span value;
	properties_clear(p);
	while (next_value(&rest, &name, &value)) {
		bool is_known =
			set_field(fields, to, name, value) || set_property(p, &user, name, value);
		ASSERT(is_known);
	}
}

static void tell(const char *event, const char *name, struct span value)
{
	printf("told %s %s=", event, name);
	line_print(value);
}

static void tell_number(const char *name, uint32_t number)
{
	printf(" %s=%u", name, number);
}

static void on_connected(void *context, const struct connack *p)
{
	(void)context;
	printf("told connected");
	tell_number("session", p->session_present);
	putchar('\n');
}

static void on_closed(void *context, const struct engine_closed *p)
{
	static const char *const ends[] = {
		[ENGINE_END_DISCONNECTED] = "disconnected",
		[ENGINE_END_REFUSED] = "refused",
		[ENGINE_END_SERVER] = "server",
		[ENGINE_END_LOST] = "lost",
		[ENGINE_END_FLAW] = "flaw",
		[ENGINE_END_SILENT] = "silent",
		[ENGINE_END_NO_MEMORY] = "no-memory",
	};
	(void)context;
	tell("closed", "end", span_of_text(ends[p->end]));
	tell_number("code", p->reason_code);
	putchar('\n');
}

static void on_message(void *context, const struct publish *p, uint64_t handle)
{
	(void)context;
	tell("message", "topic", p->topic);
	printf(" payload=");
	line_print(p->payload);
	tell_number("qos", p->qos);
	tell_number("retain", p->retain);
	printf(" handle=%llu\n", (unsigned long long)handle);
}

static void on_published(void *context, const struct engine_published *p)
{
	(void)context;
	printf("told published");
	tell_number("code", p->reason_code);
	tell_number("sent", p->was_sent);
	putchar('\n');
}

static void on_answered(void *context, const struct engine_answered *p)
{
	(void)context;
	tell("answered", "codes", p->packet->codes);
	putchar('\n');
}

static void on_auth(void *context, const struct auth *p)
{
	(void)context;
	printf("told auth");
	tell_number("code", p->reason_code);
	putchar('\n');
}

static const struct engine_events events = {
	.connected = on_connected,
	.closed = on_closed,
	.message = on_message,
	.published = on_published,
	.answered = on_answered,
	.auth = on_auth,
};

static int begin(char *rest)
{
	struct connect c = {.version = (uint8_t)line_number(&rest), .clean_start = true};
	struct engine_options options;
	const char *name;
	struct span value;
	mem_count_start();
	properties_clear(&c.properties);
	properties_clear(&c.will_properties);
	engine_options_init(&options);
	while (next_value(&rest, &name, &value)) {
		bool is_known =
			strncmp(name, "will.", 5) == 0
				? set_property(&c.will_properties, &will_user, name + 5, value)
				: set_field(connect_fields, &c, name, value) ||
					  set_field(option_fields, &options, name, value) ||
					  set_property(&c.properties, &user, name, value);
		ASSERT(is_known);
	}
	return engine_new(&c, &options, &events, NULL, &engine);
}

static int publish(char *rest)
{
	struct publish p = {0};
	read_request(rest, publish_fields, &p, &p.properties);
	return engine_publish(engine, &p, ++token);
}

static int subscribe(char *rest)
{
	struct subscribe p = {0};
	read_request(rest, subscribe_fields, &p, &p.properties);
	return engine_subscribe(engine, &p, ++token);
}

static int unsubscribe(char *rest)
{
	struct unsubscribe p = {0};
	read_request(rest, unsubscribe_fields, &p, &p.properties);
	return engine_unsubscribe(engine, &p, ++token);
}

static int disconnect(char *rest)
{
	struct disconnect p = {0};
	read_request(rest, disconnect_fields, &p, &p.properties);
	engine_disconnect(engine, &p);
	return 0;
}

static int auth(char *rest)
{
	struct auth p = {0};
	read_request(rest, auth_fields, &p, &p.properties);
	return engine_auth(engine, &p);
}

static int acknowledge(char *rest)
{
	uint64_t handle = line_number(&rest);
	return engine_acknowledge(engine, handle, (uint8_t)line_number(&rest));
}

static int open_stream(char *rest)
{
	(void)rest;
	return engine_connect(engine, now_ms);
}

static int lose_stream(char *rest)
{
	(void)rest;
	engine_lost(engine, now_ms);
	return 0;
}

static int input(char *rest)
{
	struct buffer bytes = {0};
	line_bytes(rest, &bytes);
	engine_input(engine, buffer_content(&bytes), now_ms);
	buffer_release(&bytes);
	return 0;
}

/* Moves the clock from one deadline to the next. */
static int pass_time(char *rest)
{
	uint64_t until = now_ms + line_number(&rest);
	while (engine_deadline(engine) <= until) {
		uint64_t deadline = engine_deadline(engine);
		now_ms = deadline > now_ms ? deadline : now_ms;
		engine_tick(engine, now_ms);
		if (engine_deadline(engine) <= now_ms)
			break;
	}
	now_ms = until;
	engine_tick(engine, now_ms);
	return 0;
}

static int end(char *rest)
{
	(void)rest;
	engine_free(engine);
	engine = NULL;
	if (mem_count_live() != 0)
		printf("leak %ld\n", mem_count_live());
	return 0;
}

static void transmit(void)
{
	struct span out;
	while ((out = engine_output(engine)).len > 0) {
		printf("sent ");
		line_print(out);
		putchar('\n');
		engine_sent(engine, out.len, now_ms);
	}
	if (!engine_is_idle(engine) && engine_is_closing(engine))
		puts("closing");
}

static const struct verb {
	const char *name;
	int (*perform)(char *rest);
} verbs[] = {
	{"new", begin},           {"connect", open_stream},     {"lost", lose_stream},
	{"input", input},         {"wait", pass_time},          {"publish", publish},
	{"subscribe", subscribe}, {"unsubscribe", unsubscribe}, {"disconnect", disconnect},
	{"auth", auth},           {"acknowledge", acknowledge}, {"free", end},
};

static void perform(char *rest)
{
	const char *name = line_word(&rest);
	const struct verb *verb = verbs;
	while (strcmp(verb->name, name) != 0)
		ASSERT(++verb < verbs + ARRAY_COUNT(verbs));
	if (verb->perform(rest))
		puts("refused");
	forget_values();
	if (engine)
		transmit();
}

int main(void)
{
	lines_serve(perform);
	return 0;
}
