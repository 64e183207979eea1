/* SPDX-License-Identifier: Apache-2.0 */
/* What follows from the options about access: for which listeners they hold, and who may come in
 * where nothing was said. */
#include "base/mem.h"
#include "config/reading.h"

#include <stdio.h>

/* Clocks of machines that ask for the time differ by less. */
#define JWT_LEEWAY_S 30
/* A service that takes longer does not stand the reconnects of a fleet either. */
#define HTTP_TIMEOUT_MS 5000
/* A fleet that comes back asks once; whom the service drops stays out a minute later. */
#define HTTP_CACHE_MS 60000
/* As many as a service of a few threads can work on. */
#define HTTP_CONNECTIONS_MAX 16

struct config_access config_access_new(void)
{
	return (struct config_access){
		.allow_anonymous = -1,
		.jwt_leeway_s = JWT_LEEWAY_S,
		.auth_http_timeout_ms = HTTP_TIMEOUT_MS,
		.auth_http_cache_ms = HTTP_CACHE_MS,
		.auth_http_connections_max = HTTP_CONNECTIONS_MAX,
	};
}

/* NULL: it is no text. */
static char **text_of(const struct config_access *a, const struct option *o)
{
	return o->type == OPTION_TEXT ? (char **)((char *)(uintptr_t)a + o->offset) : NULL;
}

void config_access_release(struct config_access *a)
{
	for (size_t i = 0; i < option_count(); i++) {
		const struct option *o = option_at(i);
		char **text = o->target == OPTION_TO_ACCESS ? text_of(a, o) : NULL;
		if (text)
			mem_free(*text);
	}
	*a = config_access_new();
}

bool config_access_is_plain(const struct config_access *a)
{
	const struct config_access plain = config_access_new();
	for (size_t i = 0; i < option_count(); i++) {
		const struct option *o = option_at(i);
		if (o->target == OPTION_TO_ACCESS &&
		    memcmp((const char *)a + o->offset, (const char *)&plain + o->offset,
			   o->size) != 0)
			return false;
	}
	return true;
}

size_t config_access_count(const struct config *c)
{
	return c->has_access_per_listener ? c->listener_count : 1;
}

const struct config_access *config_access_of(const struct config *c, size_t listener)
{
	return c->has_access_per_listener ? &c->listeners[listener].access : &c->access;
}

bool config_allows_anonymous(const struct config *c, const struct config_listener *l)
{
	if (l->allow_anonymous_here >= 0)
		return l->allow_anonymous_here > 0;
	return (c->has_access_per_listener ? l->access : c->access).allow_anonymous > 0;
}

/* mosquitto's default: whoever opens a listener to others says who may come in. */
static void choose_anonymous(struct config_access *a, const struct config_listener *l)
{
	if (a->allow_anonymous < 0)
		a->allow_anonymous = l->is_loopback;
}

/* Names are also proved by handshakes, proxies and the kernel. */
static bool lets_nobody_in(const struct config_access *a, const struct config_listener *l)
{
	return !a->allow_anonymous && l->allow_anonymous_here <= 0 &&
	       !config_access_knows_users(a) && !l->tls.uses_identity && !l->tls.uses_subject &&
	       !l->takes_peers_name;
}

static void tell_lets_nobody_in(const struct config_access *a, struct config_report *report,
				const char *where)
{
	report_notice(report,
		      "Every client%s will be refused as not authorized, since no client can be "
		      "recognised: there is no password_file%s. \"allow_anonymous true\" lets "
		      "everybody in who reaches the listener.",
		      where,
		      a->psk_file ? ", and a psk_file gives names only with "
				    "use_identity_as_username true"
				  : "");
}

static void tell_of_listener(const struct config_access *a, const struct config_listener *l,
			     struct config_report *report)
{
	char where[64];
	if (!lets_nobody_in(a, l))
		return;
	if (config_listener_is_unix(l))
		snprintf(where, sizeof(where), " of %.50s", l->address);
	else
		snprintf(where, sizeof(where), " of port %u", l->port);
	tell_lets_nobody_in(a, report, where);
}

/* `given`: where each option was said. */
static void check_id_prefix(struct config *c, const struct config_access *a,
			    const struct config_place *given, struct config_report *report)
{
	static const char name[] = "auto_id_prefix";
	if (!a->auto_id_prefix || strlen(a->auto_id_prefix) <= CONFIG_ID_PREFIX_MAX)
		return;
	size_t index = option_index(option_named(span_of_text(name)));
	struct reading r = reading_place(c, report, given[index], name);
	reading_refuse(&r, "is longer than %d bytes", CONFIG_ID_PREFIX_MAX);
}

static const struct config_listener *with_id_prefix(const struct config *c)
{
	for (size_t i = 0; i < c->listener_count; i++)
		if (c->listeners[i].access.client_id_prefix)
			return &c->listeners[i];
	return NULL;
}

/* As mosquitto has it: one for all listeners, below whichever it stands. */
static void share_id_prefix(struct config *c, struct config_report *report)
{
	static const char name[] = "clientid_prefixes";
	size_t index = option_index(option_named(span_of_text(name)));
	const struct config_listener *from = with_id_prefix(c);
	for (size_t i = 0; from && i < c->listener_count; i++) {
		struct config_listener *l = &c->listeners[i];
		struct reading r = reading_place(c, report, l->given[index], name);
		const char *prefix = from->access.client_id_prefix;
		if (l->access.client_id_prefix && strcmp(l->access.client_id_prefix, prefix) != 0)
			reading_refuse(&r, "differs between listeners, but there is one for all");
		else if (keep_text(&l->access.client_id_prefix, span_of_text(prefix)) != 0)
			report->is_out_of_memory = true;
	}
}

static void finish_each(struct config *c, struct config_report *report)
{
	share_id_prefix(c, report);
	for (size_t i = 0; i < c->listener_count; i++) {
		struct config_listener *l = &c->listeners[i];
		if (l->allow_anonymous_here >= 0)
			l->access.allow_anonymous = l->allow_anonymous_here;
		choose_anonymous(&l->access, l);
		tell_of_listener(&l->access, l, report);
		config_finish_login(c, &l->access, l, report);
		check_id_prefix(c, &l->access, l->given, report);
	}
}

static void finish_all(struct config *c, struct config_report *report)
{
	size_t closed_count = 0;
	choose_anonymous(&c->access, &c->listeners[0]);
	for (size_t i = 0; i < c->listener_count; i++)
		closed_count += lets_nobody_in(&c->access, &c->listeners[i]);
	if (closed_count > 0 && closed_count == c->listener_count)
		tell_lets_nobody_in(&c->access, report, "");
	for (size_t i = 0; closed_count < c->listener_count && i < c->listener_count; i++)
		tell_of_listener(&c->access, &c->listeners[i], report);
	config_finish_login(c, &c->access, NULL, report);
}

static void number_realms(struct config *c)
{
	for (size_t i = 0; i < c->listener_count; i++)
		c->listeners[i].realm = (uint8_t)i;
	c->realm_count = c->listener_count > 0 ? (unsigned)c->listener_count : 1;
}

void config_finish_access(struct config *c, struct config_report *report)
{
	static const char name[] = "per_listener_settings";
	for (size_t i = 0; i < c->listener_count; i++)
		config_check_peer_name(&c->listeners[i], report);
	size_t index = option_index(option_named(span_of_text(name)));
	struct reading r = reading_place(c, report, c->given[index], name);
	number_realms(c);
	if (c->has_access_per_listener && !config_access_is_plain(&c->access))
		reading_refuse(&r, "stands below an option that it is about: move it above all of "
				   "them");
	else if (c->has_access_per_listener)
		finish_each(c, report);
	else
		finish_all(c, report);
	check_id_prefix(c, &c->access, c->given, report);
	c->settings.allow_anonymous = config_access_of(c, 0)->allow_anonymous > 0;
}
