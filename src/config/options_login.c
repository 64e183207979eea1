/* SPDX-License-Identifier: Apache-2.0 */
/* Ways to know who a client is, beside password files and certificates. */
#include "config/config.h"
#include "config/option_row.h"

/* All of them may change while clients are connected. */
#define LOGIN(member)                                                                              \
	ACCESS(member), .group = OPTION_GROUP_ACCESS, .is_ours = true,                             \
			.change = OPTION_CHANGES_AT_ONCE

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
