/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/sub.h"

#include "base/mem.h"
#include "cli/client_options.h"
#include "cli/job.h"
#include "cli/loop.h"
#include "cli/outcome.h"
#include "cli/packet_lines.h"
#include "cli/sequence_check.h"
#include "cli/show.h"
#include "cli/stop.h"
#include "cli/watch.h"
#include "mqtt/topic.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* A screen that changes faster cannot be read. */
#define DRAW_MS 100

struct sub {
	struct options options;
	nj_client *client;
	nj_delivery *subscription; /* until it is answered */
	struct packet_lines lines;
	uint64_t deadline_ms; /* -W */
	uint64_t draw_at_ms;  /* --watch: when news are drawn; UINT64_MAX: there are none */
	struct watch watch;
	struct sequence_check sequence;
	struct jobs jobs;
	size_t unreached_count; /* before the first connection */
	uint32_t printed_count;
	uint32_t done_count; /* --until: different ones, printed or acknowledged */
	uint8_t farewell;    /* the reason code of our DISCONNECT */
	bool was_connected;
	bool draws;            /* --watch, on a terminal */
	bool ignores_messages; /* enough have come */
	bool is_over;          /* the connection is to be ended, if there is one */
	int status;
};

/* Nothing more is printed. */
static void end(struct sub *s)
{
	s->ignores_messages = true;
	s->is_over = true;
}

/* What we still have to send goes first. */
static void end_after_message(struct sub *s)
{
	s->ignores_messages = true;
	s->is_over = nj_unfinished(s->client) == 0;
}

/* --- subscriptions --- */

static int subscribe(struct sub *s)
{
	const struct options *o = &s->options;
	const struct property_list *properties = &o->properties.of[TARGET_SUBSCRIBE];
	struct nj_subscription *list = mem_alloc(o->topics.count * sizeof(*list));
	if (!list)
		return NJ_ERROR_NO_MEMORY;
	for (size_t i = 0; i < o->topics.count; i++)
		list[i] = (struct nj_subscription){.filter = o->topics.items[i],
						   .qos = o->qos,
						   .retain_as_published = o->retains_as_published,
						   .retain_handling = o->retain_handling};
	int error = nj_subscribe(s->client, list, o->topics.count, properties->items,
				 properties->count, &s->subscription);
	mem_free(list);
	return error;
}

static int unsubscribe(struct sub *s, const char *filter)
{
	const struct property_list *properties = &s->options.properties.of[TARGET_UNSUBSCRIBE];
	return nj_unsubscribe_with(s->client, &filter, 1, properties->items, properties->count,
				   NULL);
}

/* Asked for before there is a connection, and made again by the library. */
static bool subscribe_all(struct sub *s)
{
	int error = subscribe(s);
	for (size_t i = 0; !error && i < s->options.unsubscribed.count; i++)
		error = unsubscribe(s, s->options.unsubscribed.items[i]);
	if (error)
		outcome_print(&s->options, "Error: The subscription cannot be made: %s.\n",
			      nj_error_text(error));
	return error == 0;
}

static bool is_refused(struct nj_bytes codes)
{
	const uint8_t *code = codes.ptr;
	for (size_t i = 0; i < codes.len; i++)
		if (code[i] < 0x80)
			return false;
	return true;
}

/* Without codes it could not be sent: the server has announced that it knows no such thing. */
static void on_answered(nj_client *client, void *context, nj_delivery *delivery)
{
	struct sub *s = context;
	struct nj_bytes codes = nj_delivery_reason_codes(delivery);
	(void)client;
	if (delivery != s->subscription)
		return;
	nj_delivery_free(s->subscription);
	s->subscription = NULL;
	if (codes.len == 0) {
		outcome_print(&s->options,
			      "Error: The broker does not support such a subscription.\n");
		s->status = OUTCOME_FAILED;
		end(s);
	} else if (is_refused(codes)) {
		outcome_print(&s->options, "All subscription requests were denied.\n");
		end(s);
	} else if (s->options.exits_after_suback) {
		end(s);
	}
}

/* The session was lost, and the subscription is not granted again. */
static void on_unsubscribed(nj_client *client, void *context, const char *filter,
			    uint8_t reason_code)
{
	struct sub *s = context;
	(void)client;
	outcome_print(&s->options, "Warning: The broker denies the subscription to %s now: %s.\n",
		      filter, reason_name(reason_code, PACKET_SUBACK));
}

/* --- messages --- */

static bool is_filtered_out(const struct options *o, struct span topic)
{
	for (size_t i = 0; i < o->filtered_out.count; i++)
		if (topic_matches(span_of_text(o->filtered_out.items[i]), topic))
			return true;
	return false;
}

static void remove_retained(struct sub *s, const char *topic)
{
	struct nj_message_out removal = {.topic = topic, .qos = 1, .retain = true};
	if (nj_publish(s->client, &removal, NULL))
		outcome_print(&s->options, "Error: Too many retained messages at a time.\n");
}

static void flush_output(struct sub *s)
{
	if (fflush(stdout) == 0 || s->is_over)
		return;
	perror("Error: Unable to write to the standard output");
	s->status = OUTCOME_FAILED;
	end(s);
}

static bool is_shown(struct sub *s, const struct publish *message)
{
	const struct options *o = &s->options;
	if (is_filtered_out(o, message->topic))
		return false;
	if (o->removes_retained && message->retain)
		remove_retained(s, (const char *)message->topic.ptr);
	if (o->skips_retained && message->retain)
		return false;
	return o->random_filter == 0 || random() % 1000 < o->random_filter;
}

static bool is_wrong(struct sub *s, const struct publish *message, bool *is_new_out)
{
	*is_new_out = true;
	if (!s->options.asserts_sequence)
		return false;
	enum sequence_result result = sequence_note(&s->sequence, message->topic, message->payload,
						    message->qos == 1 && message->dup);
	*is_new_out = result == SEQUENCE_NEW;
	if (result != SEQUENCE_NO_ROOM)
		return false;
	outcome_print(&s->options, "Error: --assert has no room for so many topics or such large "
				   "numbers.\n");
	return true;
}

static void note_done(struct sub *s)
{
	s->done_count++;
	if (s->options.until_count > 0 && s->done_count == s->options.until_count)
		end_after_message(s);
}

/* Of QoS 1 and 2: written before the acknowledgement leaves. */
static void show(struct sub *s, const struct publish *message)
{
	if (s->draws) {
		watch_note(&s->watch, message);
		if (s->draw_at_ms == UINT64_MAX)
			s->draw_at_ms = loop_now_ms() + DRAW_MS;
		return;
	}
	show_message(&s->options, message);
	if (message->qos > 0)
		flush_output(s);
}

/* Prints the message, or gives it to the command. */
static void deal_with(struct sub *s, nj_message *m, const struct publish *message)
{
	const struct options *o = &s->options;
	bool is_new;
	if (is_wrong(s, message, &is_new) || (o->ack_command && jobs_add(&s->jobs, m))) {
		s->status = OUTCOME_FAILED;
		end(s);
		return;
	}
	if (o->ack_command)
		return;
	show(s, message);
	s->printed_count++;
	if (is_new)
		note_done(s);
	if (o->message_count > 0 && s->printed_count == o->message_count)
		end_after_message(s);
}

static void on_message(nj_client *client, void *context, nj_message *m)
{
	struct sub *s = context;
	struct publish message = show_publish_of(m);
	(void)client;
	if (s->ignores_messages)
		return;
	if (s->options.wants_retained_only && !message.retain)
		end_after_message(s);
	else if (is_shown(s, &message))
		deal_with(s, m, &message);
	else if (s->options.ack_command)
		(void)nj_ack(m);
}

/* A retained message has been removed. */
static void on_published(nj_client *client, void *context, const struct nj_published *published)
{
	struct sub *s = context;
	(void)client;
	(void)published;
	if (s->ignores_messages && !s->is_over)
		end_after_message(s);
}

/* --- the connection --- */

static void on_packet(nj_client *client, void *context, const struct nj_packet *packet)
{
	struct sub *s = context;
	(void)client;
	packet_lines_print(&s->lines, packet);
}

static void on_connected(nj_client *client, void *context, const struct nj_connected *connected)
{
	struct sub *s = context;
	(void)client;
	(void)connected;
	s->was_connected = true;
}

/* mosquitto_sub says goodbye to a broker that refuses it, as far as its -d is concerned. */
static void show_farewell(struct sub *s)
{
	const struct nj_packet farewell = {.is_outgoing = true,
					   .type = NJ_DISCONNECT,
					   .client_id = s->options.client_id ? s->options.client_id
									     : ""};
	if (s->options.is_debug)
		packet_lines_print(&s->lines, &farewell);
}

/* Each is tried once before the first connection. */
static bool has_other_address(struct sub *s)
{
	return s->unreached_count++ < s->options.fallbacks.count;
}

static void on_disconnected(nj_client *client, void *context, const struct nj_disconnected *why)
{
	struct sub *s = context;
	bool may_come_back =
		why->end == NJ_END_LOST || why->end == NJ_END_SILENT ||
		(why->end == NJ_END_UNREACHABLE && (s->was_connected || has_other_address(s)));
	(void)client;
	if (s->is_over || may_come_back)
		return;
	if (why->end == NJ_END_REFUSED)
		show_farewell(s);
	s->status = outcome_of_end(&s->options, why);
	end(s);
}

static bool is_time_up(const struct sub *s)
{
	return loop_now_ms() >= s->deadline_ms;
}

/* Told to end, by a signal or by -W. Version 5 says that the will is wanted, as mosquitto_sub. */
static void end_early(struct sub *s)
{
	bool is_timeout = !stop_is_asked();
	if (is_timeout)
		outcome_print(&s->options, "Timed out\n");
	s->status = is_timeout ? OUTCOME_TIMED_OUT : 0;
	if (!s->was_connected)
		s->status = OUTCOME_NEVER_CONNECTED;
	s->farewell = REASON_DISCONNECT_WITH_WILL;
	s->is_over = true;
}

/* --- running --- */

static void look_after_jobs(struct sub *s)
{
	switch (jobs_turn(&s->jobs, loop_now_ms())) {
	case JOB_DONE: note_done(s); break;
	case JOB_BROKEN:
		perror("Error: Unable to run the command");
		s->status = OUTCOME_FAILED;
		end(s);
		break;
	default: break;
	}
}

static void draw_when_due(struct sub *s)
{
	struct winsize size = {0};
	if (loop_now_ms() < s->draw_at_ms)
		return;
	(void)ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	bool is_known = size.ws_row > 0 && size.ws_col > 0;
	watch_draw(&s->watch, stdout, is_known ? size.ws_row : 24, is_known ? size.ws_col : 80);
	s->draw_at_ms = UINT64_MAX;
}

static uint64_t deadline_of(const struct sub *s)
{
	uint64_t until = loop_earliest(s->deadline_ms, s->draw_at_ms);
	return loop_earliest(until, jobs_deadline(&s->jobs));
}

/* What the command was given is acknowledged if it succeeds, though we are to end. */
static void finish_job(struct sub *s)
{
	s->ignores_messages = true;
	while (jobs_is_running(&s->jobs)) {
		struct loop_wait wait = {.deadline_ms = UINT64_MAX, .readable_fd = s->jobs.fd};
		loop_turn(s->client, &wait);
		if (wait.is_readable_out)
			jobs_finish(&s->jobs);
	}
}

static void run(struct sub *s, const sigset_t *mask)
{
	const struct property_list *properties = &s->options.properties.of[TARGET_DISCONNECT];
	(void)nj_connect(s->client, 0);
	while (!s->is_over) {
		struct loop_wait wait = {.deadline_ms = deadline_of(s),
					 .signal_mask = mask,
					 .readable_fd = s->jobs.fd};
		flush_output(s);
		loop_turn(s->client, &wait);
		if (!s->is_over && (stop_is_asked() || is_time_up(s)))
			end_early(s);
		if (!s->is_over)
			look_after_jobs(s);
		draw_when_due(s);
	}
	finish_job(s);
	if (nj_disconnect_with(s->client, s->farewell, properties->items, properties->count, -1))
		(void)nj_disconnect(s->client, -1);
}

/* How many --assert wants: as many as would have ended us. */
static void check_sequence(struct sub *s)
{
	const struct options *o = &s->options;
	uint32_t wanted = o->until_count > 0 ? o->until_count : o->message_count;
	if (!o->asserts_sequence)
		return;
	fflush(stdout);
	if (!sequence_report(&s->sequence, wanted, stderr))
		s->status = OUTCOME_FAILED;
}

static bool start(struct sub *s, struct client_parts *parts)
{
	const struct options *o = &s->options;
	struct nj_options options;
	if (!client_options_build(o, parts, &options))
		return false;
	options.callbacks = (struct nj_callbacks){.connected = on_connected,
						  .disconnected = on_disconnected,
						  .message = on_message,
						  .published = on_published,
						  .unsubscribed = on_unsubscribed,
						  .answered = on_answered,
						  .packet = o->is_debug ? on_packet : NULL};
	options.context = s;
	options.manual_ack = o->ack_command != NULL;
	options.holds_until_release = !options.manual_ack; /* printed in the order of PUBREL */
	options.acknowledges_early = !options.manual_ack;  /* so are their packets with -d */
	options.one_by_one = o->message_count > 0 || o->until_count > 0 || o->exits_after_suback ||
			     o->wants_retained_only || o->removes_retained;
	s->client = client_options_open(&options);
	return s->client && subscribe_all(s);
}

int sub_main(int argc, char **argv)
{
	struct sub s = {.lines = {.to = stdout, .shows_grants = true},
			.deadline_ms = UINT64_MAX,
			.draw_at_ms = UINT64_MAX};
	struct client_parts parts = {0};
	enum options_result parsed = options_parse(&s.options, TOOL_SUB, argc, argv);
	jobs_init(&s.jobs, s.options.ack_command);
	sigset_t mask;
	if (parsed == OPTIONS_DONE) {
		s.status = 0;
	} else if (parsed == OPTIONS_BAD || !start(&s, &parts)) {
		s.status = OUTCOME_FAILED;
	} else {
		stop_catch(&mask);
		s.draws = s.options.is_watching && isatty(STDOUT_FILENO);
		srandom((unsigned)loop_now_ms());
		if (s.options.timeout_s > 0)
			s.deadline_ms = loop_now_ms() + (uint64_t)s.options.timeout_s * 1000;
		run(&s, &mask);
		check_sequence(&s);
	}
	jobs_release(&s.jobs);
	watch_release(&s.watch);
	sequence_release(&s.sequence);
	nj_delivery_free(s.subscription);
	nj_free(s.client);
	client_parts_release(&parts);
	options_release(&s.options);
	if (fflush(stdout) != 0 && s.status == 0)
		s.status = OUTCOME_FAILED;
	return s.status;
}
