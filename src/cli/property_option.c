/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/property_option.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum value_kind {
	VALUE_BYTE,
	VALUE_TWO_BYTE,
	VALUE_FOUR_BYTE,
	VALUE_VARIABLE,
	VALUE_TEXT,
	VALUE_BINARY,
	VALUE_PAIR,
};

#define IN(target) (1u << (target))
#define MESSAGE (IN(TARGET_PUBLISH) | IN(TARGET_WILL))
#define ANYWHERE (IN(TARGET_COUNT) - 1)
#define FIELD(name) offsetof(struct properties, name)

/* What may be set, and where ([5] 2.2.2.2); the others are the server's. */
static const struct known_property {
	const char *name;
	uint8_t id;
	uint8_t kind;
	uint16_t targets;
	uint16_t field;
	uint32_t min, max;
} known_properties[] = {
	{"authentication-data", PROPERTY_AUTHENTICATION_DATA, VALUE_BINARY, IN(TARGET_CONNECT),
	 FIELD(authentication_data), 0, 0},
	{"authentication-method", PROPERTY_AUTHENTICATION_METHOD, VALUE_TEXT, IN(TARGET_CONNECT),
	 FIELD(authentication_method), 0, 0},
	{"content-type", PROPERTY_CONTENT_TYPE, VALUE_TEXT, MESSAGE, FIELD(content_type), 0, 0},
	{"correlation-data", PROPERTY_CORRELATION_DATA, VALUE_BINARY, MESSAGE,
	 FIELD(correlation_data), 0, 0},
	{"maximum-packet-size", PROPERTY_MAXIMUM_PACKET_SIZE, VALUE_FOUR_BYTE, IN(TARGET_CONNECT),
	 FIELD(maximum_packet_size), 1, UINT32_MAX},
	{"message-expiry-interval", PROPERTY_MESSAGE_EXPIRY_INTERVAL, VALUE_FOUR_BYTE, MESSAGE,
	 FIELD(message_expiry_interval), 0, UINT32_MAX},
	{"payload-format-indicator", PROPERTY_PAYLOAD_FORMAT_INDICATOR, VALUE_BYTE, MESSAGE,
	 FIELD(payload_format_indicator), 0, 1},
	{"receive-maximum", PROPERTY_RECEIVE_MAXIMUM, VALUE_TWO_BYTE, IN(TARGET_CONNECT),
	 FIELD(receive_maximum), 1, UINT16_MAX},
	{"request-problem-information", PROPERTY_REQUEST_PROBLEM_INFORMATION, VALUE_BYTE,
	 IN(TARGET_CONNECT), FIELD(request_problem_information), 0, 1},
	{"request-response-information", PROPERTY_REQUEST_RESPONSE_INFORMATION, VALUE_BYTE,
	 IN(TARGET_CONNECT), FIELD(request_response_information), 0, 1},
	{"response-topic", PROPERTY_RESPONSE_TOPIC, VALUE_TEXT, MESSAGE, FIELD(response_topic), 0,
	 0},
	{"session-expiry-interval", PROPERTY_SESSION_EXPIRY_INTERVAL, VALUE_FOUR_BYTE,
	 IN(TARGET_CONNECT) | IN(TARGET_DISCONNECT), FIELD(session_expiry_interval), 0, UINT32_MAX},
	{"subscription-identifier", PROPERTY_SUBSCRIPTION_IDENTIFIER, VALUE_VARIABLE,
	 IN(TARGET_SUBSCRIBE), FIELD(subscription_identifier), 1, REMAINING_LENGTH_MAX},
	{"topic-alias", PROPERTY_TOPIC_ALIAS, VALUE_TWO_BYTE, IN(TARGET_PUBLISH),
	 FIELD(topic_alias), 1, UINT16_MAX},
	{"topic-alias-maximum", PROPERTY_TOPIC_ALIAS_MAXIMUM, VALUE_TWO_BYTE, IN(TARGET_CONNECT),
	 FIELD(topic_alias_maximum), 0, UINT16_MAX},
	{"user-property", PROPERTY_USER_PROPERTY, VALUE_PAIR, ANYWHERE, 0, 0, 0},
	{"will-delay-interval", PROPERTY_WILL_DELAY_INTERVAL, VALUE_FOUR_BYTE, IN(TARGET_WILL),
	 FIELD(will_delay_interval), 0, UINT32_MAX},
};

static const char *const target_names[TARGET_COUNT] = {
	[TARGET_CONNECT] = "connect",       [TARGET_PUBLISH] = "publish",
	[TARGET_SUBSCRIBE] = "subscribe",   [TARGET_UNSUBSCRIBE] = "unsubscribe",
	[TARGET_DISCONNECT] = "disconnect", [TARGET_WILL] = "will",
};
/* Commands that exist and that these tools give no properties. */
static const char *const other_commands[] = {"connack", "puback", "pubrec",   "pubrel",
					     "pubcomp", "suback", "unsuback", "auth"};

void property_options_init(struct property_options *p)
{
	memset(p, 0, sizeof(*p));
}

void property_options_release(struct property_options *p)
{
	for (int i = 0; i < TARGET_COUNT; i++)
		buffer_release(&p->user[i]);
}

static const struct known_property *find_property(const char *name)
{
	for (size_t i = 0; i < ARRAY_COUNT(known_properties); i++)
		if (strcmp(known_properties[i].name, name) == 0)
			return &known_properties[i];
	return NULL;
}

static int find_target(const char *command)
{
	for (int i = 0; i < TARGET_COUNT; i++)
		if (strcasecmp(target_names[i], command) == 0)
			return i;
	return TARGET_COUNT;
}

static bool is_other_command(const char *command)
{
	for (size_t i = 0; i < ARRAY_COUNT(other_commands); i++)
		if (strcasecmp(other_commands[i], command) == 0)
			return true;
	return false;
}

static bool set_number(struct properties *p, const struct known_property *known, const char *value)
{
	char *end;
	errno = 0;
	long long number = strtoll(value, &end, 10);
	if (end == value || *end != '\0') {
		fprintf(stderr, "Error: Property value \"%s\" is not a number for property %s.\n\n",
			value, known->name);
		return false;
	}
	if (errno == ERANGE || number < (long long)known->min || number > (long long)known->max) {
		fprintf(stderr, "Error: Property value (%s) out of range for property %s.\n\n",
			value, known->name);
		return false;
	}
	char *field = (char *)p + known->field;
	uint8_t byte = (uint8_t)number;
	uint16_t two_bytes = (uint16_t)number;
	uint32_t four_bytes = (uint32_t)number;
	if (known->kind == VALUE_BYTE)
		memcpy(field, &byte, sizeof(byte));
	else if (known->kind == VALUE_TWO_BYTE)
		memcpy(field, &two_bytes, sizeof(two_bytes));
	else
		memcpy(field, &four_bytes, sizeof(four_bytes));
	return true;
}

static bool is_text(const char *value, const struct known_property *known)
{
	struct span text = span_of_text(value);
	if (text.len > UINT16_MAX)
		fprintf(stderr, "Error: Property value too long for property %s.\n\n", known->name);
	else if (known->kind != VALUE_BINARY && !utf8_is_valid(text))
		fprintf(stderr, "Error: Malformed UTF-8 in property %s.\n\n", known->name);
	else
		return true;
	return false;
}

static bool set_text(struct properties *p, const struct known_property *known, const char *value)
{
	if (!is_text(value, known))
		return false;
	struct span text = span_of_text(value);
	memcpy((char *)p + known->field, &text, sizeof(text));
	return true;
}

static bool add_pair(struct buffer *user, const struct known_property *known, const char *name,
		     const char *value)
{
	if (!is_text(name, known) || !is_text(value, known))
		return false;
	struct span name_text = span_of_text(name), value_text = span_of_text(value);
	size_t size = 5 + name_text.len + value_text.len; /* identifier and two lengths */
	if (buffer_reserve(user, size)) {
		fprintf(stderr, "Error: Out of memory.\n");
		return false;
	}
	struct writer w = writer_of(buffer_room(user));
	user_property_encode(&w, name_text, value_text);
	buffer_commit(user, size);
	return true;
}

/* The property and the packet it is for; false when there is no such pair. */
static bool find_pair(const char *command, const char *name, int *target_out,
		      const struct known_property **known_out)
{
	*target_out = find_target(command);
	*known_out = find_property(name);
	if (*target_out == TARGET_COUNT && !is_other_command(command))
		fprintf(stderr, "Error: Invalid command given in --property argument.\n\n");
	else if (*target_out == TARGET_COUNT)
		fprintf(stderr,
			"Error: %s property not supported for %s in --property argument.\n\n", name,
			command);
	else if (!*known_out)
		fprintf(stderr, "Error: Invalid property name given in --property argument.\n\n");
	else if (!((*known_out)->targets & IN(*target_out)))
		fprintf(stderr, "Error: %s property not allowed for %s in --property argument.\n\n",
			name, command);
	else
		return true;
	return false;
}

static bool set_value(struct properties *p, const struct known_property *known, const char *value)
{
	if (p->present >> known->id & 1) {
		fprintf(stderr, "Error: Duplicate property %s in --property arguments.\n\n",
			known->name);
		return false;
	}
	bool is_set = known->kind == VALUE_TEXT || known->kind == VALUE_BINARY
			      ? set_text(p, known, value)
			      : set_number(p, known, value);
	if (is_set)
		p->present |= UINT64_C(1) << known->id;
	return is_set;
}

int property_options_add(struct property_options *p, char *const *words, int count)
{
	int target;
	const struct known_property *known;
	bool is_pair = count >= 2 && strcmp(words[1], "user-property") == 0;
	int needed = is_pair ? 4 : 3;
	if (count < needed) {
		fprintf(stderr,
			"Error: --property argument given but not enough arguments specified.\n\n");
		return 0;
	}
	if (!find_pair(words[0], words[1], &target, &known))
		return 0;
	bool is_good = is_pair ? add_pair(&p->user[target], known, words[2], words[3])
			       : set_value(&p->of[target], known, words[2]);
	return is_good ? needed : 0;
}

struct properties property_options_of(const struct property_options *p, enum property_target target)
{
	struct properties properties = p->of[target];
	properties.raw = SPAN_NONE;
	properties.user = buffer_content(&p->user[target]);
	return properties;
}
