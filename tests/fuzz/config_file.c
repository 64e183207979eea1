/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a configuration file: it is read, or refused with lines that a terminal may show,
 * and what was read is within the bounds of the table. Bytes behind a file separator (0x1C, which
 * no configuration may hold) are one more file, in whichever directory is included.
 */
#include "config/config.h"
#include "fuzz.h"

/* Lines of printable text; the bytes over 0x7F are of UTF-8 that line_foreign let through. */
static unsigned check_lines(struct span text)
{
	unsigned lines = 0;
	for (size_t i = 0; i < text.len; i++) {
		CHECK(text.ptr[i] >= 0x20 || text.ptr[i] == '\n');
		CHECK(text.ptr[i] != 0x7F);
		lines += text.ptr[i] == '\n';
	}
	CHECK(text.len == 0 || text.ptr[text.len - 1] == '\n');
	return lines;
}

static void check_report(const struct config_report *r)
{
	unsigned lines = check_lines(buffer_content(&r->errors));
	if (r->error_count <= CONFIG_ERRORS_MAX)
		CHECK(lines == r->error_count);
	else
		CHECK(lines == CONFIG_ERRORS_MAX + 1);
	check_lines(buffer_content(&r->notices));
}

static void check_config(const struct config *c)
{
	const struct settings *s = &c->settings;
	CHECK(c->listener_count >= 1 && c->listener_count <= CONFIG_LISTENERS_MAX);
	CHECK(s->qos_max <= 2);
	CHECK(s->packet_bytes_max >= 20);
	CHECK(s->receive_maximum >= 1 && s->in_flight_max >= 1 && s->topic_levels_max >= 1);
	CHECK(s->queue_full_policy <= QUEUE_FULL_DROP_OLDEST);
	CHECK((c->log_destinations & LOG_TO_FILE) == 0 || c->log_file);
	for (size_t i = 0; i < c->listener_count; i++)
		CHECK(c->listeners[i].family <= SOCKET_FAMILY_IPV6);
}

#define SEPARATOR 0x1C

/* The text of the file of that number, or false when there are not so many. */
static bool file_find(struct span all, unsigned number, struct span *text_out)
{
	for (;; number--) {
		const uint8_t *end = all.len > 0 ? memchr(all.ptr, SEPARATOR, all.len) : NULL;
		size_t len = end ? (size_t)(end - all.ptr) : all.len;
		*text_out = span_of(all.ptr, len);
		if (number == 0)
			return true;
		if (!end)
			return false;
		all = span_of(end + 1, all.len - len - 1);
	}
}

/* Paths end in "/7.conf". */
static int input_read(void *context, const char *path, struct buffer *text,
		      struct config_file_id *id_out, char reason[CONFIG_REASON_MAX])
{
	struct span found;
	const char *slash = strrchr(path, '/');
	unsigned number = (unsigned)strtoul(slash ? slash + 1 : path, NULL, 10);
	if (!slash || !file_find(*(struct span *)context, number, &found)) {
		snprintf(reason, CONFIG_REASON_MAX, "cannot be opened");
		return ERROR_SYSTEM;
	}
	*id_out = (struct config_file_id){1, number};
	return buffer_append(text, found);
}

static int input_list(void *context, const char *path, struct buffer *names,
		      char reason[CONFIG_REASON_MAX])
{
	const struct span *all = context;
	struct span found;
	char name[32];
	(void)path;
	(void)reason;
	for (unsigned i = 1; i <= CONFIG_FILES_MAX && file_find(*all, i, &found); i++) {
		int len = snprintf(name, sizeof(name), "%u.conf", i);
		CHECK(buffer_append(names, span_of((uint8_t *)name, (size_t)len + 1)) == 0);
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct config c;
	struct config_report report = {0};
	uint8_t *copy = fuzz_copy(data, len);
	struct span input = span_of(copy, len), main_text;
	CHECK(file_find(input, 0, &main_text));
	config_init(&c);
	c.source = (struct config_source){input_read, input_list, &input};
	int load_rc = config_load_text(&c, "f.conf", main_text, &report);
	CHECK((load_rc == 0) == (report.error_count == 0));
	int rc = config_finish(&c, &report);
	CHECK((rc == 0) == (report.error_count == 0));
	check_report(&report);
	if (rc == 0)
		check_config(&c);
	config_report_release(&report);
	config_release(&c);
	free(copy);
	return 0;
}
