/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walks every reachable state of one sender, one receiver and their connection.
 *
 *     explore            all configurations
 *     explore --short    those of a few seconds
 *     explore NAME...    these
 */
#include "configs.h"
#include "diagram.h"

#include "base/mem.h"

#include <stdio.h>
#include <time.h>

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool explore(const struct config *config)
{
	struct found found;
	double started = now();
	search(config, &found);
	printf("%-26s %10u %12llu %7u %6u %8.1f %8.1f  %s\n", config->name, found.states,
	       (unsigned long long)found.transitions, found.ends, found.longest,
	       (double)found.bytes / 1e6, now() - started, found.broken[0] ? "BROKEN" : "good");
	if (found.broken[0])
		diagram_print(config, &found);
	fflush(stdout);
	mem_free(found.actions);
	return !found.broken[0];
}

static bool is_wanted(const struct config *config, int argc, char **argv)
{
	if (config->ids != SEND_SPAN_MAX)
		return false;
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--short"))
			return config->is_short;
		if (!strcmp(argv[i], config->name))
			return true;
	}
	return argc == 1;
}

int main(int argc, char **argv)
{
	unsigned tried = 0, good = 0;
	printf("%-26s %10s %12s %7s %6s %8s %8s\n", "configuration", "states", "transitions",
	       "ends", "depth", "MB", "s");
	for (size_t i = 0; i < config_count; i++) {
		if (!is_wanted(&configs[i], argc, argv))
			continue;
		tried++;
		good += explore(&configs[i]);
	}
	printf("%u good of %u\n", good, tried);
	return tried > 0 && good == tried ? 0 : 1;
}
