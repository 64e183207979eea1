/* SPDX-License-Identifier: Apache-2.0 */
#include "log/log_kept.h"

#include "base/mem.h"

#define SEGMENT_HEAD 4096 /* no record begins in it, as on a disk */

struct kept_store {
	struct kept_record *records;
	size_t record_count, record_capacity;
	struct kept_checkpoint *checkpoints;
	size_t checkpoint_count;
	uint32_t segment; /* the newest in use */
	unsigned batches;
};

struct log_kept {
	struct log log;
	struct kept_store *store;
	uint32_t segment_bytes;
	uint32_t offset; /* of the next record */
	kept_references *references;
	log_committed *committed;
	void *context;
	struct log_batch *first, *last; /* batches that wait */
	struct log_read *first_read, *last_read;
	bool delays_batches, delays_reads;
	struct log_status status;
};

static void *need(void *ptr)
{
	ASSERT(ptr);
	return ptr;
}

static struct span copy_of(struct span bytes)
{
	uint8_t *copy = need(mem_alloc(bytes.len + 1));
	memcpy(copy, bytes.ptr, bytes.len);
	return span_of(copy, bytes.len);
}

struct kept_store *kept_store_new(void)
{
	return need(mem_zalloc(sizeof(struct kept_store)));
}

static void forget_record(struct kept_record *r)
{
	mem_free((void *)r->body.ptr);
}

void kept_store_free(struct kept_store *store)
{
	for (size_t i = 0; i < store->record_count; i++)
		forget_record(&store->records[i]);
	for (size_t i = 0; i < store->checkpoint_count; i++)
		mem_free((void *)store->checkpoints[i].image.ptr);
	mem_free(store->records);
	mem_free(store->checkpoints);
	mem_free(store);
}

size_t kept_record_count(const struct kept_store *store)
{
	return store->record_count;
}

const struct kept_record *kept_record(const struct kept_store *store, size_t i)
{
	ASSERT(i < store->record_count);
	return &store->records[i];
}

struct kept_record *kept_find(struct kept_store *store, uint64_t position)
{
	size_t low = 0, high = store->record_count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (store->records[middle].position < position)
			low = middle + 1;
		else
			high = middle;
	}
	bool is_there = low < store->record_count && store->records[low].position == position;
	return is_there ? &store->records[low] : NULL;
}

size_t kept_checkpoint_count(const struct kept_store *store)
{
	return store->checkpoint_count;
}

const struct kept_checkpoint *kept_checkpoint(const struct kept_store *store, size_t i)
{
	ASSERT(i < store->checkpoint_count);
	return &store->checkpoints[i];
}

void kept_cut(struct kept_store *store, size_t count)
{
	while (count > 0 && count < store->record_count &&
	       store->records[count].batch == store->records[count - 1].batch)
		count++;
	while (store->record_count > count)
		forget_record(&store->records[--store->record_count]);
	while (store->checkpoint_count > 0) {
		struct kept_checkpoint *last = &store->checkpoints[store->checkpoint_count - 1];
		if (last->records <= store->record_count)
			break;
		mem_free((void *)last->image.ptr);
		store->checkpoint_count--;
	}
}

static uint64_t place(struct log_kept *k, uint32_t len)
{
	uint32_t bytes = (LOG_RECORD_ROOM + len + LOG_ALIGN - 1) / LOG_ALIGN * LOG_ALIGN;
	if (k->offset > SEGMENT_HEAD && k->offset + bytes > k->segment_bytes) {
		k->store->segment++;
		k->offset = SEGMENT_HEAD;
	}
	uint64_t position = (uint64_t)k->store->segment << 32 | k->offset;
	k->offset += bytes;
	return position;
}

static void keep(struct log_kept *k, const struct log_batch *batch, struct log_entry *entry)
{
	struct kept_store *store = k->store;
	ASSERT(batch->bytes && entry->len > 0 && entry->offset % LOG_ALIGN == 0);
	ASSERT((uint64_t)entry->offset + LOG_RECORD_ROOM + entry->len <= batch->bytes_len);
	if (store->record_count == store->record_capacity) {
		store->record_capacity = store->record_capacity ? store->record_capacity * 2 : 64;
		store->records = need(mem_realloc(store->records, store->record_capacity *
									  sizeof(*store->records)));
	}
	const uint8_t *body = batch->bytes + entry->offset + LOG_RECORD_ROOM;
	entry->position = place(k, entry->len);
	store->records[store->record_count++] = (struct kept_record){
		.position = entry->position,
		.body = copy_of(span_of(body, entry->len)),
		.batch = store->batches,
	};
	k->status.records++;
	k->status.record_bytes += entry->len;
	k->status.position = entry->position;
}

static void commit(struct log_kept *k, struct log_batch *batch)
{
	uint32_t bytes_max = k->log.batch_bytes_max;
	bool is_long = bytes_max && batch->bytes_len > bytes_max;
	ASSERT(!is_long || batch->first == batch->last);
	batch->error = is_long ? ERROR_FULL : 0;
	if (atomic_load(&k->log.health) == LOG_FAILED)
		batch->error = ERROR_SYSTEM;
	for (struct log_entry *e = batch->first; e && !batch->error; e = e->next)
		keep(k, batch, e);
	k->store->batches++;
	k->status.batches++;
	k->status.commits++;
	k->committed(k->context, batch);
}

static void append(struct log *log, struct log_batch *batch)
{
	struct log_kept *k = CONTAINER_OF(log, struct log_kept, log);
	batch->next = NULL;
	if (!k->delays_batches && !k->first) {
		commit(k, batch);
		return;
	}
	if (k->first)
		k->last->next = batch;
	else
		k->first = batch;
	k->last = batch;
}

static void answer(struct log_kept *k, struct log_read *request)
{
	size_t len = 0;
	for (uint32_t i = 0; i < request->count; i++) {
		const struct kept_record *r = kept_find(k->store, request->positions[i]);
		len += r->body.len;
	}
	/* copies, to be freed by the request's owner: bodies that live too long are found */
	request->bytes = need(mem_alloc(len + 1));
	uint8_t *next = request->bytes;
	for (uint32_t i = 0; i < request->count; i++) {
		const struct kept_record *r = kept_find(k->store, request->positions[i]);
		memcpy(next, r->body.ptr, r->body.len);
		request->records[i] = (struct log_record){.error = ERROR_DAMAGED};
		if (!r->is_damaged && !r->is_trimmed)
			request->records[i] = (struct log_record){span_of(next, r->body.len), 0};
		next += r->body.len;
	}
	request->done(request);
}

static void read_records(struct log *log, struct log_read *request)
{
	struct log_kept *k = CONTAINER_OF(log, struct log_kept, log);
	ASSERT(request->count > 0 && request->count <= LOG_READ_MAX);
	for (uint32_t i = 0; i < request->count; i++) {
		const struct kept_record *r = kept_find(k->store, request->positions[i]);
		/* who asks for it had to refer to it; it may go before the answer comes */
		ASSERT(r && !r->is_trimmed);
	}
	request->next = NULL;
	if (!k->delays_reads) {
		answer(k, request);
		return;
	}
	if (k->first_read)
		k->last_read->next = request;
	else
		k->first_read = request;
	k->last_read = request;
}

static void mark(void *context, uint64_t position)
{
	struct kept_record *r = kept_find(context, position);
	ASSERT(r && !r->is_trimmed); /* an image must not refer to what an older one let go */
	r->is_referred = true;
}

/* What stands before the checkpoint and is not referred to may go. */
static void trim(struct kept_store *store, const struct kept_checkpoint *c,
		 kept_references *references)
{
	for (size_t i = 0; i < store->record_count; i++)
		store->records[i].is_referred = false;
	bool is_known = references(c->image, mark, store);
	ASSERT(is_known);
	for (size_t i = 0; i < store->record_count; i++)
		if (store->records[i].position <= c->position)
			store->records[i].is_trimmed = !store->records[i].is_referred;
}

static void checkpoint(struct log *log, uint64_t position, struct log_image *image)
{
	struct log_kept *k = CONTAINER_OF(log, struct log_kept, log);
	struct kept_store *store = k->store;
	size_t len = 0;
	for (unsigned i = 0; i < image->count; i++)
		len += image->parts[i].len;
	uint8_t *bytes = need(mem_alloc(len + 1)), *next = bytes;
	for (unsigned i = 0; i < image->count; i++) {
		memcpy(next, image->parts[i].ptr, image->parts[i].len);
		next += image->parts[i].len;
	}
	log_image_free(image);
	store->checkpoints = need(mem_realloc(
		store->checkpoints, (store->checkpoint_count + 1) * sizeof(*store->checkpoints)));
	struct kept_checkpoint *c = &store->checkpoints[store->checkpoint_count++];
	*c = (struct kept_checkpoint){position, span_of(bytes, len), store->record_count};
	ASSERT(kept_find(store, position)); /* it is durable by now */
	k->status.checkpoints++;
	if (k->references)
		trim(store, c, k->references);
}

static void status(struct log *log, struct log_status *out)
{
	struct log_kept *k = CONTAINER_OF(log, struct log_kept, log);
	*out = k->status;
	out->health = (uint8_t)atomic_load(&log->health);
}

static void release(struct log *log)
{
	struct log_kept *k = CONTAINER_OF(log, struct log_kept, log);
	log_kept_lose(k);
	mem_free(k);
}

static const struct log_ops kept_ops = {.append = append,
					.read = read_records,
					.checkpoint = checkpoint,
					.status = status,
					.free = release};

struct log_kept *log_kept_new(struct kept_store *store, uint32_t segment_bytes,
			      kept_references *references, log_committed *committed, void *context)
{
	struct log_kept *k = need(mem_zalloc(sizeof(*k)));
	*k = (struct log_kept){.log = {.ops = &kept_ops, .is_kept = true},
			       .store = store,
			       .segment_bytes = segment_bytes,
			       .offset = SEGMENT_HEAD,
			       .references = references,
			       .committed = committed,
			       .context = context};
	store->segment++;
	return k;
}

struct log *log_kept_log(struct log_kept *k)
{
	return &k->log;
}

void log_kept_delay(struct log_kept *k, bool batches, bool reads)
{
	k->delays_batches = batches;
	k->delays_reads = reads;
}

static struct log_batch *take_batch(struct log_kept *k)
{
	struct log_batch *batch = k->first;
	k->first = batch->next;
	batch->next = NULL;
	return batch;
}

static bool step_read(struct log_kept *k)
{
	struct log_read *request = k->first_read;
	if (!request)
		return false;
	k->first_read = request->next;
	request->next = NULL;
	answer(k, request);
	return true;
}

bool log_kept_step(struct log_kept *k, bool prefer_read)
{
	if ((prefer_read || !k->first) && step_read(k))
		return true;
	if (!k->first)
		return false;
	commit(k, take_batch(k));
	return true;
}

const struct log_batch *log_kept_waiting(const struct log_kept *k)
{
	return k->first;
}

bool log_kept_is_idle(const struct log_kept *k)
{
	return !k->first && !k->first_read;
}

void log_kept_lose(struct log_kept *k)
{
	while (k->first) {
		struct log_batch *batch = take_batch(k);
		batch->error = ERROR_SYSTEM;
		k->committed(k->context, batch);
	}
	while (step_read(k))
		;
}

void log_kept_bound_batches(struct log_kept *k, uint32_t bytes_max)
{
	k->log.batch_bytes_max = bytes_max;
}

void log_kept_set_health(struct log_kept *k, enum log_health health)
{
	atomic_store(&k->log.health, health);
}
