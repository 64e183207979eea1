/* SPDX-License-Identifier: Apache-2.0 */
/* A template is read here, and written by simulate_render.c. */
#include "cli/simulate_template.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/mem.h"

/* --- the words of a place --- */

static int take_fraction(struct words *w, const char *what, double *out, unsigned *decimals)
{
	struct word word;
	unsigned more;
	if (!words_next(w, &word))
		return words_complain(w, words_column(w), "%s is missing", what);
	int error = word_fraction(w, &word, out, &more);
	if (!error && more > *decimals)
		*decimals = more;
	return error;
}

static int take_range(struct words *w, struct piece *p)
{
	unsigned column = words_column(w);
	int error = take_fraction(w, "the lowest value", &p->low, &p->decimals);
	if (!error)
		error = take_fraction(w, "the highest value", &p->high, &p->decimals);
	if (!error && p->low > p->high)
		error = words_complain(w, column, "the lowest value is above the highest");
	return error;
}

static int take_walk(struct words *w, struct piece *p)
{
	int error = take_range(w, p);
	return error ? error : take_fraction(w, "the largest step", &p->step, &p->decimals);
}

static int take_sine(struct words *w, struct piece *p)
{
	struct word word;
	uint64_t period_ms;
	int error = take_range(w, p);
	if (error)
		return error;
	if (!words_next(w, &word))
		return words_complain(w, words_column(w), "the period is missing, e.g. 24h");
	error = word_duration(w, &word, &period_ms);
	p->step = error ? 1 : (double)period_ms;
	return error;
}

static int take_width(struct words *w, struct piece *p)
{
	struct word word;
	uint64_t width;
	if (!words_next(w, &word))
		return 0;
	int error = word_number(w, &word, 1, 10, &width);
	if (!error)
		p->decimals = (unsigned)width;
	return error;
}

static int take_fill(struct words *w, struct piece *p)
{
	struct word word;
	uint64_t len;
	if (!words_next(w, &word))
		return words_complain(w, words_column(w), "the number of bytes is missing");
	int error = word_number(w, &word, 1, TEMPLATE_FILL_MAX, &len);
	if (!error)
		p->len = len;
	return error;
}

static int add_item(struct piece *p, struct span item)
{
	struct span *items = mem_realloc(p->items, (p->item_count + 1) * sizeof(*items));
	if (!items)
		return ERROR_NO_MEMORY;
	p->items = items;
	items[p->item_count++] = item;
	return 0;
}

static int take_pick(struct words *w, struct piece *p)
{
	struct word word;
	int error = 0;
	p->text = mem_copy_text(w->whole); /* the words outlive the line */
	if (!p->text)
		return ERROR_NO_MEMORY;
	while (!error && words_next(w, &word))
		error = add_item(p,
				 span_of(p->text + (word.text.ptr - w->whole.ptr), word.text.len));
	if (!error && p->item_count == 0)
		error = words_complain(w, words_column(w), "nothing is there to pick from");
	return error;
}

/* A device or a pipe could keep us waiting for ever. */
static FILE *open_file(const char *path)
{
	struct stat status;
	FILE *file = stat(path, &status) == 0 && S_ISREG(status.st_mode) ? fopen(path, "r") : NULL;
	if (!file && errno == 0)
		errno = EINVAL;
	return file;
}

static int read_file(struct words *w, const struct word *name, struct piece *p)
{
	char path[512];
	snprintf(path, sizeof(path), "%.*s", (int)name->text.len, name->text.ptr);
	errno = 0;
	FILE *file = name->text.len < sizeof(path) ? open_file(path) : NULL;
	if (!file)
		return words_complain(w, name->column, "cannot read '%s': %s", path,
				      name->text.len < sizeof(path) ? strerror(errno)
								    : "the name is too long");
	p->text = mem_alloc(TEMPLATE_FILE_BYTES_MAX + 1);
	p->len = p->text ? fread(p->text, 1, TEMPLATE_FILE_BYTES_MAX + 1, file) : 0;
	int error = p->text ? 0 : ERROR_NO_MEMORY;
	if (!error && ferror(file))
		error = words_complain(w, name->column, "cannot read '%s': %s", path,
				       strerror(errno));
	else if (!error && p->len > TEMPLATE_FILE_BYTES_MAX)
		error = words_complain(w, name->column, "'%s' is larger than 16 MiB", path);
	fclose(file);
	return error;
}

/* Gives back what is not used. */
static void shrink(struct piece *p)
{
	char *text = mem_realloc(p->text, p->len ? p->len : 1);
	p->text = text ? text : p->text;
}

static int take_line(struct words *w, struct piece *p)
{
	struct word name;
	if (!words_next(w, &name))
		return words_complain(w, words_column(w), "the name of a file is missing");
	int error = read_file(w, &name, p);
	if (error)
		return error;
	shrink(p);
	for (size_t at = 0; !error && at < p->len;) {
		const char *end = memchr(p->text + at, '\n', p->len - at);
		size_t len = end ? (size_t)(end - p->text) - at : p->len - at;
		error = add_item(p, span_of(p->text + at, len));
		at += len + 1;
	}
	if (!error && p->item_count == 0)
		error = words_complain(w, name.column, "the file has no line");
	return error;
}

/* --- the table of places --- */

static const struct generator {
	const char *name;
	enum piece_kind kind;
	enum template_place place; /* and in those above it */
	bool has_cell;
	int (*take)(struct words *w, struct piece *p);
} generators[] = {
	{"id", PIECE_ID, TEMPLATE_OF_NAMES, false, take_width},
	{"name", PIECE_NAME, TEMPLATE_OF_NAMES, false, NULL},
	{"count", PIECE_COUNT, TEMPLATE_OF_TOPICS, true, NULL},
	{"random", PIECE_RANDOM, TEMPLATE_OF_TOPICS, false, take_range},
	{"pick", PIECE_PICK, TEMPLATE_OF_TOPICS, false, take_pick},
	{"walk", PIECE_WALK, TEMPLATE_OF_PAYLOAD, true, take_walk},
	{"sine", PIECE_SINE, TEMPLATE_OF_PAYLOAD, false, take_sine},
	{"line", PIECE_LINE, TEMPLATE_OF_PAYLOAD, true, take_line},
	{"fill", PIECE_FILL, TEMPLATE_OF_PAYLOAD, false, take_fill},
	{"time", PIECE_TIME, TEMPLATE_OF_PAYLOAD, false, NULL},
	{"ms", PIECE_MS, TEMPLATE_OF_PAYLOAD, false, NULL},
};

static const struct generator *find_generator(struct words *w, const struct word *name,
					      enum template_place place)
{
	const char *names[ARRAY_COUNT(generators)];
	size_t count = 0;
	for (size_t i = 0; i < ARRAY_COUNT(generators); i++) {
		if (word_is(name, generators[i].name) && generators[i].place <= place)
			return &generators[i];
		if (word_is(name, generators[i].name)) {
			words_complain(w, name->column, "{%s} has no place here",
				       generators[i].name);
			return NULL;
		}
		if (generators[i].place <= place)
			names[count++] = generators[i].name;
	}
	words_unknown(w, name, "place", names, count);
	return NULL;
}

static struct piece *add_piece(struct template *t)
{
	struct piece *pieces = mem_realloc(t->pieces, (t->piece_count + 1) * sizeof(*pieces));
	if (!pieces)
		return NULL;
	t->pieces = pieces;
	pieces[t->piece_count] = (struct piece){0};
	return &pieces[t->piece_count++];
}

/* `inside` is what stands between the braces, seen as a line of its own. */
static int add_place(struct template *t, struct words *inside, enum template_place place,
		     uint32_t *cell_count)
{
	struct word name, more;
	if (!words_next(inside, &name))
		return words_complain(inside, words_column(inside), "an empty place");
	const struct generator *g = find_generator(inside, &name, place);
	if (!g)
		return ERROR_INVALID;
	struct piece *p = add_piece(t);
	if (!p)
		return ERROR_NO_MEMORY;
	p->kind = (uint8_t)g->kind;
	if (g->has_cell)
		p->cell = (*cell_count)++;
	int error = g->take ? g->take(inside, p) : 0;
	if (!error && words_next(inside, &more))
		error = words_complain(inside, more.column, "{%s} ends before this word", g->name);
	return error;
}

static int add_text(struct template *t, struct span text)
{
	if (text.len == 0)
		return 0;
	struct piece *p = add_piece(t);
	if (!p)
		return ERROR_NO_MEMORY;
	p->kind = PIECE_TEXT;
	p->text = mem_copy_text(text);
	p->len = text.len;
	return p->text ? 0 : ERROR_NO_MEMORY;
}

/* --- parse --- */

/* The next "{{" or "{" and a small letter, from `at` on; the end when there is none. */
static size_t find_place(struct span text, size_t at)
{
	for (; at + 1 < text.len; at++) {
		uint8_t next = text.ptr[at + 1];
		if (text.ptr[at] == '{' && (next == '{' || (next >= 'a' && next <= 'z')))
			return at;
	}
	return text.len;
}

/* From the brace at `*at` on; `*at` is then behind the place. */
static int parse_place(struct template *t, struct words *w, const struct word *word, size_t *at,
		       enum template_place place, uint32_t *cell_count)
{
	struct span text = word->text;
	if (text.ptr[*at + 1] == '{') {
		*at += 2;
		return add_text(t, SPAN_LITERAL("{"));
	}
	size_t column0 = (size_t)(text.ptr - w->whole.ptr); /* quotes are part of the line */
	const uint8_t *end = memchr(text.ptr + *at, '}', text.len - *at);
	if (!end)
		return words_complain(w, (unsigned)(column0 + *at) + 1,
				      "the brace is not closed ('{{' is a plain one)");
	struct words inside = *w;
	inside.whole.len = (size_t)(end - w->whole.ptr);
	inside.at = column0 + *at + 1;
	*at = (size_t)(end - text.ptr) + 1;
	return add_place(t, &inside, place, cell_count);
}

static int check_size(const struct template *t, struct words *w, unsigned column)
{
	size_t len = 0;
	if (t->piece_count > TEMPLATE_PIECES_MAX)
		return words_complain(w, column, "more than %d places", TEMPLATE_PIECES_MAX / 2);
	for (size_t i = 0; i < t->piece_count; i++)
		len += t->pieces[i].kind == PIECE_FILL ? t->pieces[i].len : 0;
	if (len > TEMPLATE_FILL_MAX)
		return words_complain(w, column, "{fill} makes more than 16 MiB");
	return 0;
}

int template_parse(struct template *t, struct words *w, const struct word *word,
		   enum template_place place, uint32_t *cell_count)
{
	int error = 0;
	*t = (struct template){0};
	for (size_t at = 0; !error && at < word->text.len;) {
		size_t brace = find_place(word->text, at);
		error = add_text(t, span_of(word->text.ptr + at, brace - at));
		at = brace;
		if (!error && at < word->text.len)
			error = parse_place(t, w, word, &at, place, cell_count);
		if (!error)
			error = check_size(t, w, word->column);
	}
	if (error == ERROR_NO_MEMORY)
		words_complain(w, word->column, "not enough memory");
	return error;
}

void template_release(struct template *t)
{
	for (size_t i = 0; i < t->piece_count; i++) {
		mem_free(t->pieces[i].text);
		mem_free(t->pieces[i].items);
	}
	mem_free(t->pieces);
	*t = (struct template){0};
}
