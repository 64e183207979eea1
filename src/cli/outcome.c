/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/outcome.h"

#include "mqtt/reason.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#define PROTOCOL_ERROR "A network protocol error occurred when communicating with the broker."

void outcome_print(const struct options *o, const char *format, ...)
{
	va_list arguments;
	if (o->is_quiet)
		return;
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
}

static int unreachable(const struct options *o, const struct nj_disconnected *end)
{
	bool is_of_tls = end->system_error == EPROTO && end->text;
	if (is_of_tls)
		outcome_print(o, "Error: %s.\n", end->text);
	else if (end->system_error)
		outcome_print(o, "Error: %s\n", strerror(end->system_error));
	else if (o->unix_path && end->text)
		outcome_print(o, "Error: %s\n", end->text);
	else
		outcome_print(o, "Unable to connect (Lookup error.).\n");
	return is_of_tls ? OUTCOME_TLS : OUTCOME_FAILED;
}

static const char *return_code_text(uint8_t code)
{
	static const char *const texts[] = {
		"Connection Accepted.",
		"Connection Refused: unacceptable protocol version.",
		"Connection Refused: identifier rejected.",
		"Connection Refused: broker unavailable.",
		"Connection Refused: bad user name or password.",
		"Connection Refused: not authorised.",
	};
	return code < ARRAY_COUNT(texts) ? texts[code] : "Connection Refused: unknown reason.";
}

static int refused(const struct options *o, uint8_t code)
{
	if (o->version != NJ_MQTT_5)
		outcome_print(o, "Connection error: %s\n", return_code_text(code));
	else if (code == REASON_UNSUPPORTED_PROTOCOL_VERSION)
		outcome_print(o,
			      "Connection error: %s. Try connecting to an MQTT v5 broker, or use "
			      "MQTT v3.x mode.\n",
			      reason_name(code, PACKET_CONNACK));
	else
		outcome_print(o, "Connection error: %s\n", reason_name(code, PACKET_CONNACK));
	if (o->tool == TOOL_PUB)
		outcome_print(o, "Error: %s\n",
			      o->version != NJ_MQTT_5 ? "The connection was refused."
						      : PROTOCOL_ERROR);
	return code;
}

int outcome_of_end(const struct options *o, const struct nj_disconnected *end)
{
	switch (end->end) {
	case NJ_END_UNREACHABLE: return unreachable(o, end);
	case NJ_END_REFUSED: return refused(o, end->reason_code);
	case NJ_END_SERVER:
		if (o->tool == TOOL_SUB) /* its end is the server's to choose */
			return 0;
		outcome_print(o, "Error: The client is not currently connected.\n");
		return OUTCOME_NOT_CONNECTED;
	case NJ_END_LOST:
		if (end->text)
			outcome_print(o, "Error: %s.\n", end->text);
		outcome_print(o, "Error: The connection was lost.\n");
		return OUTCOME_LOST;
	case NJ_END_SILENT:
		outcome_print(o, "Error: The broker did not answer within the keep alive.\n");
		return OUTCOME_SILENT;
	case NJ_END_FLAW:
		if (o->is_debug)
			fprintf(stderr, "The broker's packet: %s.\n", end->text);
		outcome_print(o, "Error: " PROTOCOL_ERROR "\n");
		return OUTCOME_PROTOCOL;
	case NJ_END_NO_MEMORY: outcome_print(o, "Error: Out of memory.\n"); return OUTCOME_FAILED;
	default: return 0;
	}
}
