/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/format.h"

#include "cli/json_print.h"

#include <limits.h>

/* Wider than any line that somebody reads, narrower than what could fill a disk by mistake. */
#define WIDTH_MAX 10000

struct specifier {
	char letter; /* '\0' at the end of the format */
	bool fills_with_zeros;
	bool is_left;
	int width;
	int precision; /* -1: none */
};

static int read_digits(const char **at)
{
	int number = 0;
	for (; **at >= '0' && **at <= '9'; (*at)++)
		if (number < WIDTH_MAX)
			number = number * 10 + (**at - '0');
	return number < WIDTH_MAX ? number : WIDTH_MAX;
}

/* Reads on from behind the '%'. */
static struct specifier read_specifier(const char **at)
{
	struct specifier s = {.precision = -1};
	for (; **at == '0' || **at == '-'; (*at)++) {
		s.fills_with_zeros |= **at == '0';
		s.is_left |= **at == '-';
	}
	s.width = read_digits(at);
	if (**at == '.') {
		(*at)++;
		s.precision = read_digits(at);
	}
	s.letter = **at;
	if (s.letter != '\0')
		(*at)++;
	return s;
}

/* What a letter behind a backslash stands for; -1: nothing. */
static int escaped(char letter)
{
	switch (letter) {
	case '\\': return '\\';
	case '0': return '\0';
	case 'a': return '\a';
	case 'e': return 033;
	case 'n': return '\n';
	case 'r': return '\r';
	case 't': return '\t';
	case 'v': return '\v';
	default: return -1;
	}
}

static bool check_specifier(const char **at)
{
	char letter = read_specifier(at).letter;
	if (letter == '\0')
		fprintf(stderr, "Error: Incomplete format specifier.\n");
	else if (!strchr("%ACDEFIjJlmpPqRrStUxX", letter))
		fprintf(stderr, "Error: Invalid format specifier '%c'.\n", letter);
	else
		return true;
	return false;
}

static bool check_escape(const char **at)
{
	char letter = **at;
	if (letter == '\0')
		fprintf(stderr, "Error: Incomplete escape specifier.\n");
	else if (escaped(letter) < 0)
		fprintf(stderr, "Error: Invalid escape specifier '%c'.\n", letter);
	else
		(*at)++;
	return letter != '\0' && escaped(letter) >= 0;
}

bool format_check(const char *format)
{
	const char *at = format;
	while (*at != '\0') {
		char c = *at++;
		if (c == '%' && !check_specifier(&at))
			return false;
		if (c == '\\' && !check_escape(&at))
			return false;
		if (c == '@' && *at++ == '\0') {
			fprintf(stderr, "Error: Incomplete format specifier.\n");
			return false;
		}
	}
	return true;
}

static void fill(FILE *to, char with, size_t count)
{
	for (; count > 0; count--)
		fputc(with, to);
}

/* Text in a field: at least the width, at most the precision. */
static void print_text(FILE *to, const struct specifier *s, struct span text)
{
	size_t len = text.len;
	if (s->precision >= 0 && (size_t)s->precision < len)
		len = (size_t)s->precision;
	size_t padding = (size_t)s->width > len ? (size_t)s->width - len : 0;
	if (!s->is_left)
		fill(to, ' ', padding);
	if (len > 0)
		fwrite(text.ptr, 1, len, to);
	if (s->is_left)
		fill(to, ' ', padding);
}

static void print_number(FILE *to, const struct specifier *s, uint64_t number)
{
	if (s->is_left)
		fprintf(to, "%-*llu", s->width, (unsigned long long)number);
	else if (s->fills_with_zeros)
		fprintf(to, "%0*llu", s->width, (unsigned long long)number);
	else
		fprintf(to, "%*llu", s->width, (unsigned long long)number);
}

static bool find_property(const struct publish *m, enum property_id id, struct property *out)
{
	struct span rest = m->properties.raw;
	while (property_next(&rest, out))
		if (out->id == id)
			return true;
	return false;
}

/* A property that is not there is an empty text. */
static void print_number_of(FILE *to, const struct specifier *s, const struct publish *m,
			    enum property_id id)
{
	struct property property;
	if (find_property(m, id, &property))
		print_number(to, s, property.number);
	else
		print_text(to, s, SPAN_NONE);
}

static void print_text_of(FILE *to, const struct specifier *s, const struct publish *m,
			  enum property_id id)
{
	struct property property;
	print_text(to, s, find_property(m, id, &property) ? property.text : SPAN_NONE);
}

static void print_byte(FILE *to, char letter, uint8_t byte)
{
	if (letter == 'p')
		fputc(byte, to);
	else
		fprintf(to, letter == 'x' ? "%02x" : "%02X", byte);
}

/* The payload as it is or in hexadecimal; a width is also a limit, as for a column. */
static void print_payload(FILE *to, const struct specifier *s, struct span payload)
{
	size_t digits = s->letter == 'p' ? 1 : 2, len = payload.len;
	if (s->width > 0 && len * digits > (size_t)s->width)
		len = (size_t)s->width / digits;
	size_t padding = s->width > 0 ? (size_t)s->width - len * digits : 0;
	if (!s->is_left)
		fill(to, s->fills_with_zeros ? '0' : ' ', padding);
	if (s->letter == 'p' && len > 0)
		fwrite(payload.ptr, 1, len, to);
	for (size_t i = 0; s->letter != 'p' && i < len; i++)
		print_byte(to, s->letter, payload.ptr[i]);
	if (s->is_left)
		fill(to, ' ', padding);
}

static void print_user_properties(FILE *to, struct span rest)
{
	struct property property;
	bool is_first = true;
	while (property_next(&rest, &property)) {
		if (property.id != PROPERTY_USER_PROPERTY)
			continue;
		fprintf(to, "%s%.*s:%.*s", is_first ? "" : " ", (int)property.text.len,
			(const char *)property.text.ptr, (int)property.value.len,
			(const char *)property.value.ptr);
		is_first = false;
	}
}

static void print_time(FILE *to, const struct specifier *s, const char *format,
		       const struct timespec *when)
{
	char text[128];
	struct tm parts;
	if (!localtime_r(&when->tv_sec, &parts))
		return;
	print_text(to, s, span_of(text, strftime(text, sizeof(text), format, &parts)));
}

static void print_property(FILE *to, const struct specifier *s, const struct publish *m)
{
	const struct specifier plain = {.precision = -1};
	switch (s->letter) {
	case 'A': print_number_of(to, s, m, PROPERTY_TOPIC_ALIAS); break;
	case 'C': print_text_of(to, s, m, PROPERTY_CONTENT_TYPE); break;
	case 'D': print_text_of(to, &plain, m, PROPERTY_CORRELATION_DATA); break;
	case 'E': print_number_of(to, s, m, PROPERTY_MESSAGE_EXPIRY_INTERVAL); break;
	case 'F': print_number_of(to, s, m, PROPERTY_PAYLOAD_FORMAT_INDICATOR); break;
	case 'P': print_user_properties(to, m->properties.raw); break;
	case 'R': print_text_of(to, s, m, PROPERTY_RESPONSE_TOPIC); break;
	case 'S': print_number_of(to, s, m, PROPERTY_SUBSCRIPTION_IDENTIFIER); break;
	}
}

static void print_object(FILE *to, const struct json_style *style, const struct publish *m,
			 const struct timespec *when)
{
	if (!json_print(to, style, m, when))
		fprintf(stderr, "Error: Message payload is not valid JSON on topic %.*s.\n",
			(int)m->topic.len, (const char *)m->topic.ptr);
}

static void print_part(FILE *to, const struct format *f, const struct specifier *s,
		       const struct publish *m, const struct timespec *when)
{
	struct json_style style = {.is_pretty = f->is_pretty, .embeds_payload = s->letter == 'J'};
	switch (s->letter) {
	case '%': fputc('%', to); break;
	case 'I': print_time(to, s, "%FT%T%z", when); break;
	case 'U': fprintf(to, "%lld.%09ld", (long long)when->tv_sec, when->tv_nsec); break;
	case 'j':
	case 'J': print_object(to, &style, m, when); break;
	case 'l': print_number(to, s, m->payload.len); break;
	case 'm': print_number(to, s, m->packet_id); break;
	case 'q': fprintf(to, "%u", m->qos); break;
	case 'r': fputc(m->retain ? '1' : '0', to); break;
	case 't': print_text(to, s, m->topic); break;
	case 'p':
	case 'x':
	case 'X': print_payload(to, s, m->payload); break;
	default: print_property(to, s, m);
	}
}

void format_print(FILE *to, const struct format *f, const struct publish *message,
		  const struct timespec *when)
{
	const struct specifier plain = {.precision = -1};
	const char *at = f->text;
	while (*at != '\0') {
		char c = *at++;
		if (c == '%') {
			struct specifier s = read_specifier(&at);
			print_part(to, f, &s, message, when);
		} else if (c == '\\') {
			fputc(escaped(*at++), to);
		} else if (c == '@' && *at == '@') {
			fputc(*at++, to);
		} else if (c == '@' && *at == 'N') {
			fprintf(to, "%09ld", when->tv_nsec);
			at++;
		} else if (c == '@') {
			print_time(to, &plain, (const char[]){'%', *at++, '\0'}, when);
		} else {
			fputc(c, to);
		}
	}
}
