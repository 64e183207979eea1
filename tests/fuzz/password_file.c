/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a password file: each name is found again with its stored form, which is verified or
 * refused within bounds; setting a user's password changes that user and nobody else.
 */
#include "access/password.h"
#include "access/text.h"
#include "access/users.h"
#include "admin/passwd_file.h"
#include "fuzz.h"

/* Stored forms that take long to verify are another test's. */
static bool is_cheap(struct span stored)
{
	return stored.len >= 3 && memcmp(stored.ptr, "$6$", 3) == 0;
}

static void check_user(const struct users *u, struct span name, struct span stored)
{
	const struct user *user = users_find(u, name);
	CHECK(user && span_is_equal(user->name, name));
	CHECK(user->stored.len == 0 || !password_why_not(user->stored));
	if (is_cheap(stored))
		CHECK(password_verify(stored, SPAN_LITERAL("no such password")) != 0 ||
		      !password_why_not(stored));
	const struct user *decoy = users_decoy(u, name);
	CHECK(!decoy || decoy->stored.len > 0);
}

/* A line is there for each user of the file, and one more or other for the one that is set. */
static void check_set(struct span text, const struct users *before)
{
	static const char stored[] = "$6$c2FsdA==$";
	struct buffer changed = {0};
	struct access_report report = {.file = "f"};
	bool was_there;
	CHECK(passwd_file_set(text, SPAN_LITERAL("lena"), stored, &changed, &was_there) == 0);
	struct users *after = users_read(buffer_content(&changed), 7, &report);
	CHECK(after);
	CHECK(was_there == (users_find(before, SPAN_LITERAL("lena")) != NULL));
	CHECK(users_count(after) == users_count(before) + !was_there);
	users_free(after);
	access_report_release(&report);
	buffer_release(&changed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct access_report report = {.file = "f"};
	uint8_t *copy = fuzz_copy(data, len);
	struct span text = span_of(copy, len), rest = text;
	struct users *u = users_read(text, 7, &report);
	CHECK((u != NULL) == (report.error_count == 0));
	while (u && rest.len > 0) {
		struct span name, stored, line = text_line_take(&rest);
		if (users_line_split(line, &name, &stored) != USERS_LINE_EMPTY && name.len > 0 &&
		    name.len <= UINT16_MAX)
			check_user(u, name, stored);
	}
	if (u)
		check_set(text, u);
	users_free(u);
	access_report_release(&report);
	free(copy);
	return 0;
}
