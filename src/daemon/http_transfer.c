/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/http_transfer.h"

#include "base/mem.h"
#include "daemon/clock.h"

/* Connections that are kept for the next question, over all services. */
#define KEPT_CONNECTIONS_MAX 64L
/* How soon another file of authorities is noticed; reading the system's takes some 20 ms. */
#define CA_CACHE_S 60L
/* Beside the texts: names of members, quotes. */
#define BODY_BYTES_MORE 256

CURLM *transfers_open(void)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return NULL;
	CURLM *multi = curl_multi_init();
	if (multi)
		curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, KEPT_CONNECTIONS_MAX);
	return multi;
}

void transfers_close(CURLM *multi)
{
	if (!multi)
		return;
	curl_multi_cleanup(multi);
	curl_global_cleanup();
}

static void wipe(struct buffer *b)
{
	if (b->ptr)
		explicit_bzero(b->ptr, b->capacity);
	buffer_release(b);
}

void transfer_free(CURLM *multi, struct transfer *t)
{
	if (t->easy) {
		curl_multi_remove_handle(multi, t->easy);
		curl_easy_cleanup(t->easy);
	}
	curl_slist_free_all(t->headers);
	wipe(&t->body);
	wipe(&t->answer);
	mem_free(t);
}

/* Of the answer. Too much of it ends the transfer. */
static size_t take(char *bytes, size_t size, size_t count, void *context)
{
	struct transfer *t = context;
	size_t len = size * count;
	if (buffer_len(&t->answer) + len > SERVICE_ANSWER_BYTES_MAX ||
	    buffer_append(&t->answer, span_of(bytes, len)))
		return 0;
	return len;
}

/* Room is made for the worst case at once: growing would leave copies of the password behind. */
static enum login_result put_body(struct transfer *t)
{
	const struct login *login = t->login;
	const struct service_question question = {
		.client_id = login->client_id,
		.user_name = login->has_user_name ? &login->user_name : NULL,
		.password = login->has_password ? &login->password : NULL,
		.address = login->address,
		.port = login->port,
		.certificate = login->certificate,
	};
	if (buffer_reserve(&t->body, 6 * login->len + BODY_BYTES_MORE))
		return LOGIN_FAILED;
	int error = service_put_question(login_service(login), &question, &t->body);
	if (error)
		return error == ERROR_INVALID ? LOGIN_WRONG : LOGIN_FAILED;
	return LOGIN_NONE;
}

static bool add_header(struct transfer *t, const char *line)
{
	struct curl_slist *longer = curl_slist_append(t->headers, line);
	if (longer)
		t->headers = longer;
	return longer != NULL;
}

static bool put_headers(struct transfer *t)
{
	const struct service *s = login_service(t->login);
	/* a password that waits for "100 Continue" would come late */
	return add_header(t, service_content_type(s)) &&
	       add_header(t, "Accept: application/json") && add_header(t, "Expect:") &&
	       (!s->header || add_header(t, s->header));
}

/* The service and nobody else is asked: no proxy of the environment, nor where it sends us. */
static bool set_where(struct transfer *t)
{
	const struct service *s = login_service(t->login);
	CURL *e = t->easy;
	return curl_easy_setopt(e, CURLOPT_URL, s->url) == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_PROXY, "") == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)s->timeout_ms) == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_CA_CACHE_TIMEOUT, CA_CACHE_S) == CURLE_OK &&
	       (!s->ca_file || curl_easy_setopt(e, CURLOPT_CAINFO, s->ca_file) == CURLE_OK);
}

static bool set_what(struct transfer *t)
{
	CURL *e = t->easy;
	struct span body = buffer_content(&t->body);
	return curl_easy_setopt(e, CURLOPT_POST, 1L) == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE, (long)body.len) == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_POSTFIELDS, body.ptr) == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_HTTPHEADER, t->headers) == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_USERAGENT, "nightjar") == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, take) == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_WRITEDATA, t) == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->trouble) == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_PRIVATE, t) == CURLE_OK;
}

enum login_result transfer_begin(CURLM *multi, struct login *login, struct transfer **out)
{
	struct transfer *t = mem_zalloc(sizeof(*t));
	if (!t)
		return LOGIN_FAILED;
	t->login = login;
	enum login_result result = put_body(t);
	if (result == LOGIN_NONE) {
		t->easy = curl_easy_init();
		if (!t->easy || !put_headers(t) || !set_where(t) || !set_what(t) ||
		    curl_multi_add_handle(multi, t->easy) != CURLM_OK)
			result = LOGIN_FAILED;
	}
	if (result == LOGIN_NONE)
		*out = t;
	else
		transfer_free(multi, t);
	return result;
}

struct transfer *transfer_of(CURL *easy)
{
	void *t = NULL;
	curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&t);
	ASSERT(t);
	return t;
}

long transfer_status(const struct transfer *t)
{
	long status = 0;
	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

const char *transfer_trouble(const struct transfer *t, CURLcode code)
{
	return t->trouble[0] ? t->trouble : curl_easy_strerror(code);
}

enum login_result transfer_result(struct transfer *t, CURLcode code)
{
	struct login *login = t->login;
	struct service_answer answer;
	if (code != CURLE_OK)
		return LOGIN_SERVICE;
	enum login_result result =
		service_read_answer(transfer_status(t), buffer_content(&t->answer), &answer);
	if (result != LOGIN_KNOWN)
		return result;
	login->known_name = answer.user_name;
	login->until_s = answer.until_s;
	login->stamp = login_service(login)->stamp;
	if (answer.until_s > 0 && answer.until_s * 1000 <= clock_wall_ms())
		return LOGIN_WRONG; /* it would be gone at once */
	return LOGIN_KNOWN;
}
