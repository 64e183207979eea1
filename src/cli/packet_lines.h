/* SPDX-License-Identifier: Apache-2.0 */
/* What -d prints: one line per packet, in the words that users know from mosquitto's clients. */
#ifndef NIGHTJAR_CLI_PACKET_LINES_H
#define NIGHTJAR_CLI_PACKET_LINES_H

#include "nightjar/client.h"

#include <stdio.h>

struct packet_lines {
	FILE *to;
	/* QoS 0 messages have no packet id; the lines number them all the same. */
	uint16_t number;
	bool shows_grants; /* what SUBACK says, filter by filter */
};

void packet_lines_print(struct packet_lines *l, const struct nj_packet *packet);

#endif
