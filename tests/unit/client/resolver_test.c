/* SPDX-License-Identifier: Apache-2.0 */
/* Names that take long to look up hold nobody up: getaddrinfo here is the test's own, and answers
 * when it is told to. */
#include "app.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool may_answer;
static unsigned asked_count, answered_count;

/* Stands in for libc's: "slow.example" is 127.0.0.1 after a while, other names are unknown. */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
		struct addrinfo **list_out)
{
	struct answer {
		struct addrinfo info;
		struct sockaddr_in address;
	} * a;
	if (hints->ai_flags & AI_NUMERICHOST)
		return EAI_NONAME;
	pthread_mutex_lock(&mutex);
	asked_count++;
	pthread_cond_broadcast(&changed);
	while (!may_answer)
		pthread_cond_wait(&changed, &mutex);
	answered_count++;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&mutex);
	if (strcmp(name, "slow.example") != 0)
		return EAI_NONAME;
	a = calloc(1, sizeof(*a));
	if (!a)
		return EAI_MEMORY;
	a->address.sin_family = AF_INET;
	a->address.sin_port = htons((uint16_t)atoi(service));
	a->address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	a->info.ai_addr = (struct sockaddr *)&a->address;
	a->info.ai_addrlen = sizeof(a->address);
	*list_out = &a->info;
	return 0;
}

void freeaddrinfo(struct addrinfo *list)
{
	free(list);
}

static void let_answer(bool may)
{
	pthread_mutex_lock(&mutex);
	may_answer = may;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&mutex);
}

static void wait_for(const unsigned *count, unsigned wanted)
{
	pthread_mutex_lock(&mutex);
	while (*count < wanted)
		pthread_cond_wait(&changed, &mutex);
	pthread_mutex_unlock(&mutex);
}

static struct host tcp;

static void begin(const char *name)
{
	static char address[64];
	app_prepare(NJ_MQTT_5);
	host_open(&tcp, NJ_MQTT_5);
	snprintf(address, sizeof(address), "%s:%s", name, strrchr(tcp.address, ':') + 1);
	app.options.address = address;
	let_answer(false);
	asked_count = answered_count = 0;
	assert_int_equal(nj_new(&app.options, &app.client), 0);
	assert_int_equal(nj_connect(app.client, 0), 0);
	assert_int_equal(nj_step(app.client), 0); /* does not wait for the answer */
	wait_for(&asked_count, 1);
	assert_int_equal(nj_step(app.client), 0);
	assert_false(nj_is_connected(app.client));
}

static void end(void)
{
	app_end();
	host_close(&tcp);
}

static void test_loop_goes_on_while_a_name_is_looked_up(void **state)
{
	(void)state;
	begin("slow.example");
	assert_int_equal(app_publish(1, 1, NULL), 0);
	let_answer(true);
	assert_true(step_until(&tcp, app.client, app_is_connected, NULL));
	settle(&tcp, app.client);
	assert_int_equal(tcp.server.arrived[1], 1);
	end();
}

static bool has_failed(void *context)
{
	(void)context;
	return app.disconnected_count > 0;
}

static void test_unknown_name_is_told(void **state)
{
	(void)state;
	begin("nowhere.example");
	let_answer(true);
	assert_true(step_until(&tcp, app.client, has_failed, NULL));
	assert_int_equal(app.disconnected.end, NJ_END_UNREACHABLE);
	assert_string_equal(app.disconnected.text, gai_strerror(EAI_NONAME));
	end();
}

static void test_time_is_over_before_the_answer(void **state)
{
	(void)state;
	begin("slow.example");
	end();
	app_prepare(NJ_MQTT_5);
	app.options.address = "slow.example";
	app.options.connect_timeout_ms = 10;
	app.options.stays_down = true;
	host_open(&tcp, NJ_MQTT_5);
	assert_int_equal(nj_new(&app.options, &app.client), 0);
	assert_int_equal(nj_connect(app.client, 0), 0);
	assert_true(step_until(&tcp, app.client, has_failed, NULL));
	assert_int_equal(app.disconnected.system_error, ETIMEDOUT);
	assert_int_equal(nj_timeout_ms(app.client), -1);
	end();
	let_answer(true);
	wait_for(&answered_count, 2); /* both that nobody waited for */
}

static void test_disconnect_does_not_wait(void **state)
{
	(void)state;
	begin("slow.example");
	assert_int_equal(nj_disconnect(app.client, 0), 0);
	assert_int_equal(nj_step(app.client), 0);
	assert_int_equal(nj_timeout_ms(app.client), -1);
	let_answer(true);
	wait_for(&answered_count, 1);
	/* and once more, which asks anew */
	assert_int_equal(nj_connect(app.client, 0), 0);
	assert_true(step_until(&tcp, app.client, app_is_connected, NULL));
	assert_int_equal(asked_count, 2);
	end();
}

/* A client that is freed meanwhile: the thread ends by itself, and holds nothing any more. */
static void test_free_does_not_wait(void **state)
{
	(void)state;
	mem_count_start();
	begin("slow.example");
	end();
	assert_true(mem_count_live() > 0);
	let_answer(true);
	while (mem_count_live() > 0)
		sched_yield();
}

static void test_thread_of_the_client_is_not_held_up(void **state)
{
	(void)state;
	begin("slow.example");
	assert_int_equal(nj_start(app.client), 0);
	assert_int_equal(nj_connect(app.client, 5), NJ_ERROR_TIMED_OUT);
	end(); /* returns before there is an answer */
	let_answer(true);
	wait_for(&answered_count, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_loop_goes_on_while_a_name_is_looked_up),
		cmocka_unit_test(test_unknown_name_is_told),
		cmocka_unit_test(test_time_is_over_before_the_answer),
		cmocka_unit_test(test_disconnect_does_not_wait),
		cmocka_unit_test(test_free_does_not_wait),
		cmocka_unit_test(test_thread_of_the_client_is_not_held_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
