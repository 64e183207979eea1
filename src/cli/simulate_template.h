/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text with places that a device fills in: {id}, {walk 15 25 0.5}, {line words.txt} ...
 *
 * A place begins with "{" and a small letter, so that JSON needs no quoting; "{{" is one brace.
 * What a place remembers from one message to the next stands in a cell of the device's.
 */
#ifndef NIGHTJAR_CLI_SIMULATE_TEMPLATE_H
#define NIGHTJAR_CLI_SIMULATE_TEMPLATE_H

#include "cli/simulate_words.h"

/* Longer lists and texts are a mistake. */
#define TEMPLATE_PIECES_MAX 64
#define TEMPLATE_FILL_MAX ((size_t)16 << 20)
#define TEMPLATE_FILE_BYTES_MAX ((size_t)16 << 20)

enum piece_kind {
	PIECE_TEXT,
	PIECE_ID,
	PIECE_NAME,
	PIECE_COUNT,
	PIECE_WALK,
	PIECE_SINE,
	PIECE_RANDOM,
	PIECE_PICK,
	PIECE_LINE,
	PIECE_FILL,
	PIECE_TIME,
	PIECE_MS,
};

struct piece {
	uint8_t kind;      /* enum piece_kind */
	unsigned decimals; /* of the numbers it writes; {id 4}: the width */
	uint32_t cell;
	double low, high, step; /* {sine}: `step` is the period in ms */
	char *text;             /* PIECE_TEXT; the content of {line}'s file; the words of {pick} */
	size_t len;
	struct span *items; /* {line}, {pick} */
	size_t item_count;
};

struct template
{
	struct piece *pieces;
	size_t piece_count;
};

/* Where a template stands says what it may hold. */
enum template_place {
	TEMPLATE_OF_NAMES,   /* client ids, filters: {id} and {name} alone */
	TEMPLATE_OF_TOPICS,  /* and {pick}, {random}, {count} */
	TEMPLATE_OF_PAYLOAD, /* all */
};

/* Reads one; complaints go to `w`. Cells are counted on in `cell_count`. Release in every case. */
int template_parse(struct template *t, struct words *w, const struct word *word,
		   enum template_place place, uint32_t *cell_count) MUST_USE;
void template_release(struct template *t);

/* Appends the text with "1" in each place, for a look at what it will be like. */
int template_sample(const struct template *t, struct buffer *out) MUST_USE;

/* Whoever fills in. */
struct template_device {
	uint32_t id; /* from 1 */
	const char *name;
	double *cells;    /* all 0 at first */
	uint64_t *random; /* the state of simulate_random */
	uint64_t run_ms;  /* since the beginning */
	uint64_t wall_ms; /* since 1970 */
};

/* Appends the text. 0 or ERROR_NO_MEMORY. */
int template_render(const struct template *t, const struct template_device *device,
		    struct buffer *out) MUST_USE;

/* A generator that is the same everywhere: splitmix64. */
uint64_t simulate_random(uint64_t *state);
/* From 0 up to 1, without 1. */
double simulate_random_fraction(uint64_t *state);

#endif
