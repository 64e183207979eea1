/* SPDX-License-Identifier: Apache-2.0 */
/* From options to an engine and a list of endpoints. */
#include <stdlib.h>

#include "base/mem.h"
#include "client/kept.h"
#include "mqtt/topic.h"

/* --- addresses --- */

/* Other libraries say tcp:// for what is mqtt:// here. */
static const struct {
	const char *scheme;
	const struct transport *transport;
} schemes[] = {{"mqtt", &transport_tcp},         {"tcp", &transport_tcp},
	       {"unix", &transport_unix},        {"mqtts", &transport_tls},
	       {"ssl", &transport_tls},          {"ws", &transport_websocket},
	       {"wss", &transport_websocket_tls}};

/* "scheme://rest"; without a scheme it is TCP. NULL for a scheme that is not known. */
static const struct transport *split_scheme(const char *text, const char **rest_out)
{
	const char *colon = strstr(text, "://");
	*rest_out = text;
	if (!colon)
		return &transport_tcp;
	*rest_out = colon + 3;
	size_t len = (size_t)(colon - text);
	for (size_t i = 0; i < ARRAY_COUNT(schemes); i++)
		if (strlen(schemes[i].scheme) == len && memcmp(schemes[i].scheme, text, len) == 0)
			return schemes[i].transport;
	return NULL;
}

static bool read_port(const char *text, uint16_t *port_out)
{
	char *end;
	if (*text < '0' || *text > '9')
		return false;
	unsigned long value = strtoul(text, &end, 10);
	if (*end != '\0' || value == 0 || value > UINT16_MAX)
		return false;
	*port_out = (uint16_t)value;
	return true;
}

static size_t find(struct span text, char letter)
{
	const uint8_t *at = text.len ? memchr(text.ptr, letter, text.len) : NULL;
	return at ? (size_t)(at - text.ptr) : text.len;
}

static struct span behind(struct span text, size_t at)
{
	return span_of(text.ptr + at, text.len - at);
}

/* It would end the line of a request, or begin another. */
static bool has_blank(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] <= ' ' || text.ptr[i] == 0x7F)
			return true;
	return false;
}

static bool take_port(struct span text, uint16_t *port_out)
{
	char digits[8];
	if (text.len >= sizeof(digits))
		return false;
	memcpy(digits, text.ptr, text.len);
	digits[text.len] = '\0';
	return read_port(digits, port_out);
}

/* "host", "host:port", "[v6]", "[v6]:port", and a bare v6 address, which has several colons. */
static bool split_host(struct span text, struct span *host_out, uint16_t *port_out)
{
	struct span rest = behind(text, text.len);
	size_t colon = find(text, ':');
	*host_out = text;
	if (text.len > 0 && *text.ptr == '[') {
		size_t end = find(text, ']');
		if (end == text.len)
			return false;
		*host_out = span_of(text.ptr + 1, end - 1);
		rest = behind(text, end + 1);
	} else if (colon < text.len && find(behind(text, colon + 1), ':') == text.len - colon - 1) {
		*host_out = span_of(text.ptr, colon);
		rest = behind(text, colon);
	}
	if (rest.len == 0)
		return true;
	return *rest.ptr == ':' && take_port(behind(rest, 1), port_out);
}

/* NULL, or what is wrong. `name_out` is part of the text. */
static const char *split_address(const char *text, const struct transport **transport_out,
				 struct span *name_out, uint16_t *port_out)
{
	const char *rest;
	const struct transport *transport = split_scheme(text, &rest);
	if (!transport)
		return "an address begins with mqtt://, mqtts://, tcp://, unix://, or the name of "
		       "a "
		       "host";
	*transport_out = transport;
	*port_out = transport->port;
	*name_out = span_of_text(rest);
	if (transport->has_websocket && has_blank(*name_out))
		return "an address holds a blank or a control character";
	if (transport->has_websocket) /* the path begins there */
		name_out->len = find(*name_out, '/');
	if (transport->port > 0 && !split_host(*name_out, name_out, port_out))
		return "an address is host, host:port or [host]:port, the port from 1 to 65535";
	if (name_out->len == 0)
		return "an address lacks the host or path";
	/* a password in an address would end up in logs and lists of processes */
	if (transport->port > 0 && memchr(name_out->ptr, '@', name_out->len))
		return "an address has an '@': user_name and password are options of their own";
	return NULL;
}

static int read_address(const char *text, struct endpoint *out)
{
	const struct transport *transport;
	struct span name;
	uint16_t port;
	if (split_address(text, &transport, &name, &port))
		return ERROR_INVALID;
	const char *slash = transport->has_websocket ? strchr(strstr(text, "://") + 3, '/') : NULL;
	*out = (struct endpoint){transport, mem_copy_text(name), NULL, port};
	if (transport->has_websocket)
		out->path = mem_copy_text(span_of_text(slash ? slash : "/mqtt"));
	if (out->name && (!transport->has_websocket || out->path))
		return 0;
	mem_free(out->name);
	mem_free(out->path);
	return ERROR_NO_MEMORY;
}

static int read_addresses(nj_client *c, const struct nj_options *o)
{
	c->endpoints = mem_zalloc((1 + o->more_address_count) * sizeof(*c->endpoints));
	if (!c->endpoints)
		return ERROR_NO_MEMORY;
	int error = read_address(o->address ? o->address : "localhost", &c->endpoints[0]);
	while (!error && ++c->endpoint_count <= o->more_address_count)
		error = read_address(o->more_addresses[c->endpoint_count - 1],
				     &c->endpoints[c->endpoint_count]);
	if (!error && o->bind_address) {
		c->bind_name = mem_copy_text(span_of_text(o->bind_address));
		error = c->bind_name ? 0 : ERROR_NO_MEMORY;
	}
	return error;
}

static const char *addresses_flaw(const struct nj_options *o)
{
	const struct transport *transport;
	struct span name;
	uint16_t port;
	const char *flaw = o->address ? split_address(o->address, &transport, &name, &port) : NULL;
	for (size_t i = 0; !flaw && i < o->more_address_count; i++)
		flaw = split_address(o->more_addresses[i], &transport, &name, &port);
	return flaw;
}

static bool is_with_tls(const char *address)
{
	const char *rest;
	const struct transport *transport = address ? split_scheme(address, &rest) : NULL;
	return transport && transport->has_tls;
}

/* Any of its addresses. */
static bool needs_tls(const struct nj_options *o)
{
	bool needs = is_with_tls(o->address);
	for (size_t i = 0; i < o->more_address_count; i++)
		needs |= is_with_tls(o->more_addresses[i]);
	return needs;
}

void client_forget_endpoints(nj_client *c)
{
	for (size_t i = 0; i < c->endpoint_count; i++) {
		mem_free(c->endpoints[i].name);
		mem_free(c->endpoints[i].path);
	}
	mem_free(c->endpoints);
	mem_free(c->bind_name);
}

/* --- CONNECT --- */

static void set_number(struct properties *p, enum property_id id, uint32_t *field, uint32_t value)
{
	p->present |= UINT64_C(1) << id;
	*field = value;
}

static void fill_properties(struct properties *p, const struct nj_options *o)
{
	if (o->version != NJ_MQTT_5)
		return;
	if (o->session_expiry > 0)
		set_number(p, PROPERTY_SESSION_EXPIRY_INTERVAL, &p->session_expiry_interval,
			   o->session_expiry);
	if (o->packet_bytes_max < PACKET_BYTES_MAX)
		set_number(p, PROPERTY_MAXIMUM_PACKET_SIZE, &p->maximum_packet_size,
			   o->packet_bytes_max);
	if (o->auth_method) {
		p->present |= UINT64_C(1) << PROPERTY_AUTHENTICATION_METHOD;
		p->authentication_method = span_of_text(o->auth_method);
	}
	if (o->receive_maximum > 0) {
		p->present |= UINT64_C(1) << PROPERTY_RECEIVE_MAXIMUM;
		p->receive_maximum = o->receive_maximum;
	}
}

static void fill_will(struct connect *connect, const struct nj_message_out *will)
{
	if (!will)
		return;
	connect->has_will = true;
	connect->will_qos = will->qos;
	connect->will_retain = will->retain;
	connect->will_topic = span_of_text(will->topic ? will->topic : "");
	connect->will_payload = span_of(will->payload, will->payload_len);
}

static void fill_connect(struct connect *connect, const struct nj_options *o)
{
	*connect = (struct connect){
		.version = o->version,
		.clean_start = o->clean_start,
		.keep_alive = o->keep_alive,
		.client_id = span_of_text(o->client_id ? o->client_id : ""),
	};
	if (!o->auth_method || o->callbacks.auth) {
		connect->has_user_name = o->user_name != NULL;
		connect->user_name = span_of_text(o->user_name ? o->user_name : "");
		connect->has_password = o->password != NULL;
		connect->password = span_of(o->password, o->password_len);
	}
	fill_properties(&connect->properties, o);
	fill_will(connect, o->will);
}

static bool names_session_expiry(const struct nj_options *o)
{
	for (size_t i = 0; i < o->property_count; i++)
		if (o->properties[i].id == NJ_SESSION_EXPIRY_INTERVAL &&
		    o->properties[i].number > 0)
			return true;
	return false;
}

/* As the broker's own: mosquitto before 2.0.13 loses count, and is not to be left for that. What is
 * kept stays bounded by inbox_bytes_max. */
#define RECEIVE_MAXIMUM_SLACK 1000

static int new_engine(nj_client *c, const struct nj_options *o)
{
	struct connect connect;
	struct engine_options options;
	struct span mine = SPAN_NONE, of_will = SPAN_NONE;
	const struct nj_message_out *will = o->will;
	int error = property_list_encode(o->properties, o->property_count, PACKET_CONNECT, &mine);
	if (!error && will)
		error = property_list_encode(will->properties, will->property_count,
					     PROPERTIES_OF_WILL, &of_will);
	if (error)
		goto done;
	fill_connect(&connect, o);
	connect.properties.user = mine;
	c->has_session_expiry = o->session_expiry > 0 || names_session_expiry(o);
	connect.will_properties.user = of_will;
	engine_options_init(&options);
	options.acknowledges_when_told = true;
	options.drops_duplicates = o->drops_duplicates;
	options.stops_after_packet = o->one_by_one;
	options.receive_maximum_slack = RECEIVE_MAXIMUM_SLACK;
	options.aliases_max = o->topic_aliases_max;
	options.retry_interval_ms = o->retry_interval_ms;
	options.unacknowledged_max = o->receive_maximum;
	options.is_kept = c->kept != NULL;
	/* what the store has, it gives: once */
	options.drops_duplicates = o->drops_duplicates || c->kept;
	options.inflight_max = o->inflight_max;
	options.queue_messages_max = o->outbox_messages_max;
	options.queue_bytes_max = o->outbox_bytes_max;
	options.packet_bytes_max = o->packet_bytes_max;
	struct engine_events events = client_engine_events;
	events.packet = o->callbacks.packet ? packet_shown : NULL;
	events.pubrec = c->kept ? outbox_pubrec : NULL;
	events.pubrel = c->kept ? inbox_pubrel : NULL;
	error = engine_new(&connect, &options, &events, c, &c->engine);
done:
	mem_free((void *)mine.ptr);
	mem_free((void *)of_will.ptr);
	return error;
}

/* --- what is wrong with options, in words --- */

static const char *range_flaw(const struct nj_options *o)
{
	if (o->version < NJ_MQTT_3_1 || o->version > NJ_MQTT_5)
		return "version is one of NJ_MQTT_3_1, NJ_MQTT_3_1_1 and NJ_MQTT_5";
	if (o->inflight_max == 0 || o->outbox_messages_max == 0 || o->inbox_bytes_max == 0 ||
	    o->packet_bytes_max == 0)
		return "a limit is 0 (inflight_max, outbox_messages_max, inbox_bytes_max, "
		       "packet_bytes_max): begin with NJ_OPTIONS_INIT";
	if (o->connect_timeout_ms == 0)
		return "connect_timeout_ms is 0: begin with NJ_OPTIONS_INIT";
	if (o->when_full > NJ_FULL_DROP_OLDEST)
		return "when_full is not an enum nj_full";
	if (o->will && o->will->qos > QOS_MAX)
		return "the will's QoS is not 0, 1 or 2";
	if (o->holds_until_release && o->manual_ack)
		return "holds_until_release and manual_ack exclude each other";
	if (o->acknowledges_early && o->manual_ack)
		return "acknowledges_early and manual_ack exclude each other";
	if (o->store_path && o->holds_until_release)
		return "holds_until_release and store_path exclude each other";
	if (o->store_path && o->acknowledges_early)
		return "acknowledges_early and store_path exclude each other";
	if (o->store_path && o->store_bytes_max < STORE_BYTES_MIN)
		return "store_bytes_max is less than 2 MiB";
	if (o->response_topic &&
	    (!*o->response_topic || !topic_name_is_valid(span_of_text(o->response_topic))))
		return "response_topic is empty or has wildcards";
	if (o->retry_interval_ms > 0 && o->version == NJ_MQTT_5)
		return "retry_interval_ms is for MQTT 3.x: 5.0 forbids to send again";
	return auth_options_flaw(o);
}

static const char *connect_flaw(const struct nj_options *o)
{
	bool has_id = o->client_id && *o->client_id;
	if (!has_id && o->version == NJ_MQTT_3_1)
		return "MQTT 3.1 wants a client_id";
	if (!has_id && o->version < NJ_MQTT_5 && !o->clean_start)
		return "a session that is kept (clean_start = false) wants a client_id";
	if (o->password && !o->user_name && o->version < NJ_MQTT_5)
		return "in MQTT 3.x a password wants a user_name";
	if (o->will && (!o->will->topic || !topic_name_is_valid(span_of_text(o->will->topic))))
		return "the will's topic is empty or has wildcards";
	return "what goes into CONNECT cannot be: texts are UTF-8 of at most 65535 bytes, "
	       "properties those of CONNECT, and none twice";
}

static int try_engine(const struct nj_options *o)
{
	nj_client c = {0};
	int error = new_engine(&c, o);
	engine_free(c.engine);
	return error;
}

const char *client_options_problem(const struct nj_options *o)
{
	struct nj_options tried = *o;
	const char *flaw = range_flaw(o);
	if (!flaw)
		flaw = addresses_flaw(o);
	if (!flaw)
		flaw = carry_problem(o, needs_tls(o));
	if (o->store_path && (!o->client_id || !*o->client_id))
		tried.client_id = "in the store";
	if (!flaw && try_engine(&tried) == ERROR_INVALID)
		flaw = connect_flaw(&tried);
	return flaw;
}

int client_configure(nj_client *c, const struct nj_options *o)
{
	if (range_flaw(o))
		return ERROR_INVALID;
	c->callbacks = o->callbacks;
	c->context = o->context;
	c->version = o->version;
	c->has_manual_ack = o->manual_ack;
	c->stays_down = o->stays_down;
	c->when_full = o->when_full;
	c->inbox_bytes_max = o->inbox_bytes_max;
	c->connect_timeout_ms = o->connect_timeout_ms;
	c->retry_base_ms = o->retry_base_ms;
	c->retry_max_ms = o->retry_max_ms;
	c->has_delay = o->has_delay;
	c->holds_until_release = o->holds_until_release;
	c->acknowledges_early = o->acknowledges_early;
	c->one_by_one = o->one_by_one;
	int error = read_addresses(c, o);
	if (!error)
		error = carry_init(&c->carry, o, needs_tls(o));
	if (!error)
		error = auth_configure(c, o);
	if (!error)
		error = request_configure(c, o);
	return error ? error : new_engine(c, o);
}
