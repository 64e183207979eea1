/* SPDX-License-Identifier: Apache-2.0 */
/* -D: properties of MQTT 5.0 given on the command line, per packet. */
#ifndef NIGHTJAR_CLI_PROPERTY_OPTION_H
#define NIGHTJAR_CLI_PROPERTY_OPTION_H

#include "base/buffer.h"
#include "mqtt/packets.h"

/* Packets that -D can add to. */
enum property_target {
	TARGET_CONNECT,
	TARGET_PUBLISH,
	TARGET_SUBSCRIBE,
	TARGET_UNSUBSCRIBE,
	TARGET_DISCONNECT,
	TARGET_WILL,
	TARGET_COUNT,
};

struct property_options {
	struct properties of[TARGET_COUNT]; /* texts are borrowed from the arguments */
	struct buffer user[TARGET_COUNT];   /* encoded User Properties, in order */
};

void property_options_init(struct property_options *p);
void property_options_release(struct property_options *p);

/* Reads "command identifier value" or "command user-property name value" from `words`; returns
 * how many words were taken, 0 when something is wrong, which has been printed then. */
int property_options_add(struct property_options *p, char *const *words, int count);
/* The properties, ready to encode. */
struct properties property_options_of(const struct property_options *p,
				      enum property_target target);

#endif
