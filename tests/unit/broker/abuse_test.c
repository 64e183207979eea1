/* SPDX-License-Identifier: Apache-2.0 */
/* Peers that send much and read nothing, or packets as large as they may be: what they cost is
 * bounded. */
#include "kit/play.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct settings set;

static int setup(void **state)
{
	(void)state;
	settings_init(&set);
	return 0;
}

static void put(struct actor *a, const void *bytes, size_t len)
{
	int error = buffer_append(&a->out, span_of(bytes, len));
	assert_int_equal(error, 0);
}

/* 3.1 allows DUP with SUBSCRIBE; its length says more than the first reads bring. */
static void test_abuse_large_packet_of_3_1(void **state)
{
	static struct play p;
	static const uint8_t head[] = {0x8a, 0xc6, 0x9a, 0x0c, 0, 1}; /* 200,006 bytes follow */
	static const uint8_t filter[] = {0, 1, 'a', 0};
	(void)state;
	play_start(&p, &set, 1, 1, 0);
	play_lines(&p, "a > CONNECT v3 id=a clean\n"
		       "a < CONNACK 00\n");
	struct actor *a = play_actor(&p, "a");
	put(a, head, sizeof(head));
	for (int i = 0; i < 50001; i++)
		put(a, filter, sizeof(filter));
	play_settle(&p);
	uint32_t expected = 1 + 3 + 2 + 50001;
	assert_int_equal(buffer_len(&a->in), expected);
	buffer_release(&a->in);
	play_stop(&p);
}

/* The broker stops reading from those who do not read. */
static void test_abuse_never_reads(void **state)
{
	static struct play p;
	static const uint8_t pingreq[] = {0xc0, 0}, publish[] = {0x32, 5, 0, 1, 'a', 0, 1};
	(void)state;
	set.output_bytes_max = 100000;
	play_start(&p, &set, 1, 1, 0);
	play_lines(&p, "a small 1000\n"
		       "a > CONNECT v4 id=a clean\n"
		       "a < CONNACK 00\n"
		       "a stop\n");
	struct actor *a = play_actor(&p, "a");
	for (int i = 0; i < 1000000; i++)
		put(a, pingreq, sizeof(pingreq));
	for (int i = 0; i < 100000; i++)
		put(a, publish, sizeof(publish));
	play_settle(&p);
	struct shard_status status;
	kit_status(&p.kit, &status);
	assert_true(status.bytes_in < 1500000);
	play_line(&p, "a go");
	play_settle(&p);
	kit_status(&p.kit, &status);
	assert_int_equal(buffer_len(&a->out), 0);
	assert_int_equal(status.messages_in, 100000);
	assert_int_equal(buffer_len(&a->in), 1000000 * 2 + 100000 * 4);
	buffer_release(&a->in);
	play_stop(&p);
}

static uint8_t *put_variable(uint8_t *to, size_t value)
{
	for (; value > 127; value >>= 7)
		*to++ = (uint8_t)(value | 0x80);
	*to++ = (uint8_t)value;
	return to;
}

static void put_subscribe(struct actor *a, unsigned filter_count, size_t filter_len)
{
	static uint8_t packet[8 + 2000000], filter[65536];
	size_t one = 2 + filter_len + 1;
	uint8_t *to = packet;
	*to++ = 0x82;
	to = put_variable(to, 2 + filter_count * one);
	*to++ = 0;
	*to++ = 1;
	memset(filter, 'f', sizeof(filter));
	for (unsigned i = 0; i < filter_count; i++, to += one) {
		to[0] = (uint8_t)(filter_len >> 8);
		to[1] = (uint8_t)filter_len;
		memcpy(to + 2, filter, filter_len);
		to[2 + filter_len] = 0;
	}
	put(a, packet, (size_t)(to - packet));
}

static size_t count_refused(struct actor *a)
{
	size_t count = 0;
	for (size_t i = 0; i < buffer_len(&a->in); i++)
		count += buffer_content(&a->in).ptr[i] == 0x80;
	buffer_release(&a->in);
	return count;
}

/* Retained messages are looked up for each filter of a SUBSCRIBE, one after the other. */
static void test_abuse_many_filters(void **state)
{
	static struct play p;
	(void)state;
	play_start(&p, &set, 1, 1, 0);
	play_lines(&p, "a > CONNECT v4 id=a clean\n"
		       "a < CONNACK 00\n"
		       "a > PUBLISH retain t=g p=1\n");
	struct actor *a = play_actor(&p, "a");
	put_subscribe(a, 400000, 1);
	play_settle(&p);
	assert_true(count_refused(a) > 1000);
	put_subscribe(a, 400, 1);
	play_settle(&p);
	assert_int_equal(count_refused(a), 0);
	play_stop(&p);
}

/* Nothing is looked up while messages wait for acknowledgements: what waits is bounded. */
static void test_abuse_filters_without_end(void **state)
{
	static struct play p;
	(void)state;
	play_start(&p, &set, 1, 1, 0);
	play_lines(&p, "b > CONNECT v4 id=b\n"
		       "b < CONNACK 00\n"
		       "b > SUBSCRIBE m1 f=t,q1\n"
		       "b < SUBACK m1 01\n"
		       "c > CONNECT v4 id=c clean\n"
		       "c < CONNACK 00\n"
		       "c > PUBLISH retain t=g p=1\n"
		       "repeat 1001 c > PUBLISH q1 m%d t=t\n"
		       "c < 1001 PUBACK\n"
		       "b < 1000 PUBLISH\n");
	struct actor *b = play_actor(&p, "b");
	size_t refused = 0;
	for (int i = 0; i < 400; i++) {
		put_subscribe(b, 1, 60000);
		play_settle(&p);
		refused += count_refused(b);
	}
	assert_in_range(refused, 100, 200);
	play_stop(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_abuse_large_packet_of_3_1, setup),
		cmocka_unit_test_setup(test_abuse_never_reads, setup),
		cmocka_unit_test_setup(test_abuse_many_filters, setup),
		cmocka_unit_test_setup(test_abuse_filters_without_end, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
