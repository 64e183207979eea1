/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/flag_table.h"

#include "base/mem.h"
#include "cli/format.h"
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

static bool take_port(struct options *o, const char *value)
{
	long long port;
	if (!read_number(value, 1, UINT16_MAX, &port)) {
		fprintf(stderr, "Error: Invalid port given: %s\n", value);
		return false;
	}
	o->port = (uint16_t)port;
	return true;
}

static bool refuse_both_ids(void)
{
	fprintf(stderr, "Error: -i and -I argument cannot be used together.\n\n");
	return false;
}

static bool take_id(struct options *o, const char *value)
{
	if (o->id_prefix)
		return refuse_both_ids();
	o->client_id = value;
	return is_utf8(value, "-i");
}

static bool take_id_prefix(struct options *o, const char *value)
{
	if (o->client_id)
		return refuse_both_ids();
	o->id_prefix = value;
	return is_utf8(value, "-I");
}

static bool take_keep_alive(struct options *o, const char *value)
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

static bool take_version(struct options *o, const char *value)
{
	static const struct {
		const char *name;
		uint8_t version;
	} versions[] = {{"31", MQTT_3_1},         {"mqttv31", MQTT_3_1}, {"311", MQTT_3_1_1},
			{"mqttv311", MQTT_3_1_1}, {"5", MQTT_5},         {"mqttv5", MQTT_5}};
	for (size_t i = 0; i < ARRAY_COUNT(versions); i++) {
		if (strcmp(versions[i].name, value) == 0) {
			o->version = versions[i].version;
			return true;
		}
	}
	fprintf(stderr, "Error: Invalid protocol version argument given.\n\n");
	return false;
}

static bool take_session_expiry(struct options *o, const char *value)
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

static bool take_inflight_max(struct options *o, const char *value)
{
	long long count;
	if (!read_number(value, 1, UINT16_MAX, &count)) {
		fprintf(stderr, "Error: Maximum inflight messages must be greater than 0.\n\n");
		return false;
	}
	o->inflight_max = (uint16_t)count;
	return true;
}

static bool take_will_topic(struct options *o, const char *value)
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

static bool take_will_qos(struct options *o, const char *value)
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

static bool take_qos(struct options *o, const char *value)
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

static bool take_topic(struct options *o, const char *value)
{
	if (!is_utf8(value, "-t"))
		return false;
	return o->tool == TOOL_PUB ? take_publish_topic(o, value)
				   : take_filter(&o->topics, value, "subscription");
}

static bool take_filtered_out(struct options *o, const char *value)
{
	return is_utf8(value, "-T") && take_filter(&o->filtered_out, value, "filter");
}

static bool take_unsubscribed(struct options *o, const char *value)
{
	return is_utf8(value, "-U") && take_filter(&o->unsubscribed, value, "unsubscribe");
}

static bool set_source(struct options *o, enum source source, const char *value)
{
	if (o->source != SOURCE_NONE) {
		fprintf(stderr, "Error: Only one type of message can be sent at once.\n\n");
		return false;
	}
	o->source = source;
	o->message = value;
	return true;
}

static bool take_message(struct options *o, const char *value)
{
	return set_source(o, SOURCE_MESSAGE, value);
}

static bool take_file(struct options *o, const char *value)
{
	return set_source(o, SOURCE_FILE, value);
}

static bool take_null(struct options *o, const char *value)
{
	return set_source(o, SOURCE_NULL, value);
}

static bool take_stdin(struct options *o, const char *value)
{
	return set_source(o, SOURCE_STDIN, value);
}

static bool take_lines(struct options *o, const char *value)
{
	return set_source(o, SOURCE_LINES, value);
}

static bool take_repeat(struct options *o, const char *value)
{
	long long count;
	if (!read_number(value, 1, UINT32_MAX, &count)) {
		fprintf(stderr, "Error: --repeat argument must be >0.\n\n");
		return false;
	}
	o->repeat_count = (uint32_t)count;
	return true;
}

static bool take_repeat_delay(struct options *o, const char *value)
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

static bool take_format(struct options *o, const char *value)
{
	o->format = value;
	return format_check(value);
}

static bool take_message_count(struct options *o, const char *value)
{
	long long count;
	if (!read_number(value, 1, UINT32_MAX, &count)) {
		fprintf(stderr, "Error: Invalid message count \"%s\".\n\n", value);
		return false;
	}
	o->message_count = (uint32_t)count;
	return true;
}

static bool take_timeout(struct options *o, const char *value)
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

/* mqtt://[user[:password]@]host[:port]/topic */
static bool take_url(struct options *o, const char *value)
{
	if (strncmp(value, "mqtts://", 8) == 0) {
		fprintf(stderr, "Error: mqtts:// is not supported yet: nightjar's clients have no "
				"TLS so far.\n\n");
		return false;
	}
	if (strncmp(value, "mqtt://", 7) != 0) {
		fprintf(stderr, "Error: unsupported URL scheme.\n\n");
		return false;
	}
	char *copy = mem_copy_text(span_of_text(value + 7));
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

#define BOTH (TOOL_PUB | TOOL_SUB)
#define FIELD(name) offsetof(struct options, name)

const struct flag_row flag_table[] = {
	{"-h", "--host", BOTH, FLAG_TEXT, FIELD(host), "host", NULL,
	 "the broker's name or address; localhost if not given"},
	{"-p", "--port", BOTH, FLAG_VALUE, 0, "port", take_port,
	 "the broker's port; 1883 if not given"},
	{NULL, "--unix", BOTH, FLAG_TEXT, FIELD(unix_path), "socket path", NULL,
	 "connect through this local socket instead"},
	{"-L", "--url", BOTH, FLAG_VALUE, 0, "URL", take_url,
	 "all at once: mqtt://[user[:password]@]host[:port]/topic"},
	{"-A", NULL, BOTH, FLAG_TEXT, FIELD(bind_address), "address", NULL,
	 "connect from this address of this machine"},
	{NULL, "--nodelay", BOTH, FLAG_ON, FIELD(has_no_delay), NULL, NULL,
	 "send small packets at once (TCP_NODELAY)"},
	{"-i", "--id", BOTH, FLAG_VALUE, 0, "id", take_id,
	 "the client id; if not given, the broker chooses one"},
	{"-I", "--id-prefix", BOTH, FLAG_VALUE, 0, "id prefix", take_id_prefix,
	 "the client id is this followed by the process id"},
	{"-u", "--username", BOTH, FLAG_TEXT, FIELD(user_name), "username", NULL, "user name"},
	{"-P", "--pw", BOTH, FLAG_TEXT, FIELD(password), "password", NULL, "password"},
	{"-k", "--keepalive", BOTH, FLAG_VALUE, 0, "keepalive", take_keep_alive,
	 "seconds of silence after which the broker is pinged; 60 if not given"},
	{"-V", "--protocol-version", BOTH, FLAG_VALUE, 0, "version", take_version,
	 "mqttv31, mqttv311 (if not given) or mqttv5"},
	{"-c", "--disable-clean-session", BOTH, FLAG_ON, FIELD(keeps_session), NULL, NULL,
	 "keep the session beyond this connection; needs -i"},
	{"-x", NULL, BOTH, FLAG_VALUE, 0, "session expiry interval", take_session_expiry,
	 "seconds the session outlives the connection (v5); -1: for ever"},
	{"-M", NULL, BOTH, FLAG_VALUE, 0, "max_inflight", take_inflight_max,
	 "QoS 1 and 2 messages under way at a time; 20 if not given"},
	{NULL, "--will-topic", BOTH, FLAG_VALUE, 0, "will topic", take_will_topic,
	 "the broker publishes to this topic when we are cut off"},
	{NULL, "--will-payload", BOTH, FLAG_TEXT, FIELD(will_payload), "will payload", NULL,
	 "what it publishes; nothing if not given"},
	{NULL, "--will-qos", BOTH, FLAG_VALUE, 0, "will QoS", take_will_qos, "at this QoS"},
	{NULL, "--will-retain", BOTH, FLAG_ON, FIELD(will_retain), NULL, NULL, "and retains it"},
	{"-D", "--property", BOTH, FLAG_PROPERTY, 0, NULL, NULL,
	 "command property value: adds a property (v5) to that packet"},
	{"-q", "--qos", BOTH, FLAG_VALUE, 0, "QoS", take_qos, "0 (if not given), 1 or 2"},

	{"-t", "--topic", BOTH, FLAG_VALUE, 0, "topic", take_topic,
	 "the topic; sub: a filter, may be repeated"},
	{"-m", "--message", TOOL_PUB, FLAG_VALUE, 0, "message", take_message, "publish this text"},
	{"-n", "--null-message", TOOL_PUB, FLAG_SWITCH, 0, NULL, take_null,
	 "publish an empty message"},
	{"-f", "--file", TOOL_PUB, FLAG_VALUE, 0, "file", take_file,
	 "publish the content of this file"},
	{"-s", "--stdin-file", TOOL_PUB, FLAG_SWITCH, 0, NULL, take_stdin,
	 "publish all of the standard input as one message"},
	{"-l", "--stdin-line", TOOL_PUB, FLAG_SWITCH, 0, NULL, take_lines,
	 "publish each line of the standard input"},
	{"-r", "--retain", TOOL_PUB, FLAG_ON, FIELD(retain), NULL, NULL,
	 "have the broker retain the message"},
	{NULL, "--repeat", TOOL_PUB, FLAG_VALUE, 0, "count", take_repeat,
	 "publish the message this many times"},
	{NULL, "--repeat-delay", TOOL_PUB, FLAG_VALUE, 0, "time", take_repeat_delay,
	 "seconds between the repetitions"},

	{"-v", "--verbose", TOOL_SUB, FLAG_ON, FIELD(is_verbose), NULL, NULL,
	 "print the topic in front of each message"},
	{"-F", NULL, TOOL_SUB, FLAG_VALUE, 0, "format", take_format,
	 "print each message in this format: %t topic, %p payload, ..."},
	{"-N", NULL, TOOL_SUB, FLAG_ON, FIELD(has_no_newline), NULL, NULL,
	 "print no end of line behind a message"},
	{"-C", NULL, TOOL_SUB, FLAG_VALUE, 0, "count", take_message_count,
	 "end after this many messages"},
	{"-W", NULL, TOOL_SUB, FLAG_VALUE, 0, "timeout", take_timeout,
	 "end after this many seconds, with status 27"},
	{"-E", NULL, TOOL_SUB, FLAG_ON, FIELD(exits_after_suback), NULL, NULL,
	 "end as soon as the subscriptions are made"},
	{"-T", "--filter-out", TOOL_SUB, FLAG_VALUE, 0, "topic filter", take_filtered_out,
	 "print no messages whose topic matches this filter"},
	{"-U", "--unsubscribe", TOOL_SUB, FLAG_VALUE, 0, "unsubscribe topic", take_unsubscribed,
	 "unsubscribe from this filter"},
	{"-R", NULL, TOOL_SUB, FLAG_ON, FIELD(skips_retained), NULL, NULL,
	 "print no retained messages"},
	{NULL, "--retained-only", TOOL_SUB, FLAG_ON, FIELD(wants_retained_only), NULL, NULL,
	 "print retained messages only, end at the first other one"},
	{NULL, "--remove-retained", TOOL_SUB, FLAG_ON, FIELD(removes_retained), NULL, NULL,
	 "have the broker drop the retained messages that come"},
	{NULL, "--retain-as-published", TOOL_SUB, FLAG_ON, FIELD(retains_as_published), NULL, NULL,
	 "see the retain flag as the publisher set it (v5)"},

	{"-d", "--debug", BOTH, FLAG_ON, FIELD(is_debug), NULL, NULL, "print every packet"},
	{NULL, "--quiet", BOTH, FLAG_ON, FIELD(is_quiet), NULL, NULL,
	 "print no errors of the connection"},
	{NULL, "--version", BOTH, FLAG_VERSION, 0, NULL, NULL, "print the version"},
	{NULL, "--help", BOTH, FLAG_HELP, 0, NULL, NULL, "print this"},

	{NULL, "--pretty", TOOL_SUB, FLAG_NOT_YET, 0, NULL, NULL, NULL},
	{NULL, "--random-filter", TOOL_SUB, FLAG_NOT_YET_VALUE, 0, "chance", NULL, NULL},
	{NULL, "--cafile", BOTH, FLAG_NOT_YET_VALUE, 0, "file", NULL, NULL},
	{NULL, "--capath", BOTH, FLAG_NOT_YET_VALUE, 0, "directory", NULL, NULL},
	{NULL, "--cert", BOTH, FLAG_NOT_YET_VALUE, 0, "file", NULL, NULL},
	{NULL, "--key", BOTH, FLAG_NOT_YET_VALUE, 0, "file", NULL, NULL},
	{NULL, "--keyform", BOTH, FLAG_NOT_YET_VALUE, 0, "keyform", NULL, NULL},
	{NULL, "--ciphers", BOTH, FLAG_NOT_YET_VALUE, 0, "ciphers", NULL, NULL},
	{NULL, "--insecure", BOTH, FLAG_NOT_YET, 0, NULL, NULL, NULL},
	{NULL, "--psk", BOTH, FLAG_NOT_YET_VALUE, 0, "key", NULL, NULL},
	{NULL, "--psk-identity", BOTH, FLAG_NOT_YET_VALUE, 0, "identity", NULL, NULL},
	{NULL, "--proxy", BOTH, FLAG_NOT_YET_VALUE, 0, "proxy url", NULL, NULL},
	{NULL, "--tls-alpn", BOTH, FLAG_NOT_YET_VALUE, 0, "protocol", NULL, NULL},
	{NULL, "--tls-engine", BOTH, FLAG_NOT_YET_VALUE, 0, "engine_id", NULL, NULL},
	{NULL, "--tls-engine-kpass-sha1", BOTH, FLAG_NOT_YET_VALUE, 0, "kpass sha1", NULL, NULL},
	{NULL, "--tls-use-os-certs", BOTH, FLAG_NOT_YET, 0, NULL, NULL, NULL},
	{NULL, "--tls-version", BOTH, FLAG_NOT_YET_VALUE, 0, "version", NULL, NULL},
};
const size_t flag_table_count = ARRAY_COUNT(flag_table);

static bool is_name(const char *name, const char *word)
{
	return name && strcmp(name, word) == 0;
}

const struct flag_row *flag_find(enum tool tool, const char *word)
{
	for (size_t i = 0; i < flag_table_count; i++) {
		const struct flag_row *row = &flag_table[i];
		if (row->tools & tool &&
		    (is_name(row->short_name, word) || is_name(row->long_name, word)))
			return row;
	}
	return NULL;
}
