/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several threads publish through one client; a thread of the client's own does the sending. Each
 * thread waits for what it has sent, and the client for nobody.
 *
 *	threads mqtt://localhost count 4 1000
 *
 * publishes count/0 ... count/3, 1000 messages of QoS 1 each. Build with -pthread.
 */
#include <nightjar/client.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define THREADS_MAX 64
#define WINDOW 100 /* messages that a thread has under way */

struct worker {
	nj_client *client;
	const char *prefix;
	int number;
	long count;
	long acknowledged;
	pthread_t thread;
};

static void settle(struct worker *w, nj_delivery **deliveries, int count)
{
	for (int i = 0; i < count; i++) {
		nj_delivery_wait(deliveries[i], 10000);
		if (nj_delivery_outcome(deliveries[i], NULL) == NJ_ACKNOWLEDGED)
			w->acknowledged++;
		nj_delivery_free(deliveries[i]);
	}
}

static void *work(void *context)
{
	struct worker *w = context;
	nj_delivery *deliveries[WINDOW];
	int under_way = 0;
	char topic[128], text[32];
	snprintf(topic, sizeof(topic), "%s/%d", w->prefix, w->number);
	for (long i = 0; i < w->count; i++) {
		struct nj_message_out message = {0};
		message.topic = topic;
		message.payload = text;
		message.payload_len = (size_t)snprintf(text, sizeof(text), "%ld", i);
		message.qos = 1;
		if (nj_publish(w->client, &message, &deliveries[under_way]) == 0)
			under_way++;
		if (under_way == WINDOW) {
			settle(w, deliveries, under_way);
			under_way = 0;
		}
	}
	settle(w, deliveries, under_way);
	return NULL;
}

static long run(nj_client *client, const char *prefix, int thread_count, long count)
{
	struct worker workers[THREADS_MAX];
	long acknowledged = 0;
	for (int i = 0; i < thread_count; i++) {
		struct worker worker = {client, prefix, i, count, 0, 0};
		workers[i] = worker;
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
			abort();
	}
	for (int i = 0; i < thread_count; i++) {
		pthread_join(workers[i].thread, NULL);
		acknowledged += workers[i].acknowledged;
	}
	return acknowledged;
}

int main(int argc, char **argv)
{
	struct nj_options options = NJ_OPTIONS_INIT;
	nj_client *client;
	char why[256];
	int thread_count = argc == 5 ? atoi(argv[3]) : 0;
	if (thread_count < 1 || thread_count > THREADS_MAX) {
		fprintf(stderr, "usage: threads ADDRESS TOPIC THREADS MESSAGES\n");
		return 2;
	}
	options.address = argv[1];
	options.when_full = NJ_FULL_WAIT; /* a thread that is too fast waits in nj_publish */
	if (nj_new(&options, &client) != 0) {
		fprintf(stderr, "threads: %s\n", nj_options_problem(&options));
		return 1;
	}
	nj_start(client);
	if (nj_connect(client, 10000) != 0) {
		fprintf(stderr, "threads: %s\n", nj_problem(client, why, sizeof(why)));
		nj_free(client);
		return 1;
	}
	long wanted = thread_count * atol(argv[4]);
	long acknowledged = run(client, argv[2], thread_count, atol(argv[4]));
	printf("%ld of %ld acknowledged\n", acknowledged, wanted);
	nj_disconnect(client, 1000);
	nj_free(client);
	return acknowledged != wanted;
}
