/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a configuration file: it is read, or refused with lines that a terminal may show,
 * and what was read is within the bounds of the table.
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct config c;
	struct config_report report = {0};
	uint8_t *copy = fuzz_copy(data, len);
	config_init(&c);
	int load_rc = config_load_text(&c, "f.conf", span_of(copy, len), &report);
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
