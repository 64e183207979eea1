/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt/types.h"

static const char *const names[16] = {
	[PACKET_CONNECT] = "CONNECT",   [PACKET_CONNACK] = "CONNACK",
	[PACKET_PUBLISH] = "PUBLISH",   [PACKET_PUBACK] = "PUBACK",
	[PACKET_PUBREC] = "PUBREC",     [PACKET_PUBREL] = "PUBREL",
	[PACKET_PUBCOMP] = "PUBCOMP",   [PACKET_SUBSCRIBE] = "SUBSCRIBE",
	[PACKET_SUBACK] = "SUBACK",     [PACKET_UNSUBSCRIBE] = "UNSUBSCRIBE",
	[PACKET_UNSUBACK] = "UNSUBACK", [PACKET_PINGREQ] = "PINGREQ",
	[PACKET_PINGRESP] = "PINGRESP", [PACKET_DISCONNECT] = "DISCONNECT",
	[PACKET_AUTH] = "AUTH",
};

const char *packet_type_name(unsigned type)
{
	return type > 0 && type < ARRAY_COUNT(names) ? names[type] : "RESERVED";
}
