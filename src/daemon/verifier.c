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
		struct login *login = login_queue_take(&v->queue);
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
	if (v->thread_count < max && v->queue.count >= v->thread_count) {
		if (pthread_create(&v->threads[v->thread_count], NULL, run, v) == 0) {
			pthread_setname_np(v->threads[v->thread_count], "verifier");
			v->thread_count++;
		}
	}
	return v->thread_count > 0;
}

int verifier_ask(struct verifier *v, struct login *login)
{
	int error = ERROR_SYSTEM;
	pthread_mutex_lock(&v->mutex);
	if (has_thread(v))
		error = login_queue_put(&v->queue, login);
	pthread_cond_signal(&v->has_work);
	pthread_mutex_unlock(&v->mutex);
	return error;
}

void verifier_stop(struct verifier *v)
{
	pthread_mutex_lock(&v->mutex);
	v->is_stopping = true;
	pthread_cond_broadcast(&v->has_work);
	pthread_mutex_unlock(&v->mutex);
	for (unsigned i = 0; i < v->thread_count; i++)
		pthread_join(v->threads[i], NULL);
	login_queue_release(&v->queue);
	pthread_cond_destroy(&v->has_work);
	pthread_mutex_destroy(&v->mutex);
}
