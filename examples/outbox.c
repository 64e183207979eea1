/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Publishes each line of a file once, whatever happens: without a network the lines wait in a
 * store on the disk; killed and started again, the program goes on behind the last line that is
 * in there.
 *
 *	outbox mqtt://localhost FOLDER TOPIC QOS FILE     ("-": standard input)
 *
 * The number of a line is its mark. At QoS 2 each line arrives once, at QoS 1 at least once.
 */
#include <nightjar/client.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

static void says(void *context, const char *text)
{
	(void)context;
	fprintf(stderr, "outbox: %s\n", text);
}

static int publish_lines(nj_client *client, FILE *file, const char *topic, unsigned qos)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t len;
	uint64_t number = 0, stored = nj_store_mark(client);
	int error = 0;
	while (error == 0 && (len = getline(&line, &size, file)) > 0) {
		struct nj_message_out message = {0};
		if (++number <= stored)
			continue; /* by a run before this one */
		message.topic = topic;
		message.payload = line;
		message.payload_len = (size_t)len - (line[len - 1] == '\n');
		message.qos = (uint8_t)qos;
		message.mark = number;
		error = nj_publish(client, &message, NULL);
	}
	free(line);
	return error;
}

int main(int count, char **arguments)
{
	struct nj_options options = NJ_OPTIONS_INIT;
	nj_client *client;
	int error;
	if (count != 6 || strspn(arguments[4], "12") != 1) {
		fprintf(stderr, "usage: outbox ADDRESS FOLDER TOPIC 1|2 FILE\n");
		return 2;
	}
	FILE *file = strcmp(arguments[5], "-") == 0 ? stdin : fopen(arguments[5], "r");
	if (!file) {
		perror(arguments[5]);
		return 1;
	}
	options.address = arguments[1];
	options.store_path = arguments[2];
	options.store_says = says;
	options.when_full = NJ_FULL_WAIT; /* read no faster than the server takes */
	options.outbox_messages_max = 1000;
	options.retry_max_ms = 5000;
	error = nj_new(&options, &client);
	if (error == 0) {
		nj_start(client);
		nj_connect(client, 0); /* now, or when there is a network */
		error = publish_lines(client, file, arguments[3], (unsigned)atoi(arguments[4]));
		if (error == 0)
			error = nj_drain(client, -1);
		nj_disconnect(client, 1000);
		nj_free(client);
	}
	fclose(file);
	if (error != 0)
		fprintf(stderr, "outbox: %s\n", nj_error_text(error));
	return error != 0;
}
