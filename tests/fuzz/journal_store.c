/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A broker started from a store that the input has changed (store.h). It starts, or says why it
 * does not; a store that nobody touched it takes. When it runs it serves a client, and what it
 * makes of the store does not change with another start.
 */
#include "fuzz.h"
#include "store.h"

#include "base/mem.h"
#include "kit/kit_disk.h"
#include "kit/talk.h"

#include <stdlib.h>

#define CAPACITY 65536
#define ANSWERS 3 /* of the client: CONNACK, SUBACK, PUBACK */

static struct kit kit;
static const struct moment start_of_time = {KIT_START_STEADY_MS, KIT_START_WALL_MS};

struct choice {
	unsigned shards;
	bool refuses, is_stopped, has_power_cut;
	uint8_t seed;
};

static struct choice choice_of(uint8_t bits, uint8_t seed)
{
	return (struct choice){.shards = bits & 0x04 ? 3 : 1,
			       .refuses = bits & 0x08,
			       .is_stopped = bits & 0x10,
			       .has_power_cut = bits & 0x20,
			       .seed = seed};
}

static void say_line(void *context, const char *text)
{
	(void)context;
	if (getenv("FUZZ_SHOW"))
		fprintf(stderr, "journal: %s\n", text);
}

static int start(struct kit_disk *d, const struct choice *choice, unsigned shards)
{
	store_show(d->medium, "start");
	struct settings settings;
	settings_init(&settings);
	int error = kit_start_on_disk(&kit, &settings, shards, choice->seed, d, start_of_time);
	if (error)
		say_line(d, d->reason);
	CHECK(!error || d->reason[0] || kit_disk_is_dark(d));
	return error;
}

static void send_words(struct stream *s, const char *words)
{
	uint8_t bytes[256];
	size_t len = talk_encode(words, MQTT_3_1_1, (struct room){bytes, sizeof(bytes)});
	struct span one = span_of(bytes, len);
	CHECK(s->ops->write(s, &one, 1) == (long)len);
	kit_settle(&kit);
}

/* What a client asks of a broker that works; the log may have room for it or not. */
static void serve(struct kit_disk *d)
{
	uint8_t bytes[CAPACITY];
	unsigned count = 0;
	struct stream s = kit_open(&kit, 0, CAPACITY, NULL);
	send_words(&s, "CONNECT v4 id=innocent-as-no-other clean");
	send_words(&s, "SUBSCRIBE m1 f=innocent,q0");
	send_words(&s, "PUBLISH q1 m2 t=innocent/too p=x");
	kit_advance(&kit, 1000);
	long len = s.ops->read(&s, (struct room){bytes, sizeof(bytes)});
	struct span rest = span_of(bytes, len > 0 ? (size_t)len : 0);
	struct fixed_header h;
	const struct flaw *flaw;
	for (; fixed_header_decode(rest, &h, &flaw) == HEADER_OK; count++)
		rest = span_of(rest.ptr + h.header_len + h.remaining_length,
			       rest.len - h.header_len - h.remaining_length);
	CHECK(count == ANSWERS || d->health != LOG_GOOD);
	s.ops->close(&s);
	kit_settle(&kit);
}

static void end(struct kit_disk *d, const struct choice *choice)
{
	if (choice->is_stopped)
		kit_stop(&kit);
	else
		kit_crash(&kit);
	if (choice->has_power_cut)
		simdisk_power_cut(d->medium, choice->seed);
	else
		simdisk_kill(d->medium);
}

/* It starts again, to the same state, whatever the number of shards, unless there is a history that
 * cannot be. */
static bool check_again(struct kit_disk *d, const struct choice *choice)
{
	char *before = kit_state(&kit);
	end(d, choice);
	int error = start(d, choice, 4 - choice->shards);
	CHECK(error == 0 || store_is_forged());
	if (error) {
		mem_free(before);
		return false;
	}
	char *after = kit_state(&kit);
	if (!store_is_forged() && strcmp(before, after) != 0)
		fprintf(stderr, "--- before\n%s--- after\n%s", before, after);
	CHECK(store_is_forged() || strcmp(before, after) == 0);
	mem_free(before);
	mem_free(after);
	return true;
}

static void try_store(struct kit_disk *d, const struct choice *choice)
{
	bool is_whole = store_is_whole();
	int error = start(d, choice, choice->shards);
	CHECK(!error || !is_whole);
	if (error)
		return;
	serve(d);
	if (check_again(d, choice))
		end(d, choice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct input in = {data, len};
	if (len < HEAD_BYTES)
		return 0;
	uint8_t bits = take(&in);
	struct choice choice = choice_of(bits, take(&in));
	struct kit_disk *d = kit_disk_new(1);
	simdisk_free(d->medium);
	d->medium = store_of(&in, bits);
	d->takes_damage = true;
	d->say = say_line;
	d->options.refuse_damage = choice.refuses;
	mem_count_start();
	try_store(d, &choice);
	CHECK(mem_count_live() == 0);
	kit_disk_free(d);
	return 0;
}
