/* SPDX-License-Identifier: Apache-2.0 */
/* See bench_window.h. */
#include "cli/bench_window.h"

#include "base/mem.h"

int bench_window_init(struct bench_window *w, uint16_t size)
{
	*w = (struct bench_window){.size = size, .free_count = size};
	w->free_ids = mem_alloc(size * sizeof(*w->free_ids));
	w->sent_ns = mem_zalloc(((size_t)size + 1) * sizeof(*w->sent_ns));
	w->waits_for = mem_zalloc((size_t)size + 1);
	if (!w->free_ids || !w->sent_ns || !w->waits_for) {
		bench_window_release(w);
		return ERROR_NO_MEMORY;
	}
	for (unsigned i = 0; i < size; i++)
		w->free_ids[i] = (uint16_t)(i + 1);
	return 0;
}

void bench_window_release(struct bench_window *w)
{
	mem_free(w->free_ids);
	mem_free(w->sent_ns);
	mem_free(w->waits_for);
	*w = (struct bench_window){0};
}

static void id_free(struct bench_window *w, uint16_t id)
{
	unsigned end = w->free_start + w->free_count;
	w->free_ids[end >= w->size ? end - w->size : end] = id;
	w->free_count++;
	w->waits_for[id] = 0;
}

enum bench_step bench_window_acknowledge(struct bench_window *w, uint8_t packet_type, uint16_t id,
					 bool is_refusal)
{
	if (id == 0 || id > w->size || w->waits_for[id] != packet_type)
		return BENCH_STEP_UNEXPECTED;
	if (packet_type == PACKET_PUBREC && !is_refusal) {
		w->waits_for[id] = PACKET_PUBCOMP;
		return BENCH_STEP_RELEASE;
	}
	id_free(w, id);
	return BENCH_STEP_DONE;
}
