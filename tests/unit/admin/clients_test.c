/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admin/clients.h"

static void test_clients_are_found_by_their_connect(void **state)
{
	(void)state;
	struct clients c;
	clients_init(&c);
	assert_null(clients_find(&c, 8));
	clients_add(&c, 8, SPAN_LITERAL("a"));
	clients_add(&c, UINT64_C(1) << 32, SPAN_LITERAL(""));
	for (uint64_t id = 16; id < 16 + 8 * 1000; id += 8)
		clients_add(&c, id, span_of((const uint8_t *)&id, sizeof(id)));
	assert_false(c.is_out_of_memory);
	assert_int_equal(clients_find(&c, 8)->name_len, 1);
	assert_memory_equal(clients_find(&c, 8)->name, "a", 1);
	assert_int_equal(clients_find(&c, UINT64_C(1) << 32)->name_len, 0);
	assert_int_equal(clients_find(&c, 800)->log_id, 800);
	assert_null(clients_find(&c, 9));
	clients_release(&c);
}

static void test_clients_keep_the_first_name(void **state)
{
	(void)state;
	struct clients c;
	clients_init(&c);
	clients_add(&c, 8, SPAN_LITERAL("a"));
	clients_add(&c, 8, SPAN_LITERAL("b"));
	assert_memory_equal(clients_find(&c, 8)->name, "a", 1);
	clients_release(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clients_are_found_by_their_connect),
		cmocka_unit_test(test_clients_keep_the_first_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
