/* SPDX-License-Identifier: Apache-2.0 */
/* Mistakes of a configuration, as lines for a person: all of them, each with its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "configured.h"

struct refused {
	const char *text;
	const char *ports;
	const char *errors;
};

#define TLS "listener 1\ncertfile /c\nkeyfile /k\n"
#define SAME_PLACE "listener 1883 localhost\nlistener 1883 localhost"

static const struct refused refused_cases[] = {
	{"nonsense 1", "", "f.conf:1: nonsense: unknown option; nightjar.conf(5) lists all\n"},
	{"\nmax_qs 1", "", "f.conf:2: max_qs: unknown option; did you mean max_qos?\n"},
	{"max_qos", "", "f.conf:1: max_qos: the value is missing (qos)\n"},
	{"max_qos 3", "", "f.conf:1: max_qos: '3' is not between 0 and 2\n"},
	{"max_qos one", "", "f.conf:1: max_qos: 'one' is no number from 0 to 2\n"},
	{"max_qos 1 # low", "",
	 "f.conf:1: max_qos: '1 # low' is no number from 0 to 2 (a comment needs a line of its "
	 "own)\n"},
	{"allow_anonymous yes", "", "f.conf:1: allow_anonymous: 'yes' is neither true nor false\n"},
	{"queue_full_policy drop", "",
	 "f.conf:1: queue_full_policy: 'drop' is none of refuse, drop-newest, drop-oldest\n"},
	{"persistent_client_expiration 5", "",
	 "f.conf:1: persistent_client_expiration: '5' is no duration: a number and one of s, h, d, "
	 "w, m, y, as in 14d\n"},
	{"persistent_client_expiration 0d", "",
	 "f.conf:1: persistent_client_expiration: '0d' is no duration: a number and one of s, h, "
	 "d, "
	 "w, "
	 "m, y, as in 14d\n"},
	{"persistent_client_expiration 137y", "",
	 "f.conf:1: persistent_client_expiration: '137y' is longer than 136 years: leave the line "
	 "out\n"},
	{"persistence yes", "", "f.conf:1: persistence: 'yes' is neither true nor false\n"},
	{"persistence false\nretained_persistence true", "",
	 "f.conf:2: retained_persistence: 'true' contradicts line 1\n"},
	{"persistence false\ndurability always", "",
	 "f.conf:2: durability: contradicts persistence false: leave one of both lines out\n"},
	{"persistence true\ndurability off", "",
	 "f.conf:2: durability: contradicts persistence true: leave one of both lines out\n"},
	{"durability sometimes", "",
	 "f.conf:1: durability: 'sometimes' is none of always, off, and interval with 1 to 60000 "
	 "milliseconds\n"},
	{"durability interval", "",
	 "f.conf:1: durability: 'interval' is none of always, off, and interval with 1 to 60000 "
	 "milliseconds\n"},
	{"durability interval 0", "",
	 "f.conf:1: durability: 'interval 0' is none of always, off, and interval with 1 to 60000 "
	 "milliseconds\n"},
	{"durability interval 60001", "",
	 "f.conf:1: durability: 'interval 60001' is none of always, off, and interval with 1 to "
	 "60000 milliseconds\n"},
	{"durability off\ndurability always", "",
	 "f.conf:2: durability: 'always' contradicts a line above\n"},
	{"listener 1\ndurability off\ndurability always", "",
	 "f.conf:3: durability: 'always' contradicts a line above\n"},
	{"listener 1\ndurability interval 5", "",
	 "f.conf:2: durability: 'interval 5' is neither off nor always, as it must be below a "
	 "listener: for the whole broker it stands above all of them\n"},
	{"storage_segment_size 65537", "",
	 "f.conf:1: storage_segment_size: 65537 is no multiple of 4096\n"},
	{"storage_profile disk", "",
	 "f.conf:1: storage_profile: 'disk' is none of auto, server, flash\n"},
	{"autosave_interval often", "", "f.conf:1: autosave_interval: 'often' is no number\n"},
	{"autosave_on_changes 2", "",
	 "f.conf:1: autosave_on_changes: '2' is neither true nor false\n"},
	{"sys_interval 65536", "", "f.conf:1: sys_interval: '65536' is not between 0 and 65535\n"},
	{"enable_control_api true", "",
	 "f.conf:1: enable_control_api: 'true' is not possible, only false: this version takes no "
	 "orders by topics that begin with $CONTROL\n"},
	{"listener 1\naccept_protocol_versions 3,", "",
	 "f.conf:2: accept_protocol_versions: '3,' is no list of 3, 4 and 5 with commas, as in: 4, "
	 "5\n"},
	{"listener 1\naccept_protocol_versions 3 4", "",
	 "f.conf:2: accept_protocol_versions: '3 4' is no list of 3, 4 and 5 with commas, as in: "
	 "4, 5\n"},
	{"listener 1\naccept_protocol_versions 6", "",
	 "f.conf:2: accept_protocol_versions: '6' is no list of 3, 4 and 5 with commas, as in: 4, "
	 "5\n"},
	{"listener 1\naccept_protocol_versions 3\naccept_protocol_versions 4", "",
	 "f.conf:3: accept_protocol_versions: '4' contradicts a line above\n"},
	{"max_queued_bytes -1", "", "f.conf:1: max_queued_bytes: '-1' is no number from 0 on\n"},
	{"protocol quic", "", "f.conf:1: protocol: 'quic' is none of mqtt, websockets\n"},
	{"max_qos 1\nmax_qos 2", "", "f.conf:2: max_qos: '2' contradicts line 1\n"},
	{"max_qos 1\nmaximum_qos 2", "", "f.conf:2: maximum_qos: '2' contradicts line 1\n"},
	{"user a\nuser b", "", "f.conf:2: user: 'b' contradicts line 1\n"},

	{"listener x", "", "f.conf:1: listener: 'x' has no port number from 0 to 65535\n"},
	{"listener 65536", "",
	 "f.conf:1: listener: '65536' has a port that is not between 0 and 65535\n"},
	{"listener -1", "",
	 "f.conf:1: listener: '-1' has a port that is not between 0 and 65535\n"},
	{"listener 1 a b", "", "f.conf:1: listener: '1 a b' is more than a port and an address\n"},
	{"listener 1883 /run/mqtt.sock", "",
	 "f.conf:1: listener: '1883 /run/mqtt.sock' names a Unix socket, which has no port: write "
	 "0 in its place\n"},
	{"listener 0 /a\nlistener 0 /b\nlistener 0 /a", "",
	 "f.conf:3: listener: /a is given twice\n"},
	{"listener 0 /a\nbind_interface lo", "",
	 "f.conf:1: bind_interface: the listener is a Unix socket: remove the line\n"},
	{"listener 1883\nsocket_owner root", "",
	 "f.conf:1: socket_owner: the listener is no Unix socket, as in: listener 0 /path\n"},
	{"listener 1\ncertfile /c", "", "f.conf:1: certfile: its key is missing: a keyfile line\n"},
	{"listener 1\nkeyfile /c", "",
	 "f.conf:1: keyfile: its certificate is missing: a certfile line\n"},
	{"listener 1\ncafile /c", "",
	 "f.conf:1: cafile: the listener speaks no TLS: certfile and keyfile are missing, or "
	 "psk_hint\n"},
	{"listener 1\npsk_hint h", "",
	 "f.conf:1: psk_hint: the keys are missing: a psk_file line\n"},
	{TLS "require_certificate true", "",
	 "f.conf:1: require_certificate: nobody vouches for clients: cafile or capath is "
	 "missing\n"},
	{TLS "tls_version tlsv1.1", "",
	 "f.conf:1: tls_version: TLS before 1.2 is not safe and not spoken here: tlsv1.2 or "
	 "tlsv1.3\n"},
	{TLS "tls_version 3", "", "f.conf:1: tls_version: is neither tlsv1.2 nor tlsv1.3\n"},
	{TLS "tls_certificate /c", "",
	 "f.conf:4: tls_certificate: '/c' is not a certificate, its key and perhaps an answer of "
	 "OCSP, as in: /etc/ssl/b.pem /etc/ssl/b.key\n"},
	{TLS "tls_keyform engine", "",
	 "f.conf:4: tls_keyform: 'engine' is not possible, only pem: keys come from files in the "
	 "form PEM; OpenSSL 3 has given engines up\n"},
	{"listener 1\ntls_engine x", "",
	 "f.conf:2: tls_engine: OpenSSL 3 has given engines up, so the key must be in keyfile: "
	 "remove the line\n"},
	{"listener 0 /a\nsocket_mode 0888", "",
	 "f.conf:2: socket_mode: '0888' is no mode from 000 to 777, as in 0660\n"},
	{"listener 0 /a\nsocket_mode 600\nsocket_mode 0660", "",
	 "f.conf:3: socket_mode: '0660' contradicts a line above\n"},
	{"listener 1\nmount_point a/+/", "",
	 "f.conf:2: mount_point: a/+/ holds a wildcard: it stands in front of topics, which have "
	 "none\n"},
	{"auto_id_prefix "
	 "0123456789012345678901234567890123456789012345678901234567890123456789",
	 "", "f.conf:1: auto_id_prefix: is longer than 64 bytes\n"},
	{"per_listener_settings true\nlistener 1\nauto_id_prefix "
	 "0123456789012345678901234567890123456789012345678901234567890123456789",
	 "", "f.conf:3: auto_id_prefix: is longer than 64 bytes\n"},
	{"listener 1884\nlistener 1884", "", "f.conf:2: listener: port 1884 is given twice\n"},
	{SAME_PLACE, "", "f.conf:2: listener: port 1883 is given twice\n"},
	{"port 1\nport 2", "",
	 "f.conf:2: port: '2' is a second port: write listener lines instead\n"},
	{"bind_address a\nbind_address b", "",
	 "f.conf:2: bind_address: 'b' is a second address: write listener lines instead\n"},
	{"bind_address a b", "", "f.conf:1: bind_address: 'a b' is more than an address\n"},
	{"\nmax_connections 5\nlistener 1884", "",
	 "f.conf:2: max_connections: stands before the first listener line: move it below the "
	 "listener that it is meant for\n"},
	{"listener 1\nmax_qos 1\nlistener 2\nmax_qos 2", "",
	 "f.conf:3: max_qos: differs between listeners, but this version has one value for all: "
	 "write it under each of them\n"},
	{"listener 1\nlistener 2\nmax_topic_alias 2", "",
	 "f.conf:2: max_topic_alias: differs between listeners, but this version has one value for "
	 "all: write it under each of them\n"},
	{"listener 1884", "1885",
	 "-p: f.conf names its ports itself: leave -p out, or change it "
	 "there\n"},
	{"port 1884", "1885",
	 "-p: f.conf names its ports itself: leave -p out, or change it "
	 "there\n"},
	{"bind_address ::1", "1885 1886",
	 "-p: f.conf names its ports itself: leave -p out, or "
	 "change it there\n"},
	{NULL, "1884 1884", "listener: port 1884 is given twice\n"},

	{"log_dest file", "",
	 "f.conf:1: log_dest: 'file' lacks the path, as in: log_dest file /var/log/nightjar.log\n"},
	{"log_dest file a\nlog_dest file b", "",
	 "f.conf:2: log_dest: 'file b' is a second file: only one can be written\n"},
	{"log_dest stderr stdout", "",
	 "f.conf:1: log_dest: 'stderr stdout' is more than one place: write one line for each\n"},
	{"log_dest dlt", "",
	 "f.conf:1: log_dest: 'dlt' is a log of other systems, which this version does not write: "
	 "use syslog, journald or a file, which their programs can read\n"},
	{"log_dest printer", "",
	 "f.conf:1: log_dest: 'printer' is none of stderr|stdout|syslog|journald|topic|file "
	 "path|none\n"},
	{"log_dest stdout\nlog_dest none", "",
	 "f.conf:2: log_dest: 'none' and another place exclude each other\n"},
	{"log_type everything", "",
	 "f.conf:1: log_type: 'everything' is none of error|warning|notice|information|debug|"
	 "subscribe|unsubscribe|all|none\n"},
	{"log_type none\nlog_type debug", "",
	 "f.conf:2: log_type: 'debug' and another type exclude each other\n"},
};

static void test_config_mistakes_in_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(refused_cases); i++) {
		struct configured c;
		configure(&c, refused_cases[i].text, refused_cases[i].ports);
		assert_string_equal(c.errors, refused_cases[i].errors);
		assert_int_equal(c.rc, ERROR_INVALID);
		assert_int_equal(c.report.error_count, 1);
		configured_release(&c);
	}
}

static void test_config_ten_mistakes_are_all_reported(void **state)
{
	(void)state;
	struct configured c;
	configure(&c,
		  "max_qos 9\nfoo\nlistener\n# a comment\npersistence maybe\nplugin /x\n"
		  "allow_anonymous maybe\nmax_packet_size 19\nlog_dest\nlog_type loud\n"
		  "max_keepalive 65536\nlistener 1884\n",
		  "");
	assert_int_equal(c.report.error_count, 10);
	static const char *const beginnings[] = {
		"f.conf:1: max_qos: ",         "f.conf:2: foo: ",
		"f.conf:3: listener: ",        "f.conf:5: persistence: ",
		"f.conf:6: plugin: ",          "f.conf:7: allow_anonymous: ",
		"f.conf:8: max_packet_size: ", "f.conf:9: log_dest: ",
		"f.conf:10: log_type: ",       "f.conf:11: max_keepalive: ",
	};
	const char *line = c.errors;
	for (size_t i = 0; i < ARRAY_COUNT(beginnings); i++) {
		assert_memory_equal(line, beginnings[i], strlen(beginnings[i]));
		line = strchr(line, '\n') + 1;
	}
	assert_string_equal(line, "");
	configured_release(&c);
}

static void test_config_mistakes_beyond_the_limit_are_counted(void **state)
{
	(void)state;
	struct configured c = {0};
	config_init(&c.config);
	struct buffer text = {0};
	for (unsigned i = 0; i < CONFIG_ERRORS_MAX + 27; i++)
		assert_int_equal(buffer_append(&text, SPAN_LITERAL("x\n")), 0);
	assert_int_equal(config_load_text(&c.config, "f.conf", buffer_content(&text), &c.report),
			 ERROR_INVALID);
	configured_finish(&c);
	unsigned lines = 0;
	for (const char *p = c.errors; *p; p++)
		lines += *p == '\n';
	assert_int_equal(lines, CONFIG_ERRORS_MAX + 1);
	assert_non_null(strstr(c.errors, "\nand 27 more\n"));
	buffer_release(&text);
	configured_release(&c);
}

static void test_config_mistakes_cannot_forge_lines(void **state)
{
	(void)state;
	struct configured c;
	configure(&c,
		  "max_qos \xC2\x9B"
		  "2J\n",
		  "");
	assert_string_equal(c.errors,
			    "f.conf:1: max_qos: '\\xC2\\x9B2J' is no number from 0 to 2\n");
	configured_release(&c);
}
int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_config_mistakes_in_words),
		cmocka_unit_test(test_config_ten_mistakes_are_all_reported),
		cmocka_unit_test(test_config_mistakes_beyond_the_limit_are_counted),
		cmocka_unit_test(test_config_mistakes_cannot_forge_lines),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
