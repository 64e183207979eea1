/* SPDX-License-Identifier: Apache-2.0 */
/* A client with a store on a disk in memory, and the ones after it; one thread steps all. */
#ifndef TESTS_CLIENT_RIG_H
#define TESTS_CLIENT_RIG_H

#include "host.h"

#include "client/kept.h"
#include "disk/disk_simulated.h"

#define STORE_ID 0x5eed

struct rig {
	struct host host;
	struct simdisk *medium;
	struct nj_options options;
	nj_client *client;
	char said[4 * STORE_REASON_MAX]; /* all of it */
	unsigned stored_count, published_count;
	struct nj_published published;
	uint64_t stored_mark;
	bool session_lost;
};

extern struct rig rig;

/* Options that a test may change before rig_begin(). */
void rig_prepare(uint8_t version);
void rig_begin(void);
void rig_end(void);
/* Until nothing moves, of the client, the server and the store. */
void rig_settle(void);
void rig_connect(void);
bool rig_is_connected(void *context);
/* The process is killed, and another one begins. */
void rig_begin_anew(void);
/* It ends by itself, so that what may be written late is written. */
void rig_begin_in_peace(void);

int rig_publish(uint32_t number, uint8_t qos, uint64_t mark, nj_delivery **delivery_out);
/* Has the server received a packet of that type? */
bool rig_has_come(uint8_t type);

#endif
