/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Publishes each argument at QoS 1, and says what became of it.
 *
 *	publish mqtt://localhost sensor/1 21.5 21.6
 *
 * No thread and no loop: the calls that wait do the work.
 */
#include <nightjar/client.h>
#include <stdio.h>
#include <string.h>

static int publish(nj_client *client, const char *topic, const char *text)
{
	struct nj_message_out message = {0};
	nj_delivery *delivery;
	uint8_t reason = 0;
	message.topic = topic;
	message.payload = text;
	message.payload_len = strlen(text);
	message.qos = 1;
	int error = nj_publish(client, &message, &delivery);
	if (error) {
		fprintf(stderr, "%s: %s\n", text, nj_error_text(error));
		return 1;
	}
	nj_delivery_wait(delivery, 10000);
	enum nj_outcome outcome = nj_delivery_outcome(delivery, &reason);
	nj_delivery_free(delivery);
	if (outcome == NJ_ACKNOWLEDGED)
		printf("%s: acknowledged\n", text);
	else
		printf("%s: not acknowledged: %s (%s)\n", text, nj_outcome_text(outcome),
		       nj_reason_text(reason));
	return outcome != NJ_ACKNOWLEDGED;
}

int main(int argc, char **argv)
{
	struct nj_options options = NJ_OPTIONS_INIT;
	nj_client *client;
	char why[256];
	int failures = 0;
	if (argc < 4) {
		fprintf(stderr, "usage: publish ADDRESS TOPIC MESSAGE...\n");
		return 2;
	}
	options.address = argv[1];
	int error = nj_new(&options, &client);
	if (error) {
		fprintf(stderr, "publish: %s\n", nj_options_problem(&options));
		return 1;
	}
	error = nj_connect(client, 10000);
	if (error)
		fprintf(stderr, "publish: %s\n", nj_problem(client, why, sizeof(why)));
	for (int i = 3; !error && i < argc; i++)
		failures += publish(client, argv[2], argv[i]);
	nj_disconnect(client, 1000);
	nj_free(client);
	return error || failures > 0;
}
