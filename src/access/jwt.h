/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON Web Tokens (RFC 7519) in the place of a password: who made it, for whom, until when.
 *
 *     base64url({"alg":"ES256","kid":"1"}) . base64url({"sub":"lena","exp":1793000000}) . signature
 *
 * The key says by which algorithms it verifies, never the token (RFC 8725, 3.1). What a token asks
 * to be understood and is not (`crit`, an audience that is not ours) refuses it.
 */
#ifndef NIGHTJAR_ACCESS_JWT_H
#define NIGHTJAR_ACCESS_JWT_H

#include "access/jwk.h"
#include "access/login_result.h"

/* Providers' tokens have one or two KiB; HTTP servers take heads of 8. */
#define JWT_BYTES_MAX 8192

struct jwt_options {
	const char *issuer;          /* `iss` must be this; NULL: any */
	const char *audience;        /* must be in `aud`; NULL: there may be no `aud` */
	const char *user_claim;      /* which one is the user name */
	const char *client_id_claim; /* this one must be the client id; NULL: none */
	uint32_t leeway_s;           /* clocks may differ so much */
	bool replaces_user_name;     /* also where CONNECT has another one */
};

/* Keys and rules. They never change. */
struct jwt {
	struct jwk_set keys; /* to be filled by jwk_add_... before use */
	uint64_t rules_stamp;
	char *issuer, *audience, *user_claim, *client_id_claim;
	uint32_t leeway_s;
	bool replaces_user_name;
};

/* The texts are copied. NULL without memory. */
struct jwt *jwt_new(const struct jwt_options *options, uint64_t seed);
/* NULL is allowed. */
void jwt_free(struct jwt *j);

/* Has it the form of a token? Then nothing else can tell what it is worth. */
bool jwt_is_token(struct span password);

struct jwt_bearer {
	struct span token;
	const struct span *user_name; /* NULL: CONNECT has none */
	struct span client_id;
	uint64_t now_s; /* since 1970 */
};

struct jwt_finding {
	char *user_name;  /* to be freed */
	uint64_t stamp;   /* of the key and the rules: jwt_vouches */
	uint64_t until_s; /* since 1970; 0: for ever */
};

/* LOGIN_KNOWN and the finding, or why not. Any thread. */
enum login_result jwt_judge(const struct jwt *j, const struct jwt_bearer *who,
			    struct jwt_finding *out);
/* Would a token still be believed for that stamp's sake? */
bool jwt_vouches(const struct jwt *j, uint64_t stamp);

#endif
