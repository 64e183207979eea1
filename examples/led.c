/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lamp that is switched over MQTT. What is wanted is retained in NAME/set: a lamp that was off
 * the net gets it when it comes back, and only the newest. What is, is retained in NAME/state.
 *
 *	led mqtt://localhost porch /sys/class/leds/ACT/brightness
 *	nightjar pub -t porch/set -m on -r -q 1
 *
 * The file gets 1 or 0; for a trial any file will do. A Raspberry Pi's green light is
 * /sys/class/leds/ACT/brightness (echo none > .../trigger first).
 */
#include <nightjar/client.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

struct led {
	const char *file;
	char set_topic[128];
	char state_topic[128];
};

static volatile sig_atomic_t is_over;

static void end(int signal_number)
{
	(void)signal_number;
	is_over = 1;
}

static int is_text(nj_message *message, const char *text)
{
	struct nj_bytes payload = nj_message_payload(message);
	return payload.len == strlen(text) && memcmp(payload.ptr, text, payload.len) == 0;
}

static int light(const struct led *led, int is_on)
{
	FILE *file = fopen(led->file, "w");
	int is_good = file && fprintf(file, "%d\n", is_on) > 0;
	if (file)
		is_good = fclose(file) == 0 && is_good;
	if (!is_good)
		perror(led->file);
	return is_good;
}

/* The message is acknowledged when this has returned: when the lamp is as it is wanted. A crash
 * before, and it comes again; that does no harm, as "on" twice is on. */
static void on_message(nj_client *client, void *context, nj_message *message)
{
	struct led *led = context;
	int is_on = is_text(message, "on");
	if (!is_on && !is_text(message, "off")) {
		fprintf(stderr, "led: neither \"on\" nor \"off\"\n");
		return;
	}
	if (!light(led, is_on))
		return;
	nj_publish_text(client, led->state_topic, is_on ? "on" : "off", 1, true);
	printf("%s\n", is_on ? "on" : "off");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct nj_options options = NJ_OPTIONS_INIT;
	struct led led = {0};
	nj_client *client;
	if (argc != 4) {
		fprintf(stderr, "usage: led ADDRESS NAME FILE\n");
		return 2;
	}
	signal(SIGINT, end);
	signal(SIGTERM, end);
	led.file = argv[3];
	snprintf(led.set_topic, sizeof(led.set_topic), "%s/set", argv[2]);
	snprintf(led.state_topic, sizeof(led.state_topic), "%s/state", argv[2]);
	options.address = argv[1];
	options.callbacks.message = on_message;
	options.context = &led;
	if (nj_new(&options, &client) != 0) {
		fprintf(stderr, "led: %s\n", nj_options_problem(&options));
		return 1;
	}
	nj_connect(client, 0);
	/* now, and again after each connection that finds no session: with it comes what is retained */
	nj_subscribe_to(client, led.set_topic, 1);
	while (!is_over)
		nj_run(client, 200);
	nj_disconnect(client, 1000);
	nj_free(client);
	return 0;
}
