/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Workers that share the jobs: each message of a shared subscription goes to one of them. A worker
 * acknowledges a job when it is done; when it crashes before, another gets it.
 *
 *	worker mqtt://localhost jobs w1 ./do-job.sh
 *	worker mqtt://localhost jobs w2 ./do-job.sh
 *	nightjar pub -t jobs -m 'paint the fence' -q 1
 *
 * The command gets the job as its argument. When it fails, the job is tried again after a second,
 * three times in all, and then published to jobs/failed.
 */
#include <nightjar/client.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRIES_MAX 3

static volatile sig_atomic_t is_over;

static void end(int signal_number)
{
	(void)signal_number;
	is_over = 1;
}

/* fork and exec: the child touches nothing of the client's, and its descriptors close by exec. */
static int perform(const char *command, const char *job)
{
	int status = -1;
	pid_t child = fork();
	if (child == 0) {
		execl(command, command, job, (char *)NULL);
		_exit(127);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0)
		return 0;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int give_up(nj_client *client, const char *topic, const char *job)
{
	char failed[128];
	snprintf(failed, sizeof(failed), "%s/failed", topic);
	return nj_publish_text(client, failed, job, 1, false);
}

/* One job at a time (receive_maximum), so one counter of tries is enough. */
static void work(nj_client *client, const char *topic, const char *command)
{
	nj_message *message;
	int tries = 0;
	while (!is_over) {
		if (nj_receive(client, 200, &message) != 0)
			continue;
		const char *job = nj_message_payload(message).ptr; /* a NUL stands behind it */
		if (perform(command, job)) {
			printf("done: %s\n", job);
			nj_ack(message);
			tries = 0;
		} else if (++tries < TRIES_MAX) {
			printf("once more: %s\n", job);
			nj_again(message, 1000);
		} else if (give_up(client, topic, job) == 0) {
			printf("given up: %s\n", job);
			nj_ack(message);
			tries = 0;
		}
		fflush(stdout);
		nj_message_unref(message);
	}
}

int main(int argc, char **argv)
{
	struct nj_options options = NJ_OPTIONS_INIT;
	nj_client *client;
	char filter[128], why[256];
	if (argc != 5) {
		fprintf(stderr, "usage: worker ADDRESS TOPIC NAME COMMAND\n");
		return 2;
	}
	signal(SIGINT, end);
	signal(SIGTERM, end);
	options.address = argv[1];
	options.client_id = argv[3];
	options.manual_ack = true;
	options.receive_maximum = 1; /* no second job while the first is not done: others take it */
	if (nj_new(&options, &client) != 0) {
		fprintf(stderr, "worker: %s\n", nj_options_problem(&options));
		return 1;
	}
	nj_start(client); /* keeps the connection alive while a job takes long */
	if (nj_connect(client, 10000) != 0) {
		fprintf(stderr, "worker: %s\n", nj_problem(client, why, sizeof(why)));
		nj_free(client);
		return 1;
	}
	snprintf(filter, sizeof(filter), "$share/workers/%s", argv[2]);
	nj_subscribe_to(client, filter, 1);
	work(client, argv[2], argv[4]);
	nj_drain(client, 1000);
	nj_disconnect(client, 1000);
	nj_free(client);
	return 0;
}
