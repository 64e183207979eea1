/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words of a command line, one a line; the first byte says which program's. A refusal says why;
 * what is let through can be run: the packets that the options of pub and sub ask for are packets.
 */
#include "cli/bench_options.h"
#include "cli/format.h"
#include "cli/options.h"
#include "client/engine.h"
#include "daemon/broker_options.h"
#include "mqtt/topic.h"
#include "quiet.h"
#include "unit/mqtt/any_packet.h"

#define WORDS_MAX 64
#define PACKET_MAX (1u << 20) /* no input makes a longer one */

static uint8_t room_for_packets[PACKET_MAX];

/* What is written is read as the same. */
static void check_packet(const struct any_packet *p)
{
	struct fixed_header h;
	struct any_packet again = {0};
	const struct flaw *flaw;
	struct room room = {room_for_packets, sizeof(room_for_packets)};
	size_t len = any_packet_encode(p, room);
	CHECK(len > 0);
	CHECK(fixed_header_decode(span_of(room.ptr, len), &h, &flaw) == HEADER_OK);
	CHECK(h.type == p->type && (size_t)h.header_len + h.remaining_length == len);
	struct span body = span_of(room.ptr + h.header_len, h.remaining_length);
	flaw = any_packet_decode(h.type, h.flags, body, p->version, &again);
	CHECK(!flaw);
}

static void check_connect(const struct options *o)
{
	struct engine *engine = NULL;
	struct engine_options engine_options;
	struct engine_events events = {0};
	struct any_packet p = {.type = PACKET_CONNECT, .version = o->version};
	options_connect(o, &p.connect);
	engine_options_init(&engine_options);
	int error = engine_new(&p.connect, &engine_options, &events, NULL, &engine);
	CHECK(error == 0 || error == ERROR_INVALID);
	if (error)
		return; /* pub and sub say so */
	check_packet(&p);
	engine_free(engine);
}

static void check_message(const struct options *o)
{
	struct any_packet p = {.type = PACKET_PUBLISH, .version = o->version};
	const char *topic = o->topics.items[o->topics.count - 1];
	CHECK(topic_name_is_valid(span_of_text(topic)));
	p.publish = (struct publish){.qos = o->qos,
				     .retain = o->retain,
				     .packet_id = o->qos > 0,
				     .topic = span_of_text(topic)};
	if (o->version == MQTT_5)
		p.publish.properties = property_options_of(&o->properties, TARGET_PUBLISH);
	check_packet(&p);
}

static void check_filters(const struct options *o)
{
	for (size_t i = 0; i < o->topics.count; i++)
		CHECK(topic_filter_is_valid(span_of_text(o->topics.items[i])));
	for (size_t i = 0; i < o->unsubscribed.count; i++)
		CHECK(topic_filter_is_valid(span_of_text(o->unsubscribed.items[i])));
	CHECK(!o->format || format_check(o->format));
}

static void check_options(const struct options *o)
{
	CHECK(o->version >= MQTT_3_1 && o->version <= MQTT_5);
	CHECK(o->qos <= QOS_MAX && o->will_qos <= QOS_MAX);
	check_connect(o);
	struct any_packet p = {.type = PACKET_DISCONNECT, .version = o->version};
	options_disconnect(o, REASON_NORMAL_DISCONNECTION, &p.disconnect);
	check_packet(&p);
	if (o->tool == TOOL_SUB)
		check_filters(o);
	else if (o->topics.count > 0)
		check_message(o);
}

static void try_tool(enum tool tool, int argc, char **argv)
{
	struct options o;
	struct quiet quiet;
	quiet_begin(&quiet);
	enum options_result result = options_parse(&o, tool, argc, argv);
	quiet_end(&quiet);
	CHECK((result == OPTIONS_BAD) == (quiet.err_len > 0) || result == OPTIONS_OK);
	CHECK((result == OPTIONS_DONE) == (quiet.out_len > 0));
	if (result == OPTIONS_OK)
		check_options(&o);
	options_release(&o);
	quiet_release(&quiet);
}

static void try_bench(int argc, char **argv)
{
	struct bench_options o;
	char problem[256] = "";
	enum bench_parse result = bench_options_parse(&o, argc, argv, problem, sizeof(problem));
	CHECK((result == BENCH_PARSE_ERROR) == (problem[0] != '\0'));
	if (result != BENCH_PARSE_RUN)
		return;
	CHECK(o.scenario && o.version >= MQTT_3_1 && o.version <= MQTT_5 && o.qos <= QOS_MAX);
	CHECK(o.port <= UINT16_MAX);
	CHECK(o.count > 0 || o.duration_ms > 0);
	if (bench_shape_publishes(o.shape))
		CHECK(o.publishers > 0 && o.window > 0);
	else
		CHECK(o.clients > 0);
}

static void try_broker(int argc, char **argv)
{
	struct broker_options o;
	struct config config;
	struct config_report report = {0};
	char reason[BROKER_REASON_MAX] = "";
	int error = broker_options_parse(argc, argv, &o, reason);
	CHECK((error != 0) == (reason[0] != '\0'));
	if (error || o.config_file) /* files are not for this target */
		return;
	error = broker_options_load(&o, &config, &report);
	CHECK((error == 0) == (report.error_count == 0));
	CHECK(error || config.listener_count >= 1);
	config_report_release(&report);
	config_release(&config);
}

/* Cuts the text, which ends with a NUL, into words. */
static int cut(char *text, char **words)
{
	int count = 1;
	words[0] = (char *)(uintptr_t) "nightjar";
	while (text && count < WORDS_MAX) {
		words[count++] = text;
		text = strchr(text, '\n');
		if (text)
			*text++ = '\0';
	}
	words[count] = NULL;
	return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *words[WORDS_MAX + 1];
	if (len == 0)
		return 0;
	char *text = malloc(len);
	CHECK(text);
	memcpy(text, data + 1, len - 1);
	text[len - 1] = '\0';
	int count = cut(len > 1 ? text : NULL, words);
	unsetenv("XDG_CONFIG_HOME"); /* files are not for this target */
	unsetenv("HOME");
	switch (data[0] % 4) {
	case 0: try_tool(TOOL_PUB, count, words); break;
	case 1: try_tool(TOOL_SUB, count, words); break;
	case 2: try_bench(count, words); break;
	default: try_broker(count, words);
	}
	free(text);
	return 0;
}
