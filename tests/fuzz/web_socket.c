/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client of a WebSocket that says anything: the head of its request, and frames. The first byte
 * says whether a good head stands in front. Read at once and byte by byte the same must come out:
 * the same bytes, and the same end.
 */
#include "base/mem.h"
#include "fuzz.h"
#include "io/stream_memory.h"
#include "io/websocket.h"

#define CAPACITY ((uint32_t)1 << 20)
#define INPUT_MAX ((size_t)1 << 14)

static const char good_head[] =
	"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: "
	"13\r\n"
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";

struct outcome {
	uint8_t bytes[INPUT_MAX];
	size_t len;
	long end; /* what the last read, or the opening, said */
	const char *reason;
	char address[64];
};

static void put(struct stream *s, const void *bytes, size_t len)
{
	struct span part = span_of(bytes, len);
	if (len > 0)
		CHECK(s->ops->write(s, &part, 1) == (long)len);
}

/* Until nothing comes any more; each byte that the layer gives is one that was sent. */
static void read_all(struct layer *l, size_t room_len, struct outcome *out)
{
	for (;;) {
		uint8_t *room = malloc(room_len);
		CHECK(room);
		long n = layer_read(l, (struct room){room, room_len});
		CHECK(n <= (long)room_len);
		if (n > 0) {
			CHECK(out->len + (size_t)n <= sizeof(out->bytes));
			memcpy(out->bytes + out->len, room, (size_t)n);
			out->len += (size_t)n;
		}
		free(room);
		out->end = n;
		if (n > 0 || (n == ERROR_AGAIN && layer_has_more(l)))
			continue;
		return;
	}
}

static void run(const uint8_t *data, size_t len, bool has_head, uint32_t step, struct outcome *out)
{
	static const struct websocket_settings settings = {
		.head_bytes_max = 2048, .origins = "https://a, b", .trusts_forwarded = true};
	static const struct websocket_settings plain = {.head_bytes_max = 2048};
	struct stream ends[2];
	struct layer_bottom bottom;
	CHECK(memory_pair_open(CAPACITY, &ends[0], &ends[1]) == 0);
	layer_bottom_init(&bottom, &ends[0]);
	struct layer *l = websocket_server_new(has_head ? &plain : &settings);
	CHECK(l);
	l->below = &bottom.layer;
	if (has_head)
		put(&ends[1], good_head, sizeof(good_head) - 1);
	put(&ends[1], data, len);
	memory_set_step(&ends[0], step);
	struct stream_peer peer = {0};
	memset(out, 0, sizeof(*out));
	do
		out->end = layer_open(l);
	while (out->end == ERROR_AGAIN && memory_is_readable(&bottom.stream));
	if (out->end == 0)
		read_all(l, step ? step : 4096, out);
	out->reason = layer_reason(l);
	layer_peer(l, &peer);
	snprintf(out->address, sizeof(out->address), "%s", peer.address ? peer.address : "");
	layer_finish(l);
	layer_free(l);
	bottom.stream.ops->close(&bottom.stream);
	ends[1].ops->close(&ends[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct outcome whole, single;
	if (len == 0 || len > INPUT_MAX)
		return 0;
	mem_count_start();
	long before = mem_count_live();
	run(data + 1, len - 1, data[0] & 1, 0, &whole);
	run(data + 1, len - 1, data[0] & 1, 1, &single);
	CHECK(mem_count_live() == before);
	CHECK(whole.end == single.end && whole.reason == single.reason);
	CHECK(strcmp(whole.address, single.address) == 0);
	/* bytes before a frame that ends it may be kept back with it */
	if (whole.end != ERROR_CLOSED)
		CHECK(whole.len == single.len);
	CHECK(whole.len <= single.len && memcmp(whole.bytes, single.bytes, whole.len) == 0);
	return 0;
}
