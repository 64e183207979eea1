/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt/flaw.h"

#include "mqtt/reason.h"

#define MALFORMED REASON_MALFORMED_PACKET
#define PROTOCOL REASON_PROTOCOL_ERROR

const struct flaw flaw_truncated = {MALFORMED, "a field reaches beyond the end of the packet"};
const struct flaw flaw_trailing = {MALFORMED, "bytes are left behind the last field"};
/* [MQTT-1.5.5-1] */
const struct flaw flaw_variable_integer = {
	MALFORMED, "a variable byte integer is padded or longer than four bytes"};
/* [MQTT-1.5.4-1, 1.5.4-2] */
const struct flaw flaw_utf8 = {MALFORMED, "a string is not valid UTF-8 or holds U+0000"};
const struct flaw flaw_packet_type = {MALFORMED, "packet type 0 is reserved"};
/* [MQTT-2.1.3-1] */
const struct flaw flaw_header_flags = {MALFORMED, "reserved flags of the fixed header are wrong"};
const struct flaw flaw_ping_body = {MALFORMED, "a ping has a body"};
/* [MQTT-2.2.1-3] */
const struct flaw flaw_packet_id = {PROTOCOL, "the packet identifier is 0"};
const struct flaw flaw_reason_code = {PROTOCOL, "the reason code does not belong to this packet"};

const struct flaw flaw_property_unknown = {MALFORMED, "a property identifier is unknown"};
const struct flaw flaw_property_misplaced = {MALFORMED,
					     "a property does not belong to this packet"};
const struct flaw flaw_property_repeated = {PROTOCOL, "a property is given more than once"};
const struct flaw flaw_property_range = {PROTOCOL, "the value of a property is out of range"};
/* [MQTT-3.3.2-8] */
const struct flaw flaw_topic_alias = {REASON_TOPIC_ALIAS_INVALID, "the topic alias is 0"};
/* [MQTT-3.3.2-14] */
const struct flaw flaw_response_topic = {PROTOCOL, "the response topic has wildcards"};
const struct flaw flaw_authentication_data = {
	PROTOCOL, "authentication data stand without an authentication method"};
const struct flaw flaw_authentication_method = {PROTOCOL, "AUTH names no authentication method"};

const struct flaw flaw_protocol = {REASON_UNSUPPORTED_PROTOCOL_VERSION,
				   "the protocol name or version is not supported"};
/* [MQTT-3.1.2-3] */
const struct flaw flaw_connect_flags = {MALFORMED, "the reserved connect flag is set"};
/* [MQTT-3.1.2-12] */
const struct flaw flaw_will_qos = {MALFORMED, "the will QoS is 3"};
/* [MQTT-3.1.2-11, 3.1.2-13] */
const struct flaw flaw_will_flags = {MALFORMED, "will QoS or will retain is set without a will"};
/* [3.1.1 MQTT-3.1.2-22] */
const struct flaw flaw_password = {MALFORMED, "a password stands without a user name"};
/* [3.1.1 MQTT-3.1.3-8] */
const struct flaw flaw_client_id = {REASON_CLIENT_IDENTIFIER_NOT_VALID,
				    "the client identifier is empty"};
/* [MQTT-4.7.0-1, 4.7.3-1] */
const struct flaw flaw_will_topic = {REASON_TOPIC_NAME_INVALID,
				     "the will topic is empty or has wildcards"};
/* [MQTT-3.2.2-1] */
const struct flaw flaw_connack_flags = {MALFORMED, "reserved CONNACK flags are set"};

/* [MQTT-3.3.1-4] */
const struct flaw flaw_publish_qos = {MALFORMED, "the QoS of a PUBLISH is 3"};
/* [MQTT-3.3.1-2] */
const struct flaw flaw_publish_dup = {MALFORMED, "DUP is set on a QoS 0 PUBLISH"};
/* [MQTT-3.3.2-2] */
const struct flaw flaw_topic_wildcard = {REASON_TOPIC_NAME_INVALID, "the topic name has wildcards"};
/* [MQTT-4.7.3-1]; [5] 3.3.2.1 allows it with a topic alias */
const struct flaw flaw_topic_empty = {PROTOCOL, "the topic name is empty"};

/* [MQTT-3.8.3-2, 3.10.3-2] */
const struct flaw flaw_no_filter = {PROTOCOL, "no topic filter is given"};
const struct flaw flaw_no_code = {PROTOCOL, "no reason code is given"};
/* [5] 3.8.3.1 names QoS 3 and retain handling 3 Protocol Errors. */
const struct flaw flaw_subscribe_qos = {PROTOCOL, "the QoS of a subscription is 3"};
const struct flaw flaw_retain_handling = {PROTOCOL, "the retain handling of a subscription is 3"};
/* [MQTT-3.8.3-5]; [3.1.1 MQTT-3.8.3-4] */
const struct flaw flaw_option_bits = {MALFORMED, "reserved bits of subscription options are set"};
/* [MQTT-3.8.3-4] */
const struct flaw flaw_no_local = {PROTOCOL, "no local is set on a shared subscription"};
