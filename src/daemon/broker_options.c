/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker_options.h"

#include "base/nearest.h"

#include <stdio.h>

/* mosquitto's (MOSQ_ERR_INVAL), which scripts know. */
#define MOSQUITTO_STATUS 3

enum known_id {
	CONFIG_FILE,
	PORT,
	BIND,
	SHARDS,
	KEY_LOG,
	VERBOSE,
	QUIET,
	BACKGROUND,
	TEST,
	HELP,
	VERSION,
	KNOWN_COUNT
};

static const struct known {
	const char *name;
	char letter; /* '\0' = none */
	bool has_value;
} known[KNOWN_COUNT] = {
	[CONFIG_FILE] = {"config-file", 'c', true},
	[PORT] = {"port", 'p', true},
	[BIND] = {"bind", '\0', true},
	[SHARDS] = {"shards", '\0', true},
	[KEY_LOG] = {"tls-keylog", '\0', true},
	[VERBOSE] = {"verbose", 'v', false},
	[QUIET] = {"quiet", 'q', false},
	[BACKGROUND] = {"daemon", 'd', false},
	[TEST] = {"test-config", '\0', false},
	[HELP] = {"help", 'h', false},
	[VERSION] = {"version", '\0', false},
};

const char *broker_options_help(void)
{
	return "usage: nightjar broker [options]\n"
	       "\n"
	       "  -c, --config-file FILE  read a configuration in mosquitto.conf's grammar\n"
	       "  -p, --port PORT         listen on this port (default 1883; 0 chooses a free "
	       "one);\n"
	       "                          may be given several times\n"
	       "      --bind ADDRESS      listen on this address instead of the loopback ones\n"
	       "      --shards NUMBER     threads that serve clients (default: one per core)\n"
	       "      --tls-keylog FILE   append the secrets of all TLS connections to FILE, with\n"
	       "                          which Wireshark reads them\n"
	       "  -v, --verbose           log every packet\n"
	       "  -q, --quiet             log nothing\n"
	       "  -d, --daemon            go to the background once it listens\n"
	       "      --test-config       say what is wrong with the configuration and the files\n"
	       "                          that it names, and end\n"
	       "  -h, --help              show this\n"
	       "      --version           show the version\n"
	       "\n"
	       "Without a configuration only this machine can connect. The log goes to standard\n"
	       "error, with -d to the system's log, unless the configuration says otherwise.\n"
	       "SIGTERM and SIGINT end the broker, a second one ends it at once. SIGHUP reads "
	       "the\n"
	       "configuration anew, as a change of its file does, and opens the log's file again.\n"
	       "SIGUSR1 logs figures of the store, SIGUSR2 who is subscribed to what. SIGRTMIN "
	       "opens\n"
	       "the log's file again.\n";
}

/* Words of the command line that are still to be read. */
struct arguments {
	int left;
	char **next;
	char *reason;
};

static int refuse(const struct arguments *a, const char *format, const char *word)
{
	snprintf(a->reason, BROKER_REASON_MAX, format, word);
	return ERROR_INVALID;
}

static int apply(const struct arguments *a, struct broker_options *o, unsigned id,
		 const char *value)
{
	switch ((enum known_id)id) {
	case CONFIG_FILE:
		if (o->config_file)
			return refuse(a,
				      "a second configuration, %s: one file is read, and those "
				      "that it includes",
				      value);
		o->config_file = value;
		break;
	case PORT:
		if (o->port_count == BROKER_PORTS_MAX)
			return refuse(a, "too many ports, from %s on", value);
		o->ports[o->port_count++] = value;
		break;
	case BIND: o->bind_address = value; break;
	case SHARDS: o->shards = value; break;
	case KEY_LOG: o->key_log = value; break;
	case VERBOSE: o->is_verbose = true; break;
	case QUIET: o->is_quiet = true; break;
	case TEST: o->is_test = true; break;
	case BACKGROUND: o->is_background = true; break;
	case HELP: o->wants_help = true; break;
	case VERSION: o->wants_version = true; break;
	case KNOWN_COUNT: break;
	}
	return 0;
}

/* The value that stands in the same word, or else the next word. */
static int apply_with_value(struct arguments *a, struct broker_options *o, unsigned id,
			    const char *in_word)
{
	if (in_word)
		return apply(a, o, id, in_word);
	if (a->left == 0)
		return refuse(a, "option --%s needs a value", known[id].name);
	a->left--;
	return apply(a, o, id, *a->next++);
}

static int refuse_name(const struct arguments *a, struct span name)
{
	struct nearest nearest = nearest_start(name);
	for (unsigned i = 0; i < KNOWN_COUNT; i++)
		nearest_offer(&nearest, known[i].name);
	int len = snprintf(a->reason, BROKER_REASON_MAX, "unknown option '--%.*s'",
			   (int)(name.len < 100 ? name.len : 100), (const char *)name.ptr);
	if (nearest.best)
		snprintf(a->reason + len, BROKER_REASON_MAX - (size_t)len, ", did you mean --%s?",
			 nearest.best);
	else
		snprintf(a->reason + len, BROKER_REASON_MAX - (size_t)len, " (see --help)");
	return ERROR_INVALID;
}

/* "--name", "--name value" or "--name=value"; `word` is without the dashes. */
static int read_name(struct arguments *a, struct broker_options *o, const char *word)
{
	const char *equals = strchr(word, '=');
	struct span name = span_of(word, equals ? (size_t)(equals - word) : strlen(word));
	unsigned id = 0;
	while (id < KNOWN_COUNT && !span_is_equal(span_of_text(known[id].name), name))
		id++;
	if (id == KNOWN_COUNT)
		return refuse_name(a, name);
	if (known[id].has_value)
		return apply_with_value(a, o, id, equals ? equals + 1 : NULL);
	if (equals)
		return refuse(a, "option --%s takes no value", known[id].name);
	return apply(a, o, id, NULL);
}

/* "-v", "-vd", "-p 1883" or "-p1883"; `letters` is without the dash. */
static int read_letters(struct arguments *a, struct broker_options *o, const char *letters)
{
	for (; *letters; letters++) {
		unsigned id = 0;
		while (id < KNOWN_COUNT && known[id].letter != *letters)
			id++;
		if (id == KNOWN_COUNT)
			return refuse(a, "unknown option '-%.1s' (see --help)", letters);
		if (known[id].has_value)
			return apply_with_value(a, o, id, letters[1] ? letters + 1 : NULL);
		apply(a, o, id, NULL);
	}
	return 0;
}

static bool is_mosquitto(const char *program)
{
	const char *slash = strrchr(program, '/');
	return strcmp(slash ? slash + 1 : program, "mosquitto") == 0;
}

int broker_options_status(const struct broker_options *o)
{
	return o->is_mosquitto ? MOSQUITTO_STATUS : 1;
}

int broker_options_parse(int argc, char **argv, struct broker_options *out,
			 char reason[BROKER_REASON_MAX])
{
	struct broker_options o = {.is_mosquitto = argc > 0 && is_mosquitto(argv[0])};
	struct arguments a = {.left = argc - 1, .next = argv + 1, .reason = reason};
	*out = (struct broker_options){.is_mosquitto = o.is_mosquitto};
	while (a.left > 0) {
		const char *word = *a.next++;
		a.left--;
		int error;
		if (strncmp(word, "--", 2) == 0 && word[2])
			error = read_name(&a, &o, word + 2);
		else if (word[0] == '-' && word[1] && word[1] != '-')
			error = read_letters(&a, &o, word + 1);
		else
			error = refuse(&a, "unexpected argument '%.100s' (see --help)", word);
		if (error != 0)
			return error;
	}
	*out = o;
	return 0;
}

/* What each step reports is collected, so that all mistakes are told at once. */
int broker_options_load(const struct broker_options *o, struct config *c,
			struct config_report *report)
{
	int error = 0;
	config_init(c);
	if (o->config_file)
		error = config_load_file(c, o->config_file, report);
	if (error == 0 && o->bind_address)
		error = config_set(c, "bind_address", o->bind_address, report);
	if (error == 0 && o->shards)
		error = config_set(c, "shards", o->shards, report);
	for (unsigned i = 0; i < o->port_count && error == 0; i++)
		error = config_add_port(c, o->ports[i], report);
	if (error == 0 && o->key_log)
		error = config_set_key_log(c, o->key_log);
	if (o->is_mosquitto)
		config_ignore_stray_ports(c);
	if (o->is_quiet)
		config_set_quiet(c);
	else if (o->is_verbose)
		config_set_verbose(c);
	return error == 0 ? config_finish(c, report) : error;
}
