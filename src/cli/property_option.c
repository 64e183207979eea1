/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/property_option.h"

#include "base/mem.h"
#include "mqtt/properties.h"
#include "mqtt/topic.h"
#include "mqtt/types.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define IN(target) (1u << (target))
#define MESSAGE (IN(TARGET_PUBLISH) | IN(TARGET_WILL))
#define ANYWHERE (IN(TARGET_COUNT) - 1)
#define TEXT false, false, 0, 0
#define BINARY false, true, 0, 0
#define NUMBER(min, max) true, false, (min), (max)

/* What may be set, and where ([5] 2.2.2.2); the others are the server's. */
static const struct known_property {
	struct property_kind kind;
	unsigned targets;
} known_properties[] = {
	{{"authentication-data", PROPERTY_AUTHENTICATION_DATA, BINARY}, IN(TARGET_CONNECT)},
	{{"authentication-method", PROPERTY_AUTHENTICATION_METHOD, TEXT}, IN(TARGET_CONNECT)},
	{{"content-type", NJ_CONTENT_TYPE, TEXT}, MESSAGE},
	{{"correlation-data", NJ_CORRELATION_DATA, BINARY}, MESSAGE},
	{{"maximum-packet-size", NJ_MAXIMUM_PACKET_SIZE, NUMBER(1, UINT32_MAX)},
	 IN(TARGET_CONNECT)},
	{{"message-expiry-interval", NJ_MESSAGE_EXPIRY_INTERVAL, NUMBER(0, UINT32_MAX)}, MESSAGE},
	{{"payload-format-indicator", NJ_PAYLOAD_FORMAT_INDICATOR, NUMBER(0, 1)}, MESSAGE},
	{{"receive-maximum", NJ_RECEIVE_MAXIMUM, NUMBER(1, UINT16_MAX)}, IN(TARGET_CONNECT)},
	{{"request-problem-information", NJ_REQUEST_PROBLEM_INFORMATION, NUMBER(0, 1)},
	 IN(TARGET_CONNECT)},
	{{"request-response-information", NJ_REQUEST_RESPONSE_INFORMATION, NUMBER(0, 1)},
	 IN(TARGET_CONNECT)},
	{{"response-topic", NJ_RESPONSE_TOPIC, TEXT}, MESSAGE},
	{{"session-expiry-interval", NJ_SESSION_EXPIRY_INTERVAL, NUMBER(0, UINT32_MAX)},
	 IN(TARGET_CONNECT) | IN(TARGET_DISCONNECT)},
	{{"subscription-identifier", NJ_SUBSCRIPTION_IDENTIFIER, NUMBER(1, REMAINING_LENGTH_MAX)},
	 IN(TARGET_SUBSCRIBE)},
	{{"topic-alias", NJ_TOPIC_ALIAS, NUMBER(1, UINT16_MAX)}, IN(TARGET_PUBLISH)},
	{{"topic-alias-maximum", NJ_TOPIC_ALIAS_MAXIMUM, NUMBER(0, UINT16_MAX)},
	 IN(TARGET_CONNECT)},
	{{"user-property", NJ_USER_PROPERTY, TEXT}, ANYWHERE},
	{{"will-delay-interval", NJ_WILL_DELAY_INTERVAL, NUMBER(0, UINT32_MAX)}, IN(TARGET_WILL)},
};

static const char *const target_names[TARGET_COUNT] = {
	[TARGET_CONNECT] = "connect",       [TARGET_PUBLISH] = "publish",
	[TARGET_SUBSCRIBE] = "subscribe",   [TARGET_UNSUBSCRIBE] = "unsubscribe",
	[TARGET_DISCONNECT] = "disconnect", [TARGET_WILL] = "will",
};
/* Commands that exist and that these tools give no properties. */
static const char *const other_commands[] = {"connack", "puback", "pubrec",   "pubrel",
					     "pubcomp", "suback", "unsuback", "auth"};

/* --- lists --- */

int property_list_add(struct property_list *list, const struct nj_property *property)
{
	struct nj_property *items = mem_realloc(list->items, (list->count + 1) * sizeof(*items));
	if (!items)
		return ERROR_NO_MEMORY;
	items[list->count] = *property;
	list->items = items;
	list->count++;
	return 0;
}

bool property_list_has(const struct property_list *list, uint8_t id)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].id == id)
			return true;
	return false;
}

void property_list_release(struct property_list *list)
{
	mem_free(list->items);
	*list = (struct property_list){0};
}

void property_options_init(struct property_options *p)
{
	memset(p, 0, sizeof(*p));
}

void property_options_release(struct property_options *p)
{
	for (int i = 0; i < TARGET_COUNT; i++)
		property_list_release(&p->of[i]);
}

/* --- names --- */

static const struct known_property *find_property(const char *name)
{
	for (size_t i = 0; i < ARRAY_COUNT(known_properties); i++)
		if (strcmp(known_properties[i].kind.name, name) == 0)
			return &known_properties[i];
	return NULL;
}

const struct property_kind *property_kind_of_message(const char *name)
{
	const struct known_property *known = find_property(name);
	return known && known->targets & IN(TARGET_PUBLISH) ? &known->kind : NULL;
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

/* --- values --- */

static bool read_number(const struct property_kind *kind, const char *value, uint32_t *number_out)
{
	char *end;
	errno = 0;
	long long number = strtoll(value, &end, 10);
	if (end == value || *end != '\0') {
		fprintf(stderr, "Error: Property value \"%s\" is not a number for property %s.\n\n",
			value, kind->name);
		return false;
	}
	if (errno == ERANGE || number < (long long)kind->min || number > (long long)kind->max) {
		fprintf(stderr, "Error: Property value (%s) out of range for property %s.\n\n",
			value, kind->name);
		return false;
	}
	*number_out = (uint32_t)number;
	return true;
}

static bool read_text(const struct property_kind *kind, const char *value, struct nj_bytes *out)
{
	struct span text = span_of_text(value);
	if (text.len > UINT16_MAX)
		fprintf(stderr, "Error: Property value too long for property %s.\n\n", kind->name);
	else if (!kind->is_binary && !utf8_is_valid(text))
		fprintf(stderr, "Error: Malformed UTF-8 in property %s.\n\n", kind->name);
	else if (kind->id == NJ_RESPONSE_TOPIC && !topic_name_is_valid(text)) /* [MQTT-3.3.2-14] */
		fprintf(stderr,
			"Error: Invalid response topic '%s', does it contain '+' or '#'?\n\n",
			value);
	else {
		*out = (struct nj_bytes){text.ptr, text.len};
		return true;
	}
	return false;
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

static bool is_repeated(const struct property_list *list, const struct property_kind *kind)
{
	if (kind->id == NJ_USER_PROPERTY || !property_list_has(list, kind->id))
		return false;
	fprintf(stderr, "Error: Duplicate property %s in --property arguments.\n\n", kind->name);
	return true;
}

static bool add(struct property_list *list, const struct property_kind *kind, char *const *values)
{
	struct nj_property property = {.id = kind->id};
	if (is_repeated(list, kind))
		return false;
	bool is_good = kind->is_number ? read_number(kind, values[0], &property.number)
				       : read_text(kind, values[0], &property.text);
	if (is_good && kind->id == NJ_USER_PROPERTY)
		is_good = read_text(kind, values[1], &property.value);
	if (is_good && property_list_add(list, &property)) {
		fprintf(stderr, "Error: Out of memory.\n");
		return false;
	}
	return is_good;
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
	return add(&p->of[target], &known->kind, words + 2) ? needed : 0;
}
