/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenSSL reads and writes through a BIO of our own, which hands bytes to the layer below and keeps
 * none. A record is written in one piece, from parts that are collected on the stack.
 *
 * A server's connection of TLS 1.3 is taken from OpenSSL when the handshake is done (tls_takeover.h):
 * it holds a few hundred bytes then, in place of 13 KiB.
 */
#include "io/tls_inside.h"
#include "io/tls_proof.h"
#include "io/tls_takeover.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pthread.h>

#include "base/mem.h"

/* The largest content of a record. */
#define RECORD_BYTES ((size_t)16384)

/* What is known of the peer after the handshake; one piece of memory, texts included. */
struct about {
	struct stream_peer peer;
	char texts[];
};

struct tls {
	struct layer layer;
	struct tls_context *context;
	SSL *ssl; /* NULL: nothing came yet, or `flow` has taken its place, or it is over */
	struct tls_takeover *takeover; /* server, in the handshake */
	struct tls_flow *flow;
	struct tls_proof *proof; /* where `flow` goes on; NULL: the peer has shown no certificate */
	struct about *about;
	char *reason_text;
	const char *server_name;  /* client; owned */
	const char *psk_identity; /* of the context's table */
	bool checks_name;
	bool is_open;
	bool is_resumed;
	bool is_over; /* an error was met: no more words to the peer */
	bool has_read;
	bool has_ended; /* the stream below */
	uint8_t first_byte;
};

static struct tls *tls_of(struct layer *l)
{
	return CONTAINER_OF(l, struct tls, layer);
}

/* --- the BIO --- */

static int bio_result(BIO *bio, long n, int retry_flag)
{
	BIO_clear_retry_flags(bio);
	if (n == ERROR_AGAIN)
		BIO_set_flags(bio, retry_flag | BIO_FLAGS_SHOULD_RETRY);
	return n >= 0 ? (int)n : -1;
}

static int bio_read(BIO *bio, char *bytes, int len)
{
	struct tls *t = BIO_get_data(bio);
	struct room room = {(uint8_t *)bytes, (size_t)len};
	long n = t->takeover ? tls_takeover_read(t->takeover, t->layer.below, room)
			     : layer_read(t->layer.below, room);
	if (n > 0 && !t->has_read) {
		t->has_read = true;
		t->first_byte = (uint8_t)bytes[0];
	}
	if (t->is_open && t->takeover && tls_takeover_is_empty(t->takeover)) {
		tls_takeover_free(t->takeover); /* it was left to OpenSSL */
		t->takeover = NULL;
	}
	t->has_ended = n == 0;
	return bio_result(bio, n, BIO_FLAGS_READ);
}

static int bio_write(BIO *bio, const char *bytes, int len)
{
	struct tls *t = BIO_get_data(bio);
	struct span part = span_of(bytes, (size_t)len);
	long n = layer_write(t->layer.below, &part, 1);
	if (n > 0 && t->takeover)
		tls_takeover_wrote(t->takeover, span_of(bytes, (size_t)n));
	return bio_result(bio, n, BIO_FLAGS_WRITE);
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
	const struct tls *t = BIO_get_data(bio);
	(void)number;
	(void)pointer;
	if (command == BIO_CTRL_EOF)
		return t->has_ended;
	return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static BIO_METHOD *bio_method;

static void make_bio_method(void)
{
	bio_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "nightjar layer");
	if (!bio_method)
		return;
	BIO_meth_set_read(bio_method, bio_read);
	BIO_meth_set_write(bio_method, bio_write);
	BIO_meth_set_ctrl(bio_method, bio_control);
}

static BIO *bio_new(struct tls *t)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, make_bio_method);
	BIO *bio = bio_method ? BIO_new(bio_method) : NULL;
	if (!bio)
		return NULL;
	BIO_set_data(bio, t);
	BIO_set_init(bio, 1);
	return bio;
}

/* --- reasons --- */

static const char *reason_of_first_byte(const struct tls *t)
{
	if (!t->has_read || t->first_byte == SSL3_RT_HANDSHAKE || t->first_byte == SSL3_RT_ALERT)
		return NULL;
	if (t->context->is_client)
		return "the server speaks no TLS on this port";
	if (t->first_byte == 0x10)
		return "plain MQTT on a port that wants TLS";
	if (t->first_byte >= 'A' && t->first_byte <= 'Z')
		return "plain HTTP on a port that wants TLS";
	return "something else than TLS on a port that wants TLS";
}

static const char *reason_of_verification(const struct tls *t, unsigned long error)
{
	long verified = SSL_get_verify_result(t->ssl);
	bool is_about_it = ERR_GET_LIB(error) == ERR_LIB_SSL &&
			   ERR_GET_REASON(error) == SSL_R_CERTIFICATE_VERIFY_FAILED;
	return is_about_it && verified != X509_V_OK ? X509_verify_cert_error_string(verified)
						    : NULL;
}

/* The sentence for the log: "TLS handshake failed: certificate has expired". */
static void note_reason(struct tls *t, int ssl_error)
{
	unsigned long error = ERR_peek_error();
	const char *first = t->is_open ? NULL : reason_of_first_byte(t);
	const char *why = reason_of_verification(t, error);
	char text[256];
	t->is_over = true;
	if (t->layer.reason)
		return;
	t->layer.reason = first;
	if (first)
		return;
	if (!why && error)
		why = ERR_reason_error_string(error);
	if (!why && ssl_error == SSL_ERROR_SYSCALL && t->is_open)
		return; /* the connection was lost, and that is all */
	if (!why)
		why = "the peer went away in the middle of it";
	snprintf(text, sizeof(text), "%s: %s", t->is_open ? "TLS failed" : "TLS handshake failed",
		 why);
	t->reason_text = mem_copy_text(span_of_text(text));
	t->layer.reason = t->reason_text ? t->reason_text : "TLS failed";
}

/* What an operation of OpenSSL that has not succeeded means. */
static long judge(struct tls *t, int rc)
{
	int error = SSL_get_error(t->ssl, rc);
	if (error == SSL_ERROR_WANT_READ)
		return ERROR_AGAIN;
	if (error == SSL_ERROR_WANT_WRITE) {
		t->layer.is_blocked = true;
		return ERROR_AGAIN;
	}
	if (error == SSL_ERROR_ZERO_RETURN && t->is_open)
		return 0;
	note_reason(t, error);
	ERR_clear_error();
	return ERROR_CLOSED;
}

/* --- who it is --- */

void tls_note_identity(SSL *ssl, const char *identity)
{
	struct tls *t = SSL_get_app_data(ssl);
	t->psk_identity = identity;
}

void tls_note_secret(SSL *ssl, const char *line)
{
	const struct tls *t = SSL_get_app_data(ssl);
	if (t->takeover)
		tls_takeover_note(t->takeover, line);
}

/* A key that was named may have been passed over for a certificate. Where keys are shared no session
 * is resumed (tls_context.c), so that in TLS 1.3 what goes on is the key. */
static bool is_key_shared(const SSL *ssl)
{
	int exchange = SSL_CIPHER_get_kx_nid(SSL_get_current_cipher(ssl));
	if (SSL_version(ssl) >= TLS1_3_VERSION)
		return SSL_session_reused(ssl) == 1;
	return exchange == NID_kx_psk || exchange == NID_kx_dhe_psk ||
	       exchange == NID_kx_ecdhe_psk || exchange == NID_kx_rsa_psk;
}

/* A client that shares a key looks at no certificate: by the key alone it knows its server. And an
 * identity that the peer has only named is not his. */
static int judge_shared_key(struct tls *t)
{
	if (is_key_shared(t->ssl))
		return 0;
	t->psk_identity = NULL;
	if (!t->context->is_client || !t->context->psk_identity)
		return 0;
	t->is_over = true;
	t->layer.reason = "TLS handshake failed: the server does not use the shared key";
	return ERROR_CLOSED;
}

/* A copy for OPENSSL_free; NULL: there is none, or it holds what no text may. */
static char *common_name_of(X509 *certificate)
{
	X509_NAME *subject = X509_get_subject_name(certificate);
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
	unsigned char *text = NULL;
	if (at < 0)
		return NULL;
	ASN1_STRING *name = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
	int len = ASN1_STRING_to_UTF8(&text, name);
	if (len > 0 && strlen((char *)text) == (size_t)len)
		return (char *)text;
	if (len >= 0)
		OPENSSL_free(text);
	return NULL;
}

static char *subject_of(X509 *certificate)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL;
	if (bio &&
	    X509_NAME_print_ex(bio, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253) >= 0) {
		char *bytes;
		long len = BIO_get_mem_data(bio, &bytes);
		text = OPENSSL_strndup(bytes, (size_t)len);
	}
	BIO_free(bio);
	return text;
}

static char *user_name_of(struct tls *t)
{
	if (t->psk_identity)
		return OPENSSL_strdup(t->psk_identity);
	X509 *certificate = SSL_get0_peer_certificate(t->ssl);
	if (!certificate)
		return NULL;
	return t->context->user_name == TLS_USER_NAME_SUBJECT ? subject_of(certificate)
							      : common_name_of(certificate);
}

static int keep_about(struct tls *t, const char *user_name)
{
	size_t len = user_name ? strlen(user_name) + 1 : 0;
	t->about = mem_zalloc(sizeof(*t->about) + len);
	if (!t->about)
		return ERROR_NO_MEMORY;
	if (user_name) {
		memcpy(t->about->texts, user_name, len);
		t->about->peer.user_name = t->about->texts;
	}
	t->about->peer.lacks_user_name = !user_name;
	return 0;
}

/* Only where it is asked for: most listeners know clients by other means. */
static int learn_peer(struct tls *t)
{
	if (t->context->user_name == TLS_USER_NAME_NONE)
		return 0;
	char *user_name = user_name_of(t);
	int error = keep_about(t, user_name);
	OPENSSL_free(user_name);
	return error;
}

static void tls_peer(const struct layer *l, struct stream_peer *peer)
{
	const struct tls *t = CONTAINER_OF((struct layer *)(uintptr_t)l, struct tls, layer);
	if (t->about && !peer->user_name) {
		peer->user_name = t->about->peer.user_name;
		peer->lacks_user_name = t->about->peer.lacks_user_name;
	}
}

/* --- is it still good? --- */

static bool tls_may_stay(const struct layer *l)
{
	const struct tls *t = CONTAINER_OF((struct layer *)(uintptr_t)l, struct tls, layer);
	const struct tls_context *now = tls_context_latest(t->context);
	if (!t->is_open || now == t->context)
		return true;
	if (t->psk_identity)
		return psk_is_the_same(&t->context->psks, &now->psks, t->psk_identity);
	if (t->flow)
		return !t->proof || tls_proof_is_good(t->proof, now);
	X509 *certificate = SSL_get0_peer_certificate(t->ssl);
	return !certificate ||
	       tls_context_believes(now, certificate, SSL_get_peer_cert_chain(t->ssl));
}

/* --- the layer --- */

/* An address is no name to be asked for (RFC 6066, 3). */
static bool is_address(const char *text)
{
	uint8_t room[sizeof(struct in6_addr)];
	return inet_pton(AF_INET, text, room) == 1 || inet_pton(AF_INET6, text, room) == 1;
}

static int start(struct tls *t)
{
	BIO *bio = bio_new(t);
	t->ssl = bio ? SSL_new(t->context->ssl) : NULL;
	if (!t->ssl) {
		BIO_free(bio);
		return ERROR_NO_MEMORY;
	}
	SSL_set_bio(t->ssl, bio, bio);
	SSL_set_app_data(t->ssl, t);
	if (!t->context->is_client) {
		SSL_set_accept_state(t->ssl);
		if (t->context->leaves_records)
			return 0;
		t->takeover = tls_takeover_new(t->ssl);
		return t->takeover ? 0 : ERROR_NO_MEMORY;
	}
	SSL_set_connect_state(t->ssl);
	if (t->context->last && SSL_set_session(t->ssl, t->context->last) != 1)
		return ERROR_NO_MEMORY;
	bool is_name = t->server_name && !is_address(t->server_name);
	if (is_name && SSL_set_tlsext_host_name(t->ssl, t->server_name) != 1)
		return ERROR_NO_MEMORY;
	if (t->server_name && t->checks_name && SSL_set1_host(t->ssl, t->server_name) != 1)
		return ERROR_NO_MEMORY;
	return 0;
}

/* Where OpenSSL goes on, it reads what was read ahead, and then for itself. */
static void leave_it_to_openssl(struct tls *t)
{
	SSL_set_msg_callback(t->ssl, NULL);
	SSL_set_read_ahead(t->ssl, 1);
	if (!tls_takeover_is_empty(t->takeover))
		return;
	tls_takeover_free(t->takeover);
	t->takeover = NULL;
}

static int take_over(struct tls *t)
{
	if (!t->takeover)
		return 0;
	if (!tls_takeover_is_possible(t->takeover, t->ssl)) {
		leave_it_to_openssl(t);
		return 0;
	}
	int error = tls_proof_take(t->ssl, &t->proof);
	t->flow = error ? NULL : tls_takeover_finish(t->takeover, t->ssl);
	if (!t->flow)
		return ERROR_NO_MEMORY;
	tls_takeover_free(t->takeover);
	t->takeover = NULL;
	SSL_free(t->ssl);
	t->ssl = NULL;
	return 0;
}

static int tls_open(struct layer *l)
{
	struct tls *t = tls_of(l);
	if (t->is_open)
		return 0;
	if (t->is_over)
		return ERROR_CLOSED;
	int error = t->ssl ? 0 : start(t);
	if (error != 0)
		return error;
	l->is_blocked = false;
	ERR_clear_error();
	int rc = SSL_do_handshake(t->ssl);
	if (rc != 1)
		return (int)judge(t, rc);
	error = judge_shared_key(t);
	if (error != 0)
		return error;
	t->is_open = true;
	t->is_resumed = SSL_session_reused(t->ssl) == 1;
	l->has_more = true; /* what came behind the handshake may be read already */
	error = learn_peer(t);
	return error ? error : take_over(t);
}

static long tls_read(struct layer *l, struct room room)
{
	struct tls *t = tls_of(l);
	size_t used = 0;
	if (t->flow)
		return tls_flow_read(t->flow, l, room);
	if (t->is_over)
		return ERROR_CLOSED;
	l->is_blocked = false;
	while (used < room.len) {
		size_t n;
		ERR_clear_error();
		int rc = SSL_read_ex(t->ssl, room.ptr + used, room.len - used, &n);
		if (rc != 1) {
			long result = judge(t, rc);
			/* an end behind the bytes is met again by the next read */
			l->has_more = used > 0 && result != ERROR_AGAIN;
			return used > 0 ? (long)used : result;
		}
		used += n;
	}
	l->has_more = true;
	return (long)used;
}

/* The next record's content: a part that is large enough as it is, or several, copied. */
static struct span next_record(const struct span *parts, unsigned count, unsigned at, size_t offset,
			       uint8_t *copy)
{
	size_t len = 0;
	if (parts[at].len - offset >= RECORD_BYTES || at + 1 == count)
		return span_of(parts[at].ptr + offset, parts[at].len - offset);
	for (; at < count && len < RECORD_BYTES; at++, offset = 0) {
		size_t piece = parts[at].len - offset;
		if (piece > RECORD_BYTES - len)
			piece = RECORD_BYTES - len;
		memcpy(copy + len, parts[at].ptr + offset, piece);
		len += piece;
	}
	return span_of(copy, len);
}

static void skip(const struct span *parts, unsigned *at, size_t *offset, size_t len)
{
	while (len > 0) {
		size_t left = parts[*at].len - *offset;
		if (len < left) {
			*offset += len;
			return;
		}
		len -= left;
		*offset = 0;
		(*at)++;
	}
}

/* A record that could not leave whole stays with OpenSSL: the caller comes again with the same
 * bytes, and perhaps more. */
static long openssl_write(struct tls *t, const struct span *parts, unsigned count)
{
	struct layer *l = &t->layer;
	uint8_t copy[RECORD_BYTES];
	unsigned at = 0;
	size_t offset = 0, written = 0;
	if (t->is_over)
		return ERROR_CLOSED;
	if (count == 0)
		l->is_blocked = false; /* the next read goes on with it */
	while (at < count) {
		struct span record = next_record(parts, count, at, offset, copy);
		size_t n;
		if (record.len == 0) {
			at++;
			continue;
		}
		ERR_clear_error();
		bool was_blocked = l->is_blocked;
		int rc = SSL_write_ex(t->ssl, record.ptr, record.len, &n);
		if (rc != 1) {
			long result = judge(t, rc);
			l->is_blocked = was_blocked; /* it is the owner who comes again */
			return written > 0 && result == ERROR_AGAIN ? (long)written
			       : result == 0                        ? ERROR_CLOSED
								    : result;
		}
		written += n;
		skip(parts, &at, &offset, n);
	}
	return (long)written;
}

static long tls_write(struct layer *l, const struct span *parts, unsigned count)
{
	struct tls *t = tls_of(l);
	return t->flow ? tls_flow_write(t->flow, l, parts, count) : openssl_write(t, parts, count);
}

/* close_notify, once; nobody waits for the peer's. */
static void tls_finish(struct layer *l)
{
	struct tls *t = tls_of(l);
	if (t->flow)
		tls_flow_finish(t->flow, l);
	if (!t->ssl || !t->is_open || t->is_over)
		return;
	ERR_clear_error();
	(void)SSL_shutdown(t->ssl);
	ERR_clear_error();
}

static void tls_free(struct layer *l)
{
	struct tls *t = tls_of(l);
	/* or OpenSSL takes what was not taken leave of for broken, and its ticket for void */
	if (t->ssl && t->context->last)
		SSL_set_shutdown(t->ssl, SSL_SENT_SHUTDOWN);
	SSL_free(t->ssl);
	tls_takeover_free(t->takeover);
	tls_flow_free(t->flow);
	tls_proof_free(t->proof);
	tls_context_unref(t->context);
	mem_free(t->about);
	mem_free(t->reason_text);
	mem_free((void *)(uintptr_t)t->server_name);
	mem_free(t);
}

bool tls_is_resumed(const struct layer *l)
{
	const struct tls *t = CONTAINER_OF((struct layer *)(uintptr_t)l, struct tls, layer);
	return t->is_resumed;
}

struct layer *tls_new(struct tls_context *context, const char *server_name, bool checks_name)
{
	static const struct layer_ops ops = {
		.open = tls_open,
		.read = tls_read,
		.write = tls_write,
		.finish = tls_finish,
		.free = tls_free,
		.peer = tls_peer,
		.may_stay = tls_may_stay,
	};
	struct tls *t = mem_zalloc(sizeof(*t));
	if (!t)
		return NULL;
	t->layer = (struct layer){.ops = &ops, .is_costly = true};
	t->checks_name = checks_name;
	if (server_name) {
		t->server_name = mem_copy_text(span_of_text(server_name));
		if (!t->server_name) {
			mem_free(t);
			return NULL;
		}
	}
	t->context = tls_context_ref(context);
	return &t->layer;
}
