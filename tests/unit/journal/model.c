/* SPDX-License-Identifier: Apache-2.0 */
#include "model.h"

#include "base/hash.h"
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define BODY_HEAD 32
#define IMAGE_HEAD 24

struct model_batch {
	struct log_batch batch;
	size_t first; /* index of its first entry */
	unsigned count;
	struct log_entry entries[];
};

void model_fail(const struct model *m, const char *format, ...)
{
	va_list args;
	fprintf(stderr, "seed %llu: ", (unsigned long long)m->seed);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\n");
	abort();
}

static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u; /* splitmix64 */
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

uint64_t model_draw(struct model *m, uint64_t limit)
{
	return next_random(&m->random) % limit;
}

/* --- bodies --- */

static uint64_t position_referred(const struct model *m, const struct model_entry *e)
{
	return e->kind == MODEL_FINISH ? m->entries[e->refers].position : 0;
}

static void fill_body(const struct model *m, const struct model_entry *e, uint8_t *to)
{
	uint64_t state = e->id * 77 + m->seed;
	store_le64(to, e->id);
	store_le64(to + 8, e->kind);
	store_le64(to + 16, position_referred(m, e));
	store_le64(to + 24, e->len);
	for (uint32_t i = BODY_HEAD; i < e->len; i++) {
		if (i % 8 == 0)
			next_random(&state);
		to[i] = (uint8_t)(state >> i % 8 * 8);
	}
}

static bool is_body(const struct model *m, const struct model_entry *e, struct span body)
{
	if (body.len != e->len)
		return false;
	uint8_t *expected = malloc(e->len);
	ASSERT(expected);
	fill_body(m, e, expected);
	bool is_equal = memcmp(expected, body.ptr, e->len) == 0;
	free(expected);
	return is_equal;
}

/* --- images: how many records were applied, and which messages are wanted --- */

static bool is_wanted(const struct model_entry *e)
{
	return e->kind == MODEL_MESSAGE && !e->is_finished && !e->is_void;
}

static struct log_image *make_image(struct model *m, size_t applied)
{
	struct log_image *image = mem_zalloc(sizeof(*image) + 2 * sizeof(struct room));
	size_t wanted = 0;
	ASSERT(image);
	for (size_t i = 0; i < applied; i++)
		wanted += is_wanted(&m->entries[i]);
	image->count = 2;
	image->parts[0] = (struct room){mem_zalloc(IMAGE_HEAD), IMAGE_HEAD};
	image->parts[1] = (struct room){mem_zalloc(8 * wanted + 1), 8 * wanted};
	ASSERT(image->parts[0].ptr && image->parts[1].ptr);
	store_le64(image->parts[0].ptr, applied);
	store_le64(image->parts[0].ptr + 8, wanted);
	store_le64(image->parts[0].ptr + 16, m->entries[applied - 1].id);
	uint8_t *to = image->parts[1].ptr;
	for (size_t i = 0; i < applied; i++) {
		if (!is_wanted(&m->entries[i]))
			continue;
		store_le64(to, m->entries[i].position);
		to += 8;
	}
	return image;
}

static bool references(void *context, struct span image,
		       void (*found)(void *found_context, uint64_t position), void *found_context)
{
	(void)context;
	if (image.len < IMAGE_HEAD || image.len != IMAGE_HEAD + 8 * load_le64(image.ptr + 8))
		return false;
	for (size_t at = IMAGE_HEAD; at < image.len; at += 8)
		found(found_context, load_le64(image.ptr + at));
	return true;
}

/* --- what the journal calls --- */

/* What follows from a record at its place in the log. */
static void apply(struct model *m, struct model_entry *e)
{
	if (e->kind == MODEL_FINISH)
		m->entries[e->refers].is_finished = true;
	if (e->kind == MODEL_CHECKPOINT) {
		if (m->image)
			log_image_free(m->image);
		m->image = make_image(m, (size_t)(e - m->entries) + 1);
		m->image_position = e->position;
	}
	if (e->kind == MODEL_MARKER && m->image) {
		m->log->ops->checkpoint(m->log, m->image_position, m->image);
		m->image = NULL;
	}
}

static void committed(void *context, struct log_batch *batch)
{
	struct model *m = context;
	struct model_batch *b = CONTAINER_OF(batch, struct model_batch, batch);
	m->is_failing |= batch->error != 0;
	if (b->first != m->committed)
		model_fail(m, "batches came back out of order");
	for (unsigned i = 0; i < b->count; i++) {
		struct model_entry *e = &m->entries[b->first + i];
		m->committed++;
		e->is_void = batch->error != 0;
		if (e->is_void)
			continue;
		e->position = b->entries[i].position;
		if (e->position <= m->newest_position)
			model_fail(m, "positions do not grow");
		m->newest_position = e->position;
		e->is_committed = true;
		apply(m, e);
	}
	mem_free(batch->bytes);
	mem_free(b);
}

static void checkpoint_wanted(void *context)
{
	struct model *m = context;
	m->wants_checkpoint = true;
}

static void health(void *context, enum log_health health, const char *text)
{
	(void)context;
	(void)health;
	ASSERT(text[0]);
}

static void say(void *context, bool is_warning, const char *text)
{
	struct model *m = context;
	m->warnings += is_warning;
	if (getenv("MODEL_VERBOSE"))
		fprintf(stderr, "  journal: %s\n", text);
}

static uint64_t now_ms(void *context)
{
	const struct model *m = context;
	return m->now;
}

/* --- recovery --- */

static size_t index_of(const struct model *m, uint64_t id, size_t from)
{
	for (size_t i = from; i < m->count; i++)
		if (m->entries[i].id == id)
			return i;
	return SIZE_MAX;
}

static int recover_image(void *context, uint64_t position, struct span image)
{
	struct model *m = context;
	if (image.len < IMAGE_HEAD)
		model_fail(m, "an image of %zu bytes", image.len);
	size_t applied = (size_t)load_le64(image.ptr);
	if (applied == 0 || applied > m->count || m->entries[applied - 1].position != position ||
	    m->entries[applied - 1].id != load_le64(image.ptr + 16))
		model_fail(m, "the image is not one of this log");
	m->recovered = applied;
	m->newest_position = position;
	for (size_t i = 0; i < m->count; i++)
		m->entries[i].is_finished = true;
	for (size_t at = IMAGE_HEAD, i = 0; at < image.len; at += 8) {
		uint64_t wanted = load_le64(image.ptr + at);
		while (i < applied && m->entries[i].position != wanted)
			i++;
		if (i == applied)
			model_fail(m, "the image refers to %016llx, which is no message",
				   (unsigned long long)wanted);
		m->entries[i].is_finished = false;
	}
	return 0;
}

static bool is_told(const struct model *m, uint64_t position)
{
	for (size_t i = 0; i < m->stretch_count; i++)
		if (position >= m->stretches[i].from && position < m->stretches[i].to)
			return true;
	return false;
}

/* A record is missing: it was reported, or it never came back. */
static void skip_to(struct model *m, size_t index)
{
	for (; m->recovered < index; m->recovered++) {
		struct model_entry *e = &m->entries[m->recovered];
		if (e->is_void)
			continue;
		if (!m->has_gap_allowed)
			model_fail(m, "record %llu is missing", (unsigned long long)e->id);
		if (e->position && !is_told(m, e->position))
			model_fail(m, "record %016llx is missing and nobody says so",
				   (unsigned long long)e->position);
		if (e->kind == MODEL_MESSAGE)
			e->is_finished = true;
		m->missing++;
	}
}

static int recover_record(void *context, uint64_t position, struct span body)
{
	struct model *m = context;
	if (body.len < BODY_HEAD)
		model_fail(m, "a record of %zu bytes", body.len);
	size_t index = index_of(m, load_le64(body.ptr), m->recovered);
	if (index == SIZE_MAX)
		model_fail(m,
			   "record %llu at %016llx was never written, was lost before, or "
			   "comes twice",
			   (unsigned long long)load_le64(body.ptr), (unsigned long long)position);
	skip_to(m, index);
	struct model_entry *e = &m->entries[index];
	/* Done again elsewhere after its write failed, and not durable there: it may come back from
	 * where it was tried first. */
	bool was_durable = m->options.durability == DURABILITY_ALWAYS || e->position <= m->durable;
	if (e->position && e->position != position && was_durable)
		model_fail(m, "record %llu has another position", (unsigned long long)e->id);
	e->position = position;
	if (!is_body(m, e, body))
		model_fail(m, "record %llu is not what was written", (unsigned long long)e->id);
	e->is_void = false;
	m->newest_position = position;
	m->recovered++;
	m->checked++;
	e->is_finished = e->kind == MODEL_MESSAGE ? false : e->is_finished;
	if (e->kind == MODEL_FINISH)
		m->entries[e->refers].is_finished = true;
	return 0;
}

static int recover_damage(void *context, const struct journal_damage *damage)
{
	struct model *m = context;
	if (getenv("MODEL_VERBOSE"))
		fprintf(stderr, "  damage: %s %016llx-%016llx\n", damage->file,
			(unsigned long long)damage->from, (unsigned long long)damage->to);
	if (!m->has_gap_allowed)
		model_fail(m, "damage is reported in %s at %016llx where none was done",
			   damage->file, (unsigned long long)damage->from);
	m->stretches = realloc(m->stretches, (m->stretch_count + 1) * sizeof(*m->stretches));
	ASSERT(m->stretches);
	m->stretches[m->stretch_count++] = (struct model_stretch){damage->from, damage->to};
	return 0;
}

/* What may be gone: at the end only, and only what did not come back. */
static void check_tail(struct model *m)
{
	size_t promised = m->committed;
	if (m->options.durability == DURABILITY_INTERVAL)
		promised = 0;
	for (size_t i = m->recovered; i < m->count; i++) {
		const struct model_entry *e = &m->entries[i];
		bool is_durable = e->is_committed && e->position <= m->durable;
		bool is_promised = !e->is_void && (i < promised || is_durable);
		if (!is_promised)
			continue;
		if (!m->has_gap_allowed)
			model_fail(m, "record %llu at %016llx was promised and is gone",
				   (unsigned long long)e->id, (unsigned long long)e->position);
		if (!is_told(m, e->position))
			model_fail(m, "record %016llx is cut off and nobody says so",
				   (unsigned long long)e->position);
		m->missing++;
	}
	m->count = m->committed = m->recovered;
	for (size_t i = 0; i < m->count; i++)
		m->entries[i].is_committed = !m->entries[i].is_void;
}

static int recover(struct model *m, char reason[JOURNAL_REASON_MAX])
{
	const struct journal_recovery recovery = {.context = m,
						  .image = recover_image,
						  .record = recover_record,
						  .damage = recover_damage};
	m->recovered = m->stretch_count = m->missing = 0;
	m->newest_position = 0;
	int error = journal_recover(m->journal, &recovery, reason);
	if (!error)
		check_tail(m);
	return error;
}

/* --- life --- */

void model_init(struct model *m, uint64_t seed, uint64_t capacity)
{
	*m = (struct model){.seed = seed, .random = seed * 31 + 7, .now = 1000, .next_id = 1};
	journal_options_server(&m->options);
	m->options.has_threads = false;
	m->options.segment_bytes = (uint32_t)64 << 10;
	m->options.segments_min = 2;
	m->options.copy_bytes_per_s = 0;
	m->options.store_id = seed + 1;
	m->disk = simdisk_new(seed, capacity);
}

void model_release(struct model *m)
{
	ASSERT(!m->journal);
	simdisk_free(m->disk);
	free(m->entries);
	free(m->stretches);
	if (m->image)
		log_image_free(m->image);
}

int model_open(struct model *m, char reason[JOURNAL_REASON_MAX])
{
	const struct journal_hooks hooks = {.context = m,
					    .committed = committed,
					    .checkpoint_wanted = checkpoint_wanted,
					    .health = health,
					    .references = references,
					    .say = say,
					    .now_ms = now_ms};
	m->is_failing = m->wants_checkpoint = false;
	if (m->image)
		log_image_free(m->image);
	m->image = NULL;
	int error = journal_open(simdisk_attach(m->disk), &m->options, &hooks, &m->journal, reason);
	if (error) {
		m->journal = NULL;
		return error;
	}
	error = recover(m, reason);
	if (!error && model_recover_read_all(m) > 0 && !m->has_gap_allowed &&
	    !simdisk_is_cut(m->disk))
		model_fail(m, "a wanted message cannot be read after recovery");
	if (!error)
		error = journal_start(m->journal, reason);
	m->log = journal_log(m->journal);
	/* Recovery has seen to it that what it gave back stays. */
	m->durable = m->newest_position;
	if (error) {
		journal_close(m->journal);
		m->journal = NULL;
	}
	return error;
}

void model_close(struct model *m)
{
	journal_close(m->journal);
	m->journal = NULL;
}

/* --- use --- */

static struct model_entry *add(struct model *m, enum model_kind kind, uint32_t len)
{
	if (m->count == m->capacity) {
		m->capacity = m->capacity ? 2 * m->capacity : 256;
		m->entries = realloc(m->entries, m->capacity * sizeof(*m->entries));
		ASSERT(m->entries);
	}
	struct model_entry *e = &m->entries[m->count++];
	*e = (struct model_entry){.id = m->next_id++, .kind = (uint8_t)kind, .len = len};
	return e;
}

static void submit(struct model *m, size_t first, bool wants_sync)
{
	unsigned count = (unsigned)(m->count - first);
	struct model_batch *b = mem_zalloc(sizeof(*b) + count * sizeof(struct log_entry));
	size_t len = 0;
	ASSERT(b);
	for (size_t i = first; i < m->count; i++)
		len += record_bytes(m->entries[i].len);
	b->first = first;
	b->count = count;
	b->batch.bytes = mem_zalloc(len);
	b->batch.bytes_len = (uint32_t)len;
	b->batch.wants_sync = wants_sync;
	b->batch.is_lazy = !wants_sync && model_draw(m, 8) == 0;
	ASSERT(b->batch.bytes);
	uint32_t at = 0;
	for (unsigned i = 0; i < count; i++) {
		const struct model_entry *e = &m->entries[first + i];
		b->entries[i] = (struct log_entry){.offset = at, .len = e->len};
		fill_body(m, e, b->batch.bytes + at + LOG_RECORD_ROOM);
		if (i > 0)
			b->entries[i - 1].next = &b->entries[i];
		at += (uint32_t)record_bytes(e->len);
	}
	b->batch.first = &b->entries[0];
	b->batch.last = &b->entries[count - 1];
	m->log->ops->append(m->log, &b->batch);
}

static uint32_t draw_len(struct model *m)
{
	/* The reserve is made for many records, not for a few that are as long as a segment. */
	switch (model_draw(m, 40) + (m->has_little_room ? 4 : 0)) {
	case 0: return BODY_HEAD;
	case 1: return BODY_HEAD + (uint32_t)model_draw(m, 80000); /* longer than a segment */
	case 2:
	case 3: return BODY_HEAD + (uint32_t)model_draw(m, 12000);
	default: return BODY_HEAD + (uint32_t)model_draw(m, 1200);
	}
}

/* A message that came back and is not finished; one in sixteen is never chosen. */
static size_t draw_wanted(struct model *m)
{
	for (unsigned tries = 0; tries < 8 && m->committed > 0; tries++) {
		size_t back = (size_t)model_draw(m, m->committed < 60 ? m->committed : 60);
		size_t i = m->committed - 1 - back;
		const struct model_entry *e = &m->entries[i];
		if (is_wanted(e) && e->id % 16 != 0)
			return i;
	}
	return SIZE_MAX;
}

void model_append(struct model *m)
{
	size_t first = m->count;
	unsigned count = 1 + (unsigned)model_draw(m, 5);
	for (unsigned i = 0; i < count; i++) {
		size_t wanted = model_draw(m, 2) ? draw_wanted(m) : SIZE_MAX;
		if (wanted != SIZE_MAX)
			add(m, MODEL_FINISH, BODY_HEAD)->refers = wanted;
		else if (atomic_load(&m->log->health) == LOG_GOOD)
			add(m, MODEL_MESSAGE, draw_len(m));
	}
	if (m->count > first)
		submit(m, first, model_draw(m, 10) == 0);
}

void model_checkpoint(struct model *m)
{
	size_t first = m->count;
	m->wants_checkpoint = false;
	add(m, MODEL_CHECKPOINT, BODY_HEAD);
	submit(m, first, false);
	first = m->count;
	add(m, MODEL_MARKER, BODY_HEAD);
	submit(m, first, true);
}

void model_work(struct model *m, unsigned steps)
{
	struct log_status status;
	while (steps-- > 0 && journal_step(m->journal))
		;
	m->log->ops->status(m->log, &status);
	if (status.position > m->durable)
		m->durable = status.position;
}

static void done(struct log_read *request)
{
	(void)request;
}

static size_t read_some(struct model *m, struct log_read *request, const size_t *indexes)
{
	size_t damaged = 0;
	request->done = done;
	m->log->ops->read(m->log, request);
	while (journal_step(m->journal))
		;
	for (uint32_t i = 0; i < request->count; i++) {
		const struct log_record *r = &request->records[i];
		if (r->error && getenv("MODEL_VERBOSE"))
			fprintf(stderr, "  unreadable: %016llx (%d)\n",
				(unsigned long long)request->positions[i], r->error);
		if (r->error)
			damaged++;
		else if (!is_body(m, &m->entries[indexes[i]], r->body))
			model_fail(m, "message %016llx is read as another",
				   (unsigned long long)request->positions[i]);
	}
	log_read_release(request);
	return damaged;
}

size_t model_read_all(struct model *m)
{
	size_t indexes[LOG_READ_MAX];
	size_t damaged = 0;
	struct log_read *request = mem_zalloc(sizeof(*request));
	ASSERT(request);
	for (size_t i = 0; i <= m->committed; i++) {
		const struct model_entry *e = &m->entries[i];
		bool is_last = i == m->committed;
		if (!is_last && is_wanted(e)) {
			indexes[request->count] = i;
			request->positions[request->count++] = e->position;
		}
		if (request->count == LOG_READ_MAX || (is_last && request->count > 0)) {
			damaged += read_some(m, request, indexes);
			*request = (struct log_read){0};
		}
	}
	mem_free(request);
	return damaged;
}

size_t model_recover_read_all(struct model *m)
{
	size_t damaged = 0;
	for (size_t i = 0; i < m->count; i++) {
		const struct model_entry *e = &m->entries[i];
		struct span body;
		if (!is_wanted(e))
			continue;
		int error = journal_recover_read(m->journal, e->position, &body);
		damaged += error != 0;
		if (error && getenv("MODEL_VERBOSE"))
			fprintf(stderr, "  unreadable: %016llx (%d)\n",
				(unsigned long long)e->position, error);
		if (!error && !is_body(m, e, body))
			model_fail(m, "message %016llx is read as another",
				   (unsigned long long)e->position);
	}
	return damaged;
}
