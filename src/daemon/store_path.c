/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/store_path.h"

#include "base/mem.h"

#include <stdio.h>

#define ROOT_PATH "/var/lib/nightjar"

static char *join(const char *folder, const char *name)
{
	size_t len = strlen(folder) + strlen(name) + 1;
	char *path = mem_alloc(len);
	if (path)
		snprintf(path, len, "%s%s", folder, name);
	return path;
}

/* Relative ones are to be ignored (XDG Base Directory Specification). */
static bool is_absolute(const char *path)
{
	return path && path[0] == '/';
}

char *store_default_path(const struct store_surroundings *s)
{
	if (is_absolute(s->state_directory)) /* the first of several */
		return mem_copy_text(span_of(s->state_directory, strcspn(s->state_directory, ":")));
	if (s->is_root)
		return mem_copy_text(span_of_text(ROOT_PATH));
	if (is_absolute(s->state_home))
		return join(s->state_home, "/nightjar");
	return is_absolute(s->home) ? join(s->home, "/.local/state/nightjar") : NULL;
}
