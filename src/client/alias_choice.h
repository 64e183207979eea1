/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which topics get an alias on the way out ([5] 3.3.2.3.4), on one connection: those that are used
 * most. A topic that comes a second time gets a free alias; when there is none it takes that of the
 * least used one, once it was used twice as often. Beside those with an alias a few times as many
 * topics are counted; the least used of them makes room for a new one.
 */
#ifndef NIGHTJAR_CLIENT_ALIAS_CHOICE_H
#define NIGHTJAR_CLIENT_ALIAS_CHOICE_H

#include "base/base.h"

#define ALIAS_CHOICE_MAX 64 /* looked through one by one */

struct alias_candidate {
	uint64_t hash;
	uint32_t uses;
	uint16_t alias; /* 0: none */
	uint32_t len;
	char *topic;
};

struct alias_choice {
	struct alias_candidate *candidates;
	uint32_t count, capacity;
	uint16_t maximum; /* aliases from 1 to this one */
	uint16_t given;   /* so many were */
};

/* A connection begins: the server knows no alias yet. ALIAS_CHOICE_MAX at most are used. */
void alias_choice_begin(struct alias_choice *a, uint16_t maximum);
void alias_choice_release(struct alias_choice *a);

/* The alias for a message to this topic, or 0. `is_known_out`: the server knows it, and the topic is
 * left out; else both are sent. Without memory there is none. */
uint16_t alias_choice_use(struct alias_choice *a, struct span topic, bool *is_known_out);
/* The alias stands for something else now, or was not sent. */
void alias_choice_forget(struct alias_choice *a, uint16_t alias);

#endif
