/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/settings.h"

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
		.cached_topics_max = 4096,
	};
}
