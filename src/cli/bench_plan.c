/* SPDX-License-Identifier: Apache-2.0 */
/* See bench_plan.h. One table says which words there are, where they may stand and what they take. */
#include "cli/bench_plan.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>

#include "base/mem.h"
#include "mqtt/topic.h"
#include "mqtt/wire.h"

/* Longer lines are no settings. */
#define LINE_BYTES_MAX 255
#define MEMBERS_MAX 1000000

enum place { OF_FILE = 1, OF_PUBLISHERS = 2, OF_SUBSCRIBERS = 4 };
enum kind { KIND_NUMBER, KIND_SECONDS, KIND_VERSION, KIND_TOPIC, KIND_SESSION };

struct word {
	const char *name;
	unsigned places;
	enum kind kind;
	size_t offset;
	uint32_t min;
	uint32_t max;
};

#define OF_GROUPS (OF_PUBLISHERS | OF_SUBSCRIBERS)
#define FILE_FIELD(name) offsetof(struct bench_plan, name)
#define FIELD(name) offsetof(struct bench_plan_group, name)

static const struct word words[] = {
	{"duration", OF_FILE, KIND_SECONDS, FILE_FIELD(duration_ms), 1, 86400000},
	{"warmup", OF_FILE, KIND_SECONDS, FILE_FIELD(warmup_ms), 0, 86400000},
	{"version", OF_FILE, KIND_VERSION, FILE_FIELD(version), 0, 0},
	{"count", OF_GROUPS, KIND_NUMBER, FIELD(count), 1, MEMBERS_MAX},
	{"topic", OF_GROUPS, KIND_TOPIC, FIELD(topic), 0, 0},
	{"qos", OF_GROUPS, KIND_NUMBER, FIELD(qos), 0, 2},
	{"rate", OF_PUBLISHERS, KIND_NUMBER, FIELD(rate), 1, 1000000000},
	{"burst", OF_PUBLISHERS, KIND_NUMBER, FIELD(burst), 1, 1000000},
	{"size", OF_PUBLISHERS, KIND_NUMBER, FIELD(payload_bytes), BENCH_PAYLOAD_MIN,
	 BENCH_PAYLOAD_MAX},
	{"window", OF_PUBLISHERS, KIND_NUMBER, FIELD(window), 1, 65535},
	{"session", OF_SUBSCRIBERS, KIND_SESSION, FIELD(is_persistent), 0, 1},
};

struct parser {
	struct bench_plan *plan;
	struct bench_plan_group *group; /* NULL before the first one */
	uint64_t seen;                  /* a bit for each word of the file or the group at hand */
	uint32_t line;
	char *problem;
	size_t problem_len;
};

PRINTF_LIKE(3, 4)
static bool refuse(struct parser *p, uint32_t line, const char *format, ...)
{
	va_list arguments;
	int len = snprintf(p->problem, p->problem_len, "%u: ", line);
	va_start(arguments, format);
	vsnprintf(p->problem + len, p->problem_len - (size_t)len, format, arguments);
	va_end(arguments);
	/* it quotes the file, and goes to a terminal */
	for (char *at = p->problem; *at; at++)
		if (*at < ' ' || *at > '~')
			*at = '?';
	return false;
}

/* --- values --- */

static bool set_number(struct parser *p, const struct word *w, const char *value, uint32_t *field)
{
	char *end;
	unsigned long number = strtoul(value, &end, 10);
	if (*value < '0' || *value > '9' || *end || strlen(value) > 10 || number < w->min ||
	    number > w->max)
		return refuse(p, p->line, "%s takes a number from %u to %u, not '%s'", w->name,
			      w->min, w->max, value);
	*field = (uint32_t)number;
	return true;
}

static bool set_seconds(struct parser *p, const struct word *w, const char *value, uint32_t *field)
{
	char *end;
	double seconds = strtod(value, &end);
	bool is_plain = strspn(value, "0123456789.") == strlen(value);
	if (!is_plain || *value < '0' || *value > '9' || *end || !(seconds * 1000 <= w->max) ||
	    seconds * 1000 < w->min)
		return refuse(p, p->line, "%s takes seconds from %g to %u, not '%s'", w->name,
			      w->min / 1e3, w->max / 1000, value);
	*field = (uint32_t)(seconds * 1000 + 0.5);
	return true;
}

static bool set_version(struct parser *p, const char *value, uint32_t *field)
{
	if (strlen(value) != 1 || *value < '3' || *value > '5')
		return refuse(p, p->line,
			      "version takes 3 (MQTT 3.1), 4 (3.1.1) or 5 (5.0), not '%s'", value);
	*field = (uint32_t)(*value - '0');
	return true;
}

static bool set_topic(struct parser *p, const char *value, char *field)
{
	struct span topic = span_of_text(value);
	bool is_publisher = p->group->is_publisher;
	if (topic.len > BENCH_TOPIC_MAX)
		return refuse(p, p->line, "the topic is longer than %u bytes", BENCH_TOPIC_MAX);
	if (!utf8_is_valid(topic))
		return refuse(p, p->line, "the topic is not UTF-8");
	if (is_publisher && !topic_name_is_valid(topic))
		return refuse(p, p->line,
			      "'%s' is no topic to publish to: + and # are for "
			      "subscribers",
			      value);
	if (!is_publisher && !topic_filter_is_valid(topic))
		return refuse(p, p->line,
			      "'%s' is no topic filter: + and # stand for whole "
			      "levels, and # for the last",
			      value);
	memcpy(field, value, topic.len + 1);
	return true;
}

static bool set_session(struct parser *p, const char *value, uint32_t *field)
{
	bool is_persistent = strcmp(value, "persistent") == 0;
	if (!is_persistent && strcmp(value, "clean") != 0)
		return refuse(p, p->line, "session takes clean or persistent, not '%s'", value);
	*field = is_persistent;
	return true;
}

static bool set_value(struct parser *p, const struct word *w, const char *value)
{
	void *field = (char *)(w->places & OF_FILE ? (void *)p->plan : p->group) + w->offset;
	switch (w->kind) {
	case KIND_NUMBER: return set_number(p, w, value, field);
	case KIND_SECONDS: return set_seconds(p, w, value, field);
	case KIND_VERSION: return set_version(p, value, field);
	case KIND_TOPIC: return set_topic(p, value, field);
	case KIND_SESSION: return set_session(p, value, field);
	}
	return false;
}

/* --- lines --- */

static const char *place_name(unsigned place)
{
	return place == OF_FILE         ? "before the groups"
	       : place == OF_PUBLISHERS ? "for publishers"
					: "for subscribers";
}

static bool refuse_word(struct parser *p, unsigned place, const char *name)
{
	char list[128] = "";
	for (size_t i = 0; i < ARRAY_COUNT(words); i++) {
		size_t len = strlen(list);
		if (words[i].places & place)
			snprintf(list + len, sizeof(list) - len, "%s%s", len ? ", " : "",
				 words[i].name);
	}
	return refuse(p, p->line, "there is no '%s' %s: take one of %s", name, place_name(place),
		      list);
}

static unsigned place_of(const struct parser *p)
{
	if (!p->group)
		return OF_FILE;
	return p->group->is_publisher ? OF_PUBLISHERS : OF_SUBSCRIBERS;
}

static bool take_word(struct parser *p, const char *name, const char *value)
{
	unsigned place = place_of(p);
	for (size_t i = 0; i < ARRAY_COUNT(words); i++) {
		if (!(words[i].places & place) || strcmp(words[i].name, name) != 0)
			continue;
		if (p->seen >> i & 1)
			return refuse(p, p->line, "%s is given twice", name);
		p->seen |= UINT64_C(1) << i;
		return set_value(p, &words[i], value);
	}
	return refuse_word(p, place, name);
}

static bool close_group(struct parser *p)
{
	const struct bench_plan_group *g = p->group;
	if (g && g->topic[0] == 0)
		return refuse(p, g->line, "%s '%s' have no topic",
			      g->is_publisher ? "publishers" : "subscribers", g->name);
	if (g && g->burst > 1 && g->rate == 0)
		return refuse(p, g->line, "publishers '%s' have a burst and no rate", g->name);
	return true;
}

static bool open_group(struct parser *p, const char *name, bool is_publisher)
{
	struct bench_plan *plan = p->plan;
	if (!close_group(p))
		return false;
	if (plan->group_count == BENCH_PLAN_GROUPS_MAX)
		return refuse(p, p->line, "there are more than %u groups", BENCH_PLAN_GROUPS_MAX);
	if (strlen(name) >= sizeof(p->group->name))
		return refuse(p, p->line, "the name '%s' is longer than %zu bytes", name,
			      sizeof(p->group->name) - 1);
	for (uint32_t i = 0; i < plan->group_count; i++)
		if (strcmp(plan->groups[i].name, name) == 0)
			return refuse(p, p->line, "there is a group '%s' already, in line %u", name,
				      plan->groups[i].line);
	p->group = &plan->groups[plan->group_count++];
	*p->group = (struct bench_plan_group){.is_publisher = is_publisher,
					      .line = p->line,
					      .count = 1,
					      .burst = 1,
					      .payload_bytes = 64};
	strcpy(p->group->name, name);
	p->seen = 0;
	return true;
}

/* `line` is one line, without its end. */
static bool take_line(struct parser *p, char *line)
{
	static const char blank[] = " \t\r";
	char *rest, *name = strtok_r(line, blank, &rest);
	if (!name || *name == '#')
		return true;
	char *value = strtok_r(NULL, blank, &rest);
	if (!value)
		return refuse(p, p->line, "'%s' has no value", name);
	const char *more = strtok_r(NULL, blank, &rest);
	if (more && *more != '#')
		return refuse(p, p->line, "'%s' takes one value", name);
	bool is_publisher = strcmp(name, "publishers") == 0;
	if (is_publisher || strcmp(name, "subscribers") == 0)
		return open_group(p, value, is_publisher);
	return take_word(p, name, value);
}

static bool take_lines(struct parser *p, struct span text)
{
	while (text.len > 0) {
		char line[LINE_BYTES_MAX + 1];
		const uint8_t *end = memchr(text.ptr, '\n', text.len);
		size_t len = end ? (size_t)(end - text.ptr) : text.len;
		p->line++;
		if (len > LINE_BYTES_MAX)
			return refuse(p, p->line, "the line is longer than %u bytes",
				      LINE_BYTES_MAX);
		if (memchr(text.ptr, 0, len))
			return refuse(p, p->line, "a byte 0 is no text");
		memcpy(line, text.ptr, len);
		line[len] = 0;
		if (!take_line(p, line))
			return false;
		len += end != NULL;
		text = span_of(text.ptr + len, text.len - len);
	}
	return close_group(p);
}

/* --- the whole --- */

uint32_t bench_plan_members(const struct bench_plan *plan, bool is_publisher)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < plan->group_count; i++)
		if (plan->groups[i].is_publisher == is_publisher)
			count += plan->groups[i].count;
	return count;
}

static bool check_members(struct parser *p)
{
	uint64_t publishers = bench_plan_members(p->plan, true);
	uint64_t subscribers = bench_plan_members(p->plan, false);
	if (!publishers || !subscribers)
		return refuse(p, p->line, "there are no %s: a group of them begins with '%s NAME'",
			      publishers ? "subscribers" : "publishers",
			      publishers ? "subscribers" : "publishers");
	if (publishers > MEMBERS_MAX || subscribers > MEMBERS_MAX ||
	    publishers * subscribers > BENCH_PLAN_FLOWS_MAX)
		return refuse(p, p->line,
			      "%llu publishers times %llu subscribers are more than %u streams to "
			      "follow",
			      (unsigned long long)publishers, (unsigned long long)subscribers,
			      BENCH_PLAN_FLOWS_MAX);
	return true;
}

static bool check_topics(struct parser *p)
{
	for (uint32_t i = 0; i < p->plan->group_count; i++) {
		char topic[BENCH_TOPIC_MAX + 1];
		const struct bench_plan_group *g = &p->plan->groups[i];
		if (!bench_plan_topic(g, g->count - 1, topic))
			return refuse(p, g->line, "the topics of '%s' become longer than %u bytes",
				      g->name, BENCH_TOPIC_MAX);
	}
	return true;
}

int bench_plan_parse(struct bench_plan *plan, struct span text, char *problem, size_t problem_len)
{
	struct parser p = {.plan = plan, .problem = problem, .problem_len = problem_len};
	*plan = (struct bench_plan){.duration_ms = BENCH_PLAN_UNSET,
				    .warmup_ms = BENCH_PLAN_UNSET,
				    .version = BENCH_PLAN_UNSET};
	return take_lines(&p, text) && check_members(&p) && check_topics(&p) ? 0 : ERROR_INVALID;
}

/* All of a file, with one byte more than may be. Returns its length, or ERROR_SYSTEM. */
static ssize_t read_text(const char *path, uint8_t *text)
{
	FILE *file = fopen(path, "re");
	if (!file)
		return ERROR_SYSTEM;
	size_t len = fread(text, 1, BENCH_PLAN_FILE_BYTES_MAX + 1, file);
	bool is_read = !ferror(file);
	int reason = errno;
	fclose(file);
	errno = reason;
	return is_read ? (ssize_t)len : ERROR_SYSTEM;
}

static int parse_file(const char *path, uint8_t *text, struct bench_plan *plan, char *problem,
		      size_t problem_len)
{
	ssize_t len = read_text(path, text);
	if (len < 0) {
		snprintf(problem, problem_len, "cannot read '%s': %s", path, strerror(errno));
		return ERROR_SYSTEM;
	}
	if (len > (ssize_t)BENCH_PLAN_FILE_BYTES_MAX) {
		snprintf(problem, problem_len, "'%s' is larger than %u bytes", path,
			 BENCH_PLAN_FILE_BYTES_MAX);
		return ERROR_LIMIT;
	}
	int where = snprintf(problem, problem_len, "%s:", path);
	if (where < 0 || (size_t)where + 32 > problem_len)
		where = 0; /* the sentence matters more than so long a path */
	return bench_plan_parse(plan, span_of(text, (size_t)len), problem + where,
				problem_len - (size_t)where);
}

int bench_plan_read(const char *path, struct bench_plan **plan_out, char *problem,
		    size_t problem_len)
{
	uint8_t *text = mem_alloc(BENCH_PLAN_FILE_BYTES_MAX + 1);
	struct bench_plan *plan = mem_alloc(sizeof(*plan));
	int error = ERROR_NO_MEMORY;
	if (text && plan)
		error = parse_file(path, text, plan, problem, problem_len);
	else
		snprintf(problem, problem_len, "not enough memory");
	mem_free(text);
	if (error)
		mem_free(plan);
	else
		*plan_out = plan;
	return error;
}

bool bench_plan_topic(const struct bench_plan_group *group, uint32_t number, char *text)
{
	size_t len = 0;
	char digits[11];
	size_t digit_count = (size_t)snprintf(digits, sizeof(digits), "%u", number);
	for (const char *at = group->topic; *at; at++) {
		bool is_number = at[0] == '%' && at[1] == 'n';
		const char *from = is_number ? digits : at;
		size_t add = is_number ? digit_count : 1;
		if (len + add > BENCH_TOPIC_MAX)
			return false;
		memcpy(text + len, from, add);
		len += add;
		at += is_number;
	}
	text[len] = 0;
	return true;
}
