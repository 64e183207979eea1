/* SPDX-License-Identifier: Apache-2.0 */
/* SCRAM-SHA-256: the example of RFC 7677, both sides against each other, and what neither takes. */
#include "access/scram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"

/* RFC 7677, 3: user "user", password "pencil". */
#define CLIENT_NONCE "rOprNGfwEbeRWgbNEkqO"
#define SERVER_NONCE "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define NONCE CLIENT_NONCE SERVER_NONCE
#define CLIENT_FIRST "n,,n=user,r=" CLIENT_NONCE
#define SERVER_FIRST "r=" NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
#define WITHOUT_PROOF "c=biws,r=" NONCE
#define CLIENT_FINAL WITHOUT_PROOF ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
#define SERVER_FINAL "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
static const uint8_t salt[] = {0x5b, 0x6d, 0x99, 0x68, 0x9d, 0x12, 0x35, 0x8e,
			       0xec, 0xa0, 0x4b, 0x14, 0x12, 0x36, 0xfa, 0x81};

#define SALT span_of(salt, sizeof(salt))

static void assert_text(struct buffer *b, const char *wanted)
{
	assert_int_equal(buffer_len(b), strlen(wanted));
	assert_memory_equal(buffer_content(b).ptr, wanted, strlen(wanted));
	buffer_release(b);
}

static const struct scram_verifier *verifier(void)
{
	static struct scram_verifier v;
	if (v.iterations == 0)
		assert_int_equal(scram_verifier_make(SPAN_LITERAL("pencil"), SALT, 4096, &v), 0);
	return &v;
}

/* --- the client's side --- */

static void begin_client(struct scram_client *c)
{
	struct buffer out = {0};
	assert_int_equal(
		scram_client_first(c, SPAN_LITERAL("user"), SPAN_LITERAL(CLIENT_NONCE), &out), 0);
	assert_text(&out, CLIENT_FIRST);
}

static int answer(struct scram_client *c, const char *challenge, struct buffer *out,
		  const char **trouble)
{
	return scram_client_final(c, SPAN_LITERAL("pencil"), span_of_text(challenge), out, trouble);
}

static void test_client_of_the_rfc(void **state)
{
	(void)state;
	struct scram_client c = {0};
	struct buffer out = {0};
	const char *trouble;
	for (int i = 0; i < 2; i++) { /* the second time with the keys of the first */
		begin_client(&c);
		assert_false(scram_client_is_done(&c));
		assert_int_equal(answer(&c, SERVER_FIRST, &out, &trouble), 0);
		assert_text(&out, CLIENT_FINAL);
		assert_false(scram_client_is_done(&c));
		assert_int_equal(scram_client_check(&c, SPAN_LITERAL(SERVER_FINAL), &trouble), 0);
		assert_true(scram_client_is_done(&c));
	}
	scram_client_release(&c);
}

static void test_challenges_that_are_not_answered(void **state)
{
	(void)state;
	static const char *const challenges[] = {
		"",
		"r=",
		"r=" NONCE,
		"r=" NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==",
		"r=" CLIENT_NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",      /* adds nothing */
		"r=other" SERVER_NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", /* another's */
		"r=" NONCE "\x7f,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",         /* no nonce */
		"m=x,r=" NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",         /* must be known */
		"r=" NONCE ",s=,i=4096",
		"r=" NONCE ",s=*,i=4096",
		"r=" NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=",
		"r=" NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4095",
		"r=" NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=1000001",
		"r=" NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=04096",
		"r=" NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4294971392", /* 4096 in 32 bits */
		"r=" NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096x",
		"e=other-error",
		CLIENT_FIRST,
	};
	struct scram_client c = {0};
	struct buffer out = {0};
	const char *trouble;
	for (size_t i = 0; i < ARRAY_COUNT(challenges); i++) {
		begin_client(&c);
		trouble = NULL;
		assert_int_equal(answer(&c, challenges[i], &out, &trouble), ERROR_INVALID);
		assert_non_null(trouble);
		assert_int_equal(buffer_len(&out), 0);
		/* and it is over */
		assert_int_equal(answer(&c, SERVER_FIRST, &out, &trouble), ERROR_INVALID);
	}
	scram_client_release(&c);
}

/* Attributes that come behind are for those who know them ([RFC 5802] 5.1). */
static void test_extensions_behind_are_passed_over(void **state)
{
	(void)state;
	struct scram_client c = {0};
	struct buffer out = {0};
	const char *trouble;
	begin_client(&c);
	assert_int_equal(answer(&c, SERVER_FIRST ",x=y", &out, &trouble), 0);
	buffer_release(&out);
	scram_client_release(&c);
}

static void test_servers_that_do_not_prove_themselves(void **state)
{
	(void)state;
	static const char *const proofs[] = {
		"",
		"v=",
		"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G5=", /* a bit that says nothing */
		"v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
		"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl9",
		"x=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
		"e=invalid-proof",
	};
	struct scram_client c = {0};
	struct buffer out = {0};
	const char *trouble;
	for (size_t i = 0; i < ARRAY_COUNT(proofs); i++) {
		begin_client(&c);
		assert_int_equal(answer(&c, SERVER_FIRST, &out, &trouble), 0);
		buffer_release(&out);
		assert_int_equal(scram_client_check(&c, span_of_text(proofs[i]), &trouble),
				 ERROR_INVALID);
		assert_non_null(trouble);
		assert_false(scram_client_is_done(&c));
	}
	/* nor one that proves itself before it has asked */
	begin_client(&c);
	assert_int_equal(scram_client_check(&c, SPAN_LITERAL(SERVER_FINAL), &trouble),
			 ERROR_INVALID);
	assert_false(scram_client_is_done(&c));
	scram_client_release(&c);
}

static void test_names_and_passwords_that_cannot_be(void **state)
{
	(void)state;
	struct scram_client c = {0};
	struct buffer out = {0};
	const char *trouble;
	struct scram_verifier v;
	char long_name[SCRAM_NAME_MAX + 2];
	memset(long_name, 'a', sizeof(long_name));
	long_name[sizeof(long_name) - 1] = '\0';
	const char *const names[] = {"", "a\nb", "\x7f", long_name};
	for (size_t i = 0; i < ARRAY_COUNT(names); i++)
		assert_int_equal(scram_client_first(&c, span_of_text(names[i]),
						    SPAN_LITERAL(CLIENT_NONCE), &out),
				 ERROR_INVALID);
	assert_int_equal(scram_client_first(&c, SPAN_LITERAL("user"), SPAN_LITERAL("a,b"), &out),
			 ERROR_INVALID);
	begin_client(&c);
	assert_int_equal(
		scram_client_final(&c, SPAN_NONE, SPAN_LITERAL(SERVER_FIRST), &out, &trouble),
		ERROR_INVALID);
	assert_int_equal(scram_verifier_make(SPAN_NONE, SALT, 4096, &v), ERROR_INVALID);
	assert_int_equal(scram_verifier_make(SPAN_LITERAL("a"), SPAN_NONE, 4096, &v),
			 ERROR_INVALID);
	assert_int_equal(scram_verifier_make(SPAN_LITERAL("a"), SALT, 4095, &v), ERROR_INVALID);
	assert_int_equal(scram_verifier_make(SPAN_LITERAL("a"), SALT, 1000001, &v), ERROR_INVALID);
	scram_client_release(&c);
}

/* --- the server's side --- */

static void begin_server(struct scram_server *s)
{
	struct buffer out = {0};
	struct span user;
	const char *trouble;
	assert_int_equal(scram_server_begin(s, SPAN_LITERAL(CLIENT_FIRST), &user, &trouble), 0);
	assert_true(span_is_equal(user, SPAN_LITERAL("user")));
	assert_int_equal(scram_server_first(s, verifier(), SPAN_LITERAL(SERVER_NONCE), &out), 0);
	assert_text(&out, SERVER_FIRST);
}

static void test_server_of_the_rfc(void **state)
{
	(void)state;
	struct scram_server s = {0};
	struct buffer out = {0};
	const char *trouble;
	begin_server(&s);
	assert_int_equal(
		scram_server_final(&s, verifier(), SPAN_LITERAL(CLIENT_FINAL), &out, &trouble), 0);
	assert_text(&out, SERVER_FINAL);
	scram_server_release(&s);
}

static void test_answers_that_are_not_taken(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int error;
	} rows[] = {
		{"", ERROR_INVALID},
		{WITHOUT_PROOF, ERROR_INVALID},
		{WITHOUT_PROOF ",p=", ERROR_INVALID},
		{WITHOUT_PROOF ",p=dHzb", ERROR_INVALID},
		{WITHOUT_PROOF ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ", ERROR_INVALID},
		{CLIENT_FINAL ",x=y", ERROR_INVALID}, /* the proof is the last */
		{"c=eSws,r=" NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
		 ERROR_INVALID}, /* "y,," */
		{"c=biws,r=" CLIENT_NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
		 ERROR_INVALID},
		{"c=biws,r=" NONCE "x,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
		 ERROR_INVALID},
		/* the right form, and another password */
		{WITHOUT_PROOF ",p=eHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", ERROR_NOT_FOUND},
		/* what is said along is part of what is proven */
		{WITHOUT_PROOF ",x=y,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
		 ERROR_NOT_FOUND},
	};
	struct scram_server s = {0};
	struct buffer out = {0};
	const char *trouble;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		begin_server(&s);
		assert_int_equal(scram_server_final(&s, verifier(), span_of_text(rows[i].text),
						    &out, &trouble),
				 rows[i].error);
		assert_int_equal(trouble != NULL, rows[i].error == ERROR_INVALID);
		assert_int_equal(buffer_len(&out), 0);
		/* one try for each challenge */
		assert_int_equal(scram_server_final(&s, verifier(), SPAN_LITERAL(CLIENT_FINAL),
						    &out, &trouble),
				 ERROR_INVALID);
	}
	scram_server_release(&s);
}

static void test_first_messages(void **state)
{
	(void)state;
	static const struct {
		const char *text, *user; /* NULL: not taken */
	} rows[] = {
		{"n,,n=user,r=x", "user"},
		{"y,,n=user,r=x", "user"},
		{"n,,n=user,r=x,ext=1", "user"},
		{"n,,n=a=2Cb=3Dc,r=x", "a,b=c"},
		{"n,a=user,n=user,r=x", "user"},
		{"n,a=other,n=user,r=x", NULL},
		{"p=tls-unique,,n=user,r=x", NULL},
		{"n,,m=1,n=user,r=x", NULL},
		{"n,,n=,r=x", NULL},
		{"n,,n=user,r=", NULL},
		{"n,,n=user", NULL},
		{"n,,r=x,n=user", NULL},
		{"n,n=user,r=x", NULL},
		{"n,,n=a=b,r=x", NULL},
		{"n,,n=a=2,r=x", NULL},
		{"n,,n=a=2c,r=x", NULL},
		{"n,,n=\xff,r=x", NULL},
		{"n,,n=a\nb,r=x", NULL},
		{"n,,n=user,r=a b", NULL},
		{"n", NULL},
		{"n,", NULL},
		{"n,,", NULL},
		{"", NULL},
	};
	struct scram_server s = {0};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct span user = SPAN_NONE;
		const char *trouble;
		int error = scram_server_begin(&s, span_of_text(rows[i].text), &user, &trouble);
		assert_int_equal(error, rows[i].user ? 0 : ERROR_INVALID);
		assert_int_equal(trouble != NULL, error != 0);
		if (rows[i].user)
			assert_true(span_is_equal(user, span_of_text(rows[i].user)));
	}
	scram_server_release(&s);
}

/* --- both, with other names and nonces, and each allocation failing --- */

static int talk(struct span user, struct span password, bool *is_done_out)
{
	struct scram_client c = {0};
	struct scram_server s = {0};
	struct buffer a = {0}, b = {0}, d = {0}, e = {0};
	struct span name;
	const char *trouble;
	char nonces[2][SCRAM_NONCE_TEXT];
	uint8_t random[SCRAM_NONCE_RANDOM] = {1, 2, 3};
	scram_nonce(random, nonces[0]);
	scram_nonce(random, nonces[1]);
	int error = scram_client_first(&c, user, span_of_text(nonces[0]), &a);
	if (!error)
		error = scram_server_begin(&s, buffer_content(&a), &name, &trouble);
	if (!error)
		assert_true(span_is_equal(name, user));
	if (!error)
		error = scram_server_first(&s, verifier(), span_of_text(nonces[1]), &b);
	if (!error)
		error = scram_client_final(&c, password, buffer_content(&b), &d, &trouble);
	if (!error)
		error = scram_server_final(&s, verifier(), buffer_content(&d), &e, &trouble);
	if (!error)
		error = scram_client_check(&c, buffer_content(&e), &trouble);
	*is_done_out = scram_client_is_done(&c);
	scram_client_release(&c);
	scram_server_release(&s);
	buffer_release(&a);
	buffer_release(&b);
	buffer_release(&d);
	buffer_release(&e);
	return error;
}

static void test_both_sides(void **state)
{
	(void)state;
	static const char *const users[] = {"user", "a,b=c,,==", "M\xc3\xbcller", " x "};
	bool is_done;
	for (size_t i = 0; i < ARRAY_COUNT(users); i++) {
		assert_int_equal(talk(span_of_text(users[i]), SPAN_LITERAL("pencil"), &is_done), 0);
		assert_true(is_done);
		assert_int_equal(talk(span_of_text(users[i]), SPAN_LITERAL("pencils"), &is_done),
				 ERROR_NOT_FOUND);
		assert_false(is_done);
	}
}

static void test_each_allocation_fails(void **state)
{
	(void)state;
	unsigned long countdown = 0;
	bool has_failed, is_done;
	(void)verifier();
	do {
		mem_count_start();
		mem_fail_after(++countdown);
		int error = talk(SPAN_LITERAL("a,b"), SPAN_LITERAL("pencil"), &is_done);
		has_failed = mem_has_failed();
		mem_fail_after(0);
		assert_int_equal(error, has_failed ? ERROR_NO_MEMORY : 0);
		assert_int_equal(mem_count_live(), 0);
	} while (has_failed);
	assert_true(countdown > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_client_of_the_rfc),
		cmocka_unit_test(test_challenges_that_are_not_answered),
		cmocka_unit_test(test_extensions_behind_are_passed_over),
		cmocka_unit_test(test_servers_that_do_not_prove_themselves),
		cmocka_unit_test(test_names_and_passwords_that_cannot_be),
		cmocka_unit_test(test_server_of_the_rfc),
		cmocka_unit_test(test_answers_that_are_not_taken),
		cmocka_unit_test(test_first_messages),
		cmocka_unit_test(test_both_sides),
		cmocka_unit_test(test_each_allocation_fails),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
