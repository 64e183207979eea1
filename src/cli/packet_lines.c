/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/packet_lines.h"

/* A span as the arguments of "%.*s". */
#define TEXT(span) (int)(span).len, (const char *)(span).ptr

static void print_publish(struct packet_lines *l, bool is_outgoing, const struct publish *p)
{
	unsigned id = p->packet_id;
	if (is_outgoing && p->qos == 0)
		id = l->number = (uint16_t)(l->number == UINT16_MAX ? 1 : l->number + 1);
	fprintf(l->to, "PUBLISH (d%d, q%u, r%d, m%u, '%.*s', ... (%zu bytes))\n", p->dup, p->qos,
		p->retain, id, TEXT(p->topic), p->payload.len);
}

static void print_ack(struct packet_lines *l, bool is_outgoing, const struct ack *p)
{
	const char *name = packet_type_name(p->type);
	bool is_first_answer = p->type == PACKET_PUBACK || p->type == PACKET_PUBREC;
	bool has_code = p->type == PACKET_PUBACK || p->type == PACKET_PUBCOMP;
	if (is_outgoing && is_first_answer)
		fprintf(l->to, "%s (m%u, rc%u)\n", name, p->packet_id, p->reason_code);
	else if (is_outgoing)
		fprintf(l->to, "%s (m%u)\n", name, p->packet_id);
	else if (has_code)
		fprintf(l->to, "%s (Mid: %u, RC:%u)\n", name, p->packet_id, p->reason_code);
	else
		fprintf(l->to, "%s (Mid: %u)\n", name, p->packet_id);
}

/* The bits of the options byte beside the QoS ([5] 3.8.3.1). */
static unsigned option_bits(const struct subscription_options *o)
{
	return (o->no_local ? 4u : 0) | (o->retain_as_published ? 8u : 0) |
	       (unsigned)o->retain_handling << 4;
}

static void print_subscribe(struct packet_lines *l, struct span client, const struct subscribe *p)
{
	struct span rest = p->filters, filter;
	struct subscription_options options;
	while (subscribe_next(&rest, &filter, &options))
		fprintf(l->to,
			"Client %.*s sending SUBSCRIBE (Mid: %u, Topic: %.*s, QoS: %u, Options: "
			"0x%02x)\n",
			TEXT(client), p->packet_id, TEXT(filter), options.qos,
			option_bits(&options));
}

static void print_unsubscribe(struct packet_lines *l, struct span client,
			      const struct unsubscribe *p)
{
	struct span rest = p->filters, filter;
	while (unsubscribe_next(&rest, &filter))
		fprintf(l->to, "Client %.*s sending UNSUBSCRIBE (Mid: %u, Topic: %.*s)\n",
			TEXT(client), p->packet_id, TEXT(filter));
}

/* An answer to what we do not know is remarkable. */
static void warn_of_unknown(struct packet_lines *l, struct span client,
			    const struct engine_packet *packet)
{
	if (packet->is_outgoing && packet->type == PACKET_PUBREL &&
	    packet->ack->reason_code == REASON_PACKET_IDENTIFIER_NOT_FOUND)
		fprintf(l->to,
			"Warning: Received PUBREC from %.*s for an unknown packet identifier %u.\n",
			TEXT(client), packet->ack->packet_id);
}

/* The name that the server has just assigned is ours from this packet on. */
static struct span name_of(struct span client_id, const struct engine_packet *packet)
{
	if (packet->type == PACKET_CONNACK &&
	    properties_has(&packet->connack->properties, PROPERTY_ASSIGNED_CLIENT_IDENTIFIER))
		return packet->connack->properties.assigned_client_identifier;
	return client_id.len > 0 ? client_id : SPAN_LITERAL("(null)");
}

static void print_rest(struct packet_lines *l, const struct engine_packet *packet)
{
	switch (packet->type) {
	case PACKET_CONNACK: fprintf(l->to, "CONNACK (%u)\n", packet->connack->code); break;
	case PACKET_PUBLISH: print_publish(l, packet->is_outgoing, packet->publish); break;
	case PACKET_PUBACK:
	case PACKET_PUBREC:
	case PACKET_PUBREL:
	case PACKET_PUBCOMP: print_ack(l, packet->is_outgoing, packet->ack); break;
	default: fprintf(l->to, "%s\n", packet_type_name(packet->type));
	}
}

void packet_lines_print(struct packet_lines *l, struct span client_id,
			const struct engine_packet *packet)
{
	struct span client = name_of(client_id, packet);
	if (packet->type == PACKET_SUBSCRIBE) {
		print_subscribe(l, client, packet->subscribe);
		return;
	}
	if (packet->type == PACKET_UNSUBSCRIBE) {
		print_unsubscribe(l, client, packet->unsubscribe);
		return;
	}
	if (packet->type == PACKET_DISCONNECT && !packet->is_outgoing) {
		fprintf(l->to, "Received DISCONNECT (%u)\n", packet->disconnect->reason_code);
		return;
	}
	warn_of_unknown(l, client, packet);
	fprintf(l->to, "Client %.*s %s ", TEXT(client),
		packet->is_outgoing ? "sending" : "received");
	print_rest(l, packet);
}
