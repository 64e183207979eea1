/* SPDX-License-Identifier: Apache-2.0 */
#include "sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void write_text(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

/* Bytes that count up from 0; returns how many came before the end of the stream. */
static size_t read_counted_to_end(int client)
{
	uint8_t bytes[65536];
	size_t total = 0;
	ssize_t n;
	while ((n = read(client, bytes, sizeof(bytes))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			assert_int_equal(bytes[i], (uint8_t)(total + (size_t)i));
		total += (size_t)n;
	}
	assert_int_equal(n, 0);
	return total;
}

static void test_stream_tcp_reads_what_is_there(void **state)
{
	struct sockets *sockets = *state;
	struct stream stream;
	uint8_t bytes[16];
	int client = sockets_attach(sockets, &stream);
	assert_int_equal(stream.ops->read(&stream, (struct room){bytes, 16}), ERROR_AGAIN);
	write_text(client, "hello");
	assert_true(loop_wait_one(&sockets->loop).is_readable);
	assert_int_equal(stream.ops->read(&stream, (struct room){bytes, 3}), 3);
	assert_int_equal(stream.ops->read(&stream, (struct room){bytes + 3, 13}), 2);
	assert_memory_equal(bytes, "hello", 5);
	stream.ops->close(&stream);
	close(client);
}

static void test_stream_tcp_gathers_parts(void **state)
{
	struct sockets *sockets = *state;
	struct stream stream;
	struct span parts[STREAM_PARTS_MAX];
	uint8_t bytes[STREAM_PARTS_MAX], received[STREAM_PARTS_MAX];
	int client = sockets_attach(sockets, &stream);
	for (unsigned i = 0; i < STREAM_PARTS_MAX; i++) {
		bytes[i] = (uint8_t)i;
		parts[i] = span_of(&bytes[i], 1);
	}
	assert_int_equal(stream.ops->write(&stream, parts, STREAM_PARTS_MAX), STREAM_PARTS_MAX);
	assert_int_equal(recv(client, received, sizeof(received), MSG_WAITALL), STREAM_PARTS_MAX);
	assert_memory_equal(received, bytes, sizeof(bytes));
	stream.ops->close(&stream);
	close(client);
}

static void test_stream_tcp_full_then_writable_again(void **state)
{
	struct sockets *sockets = *state;
	struct stream stream;
	uint8_t bytes[65536];
	int client = sockets_attach(sockets, &stream);
	stream.ops->want(&stream, false, true);
	size_t written = stream_fill(&stream);
	loop_assert_quiet(&sockets->loop);
	while (written > 0) {
		size_t len = written < sizeof(bytes) ? written : sizeof(bytes);
		ssize_t n = read(client, bytes, len);
		assert_true(n > 0);
		written -= (size_t)n;
	}
	assert_true(loop_wait_one(&sockets->loop).is_writable);
	stream.ops->close(&stream);
	close(client);
}

static void test_stream_tcp_half_closed_peer_still_hears(void **state)
{
	struct sockets *sockets = *state;
	struct stream stream;
	uint8_t byte;
	char heard[4];
	struct span part = SPAN_LITERAL("bye");
	int client = sockets_attach(sockets, &stream);
	shutdown(client, SHUT_WR);
	assert_true(loop_wait_one(&sockets->loop).is_readable);
	assert_int_equal(stream.ops->read(&stream, (struct room){&byte, 1}), 0);
	assert_int_equal(stream.ops->write(&stream, &part, 1), 3);
	stream.ops->close(&stream);
	assert_int_equal(recv(client, heard, sizeof(heard), MSG_WAITALL), 3);
	assert_memory_equal(heard, "bye", 3);
	assert_int_equal(sockets->loop.lingering.count, 0);
	close(client);
}

static void test_stream_tcp_reset_by_peer(void **state)
{
	struct sockets *sockets = *state;
	struct stream stream;
	uint8_t byte;
	struct linger at_once = {.l_onoff = 1};
	struct span parts[2] = {SPAN_LITERAL("a"), SPAN_LITERAL("b")};
	int client = sockets_attach(sockets, &stream);
	assert_int_equal(setsockopt(client, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
	close(client);
	assert_true(loop_wait_one(&sockets->loop).is_readable);
	assert_int_equal(stream.ops->read(&stream, (struct room){&byte, 1}), ERROR_CLOSED);
	/* No SIGPIPE either way. */
	assert_int_equal(stream.ops->write(&stream, parts, 1), ERROR_CLOSED);
	assert_int_equal(stream.ops->write(&stream, parts, 2), ERROR_CLOSED);
	stream.ops->close(&stream);
}

static void test_stream_tcp_close_is_plain_when_all_arrived(void **state)
{
	struct sockets *sockets = *state;
	struct stream stream;
	char byte;
	int client = sockets_attach(sockets, &stream);
	stream.ops->close(&stream);
	assert_false(stream_is_open(&stream));
	assert_int_equal(sockets->loop.lingering.count, 0);
	assert_int_equal(read(client, &byte, 1), 0);
	close(client);
}

static void turn_until_lingering(struct sockets *sockets, unsigned count)
{
	struct loop_event events[LOOP_EVENTS_MAX];
	while (sockets->loop.lingering.count != count)
		assert_int_equal(loop_wait(&sockets->loop, UINT64_MAX, events), 0);
}

/* A plain close() would answer the unread input with a reset, which throws away most of this. */
static void test_stream_tcp_last_words_survive_unread_input(void **state)
{
	struct sockets *sockets = *state;
	struct stream stream;
	int client = sockets_attach(sockets, &stream);
	write_text(client, "never read");
	size_t written = stream_fill(&stream);
	stream.ops->close(&stream);
	assert_int_equal(sockets->loop.lingering.count, 1);
	write_text(client, "too late");
	loop_assert_quiet(&sockets->loop); /* nobody is told, it is thrown away */
	assert_int_equal(sockets->loop.lingering.count, 1);
	assert_int_equal(read_counted_to_end(client), written);
	close(client);
	turn_until_lingering(sockets, 0);
}

static void test_stream_tcp_lingering_ends_with_patience(void **state)
{
	struct sockets *sockets = *state;
	struct stream stream;
	char byte;
	int client = sockets_attach(sockets, &stream);
	stream_fill(&stream);
	stream.ops->close(&stream);
	loop_set_time(&sockets->loop, 1000 + LINGER_MS - 1);
	assert_int_equal(sockets->loop.lingering.count, 1);
	loop_set_time(&sockets->loop, 1000 + LINGER_MS);
	assert_int_equal(sockets->loop.lingering.count, 0);
	while (read(client, &byte, 1) == 1)
		;
	assert_int_equal(errno, ECONNRESET);
	close(client);
}

static void test_stream_tcp_lingering_ends_with_a_flood(void **state)
{
	struct sockets *sockets = *state;
	struct stream stream;
	struct loop_event events[LOOP_EVENTS_MAX];
	size_t sent = 0;
	int client = sockets_attach(sockets, &stream);
	stream_fill(&stream);
	stream.ops->close(&stream);
	assert_int_equal(fcntl(client, F_SETFL, O_NONBLOCK), 0);
	uint8_t *bytes = calloc(1, 1 << 20);
	while (sockets->loop.lingering.count > 0) {
		ssize_t n = send(client, bytes, 1 << 20, MSG_NOSIGNAL);
		sent += n > 0 ? (size_t)n : 0;
		assert_true(sent < 4 * LINGER_BYTES_MAX);
		assert_int_equal(loop_wait(&sockets->loop, 0, events), 0);
	}
	assert_true(sent >= LINGER_BYTES_MAX);
	free(bytes);
	close(client);
}

static void test_stream_tcp_lingering_has_a_maximum(void **state)
{
	struct sockets *sockets = *state;
	struct stream stream;
	static int clients[LINGER_COUNT_MAX + 1];
	for (unsigned i = 0; i <= LINGER_COUNT_MAX; i++) {
		clients[i] = sockets_attach(sockets, &stream);
		stream_fill(&stream);
		stream.ops->close(&stream);
		assert_int_equal(sockets->loop.lingering.count,
				 i < LINGER_COUNT_MAX ? i + 1 : LINGER_COUNT_MAX);
	}
	for (unsigned i = 0; i <= LINGER_COUNT_MAX; i++)
		close(clients[i]);
	turn_until_lingering(sockets, 0);
}

#define WITH_SOCKETS(test) cmocka_unit_test_setup_teardown(test, sockets_setup, sockets_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SOCKETS(test_stream_tcp_reads_what_is_there),
		WITH_SOCKETS(test_stream_tcp_gathers_parts),
		WITH_SOCKETS(test_stream_tcp_full_then_writable_again),
		WITH_SOCKETS(test_stream_tcp_half_closed_peer_still_hears),
		WITH_SOCKETS(test_stream_tcp_reset_by_peer),
		WITH_SOCKETS(test_stream_tcp_close_is_plain_when_all_arrived),
		WITH_SOCKETS(test_stream_tcp_last_words_survive_unread_input),
		WITH_SOCKETS(test_stream_tcp_lingering_ends_with_patience),
		WITH_SOCKETS(test_stream_tcp_lingering_ends_with_a_flood),
		WITH_SOCKETS(test_stream_tcp_lingering_has_a_maximum),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
