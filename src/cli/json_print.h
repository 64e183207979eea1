/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A message as a JSON object, as %j and %J of sub's -F print it, in the form of mosquitto's:
 *
 *	{"tst":"2020-05-06T22:12:00.000000+0100","topic":"a","qos":1,"retain":0,"payloadlen":5,
 *	 "mid":7,"properties":{"content-type":"ct","user-properties":{"n":"v"}},"payload":"hello"}
 *
 * Binary data that is no UTF-8, which JSON cannot carry, stands as base64, under a name that ends in
 * "-base64". pub --json-lines reads the same.
 */
#ifndef NIGHTJAR_CLI_JSON_PRINT_H
#define NIGHTJAR_CLI_JSON_PRINT_H

#include "mqtt/packets.h"

#include <stdio.h>
#include <time.h>

struct json_style {
	bool is_pretty;      /* a line for each member */
	bool embeds_payload; /* the payload is JSON, and stands there as such */
};

/* False, and nothing is printed, when the payload should be JSON and is not. */
bool json_print(FILE *to, const struct json_style *style, const struct publish *message,
		const struct timespec *when);

#endif
