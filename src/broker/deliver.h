/* SPDX-License-Identifier: Apache-2.0 */
/* One message to one session: sent, queued, or refused by its limits. */
#ifndef NIGHTJAR_BROKER_DELIVER_H
#define NIGHTJAR_BROKER_DELIVER_H

#include "broker/publish.h"

struct delivery {
	struct publication *publication;
	uint32_t identifier;
	uint16_t membership;
	uint8_t qos;
	uint8_t flags; /* QUEUED_..., DELIVER_ACCEPTED */
};
/* Its publisher has been told that it will be delivered: no limit refuses it any more. */
#define DELIVER_ACCEPTED 0x80
enum delivered {
	DELIVERED,
	DELIVERED_SLOWLY, /* and this reader has fallen behind: hold publishers back */
	DELIVERY_REFUSED, /* its queue is full */
};
enum delivered deliver(struct shard *s, struct session *session, struct delivery *d);
/* Sends what may be sent: again after a reconnect, then what waits. */
void deliver_pump(struct shard *s, struct session *session);
bool deliver_is_due(struct shard *s, struct session *session);
/* A message left a queue undelivered: says why, tells the log, drops the reference. */
void deliver_give_up(struct shard *s, struct session *session, const struct queued *q,
		     const char *why);

#endif
