/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is here? Each takes part with presence/NAME: retained "here" when it comes, removed when it
 * leaves, and by its will when it is cut off. A will of MQTT 5.0 can wait: who is back within
 * a second never was away.
 *
 *	presence mqtt://localhost anna
 *	presence mqtt://localhost berta
 *
 * Each prints who comes and goes. Leave with Ctrl-C, or try kill -9.
 */
#include <nightjar/client.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define PREFIX "presence/"

static volatile sig_atomic_t is_over;

static void end(int signal_number)
{
	(void)signal_number;
	is_over = 1;
}

/* Retained, so that those who come later know; empty takes it away [MQTT-3.3.1-6]. */
static void tell(nj_client *client, const char *topic, const char *text)
{
	nj_publish_text(client, topic, text, 1, true);
}

static void on_connected(nj_client *client, void *context, const struct nj_connected *connected)
{
	(void)connected;
	tell(client, context, "here");
}

static void on_message(nj_client *client, void *context, nj_message *message)
{
	const char *name = nj_message_topic(message) + strlen(PREFIX);
	(void)client;
	(void)context;
	printf("%s %s\n", name, nj_message_payload(message).len > 0 ? "is here" : "has left");
	fflush(stdout);
}

static void prepare(struct nj_options *options, struct nj_message_out *will, char *topic)
{
	static const struct nj_property delay[] = {NJ_NUMBER(NJ_WILL_DELAY_INTERVAL, 1)};
	will->topic = topic;
	will->qos = 1;
	will->retain = true; /* and empty: it takes away what is retained */
	will->properties = delay;
	will->property_count = 1;
	options->will = will;
	/* the server waits with the will no longer than it keeps the session [MQTT-3.1.3-9] */
	options->session_expiry = 60;
	options->keep_alive = 10;
	options->callbacks.connected = on_connected;
	options->callbacks.message = on_message;
	options->context = topic;
}

int main(int argc, char **argv)
{
	struct nj_options options = NJ_OPTIONS_INIT;
	struct nj_message_out will = {0};
	nj_client *client;
	char topic[128];
	if (argc != 3) {
		fprintf(stderr, "usage: presence ADDRESS NAME\n");
		return 2;
	}
	signal(SIGINT, end);
	signal(SIGTERM, end);
	snprintf(topic, sizeof(topic), PREFIX "%s", argv[2]);
	options.address = argv[1];
	options.client_id = argv[2];
	prepare(&options, &will, topic);
	if (nj_new(&options, &client) != 0) {
		fprintf(stderr, "presence: %s\n", nj_options_problem(&options));
		return 1;
	}
	nj_connect(client, 0);
	nj_subscribe_to(client, PREFIX "+", 1);
	while (!is_over)
		nj_run(client, 200);
	tell(client, topic, "");
	nj_drain(client, 2000);
	nj_disconnect(client, 1000);
	nj_free(client);
	return 0;
}
