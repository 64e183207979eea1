/* SPDX-License-Identifier: Apache-2.0 */
/* In place of TLS where the build has no OpenSSL. */
#include "io/tls.h"

#include <stdio.h>

bool tls_is_available(void)
{
	return false;
}

int tls_context_new(const struct tls_settings *settings, struct tls_context *before,
		    struct tls_context **context_out, char reason[TLS_REASON_MAX])
{
	(void)settings;
	(void)before;
	(void)context_out;
	snprintf(reason, TLS_REASON_MAX, "this program was built without TLS (OpenSSL 3)");
	return ERROR_INVALID;
}

/* There is no context, so none of these is ever called with one. */
struct tls_context *tls_context_ref(struct tls_context *c)
{
	return c;
}

void tls_context_succeed(struct tls_context *c, struct tls_context *successor)
{
	(void)c;
	(void)successor;
}

void tls_context_unref(struct tls_context *c)
{
	(void)c;
}

bool tls_is_resumed(const struct layer *l)
{
	(void)l;
	return false;
}

struct layer *tls_new(struct tls_context *context, const char *server_name, bool checks_name)
{
	(void)context;
	(void)server_name;
	(void)checks_name;
	return NULL;
}
