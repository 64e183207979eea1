/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/packet_lines.h"

#include "mqtt/reason.h"

static void print_publish(struct packet_lines *l, const struct nj_packet *p)
{
	unsigned id = p->packet_id;
	if (p->is_outgoing && p->qos == 0)
		id = l->number = (uint16_t)(l->number == UINT16_MAX ? 1 : l->number + 1);
	fprintf(l->to, "PUBLISH (d%d, q%u, r%d, m%u, '%s', ... (%zu bytes))\n", p->dup, p->qos,
		p->retain, id, p->topic, p->payload_len);
}

static void print_ack(struct packet_lines *l, const struct nj_packet *p)
{
	const char *name = nj_packet_name(p->type);
	bool is_first_answer = p->type == NJ_PUBACK || p->type == NJ_PUBREC;
	bool has_code = p->type == NJ_PUBACK || p->type == NJ_PUBCOMP;
	if (p->is_outgoing && is_first_answer)
		fprintf(l->to, "%s (m%u, rc%u)\n", name, p->packet_id, p->reason_code);
	else if (p->is_outgoing)
		fprintf(l->to, "%s (m%u)\n", name, p->packet_id);
	else if (has_code)
		fprintf(l->to, "%s (Mid: %u, RC:%u)\n", name, p->packet_id, p->reason_code);
	else
		fprintf(l->to, "%s (Mid: %u)\n", name, p->packet_id);
}

/* The bits of the options byte beside the QoS ([5] 3.8.3.1). */
static unsigned option_bits(const struct nj_subscription *s)
{
	return (s->no_local ? 4u : 0) | (s->retain_as_published ? 8u : 0) |
	       (unsigned)s->retain_handling << 4;
}

static void print_subscribe(struct packet_lines *l, const char *client, const struct nj_packet *p)
{
	for (size_t i = 0; i < p->subscription_count; i++)
		fprintf(l->to,
			"Client %s sending SUBSCRIBE (Mid: %u, Topic: %s, QoS: %u, Options: "
			"0x%02x)\n",
			client, p->packet_id, p->subscriptions[i].filter, p->subscriptions[i].qos,
			option_bits(&p->subscriptions[i]));
}

static void print_unsubscribe(struct packet_lines *l, const char *client, const struct nj_packet *p)
{
	for (size_t i = 0; i < p->subscription_count; i++)
		fprintf(l->to, "Client %s sending UNSUBSCRIBE (Mid: %u, Topic: %s)\n", client,
			p->packet_id, p->subscriptions[i].filter);
}

/* An answer to what we do not know is remarkable. */
static void warn_of_unknown(struct packet_lines *l, const char *client, const struct nj_packet *p)
{
	if (p->is_outgoing && p->type == NJ_PUBREL &&
	    p->reason_code == REASON_PACKET_IDENTIFIER_NOT_FOUND)
		fprintf(l->to,
			"Warning: Received PUBREC from %s for an unknown packet identifier %u.\n",
			client, p->packet_id);
}

static void print_rest(struct packet_lines *l, const struct nj_packet *p)
{
	switch (p->type) {
	case NJ_CONNACK: fprintf(l->to, "CONNACK (%u)\n", p->reason_code); break;
	case NJ_PUBLISH: print_publish(l, p); break;
	case NJ_PUBACK:
	case NJ_PUBREC:
	case NJ_PUBREL:
	case NJ_PUBCOMP: print_ack(l, p); break;
	default: fprintf(l->to, "%s\n", nj_packet_name(p->type));
	}
}

/* What SUBACK grants, filter by filter. */
static void print_granted(struct packet_lines *l, const struct nj_packet *p)
{
	const uint8_t *codes = p->reason_codes.ptr;
	for (size_t i = 0; i < p->reason_codes.len; i++) {
		if (i == 0)
			fprintf(l->to, "Subscribed (mid: %u): ", p->packet_id);
		fprintf(l->to, "%s%u", i > 0 ? ", " : "", codes[i]);
	}
	if (p->reason_codes.len > 0)
		fputc('\n', l->to);
}

void packet_lines_print(struct packet_lines *l, const struct nj_packet *p)
{
	const char *client = p->client_id[0] != '\0' ? p->client_id : "(null)";
	if (p->type == NJ_SUBSCRIBE) {
		l->number = p->packet_id; /* mosquitto's clients have one count for both */
		print_subscribe(l, client, p);
	} else if (p->type == NJ_UNSUBSCRIBE) {
		print_unsubscribe(l, client, p);
	} else if (p->type == NJ_DISCONNECT && !p->is_outgoing) {
		fprintf(l->to, "Received DISCONNECT (%u)\n", p->reason_code);
	} else {
		warn_of_unknown(l, client, p);
		fprintf(l->to, "Client %s %s ", client, p->is_outgoing ? "sending" : "received");
		print_rest(l, p);
		if (p->type == NJ_SUBACK && l->shows_grants)
			print_granted(l, p);
	}
}
