/* SPDX-License-Identifier: Apache-2.0 */
#include "io/tls_takeover.h"

#include <openssl/crypto.h>

#include "base/mem.h"

/* The most of a handshake that comes at once: a ClientHello with a key of the new kind, or a
 * certificate. */
#define EARLY_BYTES 4096

enum { IN, OUT };

struct tls_takeover {
	uint8_t secrets[2][RECORD_SECRET_MAX];
	size_t secret_lens[2]; /* 0: not known yet */
	uint64_t sealed;       /* records, since the key of OUT is in use */
	uint64_t opened;       /* the same of IN */
	uint64_t left;         /* what `sealed` counts, seen on its way out */
	size_t left_head_len;  /* of a record whose head has not left whole */
	size_t left_body_len;  /* of one whose body has not */
	uint8_t left_head[RECORD_HEAD_BYTES];
	size_t start, end; /* of what was read */
	uint8_t early[EARLY_BYTES];
};

/* OpenSSL calls this with each record's head that it has written or read. */
static void count_records(int is_written, int version, int type, const void *bytes, size_t len,
			  SSL *ssl, void *context)
{
	struct tls_takeover *o = context;
	(void)version;
	(void)bytes;
	(void)len;
	(void)ssl;
	if (type != SSL3_RT_HEADER)
		return;
	if (is_written)
		o->sealed += o->secret_lens[OUT] > 0;
	else
		o->opened += o->secret_lens[IN] > 0;
}

struct tls_takeover *tls_takeover_new(SSL *ssl)
{
	struct tls_takeover *o = mem_zalloc(sizeof(*o));
	if (!o)
		return NULL;
	SSL_set_read_ahead(ssl, 0);
	SSL_set_msg_callback(ssl, count_records);
	SSL_set_msg_callback_arg(ssl, o);
	return o;
}

void tls_takeover_free(struct tls_takeover *o)
{
	if (o)
		OPENSSL_cleanse(o->secrets, sizeof(o->secrets));
	mem_free(o);
}

/* --- secrets --- */

static int digit_of(char letter)
{
	if (letter >= '0' && letter <= '9')
		return letter - '0';
	return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

static size_t read_secret(const char *text, uint8_t *secret)
{
	size_t len = 0;
	for (; len < RECORD_SECRET_MAX && text[0] && text[1]; text += 2, len++) {
		int high = digit_of(text[0]), low = digit_of(text[1]);
		if (high < 0 || low < 0)
			return 0;
		secret[len] = (uint8_t)(high << 4 | low);
	}
	return *text ? 0 : len;
}

/* "CLIENT_TRAFFIC_SECRET_0 <random> <secret>": OpenSSL says it when it begins to use it. */
void tls_takeover_note(struct tls_takeover *o, const char *line)
{
	static const char *const labels[] = {
		[IN] = "CLIENT_TRAFFIC_SECRET_0 ", [OUT] = "SERVER_TRAFFIC_SECRET_0 "};
	for (unsigned i = IN; i <= OUT; i++) {
		const char *text = strrchr(line, ' ');
		if (text && strncmp(line, labels[i], strlen(labels[i])) == 0)
			o->secret_lens[i] = read_secret(text + 1, o->secrets[i]);
	}
}

/* --- reading ahead --- */

bool tls_takeover_is_empty(const struct tls_takeover *o)
{
	return o->start == o->end;
}

long tls_takeover_read(struct tls_takeover *o, struct layer *below, struct room room)
{
	if (o->start == o->end) {
		long n = layer_read(below, (struct room){o->early, EARLY_BYTES});
		if (n <= 0)
			return n;
		o->start = 0;
		o->end = (size_t)n;
	}
	size_t len = o->end - o->start < room.len ? o->end - o->start : room.len;
	memcpy(room.ptr, o->early + o->start, len);
	o->start += len;
	return (long)len;
}

/* --- writing --- */

void tls_takeover_wrote(struct tls_takeover *o, struct span bytes)
{
	while (o->secret_lens[OUT] > 0 && bytes.len > 0) {
		size_t len = 1;
		if (o->left_body_len > 0) {
			len = o->left_body_len < bytes.len ? o->left_body_len : bytes.len;
			o->left_body_len -= len;
		} else {
			o->left_head[o->left_head_len++] = *bytes.ptr;
		}
		if (o->left_head_len == RECORD_HEAD_BYTES) {
			o->left_head_len = 0;
			o->left_body_len = (size_t)o->left_head[3] << 8 | o->left_head[4];
			o->left++;
		}
		bytes = span_of(bytes.ptr + len, bytes.len - len);
	}
}

/* The number of the next record is a nonce, which must not be used twice. It hangs on when OpenSSL
 * tells its secrets and calls back: what went out must say the same. */
static bool is_count_sure(const struct tls_takeover *o)
{
	return o->sealed == o->left && o->left_head_len == 0 && o->left_body_len == 0;
}

/* --- the end --- */

static const struct record_suite *suite_of(const SSL *ssl)
{
	const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);
	return cipher ? record_suite_find(SSL_CIPHER_get_protocol_id(cipher)) : NULL;
}

/* Records that came behind the handshake OpenSSL has not begun to read: it is given no more than it
 * asks for. */
bool tls_takeover_is_possible(const struct tls_takeover *o, const SSL *ssl)
{
	const struct record_suite *suite = suite_of(ssl);
	if (SSL_version(ssl) != TLS1_3_VERSION || !suite || o->opened > 0 || SSL_has_pending(ssl) ||
	    !is_count_sure(o))
		return false;
	size_t len = record_suite_secret_len(suite);
	return o->secret_lens[IN] == len && o->secret_lens[OUT] == len;
}

struct tls_flow *tls_takeover_finish(const struct tls_takeover *o, const SSL *ssl)
{
	const struct tls_flow_start start = {
		.suite = suite_of(ssl),
		.secret_in = o->secrets[IN],
		.secret_out = o->secrets[OUT],
		.sealed = o->sealed,
		.early = span_of(o->early + o->start, o->end - o->start),
	};
	return tls_flow_new(&start);
}
