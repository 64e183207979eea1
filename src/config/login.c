/* SPDX-License-Identifier: Apache-2.0 */
/* What options about ways to know a client mean together. */
#include "config/reading.h"

#include <strings.h>

/* By enum access_method. */
static const char *const methods[METHOD_COUNT] = {
	[METHOD_CERTIFICATE] = "certificate",
	[METHOD_PEER] = "peer",
	[METHOD_JWT] = "jwt",
	[METHOD_PASSWORD] = "password_file",
	[METHOD_HTTP] = "http",
	[METHOD_ANONYMOUS] = "anonymous",
};

/* One realm's options, and of which listener it is: NULL: of all. */
struct realm_options {
	struct config *config;
	struct config_report *report;
	struct config_access *access;
	const struct config_listener *listener;
};

/* A place for messages about an option of the realm. */
static struct reading place_of(const struct realm_options *r, const char *name)
{
	size_t index = option_index(option_named(span_of_text(name)));
	const struct config_place *given =
		r->listener && r->listener->given ? r->listener->given : r->config->given;
	return reading_place(r->config, r->report, given[index], name);
}

static bool has_jwt(const struct config_access *a)
{
	return a->jwt_key_file || a->jwt_secret_file || a->jwt_jwks_file;
}

bool config_access_knows_users(const struct config_access *a)
{
	return a->password_file || has_jwt(a) || a->auth_http_url;
}

static enum access_method method_named(struct span word)
{
	for (unsigned i = 1; i < METHOD_COUNT; i++)
		if (text_is(word, methods[i]))
			return i;
	return METHOD_NONE;
}

/* What the method lacks to be of any use; NULL: nothing. */
static const char *lack_of(const struct config_access *a, enum access_method method)
{
	switch (method) {
	case METHOD_JWT:
		return has_jwt(a) ? NULL
				  : "there is no jwt_key_file, jwt_secret_file or "
				    "jwt_jwks_file";
	case METHOD_PASSWORD: return a->password_file ? NULL : "there is no password_file";
	case METHOD_HTTP: return a->auth_http_url ? NULL : "there is no auth_http_url";
	case METHOD_ANONYMOUS: return a->allow_anonymous > 0 ? NULL : "allow_anonymous is false";
	default: return NULL;
	}
}

/* May it stand behind that one? */
static bool is_in_order(enum access_method before, enum access_method method)
{
	bool is_proof = method == METHOD_CERTIFICATE || method == METHOD_PEER;
	return before != METHOD_ANONYMOUS && (!is_proof || before < method);
}

static int take_method(const struct reading *r, struct config_access *a, size_t at,
		       struct span word)
{
	enum access_method method = method_named(word);
	int len = (int)word.len;
	const char *text = (const char *)word.ptr;
	if (method == METHOD_NONE)
		return reading_refuse(r,
				      "'%.*s' is none of certificate, peer, jwt, password_file, "
				      "http, anonymous",
				      len, text);
	for (size_t i = 0; i < at; i++)
		if (a->chain[i] == method)
			return reading_refuse(r, "names %.*s twice", len, text);
	if (at > 0 && !is_in_order(a->chain[at - 1], method))
		return reading_refuse(r,
				      "names %.*s behind %s: certificate and peer stand in front, "
				      "in this order, and anonymous at the end",
				      len, text, methods[a->chain[at - 1]]);
	const char *lack = lack_of(a, method);
	if (lack)
		return reading_refuse(r, "names %.*s, but %s", len, text, lack);
	a->chain[at] = (uint8_t)method;
	return 0;
}

static void read_chain(const struct realm_options *o)
{
	struct config_access *a = o->access;
	struct reading r = place_of(o, "auth_chain");
	struct span rest = span_of_text(a->auth_chain);
	for (size_t at = 0; rest.len > 0; at++)
		if (take_method(&r, a, at, word_take(&rest)) != 0)
			return;
}

static bool begins_with(const char *text, const char *prefix)
{
	return strncasecmp(text, prefix, strlen(prefix)) == 0;
}

/* Only to this machine passwords may go in the clear without a word. */
static bool is_loopback(const char *host)
{
	static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};
	for (size_t i = 0; i < ARRAY_COUNT(names); i++)
		if (begins_with(host, names[i]) && strchr(":/?", host[strlen(names[i])]))
			return true;
	return false;
}

static void check_url(const struct realm_options *o)
{
	const char *url = o->access->auth_http_url;
	struct reading r = place_of(o, "auth_http_url");
	bool is_plain = begins_with(url, "http://");
	const char *host = url + strlen(is_plain ? "http://" : "https://");
	if (!is_plain && !begins_with(url, "https://"))
		reading_refuse(&r,
			       "is no address of a service: it begins with http:// or https://");
	else if (!*host || strchr("/:?", *host) || strpbrk(url, " \t"))
		reading_refuse(&r, "names no host, or holds a blank");
	else if (is_plain && !is_loopback(host))
		report_notice(o->report, "auth_http_url sends passwords over the network in the "
					 "clear: use https.");
}

static void check_service(const struct realm_options *o)
{
	const struct config_access *a = o->access;
	struct reading header = place_of(o, "auth_http_header");
	struct reading authorities = place_of(o, "auth_http_cafile");
	if (a->auth_http_url)
		check_url(o);
	if (a->auth_http_header && !a->auth_http_url)
		reading_refuse(&header, "is for a service, and there is no auth_http_url");
	else if (a->auth_http_header && !strchr(a->auth_http_header, ':'))
		reading_refuse(&header, "is no line of a head: it is to be \"name: value\"");
	if (a->auth_http_ca_file && !a->auth_http_url)
		reading_refuse(&authorities, "is for a service, and there is no auth_http_url");
}

/* Nobody would obey them. */
static void refuse_unused(const struct realm_options *o)
{
	const struct config_access *a = o->access;
	const struct {
		const char *name, *value;
	} of_tokens[] = {
		{"jwt_issuer", a->jwt_issuer},
		{"jwt_audience", a->jwt_audience},
		{"jwt_username_claim", a->jwt_user_claim},
		{"jwt_clientid_claim", a->jwt_client_id_claim},
	};
	for (size_t i = 0; i < ARRAY_COUNT(of_tokens) && !has_jwt(a); i++) {
		struct reading r = place_of(o, of_tokens[i].name);
		if (of_tokens[i].value)
			reading_refuse(&r, "is about tokens, and there is no jwt_key_file, "
					   "jwt_secret_file or jwt_jwks_file to verify them by");
	}
}

void config_check_peer_name(const struct config_listener *l, struct config_report *report)
{
	if (l->takes_peers_name && !config_listener_is_unix(l))
		report_notice(report,
			      "use_peer_credentials_as_username of port %u has no effect: only a "
			      "Unix socket knows who connects.",
			      l->port);
}

void config_finish_login(struct config *c, struct config_access *a,
			 const struct config_listener *listener, struct config_report *report)
{
	const struct realm_options o = {c, report, a, listener};
	memset(a->chain, METHOD_NONE, sizeof(a->chain));
	refuse_unused(&o);
	check_service(&o);
	if (a->jwt_replaces_user_name && !has_jwt(a))
		report_notice(report, "jwt_replaces_username has no effect: there are no keys to "
				      "verify tokens by.");
	if (a->auth_chain)
		read_chain(&o);
}
