/* SPDX-License-Identifier: Apache-2.0 */
/* The standard streams of a program's code: what it prints is caught. */
#ifndef NIGHTJAR_TESTS_FUZZ_QUIET_H
#define NIGHTJAR_TESTS_FUZZ_QUIET_H

#include "fuzz.h"

struct quiet {
	FILE *out, *err; /* as they were */
	char *out_text, *err_text;
	size_t out_len, err_len;
};

static inline void quiet_begin(struct quiet *q)
{
	*q = (struct quiet){.out = stdout, .err = stderr};
	stdout = open_memstream(&q->out_text, &q->out_len);
	stderr = open_memstream(&q->err_text, &q->err_len);
	if (!stdout || !stderr)
		abort();
}

/* From here on the texts are there. */
static inline void quiet_end(struct quiet *q)
{
	fclose(stdout);
	fclose(stderr);
	stdout = q->out;
	stderr = q->err;
}

static inline void quiet_release(struct quiet *q)
{
	free(q->out_text);
	free(q->err_text);
}

#endif
