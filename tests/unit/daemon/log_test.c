/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config.h"
#include "daemon/log.h"

#include "base/mem.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

struct place {
	char folder[32];
	char path[64];
	char text[1 << 20];
};

static int setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));
	strcpy(p->folder, "/tmp/nightjar-log-XXXXXX");
	assert_non_null(mkdtemp(p->folder));
	snprintf(p->path, sizeof(p->path), "%s/log", p->folder);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;
	unlink(p->path);
	assert_int_equal(rmdir(p->folder), 0);
	free(p);
	return 0;
}

static const char *read_file(struct place *p, const char *path)
{
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	size_t len = fread(p->text, 1, sizeof(p->text) - 1, file);
	p->text[len] = '\0';
	fclose(file);
	return p->text;
}

static struct log_options to_file(const struct place *p)
{
	return (struct log_options){
		.destinations = LOG_TO_FILE,
		.file = p->path,
		.has_time = true,
		.types = LOG_TYPES_ALL,
	};
}

static void open_log(struct logger *log, const struct log_options *options)
{
	char reason[LOG_REASON_MAX];
	assert_int_equal(log_open(log, options, reason), 0);
}

static void log_connected(struct log_buffer *b, const char *client, uint64_t second)
{
	struct event e = {.kind = EVENT_CLIENT_CONNECTED, .time_ms = second * 1000 + 999};
	struct event_detail d = {.client_id = span_of_text(client),
				 .address = SPAN_LITERAL("127.0.0.1:43210")};
	log_buffer_event(b, &e, &d);
}

static void log_ping(struct log_buffer *b, const char *client)
{
	struct event e = {.kind = EVENT_PACKET_IN, .packet_type = 12, .time_ms = 1490312914000};
	struct event_detail d = {.client_id = span_of_text(client)};
	log_buffer_event(b, &e, &d);
}

static void test_log_line_has_the_second(void **state)
{
	struct place *p = *state;
	struct logger log;
	struct log_options options = to_file(p);
	open_log(&log, &options);
	time_t before = time(NULL);
	log_line(&log, LOG_TYPE_NOTICE, "%d of %s", 3, "them");
	time_t after = time(NULL);
	log_close(&log);
	long long second;
	int used = 0;
	assert_int_equal(sscanf(read_file(p, p->path), "%lld: 3 of them\n%n", &second, &used), 1);
	assert_int_equal(used, strlen(p->text));
	assert_in_range(second, before, after);
}

static void test_log_event_lines_are_stamped_each(void **state)
{
	struct place *p = *state;
	struct logger log;
	struct log_buffer b;
	struct log_options options = to_file(p);
	open_log(&log, &options);
	log_buffer_init(&b, &log);
	log_connected(&b, "Subscriber1", 1490312914);
	log_ping(&b, "Subscriber1");
	assert_string_equal(read_file(p, p->path), "");
	log_buffer_flush(&b);
	assert_string_equal(read_file(p, p->path),
			    "1490312914: New client connected from 127.0.0.1:43210 as Subscriber1 "
			    "(p0, c0, k0).\n"
			    "1490312914: No will message specified.\n"
			    "1490312914: Received PINGREQ from Subscriber1\n");
	log_buffer_release(&b);
	log_close(&log);
}

static void test_log_quiet_leaves_packets_out(void **state)
{
	struct place *p = *state;
	struct logger log;
	struct log_buffer b;
	struct log_options options = to_file(p);
	options.types = LOG_TYPES_DEFAULT;
	open_log(&log, &options);
	log_buffer_init(&b, &log);
	log_ping(&b, "a");
	log_line(&log, LOG_TYPE_DEBUG, "no");
	log_connected(&b, "a", 7);
	log_buffer_flush(&b);
	assert_string_equal(read_file(p, p->path),
			    "7: New client connected from 127.0.0.1:43210 as a (p0, c0, k0).\n");
	log_set_types(&log, LOG_TYPES_ALL);
	log_ping(&b, "a");
	log_buffer_flush(&b);
	assert_non_null(strstr(read_file(p, p->path), "PINGREQ from a\n"));
	log_buffer_release(&b);
	log_close(&log);
}

static void test_log_time_format(void **state)
{
	struct place *p = *state;
	struct logger log;
	struct log_buffer b;
	struct log_options options = to_file(p);
	options.time_format = "at %Y";
	setenv("TZ", "UTC", 1);
	open_log(&log, &options);
	log_buffer_init(&b, &log);
	log_ping(&b, "a");
	log_buffer_flush(&b);
	assert_string_equal(read_file(p, p->path), "at 2017: Received PINGREQ from a\n");
	log_buffer_release(&b);
	log_close(&log);
}

static void test_log_without_time(void **state)
{
	struct place *p = *state;
	struct logger log;
	struct log_options options = to_file(p);
	options.has_time = false;
	open_log(&log, &options);
	log_line(&log, LOG_TYPE_NOTICE, "bare");
	log_close(&log);
	assert_string_equal(read_file(p, p->path), "bare\n");
}

static void test_log_unusable_file_is_named(void **state)
{
	struct place *p = *state;
	struct logger log;
	struct log_options options = to_file(p);
	char reason[LOG_REASON_MAX];
	options.file = "/nonexistent/log";
	assert_int_equal(log_open(&log, &options, reason), ERROR_SYSTEM);
	assert_string_equal(reason, "cannot open the log file '/nonexistent/log': No such file or "
				    "directory");
}

static void test_log_reopen_follows_the_name(void **state)
{
	struct place *p = *state;
	struct logger log;
	struct log_options options = to_file(p);
	char moved[80];
	options.has_time = false;
	snprintf(moved, sizeof(moved), "%s.1", p->path);
	open_log(&log, &options);
	log_line(&log, LOG_TYPE_NOTICE, "first");
	assert_int_equal(rename(p->path, moved), 0);
	log_line(&log, LOG_TYPE_NOTICE, "second");
	assert_int_equal(log_reopen(&log), 0);
	log_line(&log, LOG_TYPE_NOTICE, "third");
	log_close(&log);
	assert_string_equal(read_file(p, moved), "first\nsecond\n");
	assert_string_equal(read_file(p, p->path), "third\n");
	unlink(moved);
}

static void test_log_each_allocation_fails_in_turn(void **state)
{
	struct place *p = *state;
	struct log_options options = to_file(p);
	options.time_format = "%s";
	mem_count_start();
	for (unsigned long i = 1;; i++) {
		struct logger log;
		struct log_buffer b = {0};
		char reason[LOG_REASON_MAX];
		mem_fail_after(i);
		int error = log_open(&log, &options, reason);
		if (error == 0) {
			log_buffer_init(&b, &log);
			log_ping(&b, "a");
			log_buffer_flush(&b);
			log_buffer_release(&b);
			log_close(&log);
		} else {
			assert_int_equal(error, ERROR_NO_MEMORY);
		}
		bool has_failed = mem_has_failed();
		mem_fail_after(0);
		assert_int_equal(mem_count_live(), 0);
		if (!has_failed)
			break;
	}
}

/* Threads */

#define LINES_PER_THREAD 5000

static void *write_lines(void *context)
{
	struct log_buffer b;
	log_buffer_init(&b, context);
	for (int i = 0; i < LINES_PER_THREAD; i++) {
		log_ping(&b, "a-client-with-a-rather-long-name");
		if (i % 7 == 0)
			log_buffer_flush(&b);
	}
	log_buffer_flush(&b);
	log_buffer_release(&b);
	return NULL;
}

static void test_log_threads_do_not_break_lines(void **state)
{
	struct place *p = *state;
	struct logger log;
	struct log_options options = to_file(p);
	pthread_t threads[2];
	const char *expected =
		"1490312914: Received PINGREQ from a-client-with-a-rather-long-name\n";
	open_log(&log, &options);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, write_lines, &log), 0);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	log_close(&log);
	const char *text = read_file(p, p->path);
	for (int i = 0; i < 2 * LINES_PER_THREAD; i++, text += strlen(expected))
		assert_memory_equal(text, expected, strlen(expected));
	assert_string_equal(text, "");
}

/* A destination that nobody reads. */

static void test_log_blocked_pipe_costs_lines_only(void **state)
{
	(void)state;
	int ends[2];
	char text[65536];
	struct logger log = {0};
	struct log_options options = {.types = LOG_TYPES_ALL};
	assert_int_equal(pipe(ends), 0);
	open_log(&log, &options);
	log_sink_init(&log.sinks[log.sink_count++], ends[1]);
	for (int i = 0; i < 5000; i++)
		log_line(&log, LOG_TYPE_NOTICE, "%059d", i);
	uint64_t lost = log.sinks[0].lost_lines;
	assert_in_range(lost, 1, 4999);
	assert_true(log.sinks[0].is_blocked);

	/* What got through is whole and in order. */
	uint64_t seen = 0;
	assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	ssize_t n = read(ends[0], text, sizeof(text));
	assert_true(n > 0);
	for (ssize_t at = 0; at < n; at += 60, seen++) {
		char expected[61];
		snprintf(expected, sizeof(expected), "%059d\n", (int)seen);
		assert_memory_equal(text + at, expected, 60);
	}
	assert_int_equal(seen + lost, 5000);

	log_line(&log, LOG_TYPE_NOTICE, "again");
	n = read(ends[0], text, sizeof(text) - 1);
	assert_true(n > 0);
	text[n] = '\0';
	char expected[128];
	snprintf(expected, sizeof(expected),
		 "%llu lines of the log were lost, because nobody took them.\nagain\n",
		 (unsigned long long)lost);
	assert_string_equal(text, expected);
	log_close(&log);
	close(ends[0]);
	close(ends[1]);
}

static void test_log_sink_reader_gone(void **state)
{
	(void)state;
	int ends[2];
	struct log_sink sink;
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe(ends), 0);
	close(ends[0]);
	log_sink_init(&sink, ends[1]);
	log_sink_write(&sink, SPAN_LITERAL("a\nb\n"));
	assert_int_equal(sink.lost_lines, 2);
	close(ends[1]);
}

/* With what it says of that on standard error. */
static void send_to_nobody(struct log_sink *sink, const struct log_item *item, char *said,
			   size_t size)
{
	int ends[2], saved = dup(STDERR_FILENO);
	assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
	dup2(ends[1], STDERR_FILENO);
	log_sink_send(sink, item, item->text);
	dup2(saved, STDERR_FILENO);
	ssize_t n = read(ends[0], said, size - 1);
	said[n > 0 ? n : 0] = '\0';
	close(saved);
	close(ends[0]);
	close(ends[1]);
}

static void test_log_sink_system_log(void **state)
{
	struct place *p = *state;
	struct log_sink sink;
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	char text[256];
	struct log_item item = {.type = LOG_TYPE_CONNECTION, .text = SPAN_LITERAL("hello")};
	assert_int_equal(log_sink_open_syslog(&sink, p->path, LOG_DAEMON), 0);
	send_to_nobody(&sink, &item, text, sizeof(text));
	assert_non_null(strstr(text, p->path));
	assert_non_null(strstr(text, "No such file or directory. Lines are lost until it can"));
	send_to_nobody(&sink, &item, text, sizeof(text));
	assert_string_equal(text, ""); /* said once */
	assert_int_equal(sink.lost_lines, 2);

	int receiver = socket(AF_UNIX, SOCK_DGRAM, 0);
	snprintf(at.sun_path, sizeof(at.sun_path), "%s", p->path);
	assert_int_equal(bind(receiver, (struct sockaddr *)&at, sizeof(at)), 0);
	log_sink_send(&sink, &item, item.text);
	ssize_t n = recv(receiver, text, sizeof(text) - 1, MSG_DONTWAIT);
	assert_true(n > 0);
	text[n] = '\0';
	char tail[64];
	snprintf(tail, sizeof(tail), " nightjar[%d]: hello", (int)getpid());
	assert_memory_equal(text, "<29>", 4); /* daemon, notice (syslog.h) */
	assert_string_equal(text + 4 + strlen("Mar 23 17:08:34"), tail);
	assert_int_equal(sink.lost_lines, 0);
	close(receiver);
	log_sink_close(&sink);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(test_log_line_has_the_second),
		IN_FOLDER(test_log_event_lines_are_stamped_each),
		IN_FOLDER(test_log_quiet_leaves_packets_out),
		IN_FOLDER(test_log_time_format),
		IN_FOLDER(test_log_without_time),
		IN_FOLDER(test_log_unusable_file_is_named),
		IN_FOLDER(test_log_reopen_follows_the_name),
		IN_FOLDER(test_log_each_allocation_fails_in_turn),
		IN_FOLDER(test_log_threads_do_not_break_lines),
		cmocka_unit_test(test_log_blocked_pipe_costs_lines_only),
		cmocka_unit_test(test_log_sink_reader_gone),
		IN_FOLDER(test_log_sink_system_log),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
