/* SPDX-License-Identifier: Apache-2.0 */
/* From words to packets: see talk.h. */
#include "kit/talk.h"

#include <stdio.h>
#include <stdlib.h>

#define WORDS_MAX 24
#define LETTERS_MAX (300u << 10)

struct words {
	char copy[TALK_TEXT_MAX];
	const char *list[WORDS_MAX];
	unsigned count;
	bool is_used[WORDS_MAX];
	uint8_t extra[512]; /* encoded properties, filters, raw bytes */
};

static const uint8_t *letters(void)
{
	static uint8_t block[LETTERS_MAX];
	if (block[0] == 0)
		memset(block, 'x', sizeof(block));
	return block;
}

static void split(struct words *w, const char *text)
{
	memset(w, 0, sizeof(*w));
	snprintf(w->copy, sizeof(w->copy), "%s", text);
	ASSERT(strlen(text) < sizeof(w->copy));
	for (char *p = strtok(w->copy, " \t"); p; p = strtok(NULL, " \t")) {
		ASSERT(w->count < WORDS_MAX);
		w->list[w->count++] = p;
	}
	ASSERT(w->count > 0);
	w->is_used[0] = true;
}

/* The value of "name=value", from the n-th of them; NULL when there is none. */
static const char *value(struct words *w, const char *name, unsigned n)
{
	size_t len = strlen(name);
	for (unsigned i = 1; i < w->count; i++)
		if (strncmp(w->list[i], name, len) == 0 && w->list[i][len] == '=' && n-- == 0) {
			w->is_used[i] = true;
			return w->list[i] + len + 1;
		}
	return NULL;
}

static bool flag(struct words *w, const char *name)
{
	for (unsigned i = 1; i < w->count; i++)
		if (strcmp(w->list[i], name) == 0)
			return w->is_used[i] = true;
	return false;
}

/* "q1", "m65535": a letter and a number. */
static unsigned letter(struct words *w, char name)
{
	for (unsigned i = 1; i < w->count; i++)
		if (w->list[i][0] == name && w->list[i][1] >= '0' && w->list[i][1] <= '9') {
			w->is_used[i] = true;
			return (unsigned)strtoul(w->list[i] + 1, NULL, 10);
		}
	return 0;
}

static bool number(struct words *w, const char *name, struct properties *p, enum property_id id,
		   uint32_t *out)
{
	const char *text = value(w, name, 0);
	if (!text)
		return false;
	p->present |= 1ull << id;
	*out = (uint32_t)strtoul(text, NULL, 10);
	return true;
}

static struct span text_or_letters(const char *text)
{
	if (!text)
		return SPAN_NONE;
	if (text[0] != '#')
		return span_of_text(text);
	size_t len = strtoul(text + 1, NULL, 10);
	ASSERT(len <= LETTERS_MAX);
	return span_of(letters(), len);
}

static struct span user_properties(struct words *w)
{
	struct room room = {w->extra, sizeof(w->extra)};
	struct writer writer = writer_of(room);
	const char *pair;
	for (unsigned n = 0; (pair = value(w, "user", n)); n++) {
		const char *colon = strchr(pair, ':');
		ASSERT(colon);
		user_property_encode(&writer, span_of(pair, (size_t)(colon - pair)),
				     span_of_text(colon + 1));
	}
	return span_of(w->extra, writer_finish(&writer, room));
}

uint8_t talk_version(const char *text)
{
	struct words w;
	split(&w, text);
	if (strcmp(w.list[0], "CONNECT") == 0)
		return letter(&w, 'v') ? (uint8_t)letter(&w, 'v') : MQTT_3_1_1;
	return strcmp(w.list[0], "RAW") == 0 ? (uint8_t)letter(&w, 'v') : 0;
}

static void add_will(struct words *w, struct connect *p)
{
	const char *will = value(w, "will", 0);
	if (!will)
		return;
	const char *colon = strchr(will, ':');
	ASSERT(colon);
	p->has_will = true;
	p->will_topic = span_of(will, (size_t)(colon - will));
	p->will_payload = span_of_text(colon + 1);
	p->will_retain = flag(w, "willretain");
	const char *qos = value(w, "willqos", 0);
	p->will_qos = qos ? (uint8_t)atoi(qos) : 0;
	number(w, "willdelay", &p->will_properties, PROPERTY_WILL_DELAY_INTERVAL,
	       &p->will_properties.will_delay_interval);
	number(w, "willexpiry", &p->will_properties, PROPERTY_MESSAGE_EXPIRY_INTERVAL,
	       &p->will_properties.message_expiry_interval);
}

static size_t connect(struct words *w, uint8_t version, struct room room)
{
	struct connect p = {.version = version, .clean_start = flag(w, "clean")};
	uint32_t n;
	letter(w, 'v');
	properties_clear(&p.properties);
	properties_clear(&p.will_properties);
	const char *id = value(w, "id", 0), *keep = value(w, "keep", 0);
	p.client_id = id ? span_of_text(id) : SPAN_NONE;
	const char *name = value(w, "name", 0), *password = value(w, "pass", 0);
	p.has_user_name = name != NULL;
	p.has_password = password != NULL;
	p.user_name = name ? span_of_text(name) : SPAN_NONE;
	p.password = password ? span_of_text(password) : SPAN_NONE;
	p.keep_alive = keep ? (uint16_t)atoi(keep) : 0;
	number(w, "expiry", &p.properties, PROPERTY_SESSION_EXPIRY_INTERVAL,
	       &p.properties.session_expiry_interval);
	number(w, "size", &p.properties, PROPERTY_MAXIMUM_PACKET_SIZE,
	       &p.properties.maximum_packet_size);
	if (number(w, "rmax", &p.properties, PROPERTY_RECEIVE_MAXIMUM, &n))
		p.properties.receive_maximum = (uint16_t)n;
	if (number(w, "alias", &p.properties, PROPERTY_TOPIC_ALIAS_MAXIMUM, &n))
		p.properties.topic_alias_maximum = (uint16_t)n;
	if (flag(w, "noproblem")) {
		p.properties.present |= 1ull << PROPERTY_REQUEST_PROBLEM_INFORMATION;
		p.properties.request_problem_information = 0;
	}
	if (flag(w, "info")) {
		p.properties.present |= 1ull << PROPERTY_REQUEST_RESPONSE_INFORMATION;
		p.properties.request_response_information = 1;
	}
	add_will(w, &p);
	return connect_encode(&p, room);
}

static size_t publish(struct words *w, uint8_t version, struct room room)
{
	struct publish p = {.dup = flag(w, "dup"),
			    .retain = flag(w, "retain"),
			    .qos = (uint8_t)letter(w, 'q'),
			    .packet_id = (uint16_t)letter(w, 'm'),
			    .payload = text_or_letters(value(w, "p", 0))};
	const char *topic = value(w, "t", 0), *type = value(w, "type", 0);
	uint32_t alias;
	properties_clear(&p.properties);
	p.topic = topic ? span_of_text(topic) : SPAN_NONE;
	number(w, "expiry", &p.properties, PROPERTY_MESSAGE_EXPIRY_INTERVAL,
	       &p.properties.message_expiry_interval);
	number(w, "sid", &p.properties, PROPERTY_SUBSCRIPTION_IDENTIFIER,
	       &p.properties.subscription_identifier);
	if (number(w, "alias", &p.properties, PROPERTY_TOPIC_ALIAS, &alias))
		p.properties.topic_alias = (uint16_t)alias;
	if (type) {
		p.properties.present |= 1ull << PROPERTY_CONTENT_TYPE;
		p.properties.content_type = span_of_text(type);
	}
	p.properties.user = user_properties(w);
	return publish_encode(&p, version, room);
}

/* "a/#,q1,nl,rap,rh2": options stand behind the last commas. */
static struct span filter_of(const char *text, struct subscription_options *o)
{
	const char *comma = strchr(text, ',');
	size_t len = comma ? (size_t)(comma - text) : strlen(text);
	*o = (struct subscription_options){0};
	for (; comma; comma = strchr(comma + 1, ',')) {
		const char *option = comma + 1;
		if (option[0] == 'q')
			o->qos = (uint8_t)(option[1] - '0');
		else if (strncmp(option, "nl", 2) == 0)
			o->no_local = true;
		else if (strncmp(option, "rap", 3) == 0)
			o->retain_as_published = true;
		else if (strncmp(option, "rh", 2) == 0)
			o->retain_handling = (uint8_t)(option[2] - '0');
		else
			ASSERT(!"known option");
	}
	return span_of(text, len);
}

static size_t subscribe(struct words *w, uint8_t version, struct room room)
{
	struct subscribe p = {.packet_id = (uint16_t)letter(w, 'm')};
	struct room filters = {w->extra, sizeof(w->extra)};
	struct writer writer = writer_of(filters);
	struct subscription_options options;
	const char *text;
	properties_clear(&p.properties);
	number(w, "sid", &p.properties, PROPERTY_SUBSCRIPTION_IDENTIFIER,
	       &p.properties.subscription_identifier);
	for (unsigned n = 0; (text = value(w, "f", n)); n++) {
		struct span filter = filter_of(text, &options);
		subscribe_filter_encode(&writer, filter, &options);
	}
	p.filters = span_of(w->extra, writer_finish(&writer, filters));
	return subscribe_encode(&p, version, room);
}

static size_t unsubscribe(struct words *w, uint8_t version, struct room room)
{
	struct unsubscribe p = {.packet_id = (uint16_t)letter(w, 'm')};
	struct room filters = {w->extra, sizeof(w->extra)};
	struct writer writer = writer_of(filters);
	const char *text;
	properties_clear(&p.properties);
	for (unsigned n = 0; (text = value(w, "f", n)); n++)
		write_binary(&writer, span_of_text(text));
	p.filters = span_of(w->extra, writer_finish(&writer, filters));
	return unsubscribe_encode(&p, version, room);
}

static size_t disconnect(struct words *w, uint8_t version, struct room room)
{
	struct disconnect p = {0};
	const char *code = value(w, "rc", 0);
	properties_clear(&p.properties);
	p.reason_code = code ? (uint8_t)strtoul(code, NULL, 16) : 0;
	number(w, "expiry", &p.properties, PROPERTY_SESSION_EXPIRY_INTERVAL,
	       &p.properties.session_expiry_interval);
	return disconnect_encode(&p, version, room);
}

static size_t ack(struct words *w, uint8_t type, uint8_t version, struct room room)
{
	struct ack p = {.type = type, .packet_id = (uint16_t)letter(w, 'm')};
	const char *code = value(w, "rc", 0);
	properties_clear(&p.properties);
	p.reason_code = code ? (uint8_t)strtoul(code, NULL, 16) : 0;
	return ack_encode(&p, version, room);
}

static size_t raw(struct words *w, struct room room)
{
	size_t len = 0;
	letter(w, 'v');
	for (unsigned i = 1; i < w->count; i++) {
		if (w->is_used[i])
			continue;
		ASSERT(len < room.len);
		room.ptr[len++] = (uint8_t)strtoul(w->list[i], NULL, 16);
		w->is_used[i] = true;
	}
	return len;
}

static size_t encode(struct words *w, uint8_t version, struct room room)
{
	static const struct {
		const char *name;
		uint8_t type;
	} acks[] = {{"PUBACK", PACKET_PUBACK},
		    {"PUBREC", PACKET_PUBREC},
		    {"PUBREL", PACKET_PUBREL},
		    {"PUBCOMP", PACKET_PUBCOMP}};
	const char *name = w->list[0];
	for (unsigned i = 0; i < ARRAY_COUNT(acks); i++)
		if (strcmp(name, acks[i].name) == 0)
			return ack(w, acks[i].type, version, room);
	if (strcmp(name, "PINGREQ") == 0)
		return (size_t)(ping_encode(room.ptr, PACKET_PINGREQ) - room.ptr);
	if (strcmp(name, "CONNECT") == 0)
		return connect(w, version, room);
	if (strcmp(name, "PUBLISH") == 0)
		return publish(w, version, room);
	if (strcmp(name, "SUBSCRIBE") == 0)
		return subscribe(w, version, room);
	if (strcmp(name, "UNSUBSCRIBE") == 0)
		return unsubscribe(w, version, room);
	if (strcmp(name, "DISCONNECT") == 0)
		return disconnect(w, version, room);
	ASSERT(strcmp(name, "RAW") == 0);
	return raw(w, room);
}

size_t talk_encode(const char *text, uint8_t version, struct room room)
{
	struct words w;
	split(&w, text);
	size_t len = encode(&w, version, room);
	ASSERT(len > 0);
	for (unsigned i = 0; i < w.count; i++)
		if (!w.is_used[i]) {
			fprintf(stderr, "cannot make sense of '%s' in: %s\n", w.list[i], text);
			ASSERT(!"a word with a meaning");
		}
	return len;
}
