/* SPDX-License-Identifier: Apache-2.0 */
/* A client's socket at its edges: a server thread that reads and writes as it is told. */
#include "server.h"

#include "nightjar/client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* A patience that is only used up when something is broken. */
#define PATIENCE_MS 20000

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

static void open_port(struct peer *p)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(p->listener >= 0);
	assert_int_equal(bind(p->listener, (struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(p->listener, 4), 0);
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

#define CONNECT_LEN 15 /* in 3.1.1, with a client id of one letter */
#define ACCEPTED SPAN_LITERAL("\x20\x02\0\0")

static struct nj_disconnected ended;
static unsigned ended_count, connected_count;

static void on_connected(nj_client *c, void *context, const struct nj_connected *connected)
{
	(void)c;
	(void)context;
	(void)connected;
	connected_count++;
}

static void on_disconnected(nj_client *c, void *context, const struct nj_disconnected *d)
{
	(void)c;
	(void)context;
	ended = *d;
	ended_count++;
}

static nj_client *client_for(const struct peer *p)
{
	char address[64];
	nj_client *c;
	struct nj_options o = NJ_OPTIONS_INIT;
	snprintf(address, sizeof(address), "mqtt://127.0.0.1:%u", p->port);
	o.address = address;
	o.version = NJ_MQTT_3_1_1;
	o.client_id = "c";
	o.stays_down = true;
	o.callbacks.connected = on_connected;
	o.callbacks.disconnected = on_disconnected;
	assert_int_equal(nj_new(&o, &c), 0);
	ended_count = connected_count = 0;
	return c;
}

static void test_connects_publishes_and_ends(void **state)
{
	(void)state;
	struct peer p = {.first_len = CONNECT_LEN, .answer = ACCEPTED};
	open_port(&p);
	start(&p);
	nj_client *c = client_for(&p);
	assert_int_equal(nj_connect(c, PATIENCE_MS), 0);
	assert_int_equal(nj_publish_text(c, "sensor/1", "21.5", 0, false), 0);
	assert_int_equal(nj_disconnect(c, PATIENCE_MS), 0);
	assert_int_equal(ended_count, 1);
	assert_int_equal(ended.end, NJ_END_DISCONNECTED);
	stop(&p);
	assert_int_equal(p.read_len, CONNECT_LEN + 16 + 2);
	assert_memory_equal(p.last + 14, "\xe0\0", 2);
	nj_free(c);
}

static void test_large_message_passes_whole(void **state)
{
	(void)state;
	const size_t len = (size_t)5 << 20; /* much more than a socket holds */
	uint8_t *payload = calloc(1, len);
	assert_non_null(payload);
	struct peer p = {.first_len = CONNECT_LEN, .answer = ACCEPTED};
	open_port(&p);
	start(&p);
	nj_client *c = client_for(&p);
	assert_int_equal(nj_connect(c, PATIENCE_MS), 0);
	payload[len - 1] = 0x77;
	struct nj_message_out message = {.topic = "a", .payload = payload, .payload_len = len};
	assert_int_equal(nj_publish(c, &message, NULL), 0);
	assert_int_equal(nj_drain(c, PATIENCE_MS), 0);
	assert_int_equal(nj_disconnect(c, PATIENCE_MS), 0);
	stop(&p);
	assert_int_equal(p.read_len, CONNECT_LEN + 5 + 3 + len + 2);
	assert_memory_equal(p.last + 13, "\x77\xe0\0", 3);
	nj_free(c);
	free(payload);
}

/* It ends with input unread: closing at once would reset the connection, and the server might not
 * see DISCONNECT. */
static void test_last_words_are_not_reset(void **state)
{
	(void)state;
	static uint8_t answer[200000] = "\x20\x02\0\0\x30\xb8\x9a\x0c\0\1a";
	struct peer p = {.first_len = CONNECT_LEN, .answer = span_of(answer, sizeof(answer))};
	open_port(&p);
	start(&p);
	nj_client *c = client_for(&p);
	assert_int_equal(nj_connect(c, PATIENCE_MS), 0);
	assert_int_equal(nj_disconnect(c, PATIENCE_MS), 0);
	stop(&p);
	assert_int_equal(p.end, 0);
	assert_memory_equal(p.last + 14, "\xe0\0", 2);
	nj_free(c);
}

static void test_refusal_is_read_from_a_server_that_is_gone(void **state)
{
	(void)state;
	struct peer p = {.first_len = 4, /* leaves input unread: its close is a reset */
			 .answer = SPAN_LITERAL("\x20\x02\0\5"),
			 .closes = true};
	open_port(&p);
	start(&p);
	nj_client *c = client_for(&p);
	int error = nj_connect(c, PATIENCE_MS);
	assert_int_equal(nj_disconnect(c, PATIENCE_MS), 0);
	/* The reset may destroy the answer on its way; then the connection is just lost. */
	assert_true(ended.end == NJ_END_REFUSED ? error == NJ_ERROR_REFUSED
						: ended.end == NJ_END_LOST);
	assert_int_equal(ended_count, 1);
	stop(&p);
	nj_free(c);
}

static void test_server_that_closes_is_lost(void **state)
{
	(void)state;
	struct peer p = {.first_len = CONNECT_LEN, .answer = ACCEPTED, .closes = true};
	open_port(&p);
	start(&p);
	nj_client *c = client_for(&p);
	assert_int_equal(nj_connect(c, 0), 0);
	assert_int_equal(nj_run(c, PATIENCE_MS), NJ_ERROR_CLOSED);
	assert_int_equal(connected_count, 1);
	assert_int_equal(ended.end, NJ_END_LOST);
	stop(&p);
	nj_free(c);
}

static void test_nobody_listens(void **state)
{
	(void)state;
	struct peer p = {0};
	open_port(&p);
	close(p.listener);
	nj_client *c = client_for(&p);
	assert_int_equal(nj_connect(c, PATIENCE_MS), NJ_ERROR_CLOSED);
	assert_int_equal(ended.end, NJ_END_UNREACHABLE);
	assert_int_equal(ended.system_error, ECONNREFUSED);
	assert_int_equal(connected_count, 0);
	nj_free(c);
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
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
