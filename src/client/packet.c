/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets for those who want to watch. The engine shows them while it works, under the lock; what
 * a callback is to see of one is copied into an event that waits its turn among the others:
 *
 *	struct packet_event | struct nj_subscription[] | texts, each with a NUL | codes, properties
 */
#include "base/mem.h"
#include "client/client_state.h"

struct packet_event {
	struct event event;
	struct nj_packet packet;
	struct nj_subscription subscriptions[];
};

_Static_assert((int)NJ_CONNECT == (int)PACKET_CONNECT && (int)NJ_AUTH == (int)PACKET_AUTH,
	       "types are the standard's");

/* What is to be copied. */
struct parts {
	struct span client_id, topic, codes, filters;
	const struct properties *properties;
	size_t filter_count;
	size_t filters_len;
};

static bool next_filter(uint8_t type, struct span *rest, struct span *filter_out,
			struct subscription_options *options_out)
{
	*options_out = (struct subscription_options){0};
	return type == PACKET_SUBSCRIBE ? subscribe_next(rest, filter_out, options_out)
					: unsubscribe_next(rest, filter_out);
}

static void count_filters(uint8_t type, struct parts *parts)
{
	struct span rest = parts->filters, filter;
	struct subscription_options options;
	while (next_filter(type, &rest, &filter, &options)) {
		parts->filter_count++;
		parts->filters_len += filter.len + 1;
	}
}

static void look_at_publish(const struct publish *p, struct nj_packet *out, struct parts *parts)
{
	out->dup = p->dup;
	out->retain = p->retain;
	out->qos = p->qos;
	out->packet_id = p->packet_id;
	out->payload_len = p->payload.len;
	parts->topic = p->topic;
	parts->properties = &p->properties;
}

static void look_at_suback(const struct suback *p, struct nj_packet *out, struct parts *parts)
{
	out->packet_id = p->packet_id;
	parts->codes = p->codes;
	parts->properties = &p->properties;
}

static void look_at_connack(const struct connack *p, struct nj_packet *out, struct parts *parts)
{
	out->reason_code = p->code;
	out->session_present = p->session_present;
	parts->properties = &p->properties;
	if (properties_has(&p->properties, PROPERTY_ASSIGNED_CLIENT_IDENTIFIER))
		parts->client_id = p->properties.assigned_client_identifier;
}

static void look_at(const struct engine_packet *p, struct nj_packet *out, struct parts *parts)
{
	switch (p->type) {
	case PACKET_CONNECT:
		out->clean_start = p->connect->clean_start;
		out->keep_alive = p->connect->keep_alive;
		parts->properties = &p->connect->properties;
		break;
	case PACKET_CONNACK: look_at_connack(p->connack, out, parts); break;
	case PACKET_PUBLISH: look_at_publish(p->publish, out, parts); break;
	case PACKET_PUBACK:
	case PACKET_PUBREC:
	case PACKET_PUBREL:
	case PACKET_PUBCOMP:
		out->packet_id = p->ack->packet_id;
		out->reason_code = p->ack->reason_code;
		parts->properties = &p->ack->properties;
		break;
	case PACKET_SUBSCRIBE:
		out->packet_id = p->subscribe->packet_id;
		parts->filters = p->subscribe->filters;
		parts->properties = &p->subscribe->properties;
		break;
	case PACKET_UNSUBSCRIBE:
		out->packet_id = p->unsubscribe->packet_id;
		parts->filters = p->unsubscribe->filters;
		parts->properties = &p->unsubscribe->properties;
		break;
	case PACKET_SUBACK:
	case PACKET_UNSUBACK: look_at_suback(p->suback, out, parts); break;
	case PACKET_DISCONNECT:
		out->reason_code = p->disconnect->reason_code;
		parts->properties = &p->disconnect->properties;
		break;
	case PACKET_AUTH:
		out->reason_code = p->auth->reason_code;
		parts->properties = &p->auth->properties;
		break;
	default: break;
	}
	count_filters(p->type, parts);
}

static const char *copy_text(char **at, struct span text)
{
	char *copy = *at;
	if (text.len > 0)
		memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	*at += text.len + 1;
	return copy;
}

static void copy_subscriptions(char **at, struct packet_event *e, const struct parts *parts)
{
	struct span rest = parts->filters, filter;
	struct subscription_options options;
	for (size_t i = 0; i < parts->filter_count; i++) {
		(void)next_filter(e->packet.type, &rest, &filter, &options);
		e->subscriptions[i] = (struct nj_subscription){
			copy_text(at, filter), options.qos, options.no_local,
			options.retain_as_published, options.retain_handling};
	}
	e->packet.subscriptions = e->subscriptions;
	e->packet.subscription_count = parts->filter_count;
}

/* What came stands there as bytes; what goes may be fields that are still to be encoded. */
static void copy_properties(char *at, struct packet_event *e, const struct properties *p)
{
	size_t len = properties_size(p);
	if (p->raw.len > 0) {
		memcpy(at, p->raw.ptr, p->raw.len);
		e->packet.properties = (struct nj_bytes){at, p->raw.len};
	} else if (len > 0) {
		size_t whole = properties_size_with_length(p);
		struct writer w = writer_of((struct room){(uint8_t *)at, whole});
		properties_encode(&w, p);
		e->packet.properties = (struct nj_bytes){at + (whole - len), len};
	}
}

static size_t properties_bound(const struct properties *p)
{
	return p->raw.len > 0 ? p->raw.len : properties_size_with_length(p);
}

void packet_shown(void *context, const struct engine_packet *p)
{
	static const struct properties none;
	nj_client *c = context;
	struct nj_packet packet = {.is_outgoing = p->is_outgoing, .type = p->type, .len = p->len};
	struct parts parts = {.client_id = engine_client_id(c->engine), .properties = &none};
	look_at(p, &packet, &parts);
	if (c->version != MQTT_5)
		parts.properties = &none;
	size_t texts = parts.client_id.len + 1 + parts.topic.len + 1 + parts.filters_len;
	struct packet_event *e =
		mem_alloc(sizeof(*e) + parts.filter_count * sizeof(struct nj_subscription) + texts +
			  parts.codes.len + properties_bound(parts.properties));
	if (!e)
		return;
	char *at = (char *)(e->subscriptions + parts.filter_count);
	e->event = (struct event){0};
	e->packet = packet;
	e->packet.client_id = copy_text(&at, parts.client_id);
	e->packet.topic = copy_text(&at, parts.topic);
	copy_subscriptions(&at, e, &parts);
	if (parts.codes.len > 0)
		memcpy(at, parts.codes.ptr, parts.codes.len);
	e->packet.reason_codes = (struct nj_bytes){at, parts.codes.len};
	copy_properties(at + parts.codes.len, e, parts.properties);
	events_add(c, &e->event, EVENT_PACKET);
}

void packet_call(nj_client *c, struct event *event)
{
	struct packet_event *e = CONTAINER_OF(event, struct packet_event, event);
	pthread_mutex_unlock(&c->mutex);
	c->callbacks.packet(c, c->context, &e->packet);
	mem_free(e);
	pthread_mutex_lock(&c->mutex);
}

void packet_drop(struct event *event)
{
	mem_free(CONTAINER_OF(event, struct packet_event, event));
}

const char *nj_packet_name(uint8_t type)
{
	return packet_type_name(type);
}
