/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libmosquitto's part of the comparison; mosquitto_loop drives the client, in the main thread. With
 * a thread of its own (mosquitto_loop_start) it takes as much CPU time. See job.h.
 */
#include <mosquitto.h>

#include "job.h"

struct state {
	struct job *job;
	bool is_connected;
	bool is_subscribed;
};

static void check(int error)
{
	if (error)
		job_fail("libmosquitto", mosquitto_strerror(error));
}

static void publish(struct mosquitto *client, struct job *job)
{
	job->begun++;
	check(mosquitto_publish(client, NULL, job->topic, sizeof(job->payload), job->payload,
				job->qos, false));
}

static void fill(struct mosquitto *client, struct job *job)
{
	while (job_has_more(job))
		publish(client, job);
}

static void on_connect(struct mosquitto *client, void *context, int code)
{
	struct state *state = context;
	(void)client;
	if (code != 0)
		job_fail("libmosquitto", mosquitto_connack_string(code));
	state->is_connected = true;
}

static void on_subscribe(struct mosquitto *client, void *context, int id, int count,
			 const int *granted)
{
	struct state *state = context;
	(void)client, (void)id, (void)count, (void)granted;
	state->is_subscribed = true;
}

static void on_publish(struct mosquitto *client, void *context, int id)
{
	struct state *state = context;
	(void)client, (void)id;
	if (state->job->mode != MODE_ECHO)
		state->job->done++;
	if (state->job->mode == MODE_FLOW)
		fill(client, state->job);
}

static void on_message(struct mosquitto *client, void *context,
		       const struct mosquitto_message *message)
{
	struct state *state = context;
	if (message->payloadlen != PAYLOAD_BYTES)
		job_fail("libmosquitto", "a message is not what was sent");
	state->job->done++;
	fill(client, state->job);
}

static struct mosquitto *connect_to(struct state *state, const char *client_id)
{
	struct job *job = state->job;
	struct mosquitto *client = mosquitto_new(client_id, true, state);
	if (!client)
		job_fail("libmosquitto", "no memory");
	check(mosquitto_int_option(client, MOSQ_OPT_TCP_NODELAY, 1));
	check(mosquitto_max_inflight_messages_set(client, (unsigned)job->in_flight));
	mosquitto_connect_callback_set(client, on_connect);
	mosquitto_subscribe_callback_set(client, on_subscribe);
	mosquitto_publish_callback_set(client, on_publish);
	mosquitto_message_callback_set(client, on_message);
	state->is_connected = false;
	check(mosquitto_connect(client, job->host, job->port, KEEP_ALIVE_SECONDS));
	while (!state->is_connected)
		check(mosquitto_loop(client, PATIENCE_MS, 1));
	return client;
}

static void publish_and_wait(struct mosquitto *client, struct job *job)
{
	long before = job->done;
	publish(client, job);
	while (job->done == before)
		check(mosquitto_loop(client, PATIENCE_MS, 1));
}

static void subscribe(struct mosquitto *client, struct state *state)
{
	check(mosquitto_subscribe(client, NULL, state->job->topic, state->job->qos));
	while (!state->is_subscribed)
		check(mosquitto_loop(client, PATIENCE_MS, 1));
}

static void run(struct state *state)
{
	struct job *job = state->job;
	struct mosquitto *client = connect_to(state, job->client_id);
	if (job->mode == MODE_ECHO)
		subscribe(client, state);
	job_start(job);
	while (job->mode == MODE_WAIT && !job_is_complete(job))
		publish_and_wait(client, job);
	fill(client, job);
	while (!job_is_complete(job))
		check(mosquitto_loop(client, PATIENCE_MS, 1));
	job_report(job);
	mosquitto_disconnect(client);
	mosquitto_destroy(client);
}

static void hold(struct state *state)
{
	struct job *job = state->job;
	char client_id[64];
	struct mosquitto **clients = calloc((size_t)job->count, sizeof(struct mosquitto *));
	for (long i = 0; i < job->count; i++) {
		job_hold(job, i);
		snprintf(client_id, sizeof(client_id), "%s-%ld", job->client_id, i);
		clients[i] = connect_to(state, client_id);
		publish_and_wait(clients[i], job);
	}
	job_report(job);
	for (long i = 0; i < job->count; i++) {
		mosquitto_disconnect(clients[i]);
		mosquitto_destroy(clients[i]);
	}
	free(clients);
}

int main(int argc, char **argv)
{
	struct job job;
	struct state state = {&job, false, false};
	job_init(&job, argc, argv);
	mosquitto_lib_init();
	if (job.mode == MODE_HOLD)
		hold(&state);
	else
		run(&state);
	mosquitto_lib_cleanup();
	return 0;
}
