/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A script is lines; a line is a statement. Statements in front of the first `device` are about
 * the run, the others about the device above them.
 */
#include "cli/simulate_script.h"

#include <stdio.h>

#include "base/mem.h"
#include "cli/simulate_message.h"
#include "mqtt/topic.h"
#include "mqtt/types.h"
#include "mqtt/wire.h"

struct parser {
	struct simulate_script *script;
	struct simulate_kind *kind; /* NULL before the first `device` */
	struct words words;
};

/* --- words that many statements take --- */

static int take_word(struct parser *p, const char *what, struct word *word_out)
{
	if (words_next(&p->words, word_out))
		return 0;
	return words_complain(&p->words, words_column(&p->words), "%s is missing", what);
}

static int take_duration(struct parser *p, uint64_t *ms_out)
{
	struct word word;
	int error = take_word(p, "a time, e.g. 5s,", &word);
	return error ? error : word_duration(&p->words, &word, ms_out);
}

static int take_number(struct parser *p, const char *what, uint64_t min, uint64_t max,
		       uint64_t *out)
{
	struct word word;
	int error = take_word(p, what, &word);
	return error ? error : word_number(&p->words, &word, min, max, out);
}

static int take_percent(struct parser *p, uint32_t *out)
{
	struct word word;
	int error = take_word(p, "a share, e.g. 20%,", &word);
	return error ? error : word_percent(&p->words, &word, out);
}

static int take_template(struct parser *p, const char *what, enum template_place place,
			 struct template *out)
{
	struct word word;
	int error = take_word(p, what, &word);
	if (error)
		return error;
	template_release(out);
	return template_parse(out, &p->words, &word, place, &p->kind->cell_count);
}

static int take_copy(struct parser *p, const char *what, char **out)
{
	struct word word;
	int error = take_word(p, what, &word);
	if (error)
		return error;
	mem_free(*out);
	*out = mem_copy_text(word.text);
	return *out ? 0 : ERROR_NO_MEMORY;
}

static int to_seconds(struct parser *p, unsigned column, uint64_t ms, uint32_t *out)
{
	if (ms % 1000 != 0)
		return words_complain(&p->words, column, "MQTT counts this in whole seconds");
	*out = (uint32_t)(ms / 1000);
	return 0;
}

/* --- about the run --- */

static int take_server(struct parser *p)
{
	uint64_t port = 1883;
	struct word word;
	int error = take_copy(p, "a host", &p->script->host);
	if (!error && words_next(&p->words, &word))
		error = word_number(&p->words, &word, 1, UINT16_MAX, &port);
	p->script->port = (uint16_t)port;
	return error;
}

static int take_run_time(struct parser *p)
{
	return take_duration(p, &p->script->duration_ms);
}

static int take_seed(struct parser *p)
{
	p->script->has_seed = true;
	return take_number(p, "a number", 0, UINT64_C(999999999999999999), &p->script->seed);
}

/* --- about devices --- */

static struct simulate_kind *add_kind(struct parser *p)
{
	struct simulate_script *s = p->script;
	struct simulate_kind *kinds = mem_realloc(s->kinds, (s->kind_count + 1) * sizeof(*kinds));
	if (!kinds)
		return NULL;
	s->kinds = kinds;
	kinds[s->kind_count] = (struct simulate_kind){
		.count = 1, .version = MQTT_5, .keep_alive = 60}; /* as the library's defaults */
	p->kind = &kinds[s->kind_count++];
	return p->kind;
}

static int check_name(struct parser *p, const struct word *word)
{
	for (uint32_t i = 0; i + 1 < p->script->kind_count; i++)
		if (word_is(word, p->script->kinds[i].name))
			return words_complain(&p->words, word->column,
					      "there is a device of this name already");
	for (size_t i = 0; i < word->text.len; i++)
		if (strchr("+#/", word->text.ptr[i]))
			return words_complain(&p->words, word->column,
					      "a device's name has no '+', '#' or '/'");
	return 0;
}

static int take_device(struct parser *p)
{
	struct word name, word;
	uint64_t count = 1;
	if (p->script->kind_count == SIMULATE_KINDS_MAX)
		return words_complain(&p->words, 1, "more than %d kinds of devices",
				      SIMULATE_KINDS_MAX);
	struct simulate_kind *kind = add_kind(p);
	if (!kind)
		return ERROR_NO_MEMORY;
	int error = take_word(p, "the device's name", &name);
	kind->name = mem_copy_text(error ? SPAN_LITERAL("?") : name.text);
	if (!kind->name)
		return ERROR_NO_MEMORY;
	if (!error)
		error = check_name(p, &name);
	if (!error && words_next(&p->words, &word))
		error = word_number(&p->words, &word, 1, SIMULATE_DEVICES_MAX, &count);
	kind->count = (uint32_t)count;
	p->script->device_count += kind->count;
	if (!error && p->script->device_count > SIMULATE_DEVICES_MAX)
		error = words_complain(&p->words, name.column, "more than %d devices in all",
				       SIMULATE_DEVICES_MAX);
	return error;
}

static int take_version(struct parser *p)
{
	static const char *const names[] = {"3.1", "3.1.1", "5"};
	static const uint8_t versions[] = {MQTT_3_1, MQTT_3_1_1, MQTT_5};
	struct word word;
	int error = take_word(p, "3.1, 3.1.1 or 5", &word);
	if (error)
		return error;
	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		if (word_is(&word, names[i])) {
			p->kind->version = versions[i];
			return 0;
		}
	}
	return words_unknown(&p->words, &word, "version", names, ARRAY_COUNT(names));
}

static int take_client_id(struct parser *p)
{
	return take_template(p, "a client id", TEMPLATE_OF_NAMES, &p->kind->client_id);
}

static int take_user(struct parser *p)
{
	return take_template(p, "a user name", TEMPLATE_OF_NAMES, &p->kind->user_name);
}

static int take_password(struct parser *p)
{
	return take_template(p, "a password", TEMPLATE_OF_NAMES, &p->kind->password);
}

static int take_keep_alive(struct parser *p)
{
	uint64_t ms = 0;
	uint32_t seconds = 0;
	unsigned column = words_column(&p->words);
	int error = take_duration(p, &ms);
	if (!error)
		error = to_seconds(p, column, ms, &seconds);
	if (!error && seconds > UINT16_MAX)
		error = words_complain(&p->words, column, "a keep alive is at most 65535s");
	p->kind->keep_alive = (uint16_t)seconds;
	return error;
}

static int take_session(struct parser *p)
{
	uint64_t ms = 0;
	unsigned column = words_column(&p->words);
	int error = take_duration(p, &ms);
	return error ? error : to_seconds(p, column, ms, &p->kind->session);
}

static int take_start(struct parser *p)
{
	struct word word;
	static const char *const words[] = {"over"};
	int error = take_word(p, "'over' and a time", &word);
	if (!error && !word_is(&word, "over"))
		error = words_unknown(&p->words, &word, "word", words, 1);
	return error ? error : take_duration(p, &p->kind->start_ms);
}

static int take_churn_word(struct parser *p, const struct word *word)
{
	static const char *const words[] = {"on", "off", "jitter", "cut"};
	if (word_is(word, "on"))
		return take_duration(p, &p->kind->on_ms);
	if (word_is(word, "off"))
		return take_duration(p, &p->kind->off_ms);
	if (word_is(word, "jitter"))
		return take_percent(p, &p->kind->churn_jitter);
	if (word_is(word, "cut"))
		return take_percent(p, &p->kind->cut);
	return words_unknown(&p->words, word, "word", words, ARRAY_COUNT(words));
}

static int take_churn(struct parser *p)
{
	struct word word;
	int error = 0;
	while (!error && words_next(&p->words, &word))
		error = take_churn_word(p, &word);
	if (!error && (p->kind->on_ms == 0 || p->kind->off_ms == 0))
		error = words_complain(&p->words, 1, "churn wants both: on 5m off 30s");
	return error;
}

static int check_filter(struct parser *p, const struct template *filter, unsigned column)
{
	struct buffer sample = {0};
	int error = template_sample(filter, &sample);
	if (!error && !topic_filter_is_valid(buffer_content(&sample)))
		error = words_complain(&p->words, column,
				       "no topic filter: '+' stands for a whole level, '#' for the "
				       "last ones");
	buffer_release(&sample);
	return error;
}

static int take_subscribe(struct parser *p)
{
	struct simulate_kind *k = p->kind;
	struct word word;
	uint64_t qos = 0;
	static const char *const words[] = {"qos"};
	if (k->subscription_count == SIMULATE_SUBSCRIPTIONS_MAX)
		return words_complain(&p->words, 1, "more than %d subscriptions of a device",
				      SIMULATE_SUBSCRIPTIONS_MAX);
	struct simulate_subscription *all =
		mem_realloc(k->subscriptions, (k->subscription_count + 1) * sizeof(*all));
	if (!all)
		return ERROR_NO_MEMORY;
	k->subscriptions = all;
	struct simulate_subscription *s = &all[k->subscription_count++];
	*s = (struct simulate_subscription){0};
	unsigned column = words_column(&p->words);
	int error = take_template(p, "a filter", TEMPLATE_OF_NAMES, &s->filter);
	if (!error)
		error = check_filter(p, &s->filter, column);
	while (!error && words_next(&p->words, &word)) {
		error = word_is(&word, "qos") ? take_number(p, "0, 1 or 2", 0, 2, &qos)
					      : words_unknown(&p->words, &word, "word", words, 1);
	}
	s->qos = (uint8_t)qos;
	return error;
}

static int take_publish(struct parser *p)
{
	struct simulate_kind *k = p->kind;
	if (k->flow_count == SIMULATE_FLOWS_MAX)
		return words_complain(&p->words, 1, "more than %d publications of a device",
				      SIMULATE_FLOWS_MAX);
	struct simulate_message *flows =
		mem_realloc(k->flows, (k->flow_count + 1) * sizeof(*flows));
	if (!flows)
		return ERROR_NO_MEMORY;
	k->flows = flows;
	flows[k->flow_count] = (struct simulate_message){0};
	return simulate_message_parse(&flows[k->flow_count++], &p->words, MESSAGE_PUBLISHED,
				      &k->cell_count);
}

static int take_single(struct parser *p, struct simulate_message *m, bool *has,
		       enum message_role role)
{
	if (*has)
		return words_complain(&p->words, 1, "a device has one of these");
	*has = true;
	return simulate_message_parse(m, &p->words, role, &p->kind->cell_count);
}

static int take_will(struct parser *p)
{
	return take_single(p, &p->kind->will, &p->kind->has_will, MESSAGE_WILL);
}

static int take_birth(struct parser *p)
{
	return take_single(p, &p->kind->birth, &p->kind->has_birth, MESSAGE_BIRTH);
}

/* --- the table of statements --- */

static const struct statement {
	const char *name;
	bool is_of_device;
	int (*take)(struct parser *p);
} statements[] = {
	{"server", false, take_server},
	{"duration", false, take_run_time},
	{"seed", false, take_seed},
	{"device", false, take_device},
	{"version", true, take_version},
	{"client_id", true, take_client_id},
	{"user", true, take_user},
	{"password", true, take_password},
	{"keep_alive", true, take_keep_alive},
	{"session", true, take_session},
	{"start", true, take_start},
	{"churn", true, take_churn},
	{"will", true, take_will},
	{"birth", true, take_birth},
	{"publish", true, take_publish},
	{"subscribe", true, take_subscribe},
};

static int take_statement(struct parser *p, const struct word *word)
{
	const char *names[ARRAY_COUNT(statements)];
	struct word more;
	for (size_t i = 0; i < ARRAY_COUNT(statements); i++) {
		const struct statement *s = &statements[i];
		names[i] = s->name;
		if (!word_is(word, s->name))
			continue;
		if (s->is_of_device && !p->kind)
			return words_complain(&p->words, word->column,
					      "'%s' is about a device: write 'device NAME COUNT' "
					      "above it",
					      s->name);
		int error = s->take(p);
		if (!error && words_next(&p->words, &more))
			error = words_complain(&p->words, more.column, "'%s' ends before this word",
					       s->name);
		return error;
	}
	return words_unknown(&p->words, word, "statement", names, ARRAY_COUNT(names));
}

static int take_line(struct parser *p, struct span line)
{
	struct word word;
	p->words.whole = line;
	p->words.at = 0;
	p->words.line++;
	if (line.len > SIMULATE_LINE_MAX)
		return words_complain(&p->words, 1, "the line is longer than 64 KiB");
	if (!utf8_is_valid(line))
		return words_complain(&p->words, 1, "the line is no UTF-8 text, as MQTT wants it");
	return words_next(&p->words, &word) ? take_statement(p, &word) : 0;
}

/* A device without a client id of its own gets its name and number: known to logs, and the same
 * in each run. */
static int name_clients(struct parser *p)
{
	struct words own = p->words;
	int error = 0;
	own.whole = SPAN_LITERAL("{name}-{id}");
	for (uint32_t i = 0; !error && i < p->script->kind_count; i++) {
		struct simulate_kind *k = &p->script->kinds[i];
		struct word word = {own.whole, 1};
		if (k->client_id.piece_count == 0)
			error = template_parse(&k->client_id, &own, &word, TEMPLATE_OF_NAMES,
					       &k->cell_count);
	}
	return error;
}

static int take_lines(struct parser *p, struct span text)
{
	int error = 0;
	for (size_t at = 0; at < text.len && error != ERROR_NO_MEMORY;) {
		const uint8_t *end = memchr(text.ptr + at, '\n', text.len - at);
		size_t len = end ? (size_t)(end - text.ptr) - at : text.len - at;
		error = take_line(p, span_of(text.ptr + at, len));
		at += len + 1;
	}
	if (error == ERROR_NO_MEMORY)
		return error;
	if (p->script->kind_count == 0 && *p->words.error_count == 0)
		words_complain(&p->words, 1, "the script has no device");
	return 0;
}

int simulate_script_parse(struct simulate_script *s, const char *name, struct span text,
			  struct buffer *errors)
{
	unsigned error_count = 0;
	*s = (struct simulate_script){.port = 1883};
	struct parser p = {.script = s,
			   .words = {.file = name, .errors = errors, .error_count = &error_count}};
	int error = take_lines(&p, text);
	if (!error && error_count == 0)
		error = name_clients(&p);
	if (error_count > COMPLAINTS_MAX) {
		char more[64];
		snprintf(more, sizeof(more), "and %u more\n", error_count - COMPLAINTS_MAX);
		(void)!buffer_append(errors, span_of_text(more));
	}
	return error_count > 0 ? ERROR_INVALID : error;
}

static void release_kind(struct simulate_kind *k)
{
	mem_free(k->name);
	template_release(&k->client_id);
	template_release(&k->user_name);
	template_release(&k->password);
	simulate_message_release(&k->will);
	simulate_message_release(&k->birth);
	for (uint32_t i = 0; i < k->flow_count; i++)
		simulate_message_release(&k->flows[i]);
	for (uint32_t i = 0; i < k->subscription_count; i++)
		template_release(&k->subscriptions[i].filter);
	mem_free(k->flows);
	mem_free(k->subscriptions);
}

void simulate_script_release(struct simulate_script *s)
{
	for (uint32_t i = 0; i < s->kind_count; i++)
		release_kind(&s->kinds[i]);
	mem_free(s->kinds);
	mem_free(s->host);
	*s = (struct simulate_script){0};
}
