/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/watch.h"

#include "base/mem.h"

#define HOME "\033[H"
#define CLEAR_TO_END_OF_LINE "\033[K"
#define CLEAR_BELOW "\033[J"

static struct watch_row *find(struct watch *w, struct span topic)
{
	for (size_t i = 0; i < w->count; i++)
		if (span_is_equal(span_of_text(w->rows[i].topic), topic))
			return &w->rows[i];
	return NULL;
}

static struct watch_row *add(struct watch *w, struct span topic)
{
	if (w->count == WATCH_TOPICS_MAX)
		return NULL;
	struct watch_row *rows = mem_realloc(w->rows, (w->count + 1) * sizeof(*rows));
	if (!rows)
		return NULL;
	w->rows = rows;
	struct watch_row *row = &rows[w->count];
	*row = (struct watch_row){.topic = mem_copy_text(topic)};
	if (!row->topic)
		return NULL;
	w->count++;
	return row;
}

/* What publishers may not do is to speak to the terminal. */
static void make_printable(char text[WATCH_TEXT_MAX], struct span bytes)
{
	size_t len = bytes.len < WATCH_TEXT_MAX - 1 ? bytes.len : WATCH_TEXT_MAX - 1;
	while (len < bytes.len && len > 0 && (bytes.ptr[len] & 0xc0) == 0x80)
		len--; /* not within a letter */
	bool is_text = utf8_is_valid(span_of(bytes.ptr, len));
	for (size_t i = 0; i < len; i++) {
		uint8_t c = bytes.ptr[i];
		bool is_plain = c >= ' ' && c < 0x7f;
		text[i] = is_plain || (is_text && c >= 0x80) ? (char)c : '.';
		/* U+0080 to U+009F are controls too, and some terminals obey them */
		if (is_text && i > 0 && bytes.ptr[i - 1] == 0xc2 && c < 0xa0)
			text[i - 1] = text[i] = '.';
	}
	text[len] = '\0';
}

void watch_note(struct watch *w, const struct publish *m)
{
	struct watch_row *row = find(w, m->topic);
	if (!row)
		row = add(w, m->topic);
	w->has_news = true;
	if (!row) {
		w->left_out_count++;
		return;
	}
	row->count++;
	make_printable(row->text, m->payload);
}

/* At most so many columns; a letter of several bytes counts once. */
static void print_cut(FILE *to, const char *text, unsigned columns)
{
	for (; *text != '\0'; text++) {
		bool begins_letter = ((unsigned char)*text & 0xc0) != 0x80;
		if (begins_letter && columns-- == 0)
			return;
		fputc(*text, to);
	}
}

static void draw_row(const struct watch_row *row, FILE *to, unsigned columns)
{
	char line[2 * WATCH_TEXT_MAX + 32], topic[WATCH_TEXT_MAX];
	make_printable(topic, span_of_text(row->topic));
	snprintf(line, sizeof(line), "%6llu  %s  %s", (unsigned long long)row->count, topic,
		 row->text);
	print_cut(to, line, columns);
	fputs(CLEAR_TO_END_OF_LINE "\n", to);
}

void watch_draw(struct watch *w, FILE *to, unsigned lines, unsigned columns)
{
	size_t rows = w->count, room = lines > 2 ? lines - 2 : 1;
	if (rows > room)
		rows = room;
	fputs(HOME, to);
	for (size_t i = 0; i < rows; i++)
		draw_row(&w->rows[i], to, columns);
	if (w->count > rows || w->left_out_count > 0)
		fprintf(to, "and %zu more topics" CLEAR_TO_END_OF_LINE "\n", w->count - rows);
	fputs(CLEAR_BELOW, to);
	w->has_news = false;
}

void watch_release(struct watch *w)
{
	for (size_t i = 0; i < w->count; i++)
		mem_free(w->rows[i].topic);
	mem_free(w->rows);
}
