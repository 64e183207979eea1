/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a check costs with few and with many rules, and what the rules take: one user with all of
 * them, one rule for each user, patterns. And what a password costs.
 *
 *     build/tests/bench/acl_bench
 */
#include "access/acl.h"
#include "access/password.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define CHECKS 2000000u

static double seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

enum shape { ONE_USER, MANY_USERS, PATTERNS };

static struct buffer rules_of(enum shape shape, unsigned count)
{
	struct buffer text = {0};
	char line[128];
	if (shape == ONE_USER)
		ASSERT(buffer_append(&text, SPAN_LITERAL("user u0\n")) == 0);
	for (unsigned i = 0; i < count; i++) {
		const char *format = shape == ONE_USER ? "topic read site/%u/+/data/%u\n"
				     : shape == MANY_USERS
					     ? "user u%u\ntopic read site/%u/+/data/#\n"
					     : "pattern read site/%u/%%c/data/%u\n";
		int len = snprintf(line, sizeof(line), format, i, i);
		ASSERT(buffer_append(&text, span_of(line, (size_t)len)) == 0);
	}
	return text;
}

static void measure(enum shape shape, const char *name, unsigned count)
{
	struct access_report report = {.file = "rules"};
	struct buffer text = rules_of(shape, count);
	double began = seconds();
	struct acl *a = acl_read(buffer_content(&text), 7, &report);
	double read_s = seconds() - began;
	ASSERT(a);
	unsigned allowed = 0;
	began = seconds();
	for (unsigned i = 0; i < CHECKS; i++) {
		char user[16], topic[64];
		unsigned n = (unsigned)((uint64_t)i * 2654435761u % count);
		int user_len = snprintf(user, sizeof(user), "u%u", shape == ONE_USER ? 0 : n);
		int len = snprintf(topic, sizeof(topic), "site/%u/c1/data/%u", n, n);
		struct span user_name = span_of(user, (size_t)user_len);
		struct acl_client who = {.rules = acl_rules_of(a, &user_name),
					 .has_user_name = true,
					 .user_name = user_name,
					 .client_id = SPAN_LITERAL("c1")};
		allowed += acl_allows(a, &who, ACL_READ, span_of(topic, (size_t)len));
	}
	double check_s = seconds() - began;
	ASSERT(allowed == CHECKS);
	began = seconds();
	for (unsigned i = 0; i < CHECKS; i++) { /* the same without asking */
		char user[16], topic[64];
		unsigned n = (unsigned)((uint64_t)i * 2654435761u % count);
		allowed += (unsigned)snprintf(user, sizeof(user), "u%u", n);
		allowed += (unsigned)snprintf(topic, sizeof(topic), "site/%u/c1/data/%u", n, n);
	}
	check_s -= seconds() - began;
	printf("%-22s %7u rules  %6.0f ns a check  %9zu bytes (%4.0f a rule)  read in %.0f ms\n",
	       name, count, check_s / CHECKS * 1e9, acl_bytes(a), (double)acl_bytes(a) / count,
	       read_s * 1e3);
	acl_free(a);
	buffer_release(&text);
	if (allowed == 0)
		abort();
}

static void measure_password(const char *name, enum password_method method, uint32_t iterations,
			     unsigned count)
{
	static const uint8_t salt[PASSWORD_SALT_BYTES] = "0123456789abcdef";
	const struct password_cost cost = {.iterations = iterations};
	char stored[PASSWORD_STORED_MAX];
	if (password_store(method, &cost, salt, SPAN_LITERAL("secret"), stored) != 0)
		return;
	double began = seconds();
	for (unsigned i = 0; i < count; i++)
		ASSERT(password_verify(span_of_text(stored), SPAN_LITERAL("wrong")) ==
		       ERROR_INVALID);
	printf("%-30s %9.3f ms a password\n", name, (seconds() - began) / count * 1e3);
}

int main(void)
{
	static const struct {
		enum shape shape;
		const char *name;
	} shapes[] = {{ONE_USER, "topics of one user"},
		      {MANY_USERS, "a topic of each user"},
		      {PATTERNS, "patterns"}};
	for (size_t i = 0; i < ARRAY_COUNT(shapes); i++) {
		measure(shapes[i].shape, shapes[i].name, 10);
		measure(shapes[i].shape, shapes[i].name, 100000);
	}
	measure_password("SHA-512", PASSWORD_SHA512, 0, 10000);
	measure_password("PBKDF2, 101 iterations", PASSWORD_PBKDF2, 101, 1000);
	measure_password("PBKDF2, 10,000 iterations", PASSWORD_PBKDF2, 10000, 20);
	measure_password("argon2id, 19 MiB, 2 passes", PASSWORD_ARGON2ID, 0, 5);
	return 0;
}
