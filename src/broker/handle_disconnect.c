/* SPDX-License-Identifier: Apache-2.0 */
/* DISCONNECT both ways ([5] 3.14). */
#include "broker/handle.h"
#include "broker/see.h"
#include "broker/shard.h"

#define DISCONNECT_BYTES_MAX 160

static const struct flaw flaw_expiry = {REASON_PROTOCOL_ERROR,
					"DISCONNECT sets a session expiry that CONNECT had at 0"};
static const struct flaw flaw_reason = {REASON_PROTOCOL_ERROR,
					"DISCONNECT with a reason that only servers have"};

/* A reason and a sentence at most [MQTT-3.14.2-2]. */
void send_disconnect(struct connection *c, uint8_t reason_code, const char *text)
{
	struct disconnect p = {.reason_code = reason_code};
	uint8_t *ptr = connection_packet(c, DISCONNECT_BYTES_MAX);
	struct room room = {ptr, DISCONNECT_BYTES_MAX};
	if (!ptr)
		return;
	properties_clear(&p.properties);
	if (text) {
		p.properties.present = 1ull << PROPERTY_REASON_STRING;
		p.properties.reason_string = span_of_text(text);
	}
	size_t len = disconnect_encode(&p, c->version, room);
	if (len == 0 || len > c->packet_bytes_max) { /* [MQTT-3.14.2-3, -4] */
		properties_clear(&p.properties);
		len = disconnect_encode(&p, c->version, room);
	}
	if (len > c->packet_bytes_max)
		return;
	connection_packet_done(c, len);
	see_packet(c, false, PACKET_DISCONNECT, 0, reason_code);
}

/* Some reasons only a server has ([5] 3.14.2.1). */
static bool may_come_from_client(uint8_t reason_code)
{
	switch (reason_code) {
	case REASON_NORMAL_DISCONNECTION:
	case REASON_DISCONNECT_WITH_WILL:
	case REASON_UNSPECIFIED_ERROR:
	case REASON_MALFORMED_PACKET:
	case REASON_PROTOCOL_ERROR:
	case REASON_IMPLEMENTATION_SPECIFIC_ERROR:
	case REASON_BAD_AUTHENTICATION_METHOD: /* one table of the standard has it, one has not */
	case REASON_TOPIC_NAME_INVALID:
	case REASON_RECEIVE_MAXIMUM_EXCEEDED:
	case REASON_TOPIC_ALIAS_INVALID:
	case REASON_PACKET_TOO_LARGE:
	case REASON_MESSAGE_RATE_TOO_HIGH:
	case REASON_QUOTA_EXCEEDED:
	case REASON_ADMINISTRATIVE_ACTION:
	case REASON_PAYLOAD_FORMAT_INVALID: return true;
	default: return false;
	}
}

void handle_disconnect(struct connection *c, struct span body)
{
	struct disconnect p;
	struct session *session = c->session;
	struct farewell why = {.text = "client disconnected"};
	const struct flaw *flaw = disconnect_decode(body, c->version, &p);
	if (!flaw && !may_come_from_client(p.reason_code))
		flaw = &flaw_reason;
	if (!flaw && properties_has(&p.properties, PROPERTY_SESSION_EXPIRY_INTERVAL)) {
		uint32_t expiry = p.properties.session_expiry_interval;
		uint32_t expiry_max = c->shard->settings->session_expiry_max;
		if (expiry > 0 && session->expiry_interval == 0)
			flaw = &flaw_expiry;
		why.sets_expiry = true;
		why.expiry_interval = expiry < expiry_max ? expiry : expiry_max;
	}
	if (flaw) {
		connection_fail(c, flaw);
		return;
	}
	see_packet(c, true, PACKET_DISCONNECT, 0, p.reason_code);
	/* only 0x00 means that the will is not wanted [MQTT-3.14.4-3] */
	why.reason_code = p.reason_code;
	why.is_clean = p.reason_code == REASON_NORMAL_DISCONNECTION;
	connection_end(c, &why);
}
