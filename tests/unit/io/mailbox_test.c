/* SPDX-License-Identifier: Apache-2.0 */
/* Of use under the thread sanitizer too: meson setup -Db_sanitize=thread. */
#include "io/loop.h"
#include "io/mailbox.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

static void count_call(void *context)
{
	++*(int *)context;
}

static void test_mailbox_empty(void **state)
{
	(void)state;
	struct mailbox box;
	int wakes = 0;
	mailbox_init(&box, count_call, &wakes);
	assert_null(mailbox_take(&box));
	assert_true(mailbox_sleep(&box));
}

static void test_mailbox_oldest_first(void **state)
{
	(void)state;
	struct mailbox box;
	struct mail mails[3];
	int wakes = 0;
	mailbox_init(&box, count_call, &wakes);
	for (int i = 0; i < 3; i++)
		mailbox_post(&box, &mails[i]);
	struct mail *mail = mailbox_take(&box);
	for (int i = 0; i < 3; i++, mail = mail->next)
		assert_ptr_equal(mail, &mails[i]);
	assert_null(mail);
	assert_null(mailbox_take(&box));
	assert_int_equal(wakes, 0);
}

static void test_mailbox_letter_keeps_awake(void **state)
{
	(void)state;
	struct mailbox box;
	struct mail mails[2];
	int wakes = 0;
	mailbox_init(&box, count_call, &wakes);
	mailbox_post(&box, &mails[0]);
	assert_false(mailbox_sleep(&box));
	mailbox_post(&box, &mails[1]);
	assert_int_equal(wakes, 0);
}

static void test_mailbox_wakes_once_per_sleep(void **state)
{
	(void)state;
	struct mailbox box;
	struct mail mails[3];
	int wakes = 0;
	mailbox_init(&box, count_call, &wakes);
	assert_true(mailbox_sleep(&box));
	mailbox_post(&box, &mails[0]);
	mailbox_post(&box, &mails[1]);
	assert_int_equal(wakes, 1);
	mailbox_awake(&box);
	assert_non_null(mailbox_take(&box));
	assert_true(mailbox_sleep(&box));
	mailbox_post(&box, &mails[2]);
	assert_int_equal(wakes, 2);
}

static void test_mailbox_awake_needs_no_waking(void **state)
{
	(void)state;
	struct mailbox box;
	struct mail mail;
	int wakes = 0;
	mailbox_init(&box, count_call, &wakes);
	assert_true(mailbox_sleep(&box));
	mailbox_awake(&box);
	mailbox_post(&box, &mail);
	assert_int_equal(wakes, 0);
}

static void test_mailbox_push_wakes_nobody(void **state)
{
	(void)state;
	struct mailbox box;
	struct mail mails[2];
	int wakes = 0;
	mailbox_init(&box, count_call, &wakes);
	assert_true(mailbox_is_empty(&box));
	assert_true(mailbox_sleep(&box));
	mailbox_push(&box, &mails[0]);
	assert_false(mailbox_is_empty(&box));
	assert_int_equal(wakes, 0);
	mailbox_post(&box, &mails[1]); /* the next one still does */
	assert_int_equal(wakes, 1);
	assert_ptr_equal(mailbox_take(&box), &mails[0]);
	assert_true(mailbox_is_empty(&box));
}

/*
 * Two threads post in small batches and wait until each batch was taken, so that the receiver goes
 * to sleep all the time: a lost wake-up lets it sleep on with a letter in the box.
 */
#define SENDERS 2
#define LETTERS 20000

struct letter {
	struct mail mail;
	unsigned sender;
	unsigned number;
};

struct post_office {
	struct mailbox box;
	struct loop loop;
	atomic_uint taken[SENDERS];
	struct letter *letters[SENDERS];
};

struct sender {
	struct post_office *office;
	unsigned index;
};

static void wake_loop(void *context)
{
	loop_wake(context);
}

static void *send_letters(void *context)
{
	struct sender *sender = context;
	struct post_office *office = sender->office;
	for (unsigned i = 0; i < LETTERS;) {
		unsigned batch_end = i + 1 + i % 3;
		for (; i < batch_end && i < LETTERS; i++)
			mailbox_post(&office->box, &office->letters[sender->index][i].mail);
		while (atomic_load(&office->taken[sender->index]) < i)
			sched_yield();
	}
	return NULL;
}

/* Returns how many letters came; each must be the next one of its sender. */
static unsigned receive_letters(struct post_office *office)
{
	unsigned count = 0;
	for (struct mail *mail = mailbox_take(&office->box), *next; mail; mail = next, count++) {
		struct letter *letter = CONTAINER_OF(mail, struct letter, mail);
		next = mail->next;
		unsigned before = atomic_fetch_add(&office->taken[letter->sender], 1);
		assert_int_equal(letter->number, before);
	}
	return count;
}

static double clock_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void sleep_until_woken(struct post_office *office)
{
	struct loop_event events[LOOP_EVENTS_MAX];
	double before = clock_s();
	if (!mailbox_sleep(&office->box))
		return;
	loop_wait(&office->loop, 10000, events);
	assert_true(clock_s() - before < 9.9); /* or the wake-up was lost */
	mailbox_awake(&office->box);
}

static void office_open(struct post_office *office)
{
	memset(office, 0, sizeof(*office));
	assert_int_equal(loop_open(&office->loop, 0), 0);
	mailbox_init(&office->box, wake_loop, &office->loop);
	for (unsigned s = 0; s < SENDERS; s++) {
		office->letters[s] = calloc(LETTERS, sizeof(struct letter));
		for (unsigned i = 0; i < LETTERS; i++)
			office->letters[s][i] = (struct letter){.sender = s, .number = i};
	}
}

static void test_mailbox_threads_lose_no_letter_and_no_wake_up(void **state)
{
	(void)state;
	struct post_office office;
	pthread_t threads[SENDERS];
	struct sender senders[SENDERS];
	office_open(&office);
	for (unsigned s = 0; s < SENDERS; s++) {
		senders[s] = (struct sender){.office = &office, .index = s};
		assert_int_equal(pthread_create(&threads[s], NULL, send_letters, &senders[s]), 0);
	}
	for (unsigned received = 0; received < SENDERS * LETTERS;) {
		unsigned count = receive_letters(&office);
		received += count;
		if (count == 0)
			sleep_until_woken(&office);
	}
	for (unsigned s = 0; s < SENDERS; s++) {
		pthread_join(threads[s], NULL);
		free(office.letters[s]);
	}
	loop_close(&office.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mailbox_empty),
		cmocka_unit_test(test_mailbox_oldest_first),
		cmocka_unit_test(test_mailbox_letter_keeps_awake),
		cmocka_unit_test(test_mailbox_wakes_once_per_sleep),
		cmocka_unit_test(test_mailbox_awake_needs_no_waking),
		cmocka_unit_test(test_mailbox_push_wakes_nobody),
		cmocka_unit_test(test_mailbox_threads_lose_no_letter_and_no_wake_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
