/* SPDX-License-Identifier: Apache-2.0 */
/* Shared keys: mosquitto's file of "identity:key", the key in hexadecimal digits. */
#include "io/tls_inside.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>

#include "base/mem.h"

/* A hundred thousand devices; what is larger is no such file. */
#define PSK_COUNT_MAX 1000000
#define PSK_LINE_MAX 1024

static int digit_of(char letter)
{
	if (letter >= '0' && letter <= '9')
		return letter - '0';
	letter |= 0x20;
	return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

/* 0 when it is none. */
static size_t read_key(const char *text, uint8_t *key, size_t max)
{
	size_t digits = strlen(text);
	if (digits % 2 != 0 || digits / 2 > max)
		return 0;
	for (size_t i = 0; i < digits; i += 2) {
		int high = digit_of(text[i]), low = digit_of(text[i + 1]);
		if (high < 0 || low < 0)
			return 0;
		key[i / 2] = (uint8_t)(high << 4 | low);
	}
	return digits / 2;
}

static const char *add(struct psk_table *t, size_t *capacity, char *line)
{
	struct psk key = {0};
	char *colon = strchr(line, ':');
	if (!colon || colon == line)
		return "no line of the form identity:key";
	*colon = '\0';
	key.len = read_key(colon + 1, key.key, sizeof(key.key));
	if (key.len == 0)
		return "the key is not 2 to 128 hexadecimal digits, two for a byte";
	if (t->count == PSK_COUNT_MAX)
		return "too many keys";
	if (t->count == *capacity) {
		*capacity = *capacity ? *capacity * 2 : 16;
		struct psk *keys = mem_realloc(t->keys, *capacity * sizeof(*keys));
		if (!keys)
			return "out of memory";
		t->keys = keys;
	}
	key.identity = mem_copy_text(span_of_text(line));
	if (!key.identity)
		return "out of memory";
	t->keys[t->count++] = key;
	return NULL;
}

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct psk *)a)->identity, ((const struct psk *)b)->identity);
}

static int read_lines(struct psk_table *t, FILE *stream, const char *file, char *reason)
{
	char line[PSK_LINE_MAX], why[160];
	size_t capacity = 0;
	for (unsigned number = 1; fgets(line, sizeof(line), stream); number++) {
		size_t len = strcspn(line, "\r\n");
		bool is_cut = line[len] == '\0' && !feof(stream);
		line[len] = '\0';
		const char *mistake = is_cut ? "the line is too long" : NULL;
		if (!mistake && len > 0 && line[0] != '#')
			mistake = add(t, &capacity, line);
		if (!mistake)
			continue;
		OPENSSL_cleanse(line, sizeof(line));
		snprintf(why, sizeof(why), "line %u: %s", number, mistake);
		return tls_refuse(reason, "psk_file", file, why);
	}
	OPENSSL_cleanse(line, sizeof(line));
	return 0;
}

int psk_table_load(struct psk_table *t, const char *file, char *reason)
{
	char why[160];
	FILE *stream = fopen(file, "re");
	if (!stream)
		return tls_refuse(reason, "psk_file", file, strerror(errno));
	int error = read_lines(t, stream, file, reason);
	fclose(stream);
	if (error != 0 || t->count == 0)
		return error;
	qsort(t->keys, t->count, sizeof(*t->keys), compare);
	for (size_t i = 1; i < t->count; i++) {
		if (compare(&t->keys[i - 1], &t->keys[i]) != 0)
			continue;
		snprintf(why, sizeof(why), "identity '%.100s' stands there twice",
			 t->keys[i].identity);
		return tls_refuse(reason, "psk_file", file, why);
	}
	return 0;
}

/* NULL: there is none. */
static const struct psk *find(const struct psk_table *t, const char *identity)
{
	struct psk asked = {.identity = (char *)(uintptr_t)identity};
	if (!identity || t->count == 0)
		return NULL;
	return bsearch(&asked, t->keys, t->count, sizeof(asked), compare);
}

bool psk_is_the_same(const struct psk_table *a, const struct psk_table *b, const char *identity)
{
	const struct psk *old = find(a, identity);
	const struct psk *fresh = find(b, identity);
	return old && fresh && old->len == fresh->len &&
	       CRYPTO_memcmp(old->key, fresh->key, old->len) == 0;
}

void psk_table_release(struct psk_table *t)
{
	for (size_t i = 0; i < t->count; i++) {
		OPENSSL_cleanse(t->keys[i].key, sizeof(t->keys[i].key));
		mem_free(t->keys[i].identity);
	}
	mem_free(t->keys);
	*t = (struct psk_table){0};
}

static const struct tls_context *context_of(const SSL *ssl)
{
	return SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
}

static unsigned give(const struct psk *key, unsigned char *room, unsigned max)
{
	if (!key || key->len > max)
		return 0;
	memcpy(room, key->key, key->len);
	return (unsigned)key->len;
}

static unsigned find_for_client(SSL *ssl, const char *identity, unsigned char *room, unsigned max)
{
	const struct psk *key = find(&context_of(ssl)->psks, identity);
	tls_note_identity(ssl, key ? key->identity : NULL);
	return give(key, room, max);
}

static unsigned give_to_server(SSL *ssl, const char *hint, char *identity, unsigned identity_max,
			       unsigned char *room, unsigned max)
{
	const struct tls_context *c = context_of(ssl);
	(void)hint;
	if (strlen(c->psk_identity) >= identity_max)
		return 0;
	strcpy(identity, c->psk_identity);
	return give(c->psks.keys, room, max);
}

void tls_use_psks(SSL_CTX *ssl, bool is_client)
{
	if (is_client)
		SSL_CTX_set_psk_client_callback(ssl, give_to_server);
	else
		SSL_CTX_set_psk_server_callback(ssl, find_for_client);
}
