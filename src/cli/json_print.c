/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/json_print.h"

#include <jansson.h>

/* How deep what jansson reads can be; this file's own members stand around it. */
#define DEPTH_MAX (JSON_PARSER_MAX_DEPTH + 2)

struct printer {
	FILE *to;
	bool is_pretty;
	size_t depth;
	bool begins_line;             /* the blanks in front of what comes next are still owed */
	bool in_array[DEPTH_MAX + 1]; /* by depth */
};

/* --- letters, of which some bring blanks along --- */

static void indent(struct printer *p, size_t depth)
{
	for (size_t i = 0; p->is_pretty && i < depth; i++)
		fputc('\t', p->to);
}

static void begin_line(struct printer *p)
{
	if (p->is_pretty)
		fputc('\n', p->to);
	p->begins_line = true;
}

static void settle(struct printer *p)
{
	if (p->begins_line)
		indent(p, p->depth);
	p->begins_line = false;
}

static void open_container(struct printer *p, char letter)
{
	settle(p);
	fputc(letter, p->to);
	p->depth += p->depth < DEPTH_MAX;
	p->in_array[p->depth] = letter == '[';
	if (letter == '{')
		begin_line(p);
}

static void close_container(struct printer *p, char letter)
{
	p->depth -= p->depth > 0;
	if (letter == '}') {
		if (!p->begins_line)
			begin_line(p);
		settle(p);
	}
	fputc(letter, p->to);
}

static void print_letter(struct printer *p, char letter)
{
	switch (letter) {
	case '{':
	case '[': open_container(p, letter); break;
	case '}':
	case ']': close_container(p, letter); break;
	case ',':
		fputc(',', p->to);
		if (!p->in_array[p->depth])
			begin_line(p);
		else if (p->is_pretty)
			fputc(' ', p->to);
		break;
	case ':': fputs(p->is_pretty ? ":\t" : ":", p->to); break;
	default: settle(p); fputc(letter, p->to);
	}
}

/* JSON as it stands, which keeps numbers exact; but for the blanks, which are the style's. */
static void print_json(struct printer *p, struct span json)
{
	bool in_string = false;
	for (size_t i = 0; i < json.len; i++) {
		char c = (char)json.ptr[i];
		if (in_string) {
			fputc(c, p->to);
			if (c == '\\' && i + 1 < json.len)
				fputc(json.ptr[++i], p->to);
			in_string = c != '"';
		} else if (!strchr(" \t\r\n", c)) {
			print_letter(p, c);
			in_string = c == '"';
		}
	}
}

/* --- members --- */

static void print_string(FILE *to, struct span text)
{
	json_t *string = json_stringn(text.len > 0 ? (const char *)text.ptr : "", text.len);
	if (string)
		json_dumpf(string, to, JSON_ENCODE_ANY);
	else
		fputs("null", to); /* no memory */
	json_decref(string);
}

/* The name of the next member; the first one stands behind an open brace. */
static void print_name(struct printer *p, struct span name)
{
	if (!p->begins_line)
		print_letter(p, ',');
	settle(p);
	print_string(p->to, name);
	print_letter(p, ':');
}

static void print_number_member(struct printer *p, const char *name, uint32_t number)
{
	print_name(p, span_of_text(name));
	fprintf(p->to, "%u", number);
}

static void print_base64(FILE *to, struct span bytes)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	fputc('"', to);
	for (size_t i = 0; i < bytes.len; i += 3) {
		size_t left = bytes.len - i;
		uint32_t group = (uint32_t)bytes.ptr[i] << 16;
		group |= left > 1 ? (uint32_t)bytes.ptr[i + 1] << 8 : 0;
		group |= left > 2 ? bytes.ptr[i + 2] : 0;
		fputc(letters[group >> 18], to);
		fputc(letters[group >> 12 & 63], to);
		fputc(left > 1 ? letters[group >> 6 & 63] : '=', to);
		fputc(left > 2 ? letters[group & 63] : '=', to);
	}
	fputc('"', to);
}

/* jansson knows which text it can write. */
static bool is_json_text(struct span bytes)
{
	json_t *string = json_stringn(bytes.len > 0 ? (const char *)bytes.ptr : "", bytes.len);
	json_decref(string);
	return string != NULL;
}

static void print_bytes_member(struct printer *p, const char *name, struct span bytes)
{
	char long_name[64];
	bool is_text = is_json_text(bytes);
	snprintf(long_name, sizeof(long_name), "%s%s", name, is_text ? "" : "-base64");
	print_name(p, span_of_text(long_name));
	if (is_text)
		print_string(p->to, bytes);
	else
		print_base64(p->to, bytes);
}

/* --- properties --- */

static const struct json_property {
	const char *name;
	uint8_t id;
	bool is_number;
} json_properties[] = {
	{"payload-format-indicator", PROPERTY_PAYLOAD_FORMAT_INDICATOR, true},
	{"message-expiry-interval", PROPERTY_MESSAGE_EXPIRY_INTERVAL, true},
	{"content-type", PROPERTY_CONTENT_TYPE, false},
	{"response-topic", PROPERTY_RESPONSE_TOPIC, false},
	{"correlation-data", PROPERTY_CORRELATION_DATA, false},
	{"subscription-identifier", PROPERTY_SUBSCRIPTION_IDENTIFIER, true},
	{"topic-alias", PROPERTY_TOPIC_ALIAS, true},
};

static void print_property(struct printer *p, const struct property *property)
{
	for (size_t i = 0; i < ARRAY_COUNT(json_properties); i++) {
		const struct json_property *row = &json_properties[i];
		if (row->id != property->id)
			continue;
		if (row->is_number)
			print_number_member(p, row->name, property->number);
		else
			print_bytes_member(p, row->name, property->text);
	}
}

/* A name may come more than once, and then stands there more than once. */
static void print_user_properties(struct printer *p, struct span rest)
{
	struct property property;
	bool has_any = false;
	while (property_next(&rest, &property)) {
		if (property.id != PROPERTY_USER_PROPERTY)
			continue;
		if (!has_any) {
			print_name(p, SPAN_LITERAL("user-properties"));
			print_letter(p, '{');
		}
		has_any = true;
		print_name(p, property.text);
		print_string(p->to, property.value);
	}
	if (has_any)
		print_letter(p, '}');
}

static void print_properties(struct printer *p, struct span raw)
{
	struct span rest = raw;
	struct property property;
	if (raw.len == 0)
		return;
	print_name(p, SPAN_LITERAL("properties"));
	print_letter(p, '{');
	while (property_next(&rest, &property))
		print_property(p, &property);
	print_user_properties(p, raw);
	print_letter(p, '}');
}

/* --- the message --- */

static void print_time(struct printer *p, const struct timespec *when)
{
	char day[64] = "", zone[16] = "";
	struct tm parts;
	if (localtime_r(&when->tv_sec, &parts)) {
		strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &parts);
		strftime(zone, sizeof(zone), "%z", &parts);
	}
	print_name(p, SPAN_LITERAL("tst"));
	fprintf(p->to, "\"%s.%06ld%s\"", day, when->tv_nsec / 1000, zone);
}

static bool is_json(struct span payload)
{
	json_error_t error;
	json_t *value =
		json_loadb((const char *)payload.ptr, payload.len,
			   JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, &error);
	json_decref(value);
	return value != NULL;
}

static void print_payload(struct printer *p, const struct publish *m, bool embeds)
{
	if (m->payload.len > 0 && !embeds) {
		print_bytes_member(p, "payload", m->payload);
		return;
	}
	print_name(p, SPAN_LITERAL("payload"));
	print_json(p, m->payload.len > 0 ? m->payload : SPAN_LITERAL("null"));
}

bool json_print(FILE *to, const struct json_style *style, const struct publish *m,
		const struct timespec *when)
{
	struct printer p = {.to = to, .is_pretty = style->is_pretty};
	if (style->embeds_payload && m->payload.len > 0 && !is_json(m->payload))
		return false;
	print_letter(&p, '{');
	print_time(&p, when);
	print_name(&p, SPAN_LITERAL("topic"));
	print_string(to, m->topic);
	print_number_member(&p, "qos", m->qos);
	print_number_member(&p, "retain", m->retain);
	print_number_member(&p, "payloadlen", (uint32_t)m->payload.len);
	if (m->qos > 0)
		print_number_member(&p, "mid", m->packet_id);
	print_properties(&p, m->properties.raw);
	print_payload(&p, m, style->embeds_payload);
	print_letter(&p, '}');
	return true;
}
