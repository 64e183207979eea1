/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of pub and sub: what each option sets, what is refused, and that the manual
 * pages name every option. The pages' paths are this program's arguments. */
#include "cli/client_options.h"
#include "cli/flag_table.h"
#include "cli/options.h"
#include "cli/options_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define WORDS_MAX 24

static const char *manual_paths[3]; /* pub, sub, rr */

/* Parses words that are separated by spaces. The caller releases. */
static enum options_result parse(struct options *o, enum tool tool, const char *line)
{
	static char copy[512];
	char *words[WORDS_MAX + 1] = {(char *)(uintptr_t) "tool"};
	int count = 1;
	snprintf(copy, sizeof(copy), "%s", line);
	for (char *word = strtok(copy, " "); word; word = strtok(NULL, " ")) {
		assert_true(count < WORDS_MAX);
		words[count++] = word;
	}
	return options_parse(o, tool, count, words);
}

static struct client_parts parts;
static struct nj_options c; /* what the library gets */

/* Until the next one, or release. */
static void build(const struct options *o)
{
	client_parts_release(&parts);
	assert_true(client_options_build(o, &parts, &c));
	assert_null(nj_options_problem(&c));
}

/* A number of CONNECT, or -1 where there is none. */
static long long number(uint8_t id)
{
	for (size_t i = 0; i < c.property_count; i++)
		if (c.properties[i].id == id)
			return c.properties[i].number;
	return -1;
}

static void assert_good(struct options *o, enum tool tool, const char *line)
{
	assert_int_equal(parse(o, tool, line), OPTIONS_OK);
}

static void test_defaults(void **state)
{
	(void)state;
	struct options o;
	assert_good(&o, TOOL_PUB, "-t a -m x");
	assert_string_equal(o.host, "localhost");
	assert_int_equal(o.port, 1883);
	assert_int_equal(o.qos, 0);
	assert_int_equal(o.repeat_count, 1);
	build(&o);
	assert_int_equal(c.version, NJ_MQTT_3_1_1);
	assert_true(c.clean_start);
	assert_int_equal(c.keep_alive, 60);
	assert_null(c.client_id);
	assert_null(c.will);
	assert_null(c.user_name);
	assert_null(c.password);
	assert_int_equal(c.property_count, 0);
	assert_string_equal(c.address, "mqtt://localhost:1883");
	options_release(&o);
}

static void test_connection_options(void **state)
{
	(void)state;
	struct options o;
	assert_good(&o, TOOL_SUB,
		    "-h host -p 9883 -i me -u user -P word -k 9 -V mqttv5 -c -x 33 -t a");
	assert_string_equal(o.host, "host");
	assert_int_equal(o.port, 9883);
	build(&o);
	assert_int_equal(c.version, NJ_MQTT_5);
	assert_false(c.clean_start);
	assert_int_equal(c.keep_alive, 9);
	assert_string_equal(c.client_id, "me");
	assert_string_equal(c.user_name, "user");
	assert_int_equal(c.password_len, 4);
	assert_memory_equal(c.password, "word", 4);
	assert_int_equal(c.session_expiry, 33);
	assert_int_equal(c.receive_maximum, 20);
	options_release(&o);
	assert_good(&o, TOOL_SUB, "-V 5 -t a -C 3");
	build(&o);
	assert_int_equal(c.receive_maximum, 3);
	options_release(&o);
	assert_good(&o, TOOL_SUB, "-V 5 -i me -c -t a");
	build(&o);
	assert_int_equal(c.session_expiry, UINT32_MAX);
	options_release(&o);
	/* -x goes before -D, also where it says that there is no such interval */
	assert_good(&o, TOOL_SUB, "-i me -x 0 -t a -D connect session-expiry-interval 9");
	build(&o);
	assert_int_equal(c.session_expiry, 0);
	assert_int_equal(number(NJ_SESSION_EXPIRY_INTERVAL), 0);
	options_release(&o);
	assert_good(&o, TOOL_SUB, "-t a -D connect receive-maximum 7");
	build(&o);
	assert_int_equal(c.receive_maximum, 0);
	assert_int_equal(number(NJ_RECEIVE_MAXIMUM), 7);
	options_release(&o);
}

static void test_will_options(void **state)
{
	(void)state;
	struct options o;
	assert_good(&o, TOOL_PUB,
		    "-t a -n --will-topic w --will-payload gone --will-qos 2 --will-retain "
		    "-D will will-delay-interval 4");
	build(&o);
	assert_non_null(c.will);
	assert_true(c.will->retain);
	assert_int_equal(c.will->qos, 2);
	assert_string_equal(c.will->topic, "w");
	assert_int_equal(c.will->payload_len, 4);
	assert_memory_equal(c.will->payload, "gone", 4);
	assert_int_equal(c.version, NJ_MQTT_5); /* as -D wants it */
	assert_int_equal(c.will->property_count, 1);
	assert_int_equal(c.will->properties[0].id, NJ_WILL_DELAY_INTERVAL);
	assert_int_equal(c.will->properties[0].number, 4);
	options_release(&o);
	assert_good(&o, TOOL_PUB, "-t a -n --will-qos 1"); /* means nothing by itself */
	build(&o);
	assert_null(c.will);
	options_release(&o);
}

static void test_client_ids_that_are_made(void **state)
{
	(void)state;
	struct options o;
	char wanted[40];
	assert_good(&o, TOOL_SUB, "-I pre -t a");
	snprintf(wanted, sizeof(wanted), "pre%ld", (long)getpid());
	assert_string_equal(o.client_id, wanted);
	options_release(&o);
	assert_good(&o, TOOL_SUB, "-V mqttv31 -t a"); /* which knows no empty one */
	assert_int_equal(strlen(o.client_id), 23);
	assert_memory_equal(o.client_id, "mosq-", 5);
	options_release(&o);
}

static void test_url(void **state)
{
	(void)state;
	struct options o;
	assert_good(&o, TOOL_PUB, "-L mqtt://u:p@host:99/to/pic -n");
	assert_string_equal(o.host, "host");
	assert_int_equal(o.port, 99);
	assert_string_equal(o.user_name, "u");
	assert_string_equal(o.password, "p");
	assert_string_equal(o.topics.items[0], "to/pic");
	options_release(&o);
	assert_good(&o, TOOL_PUB, "-L mqtt://[::1]:99/t -n");
	assert_string_equal(o.host, "::1");
	assert_int_equal(o.port, 99);
	assert_null(o.user_name);
	options_release(&o);
	assert_good(&o, TOOL_PUB, "-L mqtt://u@host/t -n");
	assert_string_equal(o.user_name, "u");
	assert_null(o.password);
	assert_int_equal(o.port, 1883);
	options_release(&o);
}

static void test_message_options(void **state)
{
	(void)state;
	static const struct {
		const char *line;
		enum source source;
	} rows[] = {{"-t a -m x", SOURCE_MESSAGE}, {"-t a -n", SOURCE_NULL},
		    {"-t a -f file", SOURCE_FILE}, {"-t a -s", SOURCE_STDIN},
		    {"-t a -l", SOURCE_LINES},     {"-t a", SOURCE_NONE}};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct options o;
		assert_good(&o, TOOL_PUB, rows[i].line);
		assert_int_equal(o.source, rows[i].source);
		options_release(&o);
	}
	struct options o;
	assert_good(&o, TOOL_PUB, "--json-lines --rate 2.5");
	assert_int_equal(o.source, SOURCE_JSON);
	assert_true(o.rate == 2.5);
	options_release(&o);
	assert_good(&o, TOOL_SUB, "-t a --manual-ack exec cmd --until 3 --assert -w -v");
	assert_string_equal(o.ack_command, "cmd");
	assert_int_equal(o.until_count, 3);
	assert_true(o.asserts_sequence && o.is_watching && o.is_verbose);
	options_release(&o);
	assert_good(&o, TOOL_RR, "-t a -e b -n --count 7 --interval 0.5");
	assert_int_equal(o.version, NJ_MQTT_5);
	assert_string_equal(o.response_topic, "b");
	assert_int_equal(o.request_count, 7);
	assert_int_equal(o.interval_ms, 500);
	options_release(&o);
	assert_good(&o, TOOL_PUB, "-t a -n -q 2 -r -d --quiet --repeat 3 --repeat-delay 0.25");
	assert_int_equal(o.qos, 2);
	assert_true(o.retain && o.is_debug && o.is_quiet);
	assert_int_equal(o.repeat_count, 3);
	assert_int_equal(o.repeat_delay_ms, 250);
	options_release(&o);
}

static void test_subscription_options(void **state)
{
	(void)state;
	struct options o;
	assert_good(&o, TOOL_SUB, "-t a -t b/# -T c -U d -U e -v -N -C 7 -W 8 -E -R");
	assert_int_equal(o.topics.count, 2);
	assert_string_equal(o.topics.items[1], "b/#");
	assert_int_equal(o.filtered_out.count, 1);
	assert_int_equal(o.unsubscribed.count, 2);
	assert_true(o.is_verbose && o.has_no_newline && o.exits_after_suback && o.skips_retained);
	assert_int_equal(o.message_count, 7);
	assert_int_equal(o.timeout_s, 8);
	options_release(&o);
}

/* The properties of a packet, as bytes. */
static void assert_text(struct nj_bytes text, const char *wanted)
{
	assert_int_equal(text.len, strlen(wanted));
	assert_memory_equal(text.ptr, wanted, text.len);
}

static void test_properties(void **state)
{
	(void)state;
	struct options o;
	assert_good(&o, TOOL_PUB,
		    "-t a -n -D publish user-property n v -D PUBLISH topic-alias 3 "
		    "-D publish user-property n w -D publish content-type t");
	const struct property_list *list = &o.properties.of[TARGET_PUBLISH];
	assert_int_equal(list->count, 4);
	assert_int_equal(list->items[0].id, NJ_USER_PROPERTY);
	assert_text(list->items[0].text, "n");
	assert_text(list->items[0].value, "v");
	assert_int_equal(list->items[1].id, NJ_TOPIC_ALIAS);
	assert_int_equal(list->items[1].number, 3);
	assert_text(list->items[2].value, "w");
	assert_int_equal(list->items[3].id, NJ_CONTENT_TYPE);
	assert_text(list->items[3].text, "t");
	assert_int_equal(o.properties.of[TARGET_DISCONNECT].count, 0);
	options_release(&o);
	assert_good(&o, TOOL_SUB,
		    "-t a -D subscribe subscription-identifier 300 -D disconnect "
		    "session-expiry-interval 4294967295");
	assert_int_equal(o.properties.of[TARGET_SUBSCRIBE].items[0].number, 300);
	assert_int_equal(o.properties.of[TARGET_DISCONNECT].items[0].number, UINT32_MAX);
	options_release(&o);
}

static void test_fallbacks(void **state)
{
	(void)state;
	struct options o;
	assert_good(&o, TOOL_PUB,
		    "-t a -n -h one --fallback two --fallback three:7 "
		    "--fallback unix:///run/x --scram -V 5 -u me -P word");
	build(&o);
	assert_int_equal(c.more_address_count, 3);
	assert_string_equal(c.more_addresses[0], "mqtt://two");
	assert_string_equal(c.more_addresses[1], "mqtt://three:7");
	assert_string_equal(c.more_addresses[2], "unix:///run/x");
	assert_string_equal(c.auth_method, "SCRAM-SHA-256");
	options_release(&o);
}

static void test_addresses(void **state)
{
	(void)state;
	static const struct {
		const char *line, *address;
	} rows[] = {{"-h there -p 9", "mqtt://there:9"},
		    {"-h ::1", "mqtt://[::1]:1883"},
		    {"-h ::1 --ws", "ws://[::1]:1883/mqtt"},
		    {"-h there --ws --tls-use-os-certs", "wss://there:8883/mqtt"},
		    {"-L wss://there/t", "wss://there:8883/mqtt"},
		    {"-L mqtts://there/t", "mqtts://there:8883"},
		    {"--unix /run/x", "unix:///run/x"}};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		char line[64];
		struct options o;
		snprintf(line, sizeof(line), "-t a -n %s", rows[i].line);
		assert_good(&o, TOOL_PUB, line);
		client_parts_release(&parts);
		assert_true(client_options_build(&o, &parts, &c));
		assert_string_equal(c.address, rows[i].address);
		options_release(&o);
	}
}

static const struct {
	enum tool tool;
	const char *line;
} refused[] = {
	{TOOL_PUB, "--bogus"},
	{TOOL_PUB, "-h"},
	{TOOL_PUB, "-t a -m x -W 1"},
	{TOOL_SUB, "-t a -m x"},
	{TOOL_PUB, "-p 0 -t a -n"},
	{TOOL_PUB, "-p 65536 -t a -n"},
	{TOOL_PUB, "-p 1883x -t a -n"},
	{TOOL_PUB, "-q 3 -t a -n"},
	{TOOL_PUB, "-q x -t a -n"},
	{TOOL_PUB, "-k 4 -t a -n"},
	{TOOL_PUB, "-k 65536 -t a -n"},
	{TOOL_PUB, "-V 6 -t a -n"},
	{TOOL_PUB, "-x 4294967296 -t a -n"},
	{TOOL_PUB, "-x no -t a -n"},
	{TOOL_PUB, "-x -1 -t a -n"}, /* for ever, and no name */
	{TOOL_PUB, "-c -t a -n"},
	{TOOL_PUB, "-i a -I b -t a -n"},
	{TOOL_PUB, "-I a -i b -t a -n"},
	{TOOL_PUB, "-i \xff -t a -n"},
	{TOOL_PUB, "-P p -t a -n"}, /* [MQTT-3.1.2-22] */
	{TOOL_PUB, "-u \xff -t a -n"},
	{TOOL_PUB, "-m x -n -t a"},
	{TOOL_PUB, "-l -s -t a"},
	{TOOL_PUB, "-t a/+ -n"},
	{TOOL_PUB, "-t \xff -n"},
	{TOOL_PUB, "-t a -n --will-payload x"},
	{TOOL_PUB, "-t a -n --will-retain"},
	{TOOL_PUB, "-t a -n --will-topic w/#"},
	{TOOL_PUB, "-t a -n --will-topic w --will-qos 3"},
	{TOOL_PUB, "-t a -n -M 0"},
	{TOOL_PUB, "-t a -n --repeat 0"},
	{TOOL_PUB, "-t a -n --repeat-delay -1"},
	{TOOL_PUB, "-L http://host/t -n"},
	{TOOL_PUB, "-L bogus://host/t -n"},
	{TOOL_PUB, "-L mqtt://host -n"},
	{TOOL_PUB, "-L mqtt://host:x/t -n"},
	{TOOL_SUB, "-q 1"},
	{TOOL_SUB, "-t a#"},
	{TOOL_SUB, "-t a -T b#"},
	{TOOL_SUB, "-t a -U #/b"},
	{TOOL_SUB, "-t a -C 0"},
	{TOOL_SUB, "-t a -W 0"},
	{TOOL_SUB, "-t a -R --retained-only"},
	{TOOL_PUB, "-t a -n -D"},
	{TOOL_PUB, "-t a -n -D publish topic-alias"},
	{TOOL_PUB, "-t a -n -D publish user-property n"},
	{TOOL_PUB, "-t a -n -D publish response-topic a/+"},
	{TOOL_PUB, "-t a -n -D bogus topic-alias 1"},
	{TOOL_PUB, "-t a -n -D pubrec reason-string x"},
	{TOOL_PUB, "-t a -n -D publish bogus 1"},
	{TOOL_PUB, "-t a -n -D publish session-expiry-interval 1"},
	{TOOL_PUB, "-t a -n -D publish topic-alias 0"},
	{TOOL_PUB, "-t a -n -D publish topic-alias 65536"},
	{TOOL_PUB, "-t a -n -D publish topic-alias x"},
	{TOOL_PUB, "-t a -n -D publish topic-alias 1 -D publish topic-alias 2"},
	{TOOL_PUB, "-t a -n -D publish payload-format-indicator 2"},
	{TOOL_PUB, "-t a -n -D publish content-type \xff"},
	{TOOL_PUB, "-t a -n -D connect receive-maximum 0"},
	{TOOL_PUB, "-t a -n --cert x"},
	{TOOL_PUB, "-t a -n --key x"},
	{TOOL_PUB, "-t a -n --keyform pem"},
	{TOOL_PUB, "-t a -n --cert x --key y --keyform engine"},
	{TOOL_PUB, "-t a -n --cafile x --psk 01 --psk-identity i"},
	{TOOL_PUB, "-t a -n --psk 01"},
	{TOOL_PUB, "-t a -n --psk 0 --psk-identity i"},
	{TOOL_PUB, "-t a -n --psk 0g --psk-identity i"},
	{TOOL_PUB, "-t a -n --tls-version tlsv9"},
	{TOOL_PUB, "-t a -n --tls-engine x"},
	{TOOL_PUB, "-t a -n --proxy socks5h://x"},
	{TOOL_PUB, "-t a -n -S"},
	{TOOL_PUB, "-t a -n -o /no/such/file"},
	{TOOL_SUB, "-t a --random-filter 0"},
	{TOOL_SUB, "-t a --random-filter x"},
	{TOOL_SUB, "-t a --retain-handling sometimes"},
	{TOOL_RR, "-t a -e b/# -n"},
	{TOOL_RR, "-t a -e b -n --count 0"},
	{TOOL_RR, "-t a -e b -n --interval -1"},
	{TOOL_RR, "-t a -e b -n -C 1"},
	{TOOL_PUB, "-t a -n --scram"},
	{TOOL_PUB, "-t a -n --scram -u me -P word -V 311"},
	{TOOL_PUB, "-t a -l --rate 0"},
	{TOOL_PUB, "-t a -l --rate x"},
	{TOOL_PUB, "-t a -l --json-lines"},
	{TOOL_SUB, "-t a --until 0"},
	{TOOL_SUB, "-t a --manual-ack exec"},
	{TOOL_SUB, "-t a --manual-ack run x"},
	{TOOL_SUB, "-t a -F %z"},
};

/* Sentences go to the terminal; what counts here is that there is no way around them. */
static void test_what_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(refused); i++) {
		struct options o;
		if (parse(&o, refused[i].tool, refused[i].line) != OPTIONS_BAD)
			fail_msg("taken: %s", refused[i].line);
		options_release(&o);
	}
}

static void test_tls_options(void **state)
{
	(void)state;
	static const struct {
		const char *line;
		bool is_wanted;
		uint16_t port;
	} rows[] = {
		{"-t a", false, 1883},
		{"-t a --insecure --ciphers x --tls-alpn mqtt --tls-version tlsv1.2", false, 1883},
		{"-t a --cafile x", true, 8883},
		{"-t a --capath x -p 9", true, 9},
		{"-t a --tls-use-os-certs", true, 8883},
		{"-t a --psk 00ffAB --psk-identity i", true, 8883},
		{"-L mqtts://host/t", true, 8883},
		{"-L mqtts://host:7/t", true, 7},
		{"-t a -p 8883", true, 8883},
		{"-t a -p 8883 --no-tls", false, 8883}};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct options o;
		assert_good(&o, TOOL_SUB, rows[i].line);
		assert_int_equal(tls_options_are_wanted(&o.tls, o.port), rows[i].is_wanted);
		assert_int_equal(o.port, rows[i].port);
		options_release(&o);
	}
	struct options o;
	uint8_t key[3];
	assert_good(&o, TOOL_SUB, "-t a --psk 00ffAB --psk-identity i");
	assert_int_equal(tls_options_psk(&o.tls, key, sizeof(key)), 3);
	assert_memory_equal(key, "\0\xff\xab", 3);
	assert_int_equal(tls_options_psk(&o.tls, key, 2), 0);
	options_release(&o);
}

static void parse_with_file(struct options *o, const char *text, const char *line,
			    enum options_result wanted)
{
	char path[] = "/tmp/options-XXXXXX", whole[256];
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	snprintf(whole, sizeof(whole), "-o %s %s", path, line);
	assert_int_equal(parse(o, TOOL_PUB, whole), wanted);
	unlink(path);
}

static void test_options_file(void **state)
{
	(void)state;
	struct options o;
	parse_with_file(&o, "# mine\n-h there\n-q 1\n-m by file\n-d", "-t a -q 2", OPTIONS_OK);
	assert_string_equal(o.host, "there");
	assert_int_equal(o.qos, 2);
	assert_string_equal(o.message, "by file");
	assert_true(o.is_debug);
	options_release(&o);
	parse_with_file(&o, "-m by file\n", "-t a -n", OPTIONS_OK);
	assert_int_equal(o.source, SOURCE_NULL);
	options_release(&o);
	parse_with_file(&o, "-t a\n--bogus\n", "-n", OPTIONS_BAD);
	options_release(&o);
	parse_with_file(&o, "-t\n", "-n", OPTIONS_BAD);
	options_release(&o);
}

static void test_help_and_version_end_it(void **state)
{
	(void)state;
	struct options o;
	assert_int_equal(parse(&o, TOOL_PUB, "--help --bogus"), OPTIONS_DONE);
	options_release(&o);
	assert_int_equal(parse(&o, TOOL_SUB, "--version"), OPTIONS_DONE);
	options_release(&o);
}

/* The page without its backslashes, so that "\-\-quiet" reads "--quiet". */
static char *read_manual(const char *path)
{
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	char *text = calloc(1, 1 << 16);
	assert_non_null(text);
	size_t len = 0;
	int letter;
	while ((letter = fgetc(file)) != EOF && len < (1 << 16) - 1)
		if (letter != '\\')
			text[len++] = (char)letter;
	fclose(file);
	return text;
}

/* "-h", and not the beginning of "-host". */
static bool names(const char *text, const char *name)
{
	for (const char *at = strstr(text, name); at; at = strstr(at + 1, name)) {
		char next = at[strlen(name)];
		bool is_within_word = next == '-' || (next >= 'a' && next <= 'z');
		if (!is_within_word && (at == text || at[-1] != '-'))
			return true;
	}
	return false;
}

static void check_manual(enum tool tool, const char *path)
{
	char *text = read_manual(path);
	for (size_t i = 0; i < flag_table_count; i++) {
		const struct flag_row *row = &flag_table[i];
		if (!(row->tools & tool))
			continue;
		if (row->short_name && !names(text, row->short_name))
			fail_msg("%s lacks %s", path, row->short_name);
		if (row->long_name && !names(text, row->long_name))
			fail_msg("%s lacks %s", path, row->long_name);
	}
	free(text);
}

static void test_manuals_name_every_option(void **state)
{
	(void)state;
	check_manual(TOOL_PUB, manual_paths[0]);
	check_manual(TOOL_SUB, manual_paths[1]);
	check_manual(TOOL_RR, manual_paths[2]);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_connection_options),
		cmocka_unit_test(test_will_options),
		cmocka_unit_test(test_client_ids_that_are_made),
		cmocka_unit_test(test_url),
		cmocka_unit_test(test_message_options),
		cmocka_unit_test(test_subscription_options),
		cmocka_unit_test(test_properties),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_fallbacks),
		cmocka_unit_test(test_what_is_refused),
		cmocka_unit_test(test_tls_options),
		cmocka_unit_test(test_options_file),
		cmocka_unit_test(test_help_and_version_end_it),
		cmocka_unit_test(test_manuals_name_every_option),
	};
	if (argc != 4)
		return 1;
	unsetenv("XDG_CONFIG_HOME"); /* a developer's own defaults are not for this test */
	unsetenv("HOME");
	manual_paths[0] = argv[1];
	manual_paths[1] = argv[2];
	manual_paths[2] = argv[3];
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	client_parts_release(&parts);
	return failed;
}
