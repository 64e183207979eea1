/* SPDX-License-Identifier: Apache-2.0 */
/* Templates, filled in for a device. */
#include <math.h>
#include <stdio.h>
#include <time.h>

#include "cli/simulate_template.h"

uint64_t simulate_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

double simulate_random_fraction(uint64_t *state)
{
	return (double)(simulate_random(state) >> 11) * 0x1p-53;
}

static int append_number(struct buffer *out, double value, unsigned decimals)
{
	char text[64 + 320]; /* the largest double has 309 digits */
	int len = snprintf(text, sizeof(text), "%.*f", (int)(decimals > 30 ? 30 : decimals), value);
	return buffer_append(out, span_of(text, (size_t)len));
}

/* From low to high, both included, in steps of the last digit that the script writes. */
static double random_between(const struct piece *p, uint64_t *random)
{
	double unit = pow(10, -(double)p->decimals);
	double steps = floor((p->high - p->low) / unit + 0.5) + 1;
	double value = p->low + floor(simulate_random_fraction(random) * steps) * unit;
	return value > p->high ? p->high : value;
}

/* The cell holds the value's distance from the middle, so that 0 is where a walk begins. */
static double walk(const struct piece *p, const struct template_device *d)
{
	double middle = (p->low + p->high) / 2;
	double step = (2 * simulate_random_fraction(d->random) - 1) * p->step;
	double value = middle + d->cells[p->cell] + step;
	if (value < p->low)
		value = p->low;
	if (value > p->high)
		value = p->high;
	d->cells[p->cell] = value - middle;
	return value;
}

static double sine(const struct piece *p, const struct template_device *d)
{
	const double turn = 6.283185307179586;
	double phase = fmod((double)d->run_ms, p->step) / p->step;
	return (p->low + p->high) / 2 + (p->high - p->low) / 2 * sin(turn * phase);
}

static int append_time(struct buffer *out, uint64_t wall_ms)
{
	char text[48];
	time_t seconds = (time_t)(wall_ms / 1000);
	struct tm utc;
	gmtime_r(&seconds, &utc);
	size_t len = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
	len += (size_t)snprintf(text + len, sizeof(text) - len, ".%03uZ",
				(unsigned)(wall_ms % 1000));
	return buffer_append(out, span_of(text, len));
}

static int append_fill(struct buffer *out, size_t len)
{
	int error = buffer_reserve(out, len);
	if (error)
		return error;
	memset(buffer_room(out).ptr, 'x', len);
	buffer_commit(out, len);
	return 0;
}

static int append_id(struct buffer *out, uint32_t id, unsigned width)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "%0*u", (int)width, id);
	return buffer_append(out, span_of(text, (size_t)len));
}

static struct span item_of(const struct piece *p, const struct template_device *d)
{
	if (p->kind == PIECE_PICK)
		return p->items[simulate_random(d->random) % p->item_count];
	size_t at = (size_t)d->cells[p->cell];
	d->cells[p->cell] = (double)((at + 1) % p->item_count);
	return p->items[at];
}

static int render(const struct piece *p, const struct template_device *d, struct buffer *out)
{
	switch (p->kind) {
	case PIECE_TEXT: return buffer_append(out, span_of(p->text, p->len));
	case PIECE_ID: return append_id(out, d->id, p->decimals);
	case PIECE_NAME: return buffer_append(out, span_of_text(d->name));
	case PIECE_COUNT: return append_number(out, ++d->cells[p->cell], 0);
	case PIECE_WALK: return append_number(out, walk(p, d), p->decimals);
	case PIECE_SINE: return append_number(out, sine(p, d), p->decimals);
	case PIECE_RANDOM: return append_number(out, random_between(p, d->random), p->decimals);
	case PIECE_PICK:
	case PIECE_LINE: return buffer_append(out, item_of(p, d));
	case PIECE_FILL: return append_fill(out, p->len);
	case PIECE_TIME: return append_time(out, d->wall_ms);
	default: return append_number(out, (double)d->wall_ms, 0);
	}
}

int template_render(const struct template *t, const struct template_device *device,
		    struct buffer *out)
{
	int error = 0;
	for (size_t i = 0; !error && i < t->piece_count; i++)
		error = render(&t->pieces[i], device, out);
	return error;
}

int template_sample(const struct template *t, struct buffer *out)
{
	int error = 0;
	for (size_t i = 0; !error && i < t->piece_count; i++) {
		const struct piece *p = &t->pieces[i];
		bool is_text = p->kind == PIECE_TEXT;
		error = buffer_append(out, is_text ? span_of(p->text, p->len) : SPAN_LITERAL("1"));
	}
	return error;
}
