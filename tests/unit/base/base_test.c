/* SPDX-License-Identifier: Apache-2.0 */
/* Spans, byte order, error names, the hash and the list. */
#include "random.h"

#include "base/hash.h"
#include "base/list.h"

static void test_spans(void **state)
{
	(void)state;
	assert_true(span_is_equal(SPAN_NONE, SPAN_NONE));
	assert_true(span_is_equal(SPAN_NONE, span_of_text("")));
	assert_true(span_is_equal(SPAN_LITERAL("abc"), span_of("abcd", 3)));
	assert_false(span_is_equal(SPAN_LITERAL("abc"), SPAN_LITERAL("abd")));
	assert_false(span_is_equal(SPAN_LITERAL("abc"), SPAN_LITERAL("ab")));
}

static void test_byte_order(void **state)
{
	(void)state;
	uint8_t bytes[6];
	assert_ptr_equal(store_u16(bytes, 0xA1B2), bytes + 2);
	assert_ptr_equal(store_u32(bytes + 2, 0xC3D4E5F6), bytes + 6);
	assert_memory_equal(bytes, "\xA1\xB2\xC3\xD4\xE5\xF6", 6);
	assert_int_equal(load_u16(bytes), 0xA1B2);
	assert_int_equal(load_u32(bytes + 2), 0xC3D4E5F6);
}

static void test_each_error_has_its_own_name(void **state)
{
	(void)state;
	for (int a = 0; a >= ERROR_DAMAGED; a--)
		for (int b = a - 1; b >= ERROR_DAMAGED - 1; b--)
			assert_string_not_equal(error_text(a), error_text(b));
}

static void test_the_hash_depends_on_bytes_and_seed(void **state)
{
	(void)state;
	uint64_t hash = hash_bytes(SPAN_LITERAL("topic"), 1);
	assert_true(hash == hash_bytes(span_of_text("topic"), 1));
	assert_true(hash != hash_bytes(SPAN_LITERAL("topic"), 2));
	assert_true(hash != hash_bytes(SPAN_LITERAL("topid"), 1));
	assert_true(hash_bytes(SPAN_NONE, 1) == hash_bytes(SPAN_LITERAL(""), 1));
}

static void test_a_list_keeps_its_order(void **state)
{
	(void)state;
	struct link head, links[3] = {{NULL, NULL}};
	list_init(&head);
	assert_true(list_is_empty(&head));
	for (int i = 0; i < 3; i++)
		list_append(&head, &links[i]);
	assert_true(link_is_listed(&links[1]));
	link_remove(&links[1]);
	link_remove(&links[1]);
	assert_false(link_is_listed(&links[1]));
	assert_ptr_equal(head.next, &links[0]);
	assert_ptr_equal(head.next->next, &links[2]);
	assert_ptr_equal(head.prev, &links[2]);
	assert_ptr_equal(head.prev->prev, &links[0]);
	link_remove(&links[0]);
	link_remove(&links[2]);
	assert_true(list_is_empty(&head));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spans),
		cmocka_unit_test(test_byte_order),
		cmocka_unit_test(test_each_error_has_its_own_name),
		cmocka_unit_test(test_the_hash_depends_on_bytes_and_seed),
		cmocka_unit_test(test_a_list_keeps_its_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
