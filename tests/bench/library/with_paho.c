/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paho C's part of the comparison: MQTTAsync, whose threads drive it; to wait for one message is to
 * wait for its callback. (MQTTClient_waitForCompletion sleeps 100 ms beside each message.) See
 * job.h.
 */
#include <MQTTAsync.h>
#include <pthread.h>

#include "job.h"

/* One step after the other: connected, subscribed, done, disconnected. */
struct state {
	struct job *job;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	long steps;
	MQTTAsync client;
};

static void check(int error)
{
	if (error != MQTTASYNC_SUCCESS)
		job_fail("paho", MQTTAsync_strerror(error) ? MQTTAsync_strerror(error) : "failed");
}

static void step(struct state *state)
{
	pthread_mutex_lock(&state->mutex);
	state->steps++;
	pthread_cond_signal(&state->changed);
	pthread_mutex_unlock(&state->mutex);
}

/* Waits for a step; returns when one has been made, and forgets it. */
static void wait_for_step(struct state *state)
{
	pthread_mutex_lock(&state->mutex);
	while (state->steps == 0)
		pthread_cond_wait(&state->changed, &state->mutex);
	state->steps--;
	pthread_mutex_unlock(&state->mutex);
}

static void on_success(void *context, MQTTAsync_successData *data)
{
	(void)data;
	step(context);
}

static void on_failure(void *context, MQTTAsync_failureData *data)
{
	(void)context;
	job_fail("paho", data && data->message ? data->message : "an operation failed");
}

static void publish(struct state *state);

/* Called by the main thread, at the beginning, and by the one thread that calls back: paho's
 * sending one at QoS 0, else its receiving one. */
static void publish_next(struct state *state)
{
	if (__atomic_fetch_add(&state->job->begun, 1, __ATOMIC_RELAXED) < state->job->count)
		publish(state);
}

static void on_done(struct state *state)
{
	state->job->done++;
	publish_next(state);
	if (job_is_complete(state->job))
		step(state);
}

static void on_sent(void *context, MQTTAsync_successData *data)
{
	(void)data;
	on_done(context);
}

static int on_message(void *context, char *topic, int topic_len, MQTTAsync_message *message)
{
	(void)topic_len;
	if (message->payloadlen != PAYLOAD_BYTES)
		job_fail("paho", "a message is not what was sent");
	MQTTAsync_freeMessage(&message);
	MQTTAsync_free(topic);
	on_done(context);
	return 1;
}

static void publish(struct state *state)
{
	struct job *job = state->job;
	MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
	options.context = state;
	options.onFailure = on_failure;
	if (job->mode != MODE_ECHO)
		options.onSuccess = job->mode == MODE_FLOW ? on_sent : on_success;
	check(MQTTAsync_send(state->client, job->topic, sizeof(job->payload), job->payload,
			     job->qos, 0, &options));
}

static void init(struct state *state, struct job *job)
{
	memset(state, 0, sizeof(*state));
	state->job = job;
	pthread_mutex_init(&state->mutex, NULL);
	pthread_cond_init(&state->changed, NULL);
}

static void connect_to(struct state *state, const char *client_id)
{
	struct job *job = state->job;
	MQTTAsync_connectOptions options = MQTTAsync_connectOptions_initializer;
	char address[300];
	snprintf(address, sizeof(address), "tcp://%s:%d", job->host, job->port);
	check(MQTTAsync_create(&state->client, address, client_id, MQTTCLIENT_PERSISTENCE_NONE,
			       NULL));
	check(MQTTAsync_setCallbacks(state->client, state, NULL, on_message, NULL));
	options.keepAliveInterval = KEEP_ALIVE_SECONDS;
	options.cleansession = 1;
	options.MQTTVersion = MQTTVERSION_3_1_1;
	options.maxInflight = (int)job->in_flight;
	options.onSuccess = on_success;
	options.onFailure = on_failure;
	options.context = state;
	check(MQTTAsync_connect(state->client, &options));
	wait_for_step(state);
}

static void leave(struct state *state)
{
	MQTTAsync_disconnectOptions options = MQTTAsync_disconnectOptions_initializer;
	options.onSuccess = on_success;
	options.onFailure = on_failure;
	options.context = state;
	options.timeout = 1000;
	check(MQTTAsync_disconnect(state->client, &options));
	wait_for_step(state);
	MQTTAsync_destroy(&state->client);
}

static void subscribe(struct state *state)
{
	MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
	options.onSuccess = on_success;
	options.onFailure = on_failure;
	options.context = state;
	check(MQTTAsync_subscribe(state->client, state->job->topic, state->job->qos, &options));
	wait_for_step(state);
}

static void publish_and_wait(struct state *state)
{
	publish(state);
	wait_for_step(state);
	state->job->done++;
}

static void run(struct job *job)
{
	struct state state;
	init(&state, job);
	connect_to(&state, job->client_id);
	if (job->mode == MODE_ECHO)
		subscribe(&state);
	job_start(job);
	while (job->mode == MODE_WAIT && !job_is_complete(job))
		publish_and_wait(&state);
	for (long i = 0; i < job->in_flight && job->mode != MODE_WAIT; i++)
		publish_next(&state);
	if (job->mode != MODE_WAIT)
		wait_for_step(&state);
	job_report(job);
	leave(&state);
}

static void hold(struct job *job)
{
	char client_id[64];
	struct state *states = calloc((size_t)job->count, sizeof(struct state));
	for (long i = 0; i < job->count; i++) {
		job_hold(job, i);
		init(&states[i], job);
		snprintf(client_id, sizeof(client_id), "%s-%ld", job->client_id, i);
		connect_to(&states[i], client_id);
		publish_and_wait(&states[i]);
	}
	job_report(job);
	for (long i = 0; i < job->count; i++)
		leave(&states[i]);
	free(states);
}

int main(int argc, char **argv)
{
	struct job job;
	job_init(&job, argc, argv);
	if (job.mode == MODE_HOLD)
		hold(&job);
	else
		run(&job);
	return 0;
}
