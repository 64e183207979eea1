/* SPDX-License-Identifier: Apache-2.0 */
/* A password from whoever sits at the terminal, or from what stands in its place. */
#ifndef NIGHTJAR_ADMIN_PASSWD_ASK_H
#define NIGHTJAR_ADMIN_PASSWD_ASK_H

#include "base/base.h"

/* With NUL. */
#define PASSWD_TEXT_MAX 65536

/* Asks twice at a terminal, without showing it; else the first line, and the second when there is
 * one, which must be the same. 0, or ERROR_INVALID with a sentence. */
int passwd_ask(char text_out[PASSWD_TEXT_MAX], const char **why_out) MUST_USE;

#endif
