/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Worlds whose broker stands on a simulated disk: the power goes in the middle of any call, or
 * between two; the process is killed; calls fail; the disk is full for a while. Then it starts
 * again, and sometimes the power goes while it does. What was acknowledged is there: the model says
 * so as ever, since it never hears of any of this.
 */
#include "world.h"

#include "base/mem.h"

#include <errno.h>

#define IDLE_CUT_EVERY 1200  /* steps, about: power that goes between two calls */
#define KILL_EVERY 1200      /* steps, about */
#define FULL_EVERY 800       /* steps, about */
#define FULL_STEPS_MAX 300   /* then there is room again */
#define FAILED_STEPS_MAX 20  /* that a process with a broken store goes on */
#define CHANGES_MAX 400      /* calls that change something, from a start to a cut */
#define IMAGE_CUTS 5         /* per cent of checkpoints: the power goes right behind them */
#define START_CHANGES_MAX 40 /* from the beginning of a start to a cut in it */
#define START_CUTS_MAX 3
#define ROOM_MAX (256u << 10) /* on a disk that is about to be full */
#define ROOM_TO_START (1u << 20)

static void say(void *context, const char *text)
{
	world_note(context, "journal: %s", text);
}

/* What will happen to this life of the broker. */
static void arm(struct world *w)
{
	static const int errors[] = {EIO, ENOSPC, EROFS};
	struct random *r = &w->random;
	struct simdisk *medium = w->disk->medium;
	uint32_t dice = random_below(r, 10);
	w->power_step = NEVER;
	w->has_fault = false;
	w->disk->image_cuts = IMAGE_CUTS;
	if (dice < 5) {
		simdisk_cut_at(medium, 1 + random_below(r, CHANGES_MAX));
	} else if (dice < 7) {
		w->has_fault = true;
		enum simdisk_call call = SIMDISK_WRITE + random_below(r, 6);
		unsigned flags = random_chance(r, 50) ? SIMDISK_LASTING : 0;
		flags |= random_chance(r, 50) ? SIMDISK_DROPS : 0;
		simdisk_fail(medium, call, 1 + random_below(r, CHANGES_MAX / 4),
			     errors[random_below(r, ARRAY_COUNT(errors))], flags);
	}
}

static void disarm(struct world *w)
{
	w->disk->image_cuts = 0;
	simdisk_cut_at(w->disk->medium, 0);
	for (unsigned call = 0; call < SIMDISK_CALLS; call++)
		simdisk_fail(w->disk->medium, (enum simdisk_call)call, 0, 0, 0);
	simdisk_set_capacity(w->disk->medium, 0);
	w->is_disk_full = w->has_fault = false;
}

/* Without its fault the disk still has what it did. */
static void note_trouble(struct world *w)
{
	if (w->is_disk_full || w->has_fault || w->disk->health != LOG_GOOD)
		w->trouble_tick = w->tick;
}

void power_start(struct world *w)
{
	struct moment now = {KIT_START_STEADY_MS, KIT_START_WALL_MS};
	w->disk = kit_disk_new(random_next(&w->random));
	w->disk->say = say;
	w->disk->say_context = w;
	int error = kit_start_on_disk(&w->kit, &w->settings, w->kit.shard_count,
				      random_next(&w->random), w->disk, now);
	if (error)
		world_fail(w, "it does not start: %s", w->disk->reason);
	arm(w);
}

/* The machine or the process is there again: the broker, too, sooner or later. */
static void start_again(struct world *w, unsigned shards, struct moment now, uint64_t turns)
{
	struct simdisk *medium = w->disk->medium;
	unsigned cuts = random_below(&w->random, START_CUTS_MAX + 1);
	for (;;) {
		if (cuts > 0 && cuts-- > 0)
			simdisk_cut_at(medium, 1 + random_below(&w->random, START_CHANGES_MAX));
		int error = kit_start_on_disk(&w->kit, &w->settings, shards,
					      random_next(&w->random), w->disk, now);
		if (!error)
			break;
		if (simdisk_is_cut(medium)) {
			world_note(w, "the power goes while it starts");
			simdisk_power_cut(medium, random_next(&w->random));
			w->start_cuts++;
		} else if (error == ERROR_FULL && w->is_disk_full) {
			world_note(w, "it does not start for want of room: %s", w->disk->reason);
			simdisk_set_capacity(medium, simdisk_used(medium) + ROOM_TO_START);
			w->rescues++;
		} else {
			world_fail(w, "it does not start: %s", w->disk->reason);
		}
	}
	simdisk_cut_at(medium, 0);
	w->kit.turns = turns;
}

static void die(struct world *w, bool is_cut)
{
	static const unsigned shard_counts[] = {1, 2, 3, 8};
	struct moment now = w->kit.now;
	uint64_t turns = w->kit.turns, ms = random_below(&w->random, 3000);
	unsigned shards = shard_counts[random_below(&w->random, ARRAY_COUNT(shard_counts))];
	world_note(w, "%s; it comes back with %u shards",
		   is_cut ? "the power goes" : "it is killed", shards);
	kit_disk_count(w->disk);
	if (is_cut)
		simdisk_power_cut(w->disk->medium, random_next(&w->random));
	else
		simdisk_kill(w->disk->medium);
	kit_crash(&w->kit);
	crash_doubts(w);
	now.steady_ms += ms;
	now.wall_ms += ms;
	start_again(w, shards, now, turns);
	w->sessions_over++;
	w->crashes++;
	w->kills += !is_cut;
	arm(w);
	model_time(w);
}

static void fill_disk(struct world *w)
{
	uint64_t room = random_below(&w->random, ROOM_MAX);
	simdisk_set_capacity(w->disk->medium, simdisk_used(w->disk->medium) + room);
	world_note(w, "the disk has %llu bytes left", (unsigned long long)room);
	w->is_disk_full = true;
	w->room_step = w->steps + 1 + random_below(&w->random, FULL_STEPS_MAX);
}

static void make_room(struct world *w)
{
	simdisk_set_capacity(w->disk->medium, 0);
	w->is_disk_full = false;
	world_note(w, "the disk has room");
}

/* Between the end of a store and that of its process anything may be refused. */
static void go_on_failed(struct world *w)
{
	for (unsigned i = 0; i < w->client_count; i++)
		if (w->clients[i].phase != PHASE_OFFLINE)
			client_fault(w, &w->clients[i]);
	if (w->power_step == NEVER)
		w->power_step = w->steps + random_below(&w->random, FAILED_STEPS_MAX);
}

void power_step(struct world *w)
{
	struct random *r = &w->random;
	if (kit_is_dark(&w->kit)) {
		die(w, true);
		return;
	}
	note_trouble(w);
	if (w->disk->health == LOG_FAILED)
		go_on_failed(w);
	if (w->is_disk_full && w->steps >= w->room_step)
		make_room(w);
	if (w->steps >= w->power_step || random_below(r, KILL_EVERY) == 0)
		die(w, false);
	else if (random_below(r, IDLE_CUT_EVERY) == 0)
		die(w, true);
	else if (!w->is_disk_full && random_below(r, FULL_EVERY) == 0)
		fill_disk(w);
}

bool power_was_in_trouble(const struct world *w, uint64_t since)
{
	return w->disk && w->trouble_tick >= since;
}

/* For a while nothing happens to it. */
void power_come_to_rest(struct world *w)
{
	note_trouble(w);
	disarm(w);
	if (w->disk->health == LOG_FAILED) {
		die(w, false);
		disarm(w);
	}
}

void power_go_on(struct world *w)
{
	arm(w);
}

static void settle(struct world *w)
{
	unsigned looks = 0;
	while (!kit_is_settled(&w->kit)) {
		if (++looks > 100)
			world_fail(w, "the log never settles");
		kit_advance(&w->kit, 100);
	}
}

static const char *difference(const char *a, const char *b)
{
	size_t line = 0;
	for (size_t at = 0; a[at] && a[at] == b[at]; at++)
		if (a[at] == '\n')
			line = at + 1;
	return a + line;
}

void power_check(struct world *w)
{
	struct shard_status status;
	unsigned shards = 1 + random_below(&w->random, 4);
	char *live;
	for (;;) {
		settle(w);
		live = kit_state(&w->kit);
		if (kit_is_settled(&w->kit))
			break;
		mem_free(live);
	}
	char *stored = kit_disk_state(w->disk, &w->settings, shards, w->kit.now);
	if (strcmp(live, stored) != 0) {
		const char *is = difference(live, stored), *comes = difference(stored, live);
		world_fail(w, "the disk gives another state:\n  is:     %.*s\n  stored: %.*s",
			   (int)strcspn(is, "\n"), is, (int)strcspn(comes, "\n"), comes);
	}
	mem_free(live);
	mem_free(stored);
	kit_status(&w->kit, &status);
	if (status.dropped_damaged > 0)
		world_fail(w, "%llu messages could not be read back",
			   (unsigned long long)status.dropped_damaged);
}
