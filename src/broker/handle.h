/* SPDX-License-Identifier: Apache-2.0 */
/* What follows from each packet of a client (handle_*.c), and the packets that answer. */
#ifndef NIGHTJAR_BROKER_HANDLE_H
#define NIGHTJAR_BROKER_HANDLE_H

#include "broker/connection.h"

struct command;
struct connect_options;

/* Which handler for which packet (handle_*.c). They end the connection themselves on mistakes. */
void handle_connect(struct connection *c, struct span body);
void handle_publish(struct connection *c, uint8_t flags, struct span body);
void handle_ack(struct connection *c, uint8_t type, struct span body);
void handle_subscribe(struct connection *c, struct span body);
void handle_unsubscribe(struct connection *c, struct span body);
void handle_disconnect(struct connection *c, struct span body);
void handle_auth(struct connection *c, struct span body);

/* Sends DISCONNECT (v5 only) with that reason; the text goes along where there is room. */
void send_disconnect(struct connection *c, uint8_t reason_code, const char *text);

/* Its CONNECT came back from the log, or needed not go there (handle_connect.c). */
void connect_returned(struct shard *s, const struct command *command);
/* After CONNECT was applied. */
void connect_accept(struct connection *c, struct session *session, bool is_present,
		    struct connect_options *options);
void connect_arrive(struct shard *s, struct connection *c);

/* A client's message or will as it is forwarded: properties that end here are left out; the copy
 * lies in the shard until the next call. False without memory (handle_publish.c). */
bool forward_properties(struct shard *s, const struct properties *properties,
			struct span *forward_out);

/* A SUBSCRIBE that every shard is prepared for goes into the log, if its client is still there.
 * Takes it over (handle_subscribe.c). */
void subscribe_append(struct shard *s, struct command *command);

/* PUBACK, PUBREC, PUBREL or PUBCOMP into the output, with what v5 has to say; a refused QoS 2
 * message is forgotten here (handle_ack.c). */
void ack_send(struct connection *c, uint8_t type, uint16_t packet_id, uint8_t reason_code);
/* PUBREC for a message that comes again: not before the first has become durable. */
void ack_answer_again(struct connection *c, uint16_t packet_id);
/* An answer that waits for nothing but its turn. */
void ack_answer(struct connection *c, uint8_t type, uint16_t packet_id, uint8_t reason_code);

#endif
