/* SPDX-License-Identifier: Apache-2.0 */
/* Every mistake of a peer that the codec can name: the reason code that version 5 gives to it, and
 * the sentence that users read in logs and in reason strings. */
#ifndef NIGHTJAR_MQTT_FLAW_H
#define NIGHTJAR_MQTT_FLAW_H

#include "mqtt/types.h"

/* any packet */
extern const struct flaw flaw_truncated;
extern const struct flaw flaw_trailing;
extern const struct flaw flaw_variable_integer;
extern const struct flaw flaw_utf8;
extern const struct flaw flaw_packet_type;
extern const struct flaw flaw_header_flags;
extern const struct flaw flaw_ping_body;
extern const struct flaw flaw_packet_id;
extern const struct flaw flaw_reason_code;

/* properties */
extern const struct flaw flaw_property_unknown;
extern const struct flaw flaw_property_misplaced;
extern const struct flaw flaw_property_repeated;
extern const struct flaw flaw_property_range;
extern const struct flaw flaw_topic_alias;
extern const struct flaw flaw_response_topic;
extern const struct flaw flaw_authentication_data;
extern const struct flaw flaw_authentication_method;

/* CONNECT and CONNACK */
extern const struct flaw flaw_protocol;
extern const struct flaw flaw_connect_flags;
extern const struct flaw flaw_will_qos;
extern const struct flaw flaw_will_flags;
extern const struct flaw flaw_password;
extern const struct flaw flaw_client_id;
extern const struct flaw flaw_will_topic;
extern const struct flaw flaw_connack_flags;

/* PUBLISH */
extern const struct flaw flaw_publish_qos;
extern const struct flaw flaw_publish_dup;
extern const struct flaw flaw_topic_wildcard;
extern const struct flaw flaw_topic_empty;

/* SUBSCRIBE, UNSUBSCRIBE and their acknowledgements */
extern const struct flaw flaw_no_filter;
extern const struct flaw flaw_no_code;
extern const struct flaw flaw_subscribe_qos;
extern const struct flaw flaw_retain_handling;
extern const struct flaw flaw_option_bits;
extern const struct flaw flaw_no_local;

#endif
