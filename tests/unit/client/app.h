/* SPDX-License-Identifier: Apache-2.0 */
/* An application of the public header in a loop of its own: one thread steps it and the server,
 * and notes what the callbacks say. */
#ifndef TESTS_CLIENT_APP_H
#define TESTS_CLIENT_APP_H

#include "host.h"

#define EVENTS 64

struct app {
	struct host host;
	nj_client *client;
	struct nj_options options;
	unsigned connected_count, disconnected_count, message_count, published_count;
	bool session_lost, session_present;
	struct nj_disconnected disconnected;
	struct nj_published published[EVENTS];
	nj_message *kept[EVENTS];
	bool keeps;
	uint32_t numbers[EVENTS];
	bool last_dup;
	unsigned unsubscribed_count;
	char filter[64];
	uint8_t reason_code;
	void (*in_message)(struct app *a, nj_message *m);
};

extern struct app app;

/* Options that a test may change before it calls app_open(). */
void app_prepare(uint8_t version);
/* Makes the client and waits for its connection. */
void app_open(void);
/* Both. */
void app_begin(uint8_t version);
void app_end(void);
/* The connection breaks; until there is another one. */
void app_reconnect(void);
bool app_is_connected(void *context);

/* Publishes a number, with a tag of its own. */
int app_publish(uint32_t number, uint8_t qos, nj_delivery **delivery_out);
/* The server sends a number, and all that follows from it is done. */
void app_give(uint32_t number, uint8_t qos);

#endif
