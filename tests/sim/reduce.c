/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shortens a program that fails, as delta debugging does (Zeller and Hildebrandt 2002): whole
 * clients are left out, then shards, then steps in ever smaller pieces, as long as what is left
 * fails in the same way. Each trial runs in a process of its own.
 */
#include "program.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WORDS_MAX 300
#define TRIAL_SECONDS_MAX 30 /* a world that takes longer hangs */

struct search {
	struct program *best;
	struct program *trial;
	char kind[WORDS_MAX]; /* of the failure */
	time_t end;
	unsigned trials;
};

/* The words of a failure without numbers, which differ from run to run. */
static void simplify(const char *words, char kind[WORDS_MAX])
{
	size_t len = 0;
	const char *tick = strstr(words, ", tick ");
	const char *colon = tick ? strstr(tick, ": ") : NULL;
	words = colon ? colon + 2 : words;
	for (; *words && *words != '\n' && len + 1 < WORDS_MAX; words++) {
		bool is_digit = *words >= '0' && *words <= '9';
		if (!is_digit)
			kind[len++] = *words;
		else if (len == 0 || kind[len - 1] != '#')
			kind[len++] = '#';
	}
	kind[len] = '\0';
}

static void read_all(int fd, char *words, size_t size)
{
	char rest[1000];
	size_t len = 0;
	ssize_t n;
	while ((n = read(fd, words + len, size - 1 - len)) > 0)
		len += (size_t)n;
	words[len] = '\0';
	while (read(fd, rest, sizeof(rest)) > 0)
		; /* so that it can finish */
}

NORETURN static void run_trial(const struct program *p, int to)
{
	dup2(to, STDERR_FILENO);
	if (!freopen("/dev/null", "w", stdout))
		_exit(0);
	alarm(TRIAL_SECONDS_MAX);
	run_program(p, false);
	_exit(0);
}

/* True when it fails; how it does is in `kind`. */
static bool fails(const struct program *p, char kind[WORDS_MAX])
{
	char words[4000];
	int ends[2], status;
	if (pipe(ends) != 0)
		return false;
	pid_t child = fork();
	ASSERT(child >= 0);
	if (child == 0) {
		close(ends[0]);
		run_trial(p, ends[1]);
	}
	close(ends[1]);
	read_all(ends[0], words, sizeof(words));
	close(ends[0]);
	waitpid(child, &status, 0);
	simplify(words, kind);
	return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

/* Keeps the trial if it fails in the same way. */
static bool try_it(struct search *s)
{
	char kind[WORDS_MAX];
	if (time(NULL) >= s->end)
		return false;
	s->trials++;
	if (!fails(s->trial, kind) || strcmp(kind, s->kind) != 0)
		return false;
	*s->best = *s->trial;
	return true;
}

static void without_steps(struct search *s, uint32_t from, uint32_t count)
{
	struct program *t = s->trial;
	*t = *s->best;
	memmove(t->steps + from, t->steps + from + count,
		(t->step_count - from - count) * sizeof(t->steps[0]));
	t->step_count -= count;
}

static bool leave_clients_out(struct search *s)
{
	bool has_changed = false;
	for (unsigned i = 0; i < CLIENTS_MAX; i++) {
		if (s->best->left_out >> i & 1)
			continue;
		*s->trial = *s->best;
		s->trial->left_out |= 1u << i;
		has_changed |= try_it(s);
	}
	return has_changed;
}

static void take_shards_away(struct search *s)
{
	for (uint8_t shards = 1; shards < s->best->shards; shards++) {
		*s->trial = *s->best;
		s->trial->shards = shards;
		if (try_it(s))
			return;
	}
}

/* From the end on, so that what only follows from a fault goes first. */
static bool take_steps_away(struct search *s, uint32_t size)
{
	bool has_changed = false;
	uint32_t end = s->best->step_count;
	while (end > 0) {
		uint32_t from = end > size ? end - size : 0;
		without_steps(s, from, end - from);
		has_changed |= try_it(s);
		end = from;
	}
	return has_changed;
}

static void shorten(struct search *s)
{
	bool has_changed;
	leave_clients_out(s);
	take_shards_away(s);
	do {
		has_changed = false;
		for (uint32_t size = s->best->step_count / 2; size >= 1; size /= 2)
			has_changed |= take_steps_away(s, size);
		has_changed |= leave_clients_out(s);
	} while (has_changed && time(NULL) < s->end);
}

int reduce_child(struct program *p, int child, unsigned seconds)
{
	int status;
	waitpid(child, &status, 0);
	struct program *memory = calloc(2, sizeof(*memory));
	ASSERT(memory);
	struct search s = {
		.best = &memory[0], .trial = &memory[1], .end = time(NULL) + (time_t)seconds};
	*s.best = *p;
	if ((WIFEXITED(status) && WEXITSTATUS(status) == 0) || !fails(s.best, s.kind)) {
		printf("it does not fail\n");
		free(memory);
		return 2;
	}
	printf("# %s\n", s.kind);
	fflush(stdout);
	shorten(&s);
	printf("# %u steps of %u are left, after %u trials\n", s.best->step_count, p->step_count,
	       s.trials);
	program_print(s.best);
	fflush(stdout);
	run_program(s.best, true);
	free(memory);
	return 0;
}
