/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/passwd_options.h"

#include "access/argon2id.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

const char *passwd_options_help(void)
{
	return "usage: nightjar passwd [-c | -D] [-H HASH] FILE USER\n"
	       "       nightjar passwd -b [-c] [-H HASH] FILE USER PASSWORD\n"
	       "       nightjar passwd -U [-H HASH] FILE\n"
	       "\n"
	       "Sets the password of a user in a password file of nightjar or mosquitto, and asks "
	       "for\n"
	       "it, twice. What is not a terminal gives it as its first line.\n"
	       "\n"
	       "  -c                  create the file; one that exists is replaced\n"
	       "  -D                  remove the user\n"
	       "  -b                  take the password from the command line, where others see "
	       "it\n"
	       "  -U                  hash passwords that stand in the file as they are\n"
	       "  -H, --hash HASH     sha512-pbkdf2 (the default), argon2id, scram-sha-256 or "
	       "sha512\n"
	       "  -I, --iterations N  of sha512-pbkdf2 and scram-sha-256 (default 10000)\n"
	       "  -h, --help          show this\n"
	       "\n"
	       "examples:\n"
	       "  nightjar passwd -c /etc/nightjar/passwords lena      a file with its first user\n"
	       "  nightjar passwd --hash argon2id /etc/nightjar/passwords olaf\n"
	       "  nightjar passwd -H scram-sha-256 /etc/nightjar/passwords ada\n"
	       "  nightjar passwd -D /etc/nightjar/passwords lena\n"
	       "  pwgen 20 1 | nightjar passwd /etc/nightjar/passwords sensor7\n"
	       "\n"
	       "The broker reads the file anew when it changes. mosquitto before 2.1 knows "
	       "no\n"
	       "argon2id, and no mosquitto SCRAM. SCRAM-SHA-256 is for clients that prove their "
	       "password\n"
	       "without showing it (MQTT 5.0); those that show it may come in by it as well.\n";
}

struct words {
	int left;
	char **next;
	char *reason;
};

static int refuse(const struct words *w, const char *format, const char *word)
{
	snprintf(w->reason, PASSWD_REASON_MAX, format, word);
	return ERROR_INVALID;
}

static int take_hash(const struct words *w, struct passwd_options *o, const char *value)
{
	if (strcmp(value, "sha512-pbkdf2") == 0)
		o->method = PASSWORD_PBKDF2;
	else if (strcmp(value, "sha512") == 0)
		o->method = PASSWORD_SHA512;
	else if (strcmp(value, "argon2id") == 0)
		o->method = PASSWORD_ARGON2ID;
	else if (strcmp(value, "scram-sha-256") == 0)
		o->method = PASSWORD_SCRAM;
	else
		return refuse(w,
			      "-H %.100s is none of sha512-pbkdf2, argon2id, scram-sha-256 and "
			      "sha512",
			      value);
	if (o->method == PASSWORD_ARGON2ID && !argon2id_is_here())
		return refuse(w, "-H %s: this build is without it", value);
	return 0;
}

static int take_iterations(const struct words *w, struct passwd_options *o, const char *value)
{
	char *end;
	errno = 0;
	unsigned long number = strtoul(value, &end, 10);
	if (*value < '0' || *value > '9' || *end || errno || number < 1 ||
	    number > PASSWORD_ITERATIONS_MAX)
		return refuse(w, "-I %.100s is not between 1 and 10000000", value);
	o->cost.iterations = (uint32_t)number;
	return 0;
}

/* The value of an option: behind '=', or the next word. */
static int take_value(struct words *w, const char *option, const char **value_out)
{
	if (w->left == 0)
		return refuse(w, "%s needs a value", option);
	w->left--;
	*value_out = *w->next++;
	return 0;
}

static bool is_option(const char *word, char letter, const char *name)
{
	return (word[0] == '-' && word[1] == letter && !word[2]) ||
	       (name && strncmp(word, "--", 2) == 0 && strcmp(word + 2, name) == 0);
}

static int take_option(struct words *w, struct passwd_options *o, const char *word)
{
	const char *value = NULL;
	bool is_hash = is_option(word, 'H', "hash");
	if (is_hash || is_option(word, 'I', "iterations")) {
		int error = take_value(w, word, &value);
		if (error)
			return error;
		return is_hash ? take_hash(w, o, value) : take_iterations(w, o, value);
	}
	if (is_option(word, 'b', NULL))
		o->is_batch = true;
	else if (is_option(word, 'c', NULL))
		o->creates = true;
	else if (is_option(word, 'D', NULL))
		o->deletes = true;
	else if (is_option(word, 'U', NULL))
		o->upgrades = true;
	else if (is_option(word, 'h', "help"))
		o->wants_help = true;
	else
		return refuse(w, "unknown option '%.100s' (see --help)", word);
	return 0;
}

static int check_together(const struct words *w, const struct passwd_options *o)
{
	if (o->creates && o->deletes)
		return refuse(w, "%s exclude each other", "-c and -D");
	if (o->is_batch && o->deletes)
		return refuse(w, "%s exclude each other", "-b and -D");
	if (o->upgrades && (o->creates || o->deletes || o->is_batch))
		return refuse(w, "%s stands alone", "-U");
	if (o->method == PASSWORD_SCRAM && o->cost.iterations > 0 &&
	    (o->cost.iterations < SCRAM_ITERATIONS_MIN ||
	     o->cost.iterations > SCRAM_ITERATIONS_MAX))
		return refuse(w, "-I is not between 4096 and 1000000, which %s wants",
			      "scram-sha-256");
	if (!o->file)
		return refuse(w, "the %s is missing (see --help)", "password file");
	if (!o->upgrades && !o->user)
		return refuse(w, "the %s is missing (see --help)", "user name");
	if (o->is_batch && !o->password)
		return refuse(w, "the %s is missing, which -b takes from the command line",
			      "password");
	if (o->upgrades ? o->user != NULL : !o->is_batch && o->password)
		return refuse(w, "unexpected argument '%.100s' (see --help)",
			      o->upgrades ? o->user : "PASSWORD, without -b");
	return 0;
}

int passwd_options_parse(int argc, char **argv, struct passwd_options *out,
			 char reason[PASSWD_REASON_MAX])
{
	struct passwd_options o = {.method = PASSWORD_PBKDF2};
	struct words w = {.left = argc - 1, .next = argv + 1, .reason = reason};
	const char **places[] = {&o.file, &o.user, &o.password};
	size_t count = 0;
	bool takes_options = true;
	while (w.left > 0) {
		const char *word = *w.next++;
		w.left--;
		int error = 0;
		if (takes_options && strcmp(word, "--") == 0)
			takes_options = false;
		else if (takes_options && word[0] == '-' && word[1])
			error = take_option(&w, &o, word);
		else if (count < ARRAY_COUNT(places))
			*places[count++] = word;
		else
			error = refuse(&w, "unexpected argument '%.100s' (see --help)", word);
		if (error)
			return error;
	}
	int error = o.wants_help ? 0 : check_together(&w, &o);
	if (error == 0)
		*out = o;
	return error;
}
