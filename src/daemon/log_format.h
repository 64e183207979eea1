/* SPDX-License-Identifier: Apache-2.0 */
/* A line of the log and what is known of it, in the forms that its readers want. */
#ifndef NIGHTJAR_DAEMON_LOG_FORMAT_H
#define NIGHTJAR_DAEMON_LOG_FORMAT_H

#include "base/base.h"
#include "trace/lines.h"

struct log_item {
	uint64_t time_ms;  /* since 1970 */
	unsigned type;     /* one bit of LOG_TYPE_ */
	struct span text;  /* one line, without its end; at most LOG_LINE_MAX (log.h) */
	const char *event; /* "client connected"; NULL: none, and then none of the rest */
	struct span client_id, address;
	uint8_t reason_code;
};

/* "error", "warning" and so on. */
const char *log_type_word(unsigned type);
/* As syslog(3) and the journal count: LOG_ERR to LOG_DEBUG. */
int log_type_severity(unsigned type);
/* Where mosquitto publishes a line of this type, as its users expect it; NULL: nowhere. What it
 * causes itself would be of that type: packets. */
const char *log_type_topic(unsigned type);

/* "2017-03-23T22:48:34.123Z" */
#define LOG_TIME_TEXT_MAX 32
size_t log_time_text(uint64_t time_ms, char text[LOG_TIME_TEXT_MAX]);

/* What is known of a line beyond its text is cut to this. */
#define LOG_FIELD_MAX 256
/* Room for a line in either form: a byte of text becomes at most six. */
#define LOG_FORMAT_MAX 16384

/* One JSON object and a line end, with the time in that form (empty: without it), into
 * LOG_FORMAT_MAX bytes. Its length. */
size_t log_format_json(char *text, const struct log_item *e, struct span time);
/* Fields of the journal's own protocol, with values of any bytes. As above. */
size_t log_format_journal(char *text, const struct log_item *e);

#endif
