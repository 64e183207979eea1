/* SPDX-License-Identifier: Apache-2.0 */
/* -D: properties of MQTT 5.0 given on the command line, per packet. */
#ifndef NIGHTJAR_CLI_PROPERTY_OPTION_H
#define NIGHTJAR_CLI_PROPERTY_OPTION_H

#include "base/base.h"
#include "nightjar/client.h"

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

/* In the order in which they are given; texts are borrowed. */
struct property_list {
	struct nj_property *items;
	size_t count;
};

struct property_options {
	struct property_list of[TARGET_COUNT];
};

void property_options_init(struct property_options *p);
void property_options_release(struct property_options *p);

/* Reads "command identifier value" or "command user-property name value" from `words`; returns
 * how many words were taken, 0 when something is wrong, which has been printed then. */
int property_options_add(struct property_options *p, char *const *words, int count);

/* 0 or ERROR_NO_MEMORY. */
int property_list_add(struct property_list *list, const struct nj_property *property) MUST_USE;
bool property_list_has(const struct property_list *list, uint8_t id);
void property_list_release(struct property_list *list);

/* A property by the name that -D and JSON have for it. */
struct property_kind {
	const char *name;
	uint8_t id;
	bool is_number;
	bool is_binary; /* need not be UTF-8 */
	uint32_t min, max;
};
/* One that a PUBLISH may have, or NULL. */
const struct property_kind *property_kind_of_message(const char *name);

#endif
