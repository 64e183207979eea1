/* SPDX-License-Identifier: Apache-2.0 */
/* What is wrong with a password or ACL file: a line of text for each, "file:line: sentence". */
#ifndef NIGHTJAR_ACCESS_REPORT_H
#define NIGHTJAR_ACCESS_REPORT_H

#include "base/buffer.h"

/* Mistakes that are told; the rest is counted. */
#define ACCESS_ERRORS_MAX 20

struct access_report {
	const char *file;      /* for the lines; borrowed */
	struct buffer errors;  /* the file is of no use */
	struct buffer notices; /* it is, but somebody should know */
	unsigned error_count;
	unsigned notice_count;
	bool is_out_of_memory;
};

void access_report_release(struct access_report *r);

/* Adds a line; what `text` quotes is shown harmless, and cut when it is long. */
void access_refuse(struct access_report *r, unsigned line, const char *format, ...)
	PRINTF_LIKE(3, 4);
void access_notice(struct access_report *r, unsigned line, const char *format, ...)
	PRINTF_LIKE(3, 4);

/* Foreign text for such a line: what is not printable is replaced, the end of a long one is left
 * out. Returns `shown`. */
#define ACCESS_SHOWN_MAX 100
const char *access_show(struct span text, char shown[ACCESS_SHOWN_MAX]);

#endif
