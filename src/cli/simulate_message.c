/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/simulate_message.h"

#include "mqtt/topic.h"
#include "mqtt/types.h"

static int take_duration(struct words *w, uint64_t *ms_out)
{
	struct word word;
	if (!words_next(w, &word))
		return words_complain(w, words_column(w), "a time is missing, e.g. 5s");
	return word_duration(w, &word, ms_out);
}

static int take_seconds(struct words *w, uint32_t *out)
{
	uint64_t ms = 0;
	unsigned column = words_column(w);
	int error = take_duration(w, &ms);
	if (!error && ms % 1000 != 0)
		error = words_complain(w, column, "MQTT counts this in whole seconds");
	*out = (uint32_t)(ms / 1000);
	return error;
}

static int take_every(struct words *w, struct simulate_message *m)
{
	return take_duration(w, &m->every_ms);
}

static int take_jitter(struct words *w, struct simulate_message *m)
{
	struct word word;
	if (!words_next(w, &word))
		return words_complain(w, words_column(w), "a share is missing, e.g. 20%%");
	return word_percent(w, &word, &m->jitter);
}

static int take_qos(struct words *w, struct simulate_message *m)
{
	struct word word;
	uint64_t qos = 0;
	if (!words_next(w, &word))
		return words_complain(w, words_column(w), "0, 1 or 2 is missing");
	int error = word_number(w, &word, 0, QOS_MAX, &qos);
	m->qos = (uint8_t)qos;
	return error;
}

static int take_retain(struct words *w, struct simulate_message *m)
{
	(void)w;
	m->retain = true;
	return 0;
}

static int take_expiry(struct words *w, struct simulate_message *m)
{
	return take_seconds(w, &m->expiry);
}

static int take_delay(struct words *w, struct simulate_message *m)
{
	return take_seconds(w, &m->delay);
}

static const struct message_word {
	const char *name;
	uint8_t roles; /* of enum message_role */
	int (*take)(struct words *w, struct simulate_message *m);
} message_words[] = {
	{"every", MESSAGE_PUBLISHED, take_every},
	{"jitter", MESSAGE_PUBLISHED, take_jitter},
	{"qos", MESSAGE_PUBLISHED | MESSAGE_WILL | MESSAGE_BIRTH, take_qos},
	{"retain", MESSAGE_PUBLISHED | MESSAGE_WILL | MESSAGE_BIRTH, take_retain},
	{"expiry", MESSAGE_PUBLISHED | MESSAGE_WILL | MESSAGE_BIRTH, take_expiry},
	{"delay", MESSAGE_WILL, take_delay},
	{"payload", MESSAGE_PUBLISHED | MESSAGE_WILL | MESSAGE_BIRTH, NULL},
};

static const struct message_word *find_word(struct words *w, const struct word *word,
					    enum message_role role)
{
	const char *names[ARRAY_COUNT(message_words)];
	size_t count = 0;
	for (size_t i = 0; i < ARRAY_COUNT(message_words); i++) {
		if (!(message_words[i].roles & role))
			continue;
		if (word_is(word, message_words[i].name))
			return &message_words[i];
		names[count++] = message_words[i].name;
	}
	words_unknown(w, word, "word", names, count);
	return NULL;
}

static int take_payload(struct words *w, struct simulate_message *m, enum message_role role,
			uint32_t *cell_count)
{
	struct word rest = words_rest(w);
	/* what the server keeps and publishes for us is written once */
	enum template_place place = role == MESSAGE_WILL ? TEMPLATE_OF_NAMES : TEMPLATE_OF_PAYLOAD;
	return template_parse(&m->payload, w, &rest, place, cell_count);
}

/* The topic begins where the line's second word does. */
static int check_topic(struct words *w, const struct simulate_message *m, unsigned column)
{
	struct buffer sample = {0};
	int error = template_sample(&m->topic, &sample);
	if (!error && !topic_name_is_valid(buffer_content(&sample)))
		error = words_complain(w, column, "a topic is not empty, has no '+' and no '#'");
	buffer_release(&sample);
	return error;
}

int simulate_message_parse(struct simulate_message *m, struct words *w, enum message_role role,
			   uint32_t *cell_count)
{
	struct word word;
	*m = (struct simulate_message){0};
	if (!words_next(w, &word))
		return words_complain(w, words_column(w), "a topic is missing");
	enum template_place place = role == MESSAGE_WILL ? TEMPLATE_OF_NAMES : TEMPLATE_OF_TOPICS;
	int error = template_parse(&m->topic, w, &word, place, cell_count);
	if (!error)
		error = check_topic(w, m, word.column);
	while (!error && words_next(w, &word)) {
		const struct message_word *known = find_word(w, &word, role);
		if (!known)
			return ERROR_INVALID;
		error = known->take ? known->take(w, m) : take_payload(w, m, role, cell_count);
	}
	if (!error && role == MESSAGE_PUBLISHED && m->every_ms == 0)
		error = words_complain(w, words_column(w), "'every' and a time are missing");
	return error;
}

void simulate_message_release(struct simulate_message *m)
{
	template_release(&m->topic);
	template_release(&m->payload);
}
