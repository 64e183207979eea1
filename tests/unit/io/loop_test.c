/* SPDX-License-Identifier: Apache-2.0 */
#include "io/layered.h"
#include "sockets.h"

#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static uint64_t clock_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void test_loop_reports_readable_until_read(void **state)
{
	struct sockets *sockets = *state;
	struct stream stream;
	uint8_t bytes[8];
	int client = sockets_attach(sockets, &stream);
	loop_assert_quiet(&sockets->loop);

	assert_int_equal(write(client, "hi", 2), 2);
	for (int i = 0; i < 2; i++) {
		struct loop_event event = loop_wait_one(&sockets->loop);
		assert_ptr_equal(event.stream, &stream);
		assert_null(event.listener);
		assert_true(event.is_readable);
		assert_false(event.is_writable);
	}
	assert_int_equal(stream.ops->read(&stream, (struct room){bytes, sizeof(bytes)}), 2);
	loop_assert_quiet(&sockets->loop);
	stream.ops->close(&stream);
	close(client);
}

static void test_loop_reports_writable_when_wanted(void **state)
{
	struct sockets *sockets = *state;
	struct stream stream;
	int client = sockets_attach(sockets, &stream);
	stream.ops->want(&stream, true, true);
	struct loop_event event = loop_wait_one(&sockets->loop);
	assert_true(event.is_writable);
	assert_false(event.is_readable);
	stream.ops->want(&stream, true, false);
	loop_assert_quiet(&sockets->loop);
	stream.ops->close(&stream);
	close(client);
}

static void test_loop_hang_up_counts_as_readable(void **state)
{
	struct sockets *sockets = *state;
	struct stream stream;
	uint8_t byte;
	int client = sockets_attach(sockets, &stream);
	close(client);
	assert_true(loop_wait_one(&sockets->loop).is_readable);
	assert_int_equal(stream.ops->read(&stream, (struct room){&byte, 1}), 0);
	stream.ops->close(&stream);
}

static void reset(int client)
{
	struct linger at_once = {.l_onoff = 1};
	assert_int_equal(setsockopt(client, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
	close(client);
}

static void test_loop_dead_peer_wakes_the_unwilling_once(void **state)
{
	struct sockets *sockets = *state;
	struct stream stream;
	int client = sockets_attach(sockets, &stream);
	assert_int_equal(write(client, "hi", 2), 2);
	stream.ops->want(&stream, false, false);
	loop_assert_quiet(&sockets->loop);
	reset(client);
	assert_true(loop_wait_one(&sockets->loop).is_readable);
	loop_assert_quiet(&sockets->loop);
	stream.ops->close(&stream);
}

static void test_loop_closed_stream_is_reported_no_more(void **state)
{
	struct sockets *sockets = *state;
	struct stream stream;
	int client = sockets_attach(sockets, &stream);
	assert_int_equal(write(client, "hi", 2), 2);
	assert_ptr_equal(loop_wait_one(&sockets->loop).stream, &stream);
	stream.ops->close(&stream);
	loop_assert_quiet(&sockets->loop);
	close(client);
}

static void test_loop_stream_moves_to_another(void **state)
{
	struct sockets *sockets = *state;
	struct loop other;
	struct stream stream, moved;
	int client = sockets_attach(sockets, &stream);
	stream.ops->want(&stream, false, true);
	assert_int_equal(loop_open(&other, 1000), 0);
	assert_int_equal(write(client, "hi", 2), 2);

	stream.ops->detach(&stream);
	moved = stream;
	assert_int_equal(stream_tcp_attach(&moved, &other), 0);
	struct loop_event event = loop_wait_one(&other);
	assert_ptr_equal(event.stream, &moved);
	assert_true(event.is_readable);
	assert_false(event.is_writable);
	loop_assert_quiet(&sockets->loop);

	moved.ops->close(&moved);
	loop_close(&other);
	close(client);
}

static long read_nothing(struct layer *l, struct room room)
{
	(void)l;
	(void)room;
	return ERROR_AGAIN;
}

static void stay(struct layer *l)
{
	(void)l;
}

/* What a layer holds the socket does not tell. And who hands it over may not be the thread of the
 * loop, which sleeps. */
static void test_loop_is_woken_for_what_a_layer_brings_along(void **state)
{
	static const struct layer_ops ops = {.read = read_nothing, .free = stay};
	struct sockets *sockets = *state;
	struct layer layer = {.ops = &ops, .has_more = true};
	struct loop_event events[LOOP_EVENTS_MAX];
	struct loop other;
	struct stream stream, moved;
	int client = sockets_connect(sockets, &stream);
	struct layered *layered = layered_init(&stream);
	assert_non_null(layered);
	layered_push(layered, &layer);
	assert_int_equal(layered_attach(&stream, &sockets->loop), 0);
	assert_true(layered_step(layered, &sockets->loop));
	assert_int_equal(loop_open(&other, 1000), 0);

	stream.ops->detach(&stream);
	moved = stream;
	assert_int_equal(layered_attach(&moved, &other), 0);
	struct pollfd woken = {.fd = other.wake_fd, .events = POLLIN};
	assert_int_equal(poll(&woken, 1, 0), 1);
	assert_int_equal(loop_take_layered(&other, events), 1);
	assert_ptr_equal(events[0].stream, &moved);

	moved.ops->close(&moved);
	loop_close(&other);
	close(client);
}

/* The owner's bytes have left; a pong behind them has not. */
static long write_all_but_own(struct layer *l, const struct span *parts, unsigned count)
{
	l->is_blocked = count > 0;
	return count > 0 ? (long)parts->len : 0;
}

static void test_loop_waits_for_what_a_layer_could_not_write(void **state)
{
	static const struct layer_ops ops = {
		.read = read_nothing, .write = write_all_but_own, .free = stay};
	struct sockets *sockets = *state;
	struct layer layer = {.ops = &ops};
	struct stream stream;
	int client = sockets_connect(sockets, &stream);
	struct layered *layered = layered_init(&stream);
	struct span part = SPAN_LITERAL("all of it");
	assert_non_null(layered);
	layered_push(layered, &layer);
	assert_int_equal(layered_attach(&stream, &sockets->loop), 0);
	assert_true(layered_step(layered, &sockets->loop));
	struct pollfd ready = {.fd = sockets->loop.epoll_fd, .events = POLLIN};
	assert_int_equal(poll(&ready, 1, 0), 0);

	assert_int_equal(stream.ops->write(&stream, &part, 1), part.len);
	assert_int_equal(poll(&ready, 1, 0), 1);
	assert_false(layered_takes(&stream, &sockets->loop));
	assert_false(layer.is_blocked);
	assert_int_equal(poll(&ready, 1, 0), 0);

	stream.ops->close(&stream);
	close(client);
}

static void test_loop_attach_of_a_dead_descriptor_closes(void **state)
{
	struct sockets *sockets = *state;
	struct stream stream, twin;
	int client = sockets_attach(sockets, &stream);
	stream_tcp_init(&twin, stream.fd); /* is in the loop already */
	assert_int_equal(stream_tcp_attach(&twin, &sockets->loop), ERROR_SYSTEM);
	assert_false(stream_is_open(&twin));
	close(client);
}

static void test_loop_wait_ends_in_time(void **state)
{
	struct sockets *sockets = *state;
	struct loop_event events[LOOP_EVENTS_MAX];
	uint64_t before = clock_ms();
	assert_int_equal(loop_wait(&sockets->loop, 20, events), 0);
	assert_true(clock_ms() - before >= 19);
}

static void test_loop_wake_ends_the_next_wait_only(void **state)
{
	struct sockets *sockets = *state;
	struct loop_event events[LOOP_EVENTS_MAX];
	for (int i = 0; i < 3; i++) {
		uint64_t before = clock_ms();
		loop_wake(&sockets->loop);
		loop_wake(&sockets->loop);
		assert_int_equal(loop_wait(&sockets->loop, PATIENCE_MS, events), 0);
		assert_true(clock_ms() - before < PATIENCE_MS);
		before = clock_ms();
		assert_int_equal(loop_wait(&sockets->loop, 20, events), 0);
		assert_true(clock_ms() - before >= 19);
	}
}

static void *wake_it(void *loop)
{
	loop_wake(loop);
	return NULL;
}

static void test_loop_wake_from_another_thread(void **state)
{
	struct sockets *sockets = *state;
	struct loop_event events[LOOP_EVENTS_MAX];
	pthread_t thread;
	uint64_t before = clock_ms();
	assert_int_equal(pthread_create(&thread, NULL, wake_it, &sockets->loop), 0);
	assert_int_equal(loop_wait(&sockets->loop, PATIENCE_MS, events), 0);
	assert_true(clock_ms() - before < PATIENCE_MS);
	pthread_join(thread, NULL);
}

/* Connects a socket that nobody accepts yet. */
static int knock(struct sockets *sockets)
{
	struct stream probe;
	int client = sockets_connect(sockets, &probe);
	struct sockaddr_storage at;
	socklen_t len = sizeof(at);
	assert_int_equal(getpeername(client, (struct sockaddr *)&at, &len), 0);
	probe.ops->close(&probe);
	close(client);
	client = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(client, (struct sockaddr *)&at, len), 0);
	return client;
}

static void test_loop_reports_a_waiting_connection(void **state)
{
	struct sockets *sockets = *state;
	int client = knock(sockets);
	assert_int_equal(loop_accept_from(&sockets->loop, &sockets->listener, 1), 0);
	struct loop_event event = loop_wait_one(&sockets->loop);
	assert_ptr_equal(event.listener, &sockets->listener);
	assert_null(event.stream);
	close(client);
}

static void test_loop_accepting_pauses_and_resumes(void **state)
{
	struct sockets *sockets = *state;
	struct loop_event events[LOOP_EVENTS_MAX];
	int client = knock(sockets);
	assert_int_equal(loop_accept_from(&sockets->loop, &sockets->listener, 1), 0);
	loop_accept_pause(&sockets->loop, 30);
	/* The loop wakes up by itself when the pause ends. */
	uint64_t before = clock_ms();
	assert_int_equal(loop_wait(&sockets->loop, PATIENCE_MS, events), 0);
	assert_in_range(clock_ms() - before, 29, PATIENCE_MS - 1);
	loop_set_time(&sockets->loop, 1029);
	loop_assert_quiet(&sockets->loop);
	loop_set_time(&sockets->loop, 1030);
	assert_ptr_equal(loop_wait_one(&sockets->loop).listener, &sockets->listener);
	/* For good. */
	loop_accept_pause(&sockets->loop, UINT64_MAX);
	loop_set_time(&sockets->loop, UINT64_MAX - 1);
	loop_assert_quiet(&sockets->loop);
	close(client);
}

#define WITH_SOCKETS(test) cmocka_unit_test_setup_teardown(test, sockets_setup, sockets_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SOCKETS(test_loop_reports_readable_until_read),
		WITH_SOCKETS(test_loop_reports_writable_when_wanted),
		WITH_SOCKETS(test_loop_hang_up_counts_as_readable),
		WITH_SOCKETS(test_loop_dead_peer_wakes_the_unwilling_once),
		WITH_SOCKETS(test_loop_closed_stream_is_reported_no_more),
		WITH_SOCKETS(test_loop_stream_moves_to_another),
		WITH_SOCKETS(test_loop_is_woken_for_what_a_layer_brings_along),
		WITH_SOCKETS(test_loop_waits_for_what_a_layer_could_not_write),
		WITH_SOCKETS(test_loop_attach_of_a_dead_descriptor_closes),
		WITH_SOCKETS(test_loop_wait_ends_in_time),
		WITH_SOCKETS(test_loop_wake_ends_the_next_wait_only),
		WITH_SOCKETS(test_loop_wake_from_another_thread),
		WITH_SOCKETS(test_loop_reports_a_waiting_connection),
		WITH_SOCKETS(test_loop_accepting_pauses_and_resumes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
