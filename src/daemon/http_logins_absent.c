/* SPDX-License-Identifier: Apache-2.0 */
/* Without libcurl nobody is asked. */
#include "daemon/http_logins.h"

bool http_logins_are_here(void)
{
	return false;
}

struct http_logins *http_logins_new(struct broker *b, struct logger *log)
{
	(void)b;
	(void)log;
	return NULL;
}

void http_logins_free(struct http_logins *h)
{
	(void)h;
}

int http_logins_ask(struct http_logins *h, struct login *login)
{
	(void)h;
	(void)login;
	return ERROR_SYSTEM;
}
