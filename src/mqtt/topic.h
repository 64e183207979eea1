/* SPDX-License-Identifier: Apache-2.0 */
/* Rules for topic names and filters ([5] 4.7, 4.8.2). UTF-8 has been checked before. */
#ifndef NIGHTJAR_MQTT_TOPIC_H
#define NIGHTJAR_MQTT_TOPIC_H

#include "mqtt/types.h"

/* Is there a `+` or `#` anywhere? */
bool topic_has_wildcard(struct span topic);
/* At least one byte, no `+`, no `#` [MQTT-4.7.0-1, 4.7.3-1]. */
bool topic_name_is_valid(struct span topic);
/* Wildcards only where they may stand [MQTT-4.7.1-1, -2], at least one byte; for `$share/` also
 * the share name's rules [MQTT-4.8.2-1, -2]. */
bool topic_filter_is_valid(struct span filter);
/* Number of levels: slashes + 1. */
unsigned topic_level_count(struct span topic);

/* Splits `$share/name/filter`; false (outputs untouched) when the filter is not a shared one. */
bool topic_filter_split_share(struct span filter, struct span *share_name_out,
			      struct span *filter_out);

/* Does the filter (no `$share/` prefix) match the topic name? The reference for the routing tree.
 * [MQTT-4.7.2-1] a leading wildcard does not match a topic that begins with `$`. Bytes are what
 * they are: nothing is normalised [MQTT-4.7.3-4]. */
bool topic_matches(struct span filter, struct span topic);

#endif
