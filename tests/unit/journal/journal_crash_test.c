/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Crashes of a journal, by seed: power cuts in the middle of any call (of a commit, a rotation, a
 * checkpoint, a compaction, of the recovery itself), kills, failing calls, a disk that fills up.
 * Whatever came back as committed must be there again, in order; nothing else may be.
 *
 *     journal_crash_test [--seeds N] [--from S]
 */
#include "model.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define SEEDS 300
#define ROUNDS 8

static struct {
	uint64_t cuts, recovery_cuts, kills, checkpoints, copied, records, failures, rescues;
} seen;

static void arm(struct model *m)
{
	static const int errors[] = {EIO, ENOSPC, EROFS};
	unsigned flags = 0;
	switch (model_draw(m, 8)) {
	case 0:
		flags = model_draw(m, 2) ? SIMDISK_LASTING : 0;
		flags |= model_draw(m, 2) ? SIMDISK_DROPS : 0;
		simdisk_fail(m->disk, (enum simdisk_call)(SIMDISK_WRITE + model_draw(m, 6)),
			     1 + model_draw(m, 100), errors[model_draw(m, 3)], flags);
		break;
	case 1: break;
	default: simdisk_cut_at(m->disk, 1 + model_draw(m, 200)); break;
	}
}

/* Until the power is gone, the journal has failed, or it was enough. */
static void use(struct model *m)
{
	unsigned turns = 20 + (unsigned)model_draw(m, 120);
	for (unsigned i = 0; i < turns && !simdisk_is_cut(m->disk) && !m->is_failing; i++) {
		model_append(m);
		if (m->wants_checkpoint || model_draw(m, 25) == 0)
			model_checkpoint(m);
		model_work(m, m->has_little_room ? 1000 : (unsigned)model_draw(m, 12));
		m->now += model_draw(m, 20);
		if (model_draw(m, 60) == 0)
			m->now += 2000;
		if (model_draw(m, 40) == 0 && model_read_all(m) > 0 && !simdisk_is_cut(m->disk))
			model_fail(m, "a wanted message cannot be read");
	}
}

static void stop(struct model *m)
{
	struct log_status status;
	bool ends_well = model_draw(m, 4) == 0;
	m->log->ops->status(m->log, &status);
	seen.checkpoints += status.checkpoints;
	seen.copied += status.copied_bytes;
	/* The process may have gone on after the power went, or be gone at once. */
	if (ends_well) {
		model_close(m);
		simdisk_power_cut(m->disk, model_draw(m, UINT32_MAX));
	} else if (model_draw(m, 3) == 0 && !simdisk_is_cut(m->disk)) {
		simdisk_kill(m->disk);
		model_close(m);
		seen.kills++;
	} else {
		seen.cuts++;
		simdisk_power_cut(m->disk, model_draw(m, UINT32_MAX));
		model_close(m);
	}
	seen.failures += m->is_failing;
}

/* Opens, with the power going again and again in the middle of it. */
static void start(struct model *m)
{
	char reason[JOURNAL_REASON_MAX] = "";
	unsigned cuts = (unsigned)model_draw(m, 4);
	for (;;) {
		if (cuts > 0)
			simdisk_cut_at(m->disk, 1 + model_draw(m, 12));
		int error = model_open(m, reason);
		if (!error) {
			simdisk_cut_at(m->disk, 0);
			return;
		}
		if (error == ERROR_FULL && m->has_little_room) {
			/* Crash after crash while it is full eats the reserve: an operator's case. */
			simdisk_set_capacity(m->disk,
					     simdisk_used(m->disk) + 4 * m->options.segment_bytes);
			seen.rescues++;
			continue;
		}
		if (!simdisk_is_cut(m->disk))
			model_fail(m, "it does not start: %s", reason);
		simdisk_power_cut(m->disk, model_draw(m, UINT32_MAX));
		seen.recovery_cuts++;
		cuts--;
	}
}

static void run(uint64_t seed)
{
	struct model m;
	model_init(&m, seed, 0);
	/* A disk that fills up: it must go on starting, and make room where there is some. */
	m.has_little_room = model_draw(&m, 4) == 0;
	if (m.has_little_room)
		simdisk_set_capacity(m.disk, (16 + model_draw(&m, 16)) * m.options.segment_bytes);
	if (model_draw(&m, 4) == 0) {
		m.options.durability = DURABILITY_INTERVAL;
		m.options.interval_ms = 50;
	}
	for (unsigned round = 0; round < ROUNDS; round++) {
		start(&m);
		arm(&m);
		use(&m);
		stop(&m);
	}
	start(&m);
	seen.records += m.checked;
	if (model_read_all(&m) > 0)
		model_fail(&m, "a wanted message cannot be read at the end");
	model_close(&m);
	model_release(&m);
}

int main(int argc, char **argv)
{
	uint64_t seeds = SEEDS, from = 1;
	for (int i = 1; i + 1 < argc; i += 2) {
		uint64_t value = strtoull(argv[i + 1], NULL, 10);
		if (strcmp(argv[i], "--seeds") == 0)
			seeds = value;
		else if (strcmp(argv[i], "--from") == 0)
			from = value;
		else
			return 2;
	}
	for (uint64_t seed = from; seed < from + seeds; seed++)
		run(seed);
	printf("%llu seeds: %llu power cuts, %llu of them more in recovery, %llu kills, "
	       "%llu failures, %llu times more room, %llu checkpoints, %llu bytes compacted, %llu "
	       "records replayed\n",
	       (unsigned long long)seeds, (unsigned long long)seen.cuts,
	       (unsigned long long)seen.recovery_cuts, (unsigned long long)seen.kills,
	       (unsigned long long)seen.failures, (unsigned long long)seen.rescues,
	       (unsigned long long)seen.checkpoints, (unsigned long long)seen.copied,
	       (unsigned long long)seen.records);
	/* A run that met none of it has tested nothing. */
	bool has_met_all = seen.cuts && seen.recovery_cuts && seen.checkpoints && seen.copied;
	return seeds >= SEEDS && (!has_met_all || seen.rescues > seeds / 100);
}
