/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A publisher, the broker and a subscriber: the real client engine at both ends, the real broker on
 * a log that keeps what it is given until told that it is durable. Nothing happens by itself; one
 * choice after the other says what happens next.
 *
 *      publisher -----> broker -----> subscriber
 *                <-----    |   <-----
 *                         log
 *
 * A broker cannot be copied, so a state is come to again by making the same choices from the
 * beginning. States are compared by a digest of all that decides what can follow.
 */
#ifndef NIGHTJAR_TESTS_EXPLORE_RELAY_H
#define NIGHTJAR_TESTS_EXPLORE_RELAY_H

#include "base/buffer.h"
#include "client/engine.h"
#include "kit/kit.h"
#include "log/log_kept.h"

#define RELAY_MESSAGES_MAX 3
#define RELAY_HANDLES_MAX 16

struct relay_config {
	const char *name;
	uint8_t version; /* enum mqtt_version */
	uint8_t messages;
	uint8_t qos[RELAY_MESSAGES_MAX];
	uint8_t receive_maximum; /* of both ends */
	uint8_t cuts, crashes;   /* at most so many on one way */
	bool is_told;            /* the subscriber's application says when to acknowledge */
	bool is_short;
};

enum end_name { PUBLISHER, SUBSCRIBER, END_COUNT };

enum choice {
	CHOICE_PUBLISHER_SENDS, /* one packet comes to the broker, which acts on it */
	CHOICE_SUBSCRIBER_SENDS,
	CHOICE_PUBLISHER_RECEIVES,
	CHOICE_SUBSCRIBER_RECEIVES,
	CHOICE_COMMIT,      /* the oldest batch in the log is durable */
	CHOICE_ACKNOWLEDGE, /* the subscriber's application is done with what came first */
	CHOICE_ACKNOWLEDGE_LAST,
	/* from here on: what may happen but never has to */
	CHOICE_CUT_PUBLISHER,
	CHOICE_CUT_SUBSCRIBER,
	CHOICE_CRASH, /* of the broker; what is not durable is lost */
	CHOICE_COUNT,
};
#define CHOICE_FIRST_FAULT CHOICE_CUT_PUBLISHER

struct relay_end {
	struct relay *relay;
	enum end_name name;
	struct engine *engine;
	struct stream stream;
	struct buffer in; /* from the broker, on its way */
};

struct relay {
	const struct relay_config *config;
	struct settings settings;
	struct kit kit;
	struct kept_store *store;
	struct log_kept *log;
	struct relay_end ends[END_COUNT];
	uint8_t cuts_left, crashes_left;
	uint8_t delivered[RELAY_MESSAGES_MAX];
	uint8_t told[RELAY_MESSAGES_MAX]; /* the publisher heard that it has arrived */
	bool is_subscribed;
	uint64_t handles[RELAY_HANDLES_MAX]; /* messages that it has still to acknowledge */
	unsigned handle_count;
	char broken[160]; /* the promise that does not hold; "" = none */
	/* Told what happens, to draw it; NULL when nobody looks. */
	void (*show)(int column, const char *text);
};

/* Both are connected, the subscriber has subscribed, the publisher has its messages to send. */
void relay_start(struct relay *r, const struct relay_config *config);
void relay_stop(struct relay *r);
bool relay_may(const struct relay *r, enum choice choice);
/* relay_may() holds. */
void relay_choose(struct relay *r, enum choice choice);
bool relay_is_done(const struct relay *r);
/* Says what is missing when nothing more can happen. */
void relay_check_done(struct relay *r);
void relay_break(struct relay *r, const char *format, ...) PRINTF_LIKE(2, 3);

/* relay_digest.c */
uint64_t relay_digest(struct relay *r);

#endif
