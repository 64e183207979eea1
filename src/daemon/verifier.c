/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/verifier.h"

#include "daemon/process.h"

#include <sys/resource.h>

/* Behind everything that serves clients, before what nobody waits for. */
#define NICE_VALUE 10

void verifier_init(struct verifier *v, struct broker *b)
{
	*v = (struct verifier){.broker = b};
	pthread_mutex_init(&v->mutex, NULL);
	pthread_cond_init(&v->has_work, NULL);
}

/* The mutex is held, here and below. */
static void put(struct verifier *v, struct login *login)
{
	struct verifier_source *source = &v->sources[login->source % VERIFIER_SOURCES];
	login->next = NULL;
	if (source->first) {
		source->last->next = login;
	} else {
		source->first = login;
		if (v->first)
			v->last->next = source;
		else
			v->first = source;
		v->last = source;
	}
	source->last = login;
	source->count++;
	v->count++;
	v->bytes += login_bytes(login);
}

/* The oldest of the source whose turn it is; that goes to the end when it has more. */
static struct login *take(struct verifier *v)
{
	struct verifier_source *source = v->first;
	if (!source)
		return NULL;
	struct login *login = source->first;
	source->first = login->next;
	source->count--;
	v->first = source->next;
	source->next = NULL;
	if (source->first && v->first) {
		v->last->next = source;
		v->last = source;
	} else if (source->first) {
		v->first = v->last = source;
	}
	v->count--;
	v->bytes -= login_bytes(login);
	return login;
}

static void answer(struct verifier *v, struct login *login)
{
	if (!atomic_load(&login->is_forgotten))
		login_answer(login);
	broker_answer_login(v->broker, login);
}

static void *run(void *context)
{
	struct verifier *v = context;
	setpriority(PRIO_PROCESS, 0, NICE_VALUE); /* of this thread, on Linux */
	pthread_mutex_lock(&v->mutex);
	while (!v->is_stopping) {
		struct login *login = take(v);
		if (!login) {
			pthread_cond_wait(&v->has_work, &v->mutex);
			continue;
		}
		pthread_mutex_unlock(&v->mutex);
		answer(v, login);
		pthread_mutex_lock(&v->mutex);
	}
	pthread_mutex_unlock(&v->mutex);
	return NULL;
}

/* As many as there is work for, within the limit. */
static bool has_thread(struct verifier *v)
{
	unsigned max = process_core_count();
	max = max < VERIFIER_THREADS_MAX ? max : VERIFIER_THREADS_MAX;
	if (v->thread_count < max && v->count >= v->thread_count) {
		if (pthread_create(&v->threads[v->thread_count], NULL, run, v) == 0) {
			pthread_setname_np(v->threads[v->thread_count], "verifier");
			v->thread_count++;
		}
	}
	return v->thread_count > 0;
}

static bool is_full(const struct verifier *v, const struct login *login)
{
	return v->count >= VERIFIER_QUESTIONS_MAX ||
	       v->sources[login->source % VERIFIER_SOURCES].count >= VERIFIER_QUESTIONS_MAX / 2 ||
	       v->bytes + login_bytes(login) > VERIFIER_BYTES_MAX;
}

int verifier_ask(struct verifier *v, struct login *login)
{
	int error = 0;
	pthread_mutex_lock(&v->mutex);
	if (is_full(v, login))
		error = ERROR_LIMIT;
	else if (!has_thread(v))
		error = ERROR_SYSTEM;
	else
		put(v, login);
	pthread_cond_signal(&v->has_work);
	pthread_mutex_unlock(&v->mutex);
	return error;
}

void verifier_stop(struct verifier *v)
{
	struct login *login;
	pthread_mutex_lock(&v->mutex);
	v->is_stopping = true;
	pthread_cond_broadcast(&v->has_work);
	pthread_mutex_unlock(&v->mutex);
	for (unsigned i = 0; i < v->thread_count; i++)
		pthread_join(v->threads[i], NULL);
	while ((login = take(v)))
		login_free(login);
	pthread_cond_destroy(&v->has_work);
	pthread_mutex_destroy(&v->mutex);
}
