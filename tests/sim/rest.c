/* SPDX-License-Identifier: Apache-2.0 */
/* Now and then all comes to rest: everybody comes back, finishes what was begun, and nothing may be
 * left over. */
#include "world.h"

#define ROUNDS_MAX 1000000 /* far more than the longest backlog takes, byte by byte */
#define PATIENCE_MS 6000   /* longer than any answer may be held back */
#define SLOW_MS 120000     /* and until clients that are too fast have paid for it */

void close_zombies(struct world *w)
{
	while (w->zombie_count > 0) {
		struct stream *s = &w->zombies[--w->zombie_count].stream;
		s->ops->close(s);
	}
}

/* All that was under way has arrived, and the broker knows who is gone; with a log that has failed
 * the next one may not. */
void note_quiet(struct world *w)
{
	if (w->disk &&
	    (kit_is_dark(&w->kit) || !kit_is_settled(&w->kit) || w->disk->health == LOG_FAILED))
		return;
	for (unsigned i = 0; i < w->client_count; i++) {
		struct client *c = &w->clients[i];
		if (c->phase != PHASE_OFFLINE || w->zombie_count > 0)
			continue;
		c->waits_for_quiet = false;
		if (c->lost_known_ms != NEVER)
			continue;
		c->lost_known_ms = w->kit.now.steady_ms;
		model_session_gone(w);
	}
}

enum round { ROUND_MOVED, ROUND_WAITING, ROUND_QUIET };

/* Everybody finishes what was begun. */
static enum round finish_round(struct world *w, uint32_t absent)
{
	bool has_moved = false, is_busy;
	if (w->disk && w->disk->health == LOG_FAILED)
		power_come_to_rest(w); /* what it met before the rest, it tells only now */
	for (unsigned i = 0; i < w->client_count; i++) {
		struct client *c = &w->clients[i];
		bool is_missed = c->phase == PHASE_OFFLINE && !(absent >> i & 1);
		if (is_missed && !c->waits_for_quiet && !c->is_left_out)
			client_connect(w, c);
		has_moved |= client_pump(w, c);
		if (c->phase == PHASE_ONLINE)
			client_answer(w, c);
	}
	while (kit_step(&w->kit))
		has_moved = true;
	note_quiet(w);
	is_busy = !kit_is_dark(&w->kit) && kit_holds_back(&w->kit);
	for (unsigned i = 0; i < w->client_count; i++) {
		struct client *c = &w->clients[i];
		bool is_missed = c->phase == PHASE_OFFLINE && !(absent >> i & 1) && !c->is_left_out;
		is_busy |= is_missed || client_is_busy(c);
	}
	if (has_moved)
		return ROUND_MOVED;
	return is_busy ? ROUND_WAITING : ROUND_QUIET;
}

static void tell_who_is_stuck(struct world *w)
{
	for (unsigned i = 0; i < w->client_count; i++) {
		struct client *c = &w->clients[i];
		if (client_is_busy(c))
			world_fail(w,
				   "%s is stuck: phase %u, %u sent and %u received not finished, "
				   "%zu bytes to be sent",
				   c->id, c->phase, c->out_count, c->in_count,
				   c->engine ? engine_output(c->engine).len : buffer_len(&c->out));
	}
	world_fail(w, "it never becomes quiet");
}

static void finish(struct world *w, uint32_t absent)
{
	const struct listener_limits *l = &w->settings.limits.listeners[0];
	uint64_t patience_ms = PATIENCE_MS;
	if (l->messages_per_s || l->bytes_per_s)
		patience_ms += SLOW_MS;
	unsigned rounds = 0;
	enum round round;
	while ((round = finish_round(w, absent)) != ROUND_QUIET) {
		if (++rounds == ROUNDS_MAX || patience_ms == 0)
			tell_who_is_stuck(w);
		if (round == ROUND_MOVED)
			continue;
		kit_advance(&w->kit, 500);
		patience_ms -= 500;
		model_time(w);
	}
}

static void probe_handle(struct world *w, struct span packet, uint32_t found[TOPICS])
{
	struct fixed_header h;
	const struct flaw *flaw;
	struct publish p;
	enum header_result result = fixed_header_decode(packet, &h, &flaw);
	ASSERT(result == HEADER_OK);
	if (h.type != PACKET_PUBLISH)
		return;
	struct span body = span_of(packet.ptr + h.header_len, h.remaining_length);
	flaw = publish_decode(h.flags, body, MQTT_5, &p);
	ASSERT(!flaw);
	if (p.payload.len == 0)
		world_fail(w, "an empty message is retained");
	for (unsigned t = 0; t < TOPICS; t++) {
		if (!span_is_equal(p.topic, span_of_text(topics[t])))
			continue;
		if (found[t])
			world_fail(w, "two messages are retained for %s", topics[t]);
		found[t] = payload_read(w, p.payload);
	}
}

static size_t probe_hello(uint8_t *bytes, size_t len)
{
	uint8_t text[32];
	struct room room = {bytes, len};
	struct writer writer = writer_of((struct room){text, sizeof(text)});
	struct subscription_options options = {.qos = 0};
	struct connect hello = {
		.version = MQTT_5, .clean_start = true, .client_id = SPAN_LITERAL("probe")};
	struct subscribe ask = {.packet_id = 1};
	properties_clear(&hello.properties);
	properties_clear(&ask.properties);
	subscribe_filter_encode(&writer, SPAN_LITERAL("#"), &options);
	subscribe_filter_encode(&writer, SPAN_LITERAL("$x/#"), &options);
	ask.filters = span_of(text, (size_t)(writer.ptr - text));
	size_t used = connect_encode(&hello, room);
	room = (struct room){bytes + used, len - used};
	return used + subscribe_encode(&ask, MQTT_5, room);
}

/* Someone who has just come asks for all that is retained. */
static void probe(struct world *w)
{
	static uint8_t block[100000];
	uint32_t found[TOPICS] = {0};
	struct buffer in = {0};
	struct fixed_header h;
	const struct flaw *flaw;
	struct stream s = kit_open(&w->kit, 0, 10000, NULL);
	struct span hello = span_of(block, probe_hello(block, sizeof(block)));
	long n = s.ops->write(&s, &hello, 1);
	ASSERT(n == (long)hello.len);
	do {
		kit_settle(&w->kit);
		n = s.ops->read(&s, (struct room){block, sizeof(block)});
		ASSERT(n != 0 && n != ERROR_CLOSED);
		if (n > 0 && buffer_append(&in, span_of(block, (size_t)n)))
			ASSERT(!"memory");
	} while (n > 0);
	while (fixed_header_decode(buffer_content(&in), &h, &flaw) == HEADER_OK) {
		size_t len = (size_t)h.header_len + h.remaining_length;
		ASSERT(len <= buffer_len(&in));
		probe_handle(w, span_of(buffer_content(&in).ptr, len), found);
		buffer_consume(&in, len);
	}
	buffer_release(&in);
	s.ops->close(&s);
	kit_settle(&w->kit);
	model_retained(w, found);
}

/* Is the connection that was left behind at its end? What came on it goes nowhere. */
static bool has_ended(struct zombie *z)
{
	uint8_t block[4096];
	long n;
	do
		n = z->stream.ops->read(&z->stream, (struct room){block, sizeof(block)});
	while (n > 0);
	return n != ERROR_AGAIN;
}

/* Whoever says nothing for one and a half times its keep alive is closed [MQTT-3.1.2-22]. */
static void end_silent(struct world *w)
{
	bool has_silent = false;
	for (unsigned i = 0; i < w->zombie_count; i++)
		has_silent |= w->zombies[i].keep_alive > 0;
	if (!has_silent)
		return;
	/* what it has written before may still be on its way: therefore twice */
	for (unsigned n = 0; n < 2; n++) {
		kit_advance(&w->kit, KEEP_ALIVE_S * 1500 + 1000);
		model_time(w);
	}
	for (unsigned i = 0; i < w->zombie_count; i++) {
		if (w->zombies[i].keep_alive == 0 || kit_is_dark(&w->kit))
			continue;
		if (!has_ended(&w->zombies[i]))
			world_fail(w, "the broker keeps a connection whose client is silent");
		w->silent_ends++;
	}
}

static void come_to_rest(struct client *c)
{
	c->is_stopped = c->is_lazy = false;
	if (c->phase == PHASE_OFFLINE)
		return;
	if (c->is_faulty)
		memory_cut(&c->stream); /* what was begun is done */
	else if (c->keep_alive > 0 && c->phase == PHASE_ONLINE)
		client_ping(c);
}

/* What came with PUBREL, or needed none, its engine has handed on. */
static void judge_engines(struct world *w)
{
	for (unsigned i = 0; i < w->client_count; i++) {
		struct client *c = &w->clients[i];
		if (c->engine && c->phase == PHASE_ONLINE && buffer_len(&c->owed) > 0)
			world_fail(w, "%s: its engine keeps %zu messages to itself", c->id,
				   buffer_len(&c->owed) / sizeof(uint32_t));
	}
}

void rest(struct world *w, bool is_last)
{
	uint32_t absent =
		is_last ? 0 : (uint32_t)random_next(&w->random) & (uint32_t)random_next(&w->random);
	w->kit.frozen = 0;
	hostile_end(w);
	w->is_quiet = true;
	world_note(w, "checkpoint, absent %x", absent);
	if (w->disk)
		power_come_to_rest(w);
	end_silent(w);
	close_zombies(w);
	for (unsigned i = 0; i < w->client_count; i++)
		come_to_rest(&w->clients[i]);
	finish(w, absent);
	kit_advance(&w->kit, 3000);
	model_time(w);
	finish(w, absent);
	judge_engines(w);
	model_checkpoint(w);
	if (!w->has_small_output)
		probe(w);
	if (w->store)
		crash_check(w);
	if (w->disk) {
		power_check(w);
		power_go_on(w);
	}
	w->is_quiet = false;
}
