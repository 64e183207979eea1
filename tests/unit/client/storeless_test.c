/* SPDX-License-Identifier: Apache-2.0 */
/* A library built without a store works as ever, and says why store_path cannot be. */
#include "app.h"

static char said[256];

static void says(void *context, const char *text)
{
	(void)context;
	strncpy(said, text, sizeof(said) - 1);
}

static void test_works_in_memory(void **state)
{
	(void)state;
	nj_delivery *d;
	app_begin(NJ_MQTT_5);
	assert_int_equal(app_publish(1, 2, &d), 0);
	settle(&app.host, app.client);
	assert_int_equal(nj_delivery_outcome(d, NULL), NJ_ACKNOWLEDGED);
	assert_int_equal(nj_delivery_wait_stored(d, 0), NJ_ERROR_INVALID);
	assert_int_equal(nj_store_mark(app.client), 0);
	nj_delivery_free(d);
	app_give(2, 1);
	assert_int_equal(app.message_count, 1);
	app_reconnect();
	assert_int_equal(nj_disconnect(app.client, 0), 0);
	settle(&app.host, app.client);
	app_end();
}

static void test_refuses_a_store(void **state)
{
	(void)state;
	app_prepare(NJ_MQTT_5);
	app.options.store_path = "/tmp/nightjar-no-store";
	app.options.store_says = says;
	assert_int_equal(nj_new(&app.options, &app.client), NJ_ERROR_STORE);
	assert_non_null(strstr(said, "without a store"));
	host_close(&app.host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_works_in_memory),
		cmocka_unit_test(test_refuses_a_store),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
