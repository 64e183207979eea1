/* SPDX-License-Identifier: Apache-2.0 */
/* A device's engine: made of what the script says, and what it tells is counted. */
#include <stdio.h>

#include "base/mem.h"
#include "cli/simulate_device.h"

/* --- what the engine tells --- */

static int subscribe(struct simulate_device *d)
{
	const struct simulate_kind *k = d->kind;
	struct subscribe packet = {.properties.user = SPAN_NONE};
	struct buffer *topic = &d->field->topic, *filters = &d->field->payload;
	int error = 0;
	filters->start = filters->end = 0;
	for (uint32_t i = 0; !error && i < k->subscription_count; i++) {
		struct subscription_options options = {.qos = k->subscriptions[i].qos};
		if (!simulate_render(d, &k->subscriptions[i].filter, topic))
			return ERROR_NO_MEMORY;
		/* two bytes of length, and one of options */
		error = buffer_reserve(filters, buffer_len(topic) + 3);
		if (error)
			break;
		struct writer w = writer_of(buffer_room(filters));
		subscribe_filter_encode(&w, buffer_content(topic), &options);
		buffer_commit(filters, buffer_len(topic) + 3);
	}
	packet.filters = buffer_content(filters);
	return error ? error : engine_subscribe(d->engine, &packet, 0);
}

static void on_connected(void *context, const struct connack *connack)
{
	struct simulate_device *d = context;
	struct simulate_count *c = &d->field->count;
	d->is_connected = true;
	d->tries = 0;
	c->connections++;
	c->reconnections += d->has_lost;
	d->has_lost = false;
	if (++c->connected > c->connected_max)
		c->connected_max = c->connected;
	if (!connack->session_present && d->kind->subscription_count > 0 && subscribe(d) != 0)
		c->unsubscribed += d->kind->subscription_count;
	simulate_publish_first(d);
}

static void note_trouble(struct simulate_device *d, const char *what, const char *why)
{
	struct simulate_field *f = d->field;
	if (f->trouble[0] == '\0')
		snprintf(f->trouble, sizeof(f->trouble), "%s %u %s: %s", d->kind->name, d->id, what,
			 why);
}

static void on_closed(void *context, const struct engine_closed *closed)
{
	struct simulate_device *d = context;
	struct simulate_count *c = &d->field->count;
	bool is_5 = d->kind->version == MQTT_5;
	c->connected -= d->is_connected;
	d->has_lost |= d->is_connected && closed->end != ENGINE_END_DISCONNECTED && d->is_on;
	c->failures += !d->is_connected && closed->end != ENGINE_END_DISCONNECTED;
	d->is_connected = false;
	switch (closed->end) {
	case ENGINE_END_REFUSED:
		c->rejections++;
		note_trouble(d, "is refused",
			     is_5 ? reason_name(closed->reason_code, PACKET_CONNACK)
				  : return_code_name(closed->reason_code));
		break;
	case ENGINE_END_SERVER:
		note_trouble(d, "is disconnected by the server",
			     reason_name(closed->reason_code, PACKET_DISCONNECT));
		break;
	case ENGINE_END_FLAW: note_trouble(d, "hears what is no MQTT", closed->text); break;
	case ENGINE_END_SILENT:
		note_trouble(d, "hears nothing", "the server does not answer");
		break;
	case ENGINE_END_NO_MEMORY: d->field->is_out_of_memory = true; break;
	default: break;
	}
}

static void on_message(void *context, const struct publish *message, uint64_t handle)
{
	struct simulate_device *d = context;
	struct simulate_count *c = &d->field->count;
	(void)handle;
	c->received[message->qos]++;
	c->received_bytes += message->payload.len;
	c->duplicates += message->dup;
}

static void on_published(void *context, const struct engine_published *p)
{
	struct simulate_device *d = context;
	struct simulate_count *c = &d->field->count;
	if (p->is_expired) {
		c->expired++;
	} else if (!p->was_sent || p->reason_code >= 0x80) {
		c->refused++;
	} else if (p->packet_id != 0) {
		c->acknowledged++;
		c->unfinished--;
		bench_histogram_record(&c->latency_us, (uint32_t)simulate_now_us() - p->token, 1);
	}
}

static void on_answered(void *context, const struct engine_answered *answered)
{
	struct simulate_device *d = context;
	struct span codes = answered->packet->codes;
	for (size_t i = 0; i < codes.len; i++)
		d->field->count.unsubscribed += codes.ptr[i] >= 0x80;
}

static const struct engine_events events = {
	.connected = on_connected,
	.closed = on_closed,
	.message = on_message,
	.published = on_published,
	.answered = on_answered,
};

/* --- make --- */

/* Texts that a CONNECT borrows until the engine has copied it. */
struct hello_texts {
	struct buffer client_id, user_name, password, topic, payload;
};

static void set_number(struct properties *p, enum property_id id, uint32_t *field, uint32_t value)
{
	if (value == 0)
		return;
	p->present |= UINT64_C(1) << id;
	*field = value;
}

static bool fill_will(struct simulate_device *d, struct hello_texts *t, struct connect *c)
{
	const struct simulate_message *will = &d->kind->will;
	struct properties *p = &c->will_properties;
	if (!simulate_render(d, &will->topic, &t->topic) ||
	    !simulate_render(d, &will->payload, &t->payload))
		return false;
	c->has_will = true;
	c->will_qos = will->qos;
	c->will_retain = will->retain;
	c->will_topic = buffer_content(&t->topic);
	c->will_payload = buffer_content(&t->payload);
	set_number(p, PROPERTY_WILL_DELAY_INTERVAL, &p->will_delay_interval, will->delay);
	set_number(p, PROPERTY_MESSAGE_EXPIRY_INTERVAL, &p->message_expiry_interval, will->expiry);
	return true;
}

static bool fill_hello(struct simulate_device *d, struct hello_texts *t, struct connect *c)
{
	const struct simulate_kind *k = d->kind;
	struct properties *p = &c->properties;
	if (!simulate_render(d, &k->client_id, &t->client_id) ||
	    !simulate_render(d, &k->user_name, &t->user_name) ||
	    !simulate_render(d, &k->password, &t->password))
		return false;
	c->version = k->version;
	c->clean_start = k->session == 0;
	c->keep_alive = k->keep_alive;
	c->client_id = buffer_content(&t->client_id);
	c->has_user_name = k->user_name.piece_count > 0;
	c->user_name = buffer_content(&t->user_name);
	c->has_password = k->password.piece_count > 0;
	c->password = buffer_content(&t->password);
	set_number(p, PROPERTY_SESSION_EXPIRY_INTERVAL, &p->session_expiry_interval, k->session);
	return !k->has_will || fill_will(d, t, c);
}

int simulate_engine_new(struct simulate_device *d)
{
	struct hello_texts texts = {0};
	struct connect connect = {0};
	struct engine_options options;
	engine_options_init(&options);
	int error = ERROR_NO_MEMORY;
	if (fill_hello(d, &texts, &connect))
		error = engine_new(&connect, &options, &events, d, &d->engine);
	buffer_release(&texts.client_id);
	buffer_release(&texts.user_name);
	buffer_release(&texts.password);
	buffer_release(&texts.topic);
	buffer_release(&texts.payload);
	return error;
}
