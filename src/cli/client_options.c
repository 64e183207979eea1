/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/client_options.h"

#include "base/mem.h"

#include <errno.h>
#include <stdio.h>

#define RECEIVE_MAXIMUM_DEFAULT 20 /* what mosquitto's clients announce */
/* A lost connection is opened again within a second, as mosquitto's clients do. */
#define RETRY_MS 1000

/* --- where to --- */

static const char *scheme_of(const struct options *o)
{
	bool is_encrypted = tls_options_are_wanted(&o->tls, o->port);
	if (o->has_websocket)
		return is_encrypted ? "wss" : "ws";
	return is_encrypted ? "mqtts" : "mqtt";
}

/* Where brokers speak MQTT in a WebSocket. */
static const char *path_of(const struct options *o)
{
	return o->has_websocket ? "/mqtt" : "";
}

static char *make_address(const struct options *o)
{
	const char *place = o->unix_path ? o->unix_path : o->host;
	size_t size = strlen(place) + 32; /* scheme, brackets and port take less */
	char *address = mem_alloc(size);
	if (!address)
		return NULL;
	if (o->unix_path)
		snprintf(address, size, "unix://%s", place);
	else if (strchr(place, ':'))
		snprintf(address, size, "%s://[%s]:%u%s", scheme_of(o), place, o->port, path_of(o));
	else
		snprintf(address, size, "%s://%s:%u%s", scheme_of(o), place, o->port, path_of(o));
	return address;
}

/* As -h is encrypted, so is one that does not say otherwise. */
static char *make_fallback(const struct options *o, const char *place)
{
	size_t size = strlen(place) + 32;
	char *address = mem_alloc(size);
	if (address)
		snprintf(address, size, "%s%s%s", strstr(place, "://") ? "" : scheme_of(o),
			 strstr(place, "://") ? "" : "://", place);
	return address;
}

static int make_addresses(const struct options *o, struct client_parts *parts)
{
	parts->address = make_address(o);
	if (!parts->address)
		return ERROR_NO_MEMORY;
	if (o->fallbacks.count == 0)
		return 0;
	parts->fallbacks = mem_zalloc(o->fallbacks.count * sizeof(char *));
	for (size_t i = 0; parts->fallbacks && i < o->fallbacks.count; i++) {
		parts->fallbacks[i] = make_fallback(o, o->fallbacks.items[i]);
		if (!parts->fallbacks[i])
			return ERROR_NO_MEMORY;
		parts->fallback_count++;
	}
	return parts->fallbacks ? 0 : ERROR_NO_MEMORY;
}

/* --- CONNECT --- */

static void set_will(const struct options *o, struct client_parts *parts, struct nj_options *out)
{
	const struct property_list *properties = &o->properties.of[TARGET_WILL];
	if (!o->will_topic)
		return;
	parts->will = (struct nj_message_out){.topic = o->will_topic,
					      .payload = o->will_payload,
					      .payload_len =
						      o->will_payload ? strlen(o->will_payload) : 0,
					      .qos = o->will_qos,
					      .retain = o->will_retain,
					      .properties = properties->items,
					      .property_count = properties->count};
	out->will = &parts->will;
}

/* -x, or with -c alone a session that never ends. */
static bool names_expiry(const struct options *o)
{
	return o->has_session_expiry || o->keeps_session;
}

static uint32_t expiry_of(const struct options *o)
{
	return o->has_session_expiry ? o->session_expiry : UINT32_MAX;
}

/* Those of -D, but for the one that -x speaks of. */
static int copy_properties(const struct options *o, struct property_list *to)
{
	const struct property_list *from = &o->properties.of[TARGET_CONNECT];
	int error = 0;
	if (names_expiry(o) && expiry_of(o) == 0) {
		struct nj_property none = {.id = NJ_SESSION_EXPIRY_INTERVAL};
		error = property_list_add(to, &none);
	}
	for (size_t i = 0; !error && i < from->count; i++)
		if (from->items[i].id != NJ_SESSION_EXPIRY_INTERVAL || !names_expiry(o))
			error = property_list_add(to, &from->items[i]);
	return error;
}

/* With -C no more than are wanted: what is under way beyond them is of no use to us. */
static uint16_t receive_maximum_of(const struct options *o)
{
	if (property_list_has(&o->properties.of[TARGET_CONNECT], NJ_RECEIVE_MAXIMUM))
		return 0;
	bool wants_few = o->message_count > 0 && o->message_count < RECEIVE_MAXIMUM_DEFAULT;
	if (o->tool == TOOL_RR)
		return 1; /* as mosquitto_rr */
	return wants_few ? (uint16_t)o->message_count : RECEIVE_MAXIMUM_DEFAULT;
}

static int set_connect(const struct options *o, struct client_parts *parts, struct nj_options *out)
{
	int error = copy_properties(o, &parts->connect);
	out->version = o->version;
	out->client_id = o->client_id;
	out->clean_start = !o->keeps_session;
	out->session_expiry = names_expiry(o) ? expiry_of(o) : 0;
	out->keep_alive = o->keep_alive;
	out->user_name = o->user_name;
	out->password = o->password;
	out->password_len = o->password ? strlen(o->password) : 0;
	out->auth_method = o->has_scram ? "SCRAM-SHA-256" : NULL;
	out->receive_maximum = receive_maximum_of(o);
	out->properties = parts->connect.items;
	out->property_count = parts->connect.count;
	set_will(o, parts, out);
	return error;
}

/* --- */

bool client_options_build(const struct options *o, struct client_parts *parts,
			  struct nj_options *out)
{
	*out = (struct nj_options)NJ_OPTIONS_INIT;
	*parts = (struct client_parts){0};
	if (make_addresses(o, parts) || set_connect(o, parts, out)) {
		fprintf(stderr, "Error: Out of memory.\n");
		return false;
	}
	out->address = parts->address;
	out->more_addresses = (const char *const *)parts->fallbacks;
	out->more_address_count = parts->fallback_count;
	out->bind_address = o->bind_address;
	out->has_delay = !o->has_no_delay;
	out->retry_base_ms = out->retry_max_ms = RETRY_MS;
	if (o->inflight_max > 0)
		out->inflight_max = o->inflight_max;
	return tls_options_apply(&o->tls, o->port, &parts->tls, out);
}

void client_parts_release(struct client_parts *parts)
{
	mem_free(parts->address);
	for (size_t i = 0; i < parts->fallback_count; i++)
		mem_free(parts->fallbacks[i]);
	mem_free(parts->fallbacks);
	property_list_release(&parts->connect);
}

nj_client *client_options_open(const struct nj_options *options)
{
	nj_client *client;
	int error = nj_new(options, &client);
	if (!error)
		return client;
	if (options->store_path && (error == NJ_ERROR_STORE || error == NJ_ERROR_SYSTEM))
		return NULL; /* store_says has said why */
	const char *problem = error == NJ_ERROR_INVALID ? nj_options_problem(options) : NULL;
	if (problem)
		fprintf(stderr, "Error: %s.\n", problem);
	else if (error == NJ_ERROR_SYSTEM)
		fprintf(stderr, "Error: %s\n", strerror(errno));
	else
		fprintf(stderr, "Error: %s.\n", nj_error_text(error));
	return NULL;
}
