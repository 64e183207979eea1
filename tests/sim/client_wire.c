/* SPDX-License-Identifier: Apache-2.0 */
/* A client's bytes: out in pieces as the dice say, in and cut into packets, and the end. */
#include "world.h"

bool client_is_busy(const struct client *c)
{
	if (c->phase == PHASE_CONNECTING || c->phase == PHASE_LEAVING)
		return true;
	if (c->phase == PHASE_OFFLINE)
		return false;
	bool is_asking = false;
	for (unsigned i = 0; i < c->interval_count; i++)
		is_asking |= c->intervals[i].from_id || c->intervals[i].until_id;
	if (c->engine && (engine_unfinished(c->engine) > 0 || engine_output(c->engine).len > 0 ||
			  engine_unacknowledged(c->engine) > 0))
		return true;
	return is_asking || c->out_count > 0 || c->in_count > 0 || buffer_len(&c->out) > 0 ||
	       buffer_len(&c->in) > 0 || buffer_len(&c->answers) > 0;
}

static bool transmit(struct world *w, struct client *c)
{
	struct span bytes = c->engine ? engine_output(c->engine) : buffer_content(&c->out);
	size_t all = bytes.len;
	if (bytes.len == 0)
		return false;
	if (!w->is_quiet && random_chance(&w->random, 50))
		bytes.len = 1 + random_below(&w->random, (uint32_t)bytes.len);
	long n = c->stream.ops->write(&c->stream, &bytes, 1);
	if (n == ERROR_CLOSED)
		buffer_release(&c->out); /* an engine's goes when it is told */
	if (n <= 0)
		return n == ERROR_CLOSED;
	if (c->engine)
		engine_wrote(w, c, (size_t)n);
	else
		buffer_consume(&c->out, (size_t)n);
	if ((size_t)n == all) /* only whole packets count for keep alive */
		c->last_write_ms = w->kit.now.steady_ms;
	return true;
}

static void handle_all(struct world *w, struct client *c)
{
	struct fixed_header h;
	const struct flaw *flaw;
	uint32_t connection = c->connection;
	while (c->phase != PHASE_OFFLINE && c->connection == connection) {
		struct span in = buffer_content(&c->in);
		enum header_result result = c->version == MQTT_3_1
						    ? fixed_header_decode_3_1(in, &h, &flaw)
						    : fixed_header_decode(in, &h, &flaw);
		if (result == HEADER_MALFORMED)
			world_fail(w, "%s: malformed packet from the broker", c->id);
		if (result == HEADER_INCOMPLETE ||
		    in.len < (size_t)h.header_len + h.remaining_length)
			return;
		size_t len = (size_t)h.header_len + h.remaining_length;
		client_handle(w, c, span_of(in.ptr, len));
		if (c->phase != PHASE_OFFLINE)
			buffer_consume(&c->in, len);
	}
}

static void notice_end(struct world *w, struct client *c, long n)
{
	/* a broker that cannot store closes connections, perhaps before it reads the DISCONNECT */
	bool was_in_trouble = power_was_in_trouble(w, c->opened);
	bool is_orderly = n == 0 && c->phase == PHASE_LEAVING && !c->is_faulty && !c->keep_alive &&
			  !was_in_trouble;
	bool may_be_slow = c->phase == PHASE_CONNECTING || c->keep_alive > 0 || was_in_trouble;
	if (!is_orderly && !c->is_faulty && !may_be_slow)
		world_fail(w, "%s: the broker closed its connection", c->id);
	client_lost(w, c, is_orderly);
}

static bool receive(struct world *w, struct client *c)
{
	static uint8_t block[100000];
	size_t room = w->is_quiet ? sizeof(block) : 1 + random_below(&w->random, 5000);
	if (c->phase == PHASE_OFFLINE || (c->is_stopped && !w->is_quiet))
		return false;
	long n = c->stream.ops->read(&c->stream, (struct room){block, room});
	if (n == ERROR_AGAIN)
		return false;
	if (n <= 0) {
		notice_end(w, c, n);
		return true;
	}
	if (c->engine) {
		engine_take(w, c, span_of(block, (size_t)n));
		return true;
	}
	int error = buffer_append(&c->in, span_of(block, (size_t)n));
	ASSERT(error == 0);
	handle_all(w, c);
	return true;
}

bool client_pump(struct world *w, struct client *c)
{
	if (c->phase == PHASE_OFFLINE)
		return false;
	bool has_moved = transmit(w, c);
	has_moved |= receive(w, c);
	if (c->engine && c->phase != PHASE_OFFLINE)
		engine_look(w, c);
	return has_moved;
}
