/* SPDX-License-Identifier: Apache-2.0 */
/* See bench_options.h. */
#include "cli/bench_options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
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

enum kind {
	KIND_SCENARIO,
	KIND_TEXT,
	KIND_NUMBER,
	KIND_VERSION,
	KIND_SECONDS,
	KIND_RAMP,
	KIND_FLAG
};

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
	 "QoS 1 and 2: messages in flight per publisher (100; with a rate: what\n"
	 "falls due in ten seconds)"},
	{"outstanding", 0, KIND_NUMBER, FIELD(outstanding), 1, COUNT_MAX, "N",
	 "a publisher pauses when its slowest subscriber is N messages behind\n"
	 "(with a rate: never)"},
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
	{"file", 'f', KIND_TEXT, FIELD(plan_path), 0, 0, "FILE",
	 "groups of publishers and subscribers as FILE says, instead of a scenario"},
	{"ramp", 0, KIND_RAMP, FIELD(ramp), 0, 0, "FROM:TO:STEP:SECONDS",
	 "rates from FROM to TO in steps, each for so long; tells where latency\n"
	 "breaks, and ends when the server does not keep up"},
	{"compare-qos", 0, KIND_FLAG, FIELD(compares_qos), 0, 0, NULL,
	 "the same at QoS 0, 1 and 2: what each costs"},
	{"verify-durability", 0, KIND_FLAG, FIELD(is_verifying), 0, 0, NULL,
	 "publish, kill the server, wait for it, and check that all that was\n"
	 "acknowledged arrives, at QoS 2 once; needs --kill"},
	{"kill", 0, KIND_NUMBER, FIELD(kill_pid), 2, BENCH_PID_MAX, "PID",
	 "the process of the server: SIGKILL at a random moment of --duration"},
	{"restart", 0, KIND_TEXT, FIELD(restart_command), 0, 0, "COMMAND",
	 "what the shell shall do to start the server again (else you do)"},
	{"away", 0, KIND_FLAG, FIELD(is_away), 0, 0, NULL,
	 "the subscriber is away from before the first message until the server is\n"
	 "back: all has to come out of its store"},
	{"at-once", 0, KIND_NUMBER, FIELD(at_once), 1, CLIENTS_MAX, "N",
	 "idle: connections on their way at a time (64)"},
	{"reconnect", 0, KIND_FLAG, FIELD(reconnects), 0, 0, NULL,
	 "idle: after --warmup, or when SIGUSR1 comes, all lose their connections and\n"
	 "come back at once; latency counts from then"},
	{"cafile", 0, KIND_TEXT, FIELD(ca_file), 0, 0, "FILE",
	 "TLS; authorities that the server's certificate must come from"},
	{"cert", 0, KIND_TEXT, FIELD(cert_file), 0, 0, "FILE", "with TLS: our certificate"},
	{"key", 0, KIND_TEXT, FIELD(key_file), 0, 0, "FILE", "its key"},
	{"insecure", 0, KIND_FLAG, FIELD(is_insecure), 0, 0, NULL,
	 "with TLS: do not compare the server's name with its certificate"},
	{"resume", 0, KIND_FLAG, FIELD(resumes), 0, 0, NULL,
	 "with TLS: shorten handshakes by the tickets of earlier ones"},
	{"ws", 0, KIND_FLAG, FIELD(is_websocket), 0, 0, NULL, "MQTT over WebSocket"},
	{"html", 0, KIND_TEXT, FIELD(html_path), 0, 0, "FILE",
	 "write a report with plots: one file, which needs nothing else"},
	{"quiet", 0, KIND_FLAG, FIELD(is_quiet), 0, 0, NULL, "no line of progress on a terminal"},
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

/* One number of a ramp, and what stands behind it. */
static bool take_part(const char **text, uint64_t max, char end, uint64_t *value_out)
{
	char *rest;
	errno = 0;
	unsigned long long value = strtoull(*text, &rest, 10);
	if (**text < '0' || **text > '9' || errno || *rest != end || value == 0 || value > max)
		return false;
	*text = rest + (end != 0);
	*value_out = value;
	return true;
}

static bool set_ramp(struct bench_options *o, const char *text, struct problem *problem)
{
	const char *at = text;
	uint64_t from, to, step, seconds;
	if (!take_part(&at, 1000000000, ':', &from) || !take_part(&at, 1000000000, ':', &to) ||
	    !take_part(&at, 1000000000, ':', &step) || !take_part(&at, 86400, 0, &seconds))
		return REFUSE(problem,
			      "--ramp takes FROM:TO:STEP:SECONDS, four whole numbers, not '%s'",
			      text);
	if (to < from || (to - from) / step >= BENCH_RAMP_STEPS_MAX)
		return REFUSE(problem, "--ramp takes 1 to %u steps upwards, not '%s'",
			      BENCH_RAMP_STEPS_MAX, text);
	o->ramp = (struct bench_ramp){(uint32_t)from, (uint32_t)to, (uint32_t)step, seconds * 1000};
	return true;
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
	case KIND_RAMP: return set_ramp(o, text, problem);
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
	set_default(&o->version, 4);
	set_default(&o->payload_bytes, 64);
	set_default(&o->publishers, s->publishers);
	set_default(&o->subscribers, s->subscribers);
	set_default(&o->clients, s->clients);
	set_default(&o->rate, o->ramp.from ? o->ramp.from : s->rate);
	/* open loop: nobody waits for anybody */
	set_default(&o->outstanding, o->rate ? COUNT_MAX : s->outstanding);
	if (o->duration_ms == UNSET_MS)
		o->duration_ms = o->count ? DURATION_COUNTED_MS : DURATION_DEFAULT_MS;
	if (s->is_absent) {
		o->is_persistent = true;
		set_default(&o->qos, 1);
	}
	set_default(&o->qos, o->is_verifying ? 2 : 0);
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
	if ((o->cert_file || o->key_file || o->is_insecure || o->resumes) && !o->ca_file)
		return REFUSE(problem, "--cert, --key, --insecure and --resume go with TLS: give "
				       "--cafile");
	if (!o->cert_file != !o->key_file)
		return REFUSE(problem, "--cert and --key go together");
	if ((o->ca_file || o->is_websocket) && o->is_verifying)
		return REFUSE(problem, "--verify-durability goes over plain TCP: without --cafile "
				       "and --ws");
	if ((o->at_once || o->reconnects) && o->shape != BENCH_IDLE)
		return REFUSE(problem, "--at-once and --reconnect go with idle");
	if (o->shape == BENCH_IDLE && (o->count || o->rate))
		return REFUSE(problem, "--count and --rate mean nothing to idle clients: "
				       "give --clients");
	return true;
}

/* Without a scenario's name: what the other options mean. */
static void choose_scenario(struct bench_options *o)
{
	if (o->plan_path)
		o->scenario = &bench_scenario_file;
	else if (o->is_verifying)
		o->scenario = &bench_scenario_verify;
	else if (o->ramp.from || o->compares_qos)
		o->scenario = bench_scenario_find("p2p");
}

static bool check_ways(const struct bench_options *o, struct problem *problem)
{
	bool is_load =
		o->scenario && bench_shape_publishes(o->scenario->shape) && !o->scenario->is_absent;
	unsigned ways =
		(o->ramp.from > 0) + o->compares_qos + o->is_verifying + (o->plan_path != NULL);
	if (ways > 1)
		return REFUSE(problem, "one at a time of --file, --ramp, --compare-qos and "
				       "--verify-durability");
	if ((o->ramp.from || o->compares_qos) && !is_load)
		return REFUSE(problem, "--ramp and --compare-qos go with p2p, fan-out, fan-in and "
				       "sparse");
	if (o->ramp.from && (o->rate != UNSET || o->count))
		return REFUSE(problem, "--ramp has its own rates and times: without --rate and "
				       "--count");
	if (o->compares_qos && o->qos != UNSET)
		return REFUSE(problem, "--compare-qos takes each QoS in turn: without --qos");
	if ((o->kill_pid || o->restart_command || o->is_away) && !o->is_verifying)
		return REFUSE(problem, "--kill, --restart and --away go with --verify-durability");
	return true;
}

/* What groups say for themselves, and the scenario of a name does not matter for. */
static bool check_alone(const struct bench_options *o, struct problem *problem)
{
	bool has_groups = o->publishers != UNSET || o->subscribers != UNSET || o->qos != UNSET ||
			  o->rate != UNSET || o->shared != UNSET || o->outstanding != UNSET ||
			  o->count || o->window || o->burst > 1 || o->is_persistent ||
			  o->payload_bytes != UNSET;
	if (o->plan_path && (o->scenario || has_groups))
		return REFUSE(problem, "--file says who sends what: without a scenario, numbers, "
				       "sizes, QoS and rates");
	if (o->is_verifying && (o->scenario || !o->kill_pid || o->qos == 0 || o->html_path))
		return REFUSE(problem, "--verify-durability needs --kill PID, goes with QoS 1 and "
				       "2, and without a scenario and --html");
	return true;
}

static bool read_plan(struct bench_options *o, struct problem *problem)
{
	int error = bench_plan_read(o->plan_path, &o->plan, problem->text, problem->len);
	if (error)
		return false;
	const struct bench_plan *plan = o->plan;
	o->publishers = bench_plan_members(plan, true);
	o->subscribers = bench_plan_members(plan, false);
	o->qos = 0;
	for (uint32_t i = 0; i < plan->group_count; i++)
		if (plan->groups[i].qos > o->qos)
			o->qos = plan->groups[i].qos;
	if (o->duration_ms == UNSET_MS && plan->duration_ms != BENCH_PLAN_UNSET)
		o->duration_ms = plan->duration_ms;
	if (o->warmup_ms == UNSET_MS && plan->warmup_ms != BENCH_PLAN_UNSET)
		o->warmup_ms = plan->warmup_ms;
	if (o->version == UNSET && plan->version != BENCH_PLAN_UNSET)
		o->version = plan->version;
	return true;
}

static bool parse(struct bench_options *o, int argc, char **argv, struct problem *problem)
{
	for (int i = 1; i < argc; i++) {
		if (!read_word(o, argc, argv, &i, problem))
			return false;
	}
	if (!check_alone(o, problem))
		return false;
	if (!o->scenario)
		choose_scenario(o);
	if (!check_ways(o, problem) || (o->plan_path && !read_plan(o, problem)))
		return false;
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
		.version = UNSET,
		.payload_bytes = UNSET,
		.qos = UNSET,
		.publishers = UNSET,
		.subscribers = UNSET,
		.clients = UNSET,
		.shared = UNSET,
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
	if (!parse(o, argc, argv, &where)) {
		bench_options_release(o);
		return BENCH_PARSE_ERROR;
	}
	if (o->shared == UNSET)
		o->shared = 0;
	return BENCH_PARSE_RUN;
}

void bench_options_release(struct bench_options *o)
{
	mem_free(o->plan);
	o->plan = NULL;
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
	if (strlen(left) > 24)
		printf("\n%27s", "");
	print_help(option->help);
}

void bench_options_help(void)
{
	puts("usage: nightjar bench SCENARIO [OPTIONS]\n"
	     "       nightjar bench --file FILE [OPTIONS]\n"
	     "       nightjar bench [SCENARIO] --ramp FROM:TO:STEP:SECONDS [OPTIONS]\n"
	     "       nightjar bench [SCENARIO] --compare-qos [OPTIONS]\n"
	     "       nightjar bench --verify-durability --kill PID [OPTIONS]\n"
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
	     "  nightjar bench p2p -q 1 --ramp 10000:200000:10000:3 --html ramp.html\n"
	     "  nightjar bench --compare-qos --server-pid PID\n"
	     "  nightjar bench --file plant.bench -d 60 --html plant.html\n"
	     "  nightjar bench --verify-durability --kill PID --restart 'service mosquitto start'\n"
	     "\n"
	     "The exit status is 1 when the run failed, and at QoS 1 and 2 when a message was "
	     "lost\n"
	     "or out of order (at QoS 2 also when one came twice), or lost by a server that was\n"
	     "killed.");
}
