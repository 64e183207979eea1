/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An image of what survives, as a checkpoint holds it: it is loaded or refused. What was loaded is
 * a state: it can be written down again, and then it is loaded as the same.
 */
#include "base/mem.h"
#include "broker/recover.h"
#include "broker/shard.h"
#include "broker/snapshot.h"
#include "fuzz.h"

#define POSITION 0x100001000ull
#define IMAGE_BYTES_MAX 4096

static const struct moment now = {1000000, 1767225600000};

static void no_wake(void *context, unsigned shard)
{
	(void)context;
	(void)shard;
}

/* Every message that is retained has the same body: PUBLISH, QoS 1, retained. */
static int read_body(void *context, uint64_t position, struct span *body_out)
{
	(void)context;
	(void)position;
	*body_out = SPAN_LITERAL("\7\5\1t\0kept");
	return 0;
}

static void count(void *context, uint64_t position)
{
	(void)position;
	(*(uint64_t *)context)++;
}

static struct broker *load(struct span image, int *error_out)
{
	struct settings settings;
	struct broker_hooks hooks = {.wake = no_wake};
	struct recovery_source source = {NULL, read_body};
	settings_init(&settings);
	struct broker *b = broker_new(&settings, &hooks, 1, 1, now);
	CHECK(b);
	CHECK(recover_begin(b, &source) == 0);
	*error_out = recover_image(b, POSITION, image);
	return b;
}

static void check_again(struct broker *b)
{
	struct room part;
	int error;
	uint64_t digest = state_digest(b);
	CHECK(snapshot_write(broker_shard(b, 0), POSITION, &part) == 0);
	struct broker *other = load(span_of(part.ptr, part.len), &error);
	CHECK(error == 0);
	CHECK(state_digest(other) == digest);
	broker_free(other);
	mem_free(part.ptr);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	int error;
	uint64_t found = 0;
	if (len > IMAGE_BYTES_MAX)
		return 0;
	uint8_t *copy = fuzz_copy(data, len);
	struct span image = span_of(copy, len);
	(void)snapshot_references(image, count, &found);
	struct broker *b = load(image, &error);
	CHECK(error == 0 || error == ERROR_DAMAGED);
	if (!error)
		check_again(b);
	broker_free(b);
	free(copy);
	return 0;
}
