/* SPDX-License-Identifier: Apache-2.0 */
#include "configured.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"

void configured_finish(struct configured *c)
{
	c->rc = config_finish(&c->config, &c->report);
	c->errors = mem_copy_text(buffer_content(&c->report.errors));
	c->notices = mem_copy_text(buffer_content(&c->report.notices));
	assert_non_null(c->errors);
	assert_non_null(c->notices);
}

static void add_ports(struct configured *c, const char *ports)
{
	int len = 0;
	char port[16];
	for (; sscanf(ports, "%15s%n", port, &len) == 1; ports += len)
		assert_int_equal(config_add_port(&c->config, port, &c->report), 0);
}

void configure(struct configured *c, const char *text, const char *ports)
{
	*c = (struct configured){0};
	config_init(&c->config);
	if (text) {
		int rc = config_load_text(&c->config, "f.conf", span_of_text(text), &c->report);
		assert_int_equal(rc, c->report.error_count > 0 ? ERROR_INVALID : 0);
	}
	add_ports(c, ports);
	configured_finish(c);
}

void configure_bytes(struct configured *c, struct span text)
{
	*c = (struct configured){0};
	config_init(&c->config);
	int rc = config_load_text(&c->config, "f.conf", text, &c->report);
	assert_int_equal(rc, c->report.error_count > 0 ? ERROR_INVALID : 0);
	configured_finish(c);
}

void configured_release(struct configured *c)
{
	mem_free(c->errors);
	mem_free(c->notices);
	config_report_release(&c->report);
	config_release(&c->config);
}
