/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/pub.h"

#include "cli/client_options.h"
#include "cli/input.h"
#include "cli/json_input.h"
#include "cli/loop.h"
#include "cli/outcome.h"
#include "cli/packet_lines.h"
#include "cli/payload.h"
#include "cli/progress.h"
#include "mqtt/reason.h"

#include <stdio.h>
#include <unistd.h>

/* Lines that are read ahead of the broker: enough to keep a window full. */
#define LINES_AHEAD_MAX 1000
#define LINE_BYTES_AHEAD_MAX ((size_t)16 << 20)
/* --rate: when to try again though no message was finished. */
#define FULL_MS 20
/* In an outbox they may wait for days. */
#define OUTBOX_MESSAGES_MAX 1000000
#define OUTBOX_BYTES_MAX ((size_t)256 << 20)

struct pub {
	struct options options;
	nj_client *client;
	struct packet_lines debug;
	struct lines lines; /* -l, --json-lines */
	uint64_t line_count;
	struct payload payload; /* else */
	struct progress progress;
	uint64_t repeat_at_ms;  /* when the next repetition is due; UINT64_MAX: none is */
	uint64_t began_ms;      /* --rate: the first message's time */
	uint64_t due_ms;        /* the next one's */
	size_t unreached_count; /* before the first connection */
	uint32_t published_count;
	bool was_connected;
	bool is_over; /* the connection is to be ended, if there is one */
	int status;
};

static void fail(struct pub *p, int status, const char *sentence)
{
	outcome_print(&p->options, "Error: %s\n", sentence);
	p->status = status;
	p->is_over = true;
}

/* --- messages --- */

/* 0 or NJ_ERROR_FULL; other errors end the program. */
static int publish(struct pub *p, const struct nj_message_out *message)
{
	int error = nj_publish(p->client, message, NULL);
	if (error == NJ_ERROR_INVALID)
		fail(p, OUTCOME_FAILED, "Message payload is too large.");
	else if (error && error != NJ_ERROR_FULL)
		fail(p, OUTCOME_FAILED, "Out of memory when trying to publish message.");
	return error;
}

/* What the options say of every message. */
static struct nj_message_out message_with(const struct pub *p, struct span payload)
{
	const struct options *o = &p->options;
	const struct property_list *properties = &o->properties.of[TARGET_PUBLISH];
	const char *topic = o->topics.count > 0 ? o->topics.items[o->topics.count - 1] : NULL;
	return (struct nj_message_out){
		.tag = (void *)(uintptr_t)p, /* those of an earlier run have none */
		.topic = topic,
		.payload = payload.ptr,
		.payload_len = payload.len,
		.qos = o->qos,
		.retain = o->retain,
		.properties = properties->items,
		.property_count = properties->count};
}

/* --rate: is it time for the next one? Else sets when it will be. */
static bool is_due(struct pub *p)
{
	uint64_t now = loop_now_ms();
	if (p->options.rate <= 0.0)
		return true;
	if (p->began_ms == 0)
		p->began_ms = now;
	double ms = (double)(p->line_count + p->published_count) * 1000.0 / p->options.rate;
	p->due_ms = p->began_ms + (uint64_t)ms;
	return now >= p->due_ms;
}

/* The one message of all modes but those of lines. A large file is in memory once, not twice. */
static void publish_payload(struct pub *p)
{
	if (p->options.source == SOURCE_NONE)
		return; /* an outbox is to be emptied */
	struct nj_message_out message = message_with(p, p->payload.bytes);
	(void)is_due(p); /* the first one's time is that of --rate */
	(void)!publish(p, &message);
	if (p->options.repeat_count == 1)
		payload_release(&p->payload);
}

/* A line that is no message ends the program, when what was before it is out. */
static int publish_json(struct pub *p, struct span line)
{
	struct json_message m;
	struct nj_message_out defaults = message_with(p, SPAN_NONE);
	int error = 0;
	if (json_message_read(&m, line, &defaults)) {
		error = publish(p, &m.out);
	} else {
		outcome_print(&p->options, "Error: Line %llu: %s.\n",
			      (unsigned long long)p->line_count + 1, m.problem);
		p->status = OUTCOME_FAILED;
		p->lines.is_at_end = true;
		lines_release(&p->lines);
		error = NJ_ERROR_INVALID;
	}
	json_message_release(&m);
	return error;
}

static int publish_line(struct pub *p, struct span line)
{
	struct nj_message_out message = message_with(p, line);
	if (p->options.source == SOURCE_JSON)
		return publish_json(p, line);
	return publish(p, &message);
}

static bool reads_lines(const struct pub *p)
{
	return p->options.source == SOURCE_LINES || p->options.source == SOURCE_JSON;
}

static bool has_lines_left(const struct pub *p)
{
	bool has_unread = !p->lines.is_at_end || buffer_len(&p->lines.unread) > 0;
	return reads_lines(p) && (has_unread || nj_unfinished(p->client) > 0);
}

/* Gives the client all whole lines that it takes; ends when the last one is done. */
static void publish_lines(struct pub *p)
{
	struct span line;
	while (!p->is_over && lines_peek(&p->lines, &line) && is_due(p)) {
		if (publish_line(p, line)) {
			p->due_ms = loop_now_ms() + FULL_MS;
			break;
		}
		lines_take(&p->lines, line);
		p->line_count++;
	}
	if (!p->is_over && !has_lines_left(p))
		p->is_over = true;
}

static void read_lines(struct pub *p)
{
	int error = lines_read(&p->lines, STDIN_FILENO);
	if (error == ERROR_LIMIT)
		fail(p, OUTCOME_FAILED, "Message length must be less than 268435455 bytes.");
	else if (error)
		fail(p, OUTCOME_FAILED, "Unable to read the standard input.");
	else
		publish_lines(p);
}

static uint32_t lines_ahead_max(const struct pub *p)
{
	return p->options.outbox ? OUTBOX_MESSAGES_MAX : LINES_AHEAD_MAX;
}

/* True: the client has room, so there is a point in reading on. */
static bool wants_lines(const struct pub *p)
{
	bool may_take = p->options.outbox || nj_is_connected(p->client);
	return reads_lines(p) && !p->is_over && !p->lines.is_at_end && may_take &&
	       nj_unfinished(p->client) < lines_ahead_max(p) &&
	       buffer_len(&p->lines.unread) < LINE_BYTES_AHEAD_MAX + p->lines.searched;
}

static void repeat_or_end(struct pub *p)
{
	p->published_count++;
	if (p->published_count >= p->options.repeat_count)
		p->is_over = !p->options.outbox || nj_unfinished(p->client) == 0;
	else if (p->options.repeat_delay_ms > 0)
		p->repeat_at_ms = loop_now_ms() + p->options.repeat_delay_ms;
	else if (is_due(p))
		publish_payload(p);
	else
		p->repeat_at_ms = p->due_ms;
}

static void repeat_when_due(struct pub *p)
{
	if (p->is_over || loop_now_ms() < p->repeat_at_ms)
		return;
	p->repeat_at_ms = UINT64_MAX;
	publish_payload(p);
}

/* --- callbacks --- */

static void on_connected(nj_client *client, void *context, const struct nj_connected *connected)
{
	struct pub *p = context;
	(void)client;
	(void)connected;
	p->was_connected = true;
	if (reads_lines(p))
		publish_lines(p);
	else if (!p->options.outbox)
		publish_payload(p);
	else if (nj_unfinished(p->client) == 0)
		p->is_over = true;
}

/* The server has announced that it does not take such a message. */
static void refuse_unsent(struct pub *p, uint8_t reason_code)
{
	if (reason_code == REASON_QOS_NOT_SUPPORTED)
		fail(p, OUTCOME_QOS, "Message QoS not supported on broker, try a lower QoS.");
	else
		fail(p, OUTCOME_TOO_LARGE, "Packet larger than supported by the server.");
}

static void judge(struct pub *p, const struct nj_published *published)
{
	if (published->outcome == NJ_EXPIRED)
		outcome_print(&p->options, "Warning: Publish expired before it could be sent.\n");
	else if (published->outcome == NJ_REFUSED && published->was_sent)
		outcome_print(&p->options, "Warning: Publish %u failed: %s.\n",
			      published->packet_id,
			      reason_name(published->reason_code, PACKET_PUBACK));
	else if (published->outcome == NJ_REFUSED)
		refuse_unsent(p, published->reason_code);
	else if (published->outcome == NJ_NOT_STORED)
		fail(p, OUTCOME_FAILED, "The message could not be stored; it was not sent.");
}

static void on_published(nj_client *client, void *context, const struct nj_published *published)
{
	struct pub *p = context;
	(void)client;
	if (p->is_over || published->outcome == NJ_DROPPED)
		return; /* `disconnected` says why */
	judge(p, published);
	if (p->is_over)
		return;
	if (reads_lines(p))
		publish_lines(p);
	else if (published->tag)
		repeat_or_end(p);
	else if (nj_unfinished(p->client) == 0 && p->repeat_at_ms == UINT64_MAX)
		p->is_over = true;
}

static void on_packet(nj_client *client, void *context, const struct nj_packet *packet)
{
	struct pub *p = context;
	(void)client;
	packet_lines_print(&p->debug, packet);
}

/* Each is tried once before the first connection. */
static bool has_other_address(struct pub *p)
{
	return p->unreached_count++ < p->options.fallbacks.count;
}

/* With -l what is left goes out over another connection; a single message is the user's to repeat. */
static bool goes_on(struct pub *p, const struct nj_disconnected *end)
{
	if (end->end == NJ_END_UNREACHABLE && !p->was_connected && has_other_address(p))
		return true;
	bool may_come_back =
		end->end == NJ_END_LOST || end->end == NJ_END_SILENT ||
		(end->end == NJ_END_UNREACHABLE && (p->was_connected || p->options.outbox));
	return may_come_back && !p->is_over && has_lines_left(p);
}

static void on_disconnected(nj_client *client, void *context, const struct nj_disconnected *end)
{
	struct pub *p = context;
	(void)client;
	if (end->end == NJ_END_DISCONNECTED || (p->is_over && p->status != 0) || goes_on(p, end))
		return;
	p->is_over = true;
	p->status = outcome_of_end(&p->options, end);
	if (p->options.outbox && nj_unfinished(p->client) > 0)
		outcome_print(&p->options, "Messages that stay in %s for the next run: %u.\n",
			      p->options.outbox, nj_unfinished(p->client));
}

static void on_store_says(void *context, const char *text)
{
	(void)context;
	fprintf(stderr, "Error: %s\n", text);
}

/* --- running --- */

static bool waits_for_pace(const struct pub *p)
{
	struct lines *lines = (struct lines *)&p->lines;
	struct span line;
	return reads_lines(p) && p->options.rate > 0.0 && p->due_ms > 0 &&
	       nj_unfinished(p->client) < lines_ahead_max(p) && lines_peek(lines, &line);
}

static void turn(struct pub *p)
{
	struct loop_wait wait = {.deadline_ms = p->repeat_at_ms, .readable_fd = -1};
	if (waits_for_pace(p))
		wait.deadline_ms = loop_earliest(wait.deadline_ms, p->due_ms);
	wait.deadline_ms = loop_earliest(wait.deadline_ms, progress_deadline(&p->progress));
	if (wants_lines(p))
		wait.readable_fd = STDIN_FILENO;
	fflush(stdout);
	loop_turn(p->client, &wait);
	if (wait.is_readable_out && wants_lines(p))
		read_lines(p);
	else if (!p->is_over && waits_for_pace(p))
		publish_lines(p);
	repeat_when_due(p);
	progress_show(&p->progress, loop_now_ms(), p->line_count + p->published_count,
		      p->lines.taken_bytes);
}

static void run(struct pub *p)
{
	const struct property_list *properties = &p->options.properties.of[TARGET_DISCONNECT];
	if (p->options.outbox && !reads_lines(p))
		publish_payload(p); /* it is to be safe, whether or not there is a broker */
	(void)nj_connect(p->client, 0);
	while (!p->is_over)
		turn(p);
	progress_end(&p->progress);
	if (nj_disconnect_with(p->client, 0, properties->items, properties->count, -1))
		(void)nj_disconnect(p->client, -1);
}

/* --- starting --- */

static bool has_message(const struct options *o)
{
	bool has_topic = o->topics.count > 0 || o->source == SOURCE_JSON;
	if (o->outbox && o->source == SOURCE_NONE)
		return true; /* it is to be emptied */
	if (has_topic && o->source != SOURCE_NONE)
		return true;
	fprintf(stderr, "Error: Both topic and message must be supplied.\n");
	options_print_help(o);
	return false;
}

/* The session of an outbox goes on over all runs. */
static void set_outbox(const struct pub *p, struct nj_options *options)
{
	options->store_path = p->options.outbox;
	options->store_qos_0 = true;
	options->store_says = on_store_says;
	options->store_bytes_max = 4 * (uint64_t)OUTBOX_BYTES_MAX;
	options->outbox_messages_max = OUTBOX_MESSAGES_MAX;
	options->outbox_bytes_max = OUTBOX_BYTES_MAX;
	options->clean_start = false;
}

static bool start(struct pub *p, struct client_parts *parts)
{
	struct nj_options options;
	if (!client_options_build(&p->options, parts, &options))
		return false;
	options.outbox_messages_max = LINES_AHEAD_MAX;
	options.outbox_bytes_max = LINE_BYTES_AHEAD_MAX;
	options.stays_down = !reads_lines(p);
	if (p->options.outbox)
		set_outbox(p, &options);
	options.callbacks = (struct nj_callbacks){.connected = on_connected,
						  .disconnected = on_disconnected,
						  .published = on_published,
						  .packet = p->options.is_debug ? on_packet : NULL};
	options.context = p;
	p->client = client_options_open(&options);
	return p->client != NULL;
}

/* A bar only for somebody who looks, and who is told nothing else. */
static void run_with_progress(struct pub *p)
{
	const struct options *o = &p->options;
	bool is_long = reads_lines(p) || o->repeat_count > 1;
	if (is_long && !o->is_quiet && !o->is_debug && isatty(STDERR_FILENO))
		progress_begin(&p->progress, loop_now_ms(), reads_lines(p) ? STDIN_FILENO : -1,
			       reads_lines(p) ? 0 : o->repeat_count);
	run(p);
}

int pub_main(int argc, char **argv)
{
	struct pub p = {.debug = {.to = stdout}, .repeat_at_ms = UINT64_MAX};
	struct client_parts parts = {0};
	enum options_result parsed = options_parse(&p.options, TOOL_PUB, argc, argv);
	if (parsed == OPTIONS_DONE)
		p.status = 0;
	else if (parsed == OPTIONS_BAD || !has_message(&p.options) ||
		 !payload_load(&p.payload, &p.options) || !start(&p, &parts))
		p.status = OUTCOME_FAILED;
	else
		run_with_progress(&p);
	nj_free(p.client);
	client_parts_release(&parts);
	lines_release(&p.lines);
	payload_release(&p.payload);
	options_release(&p.options);
	fflush(stdout);
	return p.status;
}
