/* SPDX-License-Identifier: Apache-2.0 */
#include "diagram.h"

#include <stdio.h>

#define COLUMN 52

static unsigned step;
static bool is_new; /* nothing of this step was printed yet */

static void begin_line(void)
{
	if (is_new)
		printf("%4u  ", step);
	else
		printf("      ");
	is_new = false;
}

/* What comes in is marked by the caller with "> ". */
static void draw(enum side side, const char *text)
{
	begin_line();
	if (side == SIDE_MIDDLE)
		printf("%*s---- %s ----\n", (int)(COLUMN - 5 - strlen(text) / 2), "", text);
	else if (side == SIDE_SENDER)
		printf("%-*s|\n", COLUMN, text);
	else
		printf("%-*s| %s\n", COLUMN, "", text);
}

void diagram_print(const struct config *config, const struct found *found)
{
	bool is_publishing = config->direction == PUBLISHING;
	struct world world;
	world_start(&world, config);
	printf("counterexample of %u steps: %s\n", found->action_count, found->broken);
	printf("      %-*s| %s\n", COLUMN, is_publishing ? "client, sends" : "broker, sends",
	       is_publishing ? "broker, receives" : "client, receives");
	for (step = 1; step <= found->action_count; step++) {
		struct run run = {.config = config, .world = &world, .show = draw};
		is_new = true;
		act(&run, found->actions[step - 1]);
		if (is_new)
			draw(SIDE_MIDDLE, "(nothing to be seen)");
	}
	printf("      %s\n", found->broken);
}
