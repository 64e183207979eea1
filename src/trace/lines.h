/* SPDX-License-Identifier: Apache-2.0 */
/* Events as lines of text, in the words that MQTT users know from mosquitto's log. */
#ifndef NIGHTJAR_TRACE_LINES_H
#define NIGHTJAR_TRACE_LINES_H

#include "trace/event.h"

/*
 * Writes the line(s) for an event, without time stamp, NUL-terminated, several lines separated by
 * '\n', none at the end; returns the length in bytes, 0 when the event has no line. Bytes that are
 * not printable (control characters in client ids, topics) come out as \xNN, so that no peer can
 * forge lines. Truncates to the room.
 */
size_t event_lines(const struct event *event, const struct event_detail *detail, char *text,
		   size_t room);

/* What a line is about: bits, as the option log_type chooses them. */
enum log_type {
	LOG_TYPE_ERROR = 0x01,
	LOG_TYPE_WARNING = 0x02,
	LOG_TYPE_NOTICE = 0x04,
	LOG_TYPE_INFORMATION = 0x08,
	LOG_TYPE_DEBUG = 0x10, /* packets */
	LOG_TYPE_SUBSCRIBE = 0x20,
	LOG_TYPE_UNSUBSCRIBE = 0x40,
	LOG_TYPE_CONNECTION = 0x80, /* notices of clients that come and go */
};
#define LOG_TYPES_ALL 0xffu
#define LOG_TYPES_DEFAULT                                                                          \
	((unsigned)LOG_TYPE_ERROR | LOG_TYPE_WARNING | LOG_TYPE_NOTICE | LOG_TYPE_INFORMATION |    \
	 LOG_TYPE_CONNECTION)

/* As event_lines, only the lines of these types (LOG_TYPE_ bits). */
size_t event_lines_of_types(const struct event *event, const struct event_detail *detail,
			    unsigned types, char *text, size_t room);

/* The same, and each line begins with a byte that tells its type: LINE_MARK (line_text.h). */
size_t event_lines_marked(const struct event *event, const struct event_detail *detail,
			  unsigned types, char *text, size_t room);

/* Is it a line for a quiet log (connects, disconnects, refusals), or only for a verbose one? */
bool event_is_notice(const struct event *event);

#endif
