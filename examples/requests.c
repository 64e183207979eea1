/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions and answers over MQTT 5.0. The library makes the topic for the answer and finds out
 * which answer belongs to which question.
 *
 *	requests mqtt://localhost serve rooms/temperature
 *	requests mqtt://localhost ask rooms/temperature kitchen cellar
 *
 * Any client may ask: nightjar rr -t rooms/temperature -e my/answers -m kitchen
 */
#include <nightjar/client.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static volatile sig_atomic_t is_over;

static void end(int signal_number)
{
	is_over = signal_number;
}

/* --- who answers --- */

static const char *temperature_of(const char *room)
{
	return strcmp(room, "kitchen") == 0 ? "21.5" : strcmp(room, "cellar") == 0 ? "12.0" : "?";
}

static void on_message(nj_client *client, void *context, nj_message *request)
{
	struct nj_message_out reply = {0};
	(void)context;
	reply.payload = temperature_of(nj_message_payload(request).ptr);
	reply.payload_len = strlen(reply.payload);
	reply.qos = 1;
	if (nj_respond(client, request, &reply, NULL) == NJ_ERROR_NOT_FOUND)
		fprintf(stderr, "requests: a question that wants no answer\n");
}

static int serve(nj_client *client, const char *topic)
{
	int error = nj_subscribe_to(client, topic, 1);
	if (!error)
		error = nj_drain(client, 10000);
	if (error)
		return error;
	puts("serving");
	fflush(stdout);
	while (!is_over)
		nj_run(client, 200);
	return 0;
}

/* --- who asks --- */

static int ask(nj_client *client, const char *topic, const char *room)
{
	struct nj_message_out question = {0};
	nj_message *answer;
	question.topic = topic;
	question.payload = room;
	question.payload_len = strlen(room);
	question.qos = 1;
	int error = nj_request(client, &question, 5000, &answer);
	if (error) {
		printf("%s: no answer, %s\n", room, nj_error_text(error));
		return error;
	}
	printf("%s: %s\n", room, (const char *)nj_message_payload(answer).ptr);
	nj_message_unref(answer);
	return 0;
}

int main(int argc, char **argv)
{
	struct nj_options options = NJ_OPTIONS_INIT;
	nj_client *client;
	char why[256];
	int error = 0;
	int serves = argc == 4 && strcmp(argv[2], "serve") == 0;
	if (!serves && (argc < 5 || strcmp(argv[2], "ask") != 0)) {
		fprintf(stderr, "usage: requests ADDRESS serve TOPIC\n"
				"       requests ADDRESS ask TOPIC QUESTION...\n");
		return 2;
	}
	signal(SIGINT, end);
	signal(SIGTERM, end);
	options.address = argv[1];
	options.callbacks.message = serves ? on_message : NULL;
	if (nj_new(&options, &client) != 0) {
		fprintf(stderr, "requests: %s\n", nj_options_problem(&options));
		return 1;
	}
	if (nj_connect(client, 10000) != 0) {
		fprintf(stderr, "requests: %s\n", nj_problem(client, why, sizeof(why)));
		nj_free(client);
		return 1;
	}
	if (serves)
		error = serve(client, argv[3]);
	for (int i = 4; !serves && !error && i < argc; i++)
		error = ask(client, argv[3], argv[i]);
	nj_disconnect(client, 1000);
	nj_free(client);
	return error != 0;
}
