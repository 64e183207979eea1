/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/tls_option.h"

#include <stdio.h>

#define PORT_OF_TLS 8883

static bool has_certificates(const struct tls_options *t)
{
	return t->ca_file || t->ca_path || t->uses_system_certs;
}

bool tls_options_are_wanted(const struct tls_options *t, uint16_t port)
{
	if (t->is_refused)
		return false;
	return has_certificates(t) || t->psk || t->has_scheme || port == PORT_OF_TLS;
}

static bool is_known_version(const char *version)
{
	static const char *const known[] = {"tlsv1.3", "tlsv1.2"};
	for (size_t i = 0; i < ARRAY_COUNT(known); i++)
		if (strcmp(known[i], version) == 0)
			return true;
	return false;
}

static int digit_of(char letter)
{
	if (letter >= '0' && letter <= '9')
		return letter - '0';
	if (letter >= 'a' && letter <= 'f')
		return letter - 'a' + 10;
	return letter >= 'A' && letter <= 'F' ? letter - 'A' + 10 : -1;
}

size_t tls_options_psk(const struct tls_options *t, uint8_t *key, size_t max)
{
	size_t digits = t->psk ? strlen(t->psk) : 0;
	if (digits % 2 != 0 || digits / 2 > max)
		return 0;
	for (size_t i = 0; i < digits; i += 2) {
		int high = digit_of(t->psk[i]), low = digit_of(t->psk[i + 1]);
		if (high < 0 || low < 0)
			return 0;
		key[i / 2] = (uint8_t)(high << 4 | low);
	}
	return digits / 2;
}

static bool check_values(const struct tls_options *t)
{
	uint8_t key[TLS_PSK_BYTES_MAX];
	if (t->version && !is_known_version(t->version))
		fprintf(stderr,
			"Error: --tls-version %s: tlsv1.3 and tlsv1.2 are known; older ones are "
			"broken (RFC 8996).\n",
			t->version);
	else if (t->uses_system_certs && (t->ca_file || t->ca_path))
		fprintf(stderr, "Error: --tls-use-os-certs and --cafile or --capath: the library "
				"trusts the one or the other.\n");
	else if (t->key_form && strcmp(t->key_form, "pem") != 0)
		fprintf(stderr, "Error: --keyform %s: only files in the form pem can be read.\n",
			t->key_form);
	else if (t->psk && tls_options_psk(t, key, sizeof(key)) == 0)
		fprintf(stderr, "Error: --psk takes 2 to %d hexadecimal digits, two for a byte.\n",
			2 * TLS_PSK_BYTES_MAX);
	else
		return true;
	return false;
}

bool tls_options_check(const struct tls_options *t)
{
	if (!t->cert_file != !t->key_file)
		fprintf(stderr, "Error: Both certfile and keyfile must be provided if one of them "
				"is set.\n");
	else if (t->key_form && !t->key_file)
		fprintf(stderr, "Error: If keyform is set, keyfile must be also specified.\n");
	else if ((t->ca_file || t->ca_path) && t->psk)
		fprintf(stderr, "Error: Only one of --psk or --cafile/--capath may be used at "
				"once.\n");
	else if (t->psk && !t->psk_identity)
		fprintf(stderr, "Error: --psk-identity required if --psk used.\n");
	else
		return check_values(t);
	return false;
}

/* mosquitto's version is the least one; the library's, if any, the only one. */
static void set_version(const struct tls_options *t, struct nj_options *out)
{
	bool is_latest = t->version && strcmp(t->version, "tlsv1.3") == 0;
	out->tls_version = is_latest ? "tlsv1.3" : NULL;
	if (is_latest)
		out->tls_ciphersuites = t->ciphers;
	else
		out->tls_ciphers = t->ciphers;
}

bool tls_options_apply(const struct tls_options *t, uint16_t port, struct tls_parts *parts,
		       struct nj_options *out)
{
	if (!tls_options_are_wanted(t, port))
		return true;
	out->tls_ca_file = t->ca_file;
	out->tls_ca_path = t->ca_path;
	out->tls_certificate_file = t->cert_file;
	out->tls_key_file = t->key_file;
	out->tls_any_server_name = t->is_insecure;
	out->tls_alpn = t->alpn;
	out->tls_key_log_file = t->key_log;
	out->tls_psk_identity = t->psk_identity;
	out->tls_psk_len = tls_options_psk(t, parts->psk, sizeof(parts->psk));
	out->tls_psk = out->tls_psk_len > 0 ? parts->psk : NULL;
	set_version(t, out);
	return true;
}
