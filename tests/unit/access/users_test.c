/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "access/users.h"
#include "base/mem.h"

#define STORED                                                                                     \
	"$6$lr4ocaJxk6eyc4Wk$yhYfy8buZMB10xXMvOaE7goT6K8tzlGypsE4635kZ1F5IleTVtPDCsO/"             \
	"0M87Oq8cGxA07l"                                                                           \
	"h+jUvgpxXkR/fG6w=="

/* RFC 7677, 3 */
#define OTHER                                                                                      \
	"$scram-sha-256$4096$W22ZaJ0SNY7soEsUEjb6gQ==$"                                            \
	"WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=$"                                            \
	"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="

static struct users *read_text(const char *text, struct access_report *report)
{
	*report = (struct access_report){.file = "passwords"};
	return users_read(span_of_text(text), 7, report);
}

static void expect_notice(struct access_report *report, const char *words)
{
	char text[2048];
	struct span notices = buffer_content(&report->notices);
	assert_in_range(notices.len, 1, sizeof(text) - 1);
	memcpy(text, notices.ptr, notices.len);
	text[notices.len] = '\0';
	if (!strstr(text, words))
		fail_msg("\"%s\" is not in \"%s\"", words, text);
}

static void test_users_lines_of_mosquitto(void **state)
{
	struct access_report report;
	(void)state;
	struct users *u =
		read_text("# a comment\n\nlena:" STORED "\r\nolaf : " STORED "  \n", &report);
	assert_non_null(u);
	assert_int_equal(report.notice_count, 0);
	assert_int_equal(users_count(u), 2);
	const struct user *lena = users_find(u, SPAN_LITERAL("lena"));
	assert_non_null(lena);
	assert_true(span_is_equal(lena->stored, span_of_text(STORED)));
	assert_non_null(users_find(u, SPAN_LITERAL("olaf")));
	assert_null(users_find(u, SPAN_LITERAL("len")));
	assert_null(users_find(u, SPAN_NONE));
	users_free(u);
	access_report_release(&report);
}

/* Nobody comes in by what cannot be verified, and the log says why. */
static void test_users_lines_of_no_use(void **state)
{
	static const struct {
		const char *text, *words;
	} cases[] = {
		{"lena:secret", "passwords:1: the password of 'lena' is not hashed"},
		{"\nlena", "passwords:2: the password of 'lena' is missing"},
		{"lena:", "passwords:1: the password of 'lena' is missing"},
		{"lena:$7$1$2$3", "passwords:1: the password of 'lena' is damaged"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct access_report report;
		struct users *u = read_text(cases[i].text, &report);
		assert_non_null(u);
		expect_notice(&report, cases[i].words);
		const struct user *lena = users_find(u, SPAN_LITERAL("lena"));
		assert_non_null(lena);
		assert_int_equal(lena->stored.len, 0);
		assert_null(users_decoy(u, SPAN_LITERAL("x")));
		users_free(u);
		access_report_release(&report);
	}
}

static void test_users_line_without_a_name(void **state)
{
	struct access_report report;
	(void)state;
	struct users *u = read_text(":" STORED, &report);
	assert_non_null(u);
	expect_notice(&report, "begins with no user name");
	assert_int_equal(users_count(u), 0);
	users_free(u);
	access_report_release(&report);
}

static void test_users_last_line_counts(void **state)
{
	struct access_report report, other;
	(void)state;
	struct users *u = read_text("lena:secret\nlena:" STORED, &report);
	struct users *only = read_text("lena:" STORED, &other);
	assert_int_equal(users_count(u), 1);
	expect_notice(&report, "'lena' is there twice");
	const struct user *lena = users_find(u, SPAN_LITERAL("lena"));
	assert_true(span_is_equal(lena->stored, span_of_text(STORED)));
	/* the stamp is the stored form's, whatever stands around it */
	assert_true(lena->stamp == users_find(only, SPAN_LITERAL("lena"))->stamp);
	users_free(u);
	users_free(only);
	access_report_release(&report);
	access_report_release(&other);
	u = read_text("lena:" OTHER "\nlena:" STORED, &report);
	assert_true(
		span_is_equal(users_find(u, SPAN_LITERAL("lena"))->stored, span_of_text(STORED)));
	users_free(u);
	access_report_release(&report);
}

/* Whoever is not there costs what somebody costs who is, and always the same. */
static void test_users_decoys_can_be_verified(void **state)
{
	struct access_report report;
	(void)state;
	struct users *u = read_text("a:secret\nb:" STORED "\nc\nd:" STORED "\n", &report);
	unsigned seen = 0;
	for (int i = 0; i < 100; i++) {
		char name[8] = {'x', (char)('0' + i / 10), (char)('0' + i % 10)};
		const struct user *decoy = users_decoy(u, span_of_text(name));
		assert_non_null(decoy);
		assert_true(decoy->stored.len > 0);
		assert_ptr_equal(decoy, users_decoy(u, span_of_text(name)));
		seen |= 1u << (decoy->name.ptr[0] - 'a');
	}
	assert_int_equal(seen, 1u << 1 | 1u << 3);
	users_free(u);
	access_report_release(&report);
}

static void test_users_no_text(void **state)
{
	struct access_report report = {.file = "passwords"};
	(void)state;
	assert_null(users_read(span_of("a:b\0c", 5), 7, &report));
	assert_int_equal(report.error_count, 1);
	access_report_release(&report);
	report.file = "passwords";
	struct users *u = users_read(SPAN_NONE, 7, &report);
	assert_non_null(u);
	assert_int_equal(users_count(u), 0);
	assert_null(users_find(u, SPAN_LITERAL("a")));
	users_free(u);
}

static void test_users_without_memory(void **state)
{
	struct access_report report;
	struct users *u = NULL;
	(void)state;
	mem_count_start();
	for (unsigned long i = 1; !u; i++) {
		mem_fail_after(i);
		u = read_text("a:secret\nb:" STORED "\nc\nd:" STORED "\n", &report);
		bool has_failed = mem_has_failed();
		mem_fail_after(0);
		assert_true(!has_failed || report.is_out_of_memory);
		if (has_failed && u) /* a notice had no room */
			users_free(u), u = NULL;
		if (!has_failed)
			assert_non_null(u);
		access_report_release(&report);
	}
	users_free(u);
	assert_int_equal(mem_count_live(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_users_lines_of_mosquitto),
		cmocka_unit_test(test_users_lines_of_no_use),
		cmocka_unit_test(test_users_line_without_a_name),
		cmocka_unit_test(test_users_last_line_counts),
		cmocka_unit_test(test_users_decoys_can_be_verified),
		cmocka_unit_test(test_users_no_text),
		cmocka_unit_test(test_users_without_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
