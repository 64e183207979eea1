/* SPDX-License-Identifier: Apache-2.0 */
#include "client/store_inside.h"

#include "base/mem.h"

/* --- records on their way --- */

static struct store_ticket *ticket_of(struct log_batch *batch)
{
	return CONTAINER_OF(batch, struct store_ticket, batch);
}

static size_t padded(size_t body_len)
{
	return (LOG_RECORD_ROOM + body_len + LOG_ALIGN - 1) & ~(size_t)(LOG_ALIGN - 1);
}

/* Writes the record to where the journal takes it from. */
static void fill(struct store_ticket *t, uint8_t *bytes, const struct store_record *r, bool is_lazy)
{
	size_t len = store_record_size(r), total = padded(len);
	memset(bytes, 0, LOG_RECORD_ROOM);
	memset(bytes + total - LOG_ALIGN, 0, LOG_ALIGN);
	size_t written = store_record_encode(r, (struct room){bytes + LOG_RECORD_ROOM, len});
	ASSERT(written == len);
	t->record = *r;
	t->record.topic = t->record.properties = t->record.payload = SPAN_NONE;
	t->record.client_id = SPAN_NONE;
	t->entry = (struct log_entry){.len = (uint32_t)len};
	t->batch = (struct log_batch){.first = &t->entry,
				      .last = &t->entry,
				      .bytes = bytes,
				      .bytes_len = (uint32_t)total,
				      .is_lazy = is_lazy};
}

static int new_ticket(const struct store_record *r, struct store_ticket **out)
{
	size_t total = padded(store_record_size(r));
	if (total > LOG_RECORD_BYTES_MAX)
		return ERROR_INVALID;
	struct store_ticket *t = mem_alloc(sizeof(*t) + total);
	if (!t)
		return ERROR_NO_MEMORY;
	*t = (struct store_ticket){.is_long = true};
	fill(t, (uint8_t *)(t + 1), r, false);
	*out = t;
	return 0;
}

static void append(struct client_store *s, struct store_ticket *t)
{
	struct log *log = journal_log(s->journal);
	t->is_busy = true;
	log->ops->append(log, &t->batch);
}

static void put_short(struct client_store *s, struct store_ticket *t, uint8_t kind, uint64_t number,
		      uint8_t reason_code, bool is_lazy)
{
	struct store_record r = {.kind = kind, .number = number, .reason_code = reason_code};
	fill(t, t->bytes, &r, is_lazy);
	append(s, t);
}

/* --- messages --- */

int client_store_prepare(struct client_store *s, struct store_record *r, struct store_ticket **out)
{
	struct store_ticket *t;
	struct store_out *o = NULL;
	struct store_in *i = NULL;
	bool is_out = r->kind == STORE_OUT;
	r->number = is_out ? s->state.next_out : s->state.next_in;
	int error = new_ticket(r, &t);
	if (error)
		return error;
	error = is_out ? store_state_add_out(&s->state, r, &o)
		       : store_state_add_in(&s->state, r, &i);
	if (error) {
		mem_free(t);
		return error;
	}
	t->subject = is_out ? (void *)o : (void *)i;
	*out = t;
	return 0;
}

void client_store_put(struct client_store *s, struct store_ticket *t)
{
	append(s, t);
}

static bool is_out(const struct store_ticket *t)
{
	return t->record.kind == STORE_OUT || t->record.kind == STORE_RECEIVED ||
	       t->record.kind == STORE_DONE;
}

/* Now, or when its own ticket comes back. */
static void drop(struct client_store *s, const struct store_ticket *t)
{
	struct store_out *out = is_out(t) ? t->subject : NULL;
	struct store_in *in = is_out(t) ? NULL : t->subject;
	if (out && out->ticket.is_busy)
		out->is_lost = true;
	else if (out)
		store_state_drop_out(&s->state, out);
	else if (in->ticket.is_busy)
		in->is_lost = true;
	else
		store_state_drop_in(&s->state, in);
}

static bool is_lost(const struct store_ticket *t)
{
	return is_out(t) ? ((const struct store_out *)t->subject)->is_lost
			 : ((const struct store_in *)t->subject)->is_lost;
}

void client_store_cancel(struct client_store *s, struct store_ticket *t)
{
	drop(s, t);
	mem_free(t);
}

/* --- what becomes of them ---
 *
 * One short record of an entry is on its way at a time; what comes meanwhile is noted in the entry
 * and follows. Nobody waits for DONE: without it a message is sent once more, or PUBREL. */

static void follow_out(struct client_store *s, struct store_out *e)
{
	if (e->is_finished && !e->ticket.is_busy) {
		e->ticket.subject = e;
		put_short(s, &e->ticket, STORE_DONE, e->number, 0, true);
	}
}

static void follow_in(struct client_store *s, struct store_in *e)
{
	if (e->ticket.is_busy)
		return;
	e->ticket.subject = e;
	if (e->is_forgotten)
		put_short(s, &e->ticket, STORE_FORGOTTEN, e->number, 0, true);
	else if (e->is_let_go && !e->is_acked)
		put_short(s, &e->ticket, STORE_ACKED, e->number, e->reason_code, false);
	else if (e->is_released)
		put_short(s, &e->ticket, STORE_RELEASED, e->number, 0, false);
}

void client_store_received(struct client_store *s, struct store_out *e)
{
	if (e->ticket.is_busy || e->is_received)
		return;
	e->ticket.subject = e;
	put_short(s, &e->ticket, STORE_RECEIVED, e->number, 0, false);
}

void client_store_done(struct client_store *s, struct store_out *e)
{
	if (e->is_finished)
		return;
	e->is_finished = true;
	store_state_unwant(&s->state, e);
	follow_out(s, e);
}

void client_store_acked(struct client_store *s, struct store_in *e, uint8_t reason_code)
{
	if (e->is_let_go || e->is_forgotten)
		return;
	e->is_let_go = true;
	e->reason_code = reason_code;
	follow_in(s, e);
}

void client_store_released(struct client_store *s, struct store_in *e)
{
	if (e->is_released)
		return;
	e->is_released = true;
	follow_in(s, e);
}

void client_store_forgotten(struct client_store *s, struct store_in *e)
{
	e->is_forgotten = true;
	follow_in(s, e);
}

static int put_alone(struct client_store *s, const struct store_record *r)
{
	struct store_ticket *t;
	int error = new_ticket(r, &t);
	if (!error)
		append(s, t);
	return error;
}

int client_store_session(struct client_store *s)
{
	return put_alone(s, &(struct store_record){.kind = STORE_SESSION});
}

int client_store_sending(struct client_store *s)
{
	struct store_record r = {.kind = STORE_SENDING, .number = s->state.next_out};
	return put_alone(s, &r);
}

int client_store_put_identity(struct client_store *s)
{
	struct store_record r = {.kind = STORE_IDENTITY,
				 .number = s->state.next_out,
				 .client_id = span_of_text(s->state.client_id)};
	return put_alone(s, &r);
}

/* --- what comes back --- */

static void apply_out(struct client_store *s, struct store_ticket *t)
{
	struct store_out *e = t->subject;
	switch (t->record.kind) {
	case STORE_OUT: store_state_keep_out(&s->state, e, t->entry.position); break;
	case STORE_RECEIVED: store_state_received(&s->state, e); break;
	default: store_state_drop_out(&s->state, e); return;
	}
	follow_out(s, e);
}

static void apply_in(struct client_store *s, struct store_ticket *t)
{
	struct store_in *e = t->subject;
	uint64_t number = e->number;
	switch (t->record.kind) {
	case STORE_IN: store_state_keep_in(&s->state, e, t->entry.position); break;
	case STORE_ACKED: store_state_acked(&s->state, e, t->record.reason_code); break;
	case STORE_RELEASED: store_state_released(&s->state, e); break;
	default: store_state_drop_in(&s->state, e); return;
	}
	e = store_state_in(&s->state, number);
	if (e)
		follow_in(s, e);
}

static void write_checkpoint(struct client_store *s, uint64_t position)
{
	struct log *log = journal_log(s->journal);
	struct log_image *image;
	s->has_checkpoint = false;
	if (store_state_image(&s->state, &image) == 0)
		log->ops->checkpoint(log, position, image);
}

static void apply(struct client_store *s, struct store_ticket *t)
{
	switch (t->record.kind) {
	case STORE_OUT:
	case STORE_RECEIVED:
	case STORE_DONE: apply_out(s, t); break;
	case STORE_IN:
	case STORE_ACKED:
	case STORE_RELEASED:
	case STORE_FORGOTTEN: apply_in(s, t); break;
	case STORE_SESSION: store_state_begin_session(&s->state); break;
	case STORE_SENDING: store_state_sending(&s->state, t->record.number); break;
	case STORE_CHECKPOINT: write_checkpoint(s, t->entry.position); break;
	default: break; /* IDENTITY: known since it was put */
	}
}

/* One that carried a message is its own; any other lies in an entry, which may be gone after. */
static void came_back(struct client_store *s, struct store_ticket *t)
{
	bool is_message = t->record.kind == STORE_OUT || t->record.kind == STORE_IN;
	int error = t->batch.error;
	struct store_ticket *owned = t->is_long ? t : NULL;
	t->is_busy = false;
	if (s->hooks.happened && t->record.kind != STORE_CHECKPOINT)
		s->hooks.happened(s->hooks.context, &t->record, t->subject, error);
	if (t->subject && (is_lost(t) || (error && is_message)))
		drop(s, t);
	else if (!error)
		apply(s, t);
	else if (t->record.kind == STORE_CHECKPOINT)
		s->has_checkpoint = false;
	mem_free(owned);
}

static void committed(void *context, struct log_batch *batch)
{
	struct client_store *s = context;
	s->hooks.lock(s->hooks.context);
	came_back(s, ticket_of(batch));
	s->hooks.unlock(s->hooks.context);
}

/* --- what the journal asks --- */

static void checkpoint_wanted(void *context)
{
	struct client_store *s = context;
	s->hooks.lock(s->hooks.context);
	if (!s->has_checkpoint && s->is_started) {
		s->has_checkpoint = true;
		put_short(s, &s->checkpoint, STORE_CHECKPOINT, 0, 0, false);
	}
	s->hooks.unlock(s->hooks.context);
}

static void health(void *context, enum log_health health, const char *text)
{
	static const char *const texts[] = {
		[LOG_GOOD] = "The store has room again.",
		[LOG_FULL] = "The store is full: no message is taken until some are delivered, or "
			     "the disk has more room.",
		[LOG_FAILED] = "The store cannot be written any more: nothing is taken until the "
			       "client is made anew.",
	};
	struct client_store *s = context;
	(void)text;
	if (s->hooks.say)
		s->hooks.say(s->hooks.context, texts[health]);
	if (s->hooks.changed)
		s->hooks.changed(s->hooks.context);
}

static bool references(void *context, struct span image,
		       void (*found)(void *found_context, uint64_t position), void *found_context)
{
	(void)context;
	return store_state_references(image, found, found_context);
}

static void say(void *context, bool is_warning, const char *text)
{
	struct client_store *s = context;
	if (is_warning && s->hooks.say)
		s->hooks.say(s->hooks.context, text);
}

static uint64_t now_ms(void *context)
{
	struct client_store *s = context;
	return s->hooks.now_ms(s->hooks.context);
}

bool client_store_step(struct client_store *s)
{
	return journal_step(s->journal);
}

enum log_health client_store_health(const struct client_store *s)
{
	return (enum log_health)atomic_load(&journal_log(s->journal)->health);
}

bool client_store_has_room(const struct client_store *s, size_t len)
{
	bool is_empty = s->state.live_bytes == 0;
	return is_empty || s->state.live_bytes + len <= s->live_bytes_max;
}

/* --- life --- */

const struct journal_hooks client_store_journal_hooks = {
	.committed = committed,
	.checkpoint_wanted = checkpoint_wanted,
	.health = health,
	.references = references,
	.say = say,
	.now_ms = now_ms,
};
