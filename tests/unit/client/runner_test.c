/* SPDX-License-Identifier: Apache-2.0 */
/* The runner on real sockets: a server thread that reads and writes as it is told. */
#include "server.h"

#include "client/runner.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A patience that is only used up when something is broken. */
#define PATIENCE_MS 20000
/* Of a turn: what it does before it waits, wakes nobody up. */
#define TURN_MS_MAX 20

/* Accepts once, reads `first_len` bytes, writes `answer`, then reads to the end or closes. */
struct peer {
	int listener;
	uint16_t port;
	size_t first_len;
	struct span answer;
	bool closes;
	pthread_t thread;
	size_t read_len;
	ssize_t end;      /* of the last read: 0, or -1 when the connection was reset */
	uint8_t last[16]; /* the last bytes read */
};

static void *serve(void *context)
{
	struct peer *p = context;
	uint8_t bytes[4096];
	ssize_t len = 0;
	int fd = accept(p->listener, NULL, NULL);
	if (fd < 0)
		return NULL;
	while (p->read_len < p->first_len &&
	       (len = read(fd, bytes, p->first_len - p->read_len)) > 0)
		p->read_len += (size_t)len;
	if (p->answer.len > 0 && send(fd, p->answer.ptr, p->answer.len, MSG_NOSIGNAL) < 0)
		perror("send");
	while (!p->closes && (len = read(fd, bytes, sizeof(bytes))) > 0) {
		p->read_len += (size_t)len;
		for (ssize_t i = len > 16 ? len - 16 : 0; i < len; i++) {
			memmove(p->last, p->last + 1, 15);
			p->last[15] = bytes[i];
		}
	}
	p->end = len;
	close(fd);
	return NULL;
}

static void listen_on(struct peer *p, const struct sockaddr *address, socklen_t len)
{
	p->listener = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(p->listener >= 0);
	assert_int_equal(bind(p->listener, address, len), 0);
	assert_int_equal(listen(p->listener, 4), 0);
}

static void open_port(struct peer *p)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	listen_on(p, (struct sockaddr *)&address, len);
	assert_int_equal(getsockname(p->listener, (struct sockaddr *)&address, &len), 0);
	p->port = ntohs(address.sin_port);
}

static void start(struct peer *p)
{
	assert_int_equal(pthread_create(&p->thread, NULL, serve, p), 0);
}

static void stop(struct peer *p)
{
	pthread_join(p->thread, NULL);
	close(p->listener);
}

#define CONNECT_LEN 20 /* of client_init in 3.1.1 */
#define ACCEPTED SPAN_LITERAL("\x20\x02\0\0")

static struct runner_address address_of(const struct peer *p)
{
	return (struct runner_address){.host = "127.0.0.1", .port = p->port, .has_no_delay = true};
}

/* Turns until `is_done` says so; fails when it never does. */
static void turn_until(struct runner *r, bool (*is_done)(const struct runner *r))
{
	uint64_t until = runner_now_ms() + PATIENCE_MS;
	while (!is_done(r)) {
		struct runner_wait wait = {.deadline_ms = runner_now_ms() + TURN_MS_MAX,
					   .readable_fd = -1};
		runner_turn(r, &wait);
		assert_true(runner_now_ms() < until);
	}
}

static bool is_connected(const struct runner *r)
{
	return engine_is_connected(r->engine);
}

static bool is_closed(const struct runner *r)
{
	return !runner_is_open(r);
}

static bool is_all_sent(const struct runner *r)
{
	return engine_output(r->engine).len == 0;
}

static void test_connects_publishes_and_ends(void **state)
{
	(void)state;
	struct peer p = {.first_len = CONNECT_LEN, .answer = ACCEPTED};
	struct client c;
	struct runner r;
	open_port(&p);
	start(&p);
	client_init(&c, MQTT_3_1_1, NULL);
	runner_init(&r, c.engine, NULL);
	struct runner_address address = address_of(&p);
	assert_int_equal(runner_open(&r, &address, UINT64_MAX), RUNNER_OK);
	turn_until(&r, is_connected);
	assert_int_equal(client_publish(&c, 1, 0), 0);
	engine_disconnect(c.engine, NULL);
	turn_until(&r, is_closed);
	assert_int_equal(c.closed_count, 1);
	assert_int_equal(c.closed.end, ENGINE_END_DISCONNECTED);
	stop(&p);
	assert_int_equal(p.read_len, CONNECT_LEN + 16 + 2);
	assert_memory_equal(p.last + 14, "\xe0\0", 2);
	client_release(&c);
}

static void test_large_message_passes_whole(void **state)
{
	(void)state;
	const size_t len = (size_t)5 << 20; /* much more than a socket holds */
	uint8_t *payload = calloc(1, len);
	assert_non_null(payload);
	struct peer p = {.first_len = CONNECT_LEN, .answer = ACCEPTED};
	struct client c;
	struct runner r;
	open_port(&p);
	start(&p);
	client_init(&c, MQTT_3_1_1, NULL);
	runner_init(&r, c.engine, NULL);
	struct runner_address address = address_of(&p);
	assert_int_equal(runner_open(&r, &address, UINT64_MAX), RUNNER_OK);
	turn_until(&r, is_connected);
	payload[len - 1] = 0x77;
	struct publish message = {.topic = SPAN_LITERAL("a"), .payload = span_of(payload, len)};
	assert_int_equal(engine_publish(c.engine, &message, 1), 0);
	turn_until(&r, is_all_sent);
	engine_disconnect(c.engine, NULL);
	turn_until(&r, is_closed);
	stop(&p);
	assert_int_equal(p.read_len, CONNECT_LEN + 5 + 3 + len + 2);
	assert_memory_equal(p.last + 13, "\x77\xe0\0", 3);
	client_release(&c);
	free(payload);
}

/* It ends with input unread: closing at once would reset the connection, and the server might not
 * see DISCONNECT. */
static void test_last_words_are_not_reset(void **state)
{
	(void)state;
	static uint8_t answer[200000] = "\x20\x02\0\0\x30\xb8\x9a\x0c\0\1a";
	struct peer p = {.first_len = CONNECT_LEN, .answer = span_of(answer, sizeof(answer))};
	struct client c;
	struct runner r;
	open_port(&p);
	start(&p);
	client_init(&c, MQTT_3_1_1, NULL);
	runner_init(&r, c.engine, NULL);
	struct runner_address address = address_of(&p);
	assert_int_equal(runner_open(&r, &address, UINT64_MAX), RUNNER_OK);
	turn_until(&r, is_connected);
	engine_disconnect(c.engine, NULL);
	turn_until(&r, is_closed);
	stop(&p);
	assert_int_equal(p.end, 0);
	assert_memory_equal(p.last + 14, "\xe0\0", 2);
	client_release(&c);
}

static void test_refusal_is_read_from_a_server_that_is_gone(void **state)
{
	(void)state;
	struct peer p = {.first_len = 4, /* leaves input unread: its close is a reset */
			 .answer = SPAN_LITERAL("\x20\x02\0\5"),
			 .closes = true};
	struct client c;
	struct runner r;
	open_port(&p);
	start(&p);
	client_init(&c, MQTT_3_1_1, NULL);
	runner_init(&r, c.engine, NULL);
	struct runner_address address = address_of(&p);
	assert_int_equal(runner_open(&r, &address, UINT64_MAX), RUNNER_OK);
	turn_until(&r, is_closed);
	/* The reset may destroy the answer on its way; then the connection is just lost. */
	assert_true(c.closed.end == ENGINE_END_REFUSED || c.closed.end == ENGINE_END_LOST);
	assert_int_equal(c.closed_count, 1);
	stop(&p);
	client_release(&c);
}

static void test_server_that_closes_is_lost(void **state)
{
	(void)state;
	struct peer p = {.first_len = CONNECT_LEN, .answer = ACCEPTED, .closes = true};
	struct client c;
	struct runner r;
	open_port(&p);
	start(&p);
	client_init(&c, MQTT_3_1_1, NULL);
	runner_init(&r, c.engine, NULL);
	struct runner_address address = address_of(&p);
	assert_int_equal(runner_open(&r, &address, UINT64_MAX), RUNNER_OK);
	turn_until(&r, is_closed);
	assert_int_equal(c.connected_count, 1);
	assert_int_equal(c.closed.end, ENGINE_END_LOST);
	stop(&p);
	client_release(&c);
}

static void test_nobody_listens(void **state)
{
	(void)state;
	struct peer p = {0};
	struct client c;
	struct runner r;
	open_port(&p);
	close(p.listener);
	client_init(&c, MQTT_3_1_1, NULL);
	runner_init(&r, c.engine, NULL);
	struct runner_address address = address_of(&p);
	assert_int_equal(runner_open(&r, &address, UINT64_MAX), RUNNER_FAILED);
	assert_int_equal(errno, ECONNREFUSED);
	assert_true(engine_is_idle(c.engine));
	assert_false(runner_is_open(&r));
	client_release(&c);
}

static void test_bind_address_of_another_machine(void **state)
{
	(void)state;
	struct peer p = {0};
	struct client c;
	struct runner r;
	open_port(&p);
	client_init(&c, MQTT_3_1_1, NULL);
	runner_init(&r, c.engine, NULL);
	struct runner_address address = address_of(&p);
	address.bind_address = "192.0.2.1"; /* for documentation: nobody's */
	assert_int_equal(runner_open(&r, &address, UINT64_MAX), RUNNER_FAILED);
	assert_int_equal(errno, EADDRNOTAVAIL);
	address.bind_address = "127.0.0.1";
	assert_int_equal(runner_open(&r, &address, UINT64_MAX), RUNNER_OK);
	runner_close(&r);
	close(p.listener);
	client_release(&c);
}

static void test_local_socket(void **state)
{
	(void)state;
	struct peer p = {.first_len = CONNECT_LEN, .answer = ACCEPTED};
	struct client c;
	struct runner r;
	char folder[] = "/tmp/nightjar-runner-XXXXXX";
	struct sockaddr_un path = {.sun_family = AF_UNIX};
	assert_non_null(mkdtemp(folder));
	snprintf(path.sun_path, sizeof(path.sun_path), "%s/socket", folder);
	listen_on(&p, (struct sockaddr *)&path, sizeof(path));
	start(&p);
	client_init(&c, MQTT_3_1_1, NULL);
	runner_init(&r, c.engine, NULL);
	struct runner_address address = {.unix_path = path.sun_path};
	assert_int_equal(runner_open(&r, &address, UINT64_MAX), RUNNER_OK);
	turn_until(&r, is_connected);
	engine_disconnect(c.engine, NULL);
	turn_until(&r, is_closed);
	stop(&p);
	unlink(path.sun_path);
	rmdir(folder);
	char too_long[200];
	memset(too_long, 'x', sizeof(too_long));
	too_long[199] = '\0';
	address.unix_path = too_long;
	assert_int_equal(runner_open(&r, &address, UINT64_MAX), RUNNER_FAILED);
	assert_int_equal(errno, ENAMETOOLONG);
	client_release(&c);
}

static void test_waits_for_a_deadline_and_for_a_descriptor(void **state)
{
	(void)state;
	struct client c;
	struct runner r;
	int pipe_fds[2];
	client_init(&c, MQTT_3_1_1, NULL);
	runner_init(&r, c.engine, NULL);
	assert_int_equal(pipe(pipe_fds), 0);
	uint64_t began = runner_now_ms();
	struct runner_wait wait = {.deadline_ms = began + 20, .readable_fd = pipe_fds[0]};
	runner_turn(&r, &wait);
	assert_true(runner_now_ms() >= began + 20);
	assert_false(wait.is_readable_out);
	assert_int_equal(write(pipe_fds[1], "x", 1), 1);
	wait.deadline_ms = UINT64_MAX;
	runner_turn(&r, &wait);
	assert_true(wait.is_readable_out);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	client_release(&c);
}

static void ignore(int number)
{
	(void)number;
}

/* A signal that came before the wait ends the wait all the same. */
static void test_signal_is_not_missed(void **state)
{
	(void)state;
	struct client c;
	struct runner r;
	sigset_t held_back, mask;
	struct sigaction action = {.sa_handler = ignore};
	sigemptyset(&action.sa_mask);
	sigemptyset(&held_back);
	sigaddset(&held_back, SIGUSR1);
	assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
	assert_int_equal(pthread_sigmask(SIG_BLOCK, &held_back, &mask), 0);
	client_init(&c, MQTT_3_1_1, NULL);
	runner_init(&r, c.engine, &mask);
	assert_int_equal(raise(SIGUSR1), 0);
	struct runner_wait wait = {.deadline_ms = UINT64_MAX, .readable_fd = -1};
	runner_turn(&r, &wait); /* returns at all */
	assert_false(wait.is_readable_out);
	assert_int_equal(pthread_sigmask(SIG_SETMASK, &mask, NULL), 0);
	client_release(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_connects_publishes_and_ends),
		cmocka_unit_test(test_large_message_passes_whole),
		cmocka_unit_test(test_last_words_are_not_reset),
		cmocka_unit_test(test_refusal_is_read_from_a_server_that_is_gone),
		cmocka_unit_test(test_server_that_closes_is_lost),
		cmocka_unit_test(test_nobody_listens),
		cmocka_unit_test(test_bind_address_of_another_machine),
		cmocka_unit_test(test_local_socket),
		cmocka_unit_test(test_waits_for_a_deadline_and_for_a_descriptor),
		cmocka_unit_test(test_signal_is_not_missed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
