/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is said about losses. Of a stretch that cannot be trusted the bytes may still tell what
 * stood there: whatever reads like a record is counted, and topics and client ids are named. They
 * are guesses, and called so; nothing of them is applied.
 */
#include "broker/recovery.h"

#include "base/mem.h"
#include "broker/record.h"
#include "journal/journal.h"
#include "mqtt/wire.h"

#include <stdarg.h>
#include <stdio.h>

#define LINE_BYTES_MAX 512
#define NAMED_MAX 10      /* distinct topics and client ids of one stretch */
#define TEXT_BYTES_MAX 80 /* of each */
#define LINES_BYTES_MAX (1u << 20)

void recovery_lost(struct recovery *r, uint64_t count, const char *format, ...)
{
	char line[LINE_BYTES_MAX];
	va_list arguments;
	r->report.lost += count;
	va_start(arguments, format);
	int len = vsnprintf(line, sizeof(line) - 1, format, arguments);
	va_end(arguments);
	if (len >= (int)sizeof(line) - 1)
		len = (int)sizeof(line) - 2;
	line[len++] = '\n';
	/* the count is right without the line */
	if (buffer_len(&r->report.lines) < LINES_BYTES_MAX)
		(void)!buffer_append(&r->report.lines, span_of(line, (size_t)len));
}

void recovery_text(struct span text, char *out, size_t len)
{
	size_t n = text.len < len ? text.len : len - 1;
	for (size_t i = 0; i < n; i++)
		out[i] = text.ptr[i] < ' ' || text.ptr[i] == 0x7f ? '?' : (char)text.ptr[i];
	out[n] = 0;
}

struct guess {
	unsigned messages; /* that read like a PUBLISH */
	unsigned others;
	unsigned named;
	char names[NAMED_MAX][TEXT_BYTES_MAX];
};

static void name(struct guess *g, const char *what, struct span text)
{
	char shown[TEXT_BYTES_MAX - 8], *mine = g->names[g->named];
	if (g->named == NAMED_MAX || text.len == 0 || !utf8_is_valid(text))
		return;
	recovery_text(text, shown, sizeof(shown));
	snprintf(mine, TEXT_BYTES_MAX, "%s %s", what, shown);
	for (unsigned i = 0; i < g->named; i++)
		if (strcmp(g->names[i], mine) == 0)
			return;
	g->named++;
}

/* A record at the start of these bytes? How long it is nobody knows any more: a PUBLISH reads as
 * one however long; of others the end must fit, and they are short. */
static bool guess_one(struct guess *g, struct span bytes)
{
	struct command *c;
	bool is_publish = bytes.ptr[0] == COMMAND_PUBLISH;
	size_t longest = bytes.len < LINE_BYTES_MAX ? bytes.len : LINE_BYTES_MAX;
	for (size_t len = is_publish ? longest : 1; len <= longest; len++) {
		if (record_decode(span_of(bytes.ptr, len), 1, &c))
			continue;
		bool is_text = !is_publish || utf8_is_valid(message_topic(c->message));
		if (is_publish && is_text)
			name(g, "topic", message_topic(c->message));
		if (c->kind == COMMAND_CONNECT)
			name(g, "client", command_text(c));
		g->messages += is_publish && is_text;
		g->others += c->kind == COMMAND_CONNECT;
		command_free(c);
		return is_text;
	}
	return false;
}

static void guess(struct guess *g, struct span remains)
{
	for (size_t at = LOG_RECORD_ROOM; at < remains.len; at += LOG_ALIGN) {
		enum command_kind kind = record_kind(span_of(remains.ptr + at, 1));
		/* others are too short to tell them from anything else */
		if (kind == COMMAND_PUBLISH || kind == COMMAND_CONNECT)
			guess_one(g, span_of(remains.ptr + at, remains.len - at));
	}
}

/* Which message has which queue position is unknown from here on. */
static void doubt_all(struct broker *b)
{
	struct hash_slot *slot;
	uint64_t cursor = 0;
	while ((slot = hash_index_each(&b->recovery->sessions, &cursor))) {
		struct known_session *known = hash_slot_pointer(slot);
		for (unsigned i = 0; i < b->shard_count; i++) {
			struct session *session = session_by_number(&b->shards[i], known->number);
			if (session && session->kept->queue_next < known->doubtful_from)
				known->doubtful_from = session->kept->queue_next;
		}
	}
}

int recover_damage(struct broker *b, const struct journal_damage *damage)
{
	struct guess *g = mem_zalloc(sizeof(*g));
	if (!g)
		return ERROR_NO_MEMORY;
	guess(g, damage->remains);
	recovery_lost(b->recovery, g->messages + g->others ? g->messages + g->others : 1,
		      "%s: records from %llx to %llx are damaged and set aside: "
		      "perhaps %u messages and %u connects",
		      damage->file ? damage->file : "log", (unsigned long long)damage->from,
		      (unsigned long long)damage->to, g->messages, g->others);
	for (unsigned i = 0; i < g->named; i++)
		recovery_lost(b->recovery, 0, "  among them perhaps: %s", g->names[i]);
	mem_free(g);
	doubt_all(b);
	return 0;
}
