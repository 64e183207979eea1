/* SPDX-License-Identifier: Apache-2.0 */
/* One question to a service, on its way by libcurl. */
#ifndef NIGHTJAR_DAEMON_HTTP_TRANSFER_H
#define NIGHTJAR_DAEMON_HTTP_TRANSFER_H

#include "access/answer_cache.h"
#include "broker/login.h"

#include <curl/curl.h>

struct transfer {
	struct link link;
	CURL *easy;
	struct curl_slist *headers;
	struct login *login;
	struct buffer body, answer;
	bool is_cacheable;
	uint8_t question[CACHE_KEY_BYTES]; /* with is_cacheable */
	char trouble[CURL_ERROR_SIZE];
};

/* What all transfers share: connections that are kept. NULL when libcurl cannot. */
CURLM *transfers_open(void);
void transfers_close(CURLM *multi);

/* LOGIN_NONE: it is under way; else what to answer at once. The login stays the caller's. */
enum login_result transfer_begin(CURLM *multi, struct login *login, struct transfer **out);
struct transfer *transfer_of(CURL *easy);
/* When it is done: fills in the login, but for the result, which it returns. */
enum login_result transfer_result(struct transfer *t, CURLcode code);
/* In words for the log. */
const char *transfer_trouble(const struct transfer *t, CURLcode code);
long transfer_status(const struct transfer *t);
void transfer_free(CURLM *multi, struct transfer *t);

#endif
