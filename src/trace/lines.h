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

/* Is it a line for a quiet log (connects, disconnects, refusals), or only for a verbose one? */
bool event_is_notice(const struct event *event);

#endif
