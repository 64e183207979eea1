/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of mosquitto.conf(5) on ACL files, and ours beside them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <stdio.h>

#include "access/acl.h"
#include "base/mem.h"

static struct acl *read_text(const char *text)
{
	struct access_report report = {.file = "acl"};
	struct acl *a = acl_read(span_of_text(text), 7, &report);
	if (!a)
		fail_msg("%.*s", (int)buffer_len(&report.errors),
			 (const char *)buffer_content(&report.errors).ptr);
	assert_int_equal(report.error_count, 0);
	access_report_release(&report);
	return a;
}

static struct acl_client client_of(const struct acl *a, const char *user, const char *id)
{
	struct span name = user ? span_of_text(user) : SPAN_NONE;
	return (struct acl_client){.rules = acl_rules_of(a, user ? &name : NULL),
				   .has_user_name = user != NULL,
				   .user_name = name,
				   .client_id = span_of_text(id)};
}

/* "rw", "r", "w" or "-" */
static const char *rights(const struct acl *a, const char *user, const char *id, const char *topic)
{
	struct acl_client who = client_of(a, user, id);
	bool may_read = acl_allows(a, &who, ACL_READ, span_of_text(topic));
	bool may_write = acl_allows(a, &who, ACL_WRITE, span_of_text(topic));
	return may_read ? (may_write ? "rw" : "r") : (may_write ? "w" : "-");
}

static void test_acl_words(void **state)
{
	struct acl *a = read_text("user lena\ntopic read r\ntopic write w\ntopic readwrite rw\n"
				  "topic none\ntopic deny d\ntopic #\n");
	(void)state;
	/* `topic #` allows both, everywhere but where it is denied */
	assert_string_equal(rights(a, "lena", "c", "r"), "rw");
	assert_string_equal(rights(a, "lena", "c", "d"), "-");
	assert_string_equal(rights(a, "olaf", "c", "r"), "-");
	acl_free(a);
	a = read_text("# comment\n\n  topic   read   a b \r\n\ttopic write c\ntopic read\n"
		      "topic read write\n");
	assert_string_equal(rights(a, NULL, "c", "a b"), "r");
	assert_string_equal(rights(a, NULL, "c", "c"), "w");
	assert_string_equal(rights(a, NULL, "c", "read"), "rw"); /* a topic, as for mosquitto */
	assert_string_equal(rights(a, NULL, "c", "write"), "r");
	acl_free(a);
}

static void test_acl_anonymous_and_users(void **state)
{
	struct acl *a = read_text("topic read open\nuser lena\ntopic write own\nuser olaf\n"
				  "topic own\nuser lena\ntopic read later\nuser o l\ntopic x\n");
	(void)state;
	assert_string_equal(rights(a, NULL, "c", "open"), "r");
	assert_string_equal(rights(a, NULL, "c", "own"), "-");
	assert_string_equal(rights(a, "lena", "c", "open"), "-"); /* for anonymous clients only */
	assert_string_equal(rights(a, "lena", "c", "own"), "w");
	assert_string_equal(rights(a, "lena", "c", "later"), "r");
	assert_string_equal(rights(a, "olaf", "c", "own"), "rw");
	assert_string_equal(rights(a, "o l", "c", "x"), "rw");
	assert_string_equal(rights(a, "", "c", "open"), "-");
	acl_free(a);
}

static void test_acl_wildcards(void **state)
{
	struct acl *a = read_text("topic read a/+/c\ntopic write a/#\ntopic read +\n"
				  "topic read /+\ntopic read x//y\ntopic deny a/b/#\n"
				  "topic read $SYS/#\n");
	(void)state;
	assert_string_equal(rights(a, NULL, "i", "a/x/c"), "rw");
	assert_string_equal(rights(a, NULL, "i", "a/x"), "w");
	assert_string_equal(rights(a, NULL, "i", "a"), "rw");
	assert_string_equal(rights(a, NULL, "i", "a/b/c"), "-");
	assert_string_equal(rights(a, NULL, "i", "a/b"), "-"); /* # is the parent as well */
	assert_string_equal(rights(a, NULL, "i", "b"), "r");
	assert_string_equal(rights(a, NULL, "i", "b/c"), "-");
	assert_string_equal(rights(a, NULL, "i", "/q"), "r");
	assert_string_equal(rights(a, NULL, "i", "x//y"), "r");
	assert_string_equal(rights(a, NULL, "i", "$SYS/a"), "r");
	assert_string_equal(rights(a, NULL, "i", "$other"), "-"); /* [MQTT-4.7.2-1] */
	acl_free(a);
	a = read_text("topic #\ntopic +/x\n");
	assert_string_equal(rights(a, NULL, "i", "$SYS"), "-");
	assert_string_equal(rights(a, NULL, "i", "$SYS/x"), "-");
	assert_string_equal(rights(a, NULL, "i", "a/b/c/d/e/f/g"), "rw");
	acl_free(a);
}

static void test_acl_patterns(void **state)
{
	struct acl *a = read_text("pattern write s/%u/data\nuser lena\npattern read c/%c/#\n"
				  "topic read own\npattern readwrite all\npattern read x%c-%u/y\n"
				  "pattern deny c/%c/secret\ntopic %c/literal\n");
	(void)state;
	assert_string_equal(rights(a, "lena", "c1", "s/lena/data"), "w");
	assert_string_equal(rights(a, "lena", "c1", "s/olaf/data"), "-");
	assert_string_equal(rights(a, "lena", "c1", "s/lena2/data"), "-");
	assert_string_equal(rights(a, "lena", "c1", "s/len/data"), "-");
	assert_string_equal(rights(a, "olaf", "c1", "s/olaf/data"), "w");
	assert_string_equal(rights(a, NULL, "c1", "s//data"), "-"); /* no user name */
	assert_string_equal(rights(a, NULL, "c1", "c/c1/x/y"), "r");
	assert_string_equal(rights(a, NULL, "c1", "c/c1/secret"), "-");
	assert_string_equal(rights(a, NULL, "c1", "c/c2/x"), "-");
	assert_string_equal(rights(a, NULL, "c1", "all"), "rw");
	assert_string_equal(rights(a, "lena", "c1", "xc1-lena/y"), "r");
	assert_string_equal(rights(a, "lena", "c1", "xc1-/y"), "-");
	assert_string_equal(rights(a, "lena", "c1", "%c/literal"),
			    "rw"); /* a topic is no pattern */
	assert_string_equal(rights(a, "lena", "c1", "c1/literal"), "-");
	acl_free(a);
}

/* Who is called like a wildcard, or like somebody's room, gets nothing by patterns. */
static void test_acl_dangerous_names(void **state)
{
	struct acl *a =
		read_text("pattern readwrite u/%u/#\npattern read all\nuser +\ntopic own\n");
	(void)state;
	assert_string_equal(rights(a, "+", "c", "u/lena/x"), "-");
	assert_string_equal(rights(a, "+", "c", "u/+/x"), "-");
	assert_string_equal(rights(a, "+", "c", "own"), "rw");
	assert_string_equal(rights(a, "#", "c", "u/lena/x"), "-");
	assert_string_equal(rights(a, "lena/x", "c", "u/lena/x"), "-");
	assert_string_equal(rights(a, "lena/x", "c", "u/lena/x/y"), "-");
	assert_string_equal(rights(a, "lena", "c+", "u/lena/x"), "-");
	assert_string_equal(rights(a, "lena", "c#", "all"), "-");
	assert_string_equal(rights(a, "lena", "c/d", "u/lena/x"), "rw"); /* no %c is in use */
	acl_free(a);
	a = read_text("pattern readwrite %u/#\n");
	assert_string_equal(rights(a, "$SYS", "c", "$SYS/x"), "-"); /* only a `$` that is written */
	acl_free(a);
}

static void test_acl_own_lines_before_patterns(void **state)
{
	struct acl *a = read_text("user lena\ntopic read a\ntopic deny b\n"
				  "pattern deny a\npattern readwrite b\npattern readwrite c\n"
				  "pattern deny c\npattern write d\ntopic read d\n");
	(void)state;
	assert_string_equal(rights(a, "lena", "c", "a"), "r"); /* its own read comes first */
	assert_string_equal(rights(a, "lena", "c", "b"), "-");
	assert_string_equal(rights(a, "lena", "c", "c"), "-");
	assert_string_equal(rights(a, "lena", "c", "d"), "rw");
	assert_string_equal(rights(a, "olaf", "c", "a"), "-");
	assert_string_equal(rights(a, "olaf", "c", "b"), "rw");
	acl_free(a);
}

static void test_acl_roles(void **state)
{
	struct acl *a = read_text("member guest\nuser lena\nmember reader\nmember writer\n"
				  "topic own\ntopic deny in/secret\nrole reader\ntopic read in/#\n"
				  "role writer\ntopic write out\ntopic deny own/x\n"
				  "role guest\ntopic read lobby\n");
	(void)state;
	assert_string_equal(rights(a, "lena", "c", "in/a"), "r");
	assert_string_equal(rights(a, "lena", "c", "in/secret"), "-");
	assert_string_equal(rights(a, "lena", "c", "out"), "w");
	assert_string_equal(rights(a, "lena", "c", "own"), "rw");
	assert_string_equal(rights(a, "lena", "c", "own/x"), "-");
	assert_string_equal(rights(a, "reader", "c", "in/a"), "-"); /* a role is no user */
	assert_string_equal(rights(a, NULL, "c", "lobby"), "r");
	acl_free(a);
}

static bool may_subscribe(const struct acl *a, const char *user, const char *filter)
{
	struct acl_client who = client_of(a, user, "c1");
	return acl_allows_filter(a, &who, span_of_text(filter));
}

static void test_acl_filters(void **state)
{
	struct acl *a = read_text("topic read a/b\ntopic read a/+/c\ntopic read x/#\n"
				  "topic deny x/y/#\ntopic write w\npattern read p/%c/q\n"
				  "pattern read $dollar/%c\n");
	(void)state;
	static const char *const yes[] = {"a/b",    "a/+",       "+/b",      "#",   "a/#",
					  "a/z/c",  "a/z/+",     "x",        "x/#", "+",
					  "x/+/z",  "+/+/+/+",   "p/+/q",    "p/#", "p/c1/q",
					  "+/c1/q", "$dollar/+", "$dollar/#"};
	static const char *const no[] = {"b",     "a/c",    "a/b/d", "x/y",    "x/y/z",
					 "x/y/#", "x/y/+",  "w",     "p/c2/q", "p/c1",
					 "p/+/r", "$SYS/#", "/+",    "$+"};
	for (size_t i = 0; i < ARRAY_COUNT(yes); i++)
		if (!may_subscribe(a, NULL, yes[i]))
			fail_msg("%s must be allowed", yes[i]);
	for (size_t i = 0; i < ARRAY_COUNT(no); i++)
		if (may_subscribe(a, NULL, no[i]))
			fail_msg("%s must be refused", no[i]);
	assert_false(may_subscribe(a, "lena", "a/b"));
	acl_free(a);
}

static void test_acl_filter_wildcards_do_not_reach_dollar(void **state)
{
	struct acl *a = read_text("topic read $SYS/#\ntopic read $SYS\n");
	(void)state;
	assert_false(may_subscribe(a, NULL, "#"));
	assert_false(may_subscribe(a, NULL, "+"));
	assert_false(may_subscribe(a, NULL, "+/x"));
	assert_true(may_subscribe(a, NULL, "$SYS/+"));
	acl_free(a);
}

/* A filter whose answer would take long is allowed: each message is judged for itself. */
static void test_acl_filter_that_meets_many(void **state)
{
	struct buffer text = {0};
	char line[64];
	(void)state;
	for (int i = 0; i < 5000; i++) {
		int len = snprintf(line, sizeof(line), "topic read a/%d/x\n", i);
		assert_int_equal(buffer_append(&text, span_of(line, (size_t)len)), 0);
	}
	struct access_report report = {.file = "acl"};
	struct acl *a = acl_read(buffer_content(&text), 7, &report);
	assert_non_null(a);
	assert_true(may_subscribe(a, NULL, "+/+/y"));
	assert_false(may_subscribe(a, NULL, "a/17/y"));
	assert_string_equal(rights(a, NULL, "c", "a/4999/x"), "r");
	acl_free(a);
	buffer_release(&text);
}

static void test_acl_mistakes_are_told(void **state)
{
	static const struct {
		const char *text, *words;
	} cases[] = {
		{"topic", "acl:1: the topic is missing"},
		{"\ntopic foo bar", "acl:2: 'foo' is none of read, write"},
		{"topic read a/#/b", "acl:1: 'a/#/b' is no topic filter"},
		{"topic read a+", "is no topic filter"},
		{"pattern write", NULL},
		{"pattern", "the topic is missing"},
		{"user", "acl:1: the name is missing"},
		{"nonsense foo", "'nonsense' is none of topic, user, pattern, role and member"},
		{"Topic foo", "'Topic' is none of"},
		{"topic \xff", "the line is not UTF-8"},
		{"user a\nmember none", "acl:2: 'none' is no role"},
		{"role a\nmember a", "acl:2: 'a' cannot be the role of a role"},
		{"member", "the name of the role is missing"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct access_report report = {.file = "acl"};
		struct acl *a = acl_read(span_of_text(cases[i].text), 7, &report);
		assert_int_equal(a == NULL, cases[i].words != NULL);
		struct span errors = buffer_content(&report.errors);
		if (cases[i].words &&
		    !memmem(errors.ptr, errors.len, cases[i].words, strlen(cases[i].words)))
			fail_msg("\"%s\" is not in \"%.*s\"", cases[i].words, (int)errors.len,
				 (const char *)errors.ptr);
		acl_free(a);
		access_report_release(&report);
	}
}

static void test_acl_levels_are_limited(void **state)
{
	char text[16 + 2 * (ACL_LEVELS_MAX + 1)] = "topic ";
	struct access_report report = {.file = "acl"};
	(void)state;
	for (int i = 0; i < ACL_LEVELS_MAX - 1; i++)
		strcat(text, "a/");
	struct acl *a = acl_read(span_of_text(text), 7, &report);
	assert_non_null(a);
	assert_string_equal(rights(a, NULL, "c", text + 6), "rw");
	strcat(text, "a/");
	assert_string_equal(rights(a, NULL, "c", text + 6), "-"); /* deeper than any filter */
	acl_free(a);
	assert_null(acl_read(span_of_text(text), 7, &report));
	assert_int_equal(report.error_count, 1);
	access_report_release(&report);
}

static void test_acl_empty_file_allows_nothing(void **state)
{
	struct acl *a = read_text("# nothing\n");
	(void)state;
	assert_string_equal(rights(a, NULL, "c", "a"), "-");
	assert_false(may_subscribe(a, NULL, "#"));
	acl_free(a);
}

static void test_acl_without_memory(void **state)
{
	static const char text[] =
		"topic a/b\nuser lena\nmember r\ntopic x/+/%c\nrole r\n"
		"topic q\npattern p/%c/%u/x%c\nuser olaf\ntopic 1/2/3/4/5/6/7/8/9\n"
		"topic read a b c d e f g h i j k l m n o p q r s t u v w x y z\n";
	struct acl *a = NULL;
	(void)state;
	mem_count_start();
	for (unsigned long i = 1; !a; i++) {
		struct access_report report = {.file = "acl"};
		mem_fail_after(i);
		a = acl_read(SPAN_LITERAL(text), 7, &report);
		bool has_failed = mem_has_failed();
		mem_fail_after(0);
		assert_int_equal(report.is_out_of_memory, a == NULL);
		assert_true(a || has_failed);
		access_report_release(&report);
	}
	acl_free(a);
	assert_int_equal(mem_count_live(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_acl_words),
		cmocka_unit_test(test_acl_anonymous_and_users),
		cmocka_unit_test(test_acl_wildcards),
		cmocka_unit_test(test_acl_patterns),
		cmocka_unit_test(test_acl_dangerous_names),
		cmocka_unit_test(test_acl_own_lines_before_patterns),
		cmocka_unit_test(test_acl_roles),
		cmocka_unit_test(test_acl_filters),
		cmocka_unit_test(test_acl_filter_wildcards_do_not_reach_dollar),
		cmocka_unit_test(test_acl_filter_that_meets_many),
		cmocka_unit_test(test_acl_mistakes_are_told),
		cmocka_unit_test(test_acl_levels_are_limited),
		cmocka_unit_test(test_acl_empty_file_allows_nothing),
		cmocka_unit_test(test_acl_without_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
