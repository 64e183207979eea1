/* SPDX-License-Identifier: Apache-2.0 */
/* Random ACL files against a model: a list of lines, each compared with topic_matches(). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "access/acl.h"
#include "mqtt/topic.h"

struct random {
	uint64_t state;
};

/* splitmix64 */
static uint64_t random_next(struct random *r)
{
	uint64_t z = r->state += 0x9E3779B97F4A7C15u;
	z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
	z = (z ^ z >> 27) * 0x94D049BB133111EBu;
	return z ^ z >> 31;
}

static uint64_t random_below(struct random *r, uint64_t bound)
{
	return random_next(r) % bound;
}

enum { ROUNDS = 400, LINES_MAX = 25, QUESTIONS = 60 };

#define DENY 4

struct line {
	int owner; /* 0: anonymous, 1, 2: users; -1: a pattern */
	uint8_t rights;
	char filter[64];
};

static const char *const names[] = {NULL, "u1", "u2"};
static const char *const levels[] = {"a", "b", "c", "", "$x", "+", "%c", "%u", "i-%c", "u1"};
static const char *const words[] = {"read ", "write ", "readwrite ", "deny ", ""};
static const uint8_t word_rights[] = {ACL_READ, ACL_WRITE, ACL_READ | ACL_WRITE, DENY,
				      ACL_READ | ACL_WRITE};

static void make_filter(struct random *r, char *out, unsigned kinds, bool may_end_below)
{
	unsigned count = 1 + (unsigned)random_below(r, 4);
	out[0] = '\0';
	for (unsigned i = 0; i < count; i++) {
		if (i > 0)
			strcat(out, "/");
		if (may_end_below && i + 1 == count && random_below(r, 4) == 0)
			strcat(out, "#");
		else
			strcat(out, levels[random_below(r, kinds)]);
	}
	if (out[0] == '\0')
		strcpy(out, "a");
}

/* %c and %u put in, as text. */
static void substitute(const char *filter, const char *user, const char *id, char *out)
{
	for (; *filter; filter++) {
		const char *value = NULL;
		if (filter[0] == '%' && (filter[1] == 'c' || filter[1] == 'u'))
			value = filter[1] == 'c' ? id : user;
		if (value) {
			strcpy(out, value);
			out += strlen(value);
			filter++;
		} else {
			*out++ = *filter;
		}
	}
	*out = '\0';
}

static uint8_t rights_of_lines(const struct line *lines, int count, int owner, const char *user,
			       const char *topic)
{
	uint8_t rights = 0;
	for (int i = 0; i < count; i++) {
		char filter[128];
		strcpy(filter, lines[i].filter);
		if (lines[i].owner != owner)
			continue;
		if (owner < 0 && !user && strstr(filter, "%u"))
			continue;
		if (owner < 0)
			substitute(lines[i].filter, user, "c1", filter);
		if (topic_matches(span_of_text(filter), span_of_text(topic)))
			rights |= lines[i].rights;
	}
	return rights;
}

static bool model_allows(const struct line *lines, int count, int who, uint8_t right,
			 const char *topic)
{
	uint8_t own = rights_of_lines(lines, count, who, NULL, topic);
	if (own & DENY)
		return false;
	if (own & right)
		return true;
	uint8_t patterns = rights_of_lines(lines, count, -1, names[who], topic);
	return !(patterns & DENY) && patterns & right;
}

static struct acl *make(struct random *r, struct line *lines, int count)
{
	char text[LINES_MAX * 128] = "";
	int owner = 0;
	for (int i = 0; i < count; i++) {
		char *end = text + strlen(text);
		bool is_pattern = random_below(r, 3) == 0;
		unsigned word = (unsigned)random_below(r, ARRAY_COUNT(words));
		if (random_below(r, 5) == 0) {
			owner = 1 + (int)random_below(r, 2);
			end += sprintf(end, "user %s\n", names[owner]);
		}
		lines[i].owner = is_pattern ? -1 : owner;
		lines[i].rights = word_rights[word];
		make_filter(r, lines[i].filter, ARRAY_COUNT(levels), true);
		sprintf(end, "%s %s%s\n", is_pattern ? "pattern" : "topic", words[word],
			lines[i].filter);
	}
	struct access_report report = {.file = "acl"};
	struct acl *a = acl_read(span_of_text(text), random_next(r), &report);
	if (!a)
		fail_msg("%s", text);
	return a;
}

static void ask(struct random *r, const struct acl *a, const struct line *lines, int count)
{
	static const char *const topic_levels[] = {"a", "b", "c", "", "$x", "c1", "u1", "i-c1"};
	int index = (int)random_below(r, 3);
	struct span name = names[index] ? span_of_text(names[index]) : SPAN_NONE;
	struct acl_client who = {.rules = acl_rules_of(a, names[index] ? &name : NULL),
				 .has_user_name = names[index] != NULL,
				 .user_name = name,
				 .client_id = SPAN_LITERAL("c1")};
	char topic[64] = "", filter[64];
	unsigned depth = 1 + (unsigned)random_below(r, 4);
	for (unsigned i = 0; i < depth; i++) {
		strcat(topic, i > 0 ? "/" : "");
		strcat(topic, topic_levels[random_below(r, ARRAY_COUNT(topic_levels))]);
	}
	if (topic[0] == '\0')
		return;
	for (uint8_t right = ACL_READ; right <= ACL_WRITE; right++)
		if (acl_allows(a, &who, right, span_of_text(topic)) !=
		    model_allows(lines, count, index, right, topic))
			fail_msg("%s, %d, right %d", topic, index, right);
	/* what may be read may be subscribed to, by every filter that matches it */
	make_filter(r, filter, 6, true);
	if (topic_matches(span_of_text(filter), span_of_text(topic)) &&
	    acl_allows(a, &who, ACL_READ, span_of_text(topic)) &&
	    !acl_allows_filter(a, &who, span_of_text(filter)))
		fail_msg("%s matches %s, %d", filter, topic, index);
	/* and by itself nothing else may */
	if (acl_allows_filter(a, &who, span_of_text(topic)) !=
	    model_allows(lines, count, index, ACL_READ, topic))
		fail_msg("%s as a filter, %d", topic, index);
}

static void test_acl_like_the_model(void **state)
{
	struct random r = {20240611};
	struct line lines[LINES_MAX];
	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		int count = (int)random_below(&r, LINES_MAX + 1);
		struct acl *a = make(&r, lines, count);
		for (int j = 0; j < QUESTIONS; j++)
			ask(&r, a, lines, count);
		acl_free(a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_acl_like_the_model)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
