/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A correct MQTT client, written for this test alone so that it checks the broker independently:
 * it keeps its session's state over connections, resends what was not acknowledged (PUBLISH with
 * DUP, or PUBREL), and hands each QoS 2 message to its user once.
 */
#ifndef NIGHTJAR_STRESS_CLIENT_H
#define NIGHTJAR_STRESS_CLIENT_H

#include "channel.h"
#include "ledger.h"

#define CLIENT_WINDOW 8
#define CLIENT_SUBSCRIPTIONS 3
#define CLIENT_ALIASES 10
#define CLIENT_TOPICS 4 /* on which it publishes, at each QoS: so many streams times three */

struct world {
	struct ledger ledger;
	uint64_t random;
	uint64_t connects, cuts, goodbyes, take_overs, told_taken_over, clean_starts, redelivered;
	unsigned left_behind; /* channels that wait for the broker to close them */
	/* For tests that end the broker under the clients: connections may close, and sessions'
	 * packet ids are soon used again (0: all 65,535 are). */
	bool is_broker_ending;
	uint16_t packet_id_max;
};

enum client_state { CLIENT_OFF, CLIENT_CONNECTING, CLIENT_ON };

enum outgoing_step { WAIT_FOR_PUBACK, WAIT_FOR_PUBREC, WAIT_FOR_PUBCOMP };

struct outgoing {
	uint32_t stream;
	uint32_t number;
	uint16_t packet_id;
	uint8_t step; /* enum outgoing_step */
};

enum subscription_step { NOT_SUBSCRIBED, SUBSCRIBING, SUBSCRIBED, UNSUBSCRIBING };

struct client_subscription {
	uint16_t filter;
	uint16_t packet_id;
	uint8_t qos;
	uint8_t step; /* enum subscription_step */
};

struct client {
	struct world *world;
	uint32_t index;
	uint8_t version;
	bool survives; /* its session outlives its connections */
	bool takes_aliases;

	struct channel *channel; /* NULL when off */
	uint8_t state;           /* enum client_state */
	bool is_paused;
	/* A connection was cut before its CONNACK: its CONNECT may reach the broker behind that of
	 * the next one, and take the session over from it. */
	bool has_rival;
	uint16_t aliases[CLIENT_ALIASES + 1]; /* topic + 1, 0 = unknown */

	/* Each connection has a will, which says the number of the connection. */
	bool has_will;
	bool is_will_armed; /* confirmed, and not taken back by a goodbye */
	uint32_t will_stream;
	uint32_t will_number;
	uint32_t will_delay_s;

	/* The session */
	bool has_session;      /* the broker has confirmed one that survives */
	bool is_clean_pending; /* a clean start was asked for, and not yet confirmed */
	uint16_t newest_packet_id;
	struct outgoing outgoing[CLIENT_WINDOW]; /* oldest first */
	unsigned outgoing_count;
	uint64_t received[65536 / 64]; /* a bit a packet id: QoS 2, not yet released */
	struct client_subscription subscriptions[CLIENT_SUBSCRIPTIONS];
	uint32_t gone_at[FILTERS_ALL]; /* UNSUBACK came then, and no SUBSCRIBE was sent since; 0 */
};

uint32_t client_stream(const struct client *c, unsigned topic_slot, unsigned qos);

/* Those of which `survives` is set at first. */
bool client_survives(uint32_t index);
void client_init(struct client *c, struct world *w, uint32_t index);
void client_connect(struct client *c, bool clean);
/* Connects while the old connection still stands. Only when on. */
void client_take_over(struct client *c, bool clean);
/* Ends the connection without a word; perhaps in the middle of a packet, perhaps with a reset. */
void client_cut(struct client *c);
void client_say_goodbye(struct client *c);
/* Its session ends with the connection that this one begins; `survives` is off from now on. */
void client_end_session(struct client *c);
/* False when it has no room for more in flight. */
bool client_publish(struct client *c, unsigned topic_slot, unsigned qos);
/* False when it has no subscription to give or to take. */
bool client_subscribe(struct client *c, unsigned filter, unsigned qos);
bool client_unsubscribe(struct client *c, unsigned which);
void client_pause(struct client *c, bool pauses);

/* epoll's events of a channel, whoever's it is. */
void channel_event(struct world *w, struct channel *k, unsigned events);
/* Nothing is under way from it or asked for. */
bool client_is_settled(const struct client *c);

#endif
