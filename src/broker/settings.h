/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything that bounds or shapes a broker, with its default and the reason for it. Plain data:
 * the configuration fills it, the broker reads it. A maximum of 0 means "no limit of its own"
 * where the comment says so.
 */
#ifndef NIGHTJAR_BROKER_SETTINGS_H
#define NIGHTJAR_BROKER_SETTINGS_H

#include "broker/limit_settings.h"

/* What happens to a QoS 1/2 message for a subscriber whose queue is full. */
enum queue_full_policy {
	QUEUE_FULL_REFUSE,      /* not queued; a v5 publisher is told 0x97 */
	QUEUE_FULL_DROP_NEWEST, /* not queued; the publisher is told success, as mosquitto does */
	QUEUE_FULL_DROP_OLDEST, /* the oldest waiting message makes room */
};

struct settings {
	/* Connections */
	uint32_t connections_max;      /* 0 = as many as descriptors; over it CONNACK 0x97 / 3 */
	uint32_t connect_timeout_ms;   /* from accept to a whole CONNECT */
	uint16_t keep_alive_max;       /* seconds; larger or 0 asked: Server Keep Alive; 0 = none */
	uint32_t packet_bytes_max;     /* a whole incoming packet; announced in CONNACK */
	uint32_t payload_bytes_max;    /* of a message or a will; 0 = none; it is not announced */
	uint32_t input_bytes_per_turn; /* read from one connection before others have their turn */

	/* Sessions */
	bool allow_empty_client_id; /* allow_zero_length_clientid */
	bool allow_anonymous;
	bool check_retain_source; /* a retained message is judged by its publisher's rights, too */
	uint32_t session_expiry_max; /* seconds; UINT32_MAX = whatever the client asks */
	uint64_t sessions_max;       /* 0 = none */

	/* Delivery */
	uint16_t receive_maximum;       /* QoS 1/2 that a client may have open towards us */
	uint16_t receive_maximum_slack; /* tolerated beyond it: real devices violate it */
	uint16_t in_flight_max; /* QoS 1/2 we have open towards a client; lower of the two */
	uint8_t qos_max;
	bool retain_available;
	bool upgrade_outgoing_qos;
	uint32_t retry_interval_ms;   /* 3.x only: resend on a live connection; 0 = never */
	uint16_t topic_alias_max_in;  /* announced to v5 clients */
	uint16_t topic_alias_max_out; /* we assign at most so many, if the client allows */

	/* Queues of a client, connected and absent apart; counts and bytes; 0 = none */
	uint32_t queue_messages_max;
	uint64_t queue_bytes_max;
	uint32_t absent_queue_messages_max;
	uint64_t absent_queue_bytes_max;
	bool queue_qos0_absent;    /* queue_qos0_messages */
	uint8_t queue_full_policy; /* enum queue_full_policy */
	uint32_t output_bytes_max; /* unsent bytes of a connection; QoS 0 beyond is dropped */
	uint32_t hold_back_ms_max; /* longest delay of a publisher's acknowledgement */

	/* Routing */
	uint32_t subscriptions_per_client_max; /* 0 = none */
	uint16_t topic_levels_max;
	uint64_t retained_messages_max; /* 0 = none */
	uint64_t retained_bytes_max;    /* 0 = none */
	uint32_t cached_topics_max;     /* of the match cache, per shard */

	/* Whole broker */
	uint64_t memory_bytes_max; /* of messages held; 0 = none; over it QoS 0 is dropped, QoS 1/2
					    refused (0x97) */
	uint64_t queue_memory_bytes_max; /* of entries in queues; over it they go to a page file;
					    0 = none */
	struct limit_settings limits;
	const char *response_information; /* prefix handed to clients that ask; NULL = none */
};

/* The defaults. */
void settings_init(struct settings *s);

/*
 * Settings that many read and nobody changes: changed ones are others. A shard reads those that it
 * holds a reference to, and changes over between two packets (change.h); a connection holds to
 * those that its client was told in CONNACK.
 */
/* A copy, with its texts, and one reference; NULL without memory. */
const struct settings *settings_share(const struct settings *from);
/* Of what settings_share gave. Any thread. */
const struct settings *settings_ref(const struct settings *shared);
/* The last one frees it. NULL is allowed. */
void settings_unref(const struct settings *shared);

#endif
