/* SPDX-License-Identifier: Apache-2.0 */
/* A handshake of OpenSSL with itself, looked on as the server's carrier does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/x509.h>

#include "io/tls_takeover.h"

/* How what goes out is told. */
enum telling {
	AS_IT_IS,
	BYTE_BY_BYTE,
	NOT_AT_ALL,
	TWICE,
	BUT_FOR_THE_LAST_BYTE,
};

struct watch {
	struct tls_takeover *takeover;
	enum telling telling;
};

static void note_line(const SSL *ssl, const char *line)
{
	const struct watch *w = SSL_get_app_data(ssl);
	if (w)
		tls_takeover_note(w->takeover, line);
}

static void tell(const struct watch *w, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; w->telling == BYTE_BY_BYTE && i < len; i++)
		tls_takeover_wrote(w->takeover, span_of(bytes + i, 1));
	if (w->telling == BUT_FOR_THE_LAST_BYTE)
		len--;
	if (w->telling != BYTE_BY_BYTE && w->telling != NOT_AT_ALL)
		tls_takeover_wrote(w->takeover, span_of(bytes, len));
	if (w->telling == TWICE)
		tls_takeover_wrote(w->takeover, span_of(bytes, len));
}

static long watch_writes(BIO *bio, int operation, const char *bytes, size_t len, int argi,
			 long argl, int result, size_t *processed)
{
	(void)len;
	(void)argi;
	(void)argl;
	if (operation == (BIO_CB_WRITE | BIO_CB_RETURN) && result > 0)
		tell((const struct watch *)BIO_get_callback_arg(bio), (const uint8_t *)bytes,
		     *processed);
	return result;
}

static void certify(SSL_CTX *context)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *c = X509_new();
	X509_set_version(c, 2);
	X509_gmtime_adj(X509_getm_notBefore(c), -60);
	X509_gmtime_adj(X509_getm_notAfter(c), 3600);
	X509_set_pubkey(c, key);
	assert_true(X509_sign(c, key, EVP_sha256()) > 0);
	assert_int_equal(SSL_CTX_use_certificate(context, c), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(context, key), 1);
	X509_free(c);
	EVP_PKEY_free(key);
}

/* May the server's connection be taken over? */
static bool is_possible(enum telling telling, unsigned tickets, int version)
{
	SSL_CTX *contexts[2] = {SSL_CTX_new(TLS_server_method()), SSL_CTX_new(TLS_client_method())};
	certify(contexts[0]);
	SSL_CTX_set_keylog_callback(contexts[0], note_line);
	SSL_CTX_set_num_tickets(contexts[0], tickets);
	SSL_CTX_set_max_proto_version(contexts[0], version);
	SSL *server = SSL_new(contexts[0]), *client = SSL_new(contexts[1]);
	BIO *ends[2] = {BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem())};
	struct watch watch = {tls_takeover_new(server), telling};
	assert_non_null(watch.takeover);
	SSL_set_app_data(server, &watch);
	for (int i = 0; i < 2; i++)
		BIO_up_ref(ends[i]);
	SSL_set_bio(server, ends[0], ends[1]);
	SSL_set_bio(client, ends[1], ends[0]);
	BIO_set_callback_ex(ends[1], watch_writes);
	BIO_set_callback_arg(ends[1], (char *)&watch);
	SSL_set_accept_state(server);
	SSL_set_connect_state(client);
	for (int step = 0; step < 10 && SSL_do_handshake(server) != 1; step++)
		(void)SSL_do_handshake(client);
	assert_true(SSL_is_init_finished(server));
	bool result = tls_takeover_is_possible(watch.takeover, server);
	tls_takeover_free(watch.takeover);
	SSL_set_msg_callback(server, NULL);
	BIO_set_callback_ex(ends[1], NULL);
	SSL_free(server);
	SSL_free(client);
	SSL_CTX_free(contexts[0]);
	SSL_CTX_free(contexts[1]);
	return result;
}

static void test_what_went_out_is_as_counted(void **state)
{
	(void)state;
	for (unsigned tickets = 0; tickets < 4; tickets++) {
		assert_true(is_possible(AS_IT_IS, tickets, TLS1_3_VERSION));
		assert_true(is_possible(BYTE_BY_BYTE, tickets, TLS1_3_VERSION));
	}
}

/* Where another OpenSSL tells its secrets earlier or later, or calls back more or less often. */
static void test_what_went_out_is_not_as_counted(void **state)
{
	(void)state;
	assert_false(is_possible(NOT_AT_ALL, 1, TLS1_3_VERSION));
	assert_false(is_possible(TWICE, 1, TLS1_3_VERSION));
	assert_false(is_possible(TWICE, 2, TLS1_3_VERSION));
	assert_false(is_possible(BUT_FOR_THE_LAST_BYTE, 1, TLS1_3_VERSION));
}

static void test_an_older_version(void **state)
{
	(void)state;
	assert_false(is_possible(AS_IT_IS, 1, TLS1_2_VERSION));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_went_out_is_as_counted),
		cmocka_unit_test(test_what_went_out_is_not_as_counted),
		cmocka_unit_test(test_an_older_version),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
