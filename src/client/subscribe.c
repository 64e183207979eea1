/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Subscriptions: asked for now or when connected, remembered when granted, and asked for again
 * when the server has no session.
 */
#include "base/mem.h"
#include "client/kept.h"
#include "mqtt/topic.h"

/* A filter as it stands in a packet: two bytes of length, the filter, its options. */
#define FILTER_OVERHEAD 3
/* So many filters go into one packet when subscriptions are made again. */
#define AGAIN_BYTES_MAX ((size_t)8 << 10)

static struct nj_delivery *first_of(struct link *deliveries)
{
	return CONTAINER_OF(deliveries->next, struct nj_delivery, event.link);
}

static struct span filters_of(const struct nj_delivery *d)
{
	return span_of(d->bytes, d->filters_len);
}

static struct span properties_of(const struct nj_delivery *d)
{
	return span_of(d->bytes + d->filters_len, d->properties_len);
}

static uint32_t identifier_of(const struct nj_delivery *d)
{
	struct span rest = properties_of(d);
	struct property p;
	while (property_next(&rest, &p))
		if (p.id == PROPERTY_SUBSCRIPTION_IDENTIFIER)
			return p.number;
	return 0;
}

/* --- what is granted --- */

static struct subscription *subscription_of(struct link *link)
{
	return CONTAINER_OF(link, struct subscription, event.link);
}

static void forget(nj_client *c, struct span filter)
{
	for (struct link *at = c->subscriptions.next; at != &c->subscriptions; at = at->next) {
		struct subscription *s = subscription_of(at);
		if (!span_is_equal(span_of_text(s->filter), filter))
			continue;
		link_remove(at);
		mem_free(s);
		return;
	}
}

static uint8_t options_byte(const struct subscription_options *o)
{
	return (uint8_t)(o->qos | o->no_local << 2 | o->retain_as_published << 3 |
			 o->retain_handling << 4);
}

static void remember(nj_client *c, struct span filter, const struct subscription_options *o,
		     uint32_t identifier, struct subscription *s)
{
	forget(c, filter);
	memcpy(s->filter, filter.ptr, filter.len);
	s->filter[filter.len] = '\0';
	s->options = options_byte(o);
	s->identifier = identifier;
	list_append(&c->subscriptions, &s->event.link);
}

static void lose(nj_client *c, struct span filter, uint8_t reason_code)
{
	for (struct link *at = c->subscriptions.next; at != &c->subscriptions; at = at->next) {
		struct subscription *s = subscription_of(at);
		if (!span_is_equal(span_of_text(s->filter), filter))
			continue;
		link_remove(at);
		s->reason_code = reason_code;
		if (c->callbacks.unsubscribed)
			events_add(c, &s->event, EVENT_UNSUBSCRIBED);
		else
			mem_free(s);
		return;
	}
}

/* --- requests --- */

static int send_request(nj_client *c, struct nj_delivery *d)
{
	if (d->kind == DELIVERY_UNSUBSCRIBE) {
		struct unsubscribe p = {.filters = filters_of(d),
					.properties.user = properties_of(d)};
		return engine_unsubscribe(c->engine, &p, d->token);
	}
	struct subscribe p = {.filters = filters_of(d), .properties.user = properties_of(d)};
	return engine_subscribe(c->engine, &p, d->token);
}

/* It cannot be sent: not to this server, or at all. */
static void refuse(nj_client *c, struct nj_delivery *d, uint8_t reason_code)
{
	struct span rest = filters_of(d), filter;
	struct subscription_options options;
	while (d->is_internal && subscribe_next(&rest, &filter, &options))
		lose(c, filter, reason_code);
	delivery_finish(d, NJ_REFUSED, reason_code);
}

static void try_one(nj_client *c, struct nj_delivery *d, bool *waits_out)
{
	int error = d->token ? 0 : delivery_enroll(c, d);
	if (!error)
		error = send_request(c, d);
	bool is_crowded = error == ERROR_LIMIT && !list_is_empty(&c->requests_sent);
	*waits_out = error == ERROR_NO_MEMORY || error == ERROR_CLOSED || is_crowded;
	if (*waits_out)
		return;
	link_remove(&d->event.link);
	if (!error)
		list_append(&c->requests_sent, &d->event.link);
	else
		refuse(c, d,
		       error == ERROR_LIMIT ? REASON_PACKET_TOO_LARGE
					    : REASON_TOPIC_FILTER_INVALID);
}

/* Without memory they wait for the next turn. */
void subscribe_pending(nj_client *c)
{
	bool waits = kept_waits(c);
	while (!waits && engine_is_connected(c->engine) && !list_is_empty(&c->requests))
		try_one(c, first_of(&c->requests), &waits);
}

void subscribe_lost(nj_client *c)
{
	struct link sent;
	list_init(&sent);
	/* in front of what was never sent: both in order */
	while (!list_is_empty(&c->requests)) {
		struct nj_delivery *d = first_of(&c->requests);
		link_remove(&d->event.link);
		list_append(&c->requests_sent, &d->event.link);
	}
	while (!list_is_empty(&c->requests_sent)) {
		struct nj_delivery *d = first_of(&c->requests_sent);
		link_remove(&d->event.link);
		if (d->is_internal)
			delivery_finish(d, NJ_DROPPED, 0); /* made anew, if need be */
		else
			list_append(&c->requests, &d->event.link);
	}
}

/* --- answers --- */

static void take_codes(struct nj_delivery *d, struct span codes)
{
	d->code_count = codes.len < d->filter_count ? (uint32_t)codes.len : d->filter_count;
	if (d->code_count > 0)
		memcpy(d->bytes + d->filters_len + d->properties_len, codes.ptr, d->code_count);
}

/* The worst of them, or the last. */
static uint8_t verdict(struct span codes)
{
	uint8_t worst = 0;
	for (size_t i = 0; i < codes.len; i++)
		if (codes.ptr[i] >= 0x80 || worst < 0x80)
			worst = codes.ptr[i];
	return worst;
}

/* One that could not be remembered could not be made again: so room was made beforehand. */
static struct subscription *take_prepared(struct nj_delivery *d)
{
	struct link *first = d->prepared.next;
	ASSERT(first != &d->prepared);
	link_remove(first);
	return subscription_of(first);
}

static int prepare(struct nj_delivery *d)
{
	struct span rest = filters_of(d), filter;
	struct subscription_options options;
	while (subscribe_next(&rest, &filter, &options)) {
		struct subscription *s = mem_zalloc(sizeof(*s) + filter.len + 1);
		if (!s)
			return ERROR_NO_MEMORY;
		list_append(&d->prepared, &s->event.link);
	}
	return 0;
}

static void note_granted(nj_client *c, struct nj_delivery *d)
{
	struct span rest = filters_of(d), filter;
	struct subscription_options options;
	const uint8_t *codes = d->bytes + d->filters_len + d->properties_len;
	for (uint32_t i = 0; subscribe_next(&rest, &filter, &options); i++) {
		bool is_granted = i < d->code_count && codes[i] < 0x80;
		struct subscription *s = d->is_internal ? NULL : take_prepared(d);
		if (!is_granted && d->is_internal)
			lose(c, filter, i < d->code_count ? codes[i] : 0x80);
		else if (!is_granted)
			mem_free(s);
		else if (s)
			remember(c, filter, &options, identifier_of(d), s);
	}
}

static void note_ended(nj_client *c, struct nj_delivery *d)
{
	struct span rest = filters_of(d), filter;
	const uint8_t *codes = d->bytes + d->filters_len + d->properties_len;
	for (uint32_t i = 0; unsubscribe_next(&rest, &filter); i++)
		if (i >= d->code_count || codes[i] < 0x80)
			forget(c, filter);
}

void subscribe_answered(nj_client *c, const struct engine_answered *answered)
{
	struct nj_delivery *d = delivery_of(c, answered->token);
	if (!d)
		return;
	take_codes(d, answered->packet->codes);
	if (d->kind == DELIVERY_SUBSCRIBE)
		note_granted(c, d);
	else
		note_ended(c, d);
	uint8_t code = verdict(answered->packet->codes);
	delivery_finish(d, code >= 0x80 ? NJ_REFUSED : NJ_ACKNOWLEDGED, code);
}

/* --- again --- */

static uint32_t encode_identifier(uint32_t identifier, uint8_t *bytes)
{
	struct writer w = writer_of((struct room){bytes, 8});
	struct property p = {.id = PROPERTY_SUBSCRIPTION_IDENTIFIER, .number = identifier};
	return identifier > 0 && property_encode(&w, &p) ? (uint32_t)(w.ptr - bytes) : 0;
}

/* As many from `first` on as one packet is to have, all with one identifier. */
static struct link *measure(nj_client *c, struct link *first, size_t *len_out)
{
	uint32_t identifier = subscription_of(first)->identifier;
	struct link *at = first;
	for (*len_out = 0; at != &c->subscriptions && *len_out < AGAIN_BYTES_MAX; at = at->next) {
		if (subscription_of(at)->identifier != identifier)
			break;
		*len_out += strlen(subscription_of(at)->filter) + FILTER_OVERHEAD;
	}
	return at;
}

/* The request for those from `first` to before `end`. */
static struct nj_delivery *ask_again(nj_client *c, struct link *first, struct link *end, size_t len)
{
	struct nj_delivery *d;
	uint8_t properties[8];
	uint32_t properties_len = encode_identifier(subscription_of(first)->identifier, properties);
	if (delivery_new(c, DELIVERY_SUBSCRIBE, len + properties_len + len / FILTER_OVERHEAD, &d))
		return NULL;
	uint8_t *to = d->bytes;
	for (struct link *at = first; at != end; at = at->next) {
		const struct subscription *s = subscription_of(at);
		size_t filter_len = strlen(s->filter);
		to = store_u16(to, (uint16_t)filter_len);
		memcpy(to, s->filter, filter_len);
		to += filter_len;
		*to++ = s->options;
		d->filter_count++;
	}
	memcpy(to, properties, properties_len);
	d->is_internal = true;
	d->filters_len = (uint32_t)len;
	d->properties_len = properties_len;
	return d;
}

/* In front of what waits: an UNSUBSCRIBE among that is to have the last word. */
void subscribe_all_again(nj_client *c)
{
	struct link again;
	list_init(&again);
	for (struct link *at = c->subscriptions.next; at != &c->subscriptions;) {
		size_t len;
		struct link *end = measure(c, at, &len);
		struct nj_delivery *d = ask_again(c, at, end, len);
		if (d)
			list_append(&again, &d->event.link);
		else
			engine_disconnect(c->engine, NULL); /* no memory: the next connection */
		at = d ? end : &c->subscriptions;
	}
	while (!list_is_empty(&c->requests)) {
		struct nj_delivery *d = first_of(&c->requests);
		link_remove(&d->event.link);
		list_append(&again, &d->event.link);
	}
	while (!list_is_empty(&again)) {
		struct nj_delivery *d = first_of(&again);
		link_remove(&d->event.link);
		list_append(&c->requests, &d->event.link);
	}
}

void subscribe_give_up(nj_client *c)
{
	while (!list_is_empty(&c->subscriptions)) {
		struct subscription *s = subscription_of(c->subscriptions.next);
		link_remove(&s->event.link);
		mem_free(s);
	}
}

/* --- public calls --- */

static bool is_sound_subscription(const nj_client *c, const struct nj_subscription *s)
{
	struct span filter = span_of_text(s->filter ? s->filter : ""), name, inner;
	bool is_shared = topic_filter_split_share(filter, &name, &inner);
	return filter.len > 0 && filter.len <= UINT16_MAX && topic_filter_is_valid(filter) &&
	       utf8_is_valid(filter) && s->qos <= QOS_MAX && s->retain_handling <= 2 &&
	       !(is_shared && s->no_local && c->version == MQTT_5); /* [MQTT-3.8.3-4] */
}

/* Queues a request; `filters` are encoded. Locked. */
static int queue_request(nj_client *c, enum delivery_kind kind, struct span filters, size_t count,
			 struct span properties, struct nj_delivery **delivery_out)
{
	struct nj_delivery *d;
	int error = delivery_new(c, kind, filters.len + properties.len + count, &d);
	if (error)
		return error;
	memcpy(d->bytes, filters.ptr, filters.len);
	if (properties.len > 0)
		memcpy(d->bytes + filters.len, properties.ptr, properties.len);
	d->filter_count = (uint32_t)count;
	d->filters_len = (uint32_t)filters.len;
	d->properties_len = (uint32_t)properties.len;
	error = kind == DELIVERY_SUBSCRIBE ? prepare(d) : 0;
	if (error) {
		delivery_drop(d);
		return error;
	}
	list_append(&c->requests, &d->event.link);
	*delivery_out = d;
	return 0;
}

/* The same, and sends it. Locks. */
static int request(nj_client *c, enum delivery_kind kind, struct span filters, size_t count,
		   struct span properties, nj_delivery **delivery_out)
{
	struct nj_delivery *d;
	pthread_mutex_lock(&c->mutex);
	int error = queue_request(c, kind, filters, count, properties, &d);
	if (!error) {
		d->reference_count += delivery_out != NULL;
		if (delivery_out)
			*delivery_out = d;
		subscribe_pending(c);
		client_wake(c);
	}
	client_leave(c);
	return error;
}

int subscribe_hidden(nj_client *c, const char *topic, struct nj_delivery **delivery_out)
{
	struct span text = span_of_text(topic);
	struct buffer filter = {0};
	struct subscription_options options = {.qos = QOS_MAX, .retain_handling = 2};
	int error = buffer_reserve(&filter, text.len + FILTER_OVERHEAD);
	if (error)
		return error;
	struct writer w = writer_of(buffer_room(&filter));
	subscribe_filter_encode(&w, text, &options);
	error = queue_request(c, DELIVERY_SUBSCRIBE,
			      span_of(filter.ptr, text.len + FILTER_OVERHEAD), 1, SPAN_NONE,
			      delivery_out);
	if (!error) {
		(*delivery_out)->is_hidden = true;
		(*delivery_out)->reference_count++;
		subscribe_pending(c);
	}
	buffer_release(&filter);
	return error;
}

static int subscribe(nj_client *c, const struct nj_subscription *list, size_t count,
		     struct span properties, nj_delivery **delivery_out)
{
	size_t bound = 0;
	for (size_t i = 0; i < count; i++) {
		if (!is_sound_subscription(c, &list[i]))
			return ERROR_INVALID;
		bound += strlen(list[i].filter) + FILTER_OVERHEAD;
	}
	uint8_t *filters = mem_alloc(bound);
	if (!filters)
		return ERROR_NO_MEMORY;
	struct writer w = writer_of((struct room){filters, bound});
	for (size_t i = 0; i < count; i++) {
		struct subscription_options o = {.qos = list[i].qos};
		if (c->version == MQTT_5) {
			o.no_local = list[i].no_local;
			o.retain_as_published = list[i].retain_as_published;
			o.retain_handling = list[i].retain_handling;
		}
		subscribe_filter_encode(&w, span_of_text(list[i].filter), &o);
	}
	int error = w.is_overflown || bound > REMAINING_LENGTH_MAX / 2
			    ? ERROR_INVALID
			    : request(c, DELIVERY_SUBSCRIBE, span_of(filters, bound), count,
				      properties, delivery_out);
	mem_free(filters);
	return error;
}

int nj_subscribe(nj_client *c, const struct nj_subscription *list, size_t count,
		 const struct nj_property *properties, size_t property_count,
		 nj_delivery **delivery_out)
{
	struct span encoded;
	if (count == 0)
		return NJ_ERROR_INVALID;
	int error = property_list_encode(properties, property_count, PACKET_SUBSCRIBE, &encoded);
	if (error)
		return error;
	error = subscribe(c, list, count, encoded, delivery_out);
	mem_free((void *)encoded.ptr);
	return error;
}

static int unsubscribe(nj_client *c, const char *const *filters, size_t count,
		       struct span properties, nj_delivery **delivery_out)
{
	size_t bound = 0;
	if (count == 0)
		return NJ_ERROR_INVALID;
	for (size_t i = 0; i < count; i++) {
		struct span filter = span_of_text(filters[i] ? filters[i] : "");
		if (filter.len == 0 || filter.len > UINT16_MAX || !topic_filter_is_valid(filter) ||
		    !utf8_is_valid(filter))
			return NJ_ERROR_INVALID;
		bound += filter.len + 2;
	}
	uint8_t *bytes = mem_alloc(bound);
	if (!bytes)
		return NJ_ERROR_NO_MEMORY;
	struct writer w = writer_of((struct room){bytes, bound});
	for (size_t i = 0; i < count; i++)
		write_binary(&w, span_of_text(filters[i]));
	int error = request(c, DELIVERY_UNSUBSCRIBE, span_of(bytes, bound), count, properties,
			    delivery_out);
	mem_free(bytes);
	return error;
}

int nj_unsubscribe_with(nj_client *c, const char *const *filters, size_t count,
			const struct nj_property *properties, size_t property_count,
			nj_delivery **delivery_out)
{
	struct span encoded;
	int error = property_list_encode(properties, property_count, PACKET_UNSUBSCRIBE, &encoded);
	if (error)
		return error;
	error = unsubscribe(c, filters, count, encoded, delivery_out);
	mem_free((void *)encoded.ptr);
	return error;
}

int nj_unsubscribe(nj_client *c, const char *const *filters, size_t count,
		   nj_delivery **delivery_out)
{
	return nj_unsubscribe_with(c, filters, count, NULL, 0, delivery_out);
}
