/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A service that is asked by HTTP who a client is: what it is sent, and what its answer means. Who
 * carries both is the caller's affair.
 *
 *     POST {"clientid":"lamp-1","username":"lena","password":"secret","address":"192.0.2.1",...}
 *     200 {"result":"allow"}     it may come in
 *     200, 204 without a body    the same
 *     200 {"result":"deny"}      it may not; so may a 401 or 403 say
 *     200 {"result":"ignore"}    the service does not know it: the next method is asked
 *
 * Anything else is no answer, and lets nobody in: a page of an error that comes with a 200 must not
 * open the broker.
 */
#ifndef NIGHTJAR_ACCESS_SERVICE_H
#define NIGHTJAR_ACCESS_SERVICE_H

#include "access/login_result.h"
#include "base/buffer.h"

/* Of an answer; it holds a word and a name. */
#define SERVICE_ANSWER_BYTES_MAX 8192

struct service_options {
	const char *url;
	const char *header;  /* "Name: value", for who must show the service something; or NULL */
	const char *ca_file; /* NULL: the system's authorities */
	bool has_form;       /* asks by a form, not by JSON */
	uint32_t timeout_ms; /* of one question */
	uint32_t cache_ms;   /* how long an answer is good for the same question; 0: not at all */
	uint32_t connections_max;
};

/* Never changes. */
struct service {
	char *url, *header, *ca_file;
	bool has_form;
	uint32_t timeout_ms, cache_ms, connections_max;
	uint64_t stamp; /* of the URL: who came in by another one must come in anew */
};

/* The texts are copied. NULL without memory. */
struct service *service_new(const struct service_options *options, uint64_t seed);
/* NULL is allowed. */
void service_free(struct service *s);

struct service_question {
	struct span client_id;
	const struct span *user_name, *password; /* NULL: CONNECT has none */
	struct span address;                     /* without its port */
	uint16_t port;                           /* of our listener */
	struct span certificate; /* the name that was proved, and not taken; empty: none was */
};

/* Appends the body of the request. 0, ERROR_NO_MEMORY, or ERROR_INVALID: JSON cannot carry it, since
 * the password is no UTF-8. */
int service_put_question(const struct service *s, const struct service_question *q,
			 struct buffer *body) MUST_USE;
const char *service_content_type(const struct service *s);

struct service_answer {
	char *user_name;  /* what the service calls it, to be freed; NULL: as CONNECT */
	uint64_t until_s; /* since 1970: `expire_at`; 0: for ever */
};
/* LOGIN_KNOWN and the answer; LOGIN_WRONG, LOGIN_UNKNOWN; LOGIN_SERVICE when it is none. */
enum login_result service_read_answer(long status, struct span body, struct service_answer *out);

#endif
