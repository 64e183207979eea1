/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much of the broker one client, one address or one listener may take (docs/LIMITS.md). Plain
 * data, as settings.h. 0 = no limit, and the default, unless it says something else.
 */
#ifndef NIGHTJAR_BROKER_LIMIT_SETTINGS_H
#define NIGHTJAR_BROKER_LIMIT_SETTINGS_H

#include "io/network.h"

/* As many as a configuration may have; an index of one is six bits of a connection. */
#define LIMIT_LISTENERS_MAX 64

/* What happens to a PUBLISH beyond the rate. */
enum rate_action {
	RATE_HOLD,       /* the client is not read until its time has come */
	RATE_REFUSE,     /* QoS 0 is dropped, QoS 1 and 2 are answered with 0x97 */
	RATE_DISCONNECT, /* the client is told 0x96 and goes */
};

/* Of those who come by one listener. A burst of 0 stands for what a second brings. */
struct listener_limits {
	uint32_t
		messages_per_s; /* of each client: PUBLISH, SUBSCRIBE, UNSUBSCRIBE, PINGREQ, AUTH */
	uint32_t messages_burst;
	uint32_t bytes_per_s; /* of each client: packets of all kinds, with their headers */
	uint32_t bytes_burst;
	uint32_t rate_action;    /* enum rate_action */
	uint32_t connects_per_s; /* accepted here; beyond it they wait in the system's queue */
	uint32_t connects_burst;
	uint32_t connections_per_address;
	uint32_t connections_max; /* of all addresses; over it CONNACK 0x97 / 3 */
};

/* Whom a ban is for. */
struct ban_settings {
	/* So much within the window leads to a ban. */
	uint32_t failed_logins_max;
	uint32_t errors_max;   /* of the protocol, or in a handshake before it */
	uint32_t connects_max; /* came in: flapping */
	uint32_t window_s;     /* 60 */
	uint32_t ban_s;        /* 300 */
	bool of_addresses;     /* true */
	bool of_users;         /* false: else anybody could lock out a user whose name he knows */
	bool of_client_ids;    /* false, for the same reason */
};

/* Networks whose clients have none of these limits. */
#define EXEMPT_MAX 32

struct limit_settings {
	uint32_t connects_per_s; /* of all listeners together */
	uint32_t connects_burst;
	/* So many bits of an IPv6 address stand for one client: 64, the part that a network is
	 * given, within which it can have any address. Not changed while running. */
	uint8_t ipv6_prefix;
	uint8_t exempt_count;
	struct network exempt[EXEMPT_MAX];
	struct ban_settings ban;
	/* Of the whole process; 0 = none (shed.h). Not from or to 0 while running. */
	uint64_t memory_ceiling;
	/* A shard that is so late, in milliseconds; 0 = never: no new connections (500: four times
	 * what was seen where nine programs shared a core), no QoS 0 (2000: most clients give up by then). */
	uint32_t shed_connections_ms;
	uint32_t shed_qos0_ms;
	struct listener_limits listeners[LIMIT_LISTENERS_MAX];
};

#endif
