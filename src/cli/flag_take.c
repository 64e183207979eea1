/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/flag_take.h"

#include "base/mem.h"
#include "cli/format.h"
#include "mqtt/packets.h"
#include "mqtt/topic.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* A message must fit a PUBLISH; the least that goes with it is not looked at so closely here. */
#define UNLIMITED_EXPIRY UINT32_MAX

static bool read_number(const char *text, long long min, long long max, long long *number_out)
{
	char *end;
	errno = 0;
	long long number = strtoll(text, &end, 10);
	if (end == text || *end != '\0' || errno == ERANGE || number < min || number > max)
		return false;
	*number_out = number;
	return true;
}

static bool is_utf8(const char *value, const char *name)
{
	if (utf8_is_valid(span_of_text(value)) && strlen(value) <= UINT16_MAX)
		return true;
	fprintf(stderr, "Error: Malformed UTF-8 in %s argument.\n\n", name);
	return false;
}

static bool add_text(struct text_list *list, const char *text)
{
	const char **items = mem_realloc(list->items, (list->count + 1) * sizeof(*items));
	if (!items) {
		fprintf(stderr, "Error: Out of memory.\n");
		return false;
	}
	items[list->count] = text;
	list->items = items;
	list->count++;
	return true;
}

/* --- connection --- */

bool take_port(struct options *o, const char *value)
{
	long long port;
	if (!read_number(value, 1, UINT16_MAX, &port)) {
		fprintf(stderr, "Error: Invalid port given: %s\n", value);
		return false;
	}
	o->port = (uint16_t)port;
	return true;
}

bool take_fallback(struct options *o, const char *value)
{
	return add_text(&o->fallbacks, value);
}

static bool refuse_both_ids(void)
{
	fprintf(stderr, "Error: -i and -I argument cannot be used together.\n\n");
	return false;
}

bool take_id(struct options *o, const char *value)
{
	if (o->id_prefix)
		return refuse_both_ids();
	o->client_id = value;
	return is_utf8(value, "-i");
}

bool take_id_prefix(struct options *o, const char *value)
{
	if (o->client_id)
		return refuse_both_ids();
	o->id_prefix = value;
	return is_utf8(value, "-I");
}

bool take_keep_alive(struct options *o, const char *value)
{
	long long seconds;
	if (!read_number(value, 5, UINT16_MAX, &seconds)) {
		fprintf(stderr, "Error: Invalid keepalive given, it must be between 5 and 65535 "
				"inclusive.\n\n");
		return false;
	}
	o->keep_alive = (uint16_t)seconds;
	return true;
}

bool take_version(struct options *o, const char *value)
{
	static const struct {
		const char *name;
		uint8_t version;
	} versions[] = {{"31", NJ_MQTT_3_1},    {"mqttv31", NJ_MQTT_3_1},
			{"311", NJ_MQTT_3_1_1}, {"mqttv311", NJ_MQTT_3_1_1},
			{"5", NJ_MQTT_5},       {"mqttv5", NJ_MQTT_5}};
	for (size_t i = 0; i < ARRAY_COUNT(versions); i++) {
		if (strcmp(versions[i].name, value) == 0) {
			o->version = versions[i].version;
			return true;
		}
	}
	fprintf(stderr, "Error: Invalid protocol version argument given.\n\n");
	return false;
}

bool take_session_expiry(struct options *o, const char *value)
{
	long long seconds;
	o->has_session_expiry = true;
	o->session_expiry = UNLIMITED_EXPIRY;
	if (strcmp(value, "-1") == 0 || strcmp(value, "∞") == 0)
		return true;
	if (read_number(value, 0, UINT32_MAX, &seconds)) {
		o->session_expiry = (uint32_t)seconds;
		return true;
	}
	bool is_number = read_number(value, INT64_MIN, INT64_MAX, &seconds);
	fprintf(stderr, is_number ? "Error: session-expiry-interval out of range.\n\n"
				  : "Error: session-expiry-interval not a number.\n\n");
	return false;
}

bool take_inflight_max(struct options *o, const char *value)
{
	long long count;
	if (!read_number(value, 1, UINT16_MAX, &count)) {
		fprintf(stderr, "Error: Maximum inflight messages must be greater than 0.\n\n");
		return false;
	}
	o->inflight_max = (uint16_t)count;
	return true;
}

bool take_will_topic(struct options *o, const char *value)
{
	if (!is_utf8(value, "--will-topic"))
		return false;
	if (!topic_name_is_valid(span_of_text(value))) {
		fprintf(stderr, "Error: Invalid will topic '%s', does it contain '+' or '#'?\n",
			value);
		return false;
	}
	o->will_topic = value;
	return true;
}

bool take_will_qos(struct options *o, const char *value)
{
	long long qos;
	if (!read_number(value, 0, QOS_MAX, &qos)) {
		fprintf(stderr, "Error: Invalid will QoS %s.\n\n", value);
		return false;
	}
	o->will_qos = (uint8_t)qos;
	return true;
}

/* --- messages and subscriptions --- */

bool take_qos(struct options *o, const char *value)
{
	long long qos;
	if (!read_number(value, 0, QOS_MAX, &qos)) {
		fprintf(stderr, "Error: Invalid QoS given: %s\n", value);
		return false;
	}
	o->qos = (uint8_t)qos;
	return true;
}

static bool take_publish_topic(struct options *o, const char *value)
{
	if (!topic_name_is_valid(span_of_text(value))) {
		fprintf(stderr, "Error: Invalid publish topic '%s', does it contain '+' or '#'?\n",
			value);
		return false;
	}
	return add_text(&o->topics, value);
}

static bool take_filter(struct text_list *list, const char *value, const char *what)
{
	if (!topic_filter_is_valid(span_of_text(value))) {
		fprintf(stderr,
			"Error: Invalid %s topic '%s', are all '+' and '#' wildcards correct?\n",
			what, value);
		return false;
	}
	return add_text(list, value);
}

bool take_topic(struct options *o, const char *value)
{
	if (!is_utf8(value, "-t"))
		return false;
	return o->tool == TOOL_SUB ? take_filter(&o->topics, value, "subscription")
				   : take_publish_topic(o, value);
}

bool take_filtered_out(struct options *o, const char *value)
{
	return is_utf8(value, "-T") && take_filter(&o->filtered_out, value, "filter");
}

bool take_unsubscribed(struct options *o, const char *value)
{
	return is_utf8(value, "-U") && take_filter(&o->unsubscribed, value, "unsubscribe");
}

static bool set_source(struct options *o, enum source source, const char *value)
{
	if (o->source != SOURCE_NONE && !o->has_source_by_file) {
		fprintf(stderr, "Error: Only one type of message can be sent at once.\n\n");
		return false;
	}
	o->has_source_by_file = false;
	o->source = source;
	o->message = value;
	return true;
}

bool take_message(struct options *o, const char *value)
{
	return set_source(o, SOURCE_MESSAGE, value);
}

bool take_file(struct options *o, const char *value)
{
	return set_source(o, SOURCE_FILE, value);
}

bool take_null(struct options *o, const char *value)
{
	return set_source(o, SOURCE_NULL, value);
}

bool take_stdin(struct options *o, const char *value)
{
	return set_source(o, SOURCE_STDIN, value);
}

bool take_lines(struct options *o, const char *value)
{
	return set_source(o, SOURCE_LINES, value);
}

bool take_repeat(struct options *o, const char *value)
{
	long long count;
	if (!read_number(value, 1, UINT32_MAX, &count)) {
		fprintf(stderr, "Error: --repeat argument must be >0.\n\n");
		return false;
	}
	o->repeat_count = (uint32_t)count;
	return true;
}

bool take_repeat_delay(struct options *o, const char *value)
{
	char *end;
	double seconds = strtod(value, &end);
	const double seconds_max = 4e6; /* so that milliseconds fit; a month and a half */
	if (end == value || *end != '\0' || !(seconds >= 0.0 && seconds <= seconds_max)) {
		fprintf(stderr, "Error: --repeat-delay argument must be >=0.0.\n\n");
		return false;
	}
	o->repeat_delay_ms = (uint32_t)(seconds * 1000.0);
	return true;
}

bool take_format(struct options *o, const char *value)
{
	o->format = value;
	return format_check(value);
}

bool take_json_lines(struct options *o, const char *value)
{
	return set_source(o, SOURCE_JSON, value);
}

bool take_rate(struct options *o, const char *value)
{
	char *end;
	double rate = strtod(value, &end);
	const double rate_max = 1e6; /* as fast as clocks of milliseconds can pace it */
	if (end == value || *end != '\0' || !(rate >= 0.001 && rate <= rate_max)) {
		fprintf(stderr, "Error: --rate takes messages a second, 0.001 to 1000000.\n\n");
		return false;
	}
	o->rate = rate;
	return true;
}

static bool take_count(const char *name, const char *value, uint32_t max, uint32_t *count_out)
{
	long long count;
	if (!read_number(value, 1, max, &count)) {
		fprintf(stderr, "Error: %s takes a number from 1 to %u.\n\n", name, max);
		return false;
	}
	*count_out = (uint32_t)count;
	return true;
}

bool take_until(struct options *o, const char *value)
{
	return take_count("--until", value, UINT32_MAX, &o->until_count);
}

bool take_request_count(struct options *o, const char *value)
{
	const uint32_t count_max = 10000000; /* their times stay in memory: 40 MB */
	return take_count("--count", value, count_max, &o->request_count);
}

bool take_interval(struct options *o, const char *value)
{
	char *end;
	double seconds = strtod(value, &end);
	const double seconds_max = 4e6; /* so that milliseconds fit; a month and a half */
	if (end == value || *end != '\0' || !(seconds >= 0.0 && seconds <= seconds_max)) {
		fprintf(stderr, "Error: --interval takes seconds, 0 or more.\n\n");
		return false;
	}
	o->interval_ms = (uint32_t)(seconds * 1000.0);
	return true;
}

/* The first of two words says how; it has been looked at. */
bool take_ack_command(struct options *o, const char *value)
{
	o->ack_command = value;
	return true;
}

bool take_json(struct options *o, const char *value)
{
	(void)value;
	o->format = "%j";
	return true;
}

bool take_random_filter(struct options *o, const char *value)
{
	char *end;
	double percent = strtod(value, &end);
	if (end == value || *end != '\0' || !(percent >= 0.1)) {
		fprintf(stderr, "Error: --random-filter chance must be between 0.1-100.0\n\n");
		return false;
	}
	o->random_filter = (uint16_t)(percent < 100.0 ? percent * 10.0 : 1000);
	return true;
}

bool take_retain_handling(struct options *o, const char *value)
{
	static const char *const names[] = {[RETAIN_SEND_ALWAYS] = "always",
					    [RETAIN_SEND_IF_NEW] = "new",
					    [RETAIN_SEND_NEVER] = "never"};
	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		if (strcmp(names[i], value) == 0) {
			o->retain_handling = (uint8_t)i;
			return true;
		}
	}
	fprintf(stderr, "Error: --retain-handling %s is none of always, new and never.\n", value);
	return false;
}

bool take_response_topic(struct options *o, const char *value)
{
	if (!is_utf8(value, "-e"))
		return false;
	if (!topic_name_is_valid(span_of_text(value))) {
		fprintf(stderr, "Error: Invalid response topic '%s', does it contain '+' or '#'?\n",
			value);
		return false;
	}
	o->response_topic = value;
	return true;
}

bool take_message_count(struct options *o, const char *value)
{
	long long count;
	if (!read_number(value, 1, UINT32_MAX, &count)) {
		fprintf(stderr, "Error: Invalid message count \"%s\".\n\n", value);
		return false;
	}
	o->message_count = (uint32_t)count;
	return true;
}

bool take_timeout(struct options *o, const char *value)
{
	long long seconds;
	if (!read_number(value, 1, UINT32_MAX, &seconds)) {
		fprintf(stderr, "Error: Invalid timeout \"%s\".\n\n", value);
		return false;
	}
	o->timeout_s = (uint32_t)seconds;
	return true;
}

/* --- -L --- */

static char *cut(char *text, char at)
{
	char *found = text ? strchr(text, at) : NULL;
	if (found)
		*found++ = '\0';
	return found;
}

/* host[:port], the host perhaps an IPv6 address in brackets. */
static bool take_authority(struct options *o, char *host)
{
	char *port = host;
	if (host[0] == '[' && strchr(host, ']')) {
		host++;
		port = cut(host, ']');
	}
	o->host = host;
	port = cut(port, ':');
	return !port || take_port(o, port);
}

static bool take_scheme(struct options *o, struct span scheme)
{
	static const struct {
		struct span name;
		bool is_encrypted, is_websocket;
	} schemes[] = {{SPAN_LITERAL("mqtt"), false, false},
		       {SPAN_LITERAL("mqtts"), true, false},
		       {SPAN_LITERAL("ws"), false, true},
		       {SPAN_LITERAL("wss"), true, true}};
	for (size_t i = 0; i < ARRAY_COUNT(schemes); i++) {
		if (!span_is_equal(schemes[i].name, scheme))
			continue;
		o->tls.has_scheme = schemes[i].is_encrypted;
		o->has_websocket = schemes[i].is_websocket;
		return true;
	}
	return false;
}

/* mqtt[s]://[user[:password]@]host[:port]/topic, or ws[s]:// */
bool take_url(struct options *o, const char *value)
{
	const char *rest = strstr(value, "://");
	if (!rest || !take_scheme(o, span_of(value, (size_t)(rest - value)))) {
		fprintf(stderr, "Error: unsupported URL scheme.\n\n");
		return false;
	}
	char *copy = mem_copy_text(span_of_text(rest + 3));
	if (!copy || o->owned_count == ARRAY_COUNT(o->owned)) {
		mem_free(copy);
		fprintf(stderr, "Error: Out of memory.\n");
		return false;
	}
	o->owned[o->owned_count++] = copy;
	char *topic = cut(copy, '/');
	if (!topic) {
		fprintf(stderr, "Error: Invalid URL for -L argument specified - topic missing.\n");
		return false;
	}
	char *host = cut(copy, '@');
	if (host) {
		o->password = cut(copy, ':');
		o->user_name = copy;
	} else {
		host = copy;
	}
	return take_authority(o, host) && take_topic(o, topic);
}
