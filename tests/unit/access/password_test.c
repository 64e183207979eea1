/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "access/argon2id.h"
#include "access/password.h"

/* Written by Debian's mosquitto_passwd 2.0.11 and, the last one, by Debian's argon2(1). */
#define PBKDF2                                                                                     \
	"$7$101$9HoXmPepxYQirJLF$xxVUngCXFcziF10r7Fi/e+M3pW5Nu4JGtat9PA+dUmi9GKa9jVsMs7pSFWS13/"   \
	"5bBT"                                                                                     \
	"Q5rwz+DFGoqka5M4u2sg=="
#define SHA512                                                                                     \
	"$6$lr4ocaJxk6eyc4Wk$yhYfy8buZMB10xXMvOaE7goT6K8tzlGypsE4635kZ1F5IleTVtPDCsO/"             \
	"0M87Oq8cGxA07l"                                                                           \
	"h+jUvgpxXkR/fG6w=="
#define ARGON2ID                                                                                   \
	"$argon2id$v=19$m=64,t=1,p=2$c29tZXNhbHQ$Ev9KtPSdb2a8RmThYXIKULDq6Hx4tGeaEqxKnw8PsoM"
/* The example of RFC 7677 (section 3), as a server keeps it: user "user", password "pencil". */
#define SCRAM                                                                                      \
	"$scram-sha-256$4096$W22ZaJ0SNY7soEsUEjb6gQ==$"                                            \
	"WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=$"                                            \
	"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="

static void test_password_of_other_programs(void **state)
{
	static const char *const stored[] = {PBKDF2, SHA512, ARGON2ID};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(stored) - !argon2id_is_here(); i++) {
		struct span s = span_of_text(stored[i]);
		assert_null(password_why_not(s));
		assert_int_equal(password_verify(s, SPAN_LITERAL("secret")), 0);
		assert_int_equal(password_verify(s, SPAN_LITERAL("Secret")), ERROR_INVALID);
		assert_int_equal(password_verify(s, SPAN_LITERAL("secre")), ERROR_INVALID);
		assert_int_equal(password_verify(s, SPAN_NONE), ERROR_INVALID);
	}
}

/* Each byte of a hash counts: one that differs in the last only is another. */
static void test_password_differs_in_the_last_byte(void **state)
{
	static const char *const stored[] = {PBKDF2, SHA512, ARGON2ID};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(stored) - !argon2id_is_here(); i++) {
		char changed[PASSWORD_STORED_MAX];
		size_t len = strlen(stored[i]);
		memcpy(changed, stored[i], len + 1);
		while (changed[len - 1] == '=')
			len--;
		len -= 2; /* the last letter may hold fewer bits than it could */
		changed[len] = changed[len] == 'A' ? 'B' : 'A';
		assert_null(password_why_not(span_of_text(changed)));
		assert_int_equal(password_verify(span_of_text(changed), SPAN_LITERAL("secret")),
				 ERROR_INVALID);
	}
}

static void test_password_stored_and_verified(void **state)
{
	static const uint8_t salt[PASSWORD_SALT_BYTES] = "0123456789abcdef";
	const struct password_cost cost = {.iterations = 3, .kib = 64, .passes = 1};
	const struct span binary = span_of("a\0b:\n", 5);
	char stored[PASSWORD_STORED_MAX];
	(void)state;
	for (unsigned m = PASSWORD_SHA512; m <= PASSWORD_ARGON2ID; m++) {
		if (m == PASSWORD_ARGON2ID && !argon2id_is_here()) {
			assert_int_equal(password_store(m, &cost, salt, binary, stored),
					 ERROR_INVALID);
			continue;
		}
		assert_int_equal(password_store(m, &cost, salt, binary, stored), 0);
		assert_null(password_why_not(span_of_text(stored)));
		assert_int_equal(password_verify(span_of_text(stored), binary), 0);
		assert_int_equal(password_verify(span_of_text(stored), span_of("a", 1)),
				 ERROR_INVALID);
		assert_int_equal(password_store(m, &cost, salt, SPAN_NONE, stored), 0);
		assert_int_equal(password_verify(span_of_text(stored), SPAN_NONE), 0);
	}
}

/* What SCRAM stores does for a password that is shown, too. */
static void test_password_of_scram(void **state)
{
	static const uint8_t salt[PASSWORD_SALT_BYTES] = {0x5b, 0x6d, 0x99, 0x68, 0x9d, 0x12,
							  0x35, 0x8e, 0xec, 0xa0, 0x4b, 0x14,
							  0x12, 0x36, 0xfa, 0x81};
	const struct password_cost cost = {.iterations = 4096}, cheap = {.iterations = 4095};
	struct span s = span_of_text(SCRAM);
	struct scram_verifier v;
	char stored[PASSWORD_STORED_MAX];
	(void)state;
	assert_null(password_why_not(s));
	assert_int_equal(password_verify(s, SPAN_LITERAL("pencil")), 0);
	assert_int_equal(password_verify(s, SPAN_LITERAL("Pencil")), ERROR_INVALID);
	assert_int_equal(password_verify(s, SPAN_NONE), ERROR_INVALID);
	assert_true(password_scram(s, &v));
	assert_int_equal(v.iterations, 4096);
	assert_int_equal(v.salt_len, 16);
	assert_memory_equal(v.salt, salt, 16);
	assert_false(password_scram(span_of_text(PBKDF2), &v));
	assert_int_equal(
		password_store(PASSWORD_SCRAM, &cost, salt, SPAN_LITERAL("pencil"), stored), 0);
	assert_string_equal(stored, SCRAM);
	assert_int_equal(
		password_store(PASSWORD_SCRAM, &cheap, salt, SPAN_LITERAL("pencil"), stored),
		ERROR_INVALID);
	assert_int_equal(password_store(PASSWORD_SCRAM, &cost, salt, SPAN_LITERAL("a\nb"), stored),
			 ERROR_INVALID);
}

/* Each says why, and lets nobody in. */
static void test_password_of_no_use(void **state)
{
	static const char *const stored[] = {
		"",
		"secret",
		"$5$abc$def",
		"$7$0$9HoXmPepxYQirJLF$xxVU",
		"$7$101$9HoXmPepxYQirJLF$xxVU",
		"$7$101$9HoXmPepxYQirJLF",
		"$7$10000001$9HoXmPepxYQirJLF$xxVU",
		"$7$99999999999999999999999$9HoXmPepxYQirJLF$xxVU",
		"$7$-1$9HoXmPepxYQirJLF$xxVU",
		"$7$$$",
		"$6$$",
		"$6$lr4o",
		"$scram-sha-256$",
		"$scram-sha-256$4095$W22ZaJ0SNY7soEsUEjb6gQ==$"
		"WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=$"
		"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
		"$scram-sha-256$1000001$W22ZaJ0SNY7soEsUEjb6gQ==$"
		"WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=$"
		"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
		"$scram-sha-256$4096$$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=$"
		"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
		"$scram-sha-256$4096$W22ZaJ0SNY7soEsUEjb6gQ==$WG5d$"
		"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
		"$scram-sha-256$4096$W22ZaJ0SNY7soEsUEjb6gQ==$"
		"WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=",
		"$argon2id$v=16$m=64,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$MDEyMzQ1Njc4OWFiY2RlZg",
		"$argon2id$v=19$m=99999999,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$MDEyMzQ1Njc4OWFiY2RlZg",
		"$argon2id$v=19$m=64,t=1,p=9$MDEyMzQ1Njc4OWFiY2RlZg$MDEyMzQ1Njc4OWFiY2RlZg",
		"$argon2id$v=19$m=64,t=1$MDEyMzQ1Njc4OWFiY2RlZg$MDEyMzQ1Njc4OWFiY2RlZg",
		"$argon2id$v=19$m=64,t=1,p=1$MDEy$MDEyMzQ1Njc4OWFiY2RlZg",
		"$argon2id$v=19$m=64,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg",
		"$argon2id$",
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(stored); i++) {
		assert_non_null(password_why_not(span_of_text(stored[i])));
		assert_int_equal(password_verify(span_of_text(stored[i]), SPAN_LITERAL("secret")),
				 ERROR_INVALID);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_password_of_other_programs),
		cmocka_unit_test(test_password_differs_in_the_last_byte),
		cmocka_unit_test(test_password_stored_and_verified),
		cmocka_unit_test(test_password_of_scram),
		cmocka_unit_test(test_password_of_no_use),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
