/* SPDX-License-Identifier: Apache-2.0 */
/* Queues whose messages are in the log: against a plain array that does the same. */
#include "base/mem.h"
#include "queue/walk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "pages.h"

#define STORED(n) ((uint64_t)(1 + (n) / 1000) << 32 | (uint64_t)((n) % 1000 + 1) * 8)
#define MODEL_MAX 8000

struct model {
	struct queued at[MODEL_MAX];
	uint32_t count;
};

static struct message *message_at(uint64_t stored)
{
	struct message *m = message_new(&(struct message_parts){
		.topic = SPAN_LITERAL("t"), .payload = span_of("0123456789", stored >> 3 & 7)});
	if (m)
		m->position = stored;
	return m;
}

/* The n-th entry; what it is like follows from n. */
static struct queued entry(uint32_t n, bool is_resident)
{
	struct queued e = {.stored = STORED(n),
			   .position = n + 1,
			   .identifier = n / 7 % 3,
			   .membership = (uint16_t)(n % 11 == 0),
			   .qos = (uint8_t)(1 + n % 2),
			   .flags = n % 5 == 0 ? QUEUED_RETAIN : 0,
			   .bytes = 100};
	if (is_resident)
		e.message = message_at(e.stored);
	return e;
}

static void assert_same(const struct queued *a, const struct queued *b)
{
	assert_true(a->stored == b->stored && a->position == b->position);
	assert_int_equal(a->identifier, b->identifier);
	assert_int_equal(a->membership, b->membership);
	assert_int_equal(a->qos, b->qos);
	assert_int_equal(a->flags, b->flags);
	assert_true(!a->message || a->message->position == a->stored);
}

static void assert_walk(const struct queue *q, const struct model *m)
{
	struct queue_walk walk;
	struct queued e;
	uint64_t resident = 0, bytes = 0;
	uint32_t i = 0, absent = 0;
	queue_walk_start(&walk, q);
	while (queue_walk_next(&walk, &e)) {
		assert_true(i < m->count);
		assert_same(&e, &m->at[i++]);
		resident += e.message ? message_bytes(e.message) : 0;
		bytes += e.bytes;
		absent += !e.message && !(e.flags & QUEUED_RELEASED);
	}
	assert_int_equal(i, m->count);
	assert_int_equal(q->count, m->count);
	assert_true(resident == q->resident_bytes);
	assert_int_equal(absent, q->absent);
	/* averages are rounded down, chunk by chunk */
	assert_true(bytes <= q->bytes && q->bytes - bytes <= m->count);
}

static void model_remove(struct model *m, uint32_t i)
{
	memmove(&m->at[i], &m->at[i + 1], (--m->count - i) * sizeof(m->at[0]));
}

static void drop(void *context, const struct queued *e)
{
	unsigned *count = context;
	if (e->message)
		message_unref(e->message);
	++*count;
}

static void do_push(struct queue *q, struct model *m, uint32_t *next, bool is_resident)
{
	struct queued e = entry((*next)++, is_resident);
	/* entries without queue positions, and positions left out */
	if (*next % 1499 == 0)
		++*next;
	if (*next % 1013 == 0)
		e.position = 0;
	assert_int_equal(queue_push(q, &e), 0);
	m->at[m->count++] = e;
}

static void do_pop(struct queue *q, struct model *m)
{
	struct queued e;
	assert_int_equal(queue_pop(q, &e), m->count > 0);
	if (m->count == 0)
		return;
	assert_same(&e, &m->at[0]);
	model_remove(m, 0);
	if (e.message)
		message_unref(e.message);
}

static void do_unpop(struct queue *q, struct model *m)
{
	struct queued e;
	if (!queue_pop(q, &e))
		return;
	e.flags |= QUEUED_DUP;
	assert_int_equal(queue_push_front(q, &e), 0);
	m->at[0] = e;
}

static void do_finish(struct queue *q, struct model *m, uint64_t from, uint64_t to)
{
	unsigned taken = 0, expected = 0;
	queue_finish(q, from, to, drop, &taken);
	for (uint32_t i = m->count; i-- > 0;)
		if (m->at[i].position && m->at[i].position >= from && m->at[i].position <= to) {
			model_remove(m, i);
			expected++;
		}
	assert_int_equal(taken, expected);
}

static void do_take(struct queue *q, struct model *m, uint32_t n)
{
	struct queued e;
	uint32_t i = 0;
	while (i < m->count && m->at[i].stored != STORED(n))
		i++;
	assert_int_equal(queue_take_stored(q, STORED(n), &e), i < m->count);
	if (i == m->count)
		return;
	assert_same(&e, &m->at[i]);
	if (e.message)
		message_unref(e.message);
	model_remove(m, i);
}

static void do_insert(struct queue *q, struct model *m, uint32_t n)
{
	struct queued e = entry(n, n % 2);
	uint32_t i = 0;
	while (i < m->count && (!m->at[i].position || m->at[i].position <= e.position))
		if (m->at[i].position == e.position || !m->at[i++].position)
			break;
	/* only where it is clear: one that was taken out, among others with positions */
	if ((i < m->count && (m->at[i].position <= e.position)) || i == m->count ||
	    (i > 0 && !m->at[i - 1].position)) {
		if (e.message)
			message_unref(e.message);
		return;
	}
	for (uint32_t k = 0; k < m->count; k++)
		if (!m->at[k].position) {
			if (e.message)
				message_unref(e.message);
			return;
		}
	assert_int_equal(queue_insert(q, &e), 0);
	memmove(&m->at[i + 1], &m->at[i], (m->count++ - i) * sizeof(m->at[0]));
	m->at[i] = e;
}

static void do_release(struct queue *q, struct model *m, uint32_t ahead)
{
	uint32_t i = ahead < m->count ? ahead : 0;
	for (uint32_t k = 0; k <= i; k++)
		if (m->count == 0 || !m->at[k].position)
			return;
	assert_true(queue_mark_released(q, m->at[i].position));
	m->at[i].flags |= QUEUED_RELEASED;
}

static void do_fetch(struct queue *q)
{
	uint64_t positions[300];
	uint32_t hint = 0;
	uint32_t count = queue_fetch(q, 400, positions, 300);
	assert_int_equal(queue_fetch(q, count < 300 ? 400 : 0, positions, 300), 0);
	for (uint32_t i = 0; i < count; i++) {
		struct message *message = message_at(positions[i]);
		if (i % 50 == 49 || !queue_fill(q, positions[i], message, &hint))
			message_unref(message);
	}
}

static bool is_of_group(void *context, const struct queued *e)
{
	(void)context;
	return e->membership == 1;
}

static void do_extract(struct queue *q, struct model *m)
{
	unsigned taken = 0, expected = 0;
	queue_extract(q, is_of_group, drop, &taken);
	for (uint32_t i = m->count; i-- > 0;)
		if (m->at[i].membership == 1) {
			model_remove(m, i);
			expected++;
		}
	assert_int_equal(taken, expected);
}

static void step(struct queue *q, struct model *m, uint32_t *next, unsigned kind, uint32_t size)
{
	uint32_t oldest = m->count ? (uint32_t)m->at[0].position : 1;
	switch (kind) {
	case 0:
	case 1:
	case 2:
		for (uint32_t i = 0; i < size && m->count < MODEL_MAX - 1; i++)
			do_push(q, m, next, kind == 2 || (kind == 1 && i % 100 == 0));
		break;
	case 3:
		for (uint32_t i = 0; i < size; i++)
			do_pop(q, m);
		break;
	case 4: do_unpop(q, m); break;
	case 5: do_finish(q, m, oldest + size, oldest + size + size % 37); break;
	case 6: do_finish(q, m, *next - size % 50, *next); break;
	case 7: do_take(q, m, oldest + size); break;
	case 8: do_release(q, m, size % 20); break;
	case 9: do_fetch(q); break;
	case 10: queue_store_all(q); break;
	case 11: do_insert(q, m, oldest + size); break;
	default: size % 4 == 0 ? do_extract(q, m) : do_fetch(q); break;
	}
}

static void run(unsigned seed, struct queue_pager *pager)
{
	struct queue q = {.pager = pager};
	struct model *m = calloc(1, sizeof(*m));
	uint32_t next = 0;
	uint64_t random = seed * 2654435761u + 1;
	for (unsigned i = 0; i < 400; i++) {
		random = random * 6364136223846793005u + 1442695040888963407u;
		step(&q, m, &next, (unsigned)(random >> 33) % 13, (uint32_t)(random >> 40) % 900);
		if (i % 16 == 0)
			assert_walk(&q, m);
	}
	assert_walk(&q, m);
	while (m->count > 0)
		do_pop(&q, m);
	assert_true(q.count == 0 && q.bytes == 0 && q.resident_bytes == 0 && !q.last);
	queue_release(&q);
	free(m);
}

static void test_queue_with_stored_entries_is_a_queue(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 10; seed++) {
		mem_count_start();
		run(seed, NULL);
		assert_int_equal(mem_count_live(), 0);
	}
}

static void test_queue_with_paged_chunks_is_a_queue(void **state)
{
	(void)state;
	unsigned writes = 0;
	for (unsigned seed = 31; seed <= 42; seed++) {
		struct queue_pager pager;
		struct pages *pages = pages_new();
		mem_count_start();
		pager_init(&pager, &pages->file, seed % 3 * 1000);
		pages->is_full = seed % 10 == 9;
		run(seed, &pager);
		assert_int_equal(pager.bytes, 0);
		assert_int_equal(pager.pages_used, 0);
		writes += pages->writes;
		pager_release(&pager);
		assert_int_equal(mem_count_live(), 0);
	}
	assert_true(writes > 20);
}

/* Half a million stored messages: what they take, and what they take with a page file. */
static void test_queue_of_half_a_million_is_small(void **state)
{
	struct queue_pager pager;
	struct pages *pages = pages_new();
	(void)state;
	pager_init(&pager, &pages->file, 1 << 16);
	for (int with_pager = 0; with_pager < 2; with_pager++) {
		struct queue q = {.pager = with_pager ? &pager : NULL};
		for (uint32_t n = 0; n < 500000; n++) {
			struct queued e = {.stored = (uint64_t)(1 + n / 50000) << 32 |
						     (n % 50000 + 1) * 8,
					   .position = n + 1,
					   .bytes = 200,
					   .qos = (uint8_t)(1 + n % 2)};
			assert_int_equal(queue_push(&q, &e), 0);
		}
		assert_int_equal(q.count, 500000);
		assert_true(q.bytes == 100000000);
		/* with what the allocator adds to each of three blocks */
		size_t overhead = 3 * 16 * (500000 / 256);
		assert_in_range(queue_memory(&q) + (with_pager ? 0 : overhead), 1,
				with_pager ? 250000 : 3000000);
		assert_in_range(pager.bytes, 0, (1 << 16) + 20 * 2048);
		struct queued e;
		for (uint32_t n = 0; n < 500000; n++) {
			assert_true(queue_pop(&q, &e));
			assert_true(e.position == n + 1 && e.qos == 1 + n % 2);
		}
		assert_int_equal(q.count, 0);
		queue_release(&q);
	}
	pager_release(&pager);
}

/* One message waits for each of very many sessions. */
static void test_queue_of_one_is_small(void **state)
{
	struct queue q = {0};
	struct queued e = entry(1, false);
	(void)state;
	assert_int_equal(queue_push(&q, &e), 0);
	assert_in_range(queue_memory(&q), 1, 200);
	queue_release(&q);
}

static void test_queue_fill_knows_what_is_wanted(void **state)
{
	struct queue q = {0};
	struct queued e = entry(5, false);
	uint64_t positions[4];
	uint32_t hint = 7;
	(void)state;
	mem_count_start();
	assert_int_equal(queue_push(&q, &e), 0);
	e.position++; /* the same message once more, as two subscriptions may bring it */
	assert_int_equal(queue_push(&q, &e), 0);
	assert_int_equal(queue_fetch(&q, 8, positions, 4), 2);
	assert_true(positions[0] == e.stored && positions[1] == e.stored);
	struct message *m = message_at(e.stored);
	assert_false(queue_fill(&q, e.stored + 8, m, &hint));
	assert_true(queue_fill(&q, e.stored, message_ref(m), &hint));
	assert_true(queue_fill(&q, e.stored, message_ref(m), &hint));
	assert_false(queue_fill(&q, e.stored, m, &hint));
	assert_int_equal(q.resident_bytes, 2 * message_bytes(m));
	assert_false(queue_wants_fetch(&q, 8, 4));
	queue_store_all(&q);
	assert_int_equal(q.resident_bytes, 0);
	assert_true(queue_wants_fetch(&q, 8, 4));
	/* what was asked for before is asked for again */
	assert_int_equal(queue_fetch(&q, 8, positions, 4), 2);
	queue_unfetch(&q, e.stored);
	assert_int_equal(queue_fetch(&q, 8, positions, 1), 1);
	assert_int_equal(queue_fetch(&q, 8, positions, 4), 1);
	assert_true(queue_mark_released(&q, e.position));
	assert_false(queue_mark_released(&q, e.position + 1));
	hint = 0;
	assert_true(queue_fill(&q, e.stored, message_ref(m), &hint));
	assert_false(queue_fill(&q, e.stored, m, &hint));
	message_unref(m);
	queue_release(&q);
	assert_int_equal(mem_count_live(), 0);
}

/* What comes before them lets the queue be looked through again: not what is being read. */
static void test_queue_asks_for_each_once(void **state)
{
	struct queue q = {0};
	struct queued e[2] = {entry(5, false), entry(6, false)};
	uint64_t positions[4];
	(void)state;
	mem_count_start();
	struct queued front = entry(4, true);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(queue_push(&q, &e[i]), 0);
	assert_int_equal(queue_fetch(&q, 8, positions, 4), 2);
	assert_int_equal(queue_push_front(&q, &front), 0);
	assert_int_equal(queue_fetch(&q, 8, positions, 4), 0);
	queue_release(&q);
	assert_int_equal(mem_count_live(), 0);
}

/* A page that is not in use any more is the next one that is written, while others are in use. */
static void test_pages_are_used_again(void **state)
{
	struct queue_pager pager;
	uint32_t first, page;
	(void)state;
	pager_init(&pager, &pages_new()->file, 0);
	assert_int_equal(pager_write(&pager, SPAN_LITERAL("stays"), &first), 0);
	for (unsigned i = 0; i < 1000; i++) {
		assert_int_equal(pager_write(&pager, SPAN_LITERAL("goes"), &page), 0);
		pager_free_page(&pager, page);
	}
	assert_int_equal(pager.page_count, 2);
	pager_release(&pager);
}

/* Each allocation fails in turn: nothing is lost that was taken, nothing is kept twice. */
static void test_stored_queue_without_memory(void **state)
{
	(void)state;
	for (unsigned long n = 1;; n++) {
		struct queue_pager pager;
		struct pages *pages = pages_new();
		struct queued e;
		uint32_t kept = 0;
		uint64_t last = 0;
		mem_count_start();
		pager_init(&pager, &pages->file, 1000);
		struct queue q = {.pager = &pager};
		mem_fail_after(n);
		for (uint32_t i = 0; i < 1500; i++) {
			e = entry(i, false);
			if (i < 40)
				e.message = message_at(e.stored);
			if (i < 40 && !e.message)
				continue;
			if (i == 40)
				queue_store_all(&q);
			if (queue_push(&q, &e) == 0)
				kept++;
			else if (e.message)
				message_unref(e.message);
		}
		assert_int_equal(q.count, kept);
		while (q.count > 0) {
			if (!queue_pop(&q, &e)) {
				assert_true(mem_has_failed());
				continue;
			}
			assert_true(e.position > last);
			last = e.position;
			kept--;
			if (e.message)
				message_unref(e.message);
		}
		bool has_failed = mem_has_failed();
		mem_fail_after(0);
		assert_int_equal(kept, 0);
		queue_release(&q);
		pager_release(&pager);
		assert_int_equal(mem_count_live(), 0);
		if (!has_failed)
			break;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_queue_with_stored_entries_is_a_queue),
		cmocka_unit_test(test_queue_with_paged_chunks_is_a_queue),
		cmocka_unit_test(test_queue_of_half_a_million_is_small),
		cmocka_unit_test(test_queue_of_one_is_small),
		cmocka_unit_test(test_queue_fill_knows_what_is_wanted),
		cmocka_unit_test(test_queue_asks_for_each_once),
		cmocka_unit_test(test_pages_are_used_again),
		cmocka_unit_test(test_stored_queue_without_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
