/* SPDX-License-Identifier: Apache-2.0 */
/* One thread of the server: waits for its loop, takes turns with its shard. */
#ifndef NIGHTJAR_DAEMON_WORKER_H
#define NIGHTJAR_DAEMON_WORKER_H

#include "broker/broker.h"
#include "daemon/clock.h"
#include "daemon/listening.h"
#include "daemon/log.h"
#include "daemon/store.h"
#include "io/loop.h"

/* What all workers share. */
struct crew {
	struct logger *log;
	pthread_mutex_t listening_mutex;
	struct listening *listening; /* guarded by the mutex; a reference */
	atomic_uint listening_count; /* how often it was another one */
	struct store *store;
	struct broker *broker;
	struct worker *workers;
	unsigned worker_count;
	int ended_fd; /* an eventfd: written by the last one to end */
	atomic_bool is_stopping;
	atomic_uint drain_ms; /* how long clients may take to hear the goodbye */
	/* While stopping: the number of checkpoints to wait for; 0: none was asked for yet. */
	atomic_uint_fast64_t checkpoint_goal;
	atomic_uint drained_count; /* workers without a connection, while stopping */
	atomic_uint running_count;
	/* Steady: when these were last in the log. */
	atomic_uint_fast64_t complaint_ms; /* accepting failed */
	atomic_uint_fast64_t held_ms;      /* connections came too fast */
};

struct worker {
	struct crew *crew;
	unsigned index;
	pthread_t thread;
	struct shard *shard;
	struct loop loop;
	struct clock clock;
	struct log_buffer lines;
	atomic_uint_fast64_t turn_count; /* written by its thread */
	uint64_t asked_count;            /* for who asks whether it turns */
	struct listening *listening;     /* it accepts from these; a reference */
	struct listening *next;          /* and from these from its next turn on; NULL: no others */
	unsigned listening_seen;         /* of crew.listening_count */
	/* While stopping: */
	bool is_stopping;
	bool is_drained;
	uint64_t drain_until_ms;
};

/* 0 or ERROR_SYSTEM. */
int worker_open(struct worker *w, struct crew *crew, unsigned index) MUST_USE;
/* After the thread has ended and the shard is gone. */
void worker_close(struct worker *w);
/* Starts the thread; w->shard is set. 0 or ERROR_SYSTEM. */
int worker_start(struct worker *w) MUST_USE;

#endif
