/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/http_logins.h"

#include "access/answer_cache.h"
#include "base/mem.h"
#include "broker/quiet.h"
#include "daemon/clock.h"
#include "daemon/http_transfer.h"
#include "daemon/login_queue.h"
#include "daemon/process.h"

#include <pthread.h>
#include <stdio.h>

/* A login that is forgotten meanwhile, or a thread that is to end, is looked for so often. */
#define LOOK_MS 1000
/* A service that does not know somebody may be told of him the next moment. */
#define REFUSAL_CACHE_MS 2000

/* Those of one realm. */
struct line {
	struct login_queue queue;
	unsigned active, active_max; /* questions that are asked now */
};

struct http_logins {
	pthread_mutex_t mutex;          /* of what the shards see: */
	struct line *lines[REALMS_MAX]; /* NULL: nobody was there yet */
	bool is_stopping, has_thread;
	pthread_t thread;
	struct broker *broker;
	struct logger *log;
	CURLM *multi;
	/* Of the thread alone. */
	struct link transfers;
	struct answer_cache cache;
	struct quiet quiet;
};

bool http_logins_are_here(void)
{
	return true;
}

struct http_logins *http_logins_new(struct broker *b, struct logger *log)
{
	uint64_t key[CACHE_KEY_BYTES / sizeof(uint64_t)];
	struct http_logins *h = mem_zalloc(sizeof(*h));
	if (!h)
		return NULL;
	for (size_t i = 0; i < ARRAY_COUNT(key); i++)
		key[i] = process_random();
	pthread_mutex_init(&h->mutex, NULL);
	list_init(&h->transfers);
	answer_cache_init(&h->cache, (const uint8_t *)key, process_random(), CACHE_ANSWERS_MAX);
	explicit_bzero(key, sizeof(key));
	h->broker = b;
	h->log = log;
	return h;
}

static void give_back(struct http_logins *h, struct login *login, enum login_result result)
{
	login->result = (uint8_t)result;
	broker_answer_login(h->broker, login);
}

static void complain(struct http_logins *h, const struct transfer *t, CURLcode code)
{
	char more[64] = "";
	uint32_t left_out;
	if (!quiet_allows(&h->quiet, clock_steady_ms(), &left_out))
		return;
	if (left_out > 0)
		snprintf(more, sizeof(more), " (%u more were not logged)", left_out);
	if (code != CURLE_OK)
		log_line(h->log, LOG_TYPE_WARNING,
			 "The service of auth_http_url was not asked who a client is, which is "
			 "refused: "
			 "%.200s%s",
			 transfer_trouble(t, code), more);
	else
		log_line(h->log, LOG_TYPE_WARNING,
			 "The service of auth_http_url gave no answer that says who a client is, "
			 "which is "
			 "refused: status %ld, %zu bytes%s",
			 transfer_status(t), buffer_len(&t->answer), more);
}

/* What to find it by; false: it cannot be kept. */
static bool make_question(const struct http_logins *h, const struct login *login,
			  uint8_t question[CACHE_KEY_BYTES])
{
	const struct service *s = login_service(login);
	const uint8_t flags = (uint8_t)(login->has_user_name | login->has_password << 1);
	const struct span parts[] = {
		span_of(&s->stamp, sizeof(s->stamp)),
		span_of(&flags, 1),
		span_of(&login->port, sizeof(login->port)),
		login->user_name,
		login->password,
		login->client_id,
		login->address,
		login->certificate,
	};
	return s->cache_ms > 0 &&
	       answer_cache_question(&h->cache, parts, ARRAY_COUNT(parts), question) == 0;
}

static void keep(struct http_logins *h, const struct transfer *t)
{
	const struct login *login = t->login;
	uint64_t good_ms = login_service(login)->cache_ms, wall_ms = clock_wall_ms();
	if (!t->is_cacheable || login->result == LOGIN_SERVICE || login->result == LOGIN_FAILED)
		return;
	if (login->result != LOGIN_KNOWN && good_ms > REFUSAL_CACHE_MS)
		good_ms = REFUSAL_CACHE_MS;
	if (login->until_s > 0 && good_ms > login->until_s * 1000 - wall_ms)
		good_ms = login->until_s * 1000 - wall_ms;
	struct cached_answer answer = {.good_until_ms = clock_steady_ms() + good_ms,
				       .until_s = login->until_s,
				       .result = login->result};
	memcpy(answer.question, t->question, CACHE_KEY_BYTES);
	answer_cache_keep(&h->cache, &answer, login->known_name);
}

static bool is_cached(struct http_logins *h, struct login *login,
		      const uint8_t question[CACHE_KEY_BYTES])
{
	const struct cached_answer *found =
		answer_cache_find(&h->cache, question, clock_steady_ms());
	if (!found)
		return false;
	login->stamp = login_service(login)->stamp;
	login->until_s = found->until_s;
	login->result = found->result;
	if (found->has_user_name) {
		login->known_name = mem_copy_text(span_of(found->user_name, found->name_len));
		if (!login->known_name)
			login->result = LOGIN_FAILED;
	}
	return true;
}

static struct line *line_of(struct http_logins *h, const struct login *login)
{
	return h->lines[login->realm];
}

/* Asks, or knows already. */
static void begin(struct http_logins *h, struct login *login)
{
	uint8_t question[CACHE_KEY_BYTES];
	bool is_cacheable = make_question(h, login, question);
	if (atomic_load(&login->is_forgotten)) {
		give_back(h, login, LOGIN_FAILED);
		return;
	}
	if (is_cacheable && is_cached(h, login, question)) {
		give_back(h, login, login->result);
		return;
	}
	struct transfer *t;
	enum login_result trouble = transfer_begin(h->multi, login, &t);
	if (trouble != LOGIN_NONE) {
		give_back(h, login, trouble);
		return;
	}
	t->is_cacheable = is_cacheable;
	if (is_cacheable)
		memcpy(t->question, question, sizeof(question));
	list_append(&h->transfers, &t->link);
	line_of(h, login)->active++;
}

/* The next that may be asked; NULL: none, or its service has enough. */
static struct login *next_of(struct http_logins *h, unsigned realm)
{
	struct login *login = NULL;
	pthread_mutex_lock(&h->mutex);
	struct line *line = h->lines[realm];
	if (line && line->active < line->active_max)
		login = login_queue_take(&line->queue);
	pthread_mutex_unlock(&h->mutex);
	return login;
}

static void begin_some(struct http_logins *h)
{
	struct login *login;
	for (unsigned realm = 0; realm < REALMS_MAX; realm++)
		while ((login = next_of(h, realm)))
			begin(h, login);
}

static void finish(struct http_logins *h, struct transfer *t, CURLcode code)
{
	struct login *login = t->login;
	login->result = (uint8_t)transfer_result(t, code);
	if (login->result == LOGIN_SERVICE)
		complain(h, t, code);
	keep(h, t);
	line_of(h, login)->active--;
	link_remove(&t->link);
	transfer_free(h->multi, t);
	give_back(h, login, login->result);
}

/* True when any was. */
static bool finish_some(struct http_logins *h)
{
	int left;
	bool is_any = false;
	CURLMsg *message;
	while ((message = curl_multi_info_read(h->multi, &left))) {
		if (message->msg != CURLMSG_DONE)
			continue;
		finish(h, transfer_of(message->easy_handle), message->data.result);
		is_any = true;
	}
	return is_any;
}

static bool is_stopping(struct http_logins *h)
{
	pthread_mutex_lock(&h->mutex);
	bool is = h->is_stopping;
	pthread_mutex_unlock(&h->mutex);
	return is;
}

static void *run(void *context)
{
	struct http_logins *h = context;
	int running;
	while (!is_stopping(h)) {
		begin_some(h);
		curl_multi_perform(h->multi, &running);
		if (!finish_some(h)) /* else others may begin */
			curl_multi_poll(h->multi, NULL, 0, LOOK_MS, NULL);
	}
	return NULL;
}

/* The mutex is held, here and below. */
static bool has_thread(struct http_logins *h)
{
	if (!h->multi)
		h->multi = transfers_open();
	if (h->multi && !h->has_thread && pthread_create(&h->thread, NULL, run, h) == 0) {
		pthread_setname_np(h->thread, "http logins");
		h->has_thread = true;
	}
	return h->has_thread;
}

static int put(struct http_logins *h, struct login *login)
{
	struct line **line = &h->lines[login->realm];
	if (!*line)
		*line = mem_zalloc(sizeof(**line));
	if (!*line)
		return ERROR_NO_MEMORY;
	(*line)->active_max = login_service(login)->connections_max;
	return login_queue_put(&(*line)->queue, login);
}

int http_logins_ask(struct http_logins *h, struct login *login)
{
	int error = ERROR_SYSTEM;
	pthread_mutex_lock(&h->mutex);
	if (has_thread(h))
		error = put(h, login);
	pthread_mutex_unlock(&h->mutex);
	if (!error)
		curl_multi_wakeup(h->multi);
	return error;
}

void http_logins_free(struct http_logins *h)
{
	if (!h)
		return;
	pthread_mutex_lock(&h->mutex);
	h->is_stopping = true;
	pthread_mutex_unlock(&h->mutex);
	if (h->has_thread) {
		curl_multi_wakeup(h->multi);
		pthread_join(h->thread, NULL);
	}
	while (!list_is_empty(&h->transfers)) {
		struct transfer *t = CONTAINER_OF(h->transfers.next, struct transfer, link);
		struct login *login = t->login;
		link_remove(&t->link);
		transfer_free(h->multi, t);
		login_free(login);
	}
	for (unsigned i = 0; i < REALMS_MAX; i++) {
		if (h->lines[i])
			login_queue_release(&h->lines[i]->queue);
		mem_free(h->lines[i]);
	}
	transfers_close(h->multi);
	answer_cache_release(&h->cache);
	pthread_mutex_destroy(&h->mutex);
	mem_free(h);
}
