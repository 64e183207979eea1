/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks services by HTTP who clients are (access/service.h): one thread, many questions at a time, so
 * that a slow answer holds up nobody else. Connections to a service are kept for the next question.
 * What waits is bounded (login_queue.h), and so is how many questions a service has at a time.
 *
 * A service that has no answer, or a wrong one, lets nobody in.
 */
#ifndef NIGHTJAR_DAEMON_HTTP_LOGINS_H
#define NIGHTJAR_DAEMON_HTTP_LOGINS_H

#include "broker/broker.h"
#include "daemon/log.h"

struct http_logins;

/* Is this build made with libcurl? */
bool http_logins_are_here(void);

/* Its thread starts with the first login. NULL without memory, or where it is not here. */
struct http_logins *http_logins_new(struct broker *b, struct logger *log);
/* The thread ends; logins that wait are not answered. NULL is allowed. */
void http_logins_free(struct http_logins *h);
/* Takes over the login: any thread. ERROR_LIMIT: too many wait; ERROR_SYSTEM, ERROR_NO_MEMORY. */
int http_logins_ask(struct http_logins *h, struct login *login) MUST_USE;

#endif
