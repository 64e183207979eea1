/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs simulated worlds, a seed each. A world that breaks a promise ends the program with its seed,
 * and the same seed does the same again. See world.h, program.h.
 */
#include "kit/kit_pages.h"
#include "program.h"
#include "rows.h"

#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PHASES 3
#define REDUCE_SECONDS 300

struct options {
	uint64_t from, seeds, seconds;
	uint64_t reduced; /* seed of a world to be reduced */
	unsigned steps, shards;
	unsigned kept; /* per cent of worlds whose log is kept */
	bool is_traced;
	bool is_on_disk; /* all logs are on a simulated disk */
	bool is_twice;   /* each seed runs twice, and does the same */
	bool is_long;    /* each row is told */
	bool needs_rows; /* it is a failure when a row is missing */
	bool is_reducing;
	const char *programs[64]; /* files to be run */
	unsigned program_count;
};

struct totals {
	uint64_t worlds, steps, turns, messages, received, promised, ms, crashes, checkpoints;
	uint64_t start_cuts, kills, rescues, commits, copied_bytes, silent_ends, forged, replays;
};

/* A broker that breaks down names no seed by itself. */
static char seed_text[120];
static struct sigaction former[2];
static const int fatal[] = {SIGABRT, SIGSEGV};

static void say_seed(int number)
{
	ssize_t ignored = write(STDERR_FILENO, seed_text, strlen(seed_text));
	(void)ignored;
	/* and then as without us: a sanitizer may have its own words */
	sigaction(number, &former[number == SIGABRT ? 0 : 1], NULL);
}

static void watch_for_crashes(void)
{
	struct sigaction action = {.sa_handler = say_seed};
	for (unsigned i = 0; i < ARRAY_COUNT(fatal); i++)
		sigaction(fatal[i], &action, &former[i]);
}

static void count_disk(const struct world *w, struct totals *t)
{
	kit_disk_count(w->disk);
	t->start_cuts += w->start_cuts;
	t->kills += w->kills;
	t->rescues += w->rescues;
	t->checkpoints += w->disk->checkpoints;
	t->commits += w->disk->commits;
	t->copied_bytes += w->disk->copied_bytes;
}

static void count(const struct world *w, struct totals *t)
{
	t->worlds++;
	t->steps += w->steps;
	t->turns += w->kit.turns;
	t->messages += w->message_count;
	t->received += w->received;
	t->promised += w->promised;
	t->crashes += w->crashes;
	t->silent_ends += w->silent_ends;
	t->forged += w->forged;
	t->replays += w->replays_judged;
	t->checkpoints += w->store ? kept_checkpoint_count(w->store) : 0;
	if (w->disk)
		count_disk(w, t);
	t->ms += w->kit.now.steady_ms - KIT_START_STEADY_MS;
}

static struct world *new_world(uint64_t seed)
{
	struct world *w = calloc(1, sizeof(*w));
	ASSERT(w);
	snprintf(seed_text, sizeof(seed_text), "seed %llu broke down, commit %s\n",
		 (unsigned long long)seed, commit);
	return w;
}

static void describe(const struct world *w, struct program *p)
{
	*p = (struct program){.seed = w->seed,
			      .log_kind = (uint8_t)w->log_kind,
			      .shards = (uint8_t)w->kit.shard_count};
}

/* Returns what the world told, as one number. */
static uint64_t run_seed(const struct options *o, uint64_t seed, struct totals *t,
			 struct program *record)
{
	struct world *w = new_world(seed);
	w->is_traced = o->is_traced;
	w->is_hashed = o->is_twice;
	world_choose(w, seed, o->kept, o->is_on_disk, o->shards);
	if (record)
		describe(w, record);
	world_start(w);
	program_make_up(w, PHASES, o->steps / PHASES, record);
	count(w, t);
	uint64_t hash = w->trace_hash;
	world_end(w);
	free(w);
	return hash;
}

static void leave_out(struct world *w, uint32_t clients)
{
	for (unsigned i = 0; i < CLIENTS_MAX; i++)
		w->clients[i].is_left_out = clients >> i & 1;
}

void run_program(const struct program *p, bool is_traced)
{
	struct world *w = new_world(p->seed);
	w->is_traced = is_traced;
	world_choose(w, p->seed, 0, false, p->shards);
	w->log_kind = (enum log_kind)p->log_kind;
	leave_out(w, p->left_out);
	world_start(w);
	program_replay(w, p);
	world_end(w);
	free(w);
}

static void run_twice(const struct options *o, uint64_t seed, struct totals *t)
{
	uint64_t first = run_seed(o, seed, t, NULL), second = run_seed(o, seed, t, NULL);
	if (first == second)
		return;
	fprintf(stderr, "seed %llu does not do the same twice\n", (unsigned long long)seed);
	exit(1);
}

/* The steps are written down by a child, which may break down. */
static int reduce_seed(const struct options *o)
{
	struct totals t = {0};
	struct program *p =
		mmap(NULL, sizeof(*p), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT(p != MAP_FAILED);
	pid_t child = fork();
	ASSERT(child >= 0);
	if (child == 0) {
		run_seed(o, o->reduced, &t, p);
		_exit(0);
	}
	return reduce_child(p, child, o->seconds ? (unsigned)o->seconds : REDUCE_SECONDS);
}

static int run_files(const struct options *o)
{
	static struct program p;
	for (unsigned i = 0; i < o->program_count; i++) {
		if (!program_read(o->programs[i], &p))
			return 2;
		run_program(&p, o->is_traced);
	}
	printf("%u programs run\n", o->program_count);
	return 0;
}

static bool read_flag(struct options *o, const char *name)
{
	struct {
		const char *name;
		bool *flag;
	} const flags[] = {{"--trace", &o->is_traced},
			   {"--disk", &o->is_on_disk},
			   {"--twice", &o->is_twice},
			   {"--rows", &o->is_long},
			   {"--all-rows", &o->needs_rows}};
	for (unsigned i = 0; i < ARRAY_COUNT(flags); i++)
		if (strcmp(name, flags[i].name) == 0) {
			*flags[i].flag = true;
			return true;
		}
	return false;
}

static bool read_number(struct options *o, const char *name, uint64_t value)
{
	if (strcmp(name, "--seeds") == 0)
		o->seeds = value;
	else if (strcmp(name, "--from") == 0)
		o->from = value;
	else if (strcmp(name, "--steps") == 0)
		o->steps = (unsigned)value;
	else if (strcmp(name, "--kept") == 0)
		o->kept = (unsigned)value;
	else if (strcmp(name, "--seconds") == 0)
		o->seconds = value;
	else if (strcmp(name, "--shards") == 0 && value >= 1 && value <= SHARDS_MAX)
		o->shards = (unsigned)value;
	else if (strcmp(name, "--reduce") == 0)
		o->reduced = value;
	else
		return false;
	o->is_reducing |= strcmp(name, "--reduce") == 0;
	return true;
}

static void read_options(struct options *o, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *next = i + 1 < argc ? argv[i + 1] : NULL;
		if (argv[i][0] != '-' && o->program_count < ARRAY_COUNT(o->programs)) {
			o->programs[o->program_count++] = argv[i];
		} else if (next && read_number(o, argv[i], strtoull(next, NULL, 10))) {
			i++;
		} else if (!read_flag(o, argv[i])) {
			fprintf(stderr,
				"usage: %s [--from SEED] [--seeds N] [--steps N] [--shards N]\n"
				"  [--kept PERCENT] [--disk] [--seconds N] [--trace] [--twice]\n"
				"  [--rows] [--all-rows]\n"
				"or: %s [--kept PERCENT] [--disk] [--seconds N] --reduce SEED\n"
				"or: %s [--trace] PROGRAM...\n",
				argv[0], argv[0], argv[0]);
			exit(2);
		}
	}
}

static void print_totals(const struct options *o, const struct totals *t, double seconds)
{
	printf("%llu seeds from %llu, commit %s: %llu steps, %llu turns, %.1f simulated "
	       "hours, %llu messages, %llu received, %llu promises kept, %llu retained that had to "
	       "come, %llu crashes, %llu "
	       "checkpoints, %llu silent clients, %llu forged packets, %llu pages, %.0f seeds a "
	       "second\n",
	       (unsigned long long)t->worlds, (unsigned long long)o->from, commit,
	       (unsigned long long)t->steps, (unsigned long long)t->turns, (double)t->ms / 3600000,
	       (unsigned long long)t->messages, (unsigned long long)t->received,
	       (unsigned long long)t->promised, (unsigned long long)t->replays,
	       (unsigned long long)t->crashes, (unsigned long long)t->checkpoints,
	       (unsigned long long)t->silent_ends, (unsigned long long)t->forged,
	       (unsigned long long)kit_pages_written(), (double)t->worlds / seconds);
	if (o->is_on_disk)
		printf("  %llu of them kills; %llu power cuts more while starting, %llu starts "
		       "that "
		       "needed room, %llu commits, %llu bytes compacted\n",
		       (unsigned long long)t->kills, (unsigned long long)t->start_cuts,
		       (unsigned long long)t->rescues, (unsigned long long)t->commits,
		       (unsigned long long)t->copied_bytes);
	rows_print(o->is_long);
}

static double now_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int run_seeds(const struct options *o)
{
	struct totals t = {0};
	double start = now_s();
	for (uint64_t seed = o->from; seed < o->from + o->seeds; seed++) {
		if (o->seconds && now_s() - start >= (double)o->seconds)
			break;
		if (o->is_twice)
			run_twice(o, seed, &t);
		else
			run_seed(o, seed, &t, NULL);
	}
	print_totals(o, &t, now_s() - start);
	return o->needs_rows && rows_missing() > 0;
}

int main(int argc, char **argv)
{
	struct options o = {.from = 1, .seeds = 100, .steps = 3000, .kept = KEPT_USUAL};
	read_options(&o, argc, argv);
	world_init_filters();
	watch_for_crashes();
	/* worlds come and go: their memory stays with us */
	mallopt(M_MMAP_THRESHOLD, 64 << 20);
	mallopt(M_TRIM_THRESHOLD, 512 << 20);
	if (o.is_traced || o.is_reducing) /* all of it, also when the broker breaks down */
		setvbuf(stdout, NULL, _IOLBF, 0);
	if (o.is_reducing)
		return reduce_seed(&o);
	return o.program_count > 0 ? run_files(&o) : run_seeds(&o);
}
