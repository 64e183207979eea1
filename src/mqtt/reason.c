/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt/reason.h"

#define CONNACK (1u << PACKET_CONNACK)
#define PUBACK (1u << PACKET_PUBACK)
#define PUBREC (1u << PACKET_PUBREC)
#define PUBREL (1u << PACKET_PUBREL)
#define PUBCOMP (1u << PACKET_PUBCOMP)
#define SUBACK (1u << PACKET_SUBACK)
#define UNSUBACK (1u << PACKET_UNSUBACK)
#define DISCONNECT (1u << PACKET_DISCONNECT)
#define AUTH (1u << PACKET_AUTH)

/* 3.x CONNACK ([3.1.1] 3.2.2.3) */
enum return_code {
	ACCEPTED,
	UNACCEPTABLE_PROTOCOL_VERSION,
	IDENTIFIER_REJECTED,
	SERVER_UNAVAILABLE,
	BAD_USER_NAME_OR_PASSWORD,
	NOT_AUTHORIZED,
};

/* [5] 2.4, with the tables of the packets' own sections. 0x8C in DISCONNECT is in one of the
 * standard's two lists only: tolerated. The return code is what comes nearest in a 3.x CONNACK,
 * for the codes that a CONNACK may carry. */
static const struct reason {
	const char *name;
	uint16_t packets;
	uint8_t return_code;
} reasons[] = {
	[0x00] = {"Success",
		  CONNACK | PUBACK | PUBREC | PUBREL | PUBCOMP | SUBACK | UNSUBACK | DISCONNECT |
			  AUTH,
		  ACCEPTED},
	[0x01] = {"Granted QoS 1", SUBACK, 0},
	[0x02] = {"Granted QoS 2", SUBACK, 0},
	[0x04] = {"Disconnect with Will Message", DISCONNECT, 0},
	[0x10] = {"No matching subscribers", PUBACK | PUBREC, 0},
	[0x11] = {"No subscription existed", UNSUBACK, 0},
	[0x18] = {"Continue authentication", AUTH, 0},
	[0x19] = {"Re-authenticate", AUTH, 0},
	[0x80] = {"Unspecified error", CONNACK | PUBACK | PUBREC | SUBACK | UNSUBACK | DISCONNECT,
		  SERVER_UNAVAILABLE},
	[0x81] = {"Malformed Packet", CONNACK | DISCONNECT, SERVER_UNAVAILABLE},
	[0x82] = {"Protocol Error", CONNACK | DISCONNECT, SERVER_UNAVAILABLE},
	[0x83] = {"Implementation specific error",
		  CONNACK | PUBACK | PUBREC | SUBACK | UNSUBACK | DISCONNECT, SERVER_UNAVAILABLE},
	[0x84] = {"Unsupported Protocol Version", CONNACK, UNACCEPTABLE_PROTOCOL_VERSION},
	[0x85] = {"Client Identifier not valid", CONNACK, IDENTIFIER_REJECTED},
	[0x86] = {"Bad User Name or Password", CONNACK, BAD_USER_NAME_OR_PASSWORD},
	[0x87] = {"Not authorized", CONNACK | PUBACK | PUBREC | SUBACK | UNSUBACK | DISCONNECT,
		  NOT_AUTHORIZED},
	[0x88] = {"Server unavailable", CONNACK, SERVER_UNAVAILABLE},
	[0x89] = {"Server busy", CONNACK | DISCONNECT, SERVER_UNAVAILABLE},
	[0x8A] = {"Banned", CONNACK, NOT_AUTHORIZED},
	[0x8B] = {"Server shutting down", DISCONNECT, SERVER_UNAVAILABLE},
	[0x8C] = {"Bad authentication method", CONNACK | DISCONNECT, BAD_USER_NAME_OR_PASSWORD},
	[0x8D] = {"Keep Alive timeout", DISCONNECT, 0},
	[0x8E] = {"Session taken over", DISCONNECT, 0},
	[0x8F] = {"Topic Filter invalid", SUBACK | UNSUBACK | DISCONNECT, 0},
	[0x90] = {"Topic Name invalid", CONNACK | PUBACK | PUBREC | DISCONNECT, NOT_AUTHORIZED},
	[0x91] = {"Packet Identifier in use", PUBACK | PUBREC | SUBACK | UNSUBACK, 0},
	[0x92] = {"Packet Identifier not found", PUBREL | PUBCOMP, 0},
	[0x93] = {"Receive Maximum exceeded", DISCONNECT, 0},
	[0x94] = {"Topic Alias invalid", DISCONNECT, 0},
	[0x95] = {"Packet too large", CONNACK | DISCONNECT, NOT_AUTHORIZED},
	[0x96] = {"Message rate too high", DISCONNECT, 0},
	[0x97] = {"Quota exceeded", CONNACK | PUBACK | PUBREC | SUBACK | DISCONNECT,
		  SERVER_UNAVAILABLE},
	[0x98] = {"Administrative action", DISCONNECT, 0},
	[0x99] = {"Payload format invalid", CONNACK | PUBACK | PUBREC | DISCONNECT, NOT_AUTHORIZED},
	[0x9A] = {"Retain not supported", CONNACK | DISCONNECT, NOT_AUTHORIZED},
	[0x9B] = {"QoS not supported", CONNACK | DISCONNECT, NOT_AUTHORIZED},
	[0x9C] = {"Use another server", CONNACK | DISCONNECT, SERVER_UNAVAILABLE},
	[0x9D] = {"Server moved", CONNACK | DISCONNECT, SERVER_UNAVAILABLE},
	[0x9E] = {"Shared Subscriptions not supported", SUBACK | DISCONNECT, 0},
	[0x9F] = {"Connection rate exceeded", CONNACK | DISCONNECT, SERVER_UNAVAILABLE},
	[0xA0] = {"Maximum connect time", DISCONNECT, 0},
	[0xA1] = {"Subscription Identifiers not supported", SUBACK | DISCONNECT, 0},
	[0xA2] = {"Wildcard Subscriptions not supported", SUBACK | DISCONNECT, 0},
};

static const char *const return_codes[] = {
	[ACCEPTED] = "Connection Accepted",
	[UNACCEPTABLE_PROTOCOL_VERSION] = "Connection Refused: unacceptable protocol version",
	[IDENTIFIER_REJECTED] = "Connection Refused: identifier rejected",
	[SERVER_UNAVAILABLE] = "Connection Refused: server unavailable",
	[BAD_USER_NAME_OR_PASSWORD] = "Connection Refused: bad user name or password",
	[NOT_AUTHORIZED] = "Connection Refused: not authorized",
};

const char *reason_name(uint8_t reason_code, enum packet_type packet)
{
	if (reason_code == 0 && packet == PACKET_DISCONNECT)
		return "Normal disconnection";
	if (reason_code == 0 && packet == PACKET_SUBACK)
		return "Granted QoS 0";
	if (reason_code >= ARRAY_COUNT(reasons) || !reasons[reason_code].name)
		return "Unknown reason";
	return reasons[reason_code].name;
}

bool reason_is_allowed(uint8_t reason_code, enum packet_type packet)
{
	return reason_code < ARRAY_COUNT(reasons) && reasons[reason_code].packets >> packet & 1;
}

uint8_t reason_to_return_code(uint8_t reason_code)
{
	uint8_t code = reason_code < ARRAY_COUNT(reasons) ? reasons[reason_code].return_code : 0;
	return code ? code : SERVER_UNAVAILABLE;
}

const char *return_code_name(uint8_t return_code)
{
	return return_code < ARRAY_COUNT(return_codes) ? return_codes[return_code]
						       : "Connection Refused: unknown reason";
}
