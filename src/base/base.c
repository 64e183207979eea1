/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base.h"

#include <stdio.h>
#include <stdlib.h>

const char *error_text(int error)
{
	switch (error) {
	case ERROR_NO_MEMORY: return "out of memory";
	case ERROR_LIMIT: return "limit reached";
	case ERROR_SYSTEM: return "system call failed";
	case ERROR_INVALID: return "invalid value";
	case ERROR_AGAIN: return "not now";
	case ERROR_CLOSED: return "closed";
	case ERROR_FULL: return "no space left";
	case ERROR_NOT_FOUND: return "not found";
	case ERROR_READ_ONLY: return "read-only";
	case ERROR_DAMAGED: return "damaged";
	default: return error == 0 ? "no error" : "unknown error";
	}
}

void assert_failed(const char *condition, const char *file, int line)
{
	fprintf(stderr, "nightjar: assertion failed: %s (%s:%d)\n", condition, file, line);
	abort();
}
