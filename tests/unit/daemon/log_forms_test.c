/* SPDX-License-Identifier: Apache-2.0 */
/* JSON, the journal's fields, topics, and what floods leave of themselves. */
#include "base/mem.h"
#include "config/config.h"
#include "daemon/log.h"
#include "trace/line_text.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include <cmocka.h>

#define KEY(number) ((const void *)(uintptr_t)(number))

static struct log_item item_of(const char *text)
{
	return (struct log_item){
		.time_ms = UINT64_C(1490312914123),
		.type = LOG_TYPE_CONNECTION,
		.text = span_of_text(text),
	};
}

/* Read by a parser that is not ours. */
static json_t *parse(const struct log_item *item, const char *time)
{
	char text[LOG_FORMAT_MAX];
	json_error_t error;
	size_t len = log_format_json(text, item, span_of_text(time));
	assert_int_equal(text[len - 1], '\n');
	assert_null(memchr(text, '\n', len - 1));
	json_t *object = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	if (!object)
		print_error("%s in %.*s\n", error.text, (int)len, text);
	assert_non_null(object);
	return object;
}

static void assert_member(const json_t *object, const char *name, const char *value)
{
	const json_t *member = json_object_get(object, name);
	assert_non_null(member);
	assert_string_equal(json_string_value(member), value);
}

static void test_json_is_one_object(void **state)
{
	(void)state;
	struct log_item item = item_of("a \"quoted\" \\ tab\t and \303\244");
	json_t *object = parse(&item, "now");
	assert_int_equal(json_object_size(object), 3);
	assert_member(object, "time", "now");
	assert_member(object, "level", "notice");
	assert_member(object, "message", "a \"quoted\" \\ tab\t and \303\244");
	json_decref(object);
	object = parse(&item, "");
	assert_null(json_object_get(object, "time"));
	json_decref(object);
}

static void test_json_of_bytes_that_are_no_text(void **state)
{
	(void)state;
	struct log_item item = item_of("/var/\344\n\177");
	json_t *object = parse(&item, "");
	assert_member(object, "message", "/var/\303\244\n\177"); /* Latin-1, RFC 8259 escapes */
	json_decref(object);
}

static void test_json_has_the_client(void **state)
{
	(void)state;
	char client[300];
	memset(client, 'c', sizeof(client));
	struct log_item item = item_of("x");
	item.event = "client disconnected";
	item.client_id = span_of(client, sizeof(client));
	item.address = SPAN_LITERAL("127.0.0.1:1");
	item.reason_code = 0x8d;
	json_t *object = parse(&item, "");
	assert_member(object, "event", "client disconnected");
	assert_member(object, "address", "127.0.0.1:1");
	assert_int_equal(json_integer_value(json_object_get(object, "reason")), 0x8d);
	assert_int_equal(json_string_length(json_object_get(object, "client")), LOG_FIELD_MAX);
	json_decref(object);
}

/* The longest of all, with nothing but what must be escaped. */
static void test_json_of_any_line_has_room(void **state)
{
	(void)state;
	static char text[LOG_LINE_MAX + 1], client[LOG_FIELD_MAX + 1];
	memset(text, 1, LOG_LINE_MAX);
	memset(client, 1, LOG_FIELD_MAX);
	struct log_item item = item_of(text);
	item.event = "client disconnected";
	item.client_id = item.address = span_of_text(client);
	json_decref(parse(&item, "2017-03-23T23:48:34.123Z"));
}

static void test_time_is_of_rfc_3339(void **state)
{
	(void)state;
	char text[LOG_TIME_TEXT_MAX];
	log_time_text(UINT64_C(1490312914003), text);
	assert_string_equal(text, "2017-03-23T23:48:34.003Z"); /* date -u -d @1490312914 */
}

/* The journal's datagram, by its description: NAME, line end, 64 bits of length, value, line end. */
static void test_journal_gets_fields(void **state)
{
	(void)state;
	char text[LOG_FORMAT_MAX];
	struct log_item item = item_of("gone");
	item.event = "denied";
	item.client_id = SPAN_LITERAL("a\nPRIORITY=0");
	size_t len = log_format_journal(text, &item), at = 0;
	const char *fields[][2] = {
		{"PRIORITY", "5"},
		{"SYSLOG_IDENTIFIER", "nightjar"},
		{"NIGHTJAR_TYPE", "notice"},
		{"NIGHTJAR_EVENT", "denied"},
		{"NIGHTJAR_CLIENT", "a\nPRIORITY=0"},
		{"NIGHTJAR_REASON", "0"},
		{"MESSAGE", "gone"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(fields); i++) {
		size_t name_len = strlen(fields[i][0]), value_len = strlen(fields[i][1]);
		assert_memory_equal(text + at, fields[i][0], name_len);
		at += name_len;
		assert_int_equal(text[at++], '\n');
		assert_int_equal(text[at], value_len);
		for (unsigned j = 1; j < 8; j++)
			assert_int_equal(text[at + j], 0);
		assert_memory_equal(text + at + 8, fields[i][1], value_len);
		at += 8 + value_len;
		assert_int_equal(text[at++], '\n');
	}
	assert_int_equal(at, len);
}

/* Standard error is the journal's when JOURNAL_STREAM has its device and inode. */
static void test_journal_stream_is_found(void **state)
{
	(void)state;
	struct stat status;
	char text[64];
	int ends[2];
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(fstat(ends[1], &status), 0);
	snprintf(text, sizeof(text), "%llu:%llu", (unsigned long long)status.st_dev,
		 (unsigned long long)status.st_ino);
	setenv("JOURNAL_STREAM", text, 1);
	assert_true(log_sink_is_journal_stream(ends[1]));
	assert_false(log_sink_is_journal_stream(STDIN_FILENO));
	setenv("JOURNAL_STREAM", "nonsense", 1);
	assert_false(log_sink_is_journal_stream(ends[1]));
	unsetenv("JOURNAL_STREAM");
	assert_false(log_sink_is_journal_stream(ends[1]));
	close(ends[0]);
	close(ends[1]);
}

struct reader {
	char folder[32];
	char path[64];
	int fd;
	char text[LOG_FORMAT_MAX];
};

static void reader_open(struct reader *j)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	strcpy(j->folder, "/tmp/nightjar-log-XXXXXX");
	assert_non_null(mkdtemp(j->folder));
	snprintf(j->path, sizeof(j->path), "%s/journal", j->folder);
	strcpy(at.sun_path, j->path);
	j->fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	assert_int_equal(bind(j->fd, (struct sockaddr *)&at, sizeof(at)), 0);
}

static void reader_close(struct reader *j)
{
	close(j->fd);
	unlink(j->path);
	assert_int_equal(rmdir(j->folder), 0);
}

/* The value of MESSAGE, the last field, of the next datagram; NULL: there is none. */
static const char *reader_take(struct reader *j)
{
	ssize_t len = recv(j->fd, j->text, sizeof(j->text) - 1, MSG_DONTWAIT);
	if (len <= 0)
		return NULL;
	j->text[len - 1] = '\0';
	const char *field = memmem(j->text, (size_t)len, "MESSAGE\n", 8);
	assert_non_null(field);
	return field + 16;
}

static void open_log(struct logger *log, struct reader *j, uint32_t rate_max)
{
	char reason[LOG_REASON_MAX];
	struct log_options options = {
		.destinations = LOG_TO_JOURNAL,
		.types = LOG_TYPES_ALL,
		.rate_max = rate_max,
		.journal = j->path,
	};
	reader_open(j);
	options.journal = j->path;
	assert_int_equal(log_open(log, &options, reason), 0);
}

static void close_log(struct logger *log, struct reader *j)
{
	reader_close(j);
	log_close(log);
	assert_int_equal(mem_count_live(), 0);
}

static void log_event(struct log_buffer *b, unsigned kind, unsigned packet)
{
	struct event e = {.kind = (uint8_t)kind, .packet_type = (uint8_t)packet};
	struct event_detail d = {.client_id = SPAN_LITERAL("c"),
				 .address = SPAN_LITERAL("127.0.0.1:1")};
	log_buffer_event(b, &e, &d);
}

static void test_lines_of_an_event_keep_their_types(void **state)
{
	(void)state;
	struct reader j;
	struct logger log;
	struct log_buffer b;
	open_log(&log, &j, 0);
	log_buffer_init(&b, &log);
	log_event(&b, EVENT_CLIENT_CONNECTED, 0);
	log_buffer_flush(&b);
	assert_string_equal(reader_take(&j),
			    "New client connected from 127.0.0.1:1 as c (p0, c0, k0).");
	assert_non_null(memmem(j.text, 64, "PRIORITY\n\1\0\0\0\0\0\0\0005\n", 19));
	assert_string_equal(reader_take(&j), "No will message specified.");
	assert_non_null(memmem(j.text, 64, "PRIORITY\n\1\0\0\0\0\0\0\0007\n", 19));
	assert_null(reader_take(&j));
	log_buffer_release(&b);
	close_log(&log, &j);
}

static void test_flood_is_told_by_a_number(void **state)
{
	(void)state;
	struct reader j;
	struct logger log;
	open_log(&log, &j, 2);
	for (int i = 0; i < 1236; i++)
		log_line(&log, LOG_TYPE_WARNING, "no. %d", i);
	log_line(&log, LOG_TYPE_WARNING, "another");
	assert_string_equal(reader_take(&j), "no. 0");
	assert_string_equal(reader_take(&j), "no. 1");
	assert_string_equal(reader_take(&j), "another");
	assert_null(reader_take(&j));
	assert_in_range(log_look(&log), 1, LOG_RATE_WINDOW_MS);
	assert_null(reader_take(&j));
	/* at the end the rest is told */
	int kept = dup(j.fd);
	log_close(&log);
	assert_string_equal(reader_take(&j),
			    "1,234 more lines like this in the last 10 s: no. 1235");
	assert_null(reader_take(&j));
	close(kept);
	reader_close(&j);
	assert_int_equal(mem_count_live(), 0);
}

static void test_flood_of_packets_is_what_was_asked_for(void **state)
{
	(void)state;
	struct reader j;
	struct logger log;
	struct log_buffer b;
	open_log(&log, &j, 1);
	log_buffer_init(&b, &log);
	for (int i = 0; i < 3; i++)
		log_event(&b, EVENT_PACKET_IN, 12);
	for (int i = 0; i < 3; i++)
		log_event(&b, EVENT_CONNECTION_OPENED, 0);
	log_buffer_flush(&b);
	for (int i = 0; i < 3; i++)
		assert_string_equal(reader_take(&j), "Received PINGREQ from c");
	assert_string_equal(reader_take(&j), "New connection from 127.0.0.1:1 on port 0.");
	assert_null(reader_take(&j));
	log_buffer_release(&b);
	close_log(&log, &j);
}

static bool rate(struct log_rate *r, unsigned key, uint64_t now_ms)
{
	return log_rate_allows(r, 2, KEY(key), LOG_TYPE_NOTICE, SPAN_LITERAL("text"), now_ms);
}

static void test_rate_windows(void **state)
{
	(void)state;
	struct log_rate r = {0};
	assert_true(rate(&r, 1, 1000) && rate(&r, 1, 1001));
	assert_false(rate(&r, 1, 1002));
	assert_true(rate(&r, 2, 1003)); /* another place */
	assert_false(rate(&r, 1, 10999));
	assert_null(log_rate_ended(&r, 10999));
	assert_false(rate(&r, 1, 11500)); /* nobody asked yet: it is still the same flood */
	struct log_place *place = log_rate_ended(&r, 11500);
	assert_non_null(place);
	assert_int_equal(place->left_out, 3);
	log_place_restart(place);
	assert_null(log_rate_ended(&r, 11500));
	assert_true(rate(&r, 1, 11501));
	assert_true(rate(&r, 2, 30000));
	log_rate_release(&r);
	assert_int_equal(mem_count_live(), 0);
}

/* More places than there is room for: those that find none are not held back. */
static void test_rate_of_many_places(void **state)
{
	(void)state;
	struct log_rate r = {0};
	for (unsigned key = 1; key <= LOG_RATE_PLACES + 1; key++)
		assert_true(rate(&r, key, 1) && rate(&r, key, 1));
	for (unsigned key = 1; key <= LOG_RATE_PLACES; key++)
		assert_false(rate(&r, key, 1));
	assert_true(rate(&r, LOG_RATE_PLACES + 1, 1));
	unsigned count = 0;
	for (struct log_place *place; (place = log_rate_ended(&r, UINT64_MAX)); count++)
		log_place_restart(place);
	assert_int_equal(count, LOG_RATE_PLACES);
	log_rate_release(&r);
}

/* The letters are those of mosquitto.conf(5), log_dest. */
static void test_topics_of_types(void **state)
{
	(void)state;
	assert_string_equal(log_type_topic(LOG_TYPE_ERROR), "$SYS/broker/log/E");
	assert_string_equal(log_type_topic(LOG_TYPE_WARNING), "$SYS/broker/log/W");
	assert_string_equal(log_type_topic(LOG_TYPE_NOTICE), "$SYS/broker/log/N");
	assert_string_equal(log_type_topic(LOG_TYPE_CONNECTION), "$SYS/broker/log/N");
	assert_string_equal(log_type_topic(LOG_TYPE_INFORMATION), "$SYS/broker/log/I");
	assert_string_equal(log_type_topic(LOG_TYPE_SUBSCRIBE), "$SYS/broker/log/M/subscribe");
	assert_string_equal(log_type_topic(LOG_TYPE_UNSUBSCRIBE), "$SYS/broker/log/M/unsubscribe");
	assert_null(log_type_topic(LOG_TYPE_DEBUG));
}

static void count_wake(void *context)
{
	++*(unsigned *)context;
}

static void test_topic_ring_loses_what_nobody_takes(void **state)
{
	(void)state;
	unsigned wakes = 0;
	struct log_topic t = {.wake = count_wake, .context = &wakes};
	static char text[2 * LOG_TOPIC_LINE_MAX];
	static struct log_topic_line line;
	memset(text, 'x', sizeof(text));
	for (unsigned i = 0; i < LOG_TOPIC_LINES_MAX + 5; i++) {
		snprintf(text, sizeof(text), "%u", i);
		log_topic_add(&t, "a", span_of_text(text));
	}
	assert_int_equal(wakes, 1);
	for (unsigned i = 0; i < LOG_TOPIC_LINES_MAX; i++) {
		assert_true(log_topic_take(&t, &line));
		int len = snprintf(text, sizeof(text), "%u", i);
		assert_int_equal(line.len, len);
		assert_memory_equal(line.text, text, line.len);
	}
	assert_false(log_topic_take(&t, &line));
	memcpy(text + LOG_TOPIC_LINE_MAX - 1, "\303\244", 2); /* not within a character */
	log_topic_add(&t, "a", span_of(text, sizeof(text)));
	assert_int_equal(wakes, 2);
	assert_true(log_topic_take(&t, &line));
	assert_int_equal(line.len, LOG_TOPIC_LINE_MAX - 1);
	log_topic_release(&t);
	assert_int_equal(mem_count_live(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json_is_one_object),
		cmocka_unit_test(test_json_of_bytes_that_are_no_text),
		cmocka_unit_test(test_json_has_the_client),
		cmocka_unit_test(test_json_of_any_line_has_room),
		cmocka_unit_test(test_time_is_of_rfc_3339),
		cmocka_unit_test(test_journal_gets_fields),
		cmocka_unit_test(test_journal_stream_is_found),
		cmocka_unit_test(test_lines_of_an_event_keep_their_types),
		cmocka_unit_test(test_flood_is_told_by_a_number),
		cmocka_unit_test(test_flood_of_packets_is_what_was_asked_for),
		cmocka_unit_test(test_rate_windows),
		cmocka_unit_test(test_rate_of_many_places),
		cmocka_unit_test(test_topics_of_types),
		cmocka_unit_test(test_topic_ring_loses_what_nobody_takes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
