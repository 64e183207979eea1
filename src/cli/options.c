/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/options.h"

#include "base/mem.h"
#include "cli/flag_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#define KEEP_ALIVE_DEFAULT 60
#define RECEIVE_MAXIMUM_DEFAULT 20 /* what mosquitto's clients announce */

static void set_defaults(struct options *o, enum tool tool, const char *program)
{
	memset(o, 0, sizeof(*o));
	o->tool = tool;
	o->program = program;
	o->host = "localhost";
	o->port = 1883;
	o->version = MQTT_3_1_1;
	o->keep_alive = KEEP_ALIVE_DEFAULT;
	o->repeat_count = 1;
	property_options_init(&o->properties);
}

void options_release(struct options *o)
{
	mem_free(o->topics.items);
	mem_free(o->filtered_out.items);
	mem_free(o->unsubscribed.items);
	for (size_t i = 0; i < o->owned_count; i++)
		mem_free(o->owned[i]);
	property_options_release(&o->properties);
}

static const char *name_of(const struct flag_row *row)
{
	/* The long name where the short one says little. */
	bool is_version = row->short_name && strcmp(row->short_name, "-V") == 0;
	return row->short_name && !is_version ? row->short_name : row->long_name;
}

static bool refuse_not_yet(const struct options *o, const char *word)
{
	fprintf(stderr,
		"Error: %s is an option of mosquitto_%s that nightjar does not support yet.\n",
		word, o->tool == TOOL_PUB ? "pub" : "sub");
	return false;
}

static bool takes_value(const struct flag_row *row)
{
	return row->kind == FLAG_TEXT || row->kind == FLAG_VALUE || row->kind == FLAG_NOT_YET_VALUE;
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
	default: return refuse_not_yet(o, word);
	}
}

/* Takes the option at argv[i]; returns how many words it took, 0 when it is no good. */
static int take_option(struct options *o, const struct flag_row *row, int argc, char **argv, int i)
{
	if (row->kind == FLAG_PROPERTY) {
		int taken = property_options_add(&o->properties, argv + i + 1, argc - i - 1);
		o->version = MQTT_5;
		return taken ? taken + 1 : 0;
	}
	if (!takes_value(row))
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
	else if (o->skips_retained && o->wants_retained_only)
		fprintf(stderr, "Error: Combining '-R' and '--retained-only' makes no sense.\n");
	else
		return true;
	return false;
}

static bool is_credential(const char *text)
{
	return !text || (strlen(text) <= UINT16_MAX && utf8_is_valid(span_of_text(text)));
}

/* mosquitto finds these later, and does not point to its help. */
static bool check_credentials(const struct options *o)
{
	bool is_good = is_credential(o->user_name) &&
		       (!o->password || strlen(o->password) <= UINT16_MAX) &&
		       (!o->password || o->user_name || o->version == MQTT_5);
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
	else if (!has_own_id(o) && o->version == MQTT_3_1)
		id = random_id();
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

static void point_to_help(const struct options *o)
{
	fprintf(stderr, "\nUse '%s --help' to see usage.\n", o->program);
}

enum options_result options_parse(struct options *o, enum tool tool, int argc, char **argv)
{
	set_defaults(o, tool, argv[0]);
	int taken;
	for (int i = 1; i < argc; i += taken) {
		const struct flag_row *row = flag_find(tool, argv[i]);
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
		if (taken == 0) {
			point_to_help(o);
			return OPTIONS_BAD;
		}
	}
	if (!check_will(o) || !check_session(o) || !check_subscription(o)) {
		point_to_help(o);
		return OPTIONS_BAD;
	}
	return check_credentials(o) && make_client_id(o) ? OPTIONS_OK : OPTIONS_BAD;
}

void options_print_help(const struct options *o)
{
	bool is_pub = o->tool == TOOL_PUB;
	printf("usage: %s [options] -t topic %s\n\n", o->program,
	       is_pub ? "{-m message | -n | -f file | -s | -l}" : "[-t topic ...]");
	printf("%s\n\n",
	       is_pub ? "Publishes messages to an MQTT broker."
		      : "Subscribes to topics of an MQTT broker and prints what arrives.");
	for (size_t i = 0; i < flag_table_count; i++) {
		const struct flag_row *row = &flag_table[i];
		if (!row->help || !(row->tools & o->tool))
			continue;
		char names[48];
		snprintf(names, sizeof(names), "%s%s%s", row->short_name ? row->short_name : "    ",
			 row->short_name && row->long_name ? ", " : "",
			 row->long_name ? row->long_name : "");
		printf("  %-29s %s\n", names, row->help);
	}
}

/* --- packets --- */

static struct span text_or_none(const char *text)
{
	return text ? span_of_text(text) : SPAN_NONE;
}

/* -x, or with -c alone a session that never ends. */
static void add_session_expiry(const struct options *o, struct properties *p)
{
	if (!o->has_session_expiry && !o->keeps_session)
		return;
	p->present |= UINT64_C(1) << PROPERTY_SESSION_EXPIRY_INTERVAL;
	p->session_expiry_interval = o->has_session_expiry ? o->session_expiry : UINT32_MAX;
}

/* With -C no more than are wanted: what is under way beyond them would be acknowledged unseen. */
static void add_receive_maximum(const struct options *o, struct properties *p)
{
	if (properties_has(p, PROPERTY_RECEIVE_MAXIMUM))
		return;
	bool wants_few = o->message_count > 0 && o->message_count < RECEIVE_MAXIMUM_DEFAULT;
	p->present |= UINT64_C(1) << PROPERTY_RECEIVE_MAXIMUM;
	p->receive_maximum = wants_few ? (uint16_t)o->message_count : RECEIVE_MAXIMUM_DEFAULT;
}

void options_connect(const struct options *o, struct connect *connect_out)
{
	*connect_out = (struct connect){
		.version = o->version,
		.clean_start = !o->keeps_session,
		.has_will = o->will_topic != NULL,
		.will_retain = o->will_retain,
		.will_qos = o->will_topic ? o->will_qos : 0,
		.has_user_name = o->user_name != NULL,
		.has_password = o->password != NULL,
		.keep_alive = o->keep_alive,
		.client_id = text_or_none(o->client_id),
		.will_topic = text_or_none(o->will_topic),
		.will_payload = text_or_none(o->will_payload),
		.user_name = text_or_none(o->user_name),
		.password = text_or_none(o->password),
	};
	if (o->version != MQTT_5)
		return;
	connect_out->properties = property_options_of(&o->properties, TARGET_CONNECT);
	connect_out->will_properties = property_options_of(&o->properties, TARGET_WILL);
	add_session_expiry(o, &connect_out->properties);
	add_receive_maximum(o, &connect_out->properties);
}

void options_disconnect(const struct options *o, uint8_t reason_code,
			struct disconnect *disconnect_out)
{
	*disconnect_out = (struct disconnect){.reason_code = reason_code};
	if (o->version == MQTT_5)
		disconnect_out->properties = property_options_of(&o->properties, TARGET_DISCONNECT);
}
