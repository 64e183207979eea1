/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/connection.h"

#include "base/mem.h"
#include "broker/admission.h"
#include "broker/admit.h"
#include "broker/authenticate.h"
#include "broker/deliver.h"
#include "broker/handle.h"
#include "broker/mount.h"
#include "broker/packet.h"
#include "broker/see.h"
#include "broker/shard.h"
#include "broker/throttle.h"

#define CLOSING_MS 2000 /* patience for the last bytes of a goodbye */
#define WALL_CLOCK_LOOK_MS 60000
#define FLUSH_EARLY_BYTES (256u << 10)
#define FLUSH_ROUNDS 4 /* of one connection in one turn, then others have theirs */

const struct farewell connection_taken_over = {.reason_code = REASON_SESSION_TAKEN_OVER,
					       .tell = true,
					       .text = "session taken over by another connection"};

static bool mount(struct connection *c, struct mount *m)
{
	if (!m)
		return true;
	if (!connection_has_extras(c))
		return false;
	c->extras->mount = mount_ref(m);
	c->is_mounted = true;
	return true;
}

static void unmount(struct connection *c)
{
	if (c->is_mounted)
		mount_unref(c->extras->mount);
}

struct connection *connection_new(struct shard *s, const struct stream *stream,
				  const struct peer *peer)
{
	size_t address_len = strnlen(peer->address, sizeof(peer->address) - 1);
	/* what lies between may know better where it comes from */
	size_t room = stream->layered ? sizeof(peer->address) : address_len + 1;
	struct connection *c = mem_zalloc(offsetof(struct connection, address) + room);
	struct stream copy = *stream;
	if (!c) {
		copy.ops->close(&copy);
		return NULL;
	}
	c->stream = copy;
	c->shard = s;
	c->port = peer->port;
	c->answer = peer->answer & 3;
	ASSERT(peer->realm < REALMS_MAX);
	c->realm = peer->realm & 0x3F;
	c->is_named_by_user = peer->is_named_by_user;
	c->refused_versions = peer->refused_versions & 0x3F;
	ASSERT(peer->listener < LIMIT_LISTENERS_MAX);
	c->listener = peer->listener & 0x3F;
	c->is_proxied = peer->is_proxied;
	c->is_counted = peer->is_counted;
	c->packet_bytes_max = PACKET_BYTES_MAX;
	c->wants_problem_information = true;
	memcpy(c->address, peer->address, address_len);
	if (!mount(c, peer->mount)) {
		c->stream.ops->close(&c->stream);
		mem_free(c);
		return NULL;
	}
	if (connection_attach(c)) {
		unmount(c);
		mem_free(c->extras);
		mem_free(c);
		return NULL;
	}
	c->terms = settings_ref(s->settings);
	return c;
}

int connection_attach(struct connection *c)
{
	struct shard *s = c->shard;
	const struct broker_hooks *hooks = &s->broker->hooks;
	int error = hooks->attach(hooks->context, s->index, &c->stream);
	if (error)
		return error;
	list_append(&s->connections, &c->link);
	s->connection_count++;
	s->has_mounts |= c->is_mounted;
	c->last_packet_ms = s->now.steady_ms;
	timer_set(&s->connection_timers, &c->timer,
		  s->now.steady_ms + s->settings->connect_timeout_ms);
	return 0;
}

static void want(struct connection *c)
{
	bool may_read = !c->is_paused && !c->is_congested && !c->is_full && !c->is_waiting &&
			!c->is_held && !c->is_throttled && connection_takes_packets(c);
	if (stream_is_open(&c->stream))
		c->stream.ops->want(&c->stream, may_read, c->is_blocked);
}

void connection_mark_dirty(struct connection *c)
{
	if (c->is_dirty)
		return;
	c->is_dirty = true;
	c->next_dirty = c->shard->dirty;
	c->shard->dirty = c;
}

void connection_doom(struct connection *c)
{
	c->is_doomed = true;
	connection_mark_dirty(c);
}

uint8_t *connection_packet(struct connection *c, size_t len)
{
	uint8_t *p = c->state >= CONNECTION_CLOSED
			     ? NULL
			     : output_reserve(&c->output, &c->shard->chunks, len);
	if (UNLIKELY(!p))
		connection_doom(c);
	return p;
}

/* Its input, kept or to be read, is gone on with at the next turn. */
static void resume(struct connection *c)
{
	want(c);
	if (c->is_resumed || c->state >= CONNECTION_CLOSING)
		return;
	c->is_resumed = true;
	c->next_resumed = c->shard->resumed;
	c->shard->resumed = c;
	c->shard->has_work = true;
}

/* Writes once or until the kernel takes no more; a failure dooms the connection. */
static void write_some(struct connection *c)
{
	struct span parts[STREAM_PARTS_MAX];
	while (c->output.bytes > 0) {
		unsigned count = output_parts(&c->output, parts, STREAM_PARTS_MAX);
		size_t len = 0;
		for (unsigned i = 0; i < count; i++)
			len += parts[i].len;
		long n = c->stream.ops->write(&c->stream, parts, count);
		if (n == ERROR_CLOSED) {
			connection_doom(c);
			return;
		}
		if (n > 0) {
			c->shard->status.bytes_out += (uint64_t)n;
			output_consume(&c->output, &c->shard->chunks, (size_t)n);
		}
		if (UNLIKELY(c->is_full && c->output.bytes < OUTPUT_FULL_BYTES / 2)) {
			c->is_full = false;
			resume(c);
		}
		if (n < 0 || (size_t)n < len) {
			c->is_blocked = true;
			want(c);
			return;
		}
	}
}

void connection_packet_done(struct connection *c, size_t len)
{
	output_commit(&c->output, &c->shard->chunks, len);
	connection_mark_dirty(c);
	if (UNLIKELY(c->output.bytes >= FLUSH_EARLY_BYTES && !c->is_blocked && !c->is_doomed &&
		     stream_is_open(&c->stream)))
		write_some(c);
}

static void close_now(struct connection *c)
{
	struct shard *s = c->shard;
	if (c->state == CONNECTION_CLOSED)
		return;
	c->state = CONNECTION_CLOSED;
	if (stream_is_open(&c->stream))
		c->stream.ops->close(&c->stream);
	c->stream.ops = NULL;
	timer_cancel(&s->connection_timers, &c->timer);
	link_remove(&c->link);
	admission_left(c);
	list_append(&s->graveyard, &c->link);
	s->connection_count--;
	atomic_fetch_sub(&s->broker->connection_count, 1);
	atomic_fetch_sub(&s->broker->guard.connections_of[c->listener], 1);
}

bool connection_has_extras(struct connection *c)
{
	if (!c->extras)
		c->extras = mem_zalloc(sizeof(*c->extras));
	return c->extras != NULL;
}

void connection_free(struct connection *c)
{
	if (c->state != CONNECTION_CHECKING)
		identity_unref(c->shard, c->identity);
	output_release(&c->output, &c->shard->chunks);
	authenticate_forget(c);
	unmount(c);
	throttle_free(c);
	if (c->extras) {
		aliases_in_free(c->extras->in);
		aliases_out_free(c->extras->out);
	}
	mem_free(c->extras);
	admission_left(c);
	mem_free(c->input);
	settings_unref(c->terms);
	mem_free(c);
}

/* Refused, as anybody may be who guesses names and passwords: not each needs a line. */
static bool is_about_access(uint8_t reason_code)
{
	return reason_code == REASON_BAD_USER_NAME_OR_PASSWORD ||
	       reason_code == REASON_NOT_AUTHORIZED || reason_code == REASON_SERVER_BUSY;
}

void connection_end(struct connection *c, const struct farewell *why)
{
	struct shard *s = c->shard;
	struct session *session = c->session;
	if (c->state >= CONNECTION_CLOSING)
		return;
	admission_ended(c, why);
	admit_forget(c);
	/* not before CONNACK [MQTT-3.14.0-1]; nothing follows [MQTT-3.14.4-1, -2] */
	if (why->tell && c->state == CONNECTION_OPEN && c->version == MQTT_5)
		send_disconnect(c, why->reason_code, why->text);
	struct event *e =
		shard_event(s, session ? EVENT_CLIENT_DISCONNECTED : EVENT_CONNECTION_REFUSED, c);
	e->reason_code = why->reason_code;
	e->flags = why->is_clean ? EVENT_FLAG_CLEAN : 0;
	if (why->reason_code == REASON_KEEP_ALIVE_TIMEOUT)
		e->number = (uint32_t)((s->now.steady_ms - c->last_packet_ms) / 1000);
	if (session || !is_about_access(why->reason_code) ||
	    quiet_allows(&s->quiet_refused, s->now.steady_ms, &e->number))
		shard_event_show(s, e, c, SPAN_NONE, why->text);
	c->state = CONNECTION_CLOSING;
	want(c);
	timer_set(&s->connection_timers, &c->timer, s->now.steady_ms + CLOSING_MS);
	connection_mark_dirty(c);
	if (!session)
		return;
	will_judge(s, session); /* while it is known whose it is */
	c->session = NULL;
	session->connection = NULL;
	if (session->kept) {
		session->kept->identity = c->identity;
		c->identity = NULL;
	}
	session_detach(s, session, why);
}

/* A flaw ends the connection, told or not [MQTT-4.13.1-1, 4.13.2-1]. */
void connection_fail(struct connection *c, const struct flaw *flaw)
{
	if (c->state == CONNECTION_NEW || c->state == CONNECTION_CHECKING ||
	    c->state == CONNECTION_PROVING || c->state == CONNECTION_CONNECTING) {
		connection_refuse(c, flaw->reason_code, flaw->text);
		return;
	}
	connection_end(c, &(struct farewell){.reason_code = flaw->reason_code,
					     .tell = true,
					     .text = flaw->text});
}

const char *connection_lost_text(const struct connection *c)
{
	const char *reason = stream_reason(&c->stream);
	return reason ? reason : "connection lost";
}

/* A goodbye is over when its last byte is written, or could not be. */
static void finish_closing(struct connection *c)
{
	if (!c->is_doomed && !c->is_blocked)
		write_some(c);
	if (c->is_doomed || c->output.bytes == 0)
		close_now(c);
}

/* Closing changes the loop, which is the business of its thread. */
static void leave_to_own_thread(struct connection *c)
{
	connection_mark_dirty(c);
	c->shard->has_work = true;
}

void connection_flush(struct connection *c)
{
	if (c->shard->is_borrowed && (c->state == CONNECTION_CLOSING || c->is_doomed)) {
		leave_to_own_thread(c);
		return;
	}
	if (c->state == CONNECTION_CLOSING) {
		finish_closing(c);
		return;
	}
	for (int round = 0; !c->is_doomed && !c->is_blocked && round < FLUSH_ROUNDS; round++) {
		write_some(c);
		if (c->is_blocked || c->is_doomed || !c->session ||
		    !deliver_is_due(c->shard, c->session))
			break;
		deliver_pump(c->shard, c->session);
	}
	if (c->is_doomed && c->shard->is_borrowed) {
		leave_to_own_thread(c);
	} else if (c->is_doomed) {
		connection_end(c, &(struct farewell){.text = connection_lost_text(c)});
		close_now(c);
	} else if (!c->is_blocked && c->output.bytes > 0) {
		connection_mark_dirty(c);
		c->shard->has_work = true;
	}
}

void connection_writable(struct connection *c)
{
	c->is_blocked = false;
	want(c);
	connection_mark_dirty(c);
	if (c->session)
		deliver_pump(c->shard, c->session);
}

void connection_pause(struct connection *c)
{
	c->is_paused = true;
	want(c);
}

void connection_unpause(struct connection *c)
{
	c->is_paused = false;
	resume(c);
}

void connection_wait(struct connection *c)
{
	c->is_waiting = true;
	want(c);
}

void connection_go_on(struct connection *c)
{
	c->is_waiting = false;
	resume(c);
}

void connection_hold(struct connection *c)
{
	c->is_held = true;
	want(c);
}

void connection_let_go(struct connection *c)
{
	c->is_held = false;
	resume(c);
}

void connection_throttle(struct connection *c)
{
	c->is_throttled = true;
	want(c);
}

void connection_go_on_fast(struct connection *c)
{
	c->is_throttled = false;
	resume(c);
}

void connection_congest(struct connection *c)
{
	c->is_congested = true;
	want(c);
}

void connection_fill(struct connection *c)
{
	c->is_full = true;
	want(c);
}

void connection_move(struct connection *c, unsigned to)
{
	struct shard *s = c->shard;
	c->stream.ops->detach(&c->stream);
	timer_cancel(&s->connection_timers, &c->timer);
	link_remove(&c->link);
	s->connection_count--;
	struct letter *letter = bus_letter(s, to, 0);
	*letter = (struct letter){.kind = LETTER_CONNECTION, .object = c};
}

/* One and a half times the interval [MQTT-3.1.2-22]. */
static uint64_t keep_alive_deadline(const struct connection *c)
{
	return c->keep_alive ? c->last_packet_ms + c->keep_alive * 1500ull : UINT64_MAX;
}

/* The opt-in retry of 3.x; version 5 forbids it [MQTT-4.4.0-1]. */
static bool retries(const struct connection *c)
{
	return c->version != MQTT_5 && c->shard->settings->retry_interval_ms > 0;
}

static uint64_t until_ms(const struct connection *c)
{
	return c->extras ? c->extras->until_s * 1000ull : 0;
}

/* What it came in by has an end, by the wall clock, which may be set meanwhile: it is looked at
 * from time to time. */
static uint64_t end_deadline(const struct connection *c)
{
	const struct moment *now = &c->shard->now;
	uint64_t end_ms = until_ms(c);
	if (end_ms == 0)
		return UINT64_MAX;
	uint64_t left = end_ms > now->wall_ms ? end_ms - now->wall_ms : 0;
	return now->steady_ms + (left < WALL_CLOCK_LOOK_MS ? left : WALL_CLOCK_LOOK_MS);
}

static bool has_ended(const struct connection *c)
{
	uint64_t end_ms = until_ms(c);
	return end_ms > 0 && c->shard->now.wall_ms >= end_ms;
}

void connection_start_keep_alive(struct connection *c)
{
	struct shard *s = c->shard;
	uint64_t deadline = keep_alive_deadline(c), end = end_deadline(c);
	uint64_t retry = s->now.steady_ms + s->settings->retry_interval_ms;
	if (retries(c) && retry < deadline)
		deadline = retry;
	if (end < deadline)
		deadline = end;
	if (deadline == UINT64_MAX)
		timer_cancel(&s->connection_timers, &c->timer);
	else
		timer_set(&s->connection_timers, &c->timer, deadline);
}

/* Nothing was acknowledged since the last look: all that is open goes out again. */
static void retry_if_stuck(struct connection *c)
{
	struct send *send = &c->session->send;
	uint32_t oldest = (uint32_t)send->oldest;
	/* a PUBREL may wait for the log: not what a retry is for */
	if (!connection_has_extras(c))
		return;
	bool is_stuck =
		c->extras->retry_oldest == oldest + 1 && !command_is_pending(c->shard, c->session);
	if (!send_is_idle(send) && send->resend == send->next && is_stuck) {
		send_restart(send, send->receive_maximum);
		deliver_pump(c->shard, c->session);
	}
	c->extras->retry_oldest = send_is_idle(send) ? 0 : oldest + 1;
}

void connection_timeout(struct connection *c)
{
	static const struct flaw no_connect = {REASON_UNSPECIFIED_ERROR,
					       "no CONNECT within the connect timeout"};
	static const struct flaw not_verified = {REASON_SERVER_BUSY,
						 "the password was not verified in time"};
	static const struct flaw not_proven = {REASON_NOT_AUTHORIZED,
					       "not authenticated within the connect timeout"};
	/* a new token will do: 0x87 would say that it need not try */
	static const struct farewell time_is_up = {.reason_code = REASON_MAXIMUM_CONNECT_TIME,
						   .tell = true,
						   .text = "its login has expired"};
	struct shard *s = c->shard;
	if (c->state == CONNECTION_CLOSING) {
		close_now(c);
	} else if (c->state == CONNECTION_CHECKING) {
		connection_fail(c, &not_verified);
	} else if (c->state == CONNECTION_PROVING) {
		connection_fail(c, &not_proven);
	} else if (c->state != CONNECTION_OPEN) {
		connection_fail(c, &no_connect);
	} else if (has_ended(c)) {
		connection_end(c, &time_is_up);
	} else if (c->is_paused || c->is_congested || c->is_waiting || c->is_held ||
		   c->is_throttled) {
		c->last_packet_ms = s->now.steady_ms; /* it may have sent: we do not look */
		connection_start_keep_alive(c);
	} else if (keep_alive_deadline(c) <= s->now.steady_ms) {
		connection_end(c, &(struct farewell){.reason_code = REASON_KEEP_ALIVE_TIMEOUT,
						     .tell = true,
						     .text = "keep alive timeout"});
	} else {
		if (retries(c))
			retry_if_stuck(c);
		connection_start_keep_alive(c);
	}
}
