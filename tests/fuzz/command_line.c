/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words of a command line, one a line; the first byte says which program's. A refusal says why;
 * what is let through can be run: the library takes what the options of pub and sub ask for.
 */
#include "cli/bench_options.h"
#include "cli/client_options.h"
#include "cli/format.h"
#include "daemon/broker_options.h"
#include "mqtt/topic.h"
#include "quiet.h"

#define WORDS_MAX 64

/* What the library takes it can be run with; what it does not take is said in a sentence. */
static nj_client *make_client(const struct options *o)
{
	nj_client *client = NULL;
	struct client_parts parts = {0};
	struct nj_options options;
	struct quiet quiet;
	quiet_begin(&quiet);
	if (client_options_build(o, &parts, &options))
		client = client_options_open(&options);
	client_parts_release(&parts);
	quiet_end(&quiet);
	CHECK(client || quiet.err_len > 0);
	quiet_release(&quiet);
	return client;
}

static void check_farewell(const struct options *o, nj_client *client)
{
	const struct property_list *list = &o->properties.of[TARGET_DISCONNECT];
	int error = nj_disconnect_with(client, 0, list->items, list->count, 0);
	CHECK(error == 0 || error == NJ_ERROR_INVALID);
}

static void check_message(const struct options *o, nj_client *client)
{
	const struct property_list *list = &o->properties.of[TARGET_PUBLISH];
	const char *topic = o->topics.items[o->topics.count - 1];
	struct nj_message_out message = {.topic = topic,
					 .qos = o->qos,
					 .retain = o->retain,
					 .properties = list->items,
					 .property_count = list->count};
	CHECK(topic_name_is_valid(span_of_text(topic)));
	CHECK(nj_publish(client, &message, NULL) == 0);
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
	CHECK(o->version >= NJ_MQTT_3_1 && o->version <= NJ_MQTT_5);
	CHECK(o->qos <= 2 && o->will_qos <= 2);
	nj_client *client = make_client(o);
	if (o->tool == TOOL_SUB)
		check_filters(o);
	else if (o->topics.count > 0 && client)
		check_message(o, client);
	if (client)
		check_farewell(o, client);
	nj_free(client);
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
		CHECK(o.publishers > 0);
	else if (o.shape == BENCH_VERIFY)
		CHECK(o.kill_pid > 1 && o.qos > 0);
	else
		CHECK(o.clients > 0);
	CHECK(o.ramp.from <= o.ramp.to && (o.ramp.step > 0 || o.ramp.from == 0));
	bench_options_release(&o);
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
	if (data[0] == 'r') {
		try_tool(TOOL_RR, count, words);
		free(text);
		return 0;
	}
	switch (data[0] % 4) {
	case 0: try_tool(TOOL_PUB, count, words); break;
	case 1: try_tool(TOOL_SUB, count, words); break;
	case 2: try_bench(count, words); break;
	default: try_broker(count, words);
	}
	free(text);
	return 0;
}
