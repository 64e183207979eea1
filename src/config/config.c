/* SPDX-License-Identifier: Apache-2.0 */
/* The beginning and the end of a configuration: defaults, and what follows from what was said. */
#include "config/config.h"

#include "base/mem.h"
#include "broker/broker.h"
#include "config/reading.h"
#include "mqtt/topic.h"

#define DEFAULT_PORT 1883

void config_init(struct config *c)
{
	*c = (struct config){
		.log_facility = -1,
		.log_timestamp = true,
		.connection_messages = true,
		/* a turn's output of a connection is one write: nothing is left to collect */
		.tcp_nodelay = true,
		.seccomp = SECCOMP_REFUSES,
		.log_rate_max = 1000,
		.reloads_on_change = true,
		.store = {.is_wanted = true, .budget_bytes_per_day = -1},
		.default_listener = listener_new(),
		.access = config_access_new(),
		.source = config_source_of_disk(),
	};
	settings_init(&c->settings);
	c->limit_ipv6_prefix = c->settings.limits.ipv6_prefix;
}

void config_release(struct config *c)
{
	for (size_t i = 0; i < c->listener_count; i++)
		listener_release(&c->listeners[i]);
	listener_release(&c->default_listener);
	for (size_t i = 0; i < c->closed_count; i++)
		listener_release(&c->closed[i]);
	mem_free(c->closed);
	config_access_release(&c->access);
	mem_free(c->store.path);
	mem_free(c->pid_file);
	mem_free(c->limit_exempt);
	mem_free(c->user);
	mem_free(c->log_file);
	mem_free(c->log_timestamp_format);
	mem_free(c->response_information);
	mem_free(c->key_log_file);
	for (size_t i = 0; i < c->file_count; i++)
		mem_free(c->files[i].name);
	mem_free(c->files);
	for (size_t i = 0; i < c->include_dir_count; i++)
		mem_free(c->include_dirs[i]);
	mem_free(c->include_dirs);
	*c = (struct config){0};
}

/* A listener's option on the command line is meant for all of them. */
static int set_for_all_listeners(struct reading *r)
{
	int rc = 0;
	for (size_t i = 0; i <= r->config->listener_count && rc == 0; i++) {
		r->config->current_listener = i;
		rc = reading_apply(r);
	}
	return rc;
}

int config_set(struct config *c, const char *name, const char *value, struct config_report *report)
{
	struct reading r = {.config = c,
			    .report = report,
			    .name = span_of_text(name),
			    .value = text_trim(span_of_text(value))};
	const struct option *option = option_named(r.name);
	int rc = option && option->target == OPTION_TO_LISTENER ? set_for_all_listeners(&r)
								: reading_apply(&r);
	return report->is_out_of_memory ? ERROR_NO_MEMORY : rc;
}

int config_add_port(struct config *c, const char *port, struct config_report *report)
{
	struct reading r = {.config = c,
			    .report = report,
			    .name = SPAN_LITERAL("-p"),
			    .value = span_of_text(port)};
	int64_t number;
	if (!number_read(r.value, &number) || number < 0 || number > UINT16_MAX)
		return reading_refuse_value(&r, "is no port from 0 to 65535");
	if (c->port_count == CONFIG_LISTENERS_MAX)
		return reading_refuse(&r, "more than %d ports", CONFIG_LISTENERS_MAX);
	c->ports[c->port_count++] = (uint16_t)number;
	return 0;
}

void config_set_verbose(struct config *c)
{
	c->is_verbose = true;
}

void config_set_quiet(struct config *c)
{
	c->is_quiet = true;
}

int config_set_key_log(struct config *c, const char *path)
{
	return keep_text(&c->key_log_file, span_of_text(path));
}

void config_ignore_stray_ports(struct config *c)
{
	c->ignores_stray_ports = true;
}

static bool is_given(const struct config *c, const char *name)
{
	return c->given[option_index(option_named(span_of_text(name)))].is_given;
}

struct reading reading_place(struct config *c, struct config_report *report,
			     struct config_place place, const char *name)
{
	return (struct reading){.config = c,
				.report = report,
				.line = place.line,
				.file_index = place.file,
				.file = place.line > 0 ? c->files[place.file].name : NULL,
				.name = span_of_text(name)};
}

/* Where an option of the broker was said, for messages. */
static struct reading reading_option(struct config *c, struct config_report *report,
				     const char *name)
{
	const struct option *o = option_named(span_of_text(name));
	return reading_place(c, report, c->given[option_index(o)], name);
}

/* The default listener takes the last place; it is there when its port or address was named. */
static void add_default_listener(struct config *c, struct config_report *report)
{
	struct config_listener *l = &c->default_listener;
	if (c->listener_count == CONFIG_LISTENERS_MAX) {
		struct reading r = reading_place(c, report, l->place, "listener");
		reading_refuse(&r, "more than %d listeners", CONFIG_LISTENERS_MAX);
		return;
	}
	if (!c->has_port)
		l->port = c->port_count > 0 ? c->ports[0] : DEFAULT_PORT;
	c->listeners[c->listener_count++] = *l;
	*l = listener_new();
}

static void add_loopback_listener(struct config *c, uint16_t port, struct config_report *report)
{
	struct config_listener *l = &c->listeners[c->listener_count];
	if (listener_copy(l, &c->default_listener) != 0) {
		report->is_out_of_memory = true;
		return;
	}
	c->listener_count++;
	l->port = port;
	l->is_loopback = true;
}

static void add_loopback_listeners(struct config *c, struct config_report *report)
{
	for (size_t i = 0; i < c->port_count; i++)
		add_loopback_listener(c, c->ports[i], report);
	if (c->port_count == 0)
		add_loopback_listener(c, DEFAULT_PORT, report);
	if (c->file_count > 0)
		report_notice(report, "No listener is configured: only this machine can connect. "
				      "A line like \"listener 1883\" opens the broker to others.");
}

static bool is_default_used(const struct config *c)
{
	return c->has_port || c->has_address || c->default_listener.interface;
}

/* -p has no place beside ports of the file: mosquitto ignores it there without a word. */
static void check_ports(struct config *c, struct config_report *report)
{
	bool is_named = c->listener_count > 0 || c->has_port;
	if (c->port_count == 0 || !(is_named || (is_default_used(c) && c->port_count > 1)))
		return;
	if (c->ignores_stray_ports) {
		report_notice(report, "-p is ignored: the configuration names its ports itself.");
		return;
	}
	struct reading r = reading_place(c, report, (struct config_place){0}, "-p");
	reading_refuse(&r, "%s names its ports itself: leave -p out, or change it there",
		       c->file_count > 0 ? c->files[0].name : "the configuration");
}

/* mosquitto opens port 1883 to everybody for such a line, which hardly anybody means. */
static void check_default_options(struct config *c, struct config_report *report)
{
	bool is_used = is_default_used(c) || c->listener_count == 0;
	if (is_used || !c->default_option)
		return;
	struct reading r =
		reading_place(c, report, c->default_listener.place, c->default_option->name);
	reading_refuse(&r, "stands before the first listener line: move it below the listener that "
			   "it is meant for");
}

static bool is_same_place(const struct config_listener *a, const struct config_listener *b)
{
	if (config_listener_is_unix(a) && config_listener_is_unix(b))
		return strcmp(a->address, b->address) == 0;
	if (a->port != b->port || a->port == 0 || a->interface || b->interface)
		return false;
	if (a->family != SOCKET_FAMILY_ANY && b->family != SOCKET_FAMILY_ANY &&
	    a->family != b->family)
		return false;
	return a->address && b->address ? strcmp(a->address, b->address) == 0
					: a->address == b->address;
}

static void check_same_places(struct config *c, struct config_report *report)
{
	for (size_t i = 0; i < c->listener_count; i++) {
		for (size_t j = 0; j < i; j++) {
			const struct config_listener *l = &c->listeners[i];
			if (!is_same_place(l, &c->listeners[j]))
				continue;
			struct reading r = reading_place(c, report, l->place, "listener");
			if (config_listener_is_unix(l))
				reading_refuse(&r, "%s is given twice", l->address);
			else
				reading_refuse(&r, "port %u is given twice", l->port);
			break;
		}
	}
}

/* What is about the one kind of socket says nothing about the other. */
static void check_kind(struct config *c, struct config_report *report,
		       const struct config_listener *l)
{
	bool is_unix = config_listener_is_unix(l);
	const char *stray = NULL;
	if (is_unix && l->interface)
		stray = "bind_interface";
	else if (is_unix && l->family != SOCKET_FAMILY_ANY)
		stray = "socket_domain";
	else if (!is_unix && l->socket_mode >= 0)
		stray = "socket_mode";
	else if (!is_unix && (l->socket_owner || l->socket_group))
		stray = l->socket_owner ? "socket_owner" : "socket_group";
	if (!stray)
		return;
	struct reading r = reading_place(c, report, l->place, stray);
	reading_refuse(&r, is_unix ? "the listener is a Unix socket: remove the line"
				   : "the listener is no Unix socket, as in: listener 0 /path");
}

/* Of the command line, which wins. */
static int finish_key_log(struct config *c)
{
	static const char name[] = "tls_keylog";
	size_t index = option_index(option_named(span_of_text(name)));
	int rc = 0;
	for (size_t i = 0; c->key_log_file && i < c->listener_count && rc == 0; i++) {
		struct config_listener *l = &c->listeners[i];
		if (!config_listener_has_tls(l))
			continue;
		rc = keep_text(&l->tls.key_log_file, span_of_text(c->key_log_file));
		if (l->given)
			l->given[index] = (struct config_place){.is_given = true};
	}
	return rc;
}

static void check_mount_point(struct config *c, struct config_report *report,
			      const struct config_listener *l)
{
	static const char name[] = "mount_point";
	const char *text = l->mount_point;
	if (!text)
		return;
	size_t index = option_index(option_named(span_of_text(name)));
	struct reading r = reading_place(c, report, l->given ? l->given[index] : l->place, name);
	if (topic_has_wildcard(span_of_text(text)))
		reading_refuse(&r,
			       "%s holds a wildcard: it stands in front of topics, which have "
			       "none",
			       text);
	else if (strlen(text) > CONFIG_MOUNT_BYTES_MAX)
		reading_refuse(&r, "is longer than %d bytes", CONFIG_MOUNT_BYTES_MAX);
	else if (text[strlen(text) - 1] != '/')
		reading_notice(&r,
			       "does not end with a slash: the topic a of its clients is %sa, "
			       "and filters that begin with + or # are refused",
			       text);
}

/* mosquitto has one for the whole broker: above all listeners it is for those without their own. */
static void finish_head_bytes(struct config *c, uint32_t head_bytes)
{
	if (head_bytes == 0)
		head_bytes = CONFIG_HEAD_BYTES;
	for (size_t i = 0; i < c->listener_count; i++)
		if (c->listeners[i].head_bytes == 0)
			c->listeners[i].head_bytes = head_bytes;
}

static void finish_listeners(struct config *c, struct config_report *report)
{
	uint32_t head_bytes = c->default_listener.head_bytes;
	check_ports(c, report);
	check_default_options(c, report);
	if (is_default_used(c))
		add_default_listener(c, report);
	if (c->listener_count == 0)
		add_loopback_listeners(c, report);
	finish_head_bytes(c, head_bytes);
	check_same_places(c, report);
	if (finish_key_log(c) != 0)
		report->is_out_of_memory = true;
	for (size_t i = 0; i < c->listener_count; i++) {
		c->listeners[i].has_proxy |= c->listeners[i].proxy_version != 0;
		check_kind(c, report, &c->listeners[i]);
		check_mount_point(c, report, &c->listeners[i]);
		tls_check(c, report, &c->listeners[i]);
	}
}

static int64_t member_at(const struct config_listener *l, size_t offset)
{
	int64_t value;
	memcpy(&value, (const char *)l + offset, sizeof(value));
	return value;
}

/* The listeners' common value of an option, -1 when nobody said; reports when they differ. */
static int64_t common_value(struct config *c, struct config_report *report, size_t offset,
			    const char *name)
{
	int64_t first = member_at(&c->listeners[0], offset);
	for (size_t i = 1; i < c->listener_count; i++) {
		if (member_at(&c->listeners[i], offset) == first)
			continue;
		struct reading r = reading_place(c, report, c->listeners[i].place, name);
		reading_refuse(&r, "differs between listeners, but this version has one value for "
				   "all: write it under each of them");
		return -1;
	}
	return first;
}

/* A listener's own limit is the broker's when there is but one listener. */
static void finish_connections_max(struct config *c)
{
	for (size_t i = 0; i < c->listener_count; i++) {
		struct listener_limits *limits = &c->settings.limits.listeners[i];
		uint32_t *whole = &c->settings.connections_max;
		uint32_t max = c->listeners[i].connections_max > 0
				       ? (uint32_t)c->listeners[i].connections_max
				       : 0;
		*limits = c->listeners[i].limits;
		limits->connections_max = max;
		if (max > 0 && c->listener_count == 1 && (*whole == 0 || *whole > max))
			*whole = max;
	}
}

static void finish_listener_limits(struct config *c, struct config_report *report)
{
	int64_t qos_max =
		common_value(c, report, offsetof(struct config_listener, qos_max), "max_qos");
	int64_t alias_max = common_value(
		c, report, offsetof(struct config_listener, topic_alias_max), "max_topic_alias");
	if (qos_max >= 0)
		c->settings.qos_max = (uint8_t)qos_max;
	if (alias_max >= 0)
		c->settings.topic_alias_max_in = (uint16_t)alias_max;
	finish_connections_max(c);
	limits_finish(c, report);
}

_Static_assert(CONFIG_LISTENERS_MAX <= LIMIT_LISTENERS_MAX, "each has its limits");

/* mosquitto's limits are for connected and absent clients alike. */
static void finish_queues(struct config *c)
{
	struct settings *s = &c->settings;
	if (is_given(c, "max_queued_messages") && !is_given(c, "absent_queue_messages"))
		s->absent_queue_messages_max = s->queue_messages_max;
	if (is_given(c, "max_queued_bytes") && !is_given(c, "absent_queue_bytes"))
		s->absent_queue_bytes_max = s->queue_bytes_max;
}

static void finish_log(struct config *c)
{
	if (c->log_destinations == 0 && !c->has_log_none)
		c->log_destinations = LOG_TO_STDERR;
	if (c->log_types == 0 && !c->has_log_type_none)
		c->log_types = LOG_TYPES_DEFAULT;
	bool is_connection_wanted = c->connection_messages && (c->log_types & LOG_TYPE_NOTICE);
	c->log_types &= ~(unsigned)LOG_TYPE_CONNECTION;
	if (is_connection_wanted)
		c->log_types |= LOG_TYPE_CONNECTION;
	if (c->is_verbose)
		c->log_types = LOG_TYPES_ALL;
	if (c->is_quiet)
		c->log_types = 0;
}

static void check_durability(struct config *c, struct config_report *report)
{
	bool is_off = c->store.durability == DURABILITY_OFF;
	bool is_told = is_given(c, "persistence") || is_given(c, "retained_persistence");
	if (!c->has_durability || !is_told || is_off == !c->store.is_wanted)
		return;
	struct reading r = reading_option(c, report, "durability");
	reading_refuse(&r, "contradicts persistence %s: leave one of both lines out",
		       c->store.is_wanted ? "true" : "false");
}

/* Options of a store that is not there would be obeyed by nobody: say so. */
static void notice_unused(struct config *c, struct config_report *report)
{
	for (size_t i = 0; i < option_count(); i++) {
		const struct option *o = option_at(i);
		bool is_ours_to_tell = o->group == OPTION_GROUP_STORE && c->given[i].is_given &&
				       o->offset != offsetof(struct config, store.is_wanted);
		if (is_ours_to_tell && o->target == OPTION_TO_CONFIG)
			report_notice(report, "%s has no effect: nothing is stored.", o->name);
	}
	for (size_t i = 0; i < c->listener_count; i++) {
		if (c->listeners[i].answer == ANSWER_WHEN_DURABLE)
			report_notice(report,
				      "durability always of port %u has no effect: nothing is "
				      "stored.",
				      c->listeners[i].port);
	}
}

static void finish_store(struct config *c, struct config_report *report)
{
	struct config_store *s = &c->store;
	check_durability(c, report);
	if (!s->is_wanted)
		s->durability = DURABILITY_OFF;
	s->is_wanted = s->durability != DURABILITY_OFF;
	if (s->segment_bytes % DISK_BLOCK != 0) {
		struct reading r = reading_option(c, report, "storage_segment_size");
		reading_refuse(&r, "%u is no multiple of %d", s->segment_bytes, DISK_BLOCK);
	}
	if (!s->is_wanted)
		notice_unused(c, report);
}

int config_finish(struct config *c, struct config_report *report)
{
	finish_listeners(c, report);
	config_finish_access(c, report);
	finish_listener_limits(c, report);
	finish_queues(c);
	finish_store(c, report);
	finish_log(c);
	c->settings.response_information = c->response_information;
	report_count_rest(report);
	if (report->is_out_of_memory)
		return ERROR_NO_MEMORY;
	return report->error_count > 0 ? ERROR_INVALID : 0;
}
