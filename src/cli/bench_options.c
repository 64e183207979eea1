/* SPDX-License-Identifier: Apache-2.0 */
/* See bench_options.h. */
#include "cli/bench_options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/bench_packet.h"
#include "cli/bench_process.h"

/* "Not given": which value then holds may depend on other options. */
#define UNSET UINT32_MAX
#define UNSET_MS UINT64_MAX
/* Numbers of messages are 32 bits in the stamp. */
#define COUNT_MAX (UNSET - 1)
/* More clients than a machine has descriptors. */
#define CLIENTS_MAX 1000000
#define DURATION_DEFAULT_MS 3000
/* A run by count ends here if the server crawls. */
#define DURATION_COUNTED_MS 60000
#define WARMUP_DEFAULT_MS 500

enum kind { KIND_SCENARIO, KIND_TEXT, KIND_NUMBER, KIND_VERSION, KIND_SECONDS, KIND_FLAG };

struct option {
	const char *name;
	char letter; /* 0 = none */
	enum kind kind;
	size_t offset;
	uint32_t min;
	uint32_t max;
	const char *argument;
	const char *help;
};

#define FIELD(name) offsetof(struct bench_options, name)

static const struct option options[] = {
	{"scenario", 0, KIND_SCENARIO, FIELD(scenario), 0, 0, "NAME", "what to do (see above)"},
	{"host", 'h', KIND_TEXT, FIELD(host), 0, 0, "NAME", "server's name or address (localhost)"},
	{"port", 'p', KIND_NUMBER, FIELD(port), 1, 65535, "N", "server's TCP port (1883)"},
	{"user", 'u', KIND_TEXT, FIELD(user_name), 0, 0, "NAME", "user name of all clients"},
	{"password", 'P', KIND_TEXT, FIELD(password), 0, 0, "TEXT", "password of all clients"},
	{"version", 'V', KIND_VERSION, FIELD(version), 0, 0, "3|4|5",
	 "protocol: 3 for MQTT 3.1, 4 for 3.1.1, 5 for 5.0 (4)"},
	{"qos", 'q', KIND_NUMBER, FIELD(qos), 0, 2, "N",
	 "QoS of publications and subscriptions (0; absent: 1)"},
	{"size", 's', KIND_NUMBER, FIELD(payload_bytes), BENCH_PAYLOAD_MIN, BENCH_PAYLOAD_MAX,
	 "BYTES", "payload of a message (64)"},
	{"pubs", 0, KIND_NUMBER, FIELD(publishers), 1, CLIENTS_MAX, "N", "publishers"},
	{"subs", 0, KIND_NUMBER, FIELD(subscribers), 1, CLIENTS_MAX, "N", "subscribers"},
	{"shared", 0, KIND_NUMBER, FIELD(shared), 1, CLIENTS_MAX, "N",
	 "fan-in: N subscribers in one $share group"},
	{"clients", 0, KIND_NUMBER, FIELD(clients), 1, CLIENTS_MAX, "N",
	 "churn: at the same time (50); idle: in all (1000)"},
	{"window", 'w', KIND_NUMBER, FIELD(window), 1, 65535, "N",
	 "QoS 1 and 2: messages in flight per publisher (100)"},
	{"outstanding", 0, KIND_NUMBER, FIELD(outstanding), 1, COUNT_MAX, "N",
	 "a publisher pauses when its slowest subscriber is N messages behind"},
	{"rate", 'r', KIND_NUMBER, FIELD(rate), 1, 1000000000, "N",
	 "messages (churn: connections) a second in all, on a fixed\n"
	 "timetable; latency counts from the instant on it"},
	{"burst", 0, KIND_NUMBER, FIELD(burst), 1, 1000000, "N",
	 "with a rate: N messages at a time, of as many publishers (1)"},
	{"count", 'n', KIND_NUMBER, FIELD(count), 1, COUNT_MAX, "N",
	 "messages (churn: connections) in all, then end"},
	{"duration", 'd', KIND_SECONDS, FIELD(duration_ms), 0, 0, "SECONDS",
	 "how long to measure (3; with --count: 60 at most)"},
	{"warmup", 0, KIND_SECONDS, FIELD(warmup_ms), 0, 0, "SECONDS",
	 "load before it is measured (0.5; with --count: 0)"},
	{"server-pid", 0, KIND_NUMBER, FIELD(server_pid), 1, BENCH_PID_MAX, "PID",
	 "also measure CPU time and memory of the server's process"},
	{"persistent", 0, KIND_FLAG, FIELD(is_persistent), 0, 0, NULL,
	 "the subscribers' sessions outlive their connections; ended afterwards"},
	{"keep", 0, KIND_FLAG, FIELD(is_kept), 0, 0, NULL,
	 "absent: end when the queues are filled, and leave them there"},
	{"json", 'j', KIND_FLAG, FIELD(is_json), 0, 0, NULL, "print one JSON object"},
};

/* Where a problem is told. */
struct problem {
	char *text;
	size_t len;
};

#define REFUSE(problem, ...) (snprintf((problem)->text, (problem)->len, __VA_ARGS__), false)

static void *field_of(struct bench_options *o, const struct option *option)
{
	return (char *)o + option->offset;
}

static bool set_number(struct bench_options *o, const struct option *option, const char *text,
		       struct problem *problem)
{
	char *end;
	errno = 0;
	unsigned long long value = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || value < option->min ||
	    value > option->max)
		return REFUSE(problem, "--%s takes a number from %u to %u, not '%s'", option->name,
			      option->min, option->max, text);
	*(uint32_t *)field_of(o, option) = (uint32_t)value;
	return true;
}

static bool set_seconds(struct bench_options *o, const struct option *option, const char *text,
			struct problem *problem)
{
	char *end;
	double value = strtod(text, &end);
	if ((*text < '0' || *text > '9') || *end || !(value <= 86400))
		return REFUSE(problem, "--%s takes seconds from 0 to 86400, not '%s'", option->name,
			      text);
	*(uint64_t *)field_of(o, option) = (uint64_t)(value * 1000 + 0.5);
	return true;
}

static bool set_version(struct bench_options *o, const struct option *option, const char *text,
			struct problem *problem)
{
	static const struct {
		const char *text;
		uint32_t version;
	} names[] = {{"3", 3}, {"3.1", 3}, {"4", 4}, {"3.1.1", 4}, {"5", 5}, {"5.0", 5}};
	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		if (strcmp(names[i].text, text) == 0) {
			*(uint32_t *)field_of(o, option) = names[i].version;
			return true;
		}
	}
	return REFUSE(problem, "--version takes 3 (MQTT 3.1), 4 (3.1.1) or 5 (5.0), not '%s'",
		      text);
}

static bool set_scenario(struct bench_options *o, const char *text, struct problem *problem)
{
	if (o->scenario)
		return REFUSE(problem, "one scenario at a time: '%s' came after '%s'", text,
			      o->scenario->name);
	o->scenario = bench_scenario_find(text);
	if (!o->scenario)
		return REFUSE(problem,
			      "there is no scenario '%s': take p2p, fan-out, fan-in, "
			      "sparse, absent, churn or idle",
			      text);
	return true;
}

static bool set_option(struct bench_options *o, const struct option *option, const char *text,
		       struct problem *problem)
{
	switch (option->kind) {
	case KIND_SCENARIO: return set_scenario(o, text, problem);
	case KIND_TEXT: *(const char **)field_of(o, option) = text; return true;
	case KIND_NUMBER: return set_number(o, option, text, problem);
	case KIND_VERSION: return set_version(o, option, text, problem);
	case KIND_SECONDS: return set_seconds(o, option, text, problem);
	case KIND_FLAG: *(bool *)field_of(o, option) = true; return true;
	}
	return false;
}

/* The option that `word` (-x, --name or --name=value) begins, and its value's place. */
static const struct option *option_find(const char *word, const char **value_out)
{
	*value_out = NULL;
	for (size_t i = 0; i < ARRAY_COUNT(options); i++) {
		const struct option *option = &options[i];
		size_t len = strlen(option->name);
		if (option->letter && word[1] == option->letter && word[2] == 0)
			return option;
		if (word[1] != '-' || strncmp(word + 2, option->name, len) != 0)
			continue;
		if (word[2 + len] == '=')
			*value_out = word + 2 + len + 1;
		if (word[2 + len] == '=' || word[2 + len] == 0)
			return option;
	}
	return NULL;
}

/* Reads the word at *index, and its value behind it. */
static bool read_word(struct bench_options *o, int argc, char **argv, int *index,
		      struct problem *problem)
{
	const char *word = argv[*index], *value;
	if (word[0] != '-')
		return set_scenario(o, word, problem);
	const struct option *option = option_find(word, &value);
	if (!option)
		return REFUSE(problem, "there is no option '%s': see nightjar bench --help", word);
	if (option->kind == KIND_FLAG && value)
		return REFUSE(problem, "--%s takes no value", option->name);
	if (option->kind != KIND_FLAG && !value) {
		if (*index + 1 >= argc)
			return REFUSE(problem, "--%s needs a value", option->name);
		value = argv[++*index];
	}
	return set_option(o, option, value, problem);
}

static void set_default(uint32_t *field, uint32_t value)
{
	if (*field == UNSET)
		*field = value;
}

/* Pairs need as many of one as of the other: whichever was given decides. */
static void pair_up(struct bench_options *o)
{
	if (o->publishers == UNSET)
		o->publishers = o->subscribers;
	else if (o->subscribers == UNSET)
		o->subscribers = o->publishers;
}

static void complete(struct bench_options *o)
{
	const struct bench_scenario *s = o->scenario;
	o->shape = s->shape;
	if (o->shared != UNSET && o->shape == BENCH_EVERYONE) {
		o->shape = BENCH_SHARED;
		set_default(&o->subscribers, o->shared);
	}
	if (o->shape == BENCH_PAIRS)
		pair_up(o);
	set_default(&o->publishers, s->publishers);
	set_default(&o->subscribers, s->subscribers);
	set_default(&o->clients, s->clients);
	set_default(&o->outstanding, s->outstanding);
	set_default(&o->rate, s->rate);
	if (o->duration_ms == UNSET_MS)
		o->duration_ms = o->count ? DURATION_COUNTED_MS : DURATION_DEFAULT_MS;
	if (s->is_absent) {
		o->is_persistent = true;
		set_default(&o->qos, 1);
	}
	set_default(&o->qos, 0);
	if (o->warmup_ms == UNSET_MS)
		o->warmup_ms = o->count || s->is_absent ? 0 : WARMUP_DEFAULT_MS;
}

static bool check(const struct bench_options *o, struct problem *problem)
{
	if (o->shape == BENCH_PAIRS && o->publishers != o->subscribers)
		return REFUSE(problem, "%s needs as many publishers as subscribers, not %u and %u",
			      o->scenario->name, o->publishers, o->subscribers);
	if (o->shared != UNSET && (o->shape != BENCH_SHARED || o->subscribers != o->shared))
		return REFUSE(problem, "--shared goes with fan-in, and without --subs");
	if ((uint64_t)o->publishers * o->subscribers > 16000000 && o->shape != BENCH_PAIRS)
		return REFUSE(problem,
			      "%u publishers times %u subscribers are more than 16,000,000 "
			      "streams to follow",
			      o->publishers, o->subscribers);
	if (o->count && o->warmup_ms)
		return REFUSE(problem, "--warmup does not go with --count: all of a counted run is "
				       "measured");
	if (o->burst > 1 && !o->rate)
		return REFUSE(problem, "--burst needs a --rate");
	if (o->duration_ms == 0)
		return REFUSE(problem, "--duration must be more than 0");
	if (o->password && !o->user_name && o->version < 5)
		return REFUSE(problem, "--password needs --user before MQTT 5.0");
	if (o->scenario->is_absent &&
	    (o->qos == 0 || o->shared != UNSET || o->rate || o->warmup_ms))
		return REFUSE(problem,
			      "absent subscribers go with QoS 1 and 2, and without --shared, "
			      "--rate and --warmup");
	if (o->is_kept && !o->scenario->is_absent)
		return REFUSE(problem, "--keep goes with absent: nothing stays of %s",
			      o->scenario->name);
	if (o->is_persistent && !bench_shape_publishes(o->shape))
		return REFUSE(problem, "--persistent is about subscribers: %s has none",
			      o->scenario->name);
	if (o->shape == BENCH_IDLE && (o->count || o->rate))
		return REFUSE(problem, "--count and --rate mean nothing to idle clients: "
				       "give --clients");
	return true;
}

static bool parse(struct bench_options *o, int argc, char **argv, struct problem *problem)
{
	for (int i = 1; i < argc; i++) {
		if (!read_word(o, argc, argv, &i, problem))
			return false;
	}
	if (!o->scenario)
		return REFUSE(problem,
			      "say what to do: p2p, fan-out, fan-in, sparse, absent, churn or idle "
			      "(see nightjar bench --help)");
	complete(o);
	return check(o, problem);
}

enum bench_parse bench_options_parse(struct bench_options *o, int argc, char **argv, char *problem,
				     size_t problem_len)
{
	struct problem where = {problem, problem_len};
	*o = (struct bench_options){
		.host = "localhost",
		.port = 1883,
		.version = 4,
		.payload_bytes = 64,
		.qos = UNSET,
		.publishers = UNSET,
		.subscribers = UNSET,
		.clients = UNSET,
		.shared = UNSET,
		.window = 100,
		.burst = 1,
		.outstanding = UNSET,
		.rate = UNSET,
		.duration_ms = UNSET_MS,
		.warmup_ms = UNSET_MS,
	};
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0)
			return BENCH_PARSE_HELP;
	}
	if (!parse(o, argc, argv, &where))
		return BENCH_PARSE_ERROR;
	if (o->shared == UNSET)
		o->shared = 0;
	return BENCH_PARSE_RUN;
}

/* Prints help text behind its option, further lines below its beginning. */
static void print_help(const char *help)
{
	for (const char *p = help; *p; p++) {
		putchar(*p);
		if (*p == '\n')
			printf("%27s", "");
	}
	putchar('\n');
}

static void print_option(const struct option *option)
{
	char left[40];
	snprintf(left, sizeof(left), "%c%c%c --%s %s", option->letter ? '-' : ' ',
		 option->letter ? option->letter : ' ', option->letter ? ',' : ' ', option->name,
		 option->argument ? option->argument : "");
	printf("  %-24s ", left);
	print_help(option->help);
}

void bench_options_help(void)
{
	puts("usage: nightjar bench SCENARIO [OPTIONS]\n"
	     "\n"
	     "Puts a load on an MQTT server, from one thread, and prints what was delivered per\n"
	     "second, latency percentiles, and what was lost, duplicated or out of order.\n"
	     "\n"
	     "scenarios (default numbers of publishers, subscribers):");
	for (const struct bench_scenario *s = bench_scenarios; s->name; s++) {
		char left[40];
		snprintf(left, sizeof(left), "%s %u -> %u", s->name, s->publishers, s->subscribers);
		printf("  %-24s %s\n", bench_shape_publishes(s->shape) ? left : s->name,
		       s->summary);
	}
	puts("\noptions (defaults in brackets):");
	for (size_t i = 0; i < ARRAY_COUNT(options); i++)
		print_option(&options[i]);
	puts("      --help               print this and end\n"
	     "\n"
	     "examples:\n"
	     "  nightjar bench p2p                               QoS 0, as fast as it goes\n"
	     "  nightjar bench p2p -q 2 -w 100 -d 10             QoS 2, 100 in flight, 10 seconds\n"
	     "  nightjar bench p2p --pubs 50 -q 1 -w 20          50 pairs at QoS 1\n"
	     "  nightjar bench fan-out --subs 1000 -r 100        100 messages a second to 1,000\n"
	     "  nightjar bench fan-in --shared 4 -q 1            a shared subscription of four\n"
	     "  nightjar bench sparse -r 20000 --server-pid PID  CPU time per message\n"
	     "  nightjar bench idle --clients 15000 --server-pid PID\n"
	     "\n"
	     "The exit status is 1 when the run failed, and at QoS 1 and 2 when a message was "
	     "lost\n"
	     "or out of order (at QoS 2 also when one came twice).");
}
