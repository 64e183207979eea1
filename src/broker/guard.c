/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/guard.h"

#include <inttypes.h>
#include <stdio.h>

const char *guard_count_name(enum guard_count which)
{
	static const char *const names[] = {
		[GUARD_HELD_BACK] = "clients held back",
		[GUARD_REFUSED] = "messages refused",
		[GUARD_DROPPED] = "messages dropped",
		[GUARD_DISCONNECTED] = "clients disconnected",
	};
	_Static_assert(ARRAY_COUNT(names) == GUARD_COUNT_COUNT, "a name for each");
	return names[which];
}

void guard_text(const struct guard *g, char *text, size_t room)
{
	size_t len = 0;
	text[0] = '\0';
	for (unsigned i = 0; i < GUARD_COUNT_COUNT && len < room; i++) {
		uint64_t count = guard_counted(g, (enum guard_count)i);
		if (count > 0)
			len += (size_t)snprintf(text + len, room - len, "%s%s %" PRIu64,
						len > 0 ? ", " : "",
						guard_count_name((enum guard_count)i), count);
	}
}
