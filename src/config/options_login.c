/* SPDX-License-Identifier: Apache-2.0 */
/* Ways to know who a client is, beside password files and certificates. */
#include "config/config.h"
#include "config/option_row.h"

/* All of them may change while clients are connected. */
#define LOGIN(member)                                                                              \
	ACCESS(member), .group = OPTION_GROUP_ACCESS, .is_ours = true,                             \
			.change = OPTION_CHANGES_AT_ONCE

static const char *const formats[] = {"json", "form", NULL};

static const struct option rows[] = {
	{.name = "auth_chain",
	 .type = OPTION_TEXT,
	 LOGIN(auth_chain),
	 .value = "method...",
	 .default_text = "certificate peer jwt password_file http anonymous",
	 .text = "By which methods clients are known, and in which order: the first one that knows "
		 "the client decides, whether it may come in or not. Words are certificate (also "
		 "a shared key), peer (of a Unix socket), jwt, password_file, http and anonymous. "
		 "A method that is left out is not asked. The first two stand in front, anonymous "
		 "at the end. See docs/ACCESS.md."},
	{.name = "use_peer_credentials_as_username",
	 BOOL,
	 LISTENER(takes_peers_name),
	 .group = OPTION_GROUP_ACCESS,
	 .is_ours = true,
	 .change = OPTION_CHANGES_FOR_NEW,
	 .text = "Is the user of this machine who connects to the Unix socket of the listener "
		 "above its user name? Names are those of /etc/passwd; a user who is not in it "
		 "is called uid:1234. No password is asked for then."},
	{.name = "auth_http_url",
	 .type = OPTION_TEXT,
	 LOGIN(auth_http_url),
	 .value = "url",
	 .default_text = "no service is asked",
	 .text = "A service (http:// or https://) that is asked by POST who a client is that gives "
		 "a user name or a password. It is sent clientid, username, password, address, "
		 "port and certificate. It answers 200 with {\"result\": \"allow\"}, \"deny\" or "
		 "\"ignore\", or 200 or 204 without a body for allow, or 401 or 403 for deny. "
		 "Anything else, or no answer in time, refuses the client with 0x88. See "
		 "docs/ACCESS.md."},
	{.name = "auth_http_format",
	 .type = OPTION_CHOICE,
	 LOGIN(auth_http_has_form),
	 .choices = formats,
	 .value = "json|form",
	 .text = "How the service is asked: by a JSON object, or by a form "
		 "(application/x-www-form-urlencoded), which also carries passwords that are no "
		 "UTF-8."},
	{.name = "auth_http_header",
	 .type = OPTION_TEXT,
	 LOGIN(auth_http_header),
	 .is_secret = true,
	 .value = "name: value",
	 .default_text = "none",
	 .text = "One more line in the head of each question, such as \"Authorization: Bearer "
		 "...\", by which the service knows the broker."},
	{.name = "auth_http_cafile",
	 .type = OPTION_TEXT,
	 LOGIN(auth_http_ca_file),
	 .value = "path",
	 .default_text = "the system's",
	 .text = "Certificates, in PEM, of the authorities that the service's certificate must be "
		 "of. Another file is noticed within a minute."},
	{.name = "auth_http_timeout",
	 NUMBER(1, 60),
	 LOGIN(auth_http_timeout_ms),
	 .scale = 1000,
	 .value = "seconds",
	 .text = "How long one question may take."},
	{.name = "auth_http_connections",
	 NUMBER(1, 256),
	 LOGIN(auth_http_connections_max),
	 .value = "count",
	 .text = "How many questions are asked at a time for each listener; further ones wait. "
		 "Connections are kept for the next question."},
	{.name = "auth_http_cache",
	 NUMBER(0, 86400),
	 LOGIN(auth_http_cache_ms),
	 .scale = 1000,
	 .value = "seconds",
	 .text = "How long an answer is good for the very same question. One that lets nobody in "
		 "is "
		 "good for two seconds at most. 0: each is asked."},
	{.name = "jwt_key_file",
	 .type = OPTION_TEXT,
	 LOGIN(jwt_key_file),
	 .value = "path",
	 .default_text = "no token is believed",
	 .text = "Public keys or certificates, in PEM, that JSON Web Tokens are verified by. A "
		 "client gives its token as password. The key decides by which algorithms: RSA by "
		 "RS256 to RS512 and PS256 to PS512, P-256 by ES256, P-384 by ES384, P-521 by "
		 "ES512, Ed25519 and Ed448 by EdDSA. Read anew when the file changes and on "
		 "SIGHUP: clients whose key is gone are disconnected. When a token expires, its "
		 "client is disconnected with 0xA0."},
	{.name = "jwt_secret_file",
	 .type = OPTION_TEXT,
	 LOGIN(jwt_secret_file),
	 .value = "path",
	 .text = "A secret of at least 32 bytes that tokens are verified by (HS256; HS384 takes 48 "
		 "bytes, HS512 64). The end of its line is not part of it."},
	{.name = "jwt_jwks_file",
	 .type = OPTION_TEXT,
	 LOGIN(jwt_jwks_file),
	 .value = "path",
	 .text = "Keys that tokens are verified by, as a JWK Set (RFC 7517). A token that names a "
		 "key (kid) is verified by that one."},
	{.name = "jwt_issuer",
	 .type = OPTION_TEXT,
	 LOGIN(jwt_issuer),
	 .value = "text",
	 .default_text = "any",
	 .text = "Only tokens of this issuer (iss) are believed."},
	{.name = "jwt_audience",
	 .type = OPTION_TEXT,
	 LOGIN(jwt_audience),
	 .value = "text",
	 .default_text = "only tokens without an audience are believed",
	 .text = "Only tokens for this audience (aud) are believed."},
	{.name = "jwt_leeway",
	 NUMBER(0, 3600),
	 LOGIN(jwt_leeway_s),
	 .value = "seconds",
	 .text = "By how much the clocks of issuer and broker may differ: so long a token is "
		 "believed after its end (exp) and before its beginning (nbf, iat)."},
	{.name = "jwt_username_claim",
	 .type = OPTION_TEXT,
	 LOGIN(jwt_user_claim),
	 .value = "name",
	 .default_text = "sub",
	 .text = "Which claim of a token is the user name. CONNECT must have the same one, or, in "
		 "version 5, none."},
	{.name = "jwt_replaces_username",
	 BOOL,
	 LOGIN(jwt_replaces_user_name),
	 .text = "Is the token's user name taken, whatever user name CONNECT has?"},
	{.name = "jwt_clientid_claim",
	 .type = OPTION_TEXT,
	 LOGIN(jwt_client_id_claim),
	 .value = "name",
	 .default_text = "a token is good for any client id",
	 .text = "Which claim of a token must be the client id."},
};

const struct option_table options_login = {rows, ARRAY_COUNT(rows)};
