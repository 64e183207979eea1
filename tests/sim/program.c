/* SPDX-License-Identifier: Apache-2.0 */
/* What happens in a simulated world: turns, bytes, clients' doings, faults, time; and now and then
 * a checkpoint, at which everybody comes back and nothing may be left over. */
#include "world.h"

#define ROUNDS_MAX 1000000   /* far more than the longest backlog takes, byte by byte */
#define CHECKPOINT_EVERY 150 /* steps, about */
#define CRASH_EVERY 300
#define PATIENCE_MS 6000 /* longer than any answer may be held back */

static struct client *any_client(struct world *w)
{
	return &w->clients[random_below(&w->random, w->client_count)];
}

static void close_zombies(struct world *w)
{
	while (w->zombie_count > 0) {
		struct stream *s = &w->zombies[--w->zombie_count].stream;
		s->ops->close(s);
	}
}

/* All that was under way has arrived, and the broker knows who is gone. */
static void note_quiet(struct world *w)
{
	if (w->disk && (kit_is_dark(&w->kit) || !kit_is_settled(&w->kit)))
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

static void some_turns(struct world *w)
{
	unsigned count = 1 + random_below(&w->random, 6);
	for (unsigned i = 0; i < count; i++)
		if (!kit_step(&w->kit)) {
			if (!w->kit.frozen)
				note_quiet(w);
			return;
		}
}

/* Some threads do not run for a while, whatever comes in for them. */
static void freeze(struct world *w)
{
	w->kit.frozen = random_next(&w->random) & random_next(&w->random);
	w->thaw_step = w->steps + 5 + random_below(&w->random, 60);
}

static void some_time(struct world *w)
{
	struct random *r = &w->random;
	uint64_t ms = 1 + random_below(r, 10);
	if (random_chance(r, 2))
		ms = 1000 + random_below(r, 30000);
	if (random_chance(r, 1))
		ms = 60000 + random_below(r, 60000);
	world_note(w, "%llu ms pass", (unsigned long long)ms);
	kit_advance(&w->kit, ms);
	note_quiet(w);
	model_time(w);
}

static void some_fault(struct world *w, struct client *c)
{
	uint32_t choice = random_below(&w->random, 4);
	uint32_t bytes = random_below(&w->random, random_chance(&w->random, 50) ? 40 : 2000);
	client_fault(w, c);
	world_note(w, "%s: fault %u, %u", c->id, choice, bytes);
	switch (choice) {
	case 0: memory_cut(&c->stream); break;
	case 1: memory_cut_after(&c->stream, bytes); break;
	case 2: memory_cut_after(&c->broker_end, bytes); break;
	default: client_lost(w, c, false);
	}
}

static void publish_some(struct world *w, struct client *c)
{
	unsigned count = 1 + random_below(&w->random, random_chance(&w->random, 80) ? 3 : 20);
	for (unsigned i = 0; i < count; i++)
		client_publish(w, c);
}

static void act_online(struct world *w, struct client *c)
{
	uint32_t dice = random_below(&w->random, 100);
	if (dice < 50)
		publish_some(w, c);
	else if (dice < 64)
		client_subscribe(w, c);
	else if (dice < 69)
		client_unsubscribe(w, c);
	else if (dice < 72)
		client_ping(c);
	else if (dice < 76)
		c->is_stopped = !c->is_stopped;
	else if (dice < 80)
		c->is_lazy = !c->is_lazy;
	else if (dice < 92)
		client_answer(w, c);
	else if (dice < 94)
		client_disconnect(w, c);
	else if (dice < 98)
		some_fault(w, c);
	else
		client_connect(w, c); /* takes itself over */
}

static void act(struct world *w, struct client *c)
{
	bool dares = random_chance(&w->random, 5);
	switch (c->phase) {
	case PHASE_OFFLINE:
		if (!c->waits_for_quiet && random_chance(&w->random, 30))
			client_connect(w, c);
		break;
	case PHASE_ONLINE: act_online(w, c); break;
	default:
		if (dares && !c->is_faulty)
			some_fault(w, c);
	}
}

static void step(struct world *w)
{
	uint32_t dice = random_below(&w->random, 100);
	if (++w->steps >= w->thaw_step)
		w->kit.frozen = 0;
	if (dice < 45)
		some_turns(w);
	else if (dice < 75)
		client_pump(w, any_client(w));
	else if (dice < 95)
		act(w, any_client(w));
	else if (dice < 97)
		freeze(w);
	else if (dice < 99)
		some_time(w);
	else
		close_zombies(w);
	if ((w->store || w->disk) && random_below(&w->random, CHECKPOINT_EVERY) == 0)
		broker_want_checkpoint(w->kit.broker);
	if (w->store && random_below(&w->random, CRASH_EVERY) == 0)
		crash(w);
	if (w->disk)
		power_step(w);
}

enum round { ROUND_MOVED, ROUND_WAITING, ROUND_QUIET };

/* Everybody finishes what was begun. */
static enum round finish_round(struct world *w, uint32_t absent)
{
	bool has_moved = false, is_busy = false;
	for (unsigned i = 0; i < w->client_count; i++) {
		struct client *c = &w->clients[i];
		if (c->phase == PHASE_OFFLINE && !c->waits_for_quiet && !(absent >> i & 1))
			client_connect(w, c);
		has_moved |= client_pump(w, c);
		if (c->phase == PHASE_ONLINE)
			client_answer(w, c);
	}
	while (kit_step(&w->kit))
		has_moved = true;
	note_quiet(w);
	for (unsigned i = 0; i < w->client_count; i++) {
		struct client *c = &w->clients[i];
		bool is_missed = c->phase == PHASE_OFFLINE && !(absent >> i & 1);
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
				   c->id, c->phase, c->out_count, c->in_count, buffer_len(&c->out));
	}
	world_fail(w, "it never becomes quiet");
}

static void finish(struct world *w, uint32_t absent)
{
	uint64_t patience_ms = PATIENCE_MS;
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

static void checkpoint(struct world *w, bool is_last)
{
	uint32_t absent =
		is_last ? 0 : (uint32_t)random_next(&w->random) & (uint32_t)random_next(&w->random);
	w->is_quiet = true;
	w->kit.frozen = 0;
	world_note(w, "checkpoint, absent %x", absent);
	if (w->disk)
		power_come_to_rest(w);
	close_zombies(w);
	for (unsigned i = 0; i < w->client_count; i++)
		come_to_rest(&w->clients[i]);
	finish(w, absent);
	kit_advance(&w->kit, 3000);
	model_time(w);
	finish(w, absent);
	model_checkpoint(w);
	probe(w);
	if (w->store)
		crash_check(w);
	if (w->disk) {
		power_check(w);
		power_go_on(w);
	}
	w->is_quiet = false;
}

void program_run(struct world *w, unsigned phases, unsigned steps)
{
	for (unsigned p = 0; p < phases; p++) {
		for (unsigned i = 0; i < steps; i++)
			step(w);
		checkpoint(w, p + 1 == phases);
	}
}
