/* SPDX-License-Identifier: Apache-2.0 */
/* See bench_text.h. */
#include "cli/bench_text.h"

#include <stdio.h>

const char *bench_text_count(uint64_t value, char text[BENCH_TEXT_MAX])
{
	char *p = text + BENCH_TEXT_MAX - 1;
	*p = 0;
	for (unsigned digits = 0; digits == 0 || value; digits++) {
		if (digits && digits % 3 == 0)
			*--p = ',';
		*--p = (char)('0' + value % 10);
		value /= 10;
	}
	return p;
}

const char *bench_text_time(uint64_t ns, char text[BENCH_TEXT_MAX])
{
	double value = (double)ns;
	if (value < 1e6)
		snprintf(text, BENCH_TEXT_MAX, "%.0f us", value / 1e3);
	else if (value < 1e9)
		snprintf(text, BENCH_TEXT_MAX, "%.*f ms", value < 1e7 ? 2 : 1, value / 1e6);
	else
		snprintf(text, BENCH_TEXT_MAX, "%.2f s", value / 1e9);
	return text;
}
