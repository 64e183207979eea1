/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/play.h"

#include "base/mem.h"
#include "broker/mount.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define CAPACITY_NORMAL (4u << 20)
#define PACKET_ROOM (1u << 20)
#define LINE_MAX_BYTES 512

NORETURN static void wrong(const struct play *p, const char *found)
{
	fprintf(stderr, "%u shards, chunks of %u, line %u: %s\n  found: %s\n", p->kit.shard_count,
		p->chunk, p->line_number, p->line ? p->line : "(end)", found);
	abort();
}

struct actor *play_actor(struct play *p, const char *name)
{
	for (unsigned i = 0; i < p->actor_count; i++)
		if (strcmp(p->actors[i].name, name) == 0)
			return &p->actors[i];
	ASSERT(p->actor_count < ACTORS_MAX && strlen(name) < sizeof(p->actors[0].name));
	struct actor *a = &p->actors[p->actor_count];
	snprintf(a->name, sizeof(a->name), "%s", name);
	a->capacity = CAPACITY_NORMAL;
	a->shard = p->actor_count++;
	return a;
}

static void hang_up(struct actor *a)
{
	if (a->is_open)
		a->stream.ops->close(&a->stream);
	a->is_open = false;
	buffer_release(&a->out);
}

/* True when something moved. */
static bool receive(struct actor *a)
{
	bool has_moved = false;
	uint8_t block[4096];
	while (a->is_open && !a->is_stopped && !a->is_ended) {
		long n = a->stream.ops->read(&a->stream, (struct room){block, sizeof(block)});
		if (n == ERROR_AGAIN)
			break;
		has_moved = true;
		a->is_ended = n <= 0;
		if (n > 0 && buffer_append(&a->in, span_of(block, (size_t)n)))
			ASSERT(!"memory");
	}
	return has_moved;
}

static bool transmit(struct play *p, struct actor *a)
{
	struct span rest = buffer_content(&a->out);
	if (!a->is_open || rest.len == 0)
		return false;
	if (p->chunk && rest.len > p->chunk)
		rest.len = p->chunk;
	long n = a->stream.ops->write(&a->stream, &rest, 1);
	if (n == ERROR_CLOSED) { /* nobody will read it */
		buffer_release(&a->out);
		return true;
	}
	if (n > 0)
		buffer_consume(&a->out, (size_t)n);
	return n > 0;
}

/* Which bytes come when: by turns of the broker between chunks. */
void play_settle(struct play *p)
{
	bool has_moved;
	if (p->is_together)
		return;
	do {
		has_moved = false;
		for (unsigned i = 0; i < p->actor_count; i++)
			has_moved |= transmit(p, &p->actors[i]);
		kit_settle(&p->kit);
		for (unsigned i = 0; i < p->actor_count; i++)
			has_moved |= receive(&p->actors[i]);
	} while (has_moved);
}

static void append(struct play *p, struct actor *a, const char *words)
{
	static uint8_t bytes[PACKET_ROOM];
	uint8_t version = talk_version(words);
	if (!a->is_open || a->is_ended) {
		hang_up(a);
		buffer_release(&a->in);
		p->kit.mount = a->mount[0] ? mount_new(span_of_text(a->mount)) : NULL;
		p->kit.address = a->address[0] ? a->address : NULL;
		a->stream = kit_open(&p->kit, a->shard % p->kit.shard_count, a->capacity,
				     &a->broker_end);
		mount_unref(p->kit.mount);
		p->kit.mount = NULL;
		a->is_open = true;
		a->is_ended = a->is_stopped = false;
	}
	if (version)
		a->version = version > MQTT_5 ? MQTT_5 : version;
	size_t len = talk_encode(words, version ? version : a->version,
				 (struct room){bytes, sizeof(bytes)});
	if (buffer_append(&a->out, span_of(bytes, len)))
		ASSERT(!"memory");
}

bool play_next(struct actor *a, char text[TALK_TEXT_MAX])
{
	struct fixed_header h;
	const struct flaw *flaw;
	struct span in = buffer_content(&a->in);
	enum header_result result = fixed_header_decode(in, &h, &flaw);
	ASSERT(result != HEADER_MALFORMED);
	if (result == HEADER_INCOMPLETE || in.len < (size_t)h.header_len + h.remaining_length)
		return false;
	size_t len = (size_t)h.header_len + h.remaining_length;
	talk_decode(span_of(in.ptr, len), a->version, text);
	buffer_consume(&a->in, len);
	if (buffer_len(&a->in) == 0)
		buffer_release(&a->in);
	return true;
}

static void next_or_state(struct actor *a, char text[TALK_TEXT_MAX])
{
	if (!play_next(a, text))
		snprintf(text, TALK_TEXT_MAX, "%s", a->is_ended ? "closed" : "nothing");
}

static void expect(struct play *p, struct actor *a, const char *words)
{
	char text[TALK_TEXT_MAX], *rest;
	unsigned long count = strtoul(words, &rest, 10);
	if (rest == words) {
		next_or_state(a, text);
		if (strcmp(text, words) != 0)
			wrong(p, text);
		return;
	}
	rest += strspn(rest, " ");
	for (; count > 0; count--) {
		next_or_state(a, text);
		if (strncmp(text, rest, strlen(rest)) != 0)
			wrong(p, text);
	}
}

static void command(struct play *p, struct actor *a, const char *words)
{
	const char *argument = strchr(words, ' ');
	uint32_t number = argument ? (uint32_t)strtoul(argument, NULL, 10) : 0;
	if (strncmp(words, "cut", 3) == 0 && argument)
		memory_cut_after(&a->stream, number);
	else if (strcmp(words, "cut") == 0)
		memory_cut(&a->stream);
	else if (strncmp(words, "deaf", 4) == 0)
		memory_cut_after(&a->broker_end, number);
	else if (strcmp(words, "close") == 0)
		hang_up(a);
	else if (strcmp(words, "stop") == 0 || strcmp(words, "go") == 0)
		a->is_stopped = words[0] == 's';
	else if (strncmp(words, "small", 5) == 0)
		a->capacity = number;
	else if (strncmp(words, "mount", 5) == 0)
		snprintf(a->mount, sizeof(a->mount), "%s", argument ? argument + 1 : "");
	else if (strncmp(words, "from", 4) == 0 && argument)
		snprintf(a->address, sizeof(a->address), "%s", argument + 1);
	else if (strncmp(words, "at", 2) == 0)
		a->shard = number;
	else
		wrong(p, "an unknown command");
	play_settle(p);
}

static void advance(struct play *p, uint64_t ms)
{
	play_settle(p);
	kit_advance(&p->kit, ms);
	play_settle(p);
}

static void perform(struct play *p, char *line)
{
	if (strncmp(line, "wait ", 5) == 0) {
		advance(p, strtoul(line + 5, NULL, 10));
		return;
	}
	if (strcmp(line, "together") == 0 || strcmp(line, "apart") == 0) {
		p->is_together = line[0] == 't';
		play_settle(p);
		return;
	}
	char *rest = strchr(line, ' ');
	if (!rest)
		wrong(p, "half a line");
	*rest++ = '\0';
	rest += strspn(rest, " ");
	struct actor *a = play_actor(p, line);
	if (rest[0] == '>' || rest[0] == '+')
		append(p, a, rest + 2);
	if (rest[0] == '>')
		play_settle(p);
	else if (rest[0] == '<')
		expect(p, a, rest + 2);
	else if (rest[0] != '+')
		command(p, a, rest);
}

/* Puts the count in place of each "%d". */
static void fill_in(const char *pattern, unsigned n, char out[LINE_MAX_BYTES])
{
	size_t len = 0;
	for (; *pattern; pattern++) {
		ASSERT(len < LINE_MAX_BYTES - 12);
		if (pattern[0] == '%' && pattern[1] == 'd') {
			len += (size_t)snprintf(out + len, 12, "%u", n);
			pattern++;
		} else {
			out[len++] = *pattern;
		}
	}
	out[len] = '\0';
}

static void play_one(struct play *p, const char *text)
{
	char line[LINE_MAX_BYTES], *rest;
	if (strncmp(text, "repeat ", 7) != 0) {
		snprintf(line, sizeof(line), "%s", text);
		p->line = text;
		perform(p, line);
		return;
	}
	unsigned long count = strtoul(text + 7, &rest, 10);
	for (unsigned n = 1; n <= count; n++) {
		char shown[LINE_MAX_BYTES];
		fill_in(rest + 1, n, line);
		snprintf(shown, sizeof(shown), "%s", line);
		p->line = shown;
		perform(p, line);
	}
}

void play_lines(struct play *p, const char *script)
{
	char line[LINE_MAX_BYTES];
	while (*script) {
		size_t len = strcspn(script, "\n"), skip = strspn(script, " \t");
		p->line_number++;
		skip = skip < len ? skip : len;
		ASSERT(len - skip < sizeof(line));
		memcpy(line, script + skip, len - skip);
		line[len - skip] = '\0';
		if (line[0] && line[0] != '#')
			play_one(p, line);
		script += len + (script[len] == '\n');
	}
}

void play_line(struct play *p, const char *format, ...)
{
	char line[LINE_MAX_BYTES];
	va_list arguments;
	va_start(arguments, format);
	int n = vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	ASSERT(n >= 0 && (size_t)n < sizeof(line));
	p->line_number++;
	play_one(p, line);
}

void play_start(struct play *p, const struct settings *settings, unsigned shard_count,
		uint64_t seed, uint32_t chunk)
{
	memset(p, 0, sizeof(*p));
	mem_count_start();
	kit_start(&p->kit, settings, shard_count, seed);
	p->chunk = chunk;
}

void play_finish(struct play *p)
{
	char text[TALK_TEXT_MAX];
	play_settle(p);
	p->line = NULL;
	for (unsigned i = 0; i < p->actor_count; i++)
		if (play_next(&p->actors[i], text))
			wrong(p, text);
	kit_stop(&p->kit);
	for (unsigned i = 0; i < p->actor_count; i++) {
		hang_up(&p->actors[i]);
		buffer_release(&p->actors[i].in);
	}
}

void play_stop(struct play *p)
{
	char text[TALK_TEXT_MAX];
	play_finish(p);
	if (mem_count_live() != 0) {
		snprintf(text, sizeof(text), "%ld allocations left", mem_count_live());
		wrong(p, text);
	}
}

static void play_whole(const struct settings *settings, unsigned shard_count, uint32_t chunk,
		       const char *script)
{
	static struct play p;
	play_start(&p, settings, shard_count, shard_count * 1000 + chunk, chunk);
	play_lines(&p, script);
	play_stop(&p);
}

void play_over(const struct settings *settings, unsigned shard_count, const char *script)
{
	static const uint32_t chunks[] = {0, 1, 7};
	for (unsigned i = 0; i < ARRAY_COUNT(chunks); i++)
		play_whole(settings, shard_count, chunks[i], script);
}

void play_all(const struct settings *settings, const char *script)
{
	play_over(settings, 1, script);
	play_over(settings, 2, script);
	play_over(settings, 5, script);
}
