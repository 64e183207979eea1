/* SPDX-License-Identifier: Apache-2.0 */
/* What belongs together in the TLS of a listener, and what is missing. Files are not opened here. */
#include "config/reading.h"

#include "base/mem.h"

/* "certfile keyfile [ocsp file]": kept as one more line. */
int read_tls_certificate(struct reading *r)
{
	struct config_listener *l = reading_listener(r);
	struct span rest = r->value, certificate = word_take(&rest), key = word_take(&rest);
	word_take(&rest);
	if (certificate.len == 0 || key.len == 0 || rest.len > 0)
		return reading_refuse_value(
			r, "is not a certificate, its key and perhaps an answer of OCSP, as in: "
			   "/etc/ssl/b.pem /etc/ssl/b.key");
	const char *before = l->tls.more_certificates ? l->tls.more_certificates : "";
	size_t before_len = strlen(before), len = before_len + r->value.len + 2;
	char *lines = mem_alloc(len);
	if (!lines)
		return ERROR_NO_MEMORY;
	memcpy(lines, before, before_len);
	memcpy(lines + before_len, r->value.ptr, r->value.len);
	memcpy(lines + len - 2, "\n", 2);
	mem_free(l->tls.more_certificates);
	l->tls.more_certificates = lines;
	return 0;
}

/* The first option that speaks of TLS; NULL: none. */
static const char *any_option(const struct config_tls *t)
{
	const struct {
		bool is_given;
		const char *name;
	} all[] = {
		{t->key_file, "keyfile"},
		{t->ca_file, "cafile"},
		{t->ca_path, "capath"},
		{t->more_certificates, "tls_certificate"},
		{t->staple_file, "tls_ocsp_file"},
		{t->crl_file, "crlfile"},
		{t->dh_file, "dhparamfile"},
		{t->ciphers, "ciphers"},
		{t->ciphersuites, "ciphers_tls1.3"},
		{t->version, "tls_version"},
		{t->curves, "tls_curves"},
		{t->alpn, "tls_alpn"},
		{t->key_log_file, "tls_keylog"},
		{t->requires_certificate, "require_certificate"},
		{t->uses_identity, "use_identity_as_username"},
		{t->uses_subject, "use_subject_as_username"},
		{t->has_no_tickets, "tls_no_tickets"},
		{t->leaves_records, "tls_openssl_records"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(all); i++)
		if (all[i].is_given)
			return all[i].name;
	return NULL;
}

/* A proxy may have looked at certificates in our place. */
static bool is_for_proxy(const struct config_listener *l)
{
	const char *name = any_option(&l->tls);
	return l->has_proxy && (strcmp(name, "use_identity_as_username") == 0 ||
				strcmp(name, "require_certificate") == 0);
}

static bool is_version(const char *text)
{
	return strcmp(text, "tlsv1.2") == 0 || strcmp(text, "tlsv1.3") == 0;
}

struct finding {
	const char *name; /* of the option; NULL: nothing was found */
	const char *text;
};

static struct finding find_mistake(const struct config *c, const struct config_listener *l)
{
	const struct config_tls *t = &l->tls;
	const struct config_access *a = c->has_access_per_listener ? &l->access : &c->access;
	bool has_authority = t->ca_file || t->ca_path;
	if (t->certificate_file && !t->key_file)
		return (struct finding){"certfile", "its key is missing: a keyfile line"};
	if (t->key_file && !t->certificate_file)
		return (struct finding){"keyfile", "its certificate is missing: a certfile line"};
	if (!config_listener_has_tls(l) && any_option(t) && !is_for_proxy(l))
		return (struct finding){any_option(t),
					"the listener speaks no TLS: certfile and keyfile are "
					"missing, or psk_hint"};
	if (t->psk_hint && !a->psk_file)
		return (struct finding){"psk_hint", "the keys are missing: a psk_file line"};
	if (t->requires_certificate && !has_authority && config_listener_has_tls(l))
		return (struct finding){"require_certificate",
					"nobody vouches for clients: cafile or capath is missing"};
	if (t->version && !is_version(t->version))
		return (struct finding){
			"tls_version",
			strcmp(t->version, "tlsv1.1") == 0 || strcmp(t->version, "tlsv1") == 0
				? "TLS before 1.2 is not safe and not spoken here: tlsv1.2 or "
				  "tlsv1.3"
				: "is neither tlsv1.2 nor tlsv1.3"};
	return (struct finding){NULL, NULL};
}

void tls_check(struct config *c, struct config_report *report, const struct config_listener *l)
{
	const struct config_tls *t = &l->tls;
	struct finding found = find_mistake(c, l);
	if ((t->uses_identity || t->uses_subject) && !t->requires_certificate && !t->psk_hint &&
	    !l->has_proxy)
		report_notice(report,
			      "Nobody can come in by a listener: user names shall come from "
			      "certificates, and none is asked for without "
			      "\"require_certificate true\".");
	if (t->crl_file && !t->requires_certificate)
		report_notice(report,
			      "crlfile has no effect without \"require_certificate true\": no "
			      "certificate is asked for that could have been revoked.");
	if (l->proxy_must_have_tls && !l->has_proxy)
		report_notice(report, "proxy_protocol_v2_require_tls has no effect without "
				      "\"enable_proxy_protocol 2\".");
	if (!found.name)
		return;
	struct reading r = reading_place(c, report, l->place, found.name);
	reading_refuse(&r, "%s", found.text);
}
