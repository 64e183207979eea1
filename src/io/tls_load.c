/* SPDX-License-Identifier: Apache-2.0 */
/* Files of certificates, keys and lists, with a sentence for each thing that can be wrong. */
#include "io/tls_inside.h"

#include <errno.h>
#include <openssl/decoder.h>
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <sys/stat.h>

#include "base/mem.h"

/* An answer of OCSP has a few kilobytes; what is larger is another file. */
#define STAPLE_BYTES_MAX ((size_t)64 << 10)

int tls_refuse(char *reason, const char *what, const char *file, const char *why)
{
	unsigned long error = ERR_peek_error();
	const char *text = error ? ERR_reason_error_string(error) : NULL;
	if (!why)
		why = text ? text : "it cannot be used";
	if (file)
		snprintf(reason, TLS_REASON_MAX, "%s '%.300s': %s", what, file, why);
	else
		snprintf(reason, TLS_REASON_MAX, "%s: %s", what, why);
	ERR_clear_error();
	return ERROR_INVALID;
}

/* OpenSSL's own words for a missing file are about its inner life. */
static int check_readable(const char *what, const char *file, char *reason)
{
	struct stat about;
	FILE *stream = fopen(file, "rbe");
	if (!stream)
		return tls_refuse(reason, what, file, strerror(errno));
	int rc = fstat(fileno(stream), &about);
	fclose(stream);
	if (rc == 0 && S_ISDIR(about.st_mode))
		return tls_refuse(reason, what, file, "is a folder, not a file");
	return 0;
}

/* Nobody can be asked: a daemon has no terminal. */
static int give_password(char *room, int len, int is_writing, void *password)
{
	size_t password_len = password ? strlen(password) : 0;
	(void)is_writing;
	if (!password || password_len > (size_t)len)
		return -1;
	memcpy(room, password, password_len);
	return (int)password_len;
}

/* As a line of PEM says it; OpenSSL's own word for it differs from version to version. */
static bool is_encrypted(const char *file)
{
	char line[128];
	bool is_found = false;
	FILE *stream = fopen(file, "rbe");
	while (stream && !is_found && fgets(line, sizeof(line), stream))
		is_found = strstr(line, "ENCRYPTED") != NULL;
	if (stream)
		fclose(stream);
	return is_found;
}

static int load_key(SSL_CTX *ssl, const struct tls_certificate *from, const char *password,
		    char *reason)
{
	const char *file = from->key_file ? from->key_file : from->certificate_file;
	int error = check_readable("keyfile", file, reason);
	if (error != 0)
		return error;
	SSL_CTX_set_default_passwd_cb(ssl, give_password);
	SSL_CTX_set_default_passwd_cb_userdata(ssl, (void *)(uintptr_t)password);
	int loaded = SSL_CTX_use_PrivateKey_file(ssl, file, SSL_FILETYPE_PEM);
	SSL_CTX_set_default_passwd_cb_userdata(ssl, NULL);
	if (loaded == 1)
		return SSL_CTX_check_private_key(ssl) == 1
			       ? 0
			       : tls_refuse(reason, "keyfile", file,
					    "is not the key of the certificate");
	if (ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH)
		return tls_refuse(reason, "keyfile", file, "is not the key of the certificate");
	if (is_encrypted(file) && password)
		return tls_refuse(reason, "keyfile", file, "cannot be opened with that password");
	if (is_encrypted(file))
		return tls_refuse(reason, "keyfile", file,
				  "is protected by a password, and there is nobody to ask for it: "
				  "take the password away (openssl pkey)");
	return tls_refuse(reason, "keyfile", file, "holds no key in the form PEM");
}

int tls_load_certificate(SSL_CTX *ssl, const struct tls_certificate *from, const char *password,
			 char *reason)
{
	int error = check_readable("certfile", from->certificate_file, reason);
	if (error != 0)
		return error;
	if (SSL_CTX_use_certificate_chain_file(ssl, from->certificate_file) != 1) {
		bool is_empty = ERR_GET_REASON(ERR_peek_error()) == PEM_R_NO_START_LINE;
		return tls_refuse(reason, "certfile", from->certificate_file,
				  is_empty ? "holds no certificate in the form PEM" : NULL);
	}
	return load_key(ssl, from, password, reason);
}

static int load_crl(SSL_CTX *ssl, const char *file, char *reason)
{
	X509_STORE *store = SSL_CTX_get_cert_store(ssl);
	int error = check_readable("crlfile", file, reason);
	if (error != 0)
		return error;
	X509_LOOKUP *lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());
	if (!lookup || X509_load_crl_file(lookup, file, X509_FILETYPE_PEM) < 1)
		return tls_refuse(reason, "crlfile", file,
				  "holds no list of revoked certificates in the form PEM");
	X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
	return 0;
}

/* Whom a server tells clients that it believes: they choose their certificate by it. */
static void announce_authorities(SSL_CTX *ssl, const char *file)
{
	STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(file);
	if (names)
		SSL_CTX_set_client_CA_list(ssl, names);
	ERR_clear_error();
}

int tls_load_authorities(SSL_CTX *ssl, const struct tls_settings *settings, char *reason)
{
	const char *file = settings->ca_file, *path = settings->ca_path;
	struct stat about;
	int error = file ? check_readable("cafile", file, reason) : 0;
	if (error != 0)
		return error;
	if (file && SSL_CTX_load_verify_file(ssl, file) != 1)
		return tls_refuse(reason, "cafile", file, "holds no certificate in the form PEM");
	if (path && stat(path, &about) != 0)
		return tls_refuse(reason, "capath", path, strerror(errno));
	if (path && (!S_ISDIR(about.st_mode) || SSL_CTX_load_verify_dir(ssl, path) != 1))
		return tls_refuse(reason, "capath", path, "is no folder");
	if (settings->believes_system && SSL_CTX_set_default_verify_paths(ssl) != 1)
		return tls_refuse(reason, "the system's certificates", NULL, NULL);
	if (!settings->is_client && file)
		announce_authorities(ssl, file);
	if (settings->ignores_dates)
		X509_STORE_set_flags(SSL_CTX_get_cert_store(ssl), X509_V_FLAG_NO_CHECK_TIME);
	return settings->crl_file ? load_crl(ssl, settings->crl_file, reason) : 0;
}

int tls_load_dh(SSL_CTX *ssl, const char *file, char *reason)
{
	int error = check_readable("dhparamfile", file, reason);
	if (error != 0)
		return error;
	BIO *bio = BIO_new_file(file, "r");
	EVP_PKEY *parameters = bio ? PEM_read_bio_Parameters(bio, NULL) : NULL;
	BIO_free(bio);
	if (!parameters)
		return tls_refuse(reason, "dhparamfile", file,
				  "holds no DH parameters in the form PEM");
	if (SSL_CTX_set0_tmp_dh_pkey(ssl, parameters) == 1)
		return 0;
	EVP_PKEY_free(parameters);
	return tls_refuse(reason, "dhparamfile", file, NULL);
}

static bool is_ocsp_answer(const uint8_t *bytes, size_t len)
{
	const unsigned char *at = bytes;
	OCSP_RESPONSE *answer = d2i_OCSP_RESPONSE(NULL, &at, (long)len);
	bool is_good = answer && OCSP_response_status(answer) == OCSP_RESPONSE_STATUS_SUCCESSFUL;
	OCSP_RESPONSE_free(answer);
	return is_good;
}

int tls_load_staple(struct tls_choice *choice, const char *file, char *reason)
{
	FILE *stream = fopen(file, "rbe");
	if (!stream)
		return tls_refuse(reason, "tls_ocsp_file", file, strerror(errno));
	choice->staple = mem_alloc(STAPLE_BYTES_MAX);
	if (choice->staple)
		choice->staple_len = fread(choice->staple, 1, STAPLE_BYTES_MAX, stream);
	fclose(stream);
	if (!choice->staple)
		return tls_refuse(reason, "tls_ocsp_file", file, "out of memory");
	if (is_ocsp_answer(choice->staple, choice->staple_len))
		return 0;
	return tls_refuse(reason, "tls_ocsp_file", file,
			  "is no successful answer of OCSP in the form DER");
}
