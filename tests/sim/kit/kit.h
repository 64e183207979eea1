/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole broker in one thread: shards take their turns when a real thread would have woken up for
 * one, in an order that a seed decides, on memory streams and a clock that only moves when told.
 * A shard that sleeps although there is something to do is therefore found as a stall.
 */
#ifndef NIGHTJAR_TESTS_SIM_KIT_H
#define NIGHTJAR_TESTS_SIM_KIT_H

#include "broker/broker.h"
#include "io/stream_memory.h"
#include "kit/random.h"
#include "trace/event.h"

struct kit {
	struct broker *broker;
	struct log_kept *log;  /* NULL: the one in memory, or on a disk */
	struct kit_disk *disk; /* NULL: none */
	unsigned shard_count;
	struct moment now;
	struct random random;
	uint64_t turns;
	uint64_t frozen;       /* bits of shards whose threads the system keeps from running */
	uint8_t wakes_at_once; /* per cent: who is woken in another's turn takes its own meanwhile */
	unsigned running;      /* the shard that takes a turn now, + 1; 0 = none */
	bool is_nested;        /* that one was woken by another */
	struct mount *mount;   /* of the listener that connections come by; NULL: none */
	bool is_attach_broken; /* streams cannot be attached: what lack of descriptors looks like */
	uint64_t memory;       /* what the process is said to hold */
	const char *address;   /* of who connects next; NULL: always the same one */
	uint64_t events[EVENT_KIND_COUNT];
	/* Takes passwords to be verified, as broker_hooks.verify does; NULL: that is done at once. */
	int (*verify)(void *context, struct login *login);
	uint64_t detail_bytes; /* of what events showed: reads all of it */
	struct kit_shard {
		struct memory_hub hub;
		uint64_t wake_at_ms; /* steady clock; UINT64_MAX = when something comes */
		bool is_woken;
		bool is_in_turn; /* it has read, and not yet decided: others run meanwhile */
	} shards[SHARDS_MAX];
};

/* 2026-01-01, so that nothing is near 0. */
#define KIT_START_WALL_MS 1767225600000ull
#define KIT_START_STEADY_MS 1000000ull

/* Asserts that there is memory. */
void kit_start(struct kit *k, const struct settings *settings, unsigned shard_count, uint64_t seed);
/* The same on a log that is kept: the broker comes to the state that the store gives, at that
 * time. Commits and reads take time from then on. */
struct kept_store;
void kit_start_on(struct kit *k, const struct settings *settings, unsigned shard_count,
		  uint64_t seed, struct kept_store *store, struct moment now);
/* A broker whose log is still to be chosen. */
void kit_start_at(struct kit *k, const struct settings *settings, unsigned shard_count,
		  uint64_t seed, struct moment now);
/* Ends the broker, whatever is going on in it. */
void kit_stop(struct kit *k);
/* The process dies: what was not committed is lost, turns that were begun are not ended. */
void kit_crash(struct kit *k);

/* A new connection to that shard, whose buffers hold `capacity` bytes each way. Returns the
 * client's end; `broker_end_out` (or NULL) may be used to cut what the broker writes. */
struct stream kit_open(struct kit *k, unsigned shard, uint32_t capacity,
		       struct stream *broker_end_out);

/* A turn, or a half, of a shard that has a reason to take one; false when all may go on sleeping,
 * and when there is no power any more. */
bool kit_step(struct kit *k);
bool kit_is_dark(const struct kit *k);
/* All that shards have given to the log came back. */
bool kit_is_settled(const struct kit *k);
/* Somebody is not read, since he was too fast: what he has said already waits. */
bool kit_holds_back(const struct kit *k);
/* Turns until all sleep, the frozen ones too. Asserts that it comes to an end. */
void kit_settle(struct kit *k);
/* What survives, as text, when all sleep and know what time it is. To be freed. */
char *kit_state(struct kit *k);
/* Moves the clock, one wake-up after the other, until that much time has passed. */
void kit_advance(struct kit *k, uint64_t ms);
/* When the next shard wants to wake up by itself (steady clock). */
uint64_t kit_next_wake_ms(const struct kit *k);

/* Counters over all shards. */
void kit_status(const struct kit *k, struct shard_status *out);

#endif
