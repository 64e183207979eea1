/* SPDX-License-Identifier: Apache-2.0 */
/* What came of a login. */
#ifndef NIGHTJAR_ACCESS_LOGIN_RESULT_H
#define NIGHTJAR_ACCESS_LOGIN_RESULT_H

enum login_result {
	LOGIN_NONE,    /* nothing yet */
	LOGIN_KNOWN,   /* it is who it says */
	LOGIN_UNKNOWN, /* not to this method; the next one may know it */
	LOGIN_WRONG,   /* it is not who it says: a wrong password, or no such user */
	LOGIN_FAILED,  /* that could not be found out */
	LOGIN_SERVICE, /* the service that is asked has no answer */
	/* Why a token is not believed. */
	LOGIN_TOKEN_TOO_LONG,
	LOGIN_TOKEN_MALFORMED,
	LOGIN_TOKEN_CRITICAL,  /* it has a `crit` */
	LOGIN_TOKEN_ALGORITHM, /* not one of any key's, or none at all */
	LOGIN_TOKEN_KEY,       /* there is none of its `kid` */
	LOGIN_TOKEN_SIGNATURE,
	LOGIN_TOKEN_EXPIRED,
	LOGIN_TOKEN_EARLY,
	LOGIN_TOKEN_ISSUER,
	LOGIN_TOKEN_AUDIENCE,
	LOGIN_TOKEN_NAMELESS, /* it lacks a user name */
	LOGIN_TOKEN_USER_NAME,
	LOGIN_TOKEN_CLIENT_ID,
	LOGIN_RESULT_COUNT,
};

#endif
