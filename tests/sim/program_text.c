/* SPDX-License-Identifier: Apache-2.0 */
#include "program.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const action_names[ACTION_COUNT] = {
	"turns", "pump",    "freeze",  "time",       "close-old",   "snapshot",
	"crash", "connect", "publish", "subscribe",  "unsubscribe", "ping",
	"stop",  "lazy",    "answer",  "disconnect", "fault",       "vanish",
	"forge", "hostile", "rest",    "rest-last",  "idle",
};
static const char *const log_names[] = {"memory", "kept", "disk"};

void program_print(const struct program *p)
{
	printf("world %llu log %s shards %u", (unsigned long long)p->seed, log_names[p->log_kind],
	       p->shards);
	if (p->left_out)
		printf(" without");
	for (unsigned i = 0; i < CLIENTS_MAX; i++)
		if (p->left_out >> i & 1)
			printf(" %u", i);
	putchar('\n');
	for (uint32_t i = 0; i < p->step_count; i++)
		if (p->steps[i].action < ACTION_COUNT)
			printf("%s %u %08x\n", action_names[p->steps[i].action], p->steps[i].actor,
			       p->steps[i].seed);
}

static int find_word(const char *const *words, size_t count, const char *word)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(words[i], word) == 0)
			return (int)i;
	return -1;
}

static bool read_world(const char *line, struct program *p)
{
	char log[16];
	unsigned shards;
	unsigned long long seed;
	int used = 0;
	if (sscanf(line, "world %llu log %15s shards %u%n", &seed, log, &shards, &used) != 3)
		return false;
	int kind = find_word(log_names, ARRAY_COUNT(log_names), log);
	if (kind < 0 || shards < 1 || shards > SHARDS_MAX)
		return false;
	*p = (struct program){.seed = seed, .log_kind = (uint8_t)kind, .shards = (uint8_t)shards};
	line += used;
	if (strncmp(line, " without", 8) != 0)
		return true;
	char *end = NULL;
	for (line += 8;; line = end) {
		unsigned long client = strtoul(line, &end, 10);
		if (end == line)
			return true;
		p->left_out |= client < CLIENTS_MAX ? 1u << client : 0;
	}
}

static bool read_step(const char *line, struct program *p)
{
	char name[16];
	unsigned actor, seed;
	if (sscanf(line, "%15s %u %x", name, &actor, &seed) != 3)
		return false;
	int action = find_word(action_names, ARRAY_COUNT(action_names), name);
	if (action < 0 || actor >= CLIENTS_MAX || p->step_count == PROGRAM_STEPS_MAX)
		return false;
	p->steps[p->step_count++] = (struct step){(uint8_t)action, (uint8_t)actor, seed};
	return true;
}

bool program_read(const char *path, struct program *p_out)
{
	char line[200];
	unsigned number = 0;
	bool has_world = false;
	FILE *file = fopen(path, "r");
	if (!file) {
		perror(path);
		return false;
	}
	while (fgets(line, sizeof(line), file)) {
		number++;
		if (line[0] == '#' || line[0] == '\n')
			continue;
		bool is_good = has_world ? read_step(line, p_out) : read_world(line, p_out);
		if (!is_good) {
			fprintf(stderr, "%s:%u: cannot be read\n", path, number);
			fclose(file);
			return false;
		}
		has_world = true;
	}
	fclose(file);
	if (!has_world)
		fprintf(stderr, "%s: has no world\n", path);
	return has_world;
}
