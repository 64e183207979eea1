/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/passwd.h"

#include "access/text.h"
#include "access/users.h"
#include "admin/passwd_ask.h"
#include "admin/passwd_file.h"
#include "admin/passwd_options.h"
#include "mqtt/wire.h"

#include <errno.h>
#include <stdio.h>
#include <sys/random.h>

static int fail(const char *what, const char *why)
{
	fprintf(stderr, "nightjar passwd: %s: %s\n", what, why);
	return 1;
}

static int fail_with_file(const char *file, int error)
{
	if (error == ERROR_SYSTEM)
		return fail(file, strerror(errno));
	return fail(file,
		    error == ERROR_LIMIT ? "too large for a password file" : error_text(error));
}

/* A salt by chance, and the hash. */
static int store(const struct passwd_options *o, struct span password,
		 char stored_out[PASSWORD_STORED_MAX])
{
	uint8_t salt[PASSWORD_SALT_BYTES];
	if (getrandom(salt, sizeof(salt), 0) != sizeof(salt))
		return ERROR_SYSTEM;
	return password_store(o->method, &o->cost, salt, password, stored_out);
}

/* Names that the file's lines can hold, and MQTT, too. */
static const char *why_no_name(struct span name)
{
	if (name.len == 0 || name.len > UINT16_MAX)
		return "a user name has 1 to 65535 bytes";
	if (memchr(name.ptr, ':', name.len))
		return "a user name holds no ':', which ends it in the file";
	if (name.ptr[0] == '#')
		return "a user name does not begin with '#', which is a comment in the file";
	if (memchr(name.ptr, '\n', name.len) || memchr(name.ptr, '\r', name.len) ||
	    text_trimmed(name).len != name.len)
		return "a user name holds no line ends, and no blanks at its ends";
	return utf8_is_valid(name) ? NULL : "a user name is UTF-8";
}

/* An empty text when -c asks for a new file. */
static int read_text(const struct passwd_options *o, struct buffer *text)
{
	return o->creates ? 0 : passwd_file_read(o->file, text);
}

static void say_done(const struct passwd_options *o, bool was_there)
{
	if (o->deletes)
		return;
	printf(was_there ? "Updating password for user %s\n" : "Adding password for user %s\n",
	       o->user);
}

/* `stored` NULL: the user goes. */
static int change(const struct passwd_options *o, const char *stored)
{
	struct buffer text = {0}, changed = {0};
	bool was_there = false;
	int status = 0, error = read_text(o, &text);
	if (error == 0)
		error = passwd_file_set(buffer_content(&text), span_of_text(o->user), stored,
					&changed, &was_there);
	if (error == 0)
		error = passwd_file_write(o->file, buffer_content(&changed));
	if (error == ERROR_NOT_FOUND)
		status = fail(o->user, "there is no such user in the file");
	else if (error == ERROR_SYSTEM && errno == ENOENT)
		status = fail(o->file, "there is no such file: -c creates it");
	else if (error)
		status = fail_with_file(o->file, error);
	else
		say_done(o, was_there);
	buffer_release(&text);
	buffer_release(&changed);
	return status;
}

static int set_password(const struct passwd_options *o)
{
	static char typed[PASSWD_TEXT_MAX];
	char stored[PASSWORD_STORED_MAX];
	const char *password = o->password, *why;
	if (!o->is_batch && passwd_ask(typed, &why) != 0)
		return fail(o->user, why);
	if (!o->is_batch)
		password = typed;
	if (*password == '\0')
		return fail(o->user, "an empty password lets everybody in");
	if (strlen(password) > PASSWORD_BYTES_MAX)
		return fail(o->user, "the password is longer than MQTT takes (65535 bytes)");
	if (o->method == PASSWORD_SCRAM && !scram_is_text(span_of_text(password)))
		return fail(o->user, "SCRAM takes no password with control characters");
	int error = store(o, span_of_text(password), stored);
	explicit_bzero(typed, sizeof(typed));
	return error ? fail(o->user, error_text(error)) : change(o, stored);
}

/* One line: hashed when it is not. */
static int upgrade_line(const struct passwd_options *o, struct span line, struct buffer *out,
			unsigned *count)
{
	struct span name, stored;
	char hashed[PASSWORD_STORED_MAX];
	bool is_user = users_line_split(line, &name, &stored) == USERS_LINE_USER;
	bool is_plain = is_user && stored.len > 0 && stored.ptr[0] != '$';
	int error = is_plain ? store(o, stored, hashed) : 0;
	if (error == 0 && is_plain) {
		++*count;
		error = buffer_append(out, name);
		if (error == 0)
			error = buffer_append(out, SPAN_LITERAL(":"));
		if (error == 0)
			error = buffer_append(out, span_of_text(hashed));
	} else if (error == 0) {
		error = buffer_append(out, line);
	}
	return error ? error : buffer_append(out, SPAN_LITERAL("\n"));
}

static int upgrade(const struct passwd_options *o)
{
	struct buffer text = {0}, changed = {0};
	unsigned count = 0;
	int error = passwd_file_read(o->file, &text);
	struct span rest = buffer_content(&text);
	while (rest.len > 0 && error == 0)
		error = upgrade_line(o, text_line_take(&rest), &changed, &count);
	if (error == 0 && count > 0)
		error = passwd_file_write(o->file, buffer_content(&changed));
	if (error == 0)
		printf("%u %s hashed\n", count, count == 1 ? "password" : "passwords");
	buffer_release(&text);
	buffer_release(&changed);
	return error ? fail_with_file(o->file, error) : 0;
}

int passwd_main(int argc, char **argv)
{
	struct passwd_options o;
	char reason[PASSWD_REASON_MAX];
	if (passwd_options_parse(argc, argv, &o, reason) != 0) {
		fprintf(stderr, "nightjar passwd: %s\n", reason);
		return 1;
	}
	if (o.wants_help) {
		fputs(passwd_options_help(), stdout);
		return 0;
	}
	if (o.upgrades)
		return upgrade(&o);
	const char *why = why_no_name(span_of_text(o.user));
	if (why)
		return fail(o.user, why);
	return o.deletes ? change(&o, NULL) : set_password(&o);
}
