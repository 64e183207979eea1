/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/settings.h"

#include "base/mem.h"

#include <stdatomic.h>

struct shared_settings {
	struct settings settings;
	atomic_uint refs;
};

void settings_init(struct settings *s)
{
	*s = (struct settings){
		.connect_timeout_ms = 30000,
		.keep_alive_max = 0,
		/* mosquitto's default since 2.1; larger ones are a configuration away */
		.packet_bytes_max = 2000000,
		/* large enough to amortise a system call over a thousand small messages, small
		   enough to stay in the second-level cache with what it is copied to */
		.input_bytes_per_turn = 65536,
		.allow_empty_client_id = true,
		.allow_anonymous = true,
		.check_retain_source = true,
		.session_expiry_max = UINT32_MAX,
		.receive_maximum = 1000,
		.receive_maximum_slack = 1000,
		.in_flight_max = 1000,
		.qos_max = 2,
		.retain_available = true,
		.topic_alias_max_in = 100,
		.topic_alias_max_out = 100,
		.queue_messages_max = 10000,
		.queue_bytes_max = 64u << 20,
		.absent_queue_messages_max = 100000,
		.absent_queue_bytes_max = 256u << 20,
		.queue_full_policy = QUEUE_FULL_REFUSE,
		.output_bytes_max = 8u << 20,
		.hold_back_ms_max = 1000,
		/* ten million waiting messages; what is beyond is read from disk when its turn
		   comes */
		.queue_memory_bytes_max = 64u << 20,
		.topic_levels_max = 200,
		.limits = {.shed_connections_ms = 500,
			   .shed_qos0_ms = 2000,
			   .ipv6_prefix = 64,
			   .ban = {.window_s = 60, .ban_s = 300, .of_addresses = true}},
		.cached_topics_max = 4096,
	};
}

static struct shared_settings *shared_of(const struct settings *s)
{
	return CONTAINER_OF((struct settings *)(uintptr_t)s, struct shared_settings, settings);
}

static void free_texts(const struct settings *s)
{
	mem_free((char *)(uintptr_t)s->response_information);
}

const struct settings *settings_share(const struct settings *from)
{
	struct shared_settings *shared = mem_alloc(sizeof(*shared));
	const char *text = from->response_information;
	if (!shared)
		return NULL;
	shared->settings = *from;
	atomic_init(&shared->refs, 1);
	if (!text)
		return &shared->settings;
	shared->settings.response_information = mem_copy_text(span_of_text(text));
	if (shared->settings.response_information)
		return &shared->settings;
	mem_free(shared);
	return NULL;
}

const struct settings *settings_ref(const struct settings *shared)
{
	atomic_fetch_add_explicit(&shared_of(shared)->refs, 1, memory_order_relaxed);
	return shared;
}

void settings_unref(const struct settings *shared)
{
	if (!shared || atomic_fetch_sub(&shared_of(shared)->refs, 1) > 1)
		return;
	free_texts(shared);
	mem_free(shared_of(shared));
}
