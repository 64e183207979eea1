/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/rr.h"

#include "cli/client_options.h"
#include "cli/latency.h"
#include "cli/loop.h"
#include "cli/outcome.h"
#include "cli/packet_lines.h"
#include "cli/payload.h"
#include "cli/show.h"
#include "cli/stop.h"
#include "mqtt/reason.h"

#include <stdio.h>
#include <time.h>

#define CORRELATION_LEN 16

struct rr {
	struct options options;
	nj_client *client;
	struct packet_lines lines;
	struct payload payload;
	struct property_list properties;       /* of the request */
	char correlation[CORRELATION_LEN + 1]; /* of the request under way; with --count */
	uint32_t run;                          /* tells our requests from those of others */
	struct latencies latencies;
	uint64_t asked_us;
	uint64_t ask_at_ms;     /* UINT64_MAX: not now */
	uint64_t deadline_ms;   /* -W */
	size_t unreached_count; /* addresses */
	uint32_t asked_count;
	uint8_t farewell; /* the reason code of our DISCONNECT */
	bool was_connected;
	bool waits; /* for a response */
	bool is_over;
	int status;
};

static uint64_t now_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void fail(struct rr *r, const char *sentence)
{
	outcome_print(&r->options, "Error: %s\n", sentence);
	r->status = OUTCOME_FAILED;
	r->is_over = true;
}

/* --- asking --- */

static bool correlates(const struct rr *r)
{
	return r->options.version == NJ_MQTT_5 && r->options.request_count > 1 &&
	       !property_list_has(&r->options.properties.of[TARGET_PUBLISH], NJ_CORRELATION_DATA);
}

/* The response topic, the correlation data and what -D says. */
static bool make_properties(struct rr *r)
{
	const struct property_list *given = &r->options.properties.of[TARGET_PUBLISH];
	const char *topic = r->options.response_topic;
	struct nj_property response = {.id = NJ_RESPONSE_TOPIC, .text = {topic, strlen(topic)}};
	struct nj_property correlation = {.id = NJ_CORRELATION_DATA,
					  .text = {r->correlation, CORRELATION_LEN}};
	int error = 0;
	if (property_list_has(given, NJ_RESPONSE_TOPIC)) {
		fprintf(stderr, "Error in PUBLISH properties: Duplicate response topic.\n");
		return false;
	}
	for (size_t i = 0; !error && i < given->count; i++)
		error = property_list_add(&r->properties, &given->items[i]);
	if (!error)
		error = property_list_add(&r->properties, &response);
	if (!error && correlates(r))
		error = property_list_add(&r->properties, &correlation);
	if (error)
		fprintf(stderr, "Error: Out of memory.\n");
	return error == 0;
}

static void ask(struct rr *r)
{
	const struct options *o = &r->options;
	struct nj_message_out request = {.topic = o->topics.items[o->topics.count - 1],
					 .payload = r->payload.bytes.ptr,
					 .payload_len = r->payload.bytes.len,
					 .qos = o->qos,
					 .properties = r->properties.items,
					 .property_count = r->properties.count};
	r->ask_at_ms = UINT64_MAX;
	r->asked_count++;
	r->asked_us = now_us();
	r->waits = true;
	snprintf(r->correlation, sizeof(r->correlation), "%08x%08x", r->run, r->asked_count);
	int error = nj_publish(r->client, &request, NULL);
	if (error == NJ_ERROR_INVALID)
		fail(r, "Message payload is too large.");
	else if (error)
		fail(r, "Out of memory when trying to publish message.");
}

/* --- callbacks --- */

static void on_answered(nj_client *client, void *context, nj_delivery *delivery)
{
	struct rr *r = context;
	struct nj_bytes codes = nj_delivery_reason_codes(delivery);
	(void)client;
	if (codes.len == 0 || *(const uint8_t *)codes.ptr >= 0x80)
		fail(r, "The subscription to the response topic was denied.");
	else if (r->asked_count == 0)
		ask(r);
}

/* Of version 5: does it answer another request of ours? One that carries no number is believed. */
static bool is_stale(const struct rr *r, const nj_message *m)
{
	struct nj_property p;
	return correlates(r) &&
	       nj_property_find(nj_message_properties(m), NJ_CORRELATION_DATA, &p) &&
	       (p.text.len != CORRELATION_LEN ||
		memcmp(p.text.ptr, r->correlation, p.text.len) != 0);
}

static void go_on_or_end(struct rr *r)
{
	if (r->asked_count == r->options.request_count)
		r->is_over = true;
	else if (r->options.interval_ms > 0)
		r->ask_at_ms = loop_now_ms() + r->options.interval_ms;
	else
		ask(r);
}

static void on_message(nj_client *client, void *context, nj_message *m)
{
	struct rr *r = context;
	const struct options *o = &r->options;
	uint64_t took_us = now_us() - r->asked_us;
	(void)client;
	if (r->is_over || !r->waits || is_stale(r, m) ||
	    (o->skips_retained && nj_message_retain(m)))
		return;
	r->waits = false;
	struct publish message = show_publish_of(m);
	if (o->request_count == 1 || o->is_verbose || o->format)
		show_message(o, &message);
	if (latencies_add(&r->latencies, took_us))
		fail(r, "Out of memory.");
	else
		go_on_or_end(r);
}

static void on_published(nj_client *client, void *context, const struct nj_published *published)
{
	struct rr *r = context;
	(void)client;
	if (published->outcome != NJ_REFUSED || r->is_over)
		return;
	outcome_print(&r->options, "Error: The request was refused: %s.\n",
		      reason_name(published->reason_code, PACKET_PUBACK));
	r->status = OUTCOME_FAILED;
	r->is_over = true;
}

static void on_packet(nj_client *client, void *context, const struct nj_packet *packet)
{
	struct rr *r = context;
	(void)client;
	packet_lines_print(&r->lines, packet);
}

static void on_connected(nj_client *client, void *context, const struct nj_connected *connected)
{
	struct rr *r = context;
	(void)client;
	(void)connected;
	r->was_connected = true;
}

static void on_disconnected(nj_client *client, void *context, const struct nj_disconnected *end)
{
	struct rr *r = context;
	(void)client;
	if (r->is_over ||
	    (end->end == NJ_END_UNREACHABLE && r->unreached_count++ < r->options.fallbacks.count))
		return;
	r->is_over = true;
	r->status = outcome_of_end(&r->options, end);
}

/* --- running --- */

static void end_early(struct rr *r)
{
	if (!stop_is_asked()) {
		outcome_print(&r->options, "Timed out\n");
		r->status = OUTCOME_TIMED_OUT;
	}
	r->farewell = REASON_DISCONNECT_WITH_WILL;
	r->is_over = true;
}

static void run(struct rr *r, const sigset_t *mask)
{
	const struct property_list *farewell = &r->options.properties.of[TARGET_DISCONNECT];
	(void)nj_connect(r->client, 0);
	while (!r->is_over) {
		struct loop_wait wait = {.deadline_ms = loop_earliest(r->deadline_ms, r->ask_at_ms),
					 .signal_mask = mask,
					 .readable_fd = -1};
		fflush(stdout);
		loop_turn(r->client, &wait);
		if (!r->is_over && (stop_is_asked() || loop_now_ms() >= r->deadline_ms))
			end_early(r);
		else if (!r->is_over && loop_now_ms() >= r->ask_at_ms)
			ask(r);
	}
	if (nj_disconnect_with(r->client, r->farewell, farewell->items, farewell->count, -1))
		(void)nj_disconnect(r->client, -1);
}

static void report(struct rr *r)
{
	const struct options *o = &r->options;
	if (o->request_count > 1)
		printf("%u requests, %u responses\n", r->asked_count, r->latencies.count);
	if (o->request_count > 1)
		latencies_print(&r->latencies, stdout);
	else if (o->shows_latency && r->latencies.count > 0)
		printf("Latency: %.3fms\n", r->latencies.us[0] / 1000.0);
}

/* --- starting --- */

static bool subscribe(struct rr *r)
{
	const struct property_list *properties = &r->options.properties.of[TARGET_SUBSCRIBE];
	struct nj_subscription s = {.filter = r->options.response_topic, .qos = r->options.qos};
	int error = nj_subscribe(r->client, &s, 1, properties->items, properties->count, NULL);
	if (error)
		outcome_print(&r->options, "Error: The subscription cannot be made: %s.\n",
			      nj_error_text(error));
	return error == 0;
}

static bool start(struct rr *r, struct client_parts *parts)
{
	struct nj_options options;
	if (!make_properties(r) || !client_options_build(&r->options, parts, &options))
		return false;
	r->run = (uint32_t)now_us();
	options.callbacks = (struct nj_callbacks){.connected = on_connected,
						  .disconnected = on_disconnected,
						  .message = on_message,
						  .published = on_published,
						  .answered = on_answered,
						  .packet = r->options.is_debug ? on_packet : NULL};
	options.context = r;
	options.stays_down = true;
	options.holds_until_release = true;
	options.acknowledges_early = true;
	options.one_by_one = true;
	/* what is measured is not to wait for more */
	if (r->options.request_count > 1 || r->options.shows_latency)
		options.has_delay = false;
	r->client = client_options_open(&options);
	return r->client && subscribe(r);
}

static bool has_all(const struct options *o)
{
	if (o->topics.count > 0 && o->source != SOURCE_NONE && o->response_topic)
		return true;
	fprintf(stderr, "Error: All of topic, message, and response topic must be supplied.\n");
	options_point_to_help(o);
	return false;
}

int rr_main(int argc, char **argv)
{
	struct rr r = {.lines = {.to = stdout}, .ask_at_ms = UINT64_MAX, .deadline_ms = UINT64_MAX};
	struct client_parts parts = {0};
	sigset_t mask;
	enum options_result parsed = options_parse(&r.options, TOOL_RR, argc, argv);
	if (parsed == OPTIONS_DONE) {
		r.status = 0;
	} else if (parsed == OPTIONS_BAD || !has_all(&r.options) ||
		   !payload_load(&r.payload, &r.options) || !start(&r, &parts)) {
		r.status = OUTCOME_FAILED;
	} else {
		stop_catch(&mask);
		if (r.options.timeout_s > 0)
			r.deadline_ms = loop_now_ms() + (uint64_t)r.options.timeout_s * 1000;
		run(&r, &mask);
		report(&r);
	}
	nj_free(r.client);
	client_parts_release(&parts);
	latencies_release(&r.latencies);
	property_list_release(&r.properties);
	payload_release(&r.payload);
	options_release(&r.options);
	return fflush(stdout) != 0 && r.status == 0 ? OUTCOME_FAILED : r.status;
}
