/* SPDX-License-Identifier: Apache-2.0 */
#include "io/tls_inside.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include "base/mem.h"

/* The keys of tickets, as OpenSSL 3 has them: a name, one for secrecy, one against change. */
#define TICKET_KEYS_BYTES 80

bool tls_is_available(void)
{
	return true;
}

/* --- what is asked for in a handshake --- */

static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
		       const unsigned char *offered, unsigned offered_len, void *context)
{
	const struct tls_context *c = context;
	const unsigned char *ours = (const unsigned char *)c->alpn;
	(void)ssl;
	int rc = SSL_select_next_proto((unsigned char **)(uintptr_t)out, out_len, ours,
				       1u + ours[0], offered, offered_len);
	/* who offers other names only is served all the same: MQTT needs none of them */
	return rc == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

static int choose_certificate(SSL *ssl, int *alert, void *context)
{
	const struct tls_context *c = context;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	(void)alert;
	if (!name)
		return SSL_TLSEXT_ERR_NOACK;
	for (unsigned i = 0; i < c->choice_count; i++) {
		if (X509_check_host(c->choices[i].certificate, name, 0, 0, NULL) != 1)
			continue;
		if (i > 0 && !SSL_set_SSL_CTX(ssl, c->choices[i].ssl))
			return SSL_TLSEXT_ERR_ALERT_FATAL;
		return SSL_TLSEXT_ERR_OK;
	}
	return SSL_TLSEXT_ERR_NOACK; /* the first one for all others */
}

static int hand_out_staple(SSL *ssl, void *context)
{
	const struct tls_context *c = context;
	const struct tls_choice *choice = &c->choices[0];
	for (unsigned i = 0; i < c->choice_count; i++)
		if (c->choices[i].ssl == SSL_get_SSL_CTX(ssl))
			choice = &c->choices[i];
	if (!choice->staple)
		return SSL_TLSEXT_ERR_NOACK;
	unsigned char *copy = OPENSSL_memdup(choice->staple, choice->staple_len);
	if (!copy)
		return SSL_TLSEXT_ERR_NOACK;
	SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)choice->staple_len);
	return SSL_TLSEXT_ERR_OK;
}

/* For who takes a connection over, and for the file, if there is one; one line at a time: other
 * threads write, too. */
static void log_keys(const SSL *ssl, const char *line)
{
	const struct tls_context *c = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	if (!c->is_client)
		tls_note_secret((SSL *)(uintptr_t)ssl, line);
	if (c->key_log)
		fprintf(c->key_log, "%s\n", line);
}

/* --- making one --- */

static int set_version(SSL_CTX *ssl, const struct tls_settings *s, char *reason)
{
	int least = TLS1_2_VERSION, most = TLS1_3_VERSION;
	if (s->version && strcmp(s->version, "tlsv1.3") == 0)
		least = TLS1_3_VERSION;
	else if (s->version && strcmp(s->version, "tlsv1.2") != 0)
		return tls_refuse(reason, "tls_version", s->version,
				  "is none of tlsv1.2 and tlsv1.3; older ones are not safe");
	else if (s->version && s->is_only_version)
		most = TLS1_2_VERSION;
	SSL_CTX_set_min_proto_version(ssl, least);
	SSL_CTX_set_max_proto_version(ssl, most);
	return 0;
}

static int set_algorithms(SSL_CTX *ssl, const struct tls_settings *s, char *reason)
{
	int error = set_version(ssl, s, reason);
	if (error != 0)
		return error;
	if (s->ciphers && SSL_CTX_set_cipher_list(ssl, s->ciphers) != 1)
		return tls_refuse(reason, "ciphers", s->ciphers,
				  "names no cipher that OpenSSL has (openssl ciphers lists them)");
	if (s->ciphersuites && SSL_CTX_set_ciphersuites(ssl, s->ciphersuites) != 1)
		return tls_refuse(reason, "ciphers_tls1.3", s->ciphersuites,
				  "names a cipher that TLS 1.3 has not (openssl ciphers -tls1_3 -s "
				  "lists them)");
	if (s->curves && SSL_CTX_set1_groups_list(ssl, s->curves) != 1)
		return tls_refuse(reason, "tls_curves", s->curves,
				  "names a curve that OpenSSL has not, as X25519:P-256");
	if (s->dh_file)
		return tls_load_dh(ssl, s->dh_file, reason);
	SSL_CTX_set_dh_auto(ssl, 1);
	return 0;
}

/*
 * Nobody may make us start anew in the middle (renegotiation), nor guess lengths by compression.
 * Buffers go back when they are empty, which makes an idle connection small. What comes is read in
 * large pieces: many small messages cost one system call.
 */
static void set_manners(SSL_CTX *ssl, const struct tls_settings *s)
{
	SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
					 SSL_OP_CIPHER_SERVER_PREFERENCE |
					 SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_read_ahead(ssl, 1);
	SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
	/* who must prove itself does so each time: a ticket would outlive what was revoked */
	bool has_tickets =
		!s->is_client && s->has_tickets && !s->uses_psk && !s->requires_certificate;
	if (!has_tickets)
		SSL_CTX_set_options(ssl, SSL_OP_NO_TICKET);
	SSL_CTX_set_num_tickets(ssl, has_tickets ? 1 : 0);
}

/* Where a client resumes, the newest ticket is for the next connection. */
static int keep_last(SSL *ssl, SSL_SESSION *session)
{
	struct tls_context *c = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	SSL_SESSION_free(c->last);
	c->last = session;
	return 1; /* ours now */
}

static void set_resumption(SSL_CTX *ssl, const struct tls_settings *s)
{
	if (!s->is_client || !s->resumes)
		return;
	SSL_CTX_clear_options(ssl, SSL_OP_NO_TICKET);
	SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ssl, keep_last);
}

/* A new context would else have keys of its own, and everybody's ticket would be waste. */
static void keep_tickets(SSL_CTX *ssl, const struct tls_settings *s, struct tls_context *before)
{
	static const unsigned char context_id[] = "nightjar";
	unsigned char keys[TICKET_KEYS_BYTES];
	if (s->is_client)
		return;
	SSL_CTX_set_session_id_context(ssl, context_id, sizeof(context_id) - 1);
	if (!before)
		return;
	if (SSL_CTX_get_tlsext_ticket_keys(before->ssl, keys, sizeof(keys)) == 1)
		SSL_CTX_set_tlsext_ticket_keys(ssl, keys, sizeof(keys));
	OPENSSL_cleanse(keys, sizeof(keys));
}

static int new_ssl(const struct tls_settings *s, struct tls_context *c, SSL_CTX **out, char *reason)
{
	SSL_CTX *ssl = SSL_CTX_new(s->is_client ? TLS_client_method() : TLS_server_method());
	if (!ssl)
		return tls_refuse(reason, "TLS", NULL, NULL);
	*out = ssl;
	SSL_CTX_set_app_data(ssl, c);
	set_manners(ssl, s);
	set_resumption(ssl, s);
	if (!s->is_client || s->key_log_file)
		SSL_CTX_set_keylog_callback(ssl, log_keys);
	return set_algorithms(ssl, s, reason);
}

static int load_choice(const struct tls_settings *s, struct tls_context *c, unsigned i,
		       char *reason)
{
	const struct tls_certificate *from = &s->certificates[i];
	struct tls_choice *choice = &c->choices[i];
	int error = i == 0 ? 0 : new_ssl(s, c, &choice->ssl, reason);
	if (i == 0)
		choice->ssl = c->ssl;
	c->choice_count = i + 1;
	if (error == 0)
		error = tls_load_certificate(choice->ssl, from, i == 0 ? s->key_password : NULL,
					     reason);
	if (error == 0 && from->staple_file)
		error = tls_load_staple(choice, from->staple_file, reason);
	if (error == 0)
		choice->certificate = SSL_CTX_get0_certificate(choice->ssl);
	return error;
}

static int set_alpn(struct tls_context *c, const char *name, char *reason)
{
	size_t len = strlen(name);
	if (len == 0 || len > 255)
		return tls_refuse(reason, "alpn", name, "has not 1 to 255 bytes");
	c->alpn = mem_alloc(len + 2);
	if (!c->alpn)
		return tls_refuse(reason, "alpn", name, "out of memory");
	c->alpn[0] = (char)len;
	memcpy(c->alpn + 1, name, len + 1);
	if (c->is_client)
		SSL_CTX_set_alpn_protos(c->ssl, (unsigned char *)c->alpn, (unsigned)len + 1);
	else
		SSL_CTX_set_alpn_select_cb(c->ssl, choose_alpn, c);
	return 0;
}

static int use_psks(struct tls_context *c, const struct tls_settings *s, char *reason)
{
	tls_use_psks(c->ssl, s->is_client);
	if (!s->is_client) {
		if (s->psk_hint && SSL_CTX_use_psk_identity_hint(c->ssl, s->psk_hint) != 1)
			return tls_refuse(reason, "psk_hint", s->psk_hint, "is too long");
		return s->psk_file ? psk_table_load(&c->psks, s->psk_file, reason) : 0;
	}
	struct psk *key = mem_zalloc(sizeof(*key));
	c->psk_identity = mem_copy_text(span_of_text(s->psk_identity));
	if (!key || !c->psk_identity || s->psk.len > sizeof(key->key)) {
		mem_free(key);
		return tls_refuse(reason, "the shared key", NULL, "is too long");
	}
	memcpy(key->key, s->psk.ptr, s->psk.len);
	key->len = s->psk.len;
	c->psks = (struct psk_table){key, 1};
	return 0;
}

/* It holds secrets: nobody else may read it. */
static int open_key_log(struct tls_context *c, const char *file, char *reason)
{
	mode_t before = umask(0077);
	c->key_log = fopen(file, "ae");
	umask(before);
	if (!c->key_log)
		return tls_refuse(reason, "tls_keylog", file, strerror(errno));
	setlinebuf(c->key_log);
	return 0;
}

/* A client that shares a key looks at no certificate; a server that has no authority asks for
 * none. */
static void set_verification(struct tls_context *c, const struct tls_settings *s)
{
	int mode = SSL_VERIFY_NONE;
	if (s->is_client && !s->uses_psk)
		mode = SSL_VERIFY_PEER;
	if (!s->is_client && s->requires_certificate)
		mode = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	SSL_CTX_set_verify(c->ssl, mode, NULL);
	if (c->choice_count > 1)
		SSL_CTX_set_tlsext_servername_callback(c->ssl, choose_certificate);
	if (c->choice_count > 1)
		SSL_CTX_set_tlsext_servername_arg(c->ssl, c);
}

/* OpenSSL goes on with the context of the certificate that was chosen, also when it judges that of
 * the client. */
static int furnish_choices(struct tls_context *c)
{
	const STACK_OF(X509_NAME) *names = SSL_CTX_get_client_CA_list(c->ssl);
	for (unsigned i = 0; i < c->choice_count && !c->is_client; i++) {
		SSL_CTX *ssl = c->choices[i].ssl;
		SSL_CTX_set_tlsext_status_cb(ssl, hand_out_staple);
		SSL_CTX_set_tlsext_status_arg(ssl, c);
		if (i == 0)
			continue;
		SSL_CTX_set1_cert_store(ssl, SSL_CTX_get_cert_store(c->ssl));
		if (c->alpn)
			SSL_CTX_set_alpn_select_cb(ssl, choose_alpn, c);
		STACK_OF(X509_NAME) *copy = names ? SSL_dup_CA_list(names) : NULL;
		if (names && !copy)
			return ERROR_NO_MEMORY;
		SSL_CTX_set_client_CA_list(ssl, copy);
	}
	return 0;
}

static int fill(struct tls_context *c, const struct tls_settings *s, struct tls_context *before,
		char *reason)
{
	int error = new_ssl(s, c, &c->ssl, reason);
	for (unsigned i = 0; i < s->certificate_count && error == 0; i++)
		error = load_choice(s, c, i, reason);
	if (error == 0)
		error = tls_load_authorities(c->ssl, s, reason);
	if (error == 0 && s->alpn)
		error = set_alpn(c, s->alpn, reason);
	if (error == 0 && s->uses_psk)
		error = use_psks(c, s, reason);
	if (error == 0 && s->key_log_file)
		error = open_key_log(c, s->key_log_file, reason);
	if (error == 0 && furnish_choices(c) != 0)
		error = tls_refuse(reason, "TLS", NULL, "out of memory");
	if (error != 0)
		return error;
	set_verification(c, s);
	keep_tickets(c->ssl, s, before);
	return 0;
}

int tls_context_new(const struct tls_settings *settings, struct tls_context *before,
		    struct tls_context **context_out, char reason[TLS_REASON_MAX])
{
	struct tls_context *c = mem_zalloc(sizeof(*c));
	if (!c) {
		snprintf(reason, TLS_REASON_MAX, "out of memory");
		return ERROR_NO_MEMORY;
	}
	atomic_init(&c->reference_count, 1);
	c->is_client = settings->is_client;
	c->leaves_records = settings->leaves_records;
	c->user_name = settings->user_name;
	ERR_clear_error();
	int error = fill(c, settings, before, reason);
	if (error != 0) {
		tls_context_unref(c);
		return error;
	}
	*context_out = c;
	return 0;
}

struct tls_context *tls_context_ref(struct tls_context *c)
{
	atomic_fetch_add(&c->reference_count, 1);
	return c;
}

void tls_context_succeed(struct tls_context *c, struct tls_context *successor)
{
	atomic_store(&c->successor, tls_context_ref(successor));
}

const struct tls_context *tls_context_latest(const struct tls_context *c)
{
	const struct tls_context *next;
	while ((next = atomic_load(&((struct tls_context *)(uintptr_t)c)->successor)))
		c = next;
	return c;
}

bool tls_context_believes(const struct tls_context *c, X509 *certificate, STACK_OF(X509) * chain)
{
	X509_STORE_CTX *check = X509_STORE_CTX_new();
	X509_STORE *store = SSL_CTX_get_cert_store(c->ssl);
	bool is_good = check && X509_STORE_CTX_init(check, store, certificate, chain) == 1 &&
		       X509_STORE_CTX_set_default(check, "ssl_client") == 1 &&
		       X509_verify_cert(check) == 1;
	X509_STORE_CTX_free(check);
	ERR_clear_error();
	return is_good;
}

static void context_free(struct tls_context *c)
{
	for (unsigned i = 0; i < c->choice_count; i++) {
		if (i > 0)
			SSL_CTX_free(c->choices[i].ssl);
		mem_free(c->choices[i].staple);
	}
	SSL_SESSION_free(c->last);
	SSL_CTX_free(c->ssl);
	psk_table_release(&c->psks);
	if (c->key_log)
		fclose(c->key_log);
	mem_free(c->psk_identity);
	mem_free(c->alpn);
	mem_free(c);
}

/* One that nobody has any more lets go of its successor, too, and so on. */
void tls_context_unref(struct tls_context *c)
{
	while (c && atomic_fetch_sub(&c->reference_count, 1) == 1) {
		struct tls_context *successor = atomic_load(&c->successor);
		context_free(c);
		c = successor;
	}
}
