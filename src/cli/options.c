/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/options.h"

#include "base/mem.h"
#include "cli/flag_table.h"
#include "cli/help.h"
#include "cli/options_file.h"
#include "mqtt/wire.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#define KEEP_ALIVE_DEFAULT 60

static void set_defaults(struct options *o, enum tool tool, const char *program)
{
	memset(o, 0, sizeof(*o));
	o->tool = tool;
	o->program = program;
	o->host = "localhost";
	o->version = tool == TOOL_RR ? NJ_MQTT_5 : NJ_MQTT_3_1_1;
	o->keep_alive = KEEP_ALIVE_DEFAULT;
	o->repeat_count = 1;
	o->request_count = 1;
	property_options_init(&o->properties);
}

void options_release(struct options *o)
{
	mem_free(o->topics.items);
	mem_free(o->filtered_out.items);
	mem_free(o->fallbacks.items);
	mem_free(o->unsubscribed.items);
	for (size_t i = 0; i < o->owned_count; i++)
		mem_free(o->owned[i]);
	buffer_release(&o->file_text);
	property_options_release(&o->properties);
}

static const char *name_of(const struct flag_row *row)
{
	/* The long name where the short one says little. */
	bool is_version = row->short_name && strcmp(row->short_name, "-V") == 0;
	return row->short_name && !is_version ? row->short_name : row->long_name;
}

static bool refuse(const struct flag_row *row, const char *word)
{
	fprintf(stderr, "Error: %s is not supported: %s\n", word, row->help);
	return false;
}

static bool apply(struct options *o, const struct flag_row *row, const char *word,
		  const char *value)
{
	char *field = (char *)o + row->field;
	switch ((enum flag_kind)row->kind) {
	case FLAG_ON: *(bool *)field = true; return true;
	case FLAG_TEXT: *(const char **)field = value; return true;
	case FLAG_VALUE:
	case FLAG_SWITCH: return row->take(o, value);
	default: return refuse(row, word);
	}
}

/* Takes the option at argv[i]; returns how many words it took, 0 when it is no good. */
static int take_option(struct options *o, const struct flag_row *row, int argc, char **argv, int i)
{
	if (row->kind == FLAG_PROPERTY) {
		int taken = property_options_add(&o->properties, argv + i + 1, argc - i - 1);
		o->version = NJ_MQTT_5;
		return taken ? taken + 1 : 0;
	}
	if (row->kind == FLAG_EXEC && (i + 2 >= argc || strcmp(argv[i + 1], "exec") != 0)) {
		fprintf(stderr, "Error: %s takes \"exec\" and a command.\n\n", row->long_name);
		return 0;
	}
	if (row->kind == FLAG_EXEC)
		return row->take(o, argv[i + 2]) ? 3 : 0;
	if (!flag_takes_value(row))
		return apply(o, row, argv[i], NULL) ? 1 : 0;
	if (i + 1 == argc) {
		fprintf(stderr, "Error: %s argument given but no %s specified.\n\n", name_of(row),
			row->noun);
		return 0;
	}
	return apply(o, row, argv[i], argv[i + 1]) ? 2 : 0;
}

/* --- what single options cannot judge --- */

static bool has_own_id(const struct options *o)
{
	return o->client_id && o->client_id[0] != '\0';
}

static bool check_will(const struct options *o)
{
	if (o->will_payload && !o->will_topic)
		fprintf(stderr, "Error: Will payload given, but no will topic given.\n");
	else if (o->will_retain && !o->will_topic)
		fprintf(stderr, "Error: Will retain given, but no will topic given.\n");
	else if (o->will_payload && strlen(o->will_payload) > UINT16_MAX)
		fprintf(stderr, "Error: The will payload is longer than 65535 bytes.\n");
	else
		return true;
	return false;
}

static bool check_session(const struct options *o)
{
	if (o->has_session_expiry && o->session_expiry == UINT32_MAX && !has_own_id(o))
		fprintf(stderr, "Error: You must provide a client id if you are using an infinite "
				"session expiry interval.\n");
	else if (o->keeps_session && !has_own_id(o))
		fprintf(stderr,
			"Error: You must provide a client id if you are using the -c option.\n");
	else
		return true;
	return false;
}

static bool check_subscription(const struct options *o)
{
	if (o->tool == TOOL_SUB && o->topics.count == 0)
		fprintf(stderr, "Error: You must specify a topic to subscribe to.\n");
	else
		return true;
	return false;
}

static bool check_retained(const struct options *o)
{
	bool makes_sense = !o->skips_retained || !o->wants_retained_only;
	if (!makes_sense)
		fprintf(stderr, "\nError: Combining '-R' and '--retained-only' makes no sense.\n");
	return makes_sense;
}

static bool is_credential(const char *text)
{
	return !text || (strlen(text) <= UINT16_MAX && utf8_is_valid(span_of_text(text)));
}

/* The method is one of version 5 ([5] 4.12). */
static bool check_scram(const struct options *o)
{
	bool is_good = !o->has_scram || (o->version == NJ_MQTT_5 && o->user_name && o->password);
	if (!is_good)
		fprintf(stderr,
			"Error: --scram takes a user name (-u), a password (-P) and version 5 "
			"(-V 5).\n");
	return is_good;
}

/* mosquitto finds these later, and does not point to its help. */
static bool check_credentials(const struct options *o)
{
	bool is_good = is_credential(o->user_name) &&
		       (!o->password || strlen(o->password) <= UINT16_MAX) &&
		       (!o->password || o->user_name || o->version == NJ_MQTT_5);
	if (!is_good)
		fprintf(stderr, "Error: Problem setting username and/or password.\n");
	return is_good;
}

/* --- client ids --- */

#define RANDOM_ID_LETTERS 18 /* "mosq-" and these make the 23 that 3.1 allows */

static char *random_id(void)
{
	static const char letters[] =
		"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	uint8_t random[RANDOM_ID_LETTERS];
	char *id = mem_alloc(sizeof("mosq-") + RANDOM_ID_LETTERS);
	if (!id || getrandom(random, sizeof(random), 0) != sizeof(random)) {
		mem_free(id);
		return NULL;
	}
	strcpy(id, "mosq-");
	for (int i = 0; i < RANDOM_ID_LETTERS; i++)
		id[5 + i] = letters[random[i] % (sizeof(letters) - 1)];
	id[5 + RANDOM_ID_LETTERS] = '\0';
	return id;
}

static char *prefixed_id(const char *prefix)
{
	size_t room = strlen(prefix) + 24; /* a process id has fewer digits */
	char *id = mem_alloc(room);
	if (id)
		snprintf(id, room, "%s%ld", prefix, (long)getpid());
	return id;
}

/* A prefix is completed; 3.1 knows no empty client id, so it gets a random one. */
static bool make_client_id(struct options *o)
{
	char *id;
	if (o->id_prefix)
		id = prefixed_id(o->id_prefix);
	else if (!has_own_id(o) && o->version == NJ_MQTT_3_1 && !o->outbox)
		id = random_id(); /* an outbox has one of its own */
	else
		return true;
	if (!id || o->owned_count == ARRAY_COUNT(o->owned)) {
		mem_free(id);
		fprintf(stderr, "Error: Out of memory.\n");
		return false;
	}
	o->owned[o->owned_count++] = id;
	o->client_id = id;
	return true;
}

/* --- */

void options_point_to_help(const struct options *o)
{
	fprintf(stderr, "\nUse '%s --help' to see usage.\n", o->program);
}

/* Takes all words from `argv` on. */
static enum options_result take_words(struct options *o, int argc, char **argv)
{
	int taken;
	for (int i = 0; i < argc; i += taken) {
		const struct flag_row *row = flag_find(o->tool, argv[i]);
		if (row && row->kind == FLAG_HELP) {
			options_print_help(o);
			return OPTIONS_DONE;
		}
		if (row && row->kind == FLAG_VERSION) {
			printf("%s version %s\n", o->program, NIGHTJAR_VERSION);
			return OPTIONS_DONE;
		}
		if (!row)
			fprintf(stderr, "Error: Unknown option '%s'.\n", argv[i]);
		taken = row ? take_option(o, row, argc, argv, i) : 0;
		if (taken == 0)
			return OPTIONS_BAD;
	}
	return OPTIONS_OK;
}

/* --- the file of default options --- */

static enum options_result take_file(struct options *o, const char *path)
{
	char *words[OPTIONS_WORDS_MAX], *line = (char *)o->file_text.ptr;
	enum options_result result = OPTIONS_OK;
	for (int number = 1; line && result == OPTIONS_OK; number++) {
		char *next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		result = take_words(o, options_file_cut(line, words), words);
		if (result == OPTIONS_BAD)
			fprintf(stderr, "This is line %d of %s.\n", number, path);
		line = next;
	}
	o->has_source_by_file = o->source != SOURCE_NONE;
	return result;
}

/* -o, which counts before all others. */
static const char *named_file(const struct options *o, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const struct flag_row *row = flag_find(o->tool, argv[i]);
		if (row && row->kind == FLAG_PROPERTY)
			i += i + 2 < argc && strcmp(argv[i + 2], "user-property") == 0 ? 4 : 3;
		else if (row && row->short_name && strcmp(row->short_name, "-o") == 0)
			return i + 1 < argc ? argv[i + 1] : NULL;
		else if (row && row->kind == FLAG_EXEC)
			i += 2;
		else if (row && flag_takes_value(row))
			i++;
	}
	return NULL;
}

/* The default one need not be there; the one that is named must. */
static enum options_result take_defaults(struct options *o, int argc, char **argv)
{
	static const char *const names[] = {[TOOL_PUB] = "mosquitto_pub",
					    [TOOL_SUB] = "mosquitto_sub",
					    [TOOL_RR] = "mosquitto_rr"};
	char path[OPTIONS_PATH_MAX];
	const char *named = named_file(o, argc, argv);
	if (named)
		snprintf(path, sizeof(path), "%s", named);
	else if (!options_file_path(names[o->tool], path, sizeof(path)))
		return OPTIONS_OK;
	int error = options_file_read(path, &o->file_text);
	if (error && (named || error != ERROR_SYSTEM)) {
		fprintf(stderr, "Error: Unable to read the options in %s: %s.\n", path,
			error == ERROR_SYSTEM ? strerror(errno) : "it is too long");
		return OPTIONS_BAD;
	}
	return error ? OPTIONS_OK : take_file(o, path);
}

static bool check_all(const struct options *o)
{
	return check_will(o) && check_session(o) && check_subscription(o) && check_scram(o) &&
	       tls_options_check(&o->tls);
}

enum options_result options_parse(struct options *o, enum tool tool, int argc, char **argv)
{
	set_defaults(o, tool, argv[0]);
	enum options_result result = take_defaults(o, argc, argv);
	if (result == OPTIONS_OK)
		result = take_words(o, argc - 1, argv + 1);
	if (result == OPTIONS_OK && !check_all(o))
		result = OPTIONS_BAD;
	if (result == OPTIONS_BAD)
		options_point_to_help(o);
	if (result != OPTIONS_OK)
		return result;
	if (o->port == 0)
		o->port = tls_options_are_wanted(&o->tls, 0) ? 8883 : 1883;
	bool is_good = check_retained(o) && check_credentials(o) && make_client_id(o);
	return is_good ? OPTIONS_OK : OPTIONS_BAD;
}

void options_print_help(const struct options *o)
{
	help_print(o->tool, o->program, stdout, help_wants_colours(stdout));
}
