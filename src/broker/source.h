/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who has published a message, as far as access rules are concerned: its realm, user name and client
 * id. Kept with a retained message and with a will, where an ACL holds, since both are judged once
 * more when their publisher may be long gone: a retained message when it is looked up, a will that
 * was restored when it is due. Behind the payload of a message (queue/message.h), in the log and in
 * the snapshot it is
 *
 *	| realm u8 | has a user name u8 | length of that u16 | user name | client id |
 */
#ifndef NIGHTJAR_BROKER_SOURCE_H
#define NIGHTJAR_BROKER_SOURCE_H

#include "base/base.h"

/* Of its bytes: two texts of MQTT. */
#define SOURCE_BYTES_MAX (4 + 2 * 65535)

struct identity;
struct shard;

/* Of that client; empty when no rules hold for it. Lies in the shard until the next call. False
 * without memory. */
bool source_make(struct shard *s, const struct identity *i, struct span client_id,
		 struct span *source_out) MUST_USE;
/* Could it have been made? */
bool source_is_valid(struct span source);
/* May it publish to that topic, by the rules that hold now? What is no source may not; who has none
 * (empty) may. */
bool source_may_write(const struct shard *s, struct span source, struct span topic);

#endif
