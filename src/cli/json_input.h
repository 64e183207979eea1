/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --json-lines of pub: a line is a message as a JSON object.
 *
 *	{"topic":"a","payload":"21.5","qos":1,"retain":false,"properties":{"content-type":"ct",
 *	 "user-properties":{"n":"v"}}}
 *
 * What is not there is as the options say: -t, -q, -r, -D. A payload that is no string is published
 * as the JSON that it is; null, or none, is an empty one; "payload-base64" is for bytes that are no
 * text. Members that say how a message came (tst, mid, payloadlen) are passed over, so that what sub
 * --json prints can be published again.
 */
#ifndef NIGHTJAR_CLI_JSON_INPUT_H
#define NIGHTJAR_CLI_JSON_INPUT_H

#include "cli/property_option.h"

/* Like the most that the standard's packet has room for, and more than anybody writes. */
#define JSON_PROPERTIES_MAX 1000

struct json_message {
	struct nj_message_out out;
	/* what it borrows */
	struct span line;
	struct json_t *root;
	void *payload;
	void *correlation_data;
	struct property_list properties;
	char problem[160]; /* why it could not be read */
};

/* False, and `problem` is a sentence, when the line is no such message. `defaults` is what the
 * options say; its topic may be NULL. The line is borrowed. Release in every case. */
bool json_message_read(struct json_message *m, struct span line,
		       const struct nj_message_out *defaults);
void json_message_release(struct json_message *m);

#endif
