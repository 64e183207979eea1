/* SPDX-License-Identifier: Apache-2.0 */
/* The options with a grammar of their own: listeners, and where which log lines go. */
#include "broker/broker.h"
#include "config/reading.h"

#include "base/mem.h"

struct config_listener listener_new(void)
{
	return (struct config_listener){
		.connections_max = -1,
		.qos_max = -1,
		.topic_alias_max = -1,
		.socket_mode = -1,
		.access = config_access_new(),
		.allow_anonymous_here = -1,
	};
}

bool option_is_of_listener(const struct config *c, const struct option *o)
{
	return o->target == OPTION_TO_LISTENER ||
	       (o->target == OPTION_TO_ACCESS && c->has_access_per_listener);
}

static char **text_member(const struct config_listener *l, const struct option *o)
{
	if (o->target == OPTION_TO_ACCESS && o->type == OPTION_TEXT)
		return (char **)((char *)(uintptr_t)&l->access + o->offset);
	/* what a special reader keeps is a number or a text, too */
	bool is_text = o->target == OPTION_TO_LISTENER &&
		       (o->type == OPTION_TEXT ||
			(o->type == OPTION_SPECIAL && o->size == sizeof(char *)));
	return is_text ? (char **)((char *)(uintptr_t)l + o->offset) : NULL;
}

static bool has_text(const struct config_listener *l)
{
	for (size_t i = 0; i < option_count(); i++) {
		char **text = text_member(l, option_at(i));
		if (text && *text)
			return true;
	}
	return false;
}

void listener_release(struct config_listener *l)
{
	for (size_t i = 0; i < option_count(); i++) {
		char **text = text_member(l, option_at(i));
		if (!text)
			continue;
		mem_free(*text);
		*text = NULL;
	}
	mem_free(l->address);
	mem_free(l->given);
	l->address = NULL;
	l->given = NULL;
}

int listener_copy(struct config_listener *l, const struct config_listener *from)
{
	int rc = 0;
	*l = *from;
	l->address = NULL;
	for (size_t i = 0; i < option_count(); i++) {
		char **text = text_member(l, option_at(i));
		if (!text || !*text)
			continue;
		*text = rc == 0 ? mem_copy_text(span_of_text(*text)) : NULL;
		if (!*text)
			rc = ERROR_NO_MEMORY;
	}
	l->given = NULL;
	if (rc == 0 && from->given) {
		l->given = mem_alloc(OPTION_COUNT_MAX * sizeof(*l->given));
		if (l->given)
			memcpy(l->given, from->given, OPTION_COUNT_MAX * sizeof(*l->given));
		else
			rc = ERROR_NO_MEMORY;
	}
	if (rc)
		listener_release(l);
	return rc;
}

bool listener_is_plain(const struct config_listener *l)
{
	static const struct listener_limits no_limits;
	return l->answer == ANSWER_USUAL && l->connections_max <= 0 && l->qos_max < 0 &&
	       l->topic_alias_max < 0 && l->family == SOCKET_FAMILY_ANY && l->socket_mode < 0 &&
	       !l->is_named_by_user && !l->takes_peers_name && l->refused_versions == 0 &&
	       l->allow_anonymous_here < 0 && l->proxy_version == 0 && !l->proxy_must_have_tls &&
	       !l->tls.ignores_dates && config_access_is_plain(&l->access) &&
	       l->protocol == CONFIG_PROTOCOL_MQTT && !l->trusts_forwarded && !l->has_proxy &&
	       !l->tls.requires_certificate && !l->tls.uses_identity && !l->tls.uses_subject &&
	       !l->tls.has_no_tickets && !l->tls.leaves_records &&
	       memcmp(&l->limits, &no_limits, sizeof(no_limits)) == 0 && !has_text(l);
}

static int read_port(const struct reading *r, struct span word, uint16_t *port_out)
{
	int64_t port;
	if (!number_read(word, &port))
		return reading_refuse_value(r, "has no port number from 0 to 65535");
	if (port < 0 || port > UINT16_MAX)
		return reading_refuse_value(r, "has a port that is not between 0 and 65535");
	*port_out = (uint16_t)port;
	return 0;
}

/* "listener 1883", "listener 1883 192.168.1.10" */
static int read_listener(struct reading *r)
{
	struct config *c = r->config;
	struct config_listener l = listener_new();
	struct span rest = r->value, port = word_take(&rest), address = word_take(&rest);
	l.place = reading_here(r);
	if (rest.len > 0 && address.ptr[0] != '/')
		return reading_refuse_value(r, "is more than a port and an address");
	if (c->listener_count == CONFIG_LISTENERS_MAX)
		return reading_refuse(r, "more than %d listeners", CONFIG_LISTENERS_MAX);
	if (rest.len > 0) /* a path may hold blanks */
		address.len = (size_t)(rest.ptr + rest.len - address.ptr);
	int rc = read_port(r, port, &l.port);
	if (rc == 0 && l.port != 0 && address.len > 0 && address.ptr[0] == '/')
		return reading_refuse_value(
			r, "names a Unix socket, which has no port: write 0 in its place");
	if (rc == 0 && address.len > 0)
		rc = keep_text(&l.address, address);
	if (rc)
		return rc;
	c->listeners[c->listener_count++] = l;
	c->current_listener = c->listener_count;
	return 0;
}

static int read_default_port(struct reading *r)
{
	struct config_listener *l = &r->config->default_listener;
	uint16_t port = 0;
	int rc = read_port(r, r->value, &port);
	if (rc)
		return rc;
	if (r->line > 0 && r->config->has_port && l->port != port)
		return reading_refuse_value(r, "is a second port: write listener lines instead");
	r->config->has_port = true;
	l->port = port;
	return 0;
}

static int read_default_address(struct reading *r)
{
	struct config_listener *l = &r->config->default_listener;
	struct span rest = r->value, address = word_take(&rest);
	if (rest.len > 0)
		return reading_refuse_value(r, "is more than an address");
	if (r->line > 0 && l->address && !text_is(address, l->address))
		return reading_refuse_value(r, "is a second address: write listener lines instead");
	r->config->has_address = true;
	return keep_text(&l->address, address);
}

static int read_log_file(struct reading *r, struct span path)
{
	struct config *c = r->config;
	if (path.len == 0)
		return reading_refuse_value(
			r, "lacks the path, as in: log_dest file /var/log/nightjar.log");
	if (c->log_file && !text_is(path, c->log_file))
		return reading_refuse_value(r, "is a second file: only one can be written");
	c->log_destinations |= LOG_TO_FILE;
	return keep_text(&c->log_file, path);
}

static const struct {
	const char *word;
	unsigned bit;
} destinations[] = {
	{"stderr", LOG_TO_STDERR}, {"stdout", LOG_TO_STDOUT},    {"syslog", LOG_TO_SYSLOG},
	{"file", LOG_TO_FILE},     {"journald", LOG_TO_JOURNAL}, {"topic", LOG_TO_TOPIC},
};

const char *log_destination_word(unsigned bit)
{
	size_t i = 0;
	while (i + 1 < ARRAY_COUNT(destinations) && destinations[i].bit != bit)
		i++;
	return destinations[i].word;
}

/* 0: the word is none of them. */
static unsigned destination_of(struct span word)
{
	for (size_t i = 0; i < ARRAY_COUNT(destinations); i++)
		if (text_is(word, destinations[i].word))
			return destinations[i].bit;
	return 0;
}

static int read_log_destination(struct reading *r)
{
	struct span rest = r->value, word = word_take(&rest);
	if (text_is(word, "file"))
		return read_log_file(r, rest);
	if (rest.len > 0)
		return reading_refuse_value(r, "is more than one place: write one line for each");
	if (destination_of(word))
		r->config->log_destinations |= destination_of(word);
	else if (text_is(word, "none"))
		r->config->has_log_none = true;
	else if (text_is(word, "dlt") || text_is(word, "android"))
		return reading_refuse_value(
			r, "is a log of other systems, which this version does not write: use "
			   "syslog, journald or a file, which their programs can read");
	else
		return reading_refuse_value(r, "is none of %s", r->option->value);
	if (r->config->has_log_none && r->config->log_destinations != 0)
		return reading_refuse_value(r, "and another place exclude each other");
	return 0;
}

static const struct {
	const char *word;
	unsigned types;
} log_words[] = {
	{"error", LOG_TYPE_ERROR},
	{"warning", LOG_TYPE_WARNING},
	{"notice", LOG_TYPE_NOTICE},
	{"information", LOG_TYPE_INFORMATION},
	{"debug", LOG_TYPE_DEBUG},
	{"subscribe", LOG_TYPE_SUBSCRIBE},
	{"unsubscribe", LOG_TYPE_UNSUBSCRIBE},
	{"all", LOG_TYPES_ALL & ~(unsigned)LOG_TYPE_CONNECTION},
	{"none", 0},
};

static int read_log_type(struct reading *r)
{
	struct config *c = r->config;
	size_t i = 0;
	while (i < ARRAY_COUNT(log_words) && !text_is(r->value, log_words[i].word))
		i++;
	if (text_is(r->value, "websockets") || text_is(r->value, "internal")) {
		reading_notice(r, "'%.*s' has no effect: no line is of this type",
			       (int)r->value.len, (const char *)r->value.ptr);
		return 0;
	}
	if (i == ARRAY_COUNT(log_words))
		return reading_refuse_value(r, "is none of %s", r->option->value);
	c->log_types |= log_words[i].types;
	c->has_log_type_none |= log_words[i].types == 0;
	if (c->has_log_type_none && c->log_types != 0)
		return reading_refuse_value(r, "and another type exclude each other");
	return 0;
}

struct config_listener *reading_listener(const struct reading *r)
{
	struct config *c = r->config;
	return c->current_listener == 0 ? &c->default_listener
					: &c->listeners[c->current_listener - 1];
}

/* "0660": three digits of the octal system, perhaps with a 0 before. */
static int read_socket_mode(struct reading *r)
{
	struct config_listener *l = reading_listener(r);
	int32_t mode = 0;
	bool is_mode = r->value.len >= 3 && r->value.len <= 4;
	for (size_t i = 0; i < r->value.len && is_mode; i++) {
		uint8_t digit = r->value.ptr[i];
		is_mode = digit >= '0' && digit <= '7';
		mode = mode * 8 + digit - '0';
	}
	if (!is_mode || mode > 0777)
		return reading_refuse_value(r, "is no mode from 000 to 777, as in 0660");
	if (l->socket_mode >= 0 && l->socket_mode != mode)
		return reading_refuse_value(r, "contradicts a line above");
	l->socket_mode = mode;
	return 0;
}

/* "3, 4": the rest is refused. 3 is MQTT 3.1, 4 is 3.1.1. */
static int read_versions(struct reading *r)
{
	struct config_listener *l = reading_listener(r);
	const uint8_t all = 1 << 3 | 1 << 4 | 1 << 5;
	uint8_t accepted = 0;
	bool is_number_due = true;
	for (size_t i = 0; i < r->value.len; i++) {
		uint8_t byte = r->value.ptr[i];
		if (is_number_due ? byte >= '3' && byte <= '5' : byte == ',') {
			accepted |= is_number_due ? (uint8_t)(1 << (byte - '0')) : 0;
			is_number_due = !is_number_due;
		} else if (byte != ' ' && byte != '\t') {
			is_number_due = true;
			break;
		}
	}
	if (is_number_due)
		return reading_refuse_value(r, "is no list of 3, 4 and 5 with commas, as in: 4, 5");
	if (l->refused_versions != 0 && l->refused_versions != (all & ~accepted))
		return reading_refuse_value(r, "contradicts a line above");
	l->refused_versions = all & (uint8_t)~accepted;
	return 0;
}

/* Below a `listener` line: only about those who publish there. */
static int read_listener_durability(struct reading *r)
{
	struct config_listener *l = &r->config->listeners[r->config->current_listener - 1];
	uint8_t answer = text_is(r->value, "off") ? ANSWER_AT_ONCE : ANSWER_WHEN_DURABLE;
	if (!text_is(r->value, "off") && !text_is(r->value, "always"))
		return reading_refuse_value(
			r, "is neither off nor always, as it must be below a listener: for the "
			   "whole broker it stands above all of them");
	if (l->answer != ANSWER_USUAL && l->answer != answer)
		return reading_refuse_value(r, "contradicts a line above");
	l->answer = answer;
	return 0;
}

/* "interval 100" */
static bool interval_read(struct span text, uint32_t *interval_ms_out)
{
	struct span rest = text, word = word_take(&rest), number = word_take(&rest);
	int64_t value;
	if (!text_is(word, "interval") || rest.len > 0 || !number_read(number, &value))
		return false;
	*interval_ms_out = value >= 1 && value <= 60000 ? (uint32_t)value : 0;
	return *interval_ms_out > 0;
}

static int read_durability(struct reading *r)
{
	struct config *c = r->config;
	struct config_store *s = &c->store;
	uint32_t interval_ms = 0;
	uint8_t durability;
	if (c->current_listener > 0)
		return read_listener_durability(r);
	if (text_is(r->value, "always"))
		durability = DURABILITY_ALWAYS;
	else if (text_is(r->value, "off"))
		durability = DURABILITY_OFF;
	else if (interval_read(r->value, &interval_ms))
		durability = DURABILITY_INTERVAL;
	else
		return reading_refuse_value(
			r, "is none of always, off, and interval with 1 to 60000 milliseconds");
	if (c->has_durability && (s->durability != durability || s->interval_ms != interval_ms))
		return reading_refuse_value(r, "contradicts a line above");
	c->has_durability = true;
	s->durability = durability;
	s->interval_ms = interval_ms;
	return 0;
}

int read_special(struct reading *r)
{
	static const struct {
		const char *name;
		int (*read)(struct reading *r);
	} readers[] = {
		{"listener", read_listener},
		{"port", read_default_port},
		{"bind_address", read_default_address},
		{"socket_mode", read_socket_mode},
		{"accept_protocol_versions", read_versions},
		{"tls_certificate", read_tls_certificate},
		{"log_dest", read_log_destination},
		{"log_type", read_log_type},
		{"durability", read_durability},
		{"include_dir", read_include_dir},
	};
	for (size_t i = 0; i < ARRAY_COUNT(readers); i++) {
		if (text_is(r->name, readers[i].name))
			return readers[i].read(r);
	}
	ASSERT(!"an option of the table has no reader");
	return ERROR_INVALID;
}
