/* SPDX-License-Identifier: Apache-2.0 */
#include "access/users.h"

#include "access/password.h"
#include "access/text.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/mem.h"

/* MQTT has no longer ones ([5] 1.5.4). */
#define NAME_BYTES_MAX 65535

struct users {
	struct map by_name;
	uint64_t seed;
	uint8_t *text; /* all spans lie in it */
	size_t count;
	size_t verifiable_count;
	struct user *scram_pattern; /* of the smallest stored form that is SCRAM's */
	struct user list[];         /* those that can be verified first */
};

static struct span name_of(const void *element)
{
	return ((const struct user *)element)->name;
}

enum users_line users_line_split(struct span line, struct span *name_out, struct span *stored_out)
{
	*name_out = *stored_out = SPAN_NONE;
	if (line.len == 0 || line.ptr[0] == '#')
		return USERS_LINE_EMPTY;
	const uint8_t *colon = memchr(line.ptr, ':', line.len);
	size_t len = colon ? (size_t)(colon - line.ptr) : line.len;
	*name_out = text_trimmed(span_of(line.ptr, len));
	if (!colon)
		return USERS_LINE_BARE;
	*stored_out = text_trimmed(span_of(colon + 1, line.len - len - 1));
	return USERS_LINE_USER;
}

static size_t line_count(struct span text)
{
	size_t count = 1;
	for (size_t i = 0; i < text.len; i++)
		count += text.ptr[i] == '\n';
	return count;
}

/* A later line takes the place of an earlier one. */
static struct user *place_for(struct users *u, struct span name, unsigned line,
			      struct access_report *report)
{
	char shown[ACCESS_SHOWN_MAX];
	struct user *user = map_find(&u->by_name, name);
	if (user) {
		access_notice(report, line, "'%s' is there twice: this line counts",
			      access_show(name, shown));
		return user;
	}
	user = &u->list[u->count];
	user->name = name;
	if (map_add(&u->by_name, user)) {
		report->is_out_of_memory = true;
		return NULL;
	}
	u->count++;
	return user;
}

static void warn_of(struct access_report *report, unsigned line, struct span name, const char *why)
{
	char shown[ACCESS_SHOWN_MAX];
	access_notice(report, line,
		      "the password of '%s' %s: nobody can come in by that name until it is set "
		      "anew (nightjar passwd)",
		      access_show(name, shown), why);
}

static void read_line(struct users *u, struct span text, unsigned line,
		      struct access_report *report)
{
	struct span name, stored;
	enum users_line kind = users_line_split(text, &name, &stored);
	if (kind == USERS_LINE_EMPTY)
		return;
	if (name.len == 0 || name.len > NAME_BYTES_MAX) {
		access_notice(report, line,
			      name.len == 0 ? "the line begins with no user name"
					    : "the user name is too long");
		return;
	}
	const char *why_not = password_why_not(stored);
	struct user *user = place_for(u, name, line, report);
	if (!user)
		return;
	user->stored = why_not ? SPAN_NONE : stored;
	user->stamp = hash_bytes(stored, u->seed);
	if (why_not)
		warn_of(report, line, name, why_not);
}

static bool is_text(struct span text, struct access_report *report)
{
	if (text.len > USERS_FILE_BYTES_MAX)
		access_refuse(report, 0, "is larger than a password file may be (%zu MiB)",
			      USERS_FILE_BYTES_MAX >> 20);
	else if (text.len > 0 && memchr(text.ptr, '\0', text.len))
		access_refuse(report, 0, "holds a NUL byte: this is no password file");
	return report->error_count == 0;
}

/* The decoys, which are drawn from the front, must cost what a real one costs. */
static void sort_verifiable(struct users *u)
{
	for (size_t i = 0; i < u->count; i++) {
		if (u->list[i].stored.len == 0)
			continue;
		struct user moved = u->list[i];
		u->list[i] = u->list[u->verifiable_count];
		u->list[u->verifiable_count++] = moved;
	}
}

static int index_again(struct users *u)
{
	map_release(&u->by_name);
	map_init(&u->by_name, u->seed, name_of);
	for (size_t i = 0; i < u->count; i++)
		if (map_add(&u->by_name, &u->list[i]))
			return ERROR_NO_MEMORY;
	return 0;
}

static bool is_before(struct span a, struct span b)
{
	int order = memcmp(a.ptr, b.ptr, a.len < b.len ? a.len : b.len);
	return order < 0 || (order == 0 && a.len < b.len);
}

/* The smallest, so that it stays the same one when others come and go, in a new process, too. */
static void choose_scram_pattern(struct users *u)
{
	struct scram_verifier v;
	for (size_t i = 0; i < u->verifiable_count; i++) {
		struct user *user = &u->list[i], *best = u->scram_pattern;
		if (!password_scram(user->stored, &v))
			continue;
		if (!best || is_before(user->stored, best->stored))
			u->scram_pattern = user;
	}
}

struct users *users_read(struct span text, uint64_t seed, struct access_report *report)
{
	if (!is_text(text, report))
		return NULL;
	struct users *u = mem_zalloc(sizeof(*u) + line_count(text) * sizeof(u->list[0]));
	if (u) {
		map_init(&u->by_name, seed, name_of);
		u->seed = seed;
		u->text = (uint8_t *)mem_copy_text(text);
	}
	if (!u || !u->text) {
		report->is_out_of_memory = true;
		users_free(u);
		return NULL;
	}
	struct span rest = span_of(u->text, text.len);
	for (unsigned line = 1; rest.len > 0 && !report->is_out_of_memory; line++)
		read_line(u, text_line_take(&rest), line, report);
	sort_verifiable(u);
	if (report->is_out_of_memory || index_again(u)) {
		report->is_out_of_memory = true;
		users_free(u);
		return NULL;
	}
	choose_scram_pattern(u);
	return u;
}

void users_free(struct users *u)
{
	if (!u)
		return;
	map_release(&u->by_name);
	mem_free(u->text);
	mem_free(u);
}

size_t users_count(const struct users *u)
{
	return u->count;
}

const struct user *users_find(const struct users *u, struct span name)
{
	return map_find(&u->by_name, name);
}

const struct user *users_decoy(const struct users *u, struct span name)
{
	if (u->verifiable_count == 0)
		return NULL;
	return &u->list[hash_bytes(name, ~u->seed) % u->verifiable_count];
}

const struct user *users_scram_pattern(const struct users *u)
{
	return u->scram_pattern;
}
