/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/log_rate.h"

#include "base/mem.h"

void log_rate_release(struct log_rate *r)
{
	mem_free(r->places);
	*r = (struct log_rate){0};
}

/* By open addressing: places never go. */
static struct log_place *place_of(struct log_rate *r, const void *key)
{
	size_t start = ((uintptr_t)key >> 3) * UINT64_C(0x9e3779b97f4a7c15) >> 56;
	for (size_t i = 0; i < LOG_RATE_PLACES; i++) {
		struct log_place *place = &r->places[(start + i) % LOG_RATE_PLACES];
		if (!place->key)
			place->key = key;
		if (place->key == key)
			return place;
	}
	return NULL;
}

static void note_end(struct log_rate *r, const struct log_place *place)
{
	if (r->next_ms == 0 || place->until_ms < r->next_ms)
		r->next_ms = place->until_ms;
}

static void leave_out(struct log_rate *r, struct log_place *place, unsigned type, struct span line)
{
	size_t len = line.len < LOG_RATE_SAMPLE_MAX ? line.len : LOG_RATE_SAMPLE_MAX;
	while (len > 0 && len < line.len && (line.ptr[len] & 0xc0) == 0x80)
		len--; /* not within a character */
	memcpy(place->sample, line.ptr, len);
	place->sample_len = (uint8_t)len;
	place->type = type;
	place->left_out++;
	note_end(r, place);
}

bool log_rate_allows(struct log_rate *r, uint32_t lines_max, const void *key, unsigned type,
		     struct span line, uint64_t now_ms)
{
	if (lines_max == 0)
		return true;
	if (!r->places)
		r->places = mem_zalloc(LOG_RATE_PLACES * sizeof(*r->places));
	struct log_place *place = r->places ? place_of(r, key) : NULL;
	if (!place)
		return true;
	/* one that left lines out goes on until it was asked for them */
	if (now_ms >= place->until_ms && place->left_out == 0) {
		place->until_ms = now_ms + LOG_RATE_WINDOW_MS;
		place->count = 0;
	}
	if (++place->count <= lines_max)
		return true;
	leave_out(r, place, type, line);
	return false;
}

struct log_place *log_rate_ended(struct log_rate *r, uint64_t now_ms)
{
	struct log_place *ended = NULL;
	if (r->next_ms == 0 || now_ms < r->next_ms)
		return NULL;
	r->next_ms = 0;
	for (size_t i = 0; i < LOG_RATE_PLACES; i++) {
		struct log_place *place = &r->places[i];
		if (place->left_out == 0)
			continue;
		if (!ended && now_ms >= place->until_ms)
			ended = place;
		else
			note_end(r, place);
	}
	if (ended) /* there may be more */
		note_end(r, ended);
	return ended;
}

void log_place_restart(struct log_place *place)
{
	place->left_out = 0;
	place->until_ms = 0;
}
