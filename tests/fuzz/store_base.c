/* SPDX-License-Identifier: Apache-2.0 */
/* Stores to begin with: a real broker on a simulated disk, and a few clients, wrote them. */
#include "fuzz.h"
#include "store.h"

#include "journal/format.h"
#include "kit/kit_disk.h"
#include "kit/talk.h"

#define CAPACITY (1u << 20)
#define CLIENTS 4
#define SEED 5
#define LONG_MESSAGES 300

static struct kit kit;
static struct stream clients[CLIENTS];
static uint8_t versions[CLIENTS];

/* All that came; what is to be acknowledged is. */
static void receive(unsigned client, bool acknowledges)
{
	static uint8_t bytes[CAPACITY];
	struct stream *s = &clients[client];
	long len = s->ops->read(s, (struct room){bytes, sizeof(bytes)});
	struct span rest = span_of(bytes, len > 0 ? (size_t)len : 0);
	struct fixed_header h;
	const struct flaw *flaw;
	while (fixed_header_decode(rest, &h, &flaw) == HEADER_OK) {
		struct publish p;
		uint8_t ack[ACK_BYTES_MIN];
		struct span one = span_of(ack, sizeof(ack));
		struct span body = span_of(rest.ptr + h.header_len, h.remaining_length);
		size_t packet_len = h.header_len + body.len;
		if (acknowledges && h.type == PACKET_PUBLISH &&
		    !publish_decode(h.flags, body, versions[client], &p) && p.qos == 1) {
			ack_encode_short(ack, PACKET_PUBACK, p.packet_id);
			CHECK(s->ops->write(s, &one, 1) == sizeof(ack));
		}
		rest = span_of(rest.ptr + packet_len, rest.len - packet_len);
	}
}

static void say(unsigned client, const char *words)
{
	static uint8_t bytes[65536];
	struct stream *s = &clients[client];
	if (talk_version(words)) {
		*s = kit_open(&kit, 0, CAPACITY, NULL);
		versions[client] = talk_version(words);
	}
	size_t len = talk_encode(words, versions[client], (struct room){bytes, sizeof(bytes)});
	struct span one = span_of(bytes, len);
	CHECK(s->ops->write(s, &one, 1) == (long)len);
	kit_advance(&kit, 10);
	receive(client, false);
}

static void hang_up(unsigned client)
{
	if (clients[client].ops)
		clients[client].ops->close(&clients[client]);
	clients[client].ops = NULL;
	kit_advance(&kit, 10);
}

static void fill(void)
{
	say(0, "CONNECT v5 id=away expiry=100000");
	say(0, "SUBSCRIBE m1 sid=7 f=q/#,q2 f=gone/+,q1,rap");
	hang_up(0);
	say(1, "CONNECT v4 id=open");
	say(1, "SUBSCRIBE m1 f=$share/g/s/#,q1 f=r,q1 f=q/2,q2");
	say(1, "UNSUBSCRIBE m2 f=r");
	say(2, "CONNECT v5 id=pub clean expiry=100 will=gone/pub:text willqos=1 willdelay=5");
	say(2, "PUBLISH q1 m1 retain t=kept/1 p=one");
	say(2, "PUBLISH q0 retain t=kept/2 p=two user=k:v");
	say(2, "PUBLISH q2 m2 t=q/1 p=half expiry=1000");
	say(2, "PUBLISH q2 m3 t=q/2 p=whole");
	say(2, "PUBREL m3");
	say(2, "PUBLISH q1 m4 t=s/1 p=shared");
	say(3, "CONNECT v4 id=once clean");
	say(3, "SUBSCRIBE m1 f=q/#,q2");
	say(2, "PUBLISH q1 m5 t=q/3 p=");
	say(2, "PUBLISH q1 m6 retain t=kept/1 p=");
}

/* So that segments are full, and most of what they hold is finished. */
static void fill_long(void)
{
	char words[64];
	for (unsigned i = 10; i < LONG_MESSAGES; i++) {
		snprintf(words, sizeof(words), "PUBLISH q1 m%u t=q/%u p=#900", i, i % 7);
		say(2, words);
		if (i % 100 == 50) {
			say(0, "CONNECT v5 id=away expiry=100000");
			for (unsigned n = 0; n < 5; n++) {
				receive(0, true);
				kit_advance(&kit, 1000);
			}
			hang_up(0);
		}
	}
	kit_advance(&kit, 100000);
}

static void run(struct kit_disk *d, enum store_base base, bool is_first)
{
	static const struct moment start = {KIT_START_STEADY_MS, KIT_START_WALL_MS};
	struct settings settings;
	settings_init(&settings);
	int error = kit_start_on_disk(&kit, &settings, 1, SEED, d, start);
	CHECK(error == 0);
	kit_settle(&kit);
	if (base != STORE_EMPTY && is_first)
		fill();
	if (base == STORE_LONG)
		fill_long();
	if (base == STORE_SMALL)
		kit_crash(&kit);
	else
		kit_stop(&kit);
	for (unsigned i = 0; i < CLIENTS; i++)
		if (clients[i].ops)
			clients[i].ops->close(&clients[i]);
	memset(clients, 0, sizeof(clients));
}

struct simdisk *store_base_new(enum store_base base)
{
	const char *name;
	uint32_t number;
	struct kit_disk *d = kit_disk_new(SEED);
	run(d, base, true);
	if (base == STORE_ENDED)
		run(d, base, false);
	/* one spare is as good as many, and sooner copied */
	for (unsigned n = 0; (name = simdisk_name(d->medium, n)); n++)
		if (file_name_parse(name, &number) == FILE_SPARE && number % 20 != 0)
			simdisk_remove(d->medium, simdisk_name(d->medium, n--));
	simdisk_settle(d->medium);
	struct simdisk *medium = simdisk_clone(d->medium, SEED);
	kit_disk_free(d);
	return medium;
}
