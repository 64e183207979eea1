/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/pub.h"

#include "cli/input.h"
#include "cli/outcome.h"
#include "cli/packet_lines.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* Connections are opened no faster than this. */
#define RECONNECT_MS 1000
/* Lines that are read ahead of the broker: enough to keep a window full. */
#define LINES_AHEAD_MAX 1000
#define LINE_BYTES_AHEAD_MAX ((size_t)16 << 20)

struct pub {
	struct options options;
	struct engine *engine;
	struct runner runner;
	struct packet_lines debug;
	struct lines lines;    /* -l */
	struct buffer content; /* -f, -s */
	struct span payload;
	uint64_t opened_ms;    /* when the last attempt to connect began */
	uint64_t repeat_at_ms; /* when the next repetition is due; UINT64_MAX: none is */
	uint32_t published_count;
	bool is_feeding;
	bool is_over; /* no other connection is to be opened */
	int status;
};

static void disconnect(struct pub *p)
{
	struct disconnect packet;
	options_disconnect(&p->options, REASON_NORMAL_DISCONNECTION, &packet);
	p->is_over = true;
	engine_disconnect(p->engine, &packet);
}

static void fail(struct pub *p, int status, const char *sentence)
{
	outcome_print(&p->options, "Error: %s\n", sentence);
	p->status = status;
	disconnect(p);
}

/* --- messages --- */

/* 0 or ERROR_AGAIN; other errors end the program. */
static int publish(struct pub *p, struct span payload)
{
	const struct options *o = &p->options;
	struct publish message = {.qos = o->qos,
				  .retain = o->retain,
				  .topic = span_of_text(o->topics.items[o->topics.count - 1]),
				  .payload = payload};
	if (o->version == MQTT_5)
		message.properties = property_options_of(&o->properties, TARGET_PUBLISH);
	int error = engine_publish(p->engine, &message, 0);
	if (error == ERROR_INVALID)
		fail(p, OUTCOME_FAILED, "Message payload is too large.");
	else if (error && error != ERROR_AGAIN)
		fail(p, OUTCOME_FAILED, "Out of memory when trying to publish message.");
	return error;
}

/* The one message of all modes but -l. A large file is in memory once, not twice. */
static void publish_payload(struct pub *p)
{
	(void)!publish(p, p->payload);
	if (p->options.repeat_count == 1)
		buffer_release(&p->content);
}

static bool reads_lines(const struct pub *p)
{
	return p->options.source == SOURCE_LINES;
}

/* Gives the engine all whole lines that it takes. */
static void feed_lines(struct pub *p)
{
	struct span line;
	while (!p->is_over && lines_peek(&p->lines, &line)) {
		if (publish(p, line))
			return;
		lines_take(&p->lines, line);
	}
}

/* Feeds lines; ends when the last one is done. Comes back to itself through on_published, where
 * the loop that feeds is further up the stack and goes on by itself. */
static void publish_lines(struct pub *p)
{
	if (p->is_feeding)
		return;
	p->is_feeding = true;
	feed_lines(p);
	p->is_feeding = false;
	if (!p->is_over && p->lines.is_at_end && engine_unfinished(p->engine) == 0)
		disconnect(p);
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

/* True: the engine has room, so there is a point in reading on. */
static bool wants_lines(const struct pub *p)
{
	return reads_lines(p) && !p->is_over && !p->lines.is_at_end &&
	       engine_is_connected(p->engine) && engine_unfinished(p->engine) < LINES_AHEAD_MAX &&
	       buffer_len(&p->lines.unread) < LINE_BYTES_AHEAD_MAX + p->lines.searched;
}

static void repeat_or_end(struct pub *p)
{
	p->published_count++;
	if (p->published_count >= p->options.repeat_count)
		disconnect(p);
	else if (p->options.repeat_delay_ms > 0)
		p->repeat_at_ms = runner_now_ms() + p->options.repeat_delay_ms;
	else
		publish_payload(p);
}

/* --- events --- */

static void on_connected(void *context, const struct connack *connack)
{
	struct pub *p = context;
	(void)connack;
	if (reads_lines(p))
		publish_lines(p);
	else
		publish_payload(p);
}

static void on_published(void *context, const struct engine_published *published)
{
	struct pub *p = context;
	if (p->is_over)
		return;
	if (published->reason_code >= 0x80 && published->was_sent)
		outcome_print(&p->options, "Warning: Publish %u failed: %s.\n",
			      published->packet_id,
			      reason_name(published->reason_code, PACKET_PUBACK));
	else if (published->reason_code == REASON_QOS_NOT_SUPPORTED)
		fail(p, OUTCOME_QOS, "Message QoS not supported on broker, try a lower QoS.");
	else if (published->reason_code >= 0x80)
		fail(p, OUTCOME_TOO_LARGE, "Packet larger than supported by the server.");
	if (p->is_over)
		return;
	if (reads_lines(p))
		publish_lines(p);
	else
		repeat_or_end(p);
}

static void on_packet(void *context, const struct engine_packet *packet)
{
	struct pub *p = context;
	packet_lines_print(&p->debug, engine_client_id(p->engine), packet);
}

static bool has_lines_left(const struct pub *p)
{
	return reads_lines(p) && (!p->lines.is_at_end || engine_unfinished(p->engine) > 0);
}

/* With -l what is left goes out over another connection; a single message is the user's to repeat. */
static void on_closed(void *context, const struct engine_closed *closed)
{
	struct pub *p = context;
	bool is_lost = closed->end == ENGINE_END_LOST || closed->end == ENGINE_END_SILENT;
	if (closed->end == ENGINE_END_DISCONNECTED || (p->is_over && p->status != 0))
		return;
	if (is_lost && !p->is_over && has_lines_left(p))
		return;
	p->is_over = true;
	p->status = closed->end == ENGINE_END_REFUSED
			    ? outcome_of_refusal(&p->options, closed->reason_code)
			    : outcome_of_end(&p->options, closed);
}

/* --- running --- */

static enum runner_result open_connection(struct pub *p)
{
	const struct options *o = &p->options;
	struct runner_address address = {.host = o->host,
					 .bind_address = o->bind_address,
					 .unix_path = o->unix_path,
					 .port = o->port,
					 .has_no_delay = o->has_no_delay};
	p->opened_ms = runner_now_ms();
	return runner_open(&p->runner, &address, UINT64_MAX);
}

static void repeat_when_due(struct pub *p)
{
	if (p->is_over || runner_now_ms() < p->repeat_at_ms)
		return;
	p->repeat_at_ms = UINT64_MAX;
	publish_payload(p);
}

static void run(struct pub *p)
{
	enum runner_result result = open_connection(p);
	if (result != RUNNER_OK) {
		p->status = outcome_of_open(&p->options, result);
		return;
	}
	while (runner_is_open(&p->runner) || !p->is_over) {
		uint64_t again_ms = p->opened_ms + RECONNECT_MS;
		repeat_when_due(p);
		struct runner_wait wait = {.deadline_ms = p->repeat_at_ms, .readable_fd = -1};
		if (wants_lines(p))
			wait.readable_fd = STDIN_FILENO;
		fflush(stdout);
		if (!runner_is_open(&p->runner) && runner_now_ms() >= again_ms)
			(void)!open_connection(p); /* if it failed, in a second again */
		else if (!runner_is_open(&p->runner))
			wait.deadline_ms = again_ms;
		runner_turn(&p->runner, &wait);
		if (wait.is_readable_out && wants_lines(p))
			read_lines(p);
	}
}

/* --- starting --- */

/* False, after saying why, when there is nothing to publish. */
static bool load(struct pub *p, int fd)
{
	int error = input_read_all(fd, &p->content);
	if (error == ERROR_LIMIT || buffer_len(&p->content) > REMAINING_LENGTH_MAX)
		fprintf(stderr, "Error: Message length must be less than %u bytes.\n",
			REMAINING_LENGTH_MAX);
	else if (error == ERROR_SYSTEM)
		perror("Error: Unable to read");
	else if (error)
		fprintf(stderr, "Error: Out of memory.\n");
	else
		return true;
	return false;
}

static bool load_stdin(struct pub *p)
{
	bool is_loaded = load(p, STDIN_FILENO);
	if (is_loaded && buffer_len(&p->content) == 0) {
		fprintf(stderr, "Error: Zero length input.\n");
		is_loaded = false;
	}
	if (!is_loaded)
		fprintf(stderr, "Error loading input from stdin.\n");
	return is_loaded;
}

static bool load_file(struct pub *p)
{
	const char *path = p->options.message;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		fprintf(stderr, "Error: Unable to open file \"%s\".\n", path);
	bool is_loaded = fd >= 0 && load(p, fd);
	if (fd >= 0)
		close(fd);
	if (!is_loaded)
		fprintf(stderr, "Error loading input file \"%s\".\n", path);
	return is_loaded;
}

static bool load_payload(struct pub *p)
{
	switch (p->options.source) {
	case SOURCE_MESSAGE: p->payload = span_of_text(p->options.message); return true;
	case SOURCE_FILE:
		if (!load_file(p))
			return false;
		p->payload = buffer_content(&p->content);
		return true;
	case SOURCE_STDIN:
		if (!load_stdin(p))
			return false;
		p->payload = buffer_content(&p->content);
		return true;
	default: return true;
	}
}

static bool has_message(const struct options *o)
{
	if (o->topics.count > 0 && o->source != SOURCE_NONE)
		return true;
	fprintf(stderr, "Error: Both topic and message must be supplied.\n");
	options_print_help(o);
	return false;
}

static int start(struct pub *p)
{
	struct engine_events events = {
		.connected = on_connected, .closed = on_closed, .published = on_published};
	struct engine_options options;
	struct connect connect;
	engine_options_init(&options);
	options.queue_messages_max = LINES_AHEAD_MAX;
	options.queue_bytes_max = LINE_BYTES_AHEAD_MAX;
	if (p->options.inflight_max > 0)
		options.inflight_max = p->options.inflight_max;
	if (p->options.is_debug)
		events.packet = on_packet;
	options_connect(&p->options, &connect);
	return engine_new(&connect, &options, &events, p, &p->engine);
}

int pub_main(int argc, char **argv)
{
	struct pub p = {.debug = {.to = stdout}, .repeat_at_ms = UINT64_MAX};
	enum options_result parsed = options_parse(&p.options, TOOL_PUB, argc, argv);
	if (parsed == OPTIONS_DONE) {
		p.status = 0;
	} else if (parsed == OPTIONS_BAD || !has_message(&p.options) || !load_payload(&p)) {
		p.status = OUTCOME_FAILED;
	} else if (!tls_options_apply(&p.options.tls, p.options.port, NULL)) {
		p.status = OUTCOME_FAILED;
	} else if (start(&p)) {
		outcome_print(&p.options, "Error: Invalid arguments for CONNECT.\n");
		p.status = OUTCOME_FAILED;
	} else {
		runner_init(&p.runner, p.engine, NULL);
		run(&p);
		runner_close(&p.runner);
		engine_free(p.engine);
	}
	lines_release(&p.lines);
	buffer_release(&p.content);
	options_release(&p.options);
	fflush(stdout);
	return p.status;
}
