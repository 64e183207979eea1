/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/log_format.h"

#include "mqtt/wire.h"

#include <stdio.h>
#include <syslog.h>
#include <time.h>

/* The first that has the type's bit. Clients that come and go are notices. */
static const struct kind {
	unsigned type;
	int severity;
	const char *word, *topic;
} kinds[] = {
	{LOG_TYPE_ERROR, LOG_ERR, "error", "$SYS/broker/log/E"},
	{LOG_TYPE_WARNING, LOG_WARNING, "warning", "$SYS/broker/log/W"},
	{(unsigned)LOG_TYPE_NOTICE | LOG_TYPE_CONNECTION, LOG_NOTICE, "notice",
	 "$SYS/broker/log/N"},
	{LOG_TYPE_INFORMATION, LOG_INFO, "information", "$SYS/broker/log/I"},
	{LOG_TYPE_SUBSCRIBE, LOG_INFO, "subscribe", "$SYS/broker/log/M/subscribe"},
	{LOG_TYPE_UNSUBSCRIBE, LOG_INFO, "unsubscribe", "$SYS/broker/log/M/unsubscribe"},
	{LOG_TYPES_ALL, LOG_DEBUG, "debug", NULL},
};

static const struct kind *kind_of(unsigned type)
{
	const struct kind *kind = kinds;
	while ((kind->type & type) == 0 && kind->type != LOG_TYPES_ALL)
		kind++;
	return kind;
}

const char *log_type_word(unsigned type)
{
	return kind_of(type)->word;
}

int log_type_severity(unsigned type)
{
	return kind_of(type)->severity;
}

const char *log_type_topic(unsigned type)
{
	return kind_of(type)->topic;
}

size_t log_time_text(uint64_t time_ms, char text[LOG_TIME_TEXT_MAX])
{
	time_t second = (time_t)(time_ms / 1000);
	struct tm utc;
	size_t len =
		strftime(text, LOG_TIME_TEXT_MAX, "%Y-%m-%dT%H:%M:%S", gmtime_r(&second, &utc));
	if (len > 0)
		len += (size_t)snprintf(text + len, LOG_TIME_TEXT_MAX - len, ".%03uZ",
					(unsigned)(time_ms % 1000));
	return len;
}

struct format {
	char *text;
	size_t len;
};

static void put(struct format *w, struct span bytes)
{
	ASSERT(bytes.len <= LOG_FORMAT_MAX - w->len);
	memcpy(w->text + w->len, bytes.ptr, bytes.len);
	w->len += bytes.len;
}

static void put_text(struct format *w, const char *text)
{
	put(w, span_of_text(text));
}

/* What stays out of a JSON text as it is (RFC 8259, section 7). */
static void put_escaped(struct format *w, uint8_t byte)
{
	char text[8];
	if (byte == '"' || byte == '\\')
		snprintf(text, sizeof(text), "\\%c", byte);
	else
		snprintf(text, sizeof(text), "\\u%04x", byte);
	put_text(w, text);
}

/* Bytes that are no UTF-8 (a file's name in another encoding) are shown as if they were Latin-1. */
static bool is_plain(uint8_t byte, bool is_utf8)
{
	return byte >= 0x20 && byte != '"' && byte != '\\' && byte != 0x7f &&
	       (is_utf8 || byte < 0x80);
}

static void put_string(struct format *w, struct span text)
{
	bool is_utf8 = utf8_is_valid(text);
	size_t start = 0;
	put_text(w, "\"");
	for (size_t i = 0; i < text.len; i++) {
		if (is_plain(text.ptr[i], is_utf8))
			continue;
		put(w, span_of(text.ptr + start, i - start));
		put_escaped(w, text.ptr[i]);
		start = i + 1;
	}
	put(w, span_of(text.ptr + start, text.len - start));
	put_text(w, "\"");
}

static struct span cut(struct span text)
{
	size_t len = text.len;
	if (len <= LOG_FIELD_MAX)
		return text;
	len = LOG_FIELD_MAX;
	while (len > 0 && (text.ptr[len] & 0xc0) == 0x80) /* not within a character */
		len--;
	return span_of(text.ptr, len);
}

static void put_member(struct format *w, const char *name, struct span value)
{
	if (value.len == 0)
		return;
	put_text(w, w->len > 1 ? ",\"" : "\"");
	put_text(w, name);
	put_text(w, "\":");
	put_string(w, value);
}

size_t log_format_json(char *text, const struct log_item *e, struct span time)
{
	struct format w = {.text = text};
	put_text(&w, "{");
	put_member(&w, "time", time);
	put_member(&w, "level", span_of_text(log_type_word(e->type)));
	put_member(&w, "message", e->text);
	if (e->event) {
		char reason[16];
		put_member(&w, "event", span_of_text(e->event));
		put_member(&w, "client", cut(e->client_id));
		put_member(&w, "address", cut(e->address));
		snprintf(reason, sizeof(reason), ",\"reason\":%u", e->reason_code);
		put_text(&w, reason);
	}
	put_text(&w, "}\n");
	return w.len;
}

/* "NAME", a line end, the length as 8 bytes with the lowest first, the bytes, a line end. */
static void put_field(struct format *w, const char *name, struct span value)
{
	uint8_t len[8];
	if (value.len == 0)
		return;
	for (unsigned i = 0; i < sizeof(len); i++)
		len[i] = (uint8_t)(value.len >> (8 * i));
	put_text(w, name);
	put_text(w, "\n");
	put(w, span_of(len, sizeof(len)));
	put(w, value);
	put_text(w, "\n");
}

size_t log_format_journal(char *text, const struct log_item *e)
{
	struct format w = {.text = text};
	char number[16];
	snprintf(number, sizeof(number), "%d", log_type_severity(e->type));
	put_field(&w, "PRIORITY", span_of_text(number));
	put_field(&w, "SYSLOG_IDENTIFIER", SPAN_LITERAL("nightjar"));
	put_field(&w, "NIGHTJAR_TYPE", span_of_text(log_type_word(e->type)));
	if (e->event) {
		snprintf(number, sizeof(number), "%u", e->reason_code);
		put_field(&w, "NIGHTJAR_EVENT", span_of_text(e->event));
		put_field(&w, "NIGHTJAR_CLIENT", cut(e->client_id));
		put_field(&w, "NIGHTJAR_ADDRESS", cut(e->address));
		put_field(&w, "NIGHTJAR_REASON", span_of_text(number));
	}
	put_field(&w, "MESSAGE", e->text);
	return w.len;
}
