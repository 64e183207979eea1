/* SPDX-License-Identifier: Apache-2.0 */
/* libnightjar's part of the comparison: calls that wait drive the client, or a loop in the main
 * thread. See job.h. */
#include <nightjar/client.h>
#include <poll.h>

#include "job.h"

static void check(int error)
{
	if (error)
		job_fail("libnightjar", nj_error_text(error));
}

static void publish(nj_client *client, struct job *job, nj_delivery **delivery_out)
{
	struct nj_message_out message = {0};
	message.topic = job->topic;
	message.payload = job->payload;
	message.payload_len = sizeof(job->payload);
	message.qos = (uint8_t)job->qos;
	job->begun++;
	check(nj_publish(client, &message, delivery_out));
}

static void fill(nj_client *client, struct job *job)
{
	while (job_has_more(job))
		publish(client, job, NULL);
}

static void on_published(nj_client *client, void *context, const struct nj_published *published)
{
	struct job *job = context;
	if (published->outcome != NJ_ACKNOWLEDGED && published->outcome != NJ_SENT)
		job_fail("libnightjar", "a message was not taken");
	job->done++;
	fill(client, job);
}

static void on_message(nj_client *client, void *context, nj_message *message)
{
	struct job *job = context;
	if (nj_message_payload(message).len != PAYLOAD_BYTES)
		job_fail("libnightjar", "a message is not what was sent");
	job->done++;
	fill(client, job);
}

static nj_client *connect_to(struct job *job, const char *client_id)
{
	struct nj_options options = NJ_OPTIONS_INIT;
	char address[300];
	nj_client *client;
	snprintf(address, sizeof(address), "mqtt://%s:%d", job->host, job->port);
	options.address = address;
	options.version = NJ_MQTT_3_1_1;
	options.client_id = client_id;
	options.keep_alive = KEEP_ALIVE_SECONDS;
	options.inflight_max = (uint16_t)job->in_flight;
	options.context = job;
	if (job->mode == MODE_FLOW)
		options.callbacks.published = on_published;
	if (job->mode == MODE_ECHO)
		options.callbacks.message = on_message;
	check(nj_new(&options, &client));
	check(nj_connect(client, PATIENCE_MS));
	return client;
}

static void publish_and_wait(nj_client *client, struct job *job)
{
	nj_delivery *delivery;
	publish(client, job, &delivery);
	check(nj_delivery_wait(delivery, PATIENCE_MS));
	nj_delivery_free(delivery);
	job->done++;
}

static void subscribe(nj_client *client, struct job *job)
{
	struct nj_subscription subscription = {0};
	subscription.filter = job->topic;
	subscription.qos = (uint8_t)job->qos;
	check(nj_subscribe(client, &subscription, 1, NULL, 0, NULL));
	check(nj_drain(client, PATIENCE_MS));
}

static void loop(nj_client *client, struct job *job)
{
	struct pollfd readable = {.fd = nj_descriptor(client), .events = POLLIN};
	fill(client, job);
	while (!job_is_complete(job)) {
		(void)poll(&readable, 1, nj_timeout_ms(client));
		check(nj_step(client));
	}
}

static void run(struct job *job)
{
	nj_client *client = connect_to(job, job->client_id);
	if (job->mode == MODE_ECHO)
		subscribe(client, job);
	job_start(job);
	while (job->mode == MODE_WAIT && !job_is_complete(job))
		publish_and_wait(client, job);
	loop(client, job);
	job_report(job);
	check(nj_disconnect(client, PATIENCE_MS));
	nj_free(client);
}

static void hold(struct job *job)
{
	char client_id[64];
	nj_client **clients = calloc((size_t)job->count, sizeof(nj_client *));
	for (long i = 0; i < job->count; i++) {
		job_hold(job, i);
		snprintf(client_id, sizeof(client_id), "%s-%ld", job->client_id, i);
		clients[i] = connect_to(job, client_id);
		publish_and_wait(clients[i], job);
	}
	job_report(job);
	for (long i = 0; i < job->count; i++) {
		check(nj_disconnect(clients[i], PATIENCE_MS));
		nj_free(clients[i]);
	}
	free(clients);
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
