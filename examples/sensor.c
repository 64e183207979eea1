/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A temperature sensor, as a product would have it: the last reading is retained, so that whoever
 * subscribes has it at once; "online" and "offline" are retained too, the latter as the will, so
 * that it is right after a crash and a cut cable; and it comes back by itself.
 *
 *	sensor mqtt://localhost kitchen [FILE [PACE_MS [COUNT]]]
 *	nightjar sub -t 'kitchen/#' -v
 *
 * FILE holds thousandths of a degree, as the kernel writes them.
 */
#include <nightjar/client.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

struct sensor {
	const char *name;
	const char *file;
	char status_topic[128];
};

static volatile sig_atomic_t is_over;

static void finish(int signal_number)
{
	is_over = signal_number;
}

/* At each connection: while there was none, the broker has published the will. */
static void on_connected(nj_client *client, void *context, const struct nj_connected *connected)
{
	struct sensor *s = context;
	(void)connected;
	nj_publish_text(client, s->status_topic, "online", 1, true);
}

static void on_disconnected(nj_client *client, void *context, const struct nj_disconnected *end)
{
	char why[256];
	(void)context;
	printf("%s; next try in %ld ms\n", nj_problem(client, why, sizeof(why)),
	       (long)end->retry_ms);
	fflush(stdout);
}

static int read_temperature(const char *path, double *thousandths)
{
	FILE *file = fopen(path, "r");
	int count = file ? fscanf(file, "%lf", thousandths) : 0;
	if (file)
		fclose(file);
	if (count != 1)
		fprintf(stderr, "sensor: no number can be read from %s\n", path);
	return count == 1;
}

/* Drives the client meanwhile; in pieces, so that a signal is seen soon. */
static void pause_for(nj_client *client, long ms)
{
	for (; !is_over && ms > 0; ms -= 200)
		nj_run(client, ms < 200 ? ms : 200);
}

/* Readings go on without a connection: the library keeps them until there is one. */
static void run(nj_client *client, struct sensor *s, long pace_ms, long count)
{
	char topic[128], text[32];
	double thousandths;
	snprintf(topic, sizeof(topic), "%s/temperature", s->name);
	for (long i = 0; !is_over && (count == 0 || i < count); i++) {
		if (read_temperature(s->file, &thousandths)) {
			snprintf(text, sizeof(text), "%.1f", thousandths / 1000);
			nj_publish_text(client, topic, text, 1, true);
		}
		pause_for(client, pace_ms);
	}
	nj_publish_text(client, s->status_topic, "offline", 1,
			true); /* the will is for accidents */
	nj_drain(client, 5000);
}

int main(int argc, char **argv)
{
	struct nj_options options = NJ_OPTIONS_INIT;
	struct nj_message_out will = {0};
	struct sensor sensor = {0};
	nj_client *client;
	if (argc < 3) {
		fprintf(stderr, "usage: sensor ADDRESS NAME [FILE [PACE_MS [COUNT]]]\n");
		return 2;
	}
	sensor.name = argv[2];
	sensor.file = argc > 3 ? argv[3] : "/sys/class/thermal/thermal_zone0/temp";
	signal(SIGINT, finish);
	signal(SIGTERM, finish);
	snprintf(sensor.status_topic, sizeof(sensor.status_topic), "%s/status", sensor.name);
	will.topic = sensor.status_topic;
	will.payload = "offline";
	will.payload_len = 7;
	will.qos = 1, will.retain = true;
	options.address = argv[1];
	options.client_id = sensor.name;
	options.keep_alive =
		20; /* so soon is a cut cable noticed, half as much again by the broker */
	options.will = &will;
	options.callbacks.connected = on_connected;
	options.callbacks.disconnected = on_disconnected;
	options.context = &sensor;
	if (nj_new(&options, &client) != 0) {
		fprintf(stderr, "sensor: %s\n", nj_options_problem(&options));
		return 1;
	}
	nj_connect(client, 0);
	run(client, &sensor, argc > 4 ? atol(argv[4]) : 5000, argc > 5 ? atol(argv[5]) : 0);
	nj_disconnect(client, 1000);
	nj_free(client);
	return 0;
}
