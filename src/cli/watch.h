/* SPDX-License-Identifier: Apache-2.0 */
/* --watch of sub: a line for each topic, drawn anew in its place when a message comes. */
#ifndef NIGHTJAR_CLI_WATCH_H
#define NIGHTJAR_CLI_WATCH_H

#include "mqtt/packets.h"

#include <stdio.h>

/* More topics than a screen has lines, fewer than memory has room for. */
#define WATCH_TOPICS_MAX 1000
/* Longer payloads are cut: no screen is so wide. */
#define WATCH_TEXT_MAX 256

struct watch_row {
	char *topic;
	char text[WATCH_TEXT_MAX]; /* printable, as UTF-8 */
	uint64_t count;
};

struct watch {
	struct watch_row *rows;
	size_t count;
	uint64_t left_out_count; /* messages of topics for which there was no row */
	bool has_news;
};

void watch_note(struct watch *w, const struct publish *message);
/* Draws as many rows as the screen has. */
void watch_draw(struct watch *w, FILE *to, unsigned lines, unsigned columns);
void watch_release(struct watch *w);

#endif
