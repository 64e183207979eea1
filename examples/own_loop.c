/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sensor in an event loop of its own: publishes a reading at each tick of a timer, and takes
 * a command to set the pace. One thread, one epoll, no waiting inside the library.
 *
 *	own_loop mqtt://localhost kitchen 500 [COUNT]
 *
 * publishes kitchen/reading every 500 ms and listens to kitchen/pace (milliseconds as text).
 */
#include <nightjar/client.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

struct sensor {
	nj_client *client;
	const char *name;
	int timer_fd;
	long tick;  /* of the timer, so far */
	long count; /* readings to publish; 0: without end */
	long acknowledged;
};

static void set_pace(struct sensor *s, long ms)
{
	struct itimerspec pace;
	if (ms <= 0)
		return;
	pace.it_interval.tv_sec = pace.it_value.tv_sec = ms / 1000;
	pace.it_interval.tv_nsec = pace.it_value.tv_nsec = ms % 1000 * 1000000;
	timerfd_settime(s->timer_fd, 0, &pace, NULL);
}

static void on_message(nj_client *client, void *context, nj_message *message)
{
	(void)client;
	set_pace(context, atol((const char *)nj_message_payload(message).ptr));
}

static void on_published(nj_client *client, void *context, const struct nj_published *published)
{
	struct sensor *s = context;
	(void)client;
	s->acknowledged += published->outcome == NJ_ACKNOWLEDGED;
}

static void read_sensor(struct sensor *s)
{
	char topic[128], text[32];
	uint64_t ticks;
	if (read(s->timer_fd, &ticks, sizeof(ticks)) != sizeof(ticks))
		return;
	if (s->count > 0 && s->tick >= s->count)
		return;
	snprintf(topic, sizeof(topic), "%s/reading", s->name);
	snprintf(text, sizeof(text), "%ld", s->tick++);
	if (nj_publish_text(s->client, topic, text, 1, false) != 0)
		fprintf(stderr, "reading %s is dropped: the outbox is full\n", text);
}

static int loop(struct sensor *s)
{
	struct epoll_event event = {0}, ready[2];
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	event.events = EPOLLIN;
	event.data.fd = s->timer_fd;
	epoll_ctl(epoll_fd, EPOLL_CTL_ADD, s->timer_fd, &event);
	event.data.fd = nj_descriptor(s->client); /* once for all connections */
	epoll_ctl(epoll_fd, EPOLL_CTL_ADD, event.data.fd, &event);
	while (s->count == 0 || s->acknowledged < s->count) {
		int count = epoll_wait(epoll_fd, ready, 2, nj_timeout_ms(s->client));
		for (int i = 0; i < count; i++)
			if (ready[i].data.fd == s->timer_fd)
				read_sensor(s);
		nj_step(s->client);
	}
	close(epoll_fd);
	return 0;
}

static int start(struct sensor *s)
{
	char filter[128];
	snprintf(filter, sizeof(filter), "%s/pace", s->name);
	int error = nj_connect(s->client, 0);
	/* made when there is a connection, and again when the broker has forgotten us */
	return error ? error : nj_subscribe_to(s->client, filter, 1);
}

int main(int argc, char **argv)
{
	struct nj_options options = NJ_OPTIONS_INIT;
	struct sensor sensor = {0};
	if (argc < 4) {
		fprintf(stderr, "usage: own_loop ADDRESS NAME PACE_MS [COUNT]\n");
		return 2;
	}
	sensor.name = argv[2];
	sensor.count = argc > 4 ? atol(argv[4]) : 0;
	sensor.timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	set_pace(&sensor, atol(argv[3]));
	options.address = argv[1];
	options.callbacks.message = on_message;
	options.callbacks.published = on_published;
	options.context = &sensor;
	if (nj_new(&options, &sensor.client) != 0) {
		fprintf(stderr, "own_loop: %s\n", nj_options_problem(&options));
		return 1;
	}
	int error = start(&sensor);
	if (!error)
		error = loop(&sensor);
	nj_disconnect(sensor.client, 1000);
	nj_free(sensor.client);
	close(sensor.timer_fd);
	return error != 0;
}
