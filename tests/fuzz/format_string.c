/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A format of sub's -F, a NUL, and a PUBLISH of version 5 (flags and body) to be printed with it.
 * What the check lets through is printed; the same each time; and in two parts as in one, wherever
 * both parts are formats.
 */
#include "cli/format.h"
#include "quiet.h"

#define FORMAT_MAX 64 /* a width may print 10,000 bytes */

static const struct timespec when = {.tv_sec = 86400, .tv_nsec = 42};

struct printed {
	char *text;
	size_t len;
};

static void print(struct printed *p, const char *format, const struct publish *m)
{
	FILE *to = open_memstream(&p->text, &p->len);
	CHECK(to);
	format_print(to, &(struct format){.text = format}, m, &when);
	fclose(to);
}

static bool is_format(const char *format)
{
	struct quiet quiet;
	quiet_begin(&quiet);
	bool is_good = format_check(format);
	quiet_end(&quiet);
	CHECK(is_good == (quiet.err_len == 0));
	quiet_release(&quiet);
	return is_good;
}

/* The first `len` letters, and the others. */
static void check_parts(const char *format, size_t len, const struct publish *m,
			const struct printed *whole)
{
	char first[FORMAT_MAX + 1] = "";
	struct printed a, b;
	memcpy(first, format, len);
	if (!is_format(first) || !is_format(format + len))
		return;
	print(&a, first, m);
	print(&b, format + len, m);
	CHECK(a.len + b.len == whole->len);
	CHECK(memcmp(whole->text, a.text, a.len) == 0);
	CHECK(memcmp(whole->text + a.len, b.text, b.len) == 0);
	free(a.text);
	free(b.text);
}

static void check_plain(const char *format, const struct printed *whole)
{
	if (strpbrk(format, "%\\@"))
		return;
	CHECK(whole->len == strlen(format) && memcmp(whole->text, format, whole->len) == 0);
}

static void check(const char *format, const struct publish *m)
{
	struct printed whole;
	if (!is_format(format))
		return;
	print(&whole, format, m);
	check_plain(format, &whole);
	for (size_t len = 0; len <= strlen(format); len++)
		check_parts(format, len, m, &whole);
	free(whole.text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char format[FORMAT_MAX + 1] = "";
	const uint8_t *end = len ? memchr(data, '\0', len) : NULL;
	size_t format_len = end ? (size_t)(end - data) : len, rest = len - format_len;
	struct publish m = {.topic = SPAN_LITERAL("a"), .payload = SPAN_LITERAL("hello")};
	if (format_len > FORMAT_MAX)
		return 0;
	if (format_len > 0)
		memcpy(format, data, format_len);
	uint8_t *body = fuzz_copy(rest > 2 ? end + 2 : data, rest > 2 ? rest - 2 : 0);
	struct publish decoded;
	if (rest > 2 && !publish_decode(end[1] & 15, span_of(body, rest - 2), MQTT_5, &decoded))
		m = decoded;
	check(format, &m);
	free(body);
	return 0;
}
