/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole broker in memory and up to three hostile peers, whose settings, order of turns and steps
 * the input chooses (broker_connection.h). What the broker sends must be packets that this client
 * may be sent; it must come to rest after each step, hold no more output than its limits say, serve
 * an innocent client on each shard, and leave no memory behind.
 */
#include "broker_connection.h"
#include "fuzz.h"

#include "access/scram_part.h"
#include "base/buffer.h"
#include "base/mem.h"
#include "broker/shard.h"
#include "kit/kit.h"
#include "unit/mqtt/any_packet.h"

#define PEERS 3
#define SHARDS 2
#define CAPACITY (1u << 20)
#define ALIASES_MAX 100
#define PAD_BYTES 509          /* times 255 is more than the broker's scratch area */
#define PENDING_MAX (1u << 20) /* what a peer has to send */
#define PIECES_MAX 500         /* turns; then streams move more at once, to come to an end */
#define CAPACITY_MIN 64        /* for the same reason */
#define TURNS_MAX 100000       /* a broker that is busy for so long never ends */

struct peer_client {
	struct stream stream, broker_end;
	struct buffer head; /* until the first packet is known */
	struct buffer out, in;
	struct span last; /* packet of the input, for repetitions */
	uint8_t last_first, last_pad;
	uint32_t packet_bytes_max;
	uint16_t alias_max;
	bool has_alias[ALIASES_MAX + 1];
	uint8_t version; /* 0 = the broker does not know it */
	bool is_open, is_ended, is_stopped, is_deaf, acknowledges;
	bool is_head_done, is_connected, is_refused, has_goodbye;
	uint64_t pings_unanswered;
};

static struct kit kit;
static struct settings set;
static struct peer_client peers[PEERS], innocent[SHARDS];
static uint32_t small_capacity;

const struct step_shape step_shapes[STEP_KINDS] = {
	[STEP_PACKET] = {2, 1},    [STEP_PACKET + 1] = {2, 1}, [STEP_PADDED] = {3, 2},
	[STEP_RAW] = {1, 1},       [STEP_REPEAT] = {1, 0},     [STEP_TIME] = {1, 0},
	[STEP_CUT_AFTER] = {1, 0}, [STEP_DEAF_AFTER] = {1, 0}, [STEP_SMALL] = {1, 0},
	[STEP_PIECES] = {1, 0},    [STEP_READ] = {1, 0},
};

/* A password file: the user "user" of RFC 7677, for enhanced authentication. */
#define SALT "W22ZaJ0SNY7soEsUEjb6gQ=="
#define USERS                                                                                      \
	"user:$scram-sha-256$4096$" SALT "$"                                                       \
	"WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=$"                                            \
	"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=\n"
/* What a peer that acknowledges has said first when it is that user, and knows its password. */
#define FIRST_BARE "n=user,r=fuzz"

static struct access *access_with_users(void)
{
	struct access_report report = {.file = "users"};
	struct access *a = access_new(1);
	CHECK(a);
	a->realms[0].allows_anonymous = true;
	a->realms[0].users = users_read(SPAN_LITERAL(USERS), 7, &report);
	CHECK(a->realms[0].users && report.notice_count == 0);
	access_finish(a);
	return a;
}

static void append(struct buffer *b, struct span bytes)
{
	int error = buffer_append(b, bytes);
	CHECK(error == 0);
}

/* Small limits are met early; others are the defaults. */
static void set_up(uint8_t choice)
{
	settings_init(&set);
	set.packet_bytes_max = 150000;
	if (choice & 0x02) {
		set.queue_messages_max = set.absent_queue_messages_max = 3;
		set.queue_bytes_max = set.absent_queue_bytes_max = 3000;
		set.receive_maximum = set.receive_maximum_slack = 2;
		set.in_flight_max = 2;
		set.output_bytes_max = 1000;
		set.topic_alias_max_in = set.topic_alias_max_out = 2;
		set.retained_messages_max = set.subscriptions_per_client_max = 3;
		set.topic_levels_max = 8;
		set.cached_topics_max = 2;
	}
	set.queue_full_policy = (choice >> 2 & 3) % 3;
	set.queue_qos0_absent = (choice >> 2 & 3) == 3;
	set.upgrade_outgoing_qos = choice & 0x10;
	set.retry_interval_ms = choice & 0x10 ? 1000 : 0;
	set.memory_bytes_max = choice & 0x20 ? 6000 : 0;
	if (choice & 0x80) {
		set.session_expiry_max = 60;
		set.qos_max = 1;
		set.keep_alive_max = 60;
		set.retained_bytes_max = 1000;
		set.response_information = "answers/";
	}
}

/* What a peer told the broker of itself, as soon as its first packet is whole. */
static void learn(struct peer_client *p)
{
	struct fixed_header h;
	const struct flaw *flaw;
	struct span head = buffer_content(&p->head);
	enum header_result result = fixed_header_decode(head, &h, &flaw);
	if (result == HEADER_INCOMPLETE && head.len < 5)
		return;
	bool is_connect = result == HEADER_OK && h.type == PACKET_CONNECT &&
			  (size_t)h.header_len + h.remaining_length <= set.packet_bytes_max;
	if (is_connect && head.len < (size_t)h.header_len + h.remaining_length)
		return;
	p->is_head_done = true;
	if (!is_connect)
		return;
	struct connect c;
	flaw = connect_decode(span_of(head.ptr + h.header_len, h.remaining_length), &c);
	p->version = c.version;
	p->packet_bytes_max = PACKET_BYTES_MAX;
	if (flaw)
		return;
	if (properties_has(&c.properties, PROPERTY_MAXIMUM_PACKET_SIZE))
		p->packet_bytes_max = c.properties.maximum_packet_size;
	if (properties_has(&c.properties, PROPERTY_TOPIC_ALIAS_MAXIMUM))
		p->alias_max = c.properties.topic_alias_maximum;
}

/* Writes what the stream takes. True when something moved. */
static bool transmit(struct peer_client *p)
{
	struct span rest = buffer_content(&p->out);
	if (!p->is_open || p->is_ended || rest.len == 0)
		return false;
	long n = p->stream.ops->write(&p->stream, &rest, 1);
	if (n == ERROR_CLOSED) {
		buffer_release(&p->out);
		return false;
	}
	if (n <= 0)
		return false;
	if (!p->is_head_done) {
		append(&p->head, span_of(rest.ptr, (size_t)n));
		learn(p);
	}
	buffer_consume(&p->out, (size_t)n);
	return true;
}

static void send_bytes(struct peer_client *p, struct span bytes)
{
	if (buffer_len(&p->out) + bytes.len <= PENDING_MAX)
		append(&p->out, bytes);
}

static void answer(struct peer_client *p, uint8_t type, uint16_t packet_id)
{
	uint8_t bytes[ACK_BYTES_MIN];
	ack_encode_short(bytes, type, packet_id);
	send_bytes(p, span_of(bytes, sizeof(bytes)));
}

static void check_publish(struct peer_client *p, const struct publish *publish)
{
	const struct properties *properties = &publish->properties;
	if (p->version == MQTT_5 && properties_has(properties, PROPERTY_TOPIC_ALIAS)) {
		uint16_t alias = properties->topic_alias;
		CHECK(alias >= 1 && alias <= p->alias_max && alias <= ALIASES_MAX);
		CHECK(publish->topic.len > 0 || p->has_alias[alias]);
		p->has_alias[alias] = true;
	} else {
		CHECK(publish->topic.len > 0);
	}
	CHECK(publish->qos <= QOS_MAX);
	if (p->acknowledges && publish->qos > 0)
		answer(p, publish->qos == 1 ? PACKET_PUBACK : PACKET_PUBREC, publish->packet_id);
}

static void check_ack(struct peer_client *p, const struct ack *ack)
{
	if (!p->acknowledges)
		return;
	if (ack->type == PACKET_PUBREC && ack->reason_code < REASON_UNSPECIFIED_ERROR)
		answer(p, PACKET_PUBREL, ack->packet_id);
	if (ack->type == PACKET_PUBREL)
		answer(p, PACKET_PUBCOMP, ack->packet_id);
}

/* The right answer to the challenge of that user, appended. */
static void put_proof(struct span challenge, struct buffer *out)
{
	static uint8_t client_key[SCRAM_KEY_BYTES], server_key[SCRAM_KEY_BYTES];
	static bool has_keys;
	uint8_t stored_key[SCRAM_KEY_BYTES], proof[SCRAM_KEY_BYTES];
	struct buffer signed_text = {0};
	struct span rest = challenge, nonce;
	uint8_t salt[16];
	size_t len;
	CHECK(scram_take(&rest, 'r', &nonce));
	CHECK(scram_read_base64(SPAN_LITERAL(SALT), (struct room){salt, sizeof(salt)}, &len));
	if (!has_keys)
		CHECK(scram_make_keys(SPAN_LITERAL("pencil"), span_of(salt, len), 4096, client_key,
				      server_key) == 0);
	has_keys = true;
	append(out, SPAN_LITERAL("c=biws,r="));
	append(out, nonce);
	CHECK(scram_hash(client_key, stored_key) == 0);
	CHECK(scram_auth_message(SPAN_LITERAL(FIRST_BARE), challenge, buffer_content(out),
				 &signed_text) == 0);
	CHECK(scram_hmac(stored_key, buffer_content(&signed_text), proof) == 0);
	for (size_t i = 0; i < SCRAM_KEY_BYTES; i++)
		proof[i] ^= client_key[i];
	CHECK(scram_add_base64(out, ",p=", span_of(proof, sizeof(proof))) == 0);
	buffer_release(&signed_text);
}

static void check_auth(struct peer_client *p, const struct auth *auth)
{
	const struct properties *in = &auth->properties;
	uint8_t bytes[512];
	struct buffer message = {0};
	CHECK(p->version == MQTT_5);
	CHECK(span_is_equal(in->authentication_method, span_of_text(SCRAM_METHOD)));
	CHECK(auth->reason_code == REASON_CONTINUE_AUTHENTICATION ||
	      (auth->reason_code == REASON_SUCCESS && p->is_connected));
	if (auth->reason_code == REASON_SUCCESS || !p->acknowledges ||
	    in->authentication_data.len > 256)
		return;
	put_proof(in->authentication_data, &message);
	struct auth answer = {.reason_code = REASON_CONTINUE_AUTHENTICATION};
	properties_clear(&answer.properties);
	answer.properties.present =
		1ull << PROPERTY_AUTHENTICATION_METHOD | 1ull << PROPERTY_AUTHENTICATION_DATA;
	answer.properties.authentication_method = span_of_text(SCRAM_METHOD);
	answer.properties.authentication_data = buffer_content(&message);
	size_t len = auth_encode(&answer, (struct room){bytes, sizeof(bytes)});
	send_bytes(p, span_of(bytes, len));
	buffer_release(&message);
}

/* What a broker may say to such a client, and when. */
static void check_packet(struct peer_client *p, const struct any_packet *packet)
{
	CHECK(!p->has_goodbye && !p->is_refused);
	CHECK(p->is_connected == (packet->type != PACKET_CONNACK) || packet->type == PACKET_AUTH);
	switch (packet->type) {
	case PACKET_AUTH: check_auth(p, &packet->auth); break;
	case PACKET_CONNACK:
		p->is_connected = packet->connack.code == REASON_SUCCESS;
		p->is_refused = !p->is_connected;
		break;
	case PACKET_PUBLISH: check_publish(p, &packet->publish); break;
	case PACKET_PUBACK:
	case PACKET_PUBREC:
	case PACKET_PUBREL:
	case PACKET_PUBCOMP: check_ack(p, &packet->ack); break;
	case PACKET_PINGRESP: p->pings_unanswered -= p->pings_unanswered > 0; break;
	case PACKET_DISCONNECT:
		CHECK(p->version == MQTT_5);
		p->has_goodbye = true;
		break;
	default: CHECK(packet->type == PACKET_SUBACK || packet->type == PACKET_UNSUBACK);
	}
}

/* One packet off what was received; false when none is whole. */
static bool next_packet(struct peer_client *p)
{
	struct fixed_header h;
	const struct flaw *flaw;
	struct any_packet packet;
	struct span in = buffer_content(&p->in);
	enum header_result result = fixed_header_decode(in, &h, &flaw);
	CHECK(result != HEADER_MALFORMED);
	if (result == HEADER_INCOMPLETE || in.len < (size_t)h.header_len + h.remaining_length)
		return false;
	size_t len = (size_t)h.header_len + h.remaining_length;
	CHECK(p->version != 0 && len <= p->packet_bytes_max);
	uint8_t *body = fuzz_copy(in.ptr + h.header_len, h.remaining_length);
	flaw = any_packet_decode(h.type, h.flags, span_of(body, h.remaining_length), p->version,
				 &packet);
	CHECK(!flaw);
	check_packet(p, &packet);
	free(body);
	buffer_consume(&p->in, len);
	return true;
}

/* Up to so many bytes. True when something moved. */
static bool receive(struct peer_client *p, size_t len_max)
{
	static uint8_t block[65536];
	size_t len = 0;
	while (p->is_open && !p->is_ended && len < len_max) {
		size_t room = len_max - len < sizeof(block) ? len_max - len : sizeof(block);
		long n = p->stream.ops->read(&p->stream, (struct room){block, room});
		if (n == ERROR_AGAIN)
			break;
		p->is_ended = n <= 0;
		len += n > 0 ? (size_t)n : 0;
		if (n > 0)
			append(&p->in, span_of(block, (size_t)n));
	}
	while (len > 0 && next_packet(p))
		;
	return len > 0 || p->is_ended;
}

static void hang_up(struct peer_client *p)
{
	if (p->is_open)
		p->stream.ops->close(&p->stream);
	buffer_release(&p->head);
	buffer_release(&p->out);
	buffer_release(&p->in);
	bool acknowledges = p->acknowledges;
	*p = (struct peer_client){.last = p->last,
				  .last_first = p->last_first,
				  .last_pad = p->last_pad,
				  .acknowledges = acknowledges};
}

static void open_peer(struct peer_client *p, unsigned shard, uint32_t capacity)
{
	hang_up(p);
	p->stream = kit_open(&kit, shard % kit.shard_count, capacity, &p->broker_end);
	p->is_open = true;
}

static void check_output(void)
{
	uint64_t max =
		(uint64_t)set.output_bytes_max + OUTPUT_FULL_BYTES + 2 * set.packet_bytes_max;
	for (unsigned i = 0; i < kit.shard_count; i++) {
		struct shard *s = broker_shard(kit.broker, i);
		for (struct link *l = s->connections.next; l != &s->connections; l = l->next)
			CHECK(CONTAINER_OF(l, struct connection, link)->output.bytes <= max);
	}
}

static void hurry(void)
{
	for (unsigned i = 0; i < PEERS; i++)
		if (peers[i].is_open)
			memory_set_step(&peers[i].stream, 0);
}

static void rest(void)
{
	unsigned turns = 0;
	while (kit_step(&kit)) {
		CHECK(++turns < TURNS_MAX);
		if (turns == PIECES_MAX)
			hurry();
	}
	CHECK(kit_next_wake_ms(&kit) > kit.now.steady_ms);
	check_output();
}

/* Until nothing moves any more. */
static void settle(void)
{
	unsigned rounds = 0;
	bool has_moved = true;
	while (has_moved) {
		has_moved = false;
		for (unsigned i = 0; i < PEERS; i++)
			has_moved |= transmit(&peers[i]);
		rest();
		for (unsigned i = 0; i < PEERS; i++)
			if (!peers[i].is_stopped && !peers[i].is_ended)
				has_moved |= receive(&peers[i], SIZE_MAX);
		CHECK(++rounds < TURNS_MAX);
		if (rounds == PIECES_MAX)
			hurry();
	}
}

static void ping(void)
{
	static const uint8_t pingreq[] = {0xc0, 0};
	for (unsigned i = 0; i < kit.shard_count; i++) {
		send_bytes(&innocent[i], span_of(pingreq, sizeof(pingreq)));
		innocent[i].pings_unanswered++;
		transmit(&innocent[i]);
	}
	kit_advance(&kit, 10); /* a congested shard looks again after some milliseconds */
	for (unsigned i = 0; i < kit.shard_count; i++) {
		receive(&innocent[i], SIZE_MAX);
		CHECK(!innocent[i].is_ended && innocent[i].is_connected);
		CHECK(innocent[i].pings_unanswered == 0);
	}
}

/* Nobody can know their client ids: the broker assigns them, on the shard they come to. */
static void open_innocent(void)
{
	static const uint8_t connect[] = {0x10, 12, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 60, 0, 0};
	for (unsigned i = 0; i < kit.shard_count; i++) {
		open_peer(&innocent[i], i, CAPACITY);
		send_bytes(&innocent[i], span_of(connect, sizeof(connect)));
		transmit(&innocent[i]);
	}
	ping();
}

static void send_packet(struct peer_client *p, uint8_t first, struct span body, uint8_t pad)
{
	static uint8_t padding[PAD_BYTES * 255], header[5];
	struct room room = {header, sizeof(header)};
	struct writer w = writer_of(room);
	size_t pad_len = (size_t)pad * PAD_BYTES;
	if (padding[0] == 0)
		memset(padding, 'x', sizeof(padding));
	write_u8(&w, first);
	write_variable_integer(&w, (uint32_t)(body.len + pad_len));
	send_bytes(p, span_of(header, writer_finish(&w, room)));
	send_bytes(p, body);
	send_bytes(p, span_of(padding, pad_len));
}

/* The last packet again and again; a PUBLISH with an id gets another one each time. */
static void repeat(struct peer_client *p, unsigned count)
{
	uint8_t *body = fuzz_copy(p->last.ptr, p->last.len);
	size_t id_at = p->last.len >= 2 ? (size_t)load_u16(body) + 2 : 0;
	bool has_id = p->last_first >> 4 == PACKET_PUBLISH && p->last_first & 6 &&
		      id_at + 2 <= p->last.len && id_at > 0;
	for (; count > 0; count--) {
		if (has_id)
			store_u16(body + id_at, (uint16_t)(load_u16(body + id_at) + 1));
		send_packet(p, p->last_first, span_of(body, p->last.len), p->last_pad);
	}
	free(body);
}

static void packet_step(struct peer_client *p, struct input *in, bool is_padded)
{
	p->last_pad = is_padded ? take(in) : 0;
	uint8_t len = take(in);
	p->last_first = take(in);
	p->last = take_span(in, len);
	send_packet(p, p->last_first, p->last, p->last_pad);
}

static void pass_time(uint8_t choice)
{
	static const uint32_t durations_ms[] = {1, 10, 100, 999, 1000, 2000, 5000, 30000, 61000};
	kit_advance(&kit, durations_ms[choice % ARRAY_COUNT(durations_ms)]);
	ping(); /* keeps them alive */
}

static void take_step(struct peer_client *p, enum step_kind kind, struct input *in)
{
	switch (kind) {
	case STEP_PADDED: packet_step(p, in, true); break;
	case STEP_RAW: send_bytes(p, take_span(in, take(in))); break;
	case STEP_REPEAT: repeat(p, take(in)); break;
	case STEP_TIME: pass_time(take(in)); break;
	case STEP_CLOSE: hang_up(p); break;
	case STEP_CUT: memory_cut(&p->stream); break;
	case STEP_CUT_AFTER: memory_cut_after(&p->stream, take(in)); break;
	case STEP_DEAF_AFTER:
		memory_cut_after(&p->broker_end, take(in));
		p->is_deaf = true;
		break;
	case STEP_SMALL: small_capacity = take(in) * 16u + CAPACITY_MIN; break;
	case STEP_PIECES: memory_set_step(&p->stream, take(in)); break;
	case STEP_STOP: p->is_stopped = !p->is_stopped; break;
	case STEP_READ: receive(p, take(in)); break;
	case STEP_PING: ping(); break;
	case STEP_ACKNOWLEDGE: p->acknowledges = !p->acknowledges; break;
	default: packet_step(p, in, false); break;
	}
}

static void turns_after(unsigned choice)
{
	if (choice == 0) {
		settle();
		return;
	}
	for (unsigned i = 0; i < PEERS; i++)
		transmit(&peers[i]);
	for (; choice > 1; choice--)
		kit_step(&kit);
}

static void perform(struct input *in)
{
	uint8_t step = take(in);
	enum step_kind kind = step >> 2 & 15;
	struct peer_client *p = &peers[step % 4 % PEERS];
	if (kind != STEP_SMALL && (!p->is_open || p->is_ended)) {
		open_peer(p, step % 4, small_capacity ? small_capacity : CAPACITY);
		small_capacity = 0;
	}
	take_step(p, kind, in);
	turns_after(step >> 6);
}

/* All read to the end: what is left over is part of a packet only where bytes were lost. */
static void finish_peers(void)
{
	for (unsigned i = 0; i < PEERS; i++)
		peers[i].is_stopped = false;
	settle();
	ping();
	for (unsigned i = 0; i < PEERS; i++)
		if (!peers[i].is_ended && !peers[i].is_deaf)
			CHECK(buffer_len(&peers[i].in) == 0);
}

static void shut_down(void)
{
	for (unsigned i = 0; i < kit.shard_count; i++) {
		struct shard *s = broker_shard(kit.broker, i);
		shard_turn_begin(s, kit.now);
		shard_shutdown(s, REASON_SERVER_SHUTTING_DOWN);
		shard_turn_end(s);
		kit.shards[i].is_woken = true;
	}
	settle();
	kit_advance(&kit, 5000);
	for (unsigned i = 0; i < kit.shard_count; i++)
		CHECK(shard_connection_count(broker_shard(kit.broker, i)) == 0);
}

static void play(struct input *in)
{
	uint8_t choice = take(in);
	uint8_t seed = take(in);
	set_up(choice);
	small_capacity = 0;
	mem_count_start();
	kit_start(&kit, &set, 1 + choice % SHARDS, seed);
	if (seed & 2)
		CHECK(broker_use_access(kit.broker, access_with_users()) == 0);
	open_innocent();
	while (in->len > 0)
		perform(in);
	if (seed & 1)
		finish_peers();
	if (choice & 0x40)
		shut_down();
	kit_stop(&kit);
	for (unsigned i = 0; i < PEERS; i++) {
		hang_up(&peers[i]);
		peers[i] = (struct peer_client){0};
	}
	for (unsigned i = 0; i < SHARDS; i++)
		hang_up(&innocent[i]);
	CHECK(mem_count_live() == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	/* an assigned id, learnt by comparison, would take over the innocent's session */
	if (len <= HEAD_BYTES || memmem(data, len, "auto-", 5))
		return 0;
	struct input in = {data, len};
	play(&in);
	return 0;
}
