/* SPDX-License-Identifier: Apache-2.0 */
#include "journal/threads.h"

#include "base/mem.h"
#include "journal/commit.h"
#include "journal/reader.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define HOUSEKEEPER_SLEEP_MS 1000
#define SEGMENT_WAIT_MS 100
/* Closing waits so long for a segment to write the last batches to. */
#define CLOSE_WAITS_MAX 50
#define CLOSE_STEPS_MAX 1000
#define NICE -10

/* One thread waits, any wakes it; a wake that comes first is not lost. */
struct sleeper {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool is_woken;
};

struct threads {
	struct sleeper committer_sleep, housekeeper_sleep;
	pthread_t committer, housekeeper, reader;
	bool has_committer, has_housekeeper, has_reader;
	atomic_bool committer_ends, housekeeper_ends;
};

static void sleeper_init(struct sleeper *s)
{
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, &attributes);
	pthread_condattr_destroy(&attributes);
}

static void sleeper_release(struct sleeper *s)
{
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
}

static void wake(struct sleeper *s)
{
	pthread_mutex_lock(&s->lock);
	s->is_woken = true;
	pthread_cond_signal(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

/* UINT64_MAX: for ever. */
static void sleep_for(struct sleeper *s, uint64_t ms)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	if (ms != UINT64_MAX) {
		until.tv_sec += (time_t)(ms / 1000);
		until.tv_nsec += (long)(ms % 1000) * 1000000;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
	}
	pthread_mutex_lock(&s->lock);
	int result = 0;
	while (!s->is_woken && result == 0)
		result = ms == UINT64_MAX ? pthread_cond_wait(&s->changed, &s->lock)
					  : pthread_cond_timedwait(&s->changed, &s->lock, &until);
	s->is_woken = false;
	pthread_mutex_unlock(&s->lock);
}

void journal_wake_committer(struct journal *j)
{
	if (j->threads)
		wake(&j->threads->committer_sleep);
}

void journal_wake_housekeeper(struct journal *j)
{
	if (j->threads)
		wake(&j->threads->housekeeper_sleep);
}

/* The committer must not wait behind whatever else computes: a commit would take a tick of the
 * scheduler instead of the disk's time. */
static void ask_for_priority(struct journal *j)
{
	struct sched_param fifo = {.sched_priority = 1};
	if (pthread_setschedparam(pthread_self(), SCHED_FIFO, &fifo) == 0)
		return;
	if (setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), NICE) != 0)
		journal_say(j, false,
			    "The journal's writer runs without priority (LimitRTPRIO=1 would "
			    "give it): commits may take longer on a busy machine.");
}

static void rest(struct journal *j, uint64_t due)
{
	uint64_t now = journal_now(j);
	uint64_t ms = due == UINT64_MAX ? due : due > now ? due - now : 0;
	if (commit_fall_asleep(j))
		sleep_for(&j->threads->committer_sleep, ms);
	commit_wake_up(j);
}

static void *run_committer(void *context)
{
	struct journal *j = context;
	struct threads *t = j->threads;
	unsigned waits = 0;
	if (!j->options.keeps_priority)
		ask_for_priority(j);
	for (;;) {
		uint64_t due;
		bool ends = atomic_load(&t->committer_ends);
		if (ends)
			commit_hurry(j);
		enum commit_result result = commit_step(j, &due);
		if (result == COMMIT_WAITING) {
			sleep_for(&t->committer_sleep, SEGMENT_WAIT_MS);
			if (ends && ++waits > CLOSE_WAITS_MAX)
				commit_give_back(j, ERROR_SYSTEM);
		} else if (result == COMMIT_IDLE && ends) {
			break;
		} else if (result == COMMIT_IDLE) {
			rest(j, due);
		}
	}
	commit_finish(j);
	return NULL;
}

static bool housekeep(struct journal *j)
{
	bool has_worked = segments_step(j);
	has_worked |= checkpoint_step(j);
	has_worked |= compact_step(j);
	return has_worked;
}

/* An image that was handed over is written before the end. */
static void finish_checkpoints(struct journal *j)
{
	for (unsigned i = 0; i < CLOSE_STEPS_MAX && checkpoint_step(j); i++)
		;
}

static void *run_housekeeper(void *context)
{
	struct journal *j = context;
	while (!atomic_load(&j->threads->housekeeper_ends))
		if (!housekeep(j))
			sleep_for(&j->threads->housekeeper_sleep, HOUSEKEEPER_SLEEP_MS);
	finish_checkpoints(j);
	return NULL;
}

static void *run_reader(void *context)
{
	struct journal *j = context;
	while (reader_wait(j))
		reader_step(j);
	return NULL;
}

/* Signals are for the program's own threads. */
static bool start_all(struct journal *j)
{
	struct threads *t = j->threads;
	sigset_t all, before;
	sigfillset(&all);
	sigdelset(&all, SIGSYS); /* a thread's own: held back, it would end the program */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int error = pthread_create(&t->housekeeper, NULL, run_housekeeper, j);
	t->has_housekeeper = error == 0;
	if (!error)
		error = pthread_create(&t->reader, NULL, run_reader, j);
	t->has_reader = t->has_housekeeper && error == 0;
	if (!error)
		error = pthread_create(&t->committer, NULL, run_committer, j);
	t->has_committer = t->has_reader && error == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = error;
	return error == 0;
}

/* In this order: the committer may still need a segment. */
static void end_all(struct journal *j)
{
	struct threads *t = j->threads;
	atomic_store(&t->committer_ends, true);
	if (t->has_committer) {
		/* It may be asleep, having seen the flag down. */
		commit_wake_up(j);
		wake(&t->committer_sleep);
		pthread_join(t->committer, NULL);
	}
	if (t->has_reader) {
		reader_stop(j);
		pthread_join(t->reader, NULL);
	}
	atomic_store(&t->housekeeper_ends, true);
	if (t->has_housekeeper) {
		wake(&t->housekeeper_sleep);
		pthread_join(t->housekeeper, NULL);
	}
	sleeper_release(&t->committer_sleep);
	sleeper_release(&t->housekeeper_sleep);
	j->threads = NULL;
	mem_free(t);
}

int threads_start(struct journal *j)
{
	if (!j->options.has_threads)
		return 0;
	struct threads *t = mem_zalloc(sizeof(*t));
	if (!t)
		return ERROR_NO_MEMORY;
	sleeper_init(&t->committer_sleep);
	sleeper_init(&t->housekeeper_sleep);
	j->threads = t;
	if (start_all(j))
		return 0;
	int saved = errno;
	end_all(j);
	errno = saved;
	return ERROR_SYSTEM;
}

bool journal_step_of(struct journal *j, enum journal_worker worker)
{
	uint64_t due;
	ASSERT(!j->threads && j->is_started);
	switch (worker) {
	case JOURNAL_COMMITTER: return commit_step(j, &due) == COMMIT_DONE;
	case JOURNAL_READER: return reader_step(j);
	default: return housekeep(j);
	}
}

bool journal_step(struct journal *j)
{
	for (unsigned worker = 0; worker < JOURNAL_WORKERS; worker++)
		if (journal_step_of(j, (enum journal_worker)worker))
			return true;
	return false;
}

static void stop_without_threads(struct journal *j)
{
	uint64_t due;
	enum commit_result result;
	commit_hurry(j);
	while ((result = commit_step(j, &due)) != COMMIT_IDLE)
		if (result == COMMIT_WAITING && !housekeep(j))
			commit_give_back(j, ERROR_SYSTEM);
	commit_finish(j);
	while (reader_step(j))
		;
	finish_checkpoints(j);
}

void threads_stop(struct journal *j)
{
	if (j->threads)
		end_all(j);
	else
		stop_without_threads(j);
}
