/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/admission.h"

#include "base/hash.h"
#include "broker/see.h"
#include "broker/shard.h"
#include "broker/shed.h"

enum key_kind { KEY_ADDRESS, KEY_USER, KEY_CLIENT_ID };

static const char text_banned[] = "banned for what was done before";
static const char text_busy[] = "the server has too much to do, or too little memory";
static const char text_crowded[] = "too many connections of its address";

static const struct limit_settings *limits_now(const struct shard *s)
{
	return &s->settings->limits;
}

static bool is_exempt(const struct limit_settings *set, const uint8_t ip[IP_BYTES])
{
	for (unsigned i = 0; i < set->exempt_count; i++)
		if (network_has(&set->exempt[i], ip))
			return true;
	return false;
}

/* In a network whose clients have no limits? */
static bool is_trusted(const struct shard *s, const char *address)
{
	uint8_t ip[IP_BYTES];
	return limits_now(s)->exempt_count > 0 && address && ip_of_address(address, ip) &&
	       is_exempt(limits_now(s), ip);
}

/* False: no network's address. */
static bool key_of_any_address(const struct shard *s, const char *address, struct ledger_key *out)
{
	uint8_t ip[IP_BYTES];
	if (!address || !ip_of_address(address, ip))
		return false;
	if (!ip_is_v4(ip))
		ip_cut(ip, s->broker->guard.ipv6_prefix);
	out->bytes[0] = KEY_ADDRESS;
	memcpy(out->bytes + 1, ip, IP_BYTES);
	return true;
}

/* False also for one that has no limits. */
static bool key_of_address(const struct shard *s, const char *address, struct ledger_key *out)
{
	return !is_trusted(s, address) && key_of_any_address(s, address, out);
}

static struct ledger_key key_of_name(const struct shard *s, enum key_kind kind, struct span name)
{
	struct ledger_key key = {.bytes = {(uint8_t)kind}};
	uint64_t hashes[2] = {hash_bytes(name, s->broker->seed + kind),
			      hash_bytes(name, ~s->broker->seed - kind)};
	memcpy(key.bytes + 1, hashes, sizeof(hashes));
	return key;
}

static struct ledger *ledger_of(struct shard *s)
{
	return &s->broker->guard.ledger;
}

static uint32_t marks_max_of(const struct ban_settings *b, enum ledger_mark mark)
{
	switch (mark) {
	case MARK_FAILED_LOGIN: return b->failed_logins_max;
	case MARK_ERROR: return b->errors_max;
	default: return b->connects_max;
	}
}

static bool has_bans(const struct ban_settings *b)
{
	return b->failed_logins_max || b->errors_max || b->connects_max;
}

/* What is asked of an address when it comes. */
static bool looks_at_addresses(const struct limit_settings *set, unsigned listener)
{
	return set->listeners[listener].connections_per_address ||
	       (set->ban.of_addresses && has_bans(&set->ban));
}

/* --- when it comes --- */

uint64_t shard_accept_wait_ms(struct shard *s, unsigned listener)
{
	struct guard *guard = &s->broker->guard;
	uint64_t wait_ms = guard_connect_wait_ms(guard, limits_now(s), listener, s->now.steady_ms);
	uint64_t late_ms = shed_accept_wait_ms(s);
	if (late_ms > wait_ms)
		wait_ms = late_ms;
	if (wait_ms > 0)
		guard_count(guard, GUARD_CONNECTS_HELD);
	return wait_ms;
}

static void see_refused(struct shard *s, const char *address, uint8_t code, const char *text)
{
	struct event *e = shard_event(s, EVENT_CONNECTION_REFUSED, NULL);
	struct event_detail detail = {.address = span_of_text(address), .text = text};
	e->reason_code = code;
	if (shard_is_watched(s) && quiet_allows(&s->quiet_refused, s->now.steady_ms, &e->number))
		s->broker->hooks.event(s->broker->hooks.context, s->index, e, &detail);
}

/* One more connection of that address. Counted, or not looked at, is a welcome. */
static enum ledger_answer enter(struct shard *s, const char *address, unsigned listener,
				bool *is_counted_out)
{
	struct guard *guard = &s->broker->guard;
	struct ledger_key key;
	if (!looks_at_addresses(limits_now(s), listener) || !key_of_address(s, address, &key))
		return LEDGER_WELCOME;
	uint32_t connections_max = limits_now(s)->listeners[listener].connections_per_address;
	enum ledger_answer answer =
		ledger_enter(&guard->ledger, &key, connections_max, s->now.steady_ms);
	*is_counted_out = answer == LEDGER_WELCOME;
	if (answer != LEDGER_WELCOME)
		guard_count(guard, answer == LEDGER_BANNED ? GUARD_BANNED : GUARD_CROWDED);
	return answer;
}

bool shard_admits(struct shard *s, struct peer *peer)
{
	guard_connected(&s->broker->guard, limits_now(s), peer->listener, s->now.steady_ms);
	if (peer->is_proxied)
		return true;
	switch (enter(s, peer->address, peer->listener, &peer->is_counted)) {
	case LEDGER_BANNED: see_refused(s, peer->address, REASON_BANNED, text_banned); return false;
	case LEDGER_TOO_MANY:
		see_refused(s, peer->address, REASON_QUOTA_EXCEEDED, text_crowded);
		return false;
	default: return true;
	}
}

static void leave(struct shard *s, const char *address)
{
	struct ledger_key key;
	if (key_of_any_address(s, address, &key))
		ledger_leave(ledger_of(s), &key);
}

void shard_dismiss(struct shard *s, const struct peer *peer)
{
	if (peer->is_counted)
		leave(s, peer->address);
}

bool shard_admits_proxied(struct shard *s, const char *address)
{
	const struct ban_settings *b = &limits_now(s)->ban;
	struct ledger_key key;
	if (!b->of_addresses || !has_bans(b) || !key_of_address(s, address, &key) ||
	    !ledger_is_banned(ledger_of(s), &key, s->now.steady_ms))
		return true;
	guard_count(&s->broker->guard, GUARD_BANNED);
	return false;
}

/* --- CONNECT --- */

static bool is_name_banned(struct shard *s, enum key_kind kind, struct span name)
{
	struct ledger_key key = key_of_name(s, kind, name);
	return ledger_is_banned(ledger_of(s), &key, s->now.steady_ms);
}

static const char *address_of(const struct connection *c)
{
	return c->is_proxied ? stream_peer(&c->stream).address : c->address;
}

/* Of one that came by a proxy, the address is known only now. */
static enum ledger_answer enter_proxied(struct connection *c)
{
	bool is_counted = false;
	if (!c->is_proxied || c->is_counted)
		return LEDGER_WELCOME;
	enum ledger_answer answer = enter(c->shard, address_of(c), c->listener, &is_counted);
	c->is_counted = is_counted;
	return answer;
}

static const struct flaw flaw_banned = {REASON_BANNED, text_banned};

const struct flaw *admission_judge_user(struct connection *c, struct span user_name)
{
	const struct ban_settings *b = &limits_now(c->shard)->ban;
	if (!has_bans(b) || !b->of_users || c->is_exempt ||
	    !is_name_banned(c->shard, KEY_USER, user_name))
		return NULL;
	guard_count(&c->shard->broker->guard, GUARD_BANNED);
	return &flaw_banned;
}

const struct flaw *admission_judge(struct connection *c, const struct connect *p)
{
	static const struct flaw flaw_busy = {REASON_SERVER_BUSY, text_busy};
	static const struct flaw flaw_crowded = {REASON_QUOTA_EXCEEDED, text_crowded};
	struct shard *s = c->shard;
	const struct ban_settings *b = &limits_now(s)->ban;
	enum ledger_answer answer = enter_proxied(c);
	if (answer != LEDGER_WELCOME)
		return answer == LEDGER_BANNED ? &flaw_banned : &flaw_crowded;
	c->is_exempt = is_trusted(s, address_of(c));
	if (shed_connections(s, p->client_id) && !c->is_exempt) {
		guard_count(&s->broker->guard, GUARD_BUSY);
		return &flaw_busy;
	}
	if (LIKELY(!has_bans(b)) || c->is_exempt)
		return NULL;
	if ((b->of_users && p->has_user_name && is_name_banned(s, KEY_USER, p->user_name)) ||
	    (b->of_client_ids && is_name_banned(s, KEY_CLIENT_ID, p->client_id))) {
		guard_count(&s->broker->guard, GUARD_BANNED);
		return &flaw_banned;
	}
	return NULL;
}

/* --- what leads to a ban --- */

static void see_banned(struct connection *c, enum key_kind kind, enum ledger_mark mark,
		       struct span name)
{
	static const char *const reasons[] = {
		[MARK_FAILED_LOGIN] = "too many failed logins",
		[MARK_ERROR] = "too many errors",
		[MARK_CONNECT] = "it connects too often",
	};
	struct shard *s = c->shard;
	struct event *e = shard_event(s, EVENT_BANNED, NULL);
	struct event_detail detail = {.text = reasons[mark]};
	e->number = limits_now(s)->ban.ban_s;
	guard_count(&s->broker->guard, GUARD_BANS);
	if (kind == KEY_ADDRESS)
		detail.address = name;
	else if (kind == KEY_USER)
		detail.user_name = name;
	else
		detail.client_id = name;
	uint32_t unused;
	if (shard_is_watched(s) && quiet_allows(&s->quiet_limited, s->now.steady_ms, &unused))
		s->broker->hooks.event(s->broker->hooks.context, s->index, e, &detail);
}

static void note(struct connection *c, enum key_kind kind, const struct ledger_key *key,
		 enum ledger_mark mark, struct span name)
{
	struct shard *s = c->shard;
	const struct ban_settings *b = &limits_now(s)->ban;
	const struct ledger_rule rule = {
		.marks_max = marks_max_of(b, mark),
		.window_ms = b->window_s * 1000ull,
		.ban_ms = b->ban_s * 1000ull,
	};
	if (ledger_note(ledger_of(s), key, mark, &rule, s->now.steady_ms))
		see_banned(c, kind, mark, name);
}

static void note_address(struct connection *c, enum ledger_mark mark)
{
	struct ledger_key key;
	const char *address = address_of(c);
	if (limits_now(c->shard)->ban.of_addresses && key_of_address(c->shard, address, &key))
		note(c, KEY_ADDRESS, &key, mark, span_of_text(address));
}

static void note_name(struct connection *c, enum key_kind kind, enum ledger_mark mark,
		      struct span name)
{
	struct ledger_key key = key_of_name(c->shard, kind, name);
	if (name.len > 0 && !c->is_exempt)
		note(c, kind, &key, mark, name);
}

void admission_connected(struct connection *c, struct span client_id)
{
	const struct ban_settings *b = &limits_now(c->shard)->ban;
	if (LIKELY(!b->connects_max))
		return;
	note_address(c, MARK_CONNECT);
	if (b->of_client_ids)
		note_name(c, KEY_CLIENT_ID, MARK_CONNECT, client_id);
}

static bool is_about_login(uint8_t reason_code)
{
	return reason_code == REASON_BAD_USER_NAME_OR_PASSWORD ||
	       reason_code == REASON_NOT_AUTHORIZED;
}

void admission_failed(struct connection *c, const struct connect *p, uint8_t reason_code)
{
	const struct ban_settings *b = &limits_now(c->shard)->ban;
	if (LIKELY(!b->failed_logins_max) || !is_about_login(reason_code))
		return;
	if (b->of_users && p->has_user_name)
		note_name(c, KEY_USER, MARK_FAILED_LOGIN, p->user_name);
	if (b->of_client_ids)
		note_name(c, KEY_CLIENT_ID, MARK_FAILED_LOGIN, p->client_id);
}

/* What a client that speaks MQTT as it should is never told. */
static bool is_error(uint8_t reason_code)
{
	switch (reason_code) {
	case REASON_MALFORMED_PACKET:
	case REASON_PROTOCOL_ERROR:
	case REASON_TOPIC_ALIAS_INVALID:
	case REASON_PACKET_TOO_LARGE:
	case REASON_RECEIVE_MAXIMUM_EXCEEDED:
	case REASON_MESSAGE_RATE_TOO_HIGH: return true;
	default: return false;
	}
}

/* Refused in its handshake (TLS, WebSocket, a proxy's header), or silent instead of CONNECT. */
static bool failed_before_connect(const struct connection *c, const struct farewell *why)
{
	return c->state == CONNECTION_NEW && c->version == 0 &&
	       (stream_reason(&c->stream) || why->reason_code == REASON_UNSPECIFIED_ERROR);
}

void admission_ended(struct connection *c, const struct farewell *why)
{
	const struct ban_settings *b = &limits_now(c->shard)->ban;
	if (LIKELY(!has_bans(b)))
		return;
	if (!c->session && is_about_login(why->reason_code))
		note_address(c, MARK_FAILED_LOGIN);
	else if (is_error(why->reason_code) || failed_before_connect(c, why))
		note_address(c, MARK_ERROR);
}

void admission_left(struct connection *c)
{
	if (UNLIKELY(c->is_counted))
		leave(c->shard, c->address);
	c->is_counted = false;
}
