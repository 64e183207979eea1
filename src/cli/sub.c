/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/sub.h"

#include "cli/format.h"
#include "cli/outcome.h"
#include "cli/packet_lines.h"
#include "mqtt/topic.h"

#include <stdio.h>
#include <stdlib.h>

/* Connections are opened no faster than this. */
#define RECONNECT_MS 1000

struct sub {
	struct options options;
	struct engine *engine;
	struct runner runner;
	struct packet_lines lines;
	uint64_t deadline_ms; /* -W */
	uint64_t opened_ms;   /* when the last attempt to connect began */
	uint32_t printed_count;
	bool was_connected;
	bool ignores_messages; /* enough have come */
	bool is_over;          /* no other connection is to be opened */
	int status;
};

static volatile sig_atomic_t has_stop_signal;

static void note_signal(int number)
{
	(void)number;
	has_stop_signal = 1;
}

/* SIGINT and SIGTERM are let through only while the runner waits, so that none is missed. */
static void catch_signals(sigset_t *mask_while_waiting)
{
	struct sigaction action = {.sa_handler = note_signal};
	sigset_t held_back;
	sigemptyset(&action.sa_mask);
	sigemptyset(&held_back);
	sigaddset(&held_back, SIGINT);
	sigaddset(&held_back, SIGTERM);
	sigprocmask(SIG_BLOCK, &held_back, mask_while_waiting);
	sigdelset(mask_while_waiting, SIGINT);
	sigdelset(mask_while_waiting, SIGTERM);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

static void disconnect(struct sub *s, uint8_t reason_code)
{
	struct disconnect packet;
	options_disconnect(&s->options, reason_code, &packet);
	s->is_over = true;
	engine_disconnect(s->engine, &packet);
}

/* Nothing more is printed; what we still have to send goes first. */
static void end_after_message(struct sub *s)
{
	s->ignores_messages = true;
	if (engine_unfinished(s->engine) == 0)
		disconnect(s, REASON_NORMAL_DISCONNECTION);
}

/* --- subscriptions --- */

static size_t filters_size(const struct text_list *list)
{
	size_t size = 0;
	for (size_t i = 0; i < list->count; i++)
		size += 3 + strlen(list->items[i]); /* length and options */
	return size;
}

static int subscribe(struct sub *s)
{
	const struct options *o = &s->options;
	struct subscription_options options = {.qos = o->qos};
	struct subscribe packet = {0};
	struct buffer filters = {0};
	int error = buffer_reserve(&filters, filters_size(&o->topics));
	if (error)
		return error;
	if (o->version == MQTT_5) {
		packet.properties = property_options_of(&o->properties, TARGET_SUBSCRIBE);
		options.retain_as_published = o->retains_as_published;
		options.retain_handling = o->retain_handling;
	}
	struct writer w = writer_of(buffer_room(&filters));
	for (size_t i = 0; i < o->topics.count; i++)
		subscribe_filter_encode(&w, span_of_text(o->topics.items[i]), &options);
	packet.filters = span_of(filters.ptr, (size_t)(w.ptr - filters.ptr));
	error = engine_subscribe(s->engine, &packet, 0);
	buffer_release(&filters);
	return error;
}

static int unsubscribe(struct sub *s, const char *filter)
{
	uint8_t bytes[2 + UINT16_MAX];
	struct writer w = writer_of((struct room){bytes, sizeof(bytes)});
	struct unsubscribe packet = {0};
	write_binary(&w, span_of_text(filter));
	packet.filters = span_of(bytes, (size_t)(w.ptr - bytes));
	if (s->options.version == MQTT_5)
		packet.properties = property_options_of(&s->options.properties, TARGET_UNSUBSCRIBE);
	return engine_unsubscribe(s->engine, &packet, 0);
}

static void on_connected(void *context, const struct connack *connack)
{
	struct sub *s = context;
	(void)connack;
	s->was_connected = true;
	int error = subscribe(s);
	for (size_t i = 0; !error && i < s->options.unsubscribed.count; i++)
		error = unsubscribe(s, s->options.unsubscribed.items[i]);
	if (!error)
		return;
	outcome_print(&s->options,
		      error == ERROR_INVALID
			      ? "Error: The broker does not support such a subscription.\n"
			      : "Error: The subscription could not be sent.\n");
	s->status = OUTCOME_FAILED;
	disconnect(s, REASON_NORMAL_DISCONNECTION);
}

static bool is_refused(struct span codes)
{
	for (size_t i = 0; i < codes.len; i++)
		if (codes.ptr[i] < 0x80)
			return false;
	return true;
}

static void on_answered(void *context, const struct engine_answered *answered)
{
	struct sub *s = context;
	const struct suback *p = answered->packet;
	if (p->type != PACKET_SUBACK)
		return;
	if (s->options.is_debug) {
		printf("Subscribed (mid: %u): %u", p->packet_id, p->codes.ptr[0]);
		for (size_t i = 1; i < p->codes.len; i++)
			printf(", %u", p->codes.ptr[i]);
		printf("\n");
	}
	if (is_refused(p->codes)) {
		outcome_print(&s->options, "All subscription requests were denied.\n");
		disconnect(s, REASON_NORMAL_DISCONNECTION);
	} else if (s->options.exits_after_suback) {
		disconnect(s, REASON_NORMAL_DISCONNECTION);
	}
}

/* --- messages --- */

static bool is_filtered_out(const struct options *o, struct span topic)
{
	for (size_t i = 0; i < o->filtered_out.count; i++)
		if (topic_matches(span_of_text(o->filtered_out.items[i]), topic))
			return true;
	return false;
}

static void remove_retained(struct sub *s, const struct publish *message)
{
	struct publish removal = {.qos = 1, .retain = true, .topic = message->topic};
	if (engine_publish(s->engine, &removal, 0))
		outcome_print(&s->options, "Error: Too many retained messages at a time.\n");
}

static void print_formatted(const struct options *o, const struct publish *message)
{
	struct format format = {.text = o->format, .is_pretty = o->is_pretty};
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	format_print(stdout, &format, message, &now);
}

static void print_plainly(bool is_verbose, const struct publish *message)
{
	if (is_verbose) {
		fwrite(message->topic.ptr, 1, message->topic.len, stdout);
		fputc(' ', stdout);
	}
	if (message->payload.len > 0)
		fwrite(message->payload.ptr, 1, message->payload.len, stdout);
	else
		fputs("(null)", stdout);
}

static void print_message(const struct options *o, const struct publish *message)
{
	bool is_empty = message->payload.len == 0;
	if (o->format)
		print_formatted(o, message);
	else if (is_empty && (!o->is_verbose || o->has_no_newline))
		return; /* as mosquitto_sub: not even a newline */
	else
		print_plainly(o->is_verbose, message);
	if (!o->has_no_newline)
		fputc('\n', stdout);
}

static void on_message(void *context, const struct publish *message, uint64_t handle)
{
	(void)handle; /* acknowledged by the engine */
	struct sub *s = context;
	const struct options *o = &s->options;
	if (s->ignores_messages || s->is_over)
		return;
	if (o->wants_retained_only && !message->retain) {
		end_after_message(s);
		return;
	}
	if (is_filtered_out(o, message->topic))
		return;
	if (o->removes_retained && message->retain)
		remove_retained(s, message);
	if (o->skips_retained && message->retain)
		return;
	if (o->random_filter > 0 && random() % 1000 >= o->random_filter)
		return;
	print_message(o, message);
	s->printed_count++;
	if (o->message_count > 0 && s->printed_count == o->message_count)
		end_after_message(s);
}

/* A retained message has been removed. */
static void on_published(void *context, const struct engine_published *published)
{
	struct sub *s = context;
	(void)published;
	if (s->ignores_messages && !s->is_over)
		end_after_message(s);
}

/* --- the connection --- */

static void on_packet(void *context, const struct engine_packet *packet)
{
	struct sub *s = context;
	packet_lines_print(&s->lines, engine_client_id(s->engine), packet);
}

static void on_closed(void *context, const struct engine_closed *closed)
{
	struct sub *s = context;
	switch (closed->end) {
	case ENGINE_END_LOST:
	case ENGINE_END_SILENT: return; /* run() opens another */
	case ENGINE_END_DISCONNECTED: break;
	case ENGINE_END_REFUSED:
		if (s->options.is_debug)
			packet_lines_print(&s->lines, engine_client_id(s->engine),
					   &(struct engine_packet){.is_outgoing = true,
								   .type = PACKET_DISCONNECT});
		s->status = outcome_of_refusal(&s->options, closed->reason_code);
		break;
	default: s->status = outcome_of_end(&s->options, closed);
	}
	s->is_over = true;
}

static bool is_time_up(const struct sub *s)
{
	return runner_now_ms() >= s->deadline_ms;
}

/* Told to end, by a signal or by -W. Version 5 says that the will is wanted, as mosquitto_sub. */
static void end_early(struct sub *s)
{
	bool is_timeout = !has_stop_signal;
	if (is_timeout)
		outcome_print(&s->options, "Timed out\n");
	s->status = is_timeout ? OUTCOME_TIMED_OUT : 0;
	if (!s->was_connected)
		s->status = OUTCOME_NEVER_CONNECTED;
	engine_give_held(s->engine);
	disconnect(s, REASON_DISCONNECT_WITH_WILL);
}

static uint64_t earliest(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static enum runner_result open_connection(struct sub *s)
{
	const struct options *o = &s->options;
	struct runner_address address = {.host = o->host,
					 .bind_address = o->bind_address,
					 .unix_path = o->unix_path,
					 .port = o->port,
					 .has_no_delay = o->has_no_delay};
	s->opened_ms = runner_now_ms();
	return runner_open(&s->runner, &address, s->deadline_ms);
}

/* Lines are seen as soon as there is nothing else to do. */
static void flush_output(struct sub *s)
{
	if (fflush(stdout) == 0 || s->is_over)
		return;
	perror("Error: Unable to write to the standard output");
	s->status = OUTCOME_FAILED;
	disconnect(s, REASON_NORMAL_DISCONNECTION);
}

static void run(struct sub *s)
{
	enum runner_result result = open_connection(s);
	if (result != RUNNER_OK && result != RUNNER_INTERRUPTED && !is_time_up(s)) {
		s->status = outcome_of_open(&s->options, result);
		return;
	}
	while (runner_is_open(&s->runner) || !s->is_over) {
		uint64_t again_ms = s->opened_ms + RECONNECT_MS;
		struct runner_wait wait = {.deadline_ms = s->deadline_ms, .readable_fd = -1};
		if (!s->is_over && (has_stop_signal || is_time_up(s)))
			end_early(s);
		if (s->is_over && !runner_is_open(&s->runner))
			break;
		flush_output(s);
		if (s->is_over)
			wait.deadline_ms = UINT64_MAX;
		else if (!runner_is_open(&s->runner) && runner_now_ms() >= again_ms)
			(void)!open_connection(s); /* if it failed, in a second again */
		else if (!runner_is_open(&s->runner))
			wait.deadline_ms = earliest(again_ms, s->deadline_ms);
		runner_turn(&s->runner, &wait);
	}
}

static int start(struct sub *s)
{
	static const struct engine_events events = {.connected = on_connected,
						    .closed = on_closed,
						    .message = on_message,
						    .published = on_published,
						    .answered = on_answered};
	struct engine_events wanted = events;
	struct engine_options options;
	struct connect connect;
	engine_options_init(&options);
	options.holds_until_release = true; /* messages are printed in the order of PUBREL */
	if (s->options.inflight_max > 0)
		options.inflight_max = s->options.inflight_max;
	if (s->options.is_debug)
		wanted.packet = on_packet;
	options_connect(&s->options, &connect);
	return engine_new(&connect, &options, &wanted, s, &s->engine);
}

int sub_main(int argc, char **argv)
{
	struct sub s = {.lines = {.to = stdout}, .deadline_ms = UINT64_MAX};
	enum options_result parsed = options_parse(&s.options, TOOL_SUB, argc, argv);
	sigset_t mask;
	if (parsed != OPTIONS_OK) {
		s.status = parsed == OPTIONS_DONE ? 0 : OUTCOME_FAILED;
	} else if (!tls_options_apply(&s.options.tls, s.options.port, NULL)) {
		s.status = OUTCOME_FAILED;
	} else if (start(&s)) {
		outcome_print(&s.options, "Error: Invalid arguments for CONNECT.\n");
		s.status = OUTCOME_FAILED;
	} else {
		catch_signals(&mask);
		srandom((unsigned)runner_now_ms());
		if (s.options.timeout_s > 0)
			s.deadline_ms = runner_now_ms() + (uint64_t)s.options.timeout_s * 1000;
		runner_init(&s.runner, s.engine, &mask);
		run(&s);
		runner_close(&s.runner);
		engine_free(s.engine);
	}
	options_release(&s.options);
	if (fflush(stdout) != 0 && s.status == 0)
		s.status = OUTCOME_FAILED;
	return s.status;
}
