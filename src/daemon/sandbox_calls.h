/* SPDX-License-Identifier: Apache-2.0 */
/* What the broker asks of the system, by purpose; docs/SERVICE.md shows the same (a test). */
#ifndef NIGHTJAR_DAEMON_SANDBOX_CALLS_H
#define NIGHTJAR_DAEMON_SANDBOX_CALLS_H

#include "base/base.h"

struct sandbox_calls {
	const char *purpose;
	const char *names; /* with blanks between them */
};

/* Without conditions; ends with purpose NULL. */
extern const struct sandbox_calls sandbox_calls[];
/* What the sanitizers of a build for tests need beyond that, in which nothing has conditions; empty
 * in other builds. */
extern const char sandbox_sanitizer_calls[];

#endif
