/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes messages to a file and acknowledges each when it is on the disk: what is not there yet
 * comes again, also after a crash of this program.
 *
 *	subscribe mqtt://localhost logger 'sensor/#' messages.txt [COUNT]
 *
 * The client has a thread of its own; the main thread takes messages with nj_receive. It ends
 * after COUNT messages, or with SIGINT or SIGTERM.
 */
#include <nightjar/client.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static volatile sig_atomic_t is_over;

static void end(int signal_number)
{
	(void)signal_number;
	is_over = 1;
}

static int store(FILE *file, nj_message *message)
{
	struct nj_bytes payload = nj_message_payload(message);
	fprintf(file, "%s ", nj_message_topic(message));
	fwrite(payload.ptr, 1, payload.len, file);
	fputc('\n', file);
	return fflush(file) != 0 || fsync(fileno(file)) != 0;
}

/* Each is stored, then acknowledged; never the other way round. */
static int receive(nj_client *client, FILE *file, long count)
{
	nj_message *message;
	for (long i = 0; !is_over && (count == 0 || i < count);) {
		int error = nj_receive(client, 200, &message);
		if (error == NJ_ERROR_TIMED_OUT)
			continue;
		if (error)
			return error;
		if (store(file, message) != 0) {
			perror("subscribe");
			nj_message_unref(message);
			return NJ_ERROR_SYSTEM; /* not acknowledged: it comes again */
		}
		nj_ack(message);
		nj_message_unref(message);
		i++;
	}
	return 0;
}

static int run(nj_client *client, const char *filter, FILE *file, long count)
{
	struct nj_subscription subscription = {0};
	nj_delivery *delivery;
	subscription.filter = filter;
	subscription.qos = 2;
	int error = nj_start(client);
	if (!error)
		error = nj_connect(client, 10000);
	if (!error)
		error = nj_subscribe(client, &subscription, 1, NULL, 0, &delivery);
	if (error)
		return error;
	error = nj_delivery_wait(delivery, 10000);
	if (!error && nj_delivery_outcome(delivery, NULL) != NJ_ACKNOWLEDGED)
		error = NJ_ERROR_REFUSED;
	nj_delivery_free(delivery);
	if (error)
		return error;
	printf("subscribed to %s\n", filter);
	fflush(stdout);
	error = receive(client, file, count);
	nj_drain(client, 1000);
	nj_disconnect(client, 1000);
	return error;
}

int main(int argc, char **argv)
{
	struct nj_options options = NJ_OPTIONS_INIT;
	nj_client *client;
	if (argc < 5) {
		fprintf(stderr, "usage: subscribe ADDRESS CLIENT_ID FILTER FILE [COUNT]\n");
		return 2;
	}
	FILE *file = fopen(argv[4], "a");
	if (!file) {
		perror(argv[4]);
		return 1;
	}
	signal(SIGINT, end);
	signal(SIGTERM, end);
	options.address = argv[1];
	options.client_id = argv[2];
	options.clean_start = false;   /* the broker keeps the session ... */
	options.session_expiry = 3600; /* ... for an hour without us */
	options.manual_ack = true;
	int error = nj_new(&options, &client);
	if (!error) {
		error = run(client, argv[3], file, argc > 5 ? atol(argv[5]) : 0);
		nj_free(client);
	}
	if (error)
		fprintf(stderr, "subscribe: %s\n", nj_error_text(error));
	return fclose(file) != 0 || error != 0;
}
