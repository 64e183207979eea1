/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <unistd.h>

#include "cli/bench_process.h"

static void test_field(void **state)
{
	(void)state;
	const char *text = "Name:\tx\nVmRSSx:\t 1 kB\nVmRSS:\t    730 kB\nThreads:\t1\n";
	uint64_t value = 0;
	assert_int_equal(bench_process_field(text, "VmRSS", &value), 0);
	assert_int_equal(value, 730);
	assert_int_equal(bench_process_field(text, "Threads", &value), 0);
	assert_int_equal(value, 1);
	assert_int_not_equal(bench_process_field(text, "Vm", &value), 0);
	assert_int_not_equal(bench_process_field("", "VmRSS", &value), 0);
}

static void test_own_process(void **state)
{
	(void)state;
	uint64_t before, after, rss;
	volatile unsigned sum = 0;
	assert_int_equal(bench_process_cpu((uint32_t)getpid(), &before), 0);
	for (unsigned i = 0; i < 1000000; i++)
		sum += i;
	assert_int_not_equal(sum, 0);
	assert_int_equal(bench_process_cpu((uint32_t)getpid(), &after), 0);
	assert_true(after > before);
	assert_int_equal(bench_process_rss((uint32_t)getpid(), &rss), 0);
	assert_true(rss > 100000 && rss < (uint64_t)1 << 40);
}

static void test_no_such_process(void **state)
{
	(void)state;
	uint64_t value;
	assert_int_equal(bench_process_cpu(BENCH_PID_MAX, &value), ERROR_SYSTEM);
	assert_int_equal(errno, ESRCH);
	assert_int_equal(bench_process_rss(BENCH_PID_MAX, &value), ERROR_SYSTEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_field),
		cmocka_unit_test(test_own_process),
		cmocka_unit_test(test_no_such_process),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
