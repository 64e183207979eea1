/* SPDX-License-Identifier: Apache-2.0 */
/* Both ends of TLS in one thread, over a stream in memory. Certificates are made here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/stream_memory.h"
#include "io/tls.h"

static struct {
	char folder[64];
	char ca[96], certificate[96], key[96], psk[96], other_key[96], garbage[96];
} files;

struct pair {
	struct layer_bottom bottom[2];
	struct layer *end[2]; /* server, client */
};

/* --- certificates --- */

static void save_key(const char *path, EVP_PKEY *key)
{
	FILE *stream = fopen(path, "we");
	assert_non_null(stream);
	assert_int_equal(PEM_write_PrivateKey(stream, key, NULL, NULL, 0, NULL, NULL), 1);
	fclose(stream);
}

static void save_certificate(const char *path, X509 *certificate)
{
	FILE *stream = fopen(path, "we");
	assert_non_null(stream);
	assert_int_equal(PEM_write_X509(stream, certificate), 1);
	fclose(stream);
}

static X509 *certify(EVP_PKEY *key, const char *name, X509 *issuer, EVP_PKEY *issuer_key)
{
	X509 *c = X509_new();
	X509_set_version(c, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(c), issuer ? 2 : 1);
	X509_gmtime_adj(X509_getm_notBefore(c), -60);
	X509_gmtime_adj(X509_getm_notAfter(c), 3600);
	X509_set_pubkey(c, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(c), "CN", MBSTRING_ASC,
				   (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(c, X509_get_subject_name(issuer ? issuer : c));
	if (!issuer) {
		X509_EXTENSION *is_authority =
			X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE");
		X509_add_ext(c, is_authority, -1);
		X509_EXTENSION_free(is_authority);
	}
	assert_true(X509_sign(c, issuer_key ? issuer_key : key, EVP_sha256()) > 0);
	return c;
}

static void save_text(const char *path, const char *text)
{
	FILE *stream = fopen(path, "we");
	assert_non_null(stream);
	fputs(text, stream);
	fclose(stream);
}

static void name_file(char *path, const char *name)
{
	snprintf(path, sizeof(files.ca), "%s/%s", files.folder, name);
}

static int make_files(void **state)
{
	(void)state;
	EVP_PKEY *ca_key = EVP_EC_gen("P-256"), *key = EVP_EC_gen("P-256");
	strcpy(files.folder, "/tmp/nightjar-tls-XXXXXX");
	assert_non_null(mkdtemp(files.folder));
	name_file(files.ca, "ca.pem");
	name_file(files.certificate, "server.pem");
	name_file(files.key, "server.key");
	name_file(files.psk, "psk");
	name_file(files.other_key, "other.key");
	name_file(files.garbage, "garbage");
	X509 *ca = certify(ca_key, "authority", NULL, NULL);
	X509 *server = certify(key, "localhost", ca, ca_key);
	save_certificate(files.ca, ca);
	save_certificate(files.certificate, server);
	save_key(files.key, key);
	save_key(files.other_key, ca_key);
	save_text(files.psk, "# devices\nlamp:0a0b0c\nbell:ff00\n");
	save_text(files.garbage, "nothing of the kind\n");
	X509_free(ca);
	X509_free(server);
	EVP_PKEY_free(ca_key);
	EVP_PKEY_free(key);
	return 0;
}

static int remove_files(void **state)
{
	(void)state;
	const char *const all[] = {files.ca,  files.certificate, files.key,
				   files.psk, files.other_key,   files.garbage};
	for (size_t i = 0; i < ARRAY_COUNT(all); i++)
		unlink(all[i]);
	return rmdir(files.folder);
}

/* --- both ends --- */

static struct tls_context *context_of(const struct tls_settings *settings)
{
	struct tls_context *c;
	char reason[TLS_REASON_MAX] = "";
	if (tls_context_new(settings, NULL, &c, reason) != 0)
		fail_msg("%s", reason);
	return c;
}

static struct tls_settings server_settings(void)
{
	return (struct tls_settings){
		.certificates = {{files.certificate, files.key, NULL}},
		.certificate_count = 1,
		.alpn = "mqtt",
		.has_tickets = true,
	};
}

static struct tls_settings client_settings(void)
{
	return (struct tls_settings){.is_client = true, .ca_file = files.ca};
}

static void pair_open(struct pair *p, const struct tls_settings *server,
		      const struct tls_settings *client, uint32_t capacity)
{
	struct stream streams[2];
	struct tls_context *contexts[2] = {context_of(server), context_of(client)};
	assert_int_equal(memory_pair_open(capacity, &streams[0], &streams[1]), 0);
	for (int i = 0; i < 2; i++) {
		layer_bottom_init(&p->bottom[i], &streams[i]);
		p->end[i] = tls_new(contexts[i], i == 1 ? "localhost" : NULL, true);
		assert_non_null(p->end[i]);
		p->end[i]->below = &p->bottom[i].layer;
		tls_context_unref(contexts[i]);
	}
}

static void pair_close(struct pair *p)
{
	for (int i = 0; i < 2; i++) {
		layer_free(p->end[i]);
		p->bottom[i].stream.ops->close(&p->bottom[i].stream);
	}
}

/* Until both ends have come to something else than ERROR_AGAIN. */
static void shake_hands(struct pair *p, int results[2])
{
	results[0] = results[1] = ERROR_AGAIN;
	for (int round = 0; round < 10000; round++) {
		for (int i = 1; i >= 0; i--) {
			uint8_t byte;
			if (results[i] == ERROR_AGAIN)
				results[i] = layer_open(p->end[i]);
			else if (results[i] == 0) /* tickets may be on their way to it */
				assert_true(layer_read(p->end[i], (struct room){&byte, 1}) <= 0);
		}
		if (results[0] != ERROR_AGAIN && results[1] != ERROR_AGAIN)
			return;
		/* one who has failed says no more */
		if (results[0] == ERROR_CLOSED || results[1] == ERROR_CLOSED)
			for (int i = 0; i < 2; i++)
				if (results[i] == ERROR_CLOSED)
					memory_cut(&p->bottom[i].stream);
	}
	fail_msg("the handshake does not end");
}

static void open_both(struct pair *p)
{
	int results[2];
	shake_hands(p, results);
	if (results[0] != 0 || results[1] != 0)
		fail_msg("server: %s, client: %s", layer_reason(p->end[0]),
			 layer_reason(p->end[1]));
}

static void assert_refused(const struct tls_settings *server, const struct tls_settings *client,
			   int end, const char *why)
{
	struct pair p;
	int results[2];
	pair_open(&p, server, client, 65536);
	shake_hands(&p, results);
	assert_int_equal(results[end], ERROR_CLOSED);
	if (!layer_reason(p.end[end]) || !strstr(layer_reason(p.end[end]), why))
		fail_msg("'%s' does not say '%s'", layer_reason(p.end[end]), why);
	pair_close(&p);
}

/* Writes bytes that count up from `from` in many parts; how many left. */
static size_t write_counted(struct layer *l, size_t from, size_t len)
{
	uint8_t bytes[40000];
	struct span parts[STREAM_PARTS_MAX];
	unsigned count = 0;
	assert_true(len <= sizeof(bytes));
	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)((from + i) * 7 >> 3);
	for (size_t at = 0; at < len && count < STREAM_PARTS_MAX;) {
		size_t part = at % 3 == 0 ? 17 : 1000;
		if (part > len - at)
			part = len - at;
		parts[count++] = span_of(bytes + at, part);
		at += part;
	}
	long n = layer_write(l, parts, count);
	return n > 0 ? (size_t)n : 0;
}

static size_t read_counted(struct layer *l, size_t from, size_t room_len)
{
	uint8_t bytes[8192];
	assert_true(room_len <= sizeof(bytes));
	long n = layer_read(l, (struct room){bytes, room_len});
	if (n == ERROR_AGAIN)
		return 0;
	assert_true(n > 0);
	for (size_t i = 0; i < (size_t)n; i++)
		assert_int_equal(bytes[i], (uint8_t)((from + i) * 7 >> 3));
	return (size_t)n;
}

static void move_bytes(struct layer *from, struct layer *to, size_t total, size_t room_len)
{
	size_t written = 0, got = 0;
	for (int round = 0; got < total; round++) {
		assert_true(round < 1000000);
		size_t len = total - written < 30000 ? total - written : 30000;
		if (len > 0)
			written += write_counted(from, written, len);
		size_t n;
		while ((n = read_counted(to, got, room_len)) > 0)
			got += n;
		assert_false(to->has_more); /* all of it was read, or it would be asked again */
	}
	assert_int_equal(written, total);
}

static void test_tls_carries_bytes_both_ways(void **state)
{
	(void)state;
	struct tls_settings server = server_settings(), client = client_settings();
	static const char *const versions[] = {"tlsv1.2", "tlsv1.3"};
	for (size_t i = 0; i < ARRAY_COUNT(versions); i++) {
		struct pair p;
		client.version = versions[i];
		client.is_only_version = true;
		pair_open(&p, &server, &client, 65536);
		open_both(&p);
		move_bytes(p.end[0], p.end[1], 200000, 5000);
		move_bytes(p.end[1], p.end[0], 200000, 100);
		pair_close(&p);
	}
}

/* Everything comes in pieces of one byte, and the way takes little. */
static void test_tls_in_single_bytes(void **state)
{
	(void)state;
	struct tls_settings server = server_settings(), client = client_settings();
	struct pair p;
	pair_open(&p, &server, &client, 64);
	memory_set_step(&p.bottom[0].stream, 1);
	memory_set_step(&p.bottom[1].stream, 1);
	open_both(&p);
	move_bytes(p.end[0], p.end[1], 3000, 77);
	move_bytes(p.end[1], p.end[0], 3000, 77);
	pair_close(&p);
}

/* Left over in a layer, where the socket would not tell of it. */
static void test_tls_says_that_it_holds_more(void **state)
{
	(void)state;
	struct tls_settings server = server_settings(), client = client_settings();
	client.is_only_version = true;
	for (int is_new = 0; is_new < 2; is_new++) {
		struct pair p;
		uint8_t byte;
		client.version = is_new ? "tlsv1.3" : "tlsv1.2";
		pair_open(&p, &server, &client, 65536);
		open_both(&p);
		assert_int_equal(write_counted(p.end[1], 0, 100), 100);
		assert_int_equal(layer_read(p.end[0], (struct room){&byte, 1}), 1);
		assert_true(layer_has_more(p.end[0]));
		assert_int_equal(memory_unread(&p.bottom[0].stream), 0);
		assert_int_equal(read_counted(p.end[0], 1, 1000), 99);
		assert_false(layer_has_more(p.end[0]));
		pair_close(&p);
	}
}

static void test_tls_end_of_both_kinds(void **state)
{
	(void)state;
	struct tls_settings server = server_settings(), client = client_settings();
	for (int is_polite = 0; is_polite < 2; is_polite++) {
		struct pair p;
		uint8_t bytes[200];
		pair_open(&p, &server, &client, 65536);
		open_both(&p);
		assert_int_equal(write_counted(p.end[1], 0, 50), 50);
		if (is_polite)
			layer_finish(p.end[1]);
		p.bottom[1].stream.ops->close(&p.bottom[1].stream);
		assert_int_equal(layer_read(p.end[0], (struct room){bytes, 200}), 50);
		/* of the other end the socket tells */
		assert_int_equal(layer_has_more(p.end[0]), is_polite);
		assert_int_equal(layer_read(p.end[0], (struct room){bytes, 200}), 0);
		layer_free(p.end[0]);
		layer_free(p.end[1]);
		p.bottom[0].stream.ops->close(&p.bottom[0].stream);
	}
}

static void test_tls_cut_in_a_record(void **state)
{
	(void)state;
	struct tls_settings server = server_settings(), client = client_settings();
	struct pair p;
	uint8_t bytes[200];
	pair_open(&p, &server, &client, 65536);
	open_both(&p);
	memory_cut_after(&p.bottom[1].stream, 20);
	write_counted(p.end[1], 0, 100);
	/* what came of it, then the cut */
	assert_int_equal(layer_read(p.end[0], (struct room){bytes, 200}), ERROR_AGAIN);
	assert_int_equal(layer_read(p.end[0], (struct room){bytes, 200}), ERROR_CLOSED);
	pair_close(&p);
}

static void test_tls_strangers_are_named(void **state)
{
	(void)state;
	static const struct {
		const char *bytes, *why;
	} cases[] = {
		{"\x10\x0c\0\x04MQTT\x04\x02\0\x3c\0\0", "plain MQTT on a port that wants TLS"},
		{"GET / HTTP/1.1\r\n\r\n", "plain HTTP on a port that wants TLS"},
		{"\x01\x02\x03\x04\x05\x06\x07 and so on", "something else than TLS"},
	};
	struct tls_settings server = server_settings(), client = client_settings();
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct pair p;
		struct span part = span_of(cases[i].bytes, 14);
		pair_open(&p, &server, &client, 65536);
		struct stream *s = &p.bottom[1].stream;
		assert_int_equal(s->ops->write(s, &part, 1), 14);
		assert_int_equal(layer_open(p.end[0]), ERROR_CLOSED);
		assert_non_null(strstr(layer_reason(p.end[0]), cases[i].why));
		assert_int_equal(layer_open(p.end[0]), ERROR_CLOSED);
		pair_close(&p);
	}
}

static const char *user_name_at(const struct layer *l)
{
	struct stream_peer peer = {0};
	layer_peer(l, &peer);
	return peer.user_name;
}

static void test_tls_shared_keys_give_names(void **state)
{
	(void)state;
	static const uint8_t key[] = {0x0a, 0x0b, 0x0c}, wrong[] = {0x0a, 0x0b, 0x0d};
	struct tls_settings server = {
		.uses_psk = true,
		.psk_hint = "hint",
		.psk_file = files.psk,
		.user_name = TLS_USER_NAME_IDENTITY,
	};
	struct tls_settings client = {
		.is_client = true,
		.uses_psk = true,
		.psk_identity = "lamp",
		.psk = {key, sizeof(key)},
		.is_only_version = true,
	};
	static const char *const versions[] = {"tlsv1.2", "tlsv1.3"};
	for (size_t i = 0; i < ARRAY_COUNT(versions); i++) {
		struct pair p;
		client.version = versions[i];
		pair_open(&p, &server, &client, 65536);
		open_both(&p);
		assert_string_equal(user_name_at(p.end[0]), "lamp");
		pair_close(&p);
	}
	client.psk.ptr = wrong;
	assert_refused(&server, &client, 0, "TLS handshake failed");
	client.psk_identity = "nobody";
	assert_refused(&server, &client, 0, "TLS handshake failed");
}

static void test_tls_certificates_give_names(void **state)
{
	(void)state;
	struct tls_settings server = server_settings(), client = client_settings();
	struct pair p;
	server.requires_certificate = true;
	server.ca_file = files.ca;
	server.user_name = TLS_USER_NAME_IDENTITY;
	assert_refused(&server, &client, 0, "peer did not return a certificate");
	client.certificates[0] = (struct tls_certificate){files.certificate, files.key, NULL};
	client.certificate_count = 1;
	pair_open(&p, &server, &client, 65536);
	open_both(&p);
	assert_string_equal(user_name_at(p.end[0]), "localhost");
	pair_close(&p);
	server.user_name = TLS_USER_NAME_SUBJECT;
	pair_open(&p, &server, &client, 65536);
	open_both(&p);
	assert_string_equal(user_name_at(p.end[0]), "CN=localhost");
	pair_close(&p);
}

static void test_tls_client_believes_only_its_authority(void **state)
{
	(void)state;
	struct tls_settings server = server_settings(), client = client_settings();
	struct tls_settings other = {.is_client = true, .believes_system = true};
	struct pair p;
	assert_refused(&server, &other, 1, "certificate");
	assert_refused(&server, &other, 0, "unknown ca");
	pair_open(&p, &server, &client, 65536);
	layer_free(p.end[1]);
	struct tls_context *context = context_of(&client);
	p.end[1] = tls_new(context, "elsewhere.example", true);
	tls_context_unref(context);
	p.end[1]->below = &p.bottom[1].layer;
	int results[2];
	shake_hands(&p, results);
	assert_int_equal(results[1], ERROR_CLOSED);
	assert_non_null(strstr(layer_reason(p.end[1]), "ostname mismatch"));
	pair_close(&p);
}

static void test_tls_settings_mistakes_are_named(void **state)
{
	(void)state;
	const struct {
		struct tls_settings settings;
		const char *why;
	} cases[] = {
		{{.certificates = {{"/nonexistent", files.key, NULL}}, .certificate_count = 1},
		 "certfile '/nonexistent': No such file or directory"},
		{{.certificates = {{files.garbage, files.key, NULL}}, .certificate_count = 1},
		 "holds no certificate in the form PEM"},
		{{.certificates = {{files.certificate, files.garbage, NULL}},
		  .certificate_count = 1},
		 "holds no key in the form PEM"},
		{{.certificates = {{files.certificate, files.other_key, NULL}},
		  .certificate_count = 1},
		 "is not the key of the certificate"},
		{{.certificates = {{files.certificate, files.key, files.garbage}},
		  .certificate_count = 1},
		 "no successful answer of OCSP"},
		{{.ca_file = files.garbage}, "cafile '"},
		{{.ca_path = "/nonexistent"}, "capath '/nonexistent': No such file or directory"},
		{{.ca_file = files.ca, .crl_file = files.garbage}, "no list of revoked"},
		{{.dh_file = files.garbage}, "holds no DH parameters"},
		{{.version = "tlsv1"}, "none of tlsv1.2 and tlsv1.3"},
		{{.ciphers = "NONE-SUCH"}, "names no cipher"},
		{{.ciphersuites = "NONE-SUCH"}, "names a cipher that TLS 1.3 has not"},
		{{.curves = "circle"}, "names a curve"},
		{{.uses_psk = true, .psk_file = files.garbage}, "line 1: no line of the form"},
		{{.uses_psk = true, .psk_file = "/nonexistent"}, "psk_file '/nonexistent'"},
		{{.certificates = {{files.folder, files.key, NULL}}, .certificate_count = 1},
		 "is a folder"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct tls_context *c = NULL;
		char reason[TLS_REASON_MAX] = "";
		assert_int_equal(tls_context_new(&cases[i].settings, NULL, &c, reason),
				 ERROR_INVALID);
		assert_null(c);
		if (!strstr(reason, cases[i].why))
			fail_msg("'%s' does not say '%s'", reason, cases[i].why);
	}
}

static void test_tls_without_memory(void **state)
{
	(void)state;
	struct tls_settings server = server_settings(), client = client_settings();
	for (unsigned long n = 1;; n++) {
		struct pair p;
		int results[2] = {0};
		pair_open(&p, &server, &client, 65536);
		mem_fail_after(n);
		for (int round = 0; round < 20; round++)
			for (int i = 1; i >= 0; i--)
				results[i] = layer_open(p.end[i]);
		bool has_failed = mem_has_failed();
		mem_fail_after(0);
		pair_close(&p);
		if (!has_failed)
			break;
		assert_true(results[0] <= 0 && results[1] <= 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tls_carries_bytes_both_ways),
		cmocka_unit_test(test_tls_in_single_bytes),
		cmocka_unit_test(test_tls_says_that_it_holds_more),
		cmocka_unit_test(test_tls_end_of_both_kinds),
		cmocka_unit_test(test_tls_cut_in_a_record),
		cmocka_unit_test(test_tls_strangers_are_named),
		cmocka_unit_test(test_tls_shared_keys_give_names),
		cmocka_unit_test(test_tls_certificates_give_names),
		cmocka_unit_test(test_tls_client_believes_only_its_authority),
		cmocka_unit_test(test_tls_settings_mistakes_are_named),
		cmocka_unit_test(test_tls_without_memory),
	};
	return cmocka_run_group_tests(tests, make_files, remove_files);
}
