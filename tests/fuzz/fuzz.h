/* SPDX-License-Identifier: Apache-2.0 */
/* What fuzz targets share: libFuzzer's door, a check that is a finding when it fails, and blocks of
 * exactly the input's length. */
#ifndef NIGHTJAR_TESTS_FUZZ_FUZZ_H
#define NIGHTJAR_TESTS_FUZZ_FUZZ_H

#include <stdio.h>
#include <stdlib.h>

#include "base/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define CHECK(condition) ((condition) ? (void)0 : fuzz_failed(#condition, __FILE__, __LINE__))

NORETURN static inline void fuzz_failed(const char *condition, const char *file, int line)
{
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, condition);
	abort();
}

/* To be freed by the caller. */
static inline uint8_t *fuzz_copy(const uint8_t *data, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);
	CHECK(copy);
	if (len > 0)
		memcpy(copy, data, len);
	return copy;
}

#endif
