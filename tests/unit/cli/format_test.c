/* SPDX-License-Identifier: Apache-2.0 */
/* -F: what each specifier prints, in fields of every kind. */
#include "cli/format.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct timespec when = {.tv_sec = 86400, .tv_nsec = 42};

static void check_len(const char *format, const struct publish *m, const char *wanted, size_t len)
{
	char *text = NULL;
	size_t text_len;
	FILE *to = open_memstream(&text, &text_len);
	assert_non_null(to);
	assert_true(format_check(format));
	format_print(to, &(struct format){.text = format}, m, &when);
	fclose(to);
	if (text_len != len || memcmp(text, wanted, len) != 0)
		fail_msg("%s gives %s, not %s", format, text, wanted);
	free(text);
}

static void check(const char *format, const struct publish *m, const char *wanted)
{
	check_len(format, m, wanted, strlen(wanted));
}

static struct publish message(void)
{
	return (struct publish){.qos = 1,
				.retain = true,
				.packet_id = 7,
				.topic = SPAN_LITERAL("a/b"),
				.payload = SPAN_LITERAL("hello")};
}

static void test_parts_of_a_message(void **state)
{
	(void)state;
	struct publish m = message();
	check("[%t|%p|%q|%r|%m|%l|%x|%X|%%]", &m, "[a/b|hello|1|1|7|5|68656c6c6f|68656C6C6F|%]");
	check("plain", &m, "plain");
	check("", &m, "");
	m.payload = SPAN_NONE;
	check("[%p|%x|%5x|%5p|%l]", &m, "[||     |     |0]");
	m.payload = span_of("\x00\x0a\xff", 3);
	check("[%x|%X]", &m, "[000aff|000AFF]");
}

static void test_fields(void **state)
{
	(void)state;
	static const char *const rows[][2] = {
		{"[%5q][%03r]", "[1][1]"}, /* single characters have no field */
		{"[%5m][%-5m][%05m]", "[    7][7    ][00007]"},
		{"[%8l][%-8l][%08l]", "[       5][5       ][00000005]"},
		{"[%8t][%-8t][%08t]", "[     a/b][a/b     ][     a/b]"},
		{"[%.2t][%8.2t][%-8.2t][%.0t]", "[a/][      a/][a/      ][]"},
		{"[%8p][%-8p][%08p]", "[   hello][hello   ][000hello]"},
		{"[%2p][%-2p][%.2p][%8.2p]", "[he][he][hello][   hello]"},
		{"[%4x][%-4x][%12x][%5X]", "[6865][6865][  68656c6c6f][ 6865]"},
		{"[%0p][%-p]", "[hello][hello]"},
	};
	struct publish m = message();
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
		check(rows[i][0], &m, rows[i][1]);
	char wide[10003];
	snprintf(wide, sizeof(wide), "%10000s|", "7");
	check("%99999999999999999999m|", &m, wide);
}

static void test_properties(void **state)
{
	(void)state;
	static const uint8_t body[] = "\0\1a\0\7\x29\x01\x01\x02\0\0\0\x09\x03\0\2ct\x08\0\2rt"
				      "\x09\0\2cd\x0b\x05\x23\0\3\x26\0\1n\0\1v\x26\0\1m\0\1wx";
	struct publish m;
	assert_ptr_equal(publish_decode(2, span_of(body, sizeof(body) - 1), MQTT_5, &m), NULL);
	check("[%A|%C|%D|%E|%F|%P|%R|%S]", &m, "[3|ct|cd|9|1|n:v m:w|rt|5]");
	check("[%5C|%-5C|%.1C|%4E|%-4E|%04E|%3S|%5D|%12P]", &m,
	      "[   ct|ct   |c|   9|9   |0009|  5|cd|n:v m:w]");
	struct publish bare = message();
	check("[%A|%C|%D|%E|%F|%P|%R|%S|%3A]", &bare, "[||||||||   ]");
}

static void test_time(void **state)
{
	(void)state;
	struct publish m = message();
	setenv("TZ", "UTC0", 1);
	tzset();
	check("%I", &m, "1970-01-02T00:00:00+0000");
	check("[%30I]", &m, "[      1970-01-02T00:00:00+0000]");
	check("%U", &m, "86400.000000042");
	check("@N", &m, "000000042");
	check("@Y-@m-@d @H:@M @@", &m, "1970-01-02 00:00 @");
}

static void test_escapes(void **state)
{
	(void)state;
	struct publish m = message();
	check_len("\\\\\\0\\a\\e\\n\\r\\t\\v", &m, "\\\0\a\033\n\r\t\v", 8);
}

static void test_bad_formats(void **state)
{
	(void)state;
	static const char *const rows[] = {"%",  "%5", "%-", "%.",  "%z",
					   "%@", "x@", "\\", "\\q", "%t %"};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
		if (format_check(rows[i]))
			fail_msg("taken: %s", rows[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts_of_a_message),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_properties),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_bad_formats),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
