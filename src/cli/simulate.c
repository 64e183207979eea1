/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/simulate.h"

#include <errno.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/nearest.h"
#include "cli/simulate_run.h"

enum { STATUS_OK = 0, STATUS_FAILED = 1, STATUS_MISTAKE = 2 };

struct arguments {
	const char *script;
	const char *host;
	uint64_t port;
	uint64_t duration_ms;
	uint64_t seed;
	bool has_seed;
	bool is_check;
	bool is_json;
	bool is_quiet;
	bool is_help;
};

/* --- the command line --- */

/* A word of the command line, for the functions that read words of scripts. */
static int read_word(const char *option, const char *text, uint64_t *out,
		     int (*read)(struct words *w, const struct word *word, uint64_t *out))
{
	struct buffer errors = {0};
	unsigned count = 0;
	struct words w = {.file = option, .errors = &errors, .error_count = &count};
	struct word word = {span_of_text(text), 1};
	int error = read(&w, &word, out);
	if (error) {
		struct span line = buffer_content(&errors);
		const char *colon = line.len ? memmem(line.ptr, line.len, ": ", 2) : NULL;
		const char *end = (const char *)line.ptr + line.len;
		if (colon)
			fprintf(stderr, "nightjar simulate: %s: %.*s", option,
				(int)(end - colon - 2), colon + 2);
	}
	buffer_release(&errors);
	return error;
}

static int read_port(struct words *w, const struct word *word, uint64_t *out)
{
	return word_number(w, word, 1, UINT16_MAX, out);
}

static int read_seed(struct words *w, const struct word *word, uint64_t *out)
{
	return word_number(w, word, 0, UINT64_C(999999999999999999), out);
}

static int take_port(struct arguments *a, const char *value)
{
	return read_word("--port", value, &a->port, read_port);
}

static int take_duration(struct arguments *a, const char *value)
{
	return read_word("--duration", value, &a->duration_ms, word_duration);
}

static int take_seed(struct arguments *a, const char *value)
{
	a->has_seed = true;
	return read_word("--seed", value, &a->seed, read_seed);
}

static int take_host(struct arguments *a, const char *value)
{
	a->host = value;
	return 0;
}

static const struct option {
	const char *name;
	const char *letter;
	const char *argument; /* NULL: it is a switch, and sets `flag` */
	size_t flag;
	int (*take)(struct arguments *a, const char *value);
	const char *help;
} options[] = {
	{"--host", "-h", "NAME", 0, take_host,
	 "server's name or address (the script's, localhost)"},
	{"--port", "-p", "N", 0, take_port, "server's TCP port (the script's, 1883)"},
	{"--duration", "-d", "TIME", 0, take_duration, "how long, e.g. 30s (the script's, no end)"},
	{"--seed", "-s", "N", 0, take_seed, "the same numbers each time (the script's, random)"},
	{"--check", "-c", NULL, offsetof(struct arguments, is_check), NULL,
	 "read the script, say what is wrong with it, and end"},
	{"--json", "-j", NULL, offsetof(struct arguments, is_json), NULL,
	 "print the summary as one JSON object"},
	{"--quiet", "-q", NULL, offsetof(struct arguments, is_quiet), NULL,
	 "no line that shows how it goes"},
	{"--help", NULL, NULL, offsetof(struct arguments, is_help), NULL, "show this"},
};

static void print_help(void)
{
	puts("usage: nightjar simulate [options] SCRIPT\n\n"
	     "Simulates the devices that SCRIPT describes, and says what came of it.\n");
	for (size_t i = 0; i < ARRAY_COUNT(options); i++) {
		const struct option *o = &options[i];
		char words[32];
		snprintf(words, sizeof(words), "%s%s%s%s%s", o->letter ? o->letter : "    ",
			 o->letter ? ", " : "", o->name, o->argument ? " " : "",
			 o->argument ? o->argument : "");
		printf("  %-21s %s\n", words, o->help);
	}
	puts("\nA script:\n\n"
	     "  duration 1m\n"
	     "  device sensor 1000\n"
	     "      will   home/{id}/status qos 1 retain payload offline\n"
	     "      birth  home/{id}/status qos 1 retain payload online\n"
	     "      publish home/{id}/temperature every 5s jitter 20% qos 1 payload {walk 15 25 "
	     "0.5}\n"
	     "  device logger\n"
	     "      subscribe home/+/temperature qos 1\n\n"
	     "nightjar-simulate(1) has the whole language. Exit status: 0; 1 when it could not run "
	     "or\n"
	     "lost a message of QoS 1 or 2; 2 for a mistake in the script or here.");
}

static int unknown_option(const char *word)
{
	struct nearest nearest = nearest_start(span_of_text(word));
	for (size_t i = 0; i < ARRAY_COUNT(options); i++)
		nearest_offer(&nearest, options[i].name);
	if (nearest.best)
		fprintf(stderr, "nightjar simulate: unknown option '%s', did you mean '%s'?\n",
			word, nearest.best);
	else
		fprintf(stderr, "nightjar simulate: unknown option '%s' (see --help)\n", word);
	return ERROR_INVALID;
}

static int take_option(struct arguments *a, const char *word, const char *value, int *used)
{
	for (size_t i = 0; i < ARRAY_COUNT(options); i++) {
		const struct option *o = &options[i];
		if (strcmp(word, o->name) != 0 && (!o->letter || strcmp(word, o->letter) != 0))
			continue;
		*used = o->argument ? 2 : 1;
		if (!o->argument) {
			*(bool *)((char *)a + o->flag) = true;
			return 0;
		}
		if (value)
			return o->take(a, value);
		fprintf(stderr, "nightjar simulate: %s wants %s\n", o->name, o->argument);
		return ERROR_INVALID;
	}
	return unknown_option(word);
}

static int read_arguments(struct arguments *a, int argc, char **argv)
{
	int error = 0;
	*a = (struct arguments){0};
	for (int i = 1, used; !error && i < argc; i += used) {
		used = 1;
		if (argv[i][0] == '-' && argv[i][1])
			error = take_option(a, argv[i], i + 1 < argc ? argv[i + 1] : NULL, &used);
		else if (!a->script)
			a->script = argv[i];
		else
			error = unknown_option(argv[i]);
	}
	if (!error && !a->script && !a->is_help) {
		fputs("nightjar simulate: no script is given (see --help)\n", stderr);
		error = ERROR_INVALID;
	}
	return error;
}

/* --- the script --- */

static int read_file(const char *path, struct buffer *out)
{
	bool is_stdin = strcmp(path, "-") == 0;
	FILE *file = is_stdin ? stdin : fopen(path, "r");
	int error = file ? buffer_reserve(out, SIMULATE_SCRIPT_BYTES_MAX + 1) : ERROR_SYSTEM;
	if (!error) {
		struct room room = buffer_room(out);
		buffer_commit(out, fread(room.ptr, 1, SIMULATE_SCRIPT_BYTES_MAX + 1, file));
		error = ferror(file) ? ERROR_SYSTEM : 0;
	}
	if (error)
		fprintf(stderr, "nightjar simulate: cannot read '%s': %s\n", path,
			error == ERROR_SYSTEM ? strerror(errno) : error_text(error));
	else if (buffer_len(out) > SIMULATE_SCRIPT_BYTES_MAX)
		fprintf(stderr, "nightjar simulate: '%s' is larger than 1 MiB\n", path);
	if (file && !is_stdin)
		fclose(file);
	return error ? error : buffer_len(out) > SIMULATE_SCRIPT_BYTES_MAX ? ERROR_LIMIT : 0;
}

static int read_script(const char *path, struct simulate_script *script)
{
	struct buffer text = {0}, errors = {0};
	int error = read_file(path, &text);
	*script = (struct simulate_script){0};
	if (!error) {
		error = simulate_script_parse(script, path, buffer_content(&text), &errors);
		fwrite(errors.ptr, 1, buffer_len(&errors), stderr);
		if (error == ERROR_NO_MEMORY)
			fputs("nightjar simulate: not enough memory\n", stderr);
	}
	buffer_release(&text);
	buffer_release(&errors);
	return error;
}

/* --- run --- */

static volatile sig_atomic_t signal_count;

static void count_signal(int number)
{
	(void)number;
	signal_count = signal_count + 1;
}

static void catch_signals(void)
{
	struct sigaction action = {.sa_handler = count_signal};
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

static int perform(struct simulate_run *run, const struct arguments *a,
		   const struct simulate_script *script)
{
	const char *host = a->host ? a->host : script->host ? script->host : "localhost";
	uint64_t port = a->port ? a->port : script->port;
	uint64_t duration_ms = a->duration_ms ? a->duration_ms : script->duration_ms;
	int error = simulate_run_init(run, script, host, (uint16_t)port);
	if (duration_ms > 0)
		run->end_ms = run->field.start_ms + duration_ms;
	run->shows_progress = !a->is_quiet && isatty(STDERR_FILENO);
	run->signal_count = &signal_count;
	if (!error)
		error = simulate_run(run);
	if (error) {
		fprintf(stderr, "nightjar simulate: %s\n", run->failure);
		return STATUS_FAILED;
	}
	if (a->is_json)
		simulate_report_json(run);
	else
		simulate_report_text(run);
	return run->lost > 0 || run->field.count.connections == 0 ? STATUS_FAILED : STATUS_OK;
}

static int choose_seed(const struct arguments *a, struct simulate_script *script)
{
	if (a->has_seed)
		script->seed = a->seed;
	if (a->has_seed || script->has_seed)
		return 0;
	ssize_t len = getrandom(&script->seed, sizeof(script->seed), 0);
	script->seed %= UINT64_C(1000000000); /* short enough to type again */
	return len == sizeof(script->seed) ? 0 : ERROR_SYSTEM;
}

static int run_script(const struct arguments *a, struct simulate_script *script)
{
	struct simulate_run *run = mem_alloc(sizeof(*run)); /* its histogram is large */
	if (!run || choose_seed(a, script)) {
		fputs("nightjar simulate: not enough memory\n", stderr);
		mem_free(run);
		return STATUS_FAILED;
	}
	catch_signals();
	int status = perform(run, a, script);
	simulate_run_release(run);
	mem_free(run);
	return status;
}

int simulate_main(int argc, char **argv)
{
	struct arguments a;
	struct simulate_script script;
	if (read_arguments(&a, argc, argv))
		return STATUS_MISTAKE;
	if (a.is_help) {
		print_help();
		return STATUS_OK;
	}
	int status = read_script(a.script, &script) ? STATUS_MISTAKE : STATUS_OK;
	if (status == STATUS_OK && !a.is_check)
		status = run_script(&a, &script);
	simulate_script_release(&script);
	return status;
}
