/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/login_queue.h"

static bool is_full(const struct login_queue *q, const struct login *login)
{
	const struct login_source *source = &q->sources[login->source % LOGIN_QUEUE_SOURCES];
	return q->count >= LOGIN_QUEUE_COUNT_MAX || source->count >= LOGIN_QUEUE_COUNT_MAX / 2 ||
	       q->bytes + login_bytes(login) > LOGIN_QUEUE_BYTES_MAX;
}

int login_queue_put(struct login_queue *q, struct login *login)
{
	struct login_source *source = &q->sources[login->source % LOGIN_QUEUE_SOURCES];
	if (is_full(q, login))
		return ERROR_LIMIT;
	login->next = NULL;
	if (source->first) {
		source->last->next = login;
	} else {
		source->first = login;
		if (q->first)
			q->last->next = source;
		else
			q->first = source;
		q->last = source;
	}
	source->last = login;
	source->count++;
	q->count++;
	q->bytes += login_bytes(login);
	return 0;
}

/* A source goes to the end when it has more. */
struct login *login_queue_take(struct login_queue *q)
{
	struct login_source *source = q->first;
	if (!source)
		return NULL;
	struct login *login = source->first;
	source->first = login->next;
	source->count--;
	q->first = source->next;
	source->next = NULL;
	if (source->first && q->first) {
		q->last->next = source;
		q->last = source;
	} else if (source->first) {
		q->first = q->last = source;
	}
	q->count--;
	q->bytes -= login_bytes(login);
	return login;
}

void login_queue_release(struct login_queue *q)
{
	struct login *login;
	while ((login = login_queue_take(q)))
		login_free(login);
}
