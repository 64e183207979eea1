/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/json_input.h"

#include "mqtt/topic.h"
#include "mqtt/wire.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* Always false, so that it can be returned. */
static bool PRINTF_LIKE(2, 3) refuse(struct json_message *m, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(m->problem, sizeof(m->problem), format, arguments);
	va_end(arguments);
	for (char *at = m->problem; *at != '\0'; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = '.'; /* part of the line may stand there */
	return false;
}

static struct span text_of(const json_t *value)
{
	return span_of(json_string_value(value), json_string_length(value));
}

/* --- base64 (RFC 4648) --- */

static int digit_of(char letter)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = letter != '\0' ? strchr(letters, letter) : NULL;
	return at ? (int)(at - letters) : -1;
}

/* The number of bytes, or -1. There is room for three bytes for each four letters. */
static long decode_base64(struct span text, uint8_t *to)
{
	size_t len = 0, letters = text.len;
	if (text.len % 4 != 0)
		return -1;
	while (letters > 0 && text.len - letters < 2 && text.ptr[letters - 1] == '=')
		letters--;
	uint32_t bits = 0;
	for (size_t i = 0; i < letters; i++) {
		int digit = digit_of((char)text.ptr[i]);
		if (digit < 0)
			return -1;
		bits = bits << 6 | (uint32_t)digit;
		if (i % 4 > 0)
			to[len++] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
	}
	return (long)len;
}

/* --- members --- */

static bool read_topic(struct json_message *m, const json_t *value)
{
	if (!json_is_string(value))
		return refuse(m, "\"topic\" is not a string");
	struct span topic = text_of(value);
	if (topic.len > UINT16_MAX || !topic_name_is_valid(topic) || !utf8_is_valid(topic))
		return refuse(m, "\"topic\" is empty or too long, or has '+', '#' or NUL in it");
	m->out.topic = json_string_value(value);
	return true;
}

/* Behind the string that begins at `at`. */
static size_t skip_string(struct span json, size_t at)
{
	for (at++; at < json.len && json.ptr[at] != '"'; at++)
		at += json.ptr[at] == '\\';
	return at + 1;
}

/* Behind the value that begins at `at`, blanks included: where its object goes on or ends. */
static size_t skip_value(struct span json, size_t at)
{
	size_t depth = 0;
	while (at < json.len) {
		char c = (char)json.ptr[at];
		if (depth == 0 && (c == ',' || c == '}'))
			return at;
		depth += c == '{' || c == '[';
		depth -= c == '}' || c == ']';
		at = c == '"' ? skip_string(json, at) : at + 1;
	}
	return json.len;
}

static size_t skip_blanks(struct span json, size_t at)
{
	while (at < json.len && strchr(" \t\r\n", json.ptr[at]) && json.ptr[at] != '\0')
		at++;
	return at;
}

/* A member's value as it stands in the object, which is known to be sound: numbers keep each of
 * their digits. Empty when the name is written in another way. */
static struct span raw_member(struct span object, struct span quoted_name)
{
	size_t at = skip_blanks(object, 0) + 1;
	while (at < object.len) {
		size_t name = skip_blanks(object, at);
		size_t behind = skip_string(object, name);
		size_t value = skip_blanks(object, skip_blanks(object, behind) + 1);
		size_t end = skip_value(object, value);
		if (behind <= object.len && end <= object.len &&
		    span_is_equal(span_of(object.ptr + name, behind - name), quoted_name))
			return span_of(object.ptr + value, end - value);
		at = end + 1;
	}
	return SPAN_NONE;
}

static bool copy_payload(struct json_message *m, const json_t *value)
{
	struct span raw = raw_member(m->line, SPAN_LITERAL("\"payload\""));
	while (raw.len > 0 && strchr(" \t\r\n", raw.ptr[raw.len - 1]))
		raw.len--;
	if (raw.len > 0) {
		m->out.payload = raw.ptr;
		m->out.payload_len = raw.len;
		return true;
	}
	m->payload = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	if (!m->payload)
		return refuse(m, "there is no memory");
	m->out.payload = m->payload;
	m->out.payload_len = strlen(m->payload);
	return true;
}

static bool read_payload(struct json_message *m, const json_t *value)
{
	if (json_is_null(value)) {
		m->out.payload = NULL;
		m->out.payload_len = 0;
	} else if (json_is_string(value)) {
		m->out.payload = json_string_value(value);
		m->out.payload_len = json_string_length(value);
	} else {
		return copy_payload(m, value);
	}
	return true;
}

/* `*bytes_out` is to be freed. */
static bool read_base64(struct json_message *m, const char *name, const json_t *value,
			void **bytes_out, size_t *len_out)
{
	struct span text = text_of(value);
	if (!json_is_string(value))
		return refuse(m, "\"%s\" is not a string", name);
	*bytes_out = malloc(text.len / 4 * 3 + 1);
	if (!*bytes_out)
		return refuse(m, "there is no memory");
	long len = decode_base64(text, *bytes_out);
	*len_out = (size_t)len;
	return len >= 0 || refuse(m, "\"%s\" is not base64", name);
}

static bool read_payload_base64(struct json_message *m, const json_t *value)
{
	if (!read_base64(m, "payload-base64", value, &m->payload, &m->out.payload_len))
		return false;
	m->out.payload = m->payload;
	return true;
}

static bool read_qos(struct json_message *m, const json_t *value)
{
	json_int_t qos = json_integer_value(value);
	if (!json_is_integer(value) || qos < 0 || qos > 2)
		return refuse(m, "\"qos\" is not 0, 1 or 2");
	m->out.qos = (uint8_t)qos;
	return true;
}

/* sub --json has 0 and 1, as mosquitto_sub. */
static bool read_retain(struct json_message *m, const json_t *value)
{
	json_int_t number = json_integer_value(value);
	if (!json_is_boolean(value) && !(json_is_integer(value) && (number == 0 || number == 1)))
		return refuse(m, "\"retain\" is not true or false");
	m->out.retain = json_is_true(value) || number == 1;
	return true;
}

/* --- properties --- */

static bool add(struct json_message *m, const struct nj_property *property)
{
	if (m->properties.count == JSON_PROPERTIES_MAX)
		return refuse(m, "there are more than %d properties", JSON_PROPERTIES_MAX);
	if (property_list_add(&m->properties, property))
		return refuse(m, "there is no memory");
	return true;
}

/* Binary data of a property may be any text. */
static bool read_text(struct json_message *m, const char *name, bool is_binary, const json_t *value,
		      struct nj_bytes *out)
{
	struct span text = text_of(value);
	if (!json_is_string(value) || text.len > UINT16_MAX)
		return refuse(m, "property \"%.40s\" is not a string of at most 65535 bytes", name);
	if (!is_binary && !utf8_is_valid(text))
		return refuse(m, "property \"%.40s\" has a letter that MQTT does not allow", name);
	*out = (struct nj_bytes){text.ptr, text.len};
	return true;
}

static bool read_user_property(struct json_message *m, const char *name, size_t name_len,
			       const json_t *value)
{
	struct nj_property property = {.id = NJ_USER_PROPERTY, .text = {name, name_len}};
	if (name_len > UINT16_MAX || !utf8_is_valid(span_of(name, name_len)))
		return refuse(m, "a user property's name is too long, or no UTF-8 for MQTT");
	return read_text(m, name, false, value, &property.value) && add(m, &property);
}

static bool read_user_properties(struct json_message *m, json_t *values)
{
	const char *name;
	size_t name_len;
	json_t *value;
	if (!json_is_object(values))
		return refuse(m, "\"user-properties\" is not an object");
	json_object_keylen_foreach(
		values, name, name_len,
		value) if (!read_user_property(m, name, name_len, value)) return false;
	return true;
}

static bool read_number(struct json_message *m, const struct property_kind *kind,
			const json_t *value, uint32_t *number_out)
{
	json_int_t number = json_integer_value(value);
	if (!json_is_integer(value) || number < (json_int_t)kind->min ||
	    number > (json_int_t)kind->max)
		return refuse(m, "property \"%s\" is not a number from %u to %u", kind->name,
			      kind->min, kind->max);
	*number_out = (uint32_t)number;
	return true;
}

static bool read_correlation_data(struct json_message *m, const char *name, const json_t *value)
{
	struct nj_property property = {.id = NJ_CORRELATION_DATA};
	if (!read_base64(m, name, value, &m->correlation_data, &property.text.len))
		return false;
	property.text.ptr = m->correlation_data;
	if (property.text.len > UINT16_MAX)
		return refuse(m, "property \"%s\" has more than 65535 bytes", name);
	return add(m, &property);
}

/* A subscription identifier, a message's own topic alias: of the way it came. */
static bool is_of_the_way(const char *name)
{
	return strcmp(name, "subscription-identifier") == 0 || strcmp(name, "topic-alias") == 0;
}

static bool read_property(struct json_message *m, const char *name, json_t *value)
{
	if (strcmp(name, "user-properties") == 0)
		return read_user_properties(m, value);
	if (strcmp(name, "correlation-data-base64") == 0)
		return read_correlation_data(m, name, value);
	if (is_of_the_way(name))
		return true;
	const struct property_kind *kind = property_kind_of_message(name);
	if (!kind || kind->id == NJ_USER_PROPERTY)
		return refuse(m, "\"%.40s\" is no property of a message", name);
	struct nj_property property = {.id = kind->id};
	bool is_good = kind->is_number ? read_number(m, kind, value, &property.number)
				       : read_text(m, name, kind->is_binary, value, &property.text);
	if (is_good && kind->id == NJ_RESPONSE_TOPIC && !topic_name_is_valid(text_of(value)))
		return refuse(m, "property \"%s\" is not a topic without wildcards", kind->name);
	return is_good && add(m, &property);
}

static bool read_properties(struct json_message *m, json_t *values)
{
	const char *name;
	json_t *value;
	if (!json_is_object(values))
		return refuse(m, "\"properties\" is not an object");
	json_object_foreach(values, name, value) if (!read_property(m, name, value)) return false;
	m->out.properties = m->properties.items;
	m->out.property_count = m->properties.count;
	return true;
}

/* --- a line --- */

static const char *const passed_over[] = {"tst", "mid", "payloadlen"};

static bool is_passed_over(const char *name)
{
	for (size_t i = 0; i < ARRAY_COUNT(passed_over); i++)
		if (strcmp(passed_over[i], name) == 0)
			return true;
	return false;
}

static bool read_member(struct json_message *m, const char *name, json_t *value)
{
	if (strcmp(name, "topic") == 0)
		return read_topic(m, value);
	if (strcmp(name, "payload") == 0)
		return read_payload(m, value);
	if (strcmp(name, "payload-base64") == 0)
		return read_payload_base64(m, value);
	if (strcmp(name, "qos") == 0)
		return read_qos(m, value);
	if (strcmp(name, "retain") == 0)
		return read_retain(m, value);
	if (strcmp(name, "properties") == 0)
		return read_properties(m, value);
	return is_passed_over(name) || refuse(m, "\"%.40s\" is not known here", name);
}

bool json_message_read(struct json_message *m, struct span line,
		       const struct nj_message_out *defaults)
{
	json_error_t error;
	const char *name;
	json_t *value;
	*m = (struct json_message){.out = *defaults, .line = line};
	m->out.payload = NULL;
	m->out.payload_len = 0;
	m->root = json_loadb((const char *)line.ptr, line.len,
			     JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
	if (!m->root)
		return refuse(m, "%.120s", error.text);
	if (!json_is_object(m->root))
		return refuse(m, "it is not an object: {\"topic\":..., \"payload\":...}");
	if (json_object_get(m->root, "payload") && json_object_get(m->root, "payload-base64"))
		return refuse(m, "it has both \"payload\" and \"payload-base64\"");
	json_object_foreach(m->root, name, value) if (!read_member(m, name, value)) return false;
	return m->out.topic || refuse(m, "it has no \"topic\", and -t is not given");
}

void json_message_release(struct json_message *m)
{
	json_decref(m->root);
	free(m->payload);
	free(m->correlation_data);
	property_list_release(&m->properties);
}
