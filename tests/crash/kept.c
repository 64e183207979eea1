/* SPDX-License-Identifier: Apache-2.0 */
#include "kept.h"

#include "base/buffer.h"
#include "mqtt/packets.h"
#include "stress/payload.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define READ_BYTES 32768
/* What must come has come by then, on a slow and busy machine too; what must not has this long. */
#define WAIT_MS 20000
#define QUIET_MS 20

struct look {
	struct ledger *ledger;
	const uint32_t *streams;
	int fd;
	struct buffer in;
	bool has_come[KEPT_TOPICS];
	bool is_subscribed;
};

/* The first message that the topic may hold; UINT32_MAX: it may hold none. */
static uint32_t oldest_allowed(const struct stream_log *s)
{
	for (uint32_t i = s->count; i-- > 0;) {
		if (s->messages[i].accepted_at != 0)
			return i;
	}
	return UINT32_MAX;
}

static bool may_be_empty(const struct stream_log *s)
{
	uint32_t oldest = oldest_allowed(s);
	if (oldest == UINT32_MAX)
		return true;
	for (uint32_t i = oldest; i < s->count; i++) {
		if (payload_removes(i))
			return true;
	}
	return false;
}

static void say_hello(const struct look *k)
{
	uint8_t bytes[128], filter[32];
	struct connect hello = {.version = MQTT_5, .clean_start = true};
	hello.client_id = span_of_text("looks-at-kept");
	size_t len = connect_encode(&hello, (struct room){bytes, sizeof(bytes)});
	struct writer w = writer_of((struct room){filter, sizeof(filter)});
	subscribe_filter_encode(&w, span_of_text("kept/+"), &(struct subscription_options){0});
	struct subscribe ask = {.packet_id = 1,
				.filters = span_of(filter, (size_t)(w.ptr - filter))};
	len += subscribe_encode(&ask, MQTT_5, (struct room){bytes + len, sizeof(bytes) - len});
	ASSERT(send(k->fd, bytes, len, MSG_NOSIGNAL) == (ssize_t)len);
}

static void take_publish(struct look *k, const struct publish *p)
{
	uint32_t stream, number;
	for (unsigned topic = 0; topic < KEPT_TOPICS; topic++) {
		char name[TOPIC_BYTES_MAX];
		topic_write(KEPT_TOPIC + topic, name);
		if (!span_is_equal(p->topic, span_of_text(name)))
			continue;
		k->has_come[topic] = true;
		if (!payload_read(p->payload, &stream, &number) || stream != k->streams[topic]) {
			ledger_violation(k->ledger, "%s: a retained message nobody sent", name);
			return;
		}
		const struct stream_log *s = &k->ledger->streams[stream];
		uint32_t oldest = oldest_allowed(s);
		if (number >= s->count || (oldest != UINT32_MAX && number < oldest))
			ledger_violation(k->ledger, "%s: message %u retained, acknowledged was %u",
					 name, number, oldest);
		return;
	}
	ledger_violation(k->ledger, "a retained message on another topic");
}

static void take_packets(struct look *k)
{
	struct fixed_header header;
	const struct flaw *flaw = NULL;
	for (;;) {
		struct span content = buffer_content(&k->in);
		if (fixed_header_decode(content, &header, &flaw) != HEADER_OK ||
		    content.len - header.header_len < header.remaining_length)
			return;
		struct span body =
			span_of(content.ptr + header.header_len, header.remaining_length);
		struct publish p;
		if (header.type == PACKET_SUBACK)
			k->is_subscribed = true;
		else if (header.type == PACKET_PUBLISH &&
			 !publish_decode(header.flags, body, MQTT_5, &p))
			take_publish(k, &p);
		buffer_consume(&k->in, header.header_len + header.remaining_length);
	}
}

/* Reads until nothing comes for that long; false when the broker has closed. */
static bool read_for(struct look *k, int ms)
{
	struct pollfd ready = {.fd = k->fd, .events = POLLIN};
	if (poll(&ready, 1, ms) <= 0)
		return true;
	ASSERT(buffer_reserve(&k->in, READ_BYTES) == 0);
	struct room room = buffer_room(&k->in);
	ssize_t got = recv(k->fd, room.ptr, room.len, 0);
	if (got <= 0)
		return false;
	buffer_commit(&k->in, (size_t)got);
	take_packets(k);
	return true;
}

/* Topics of which one has to come and has not; names them when `is_final`. */
static unsigned waits_for(struct look *k, bool is_final)
{
	unsigned count = 0;
	for (unsigned topic = 0; topic < KEPT_TOPICS; topic++) {
		if (k->has_come[topic] || k->streams[topic] == UINT32_MAX)
			continue;
		const struct stream_log *s = &k->ledger->streams[k->streams[topic]];
		if (may_be_empty(s))
			continue;
		count++;
		if (is_final)
			ledger_violation(k->ledger,
					 "kept/%u: nothing retained, acknowledged was %u",
					 KEPT_TOPIC + topic, oldest_allowed(s));
	}
	return count;
}

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void kept_check(struct ledger *l, uint16_t port, const uint32_t streams[KEPT_TOPICS])
{
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_port = htons(port),
				.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct look k = {.ledger = l, .streams = streams};
	k.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(k.fd, (struct sockaddr *)&a, sizeof(a)) != 0) {
		ledger_violation(l, "cannot connect to look at what is retained");
		close(k.fd);
		return;
	}
	say_hello(&k);
	int64_t deadline = now_ms() + WAIT_MS;
	bool is_open = true;
	while (is_open && now_ms() < deadline && (!k.is_subscribed || waits_for(&k, false) > 0))
		is_open = read_for(&k, 100);
	for (deadline = now_ms() + QUIET_MS; is_open && now_ms() < deadline;)
		is_open = read_for(&k, QUIET_MS);
	if (!is_open || !k.is_subscribed)
		ledger_violation(l, "the broker let nobody look at what is retained");
	else
		waits_for(&k, true);
	close(k.fd);
	buffer_release(&k.in);
}
