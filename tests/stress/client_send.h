/* SPDX-License-Identifier: Apache-2.0 */
/* What a client of the stress and crash tests sends, packet by packet; its state is client.c's. */
#ifndef NIGHTJAR_STRESS_CLIENT_SEND_H
#define NIGHTJAR_STRESS_CLIENT_SEND_H

#include "client.h"
#include "payload.h"

#define PACKET_BYTES (PAYLOAD_BYTES_MAX + 100)

void client_send_packet(struct client *c, const uint8_t *bytes, size_t len);
void client_send_ack(struct client *c, unsigned type, uint16_t packet_id);
/* With a will, if the client has one; the ledger hears of it. */
void client_send_connect(struct client *c, bool clean);
size_t client_encode_publish(const struct client *c, const struct outgoing *o, bool dup,
			     struct room room);
void client_send_publish(struct client *c, const struct outgoing *o, bool dup);
uint16_t client_new_packet_id(struct client *c);
/* With a new packet id. */
void client_send_subscribe(struct client *c, struct client_subscription *s);
void client_send_unsubscribe(struct client *c, struct client_subscription *s);

#endif
