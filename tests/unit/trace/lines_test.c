/* SPDX-License-Identifier: Apache-2.0 */
/* Every line that the log can hold, as data: an event with its detail, and the text it makes. */
#include "trace/lines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "mqtt/reason.h"

#define TEXT(literal)                                                                              \
	{                                                                                          \
		(const uint8_t *)(literal), sizeof(literal) - 1                                    \
	}
#define TOPIC TEXT("home/living-room/temperature")
#define FROM_PUBLISHER                                                                             \
	{                                                                                          \
		.client_id = TEXT("Publisher1"), .address = TEXT("127.0.0.1:1234")                 \
	}
#define OF_PUBLISHER                                                                               \
	{                                                                                          \
		.client_id = TEXT("Publisher1"), .address = TEXT("127.0.0.1:1234"), .topic = TOPIC \
	}

static const struct will_view will = {.topic = TEXT("w/t"), .bytes = 3, .qos = 1, .retain = true};

struct line_case {
	const char *name;
	struct event event;
	struct event_detail detail;
	const char *text;
};

static const struct line_case cases[] = {
	{"opened",
	 {.kind = EVENT_CONNECTION_OPENED, .number = 1883},
	 {.address = TEXT("127.0.0.1:43210")},
	 "New connection from 127.0.0.1:43210 on port 1883."},
	{"refused before it has a name",
	 {.kind = EVENT_CONNECTION_REFUSED, .reason_code = REASON_UNSUPPORTED_PROTOCOL_VERSION},
	 {.address = TEXT("127.0.0.1:1234"), .text = "protocol level 7"},
	 "Connection from 127.0.0.1:1234 refused: protocol level 7 "
	 "(0x84 Unsupported Protocol Version)."},
	{"refused with a name",
	 {.kind = EVENT_CONNECTION_REFUSED, .reason_code = REASON_NOT_AUTHORIZED},
	 FROM_PUBLISHER,
	 "Client Publisher1 [127.0.0.1:1234] refused: Not authorized (0x87)."},
	{"refused without a code",
	 {.kind = EVENT_CONNECTION_REFUSED},
	 {.address = TEXT("[::1]:1234"), .text = "closed before CONNECT"},
	 "Connection from ::1:1234 refused: closed before CONNECT."},
	{"too fast",
	 {.kind = EVENT_LIMITED, .number = 3},
	 {.client_id = TEXT("Publisher1"),
	  .address = TEXT("127.0.0.1:1234"),
	  .text = "is held back: it sends faster than its listener allows"},
	 "Client Publisher1 [127.0.0.1:1234] is held back: it sends faster than its listener "
	 "allows. (3 like it were not shown.)"},
	{"short of memory",
	 {.kind = EVENT_LOAD, .state = 1, .number = 91},
	 {.text = "new connections are refused, QoS 0 is dropped"},
	 "Memory is at 91 % of memory_ceiling: new connections are refused, QoS 0 is dropped."},
	{"late",
	 {.kind = EVENT_LOAD, .number = 612},
	 {.text = "new connections wait"},
	 "Clients wait 612 ms for their turn: new connections wait."},
	{"banned address",
	 {.kind = EVENT_BANNED, .number = 300},
	 {.address = TEXT("[2001:db8::1]:1234"), .text = "too many failed logins"},
	 "Banned the address of 2001:db8::1:1234 for 300 s: too many failed logins; limit_exempt "
	 "and a reload end it."},
	{"banned user",
	 {.kind = EVENT_BANNED, .number = 1},
	 {.user_name = TEXT("jo\n"), .text = "too many failed logins"},
	 "Banned user 'jo\\x0A' for 1 s: too many failed logins; ban_users false and a reload end "
	 "it."},
	{"banned client",
	 {.kind = EVENT_BANNED, .number = 1},
	 {.client_id = TEXT("Publisher1"), .text = "it connects too often"},
	 "Banned client 'Publisher1' for 1 s: it connects too often; ban_client_ids false and a "
	 "reload end it."},
	{"connected, 3.1.1, clean session",
	 {.kind = EVENT_CLIENT_CONNECTED,
	  .version = MQTT_3_1_1,
	  .packet_id = 60,
	  .flags = EVENT_FLAG_CLEAN},
	 {.client_id = TEXT("Subscriber1"), .address = TEXT("[::1]:43210")},
	 "New client connected from ::1:43210 as Subscriber1 (p2, c1, k60).\n"
	 "No will message specified."},
	{"connected, 3.1, session kept, user",
	 {.kind = EVENT_CLIENT_CONNECTED, .version = MQTT_3_1, .packet_id = 65535},
	 {.client_id = TEXT("a"), .address = TEXT("127.0.0.1:1"), .user_name = TEXT("joe")},
	 "New client connected from 127.0.0.1:1 as a (p1, c0, k65535, u'joe').\n"
	 "No will message specified."},
	{"connected, 5, will",
	 {.kind = EVENT_CLIENT_CONNECTED, .version = MQTT_5, .flags = EVENT_FLAG_WILL},
	 {.client_id = TEXT("a"), .address = TEXT("127.0.0.1:1"), .will = &will},
	 "New client connected from 127.0.0.1:1 as a (p5, c0, k0).\n"
	 "Will message specified (3 bytes) (r1, q1).\n\tw/t"},
	{"disconnected by its own wish",
	 {.kind = EVENT_CLIENT_DISCONNECTED, .flags = EVENT_FLAG_CLEAN},
	 FROM_PUBLISHER,
	 "Client Publisher1 [127.0.0.1:1234] disconnected: it said goodbye."},
	{"disconnected by its own wish with will",
	 {.kind = EVENT_CLIENT_DISCONNECTED, .reason_code = REASON_DISCONNECT_WITH_WILL},
	 {.client_id = TEXT("a"), .address = TEXT("127.0.0.1:1"), .text = "client disconnected"},
	 "Client a [127.0.0.1:1] disconnected: it said goodbye and asked for its will."},
	{"disconnected by its own wish, with a reason",
	 {.kind = EVENT_CLIENT_DISCONNECTED, .reason_code = REASON_UNSPECIFIED_ERROR},
	 {.client_id = TEXT("a"), .address = TEXT("127.0.0.1:1"), .text = "client disconnected"},
	 "Client a [127.0.0.1:1] disconnected: client disconnected (0x80 Unspecified error)."},
	{"keep alive",
	 {.kind = EVENT_CLIENT_DISCONNECTED,
	  .reason_code = REASON_KEEP_ALIVE_TIMEOUT,
	  .number = 90},
	 {.client_id = TEXT("X"), .address = TEXT("127.0.0.1:1234")},
	 "Client X [127.0.0.1:1234] disconnected: keep alive timeout, no packet for 90 s."},
	{"keep alive, seconds unknown",
	 {.kind = EVENT_CLIENT_DISCONNECTED, .reason_code = REASON_KEEP_ALIVE_TIMEOUT},
	 {.client_id = TEXT("X"), .address = TEXT("127.0.0.1:1234"), .text = "frozen"},
	 "Client X [127.0.0.1:1234] disconnected: frozen."},
	{"taken over",
	 {.kind = EVENT_CLIENT_DISCONNECTED, .reason_code = REASON_SESSION_TAKEN_OVER},
	 {.client_id = TEXT("X"), .address = TEXT("127.0.0.1:1234")},
	 "Client X [127.0.0.1:1234] disconnected: Session taken over (0x8E)."},
	{"a mistake of the client's",
	 {.kind = EVENT_CLIENT_DISCONNECTED, .reason_code = REASON_TOPIC_NAME_INVALID},
	 {.client_id = TEXT("X"),
	  .address = TEXT("[2001:db8::1]:1234"),
	  .text = "wildcard in a topic name"},
	 "Client X [2001:db8::1:1234] disconnected: wildcard in a topic name "
	 "(0x90 Topic Name invalid)."},
	{"connection lost",
	 {.kind = EVENT_CLIENT_DISCONNECTED},
	 {.client_id = TEXT("X"), .address = TEXT("unix"), .text = "it closed the connection"},
	 "Client X [unix] disconnected: it closed the connection."},

	{"CONNECT in has no line of its own",
	 {.kind = EVENT_PACKET_IN, .packet_type = PACKET_CONNECT},
	 FROM_PUBLISHER,
	 ""},
	{"CONNACK",
	 {.kind = EVENT_PACKET_OUT, .packet_type = PACKET_CONNACK},
	 FROM_PUBLISHER,
	 "Sending CONNACK to Publisher1 (0, 0)"},
	{"CONNACK, session present",
	 {.kind = EVENT_PACKET_OUT,
	  .packet_type = PACKET_CONNACK,
	  .flags = EVENT_FLAG_SESSION_PRESENT},
	 FROM_PUBLISHER,
	 "Sending CONNACK to Publisher1 (1, 0)"},
	{"CONNACK to one without a name",
	 {.kind = EVENT_PACKET_OUT, .packet_type = PACKET_CONNACK, .reason_code = 5},
	 {.address = TEXT("127.0.0.1:1234")},
	 "Sending CONNACK to 127.0.0.1:1234 (0, 5)"},
	{"nobody at all",
	 {.kind = EVENT_PACKET_OUT, .packet_type = PACKET_CONNACK, .reason_code = 1},
	 {.text = NULL},
	 "Sending CONNACK to <unknown> (0, 1)"},
	{"PUBLISH in, QoS 2",
	 {.kind = EVENT_PACKET_IN,
	  .packet_type = PACKET_PUBLISH,
	  .qos = 2,
	  .packet_id = 1,
	  .bytes = 12},
	 OF_PUBLISHER,
	 "Received PUBLISH from Publisher1 (d0, q2, r0, m1, 'home/living-room/temperature', "
	 "... (12 bytes))"},
	{"PUBLISH in, again and retained",
	 {.kind = EVENT_PACKET_IN,
	  .packet_type = PACKET_PUBLISH,
	  .qos = 1,
	  .packet_id = 65535,
	  .flags = EVENT_FLAG_DUP | EVENT_FLAG_RETAIN},
	 OF_PUBLISHER,
	 "Received PUBLISH from Publisher1 (d1, q1, r1, m65535, 'home/living-room/temperature', "
	 "... (0 bytes))"},
	{"PUBLISH out, QoS 0 has no packet id",
	 {.kind = EVENT_PACKET_OUT,
	  .packet_type = PACKET_PUBLISH,
	  .packet_id = 7,
	  .bytes = UINT32_MAX},
	 OF_PUBLISHER,
	 "Sending PUBLISH to Publisher1 (d0, q0, r0, m0, 'home/living-room/temperature', "
	 "... (4294967295 bytes))"},
	{"PUBACK out",
	 {.kind = EVENT_PACKET_OUT, .packet_type = PACKET_PUBACK, .packet_id = 1},
	 FROM_PUBLISHER,
	 "Sending PUBACK to Publisher1 (Mid: 1)"},
	{"PUBACK in",
	 {.kind = EVENT_PACKET_IN, .packet_type = PACKET_PUBACK, .packet_id = 1},
	 FROM_PUBLISHER,
	 "Received PUBACK from Publisher1 (Mid: 1)"},
	{"PUBACK out, refused",
	 {.kind = EVENT_PACKET_OUT,
	  .packet_type = PACKET_PUBACK,
	  .packet_id = 1,
	  .reason_code = REASON_QUOTA_EXCEEDED},
	 FROM_PUBLISHER,
	 "Sending PUBACK to Publisher1 (Mid: 1, RC: 0x97 Quota exceeded)"},
	{"PUBREC out, nobody wants it",
	 {.kind = EVENT_PACKET_OUT,
	  .packet_type = PACKET_PUBREC,
	  .packet_id = 300,
	  .reason_code = REASON_NO_MATCHING_SUBSCRIBERS},
	 FROM_PUBLISHER,
	 "Sending PUBREC to Publisher1 (Mid: 300, RC: 0x10 No matching subscribers)"},
	{"PUBREC in",
	 {.kind = EVENT_PACKET_IN, .packet_type = PACKET_PUBREC, .packet_id = 2},
	 FROM_PUBLISHER,
	 "Received PUBREC from Publisher1 (Mid: 2)"},
	{"PUBREL in",
	 {.kind = EVENT_PACKET_IN, .packet_type = PACKET_PUBREL, .packet_id = 2},
	 FROM_PUBLISHER,
	 "Received PUBREL from Publisher1 (Mid: 2)"},
	{"PUBREL out, unknown",
	 {.kind = EVENT_PACKET_OUT,
	  .packet_type = PACKET_PUBREL,
	  .packet_id = 2,
	  .reason_code = REASON_PACKET_IDENTIFIER_NOT_FOUND},
	 FROM_PUBLISHER,
	 "Sending PUBREL to Publisher1 (Mid: 2, RC: 0x92 Packet Identifier not found)"},
	{"PUBCOMP out",
	 {.kind = EVENT_PACKET_OUT, .packet_type = PACKET_PUBCOMP, .packet_id = 2},
	 FROM_PUBLISHER,
	 "Sending PUBCOMP to Publisher1 (Mid: 2)"},
	{"PUBCOMP in",
	 {.kind = EVENT_PACKET_IN, .packet_type = PACKET_PUBCOMP, .packet_id = 2},
	 FROM_PUBLISHER,
	 "Received PUBCOMP from Publisher1 (Mid: 2)"},
	{"SUBSCRIBE",
	 {.kind = EVENT_PACKET_IN, .packet_type = PACKET_SUBSCRIBE, .packet_id = 1},
	 {.client_id = TEXT("Subscriber1")},
	 "Received SUBSCRIBE from Subscriber1"},
	{"SUBACK",
	 {.kind = EVENT_PACKET_OUT, .packet_type = PACKET_SUBACK, .packet_id = 1},
	 {.client_id = TEXT("Subscriber1")},
	 "Sending SUBACK to Subscriber1"},
	{"UNSUBSCRIBE",
	 {.kind = EVENT_PACKET_IN, .packet_type = PACKET_UNSUBSCRIBE, .packet_id = 1},
	 {.client_id = TEXT("Subscriber1")},
	 "Received UNSUBSCRIBE from Subscriber1"},
	{"UNSUBACK",
	 {.kind = EVENT_PACKET_OUT, .packet_type = PACKET_UNSUBACK, .packet_id = 1},
	 {.client_id = TEXT("Subscriber1")},
	 "Sending UNSUBACK to Subscriber1"},
	{"PINGREQ",
	 {.kind = EVENT_PACKET_IN, .packet_type = PACKET_PINGREQ},
	 FROM_PUBLISHER,
	 "Received PINGREQ from Publisher1"},
	{"PINGRESP",
	 {.kind = EVENT_PACKET_OUT, .packet_type = PACKET_PINGRESP},
	 FROM_PUBLISHER,
	 "Sending PINGRESP to Publisher1"},
	{"DISCONNECT in",
	 {.kind = EVENT_PACKET_IN, .packet_type = PACKET_DISCONNECT},
	 FROM_PUBLISHER,
	 "Received DISCONNECT from Publisher1"},
	{"DISCONNECT in, with will",
	 {.kind = EVENT_PACKET_IN, .packet_type = PACKET_DISCONNECT, .reason_code = 4},
	 FROM_PUBLISHER,
	 "Received DISCONNECT from Publisher1 (RC: 0x04 Disconnect with Will Message)"},
	{"DISCONNECT out",
	 {.kind = EVENT_PACKET_OUT,
	  .packet_type = PACKET_DISCONNECT,
	  .reason_code = REASON_SERVER_SHUTTING_DOWN},
	 FROM_PUBLISHER,
	 "Sending DISCONNECT to Publisher1 (RC: 0x8B Server shutting down)"},
	{"AUTH in",
	 {.kind = EVENT_PACKET_IN,
	  .packet_type = PACKET_AUTH,
	  .reason_code = REASON_REAUTHENTICATE},
	 FROM_PUBLISHER,
	 "Received AUTH from Publisher1 (RC: 0x19 Re-authenticate)"},

	{"filter granted",
	 {.kind = EVENT_FILTER, .packet_type = PACKET_SUBSCRIBE},
	 {.client_id = TEXT("Subscriber1"), .topic = TOPIC},
	 "\thome/living-room/temperature (QoS 0)\nSubscriber1 0 home/living-room/temperature"},
	{"filter granted with less",
	 {.kind = EVENT_FILTER, .packet_type = PACKET_SUBSCRIBE, .qos = 2, .reason_code = 1},
	 {.client_id = TEXT("Subscriber1"), .topic = TEXT("#")},
	 "\t# (QoS 2)\nSubscriber1 1 #"},
	{"filter refused",
	 {.kind = EVENT_FILTER,
	  .packet_type = PACKET_SUBSCRIBE,
	  .qos = 1,
	  .reason_code = REASON_TOPIC_FILTER_INVALID},
	 {.client_id = TEXT("a"), .topic = TEXT("x#")},
	 "\tx# (QoS 1)\na may not have x#: Topic Filter invalid (0x8F)"},
	{"filter given up",
	 {.kind = EVENT_FILTER, .packet_type = PACKET_UNSUBSCRIBE},
	 {.client_id = TEXT("Subscriber1"), .topic = TEXT("y/z")},
	 "\ty/z\nSubscriber1 y/z"},
	{"filter given up that was not there",
	 {.kind = EVENT_FILTER, .packet_type = PACKET_UNSUBSCRIBE, .reason_code = 0x11},
	 {.client_id = TEXT("a"), .topic = TEXT("y")},
	 "\ty\na y (0x11 No subscription existed)"},

	{"delivery step", {.kind = EVENT_DELIVERY_STEP, .packet_id = 1}, FROM_PUBLISHER, ""},
	{"queued", {.kind = EVENT_QUEUED, .number = 5}, OF_PUBLISHER, ""},
	{"no kind", {.kind = EVENT_KIND_COUNT}, FROM_PUBLISHER, ""},
	{"dropped",
	 {.kind = EVENT_DROPPED, .bytes = 12},
	 {.client_id = TEXT("slow"), .topic = TEXT("a"), .text = "its output is full"},
	 "Dropped PUBLISH to slow (d0, q0, r0, m0, 'a', ... (12 bytes)): its output is full"},
	{"subscription",
	 {.kind = EVENT_SUBSCRIPTION, .qos = 1},
	 {.client_id = TEXT("a"), .topic = TEXT("x/#")},
	 "Subscription of a: x/# (QoS 1)"},
	{"subscriptions left out",
	 {.kind = EVENT_SUBSCRIPTION, .number = 7},
	 {.client_id = TEXT("")},
	 "And 7 more subscriptions."},
	{"will",
	 {.kind = EVENT_WILL_PUBLISHED, .qos = 1, .bytes = 3, .flags = EVENT_FLAG_RETAIN},
	 {.client_id = TEXT("a"), .topic = TEXT("w/t")},
	 "Publishing will of a (q1, r1, 'w/t', ... (3 bytes))"},
	{"session expired",
	 {.kind = EVENT_SESSION_ENDED},
	 {.client_id = TEXT("a"), .text = "it expired"},
	 "Session of a ended: it expired."},
	{"session ended",
	 {.kind = EVENT_SESSION_ENDED},
	 {.client_id = TEXT("a")},
	 "Session of a ended."},
	{"session not meant to last",
	 {.kind = EVENT_SESSION_ENDED, .flags = EVENT_FLAG_CLEAN},
	 {.client_id = TEXT("a")},
	 ""},
};

static void test_lines_every_format(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		char text[512];
		memset(text, '?', sizeof(text));
		size_t len = event_lines(&cases[i].event, &cases[i].detail, text, sizeof(text));
		if (strcmp(text, cases[i].text) != 0)
			print_error("case \"%s\"\n", cases[i].name);
		assert_string_equal(text, cases[i].text);
		assert_int_equal(len, strlen(text));
	}
}

/* With any room: a beginning of the whole, NUL-terminated, no bytes beyond. */
static void test_lines_truncated_to_any_room(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		for (size_t room = 0; room <= strlen(cases[i].text) + 1; room++) {
			char text[512];
			memset(text, '?', sizeof(text));
			size_t len = event_lines(&cases[i].event, &cases[i].detail, text, room);
			assert_true(room == 0 ? len == 0 : len < room);
			if (room > 0)
				assert_int_equal(text[len], '\0');
			assert_int_equal(text[room], '?');
			assert_memory_equal(text, cases[i].text, len);
			assert_true(len == 0 || text[len - 1] != '\n');
		}
	}
}

struct foreign_case {
	struct span bytes;
	const char *text;
};

static const struct foreign_case foreign_cases[] = {
	{TEXT("plain text 1.0"), "plain text 1.0"},
	{TEXT("line\nNew client"), "line\\x0ANew client"},
	{TEXT("a\r\t\x1b[2J\x7f"), "a\\x0D\\x09\\x1B[2J\\x7F"},
	{TEXT("nul\0inside"), "nul\\x00inside"},
	{TEXT("gr\xC3\xBC\xC3\x9F \xE6\xB8\xA9 \xF0\x9F\x8C\xA1"),
	 "gr\xC3\xBC\xC3\x9F \xE6\xB8\xA9 \xF0\x9F\x8C\xA1"},
	{TEXT("\xC2\x9B"
	      "2J"),
	 "\\xC2\\x9B2J"},                          /* U+009B: a terminal's CSI */
	{TEXT("\xE2\x80\xA8"), "\\xE2\\x80\\xA8"}, /* line separator */
	{TEXT("\xE2\x80\xAE"
	      "evil"),
	 "\\xE2\\x80\\xAE"
	 "evil"}, /* right to left */
	{TEXT("\xEF\xBB\xBF"), "\\xEF\\xBB\\xBF"},
	{TEXT("\xFF\xFE"), "\\xFF\\xFE"},
	{TEXT("\xC0\xAF"), "\\xC0\\xAF"},                   /* over-long '/' */
	{TEXT("\xED\xA0\x80"), "\\xED\\xA0\\x80"},          /* surrogate */
	{TEXT("\xF4\x90\x80\x80"), "\\xF4\\x90\\x80\\x80"}, /* over U+10FFFF */
	{TEXT("cut\xE6\xB8"), "cut\\xE6\\xB8"},
};

static void test_lines_foreign_bytes_cannot_forge(void **state)
{
	(void)state;
	struct event event = {.kind = EVENT_PACKET_IN, .packet_type = PACKET_PINGREQ};
	for (size_t i = 0; i < ARRAY_COUNT(foreign_cases); i++) {
		struct event_detail detail = {.client_id = foreign_cases[i].bytes};
		char text[256], expected[256];
		snprintf(expected, sizeof(expected), "Received PINGREQ from %s",
			 foreign_cases[i].text);
		event_lines(&event, &detail, text, sizeof(text));
		assert_string_equal(text, expected);
	}
}

/* Every place where a peer's bytes are shown escapes them. */
static void test_lines_all_foreign_fields_are_escaped(void **state)
{
	(void)state;
	const struct will_view bad_will = {.topic = TEXT("w\n")};
	const struct event_detail detail = {
		.client_id = TEXT("c\n"),
		.topic = TEXT("t\n"),
		.user_name = TEXT("u\n"),
		.address = TEXT("a\n"),
		.will = &bad_will,
		.text = "text",
	};
	for (unsigned kind = 0; kind < EVENT_KIND_COUNT; kind++) {
		for (unsigned packet = 0; packet <= PACKET_AUTH; packet++) {
			struct event event = {.kind = (uint8_t)kind,
					      .flags = EVENT_FLAG_WILL,
					      .packet_type = (uint8_t)packet};
			char text[512];
			event_lines(&event, &detail, text, sizeof(text));
			unsigned line_ends = 0;
			for (const char *p = text; *p; p++)
				line_ends += *p == '\n';
			unsigned expected = kind == EVENT_CLIENT_CONNECTED ? 2
					    : kind == EVENT_FILTER         ? 1
									   : 0;
			assert_int_equal(line_ends, expected);
		}
	}
}

static void test_lines_only_of_the_wanted_types(void **state)
{
	(void)state;
	struct event filter = {.kind = EVENT_FILTER, .packet_type = PACKET_SUBSCRIBE};
	struct event connected = {.kind = EVENT_CLIENT_CONNECTED, .version = MQTT_5};
	struct event_detail detail = {
		.client_id = TEXT("a"), .topic = TEXT("t"), .address = TEXT("h:1")};
	char text[128];
	event_lines_of_types(&filter, &detail, LOG_TYPE_SUBSCRIBE, text, sizeof(text));
	assert_string_equal(text, "a 0 t");
	event_lines_of_types(&filter, &detail, LOG_TYPE_DEBUG, text, sizeof(text));
	assert_string_equal(text, "\tt (QoS 0)");
	assert_int_equal(
		event_lines_of_types(&filter, &detail, LOG_TYPE_UNSUBSCRIBE, text, sizeof(text)),
		0);
	event_lines_of_types(&connected, &detail, LOG_TYPES_DEFAULT, text, sizeof(text));
	assert_string_equal(text, "New client connected from h:1 as a (p5, c0, k0).");
	assert_int_equal(
		event_lines_of_types(&connected, &detail, LOG_TYPE_NOTICE, text, sizeof(text)), 0);
	filter.packet_type = PACKET_UNSUBSCRIBE;
	event_lines_of_types(&filter, &detail, LOG_TYPE_UNSUBSCRIBE, text, sizeof(text));
	assert_string_equal(text, "a t");
}

static void test_notices_are_what_a_quiet_log_shows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		char text[512];
		size_t len = event_lines_of_types(&cases[i].event, &cases[i].detail,
						  LOG_TYPES_DEFAULT, text, sizeof(text));
		assert_int_equal(event_is_notice(&cases[i].event), len > 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_every_format),
		cmocka_unit_test(test_lines_truncated_to_any_room),
		cmocka_unit_test(test_lines_foreign_bytes_cannot_forge),
		cmocka_unit_test(test_lines_all_foreign_fields_are_escaped),
		cmocka_unit_test(test_lines_only_of_the_wanted_types),
		cmocka_unit_test(test_notices_are_what_a_quiet_log_shows),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
