/* SPDX-License-Identifier: Apache-2.0 */
#include "bytes.h"
#include "mqtt/scan.h"
#include "mqtt/topic.h"

static struct span text_of(const char *text)
{
	return bytes_copy(text, strlen(text));
}

/* [5] 4.7.1 to 4.7.3, 4.8.2 */
static void test_filters(void **state)
{
	(void)state;
	static const char *const good[] = {
		"#",           "+",
		"/",           "//",
		"a",           "/a",
		"a/",          "a/#",
		"/#",          "+/#",
		"+/+",         "/+",
		"+/",          "a/+/b",
		"+/tennis/#",  "sport/+/player1",
		"$SYS/#",      "$share",
		"$share2/+/a", "$share/g/a",
		"$share/g/#",  "$share/g/+/b",
		"$share/g//",  "$share/g/$SYS/x",
		" ",
	};
	static const char *const bad[] = {
		"",
		"a#",
		"#/a",
		"a/#/b",
		"##",
		"#+",
		"a+",
		"+a",
		"a+/b",
		"+a/b",
		"a/b+",
		"a/+b/c",
		"sport/tennis#",
		"$share/",
		"$share/g",
		"$share//a",
		"$share/g/",
		"$share/g+/a",
		"$share/g#/a",
		"$share/#/a",
		"$share/+/a",
		"$share/g/a#",
		"$share/g/#/b",
	};
	for (size_t i = 0; i < ARRAY_COUNT(good); i++)
		if (!topic_filter_is_valid(text_of(good[i])))
			fail_msg("good filter refused: %s", good[i]);
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
		if (topic_filter_is_valid(text_of(bad[i])))
			fail_msg("bad filter taken: %s", bad[i]);
}

/* [MQTT-4.7.0-1, 4.7.3-1] */
static void test_names(void **state)
{
	(void)state;
	static const char *const good[] = {"a", "/", "a/b", "$SYS/x", "a b", "*", "\xC3\xA4/long"};
	static const char *const bad[] = {"", "+", "#", "a/+", "a/#", "a+b", "\xC3\xA4/longer/#"};
	for (size_t i = 0; i < ARRAY_COUNT(good); i++)
		assert_true(topic_name_is_valid(text_of(good[i])));
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
		assert_false(topic_name_is_valid(text_of(bad[i])));
}

/* The scan of eight bytes against the plain reading of its promise, at each place. */
static void test_a_wildcard_at_every_place(void **state)
{
	(void)state;
	for (size_t len = 1; len < 26; len++)
		for (size_t at = 0; at < len; at++)
			for (unsigned byte = 0; byte < 256; byte++) {
				uint8_t bytes[26];
				memset(bytes, ',', sizeof(bytes)); /* 0x2C: a neighbour of + */
				bytes[at] = (uint8_t)byte;
				struct span topic = span_of(bytes, len);
				bool is_wildcard = byte == '+' || byte == '#';
				bool is_ascii = byte > 0 && byte < 128;
				assert_int_equal(topic_has_wildcard(topic), is_wildcard);
				assert_int_equal(scan_is_ascii(topic), is_ascii);
				assert_int_equal(scan_is_ascii_topic(topic),
						 is_ascii && !is_wildcard);
			}
}

static void test_levels(void **state)
{
	(void)state;
	assert_int_equal(topic_level_count(TEXT("a")), 1);
	assert_int_equal(topic_level_count(TEXT("/")), 2);
	assert_int_equal(topic_level_count(TEXT("a/b/c")), 3);
	assert_int_equal(topic_level_count(TEXT("//a/")), 4);
}

static void test_share_names(void **state)
{
	(void)state;
	struct span name = SPAN_LITERAL("untouched"), filter = SPAN_LITERAL("as well");
	static const char *const others[] = {"a/b",       "$share",     "$share/", "$share/g",
					     "$shareg/a", "$SHARE/g/a", ""};
	for (size_t i = 0; i < ARRAY_COUNT(others); i++)
		assert_false(topic_filter_split_share(text_of(others[i]), &name, &filter));
	assert_text(name, "untouched");
	assert_text(filter, "as well");
	assert_true(topic_filter_split_share(TEXT("$share/group/a/+"), &name, &filter));
	assert_text(name, "group");
	assert_text(filter, "a/+");
	assert_true(topic_filter_split_share(TEXT("$share/g//"), &name, &filter));
	assert_text(name, "g");
	assert_text(filter, "/");
}

/* [5] 4.7.1.2, 4.7.1.3, 4.7.2, 4.7.3 and the checks of their statements. */
static const struct {
	const char *filter, *topic;
	bool matches;
} matches[] = {
	{"sport/tennis/player1/#", "sport/tennis/player1", true},
	{"sport/tennis/player1/#", "sport/tennis/player1/ranking", true},
	{"sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true},
	{"sport/tennis/player1/#", "sport/tennis/player2", false},
	{"sport/tennis/player1/#", "sport/tennis", false},
	{"sport/#", "sport", true},
	{"sport/#", "sport/", true},
	{"sport/#", "sports", false},
	{"#", "a", true},
	{"#", "/", true},
	{"#", "a/b/c", true},
	{"/#", "/", true},
	{"/#", "/a/b", true},
	{"/#", "a", false},
	{"sport/tennis/+", "sport/tennis/player1", true},
	{"sport/tennis/+", "sport/tennis/player2", true},
	{"sport/tennis/+", "sport/tennis/player1/ranking", false},
	{"sport/+", "sport", false},
	{"sport/+", "sport/", true},
	{"+", "sport", true},
	{"+", "/", false},
	{"+", "/finance", false},
	{"+/+", "/finance", true},
	{"/+", "/finance", true},
	{"+/tennis/#", "a/tennis", true},
	{"+/tennis/#", "a/tennis/b", true},
	{"+/tennis/#", "tennis", false},
	{"a/+/b", "a//b", true},
	{"a/+/b", "a/x/b", true},
	{"a/+/b", "a/b", false},
	{"a/+/b", "a/x/y/b", false},
	{"#", "$SYS/uptime", false}, /* [MQTT-4.7.2-1] */
	{"+/uptime", "$SYS/uptime", false},
	{"+/#", "$SYS", false},
	{"$SYS/#", "$SYS/uptime", true},
	{"$SYS/+", "$SYS/uptime", true},
	{"$SYS/#", "$SYS", true},
	{"$T/#", "$T/x", true},
	{"a/#", "a/$SYS", true},
	{"a/+", "a/$SYS", true},
	{"ACCOUNTS", "Accounts", false}, /* [MQTT-4.7.3-4] */
	{"a//b", "a/b", false},
	{"a/b", "a//b", false},
	{"a",
	 "\xEF\xBB\xBF"
	 "a",
	 false}, /* [MQTT-1.5.4-3] */
	{"e\xCC\x81", "\xC3\xA9", false},
	{"/", "/", true},
	{"a", "a/", false},
	{"a/", "a", false},
	{"a/b/c", "a/b", false},
	{"a/b", "a/b/c", false},
	{"+", "a", true},
	{"+/", "a/", true},
	{"+/", "a", false},
	{"Accounts payable", "Accounts payable", true},
};

static void test_matching(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(matches); i++)
		if (topic_matches(text_of(matches[i].filter), text_of(matches[i].topic)) !=
		    matches[i].matches)
			fail_msg("%s on %s", matches[i].filter, matches[i].topic);
}

static void test_matching_of_nothing(void **state)
{
	(void)state;
	assert_false(topic_matches(TEXT("a"), NO_BYTES));
	assert_false(topic_matches(NO_BYTES, TEXT("a")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_filters),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_a_wildcard_at_every_place),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_share_names),
		cmocka_unit_test(test_matching),
		cmocka_unit_test(test_matching_of_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, bytes_forget);
}
