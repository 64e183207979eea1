/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every client program here is asked to do, and what it answers: so that the programs differ
 * in the library they use and in nothing else.
 *
 *	PROGRAM MODE HOST PORT QOS COUNT IN_FLIGHT
 *
 * MODE is
 *	wait   publish, wait until it is done, publish the next
 *	flow   IN_FLIGHT are under way: whenever one is done the next is published
 *	echo   as flow, to a topic that the client subscribes to: done when it has come back
 *	hold   COUNT connections, more than one; each publishes once and stays
 *
 * All measure from CONNACK (and SUBACK) to the last message done. The answer is one JSON object:
 * seconds, and CPU time of the process in microseconds, all threads, user and system; for `hold`
 * the bytes of memory that each connection after the first takes.
 */
#ifndef NIGHTJAR_BENCH_LIBRARY_JOB_H
#define NIGHTJAR_BENCH_LIBRARY_JOB_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define PAYLOAD_BYTES 64
/* All ask for the same, so that nobody saves packets. */
#define KEEP_ALIVE_SECONDS 60
/* How long a program may wait for its server before it says so. */
#define PATIENCE_MS 30000

enum mode { MODE_WAIT, MODE_FLOW, MODE_ECHO, MODE_HOLD };

struct job {
	enum mode mode;
	const char *host;
	int port;
	int qos;
	long count;
	long in_flight;
	char topic[32];
	char client_id[24];
	char payload[PAYLOAD_BYTES];

	long begun; /* messages given to the library */
	long done;
	double start_seconds;
	double start_cpu_us;
	long start_bytes;
};

static inline void job_fail(const char *what, const char *why)
{
	fprintf(stderr, "%s: %s\n", what, why);
	exit(1);
}

static inline double job_cpu_us(void)
{
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static inline double job_seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* What this process alone keeps in memory. */
static inline long job_bytes(void)
{
	char line[256];
	long kib, sum = 0;
	FILE *file = fopen("/proc/self/smaps_rollup", "r");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "Private_Dirty: %ld kB", &kib) == 1)
			sum = kib * 1024;
	if (file)
		fclose(file);
	return sum;
}

static inline void job_init(struct job *job, int argc, char **argv)
{
	static const char *const modes[] = {"wait", "flow", "echo", "hold"};
	int mode = 0;
	if (argc != 7)
		job_fail(argv[0], "give MODE HOST PORT QOS COUNT IN_FLIGHT");
	while (mode < 4 && strcmp(argv[1], modes[mode]) != 0)
		mode++;
	if (mode == 4)
		job_fail(argv[1], "is none of wait, flow, echo, hold");
	memset(job, 0, sizeof(*job));
	job->mode = (enum mode)mode;
	job->host = argv[2];
	job->port = atoi(argv[3]);
	job->qos = atoi(argv[4]);
	job->count = atol(argv[5]);
	job->in_flight = atol(argv[6]);
	memset(job->payload, 'x', sizeof(job->payload));
	snprintf(job->topic, sizeof(job->topic), "library/%ld", (long)getpid());
	snprintf(job->client_id, sizeof(job->client_id), "library%ld", (long)getpid());
}

static inline void job_start(struct job *job)
{
	job->start_bytes = job_bytes();
	job->start_seconds = job_seconds();
	job->start_cpu_us = job_cpu_us();
}

/* In `hold`, before each connection: what the library takes once comes with the first. */
static inline void job_hold(struct job *job, long number)
{
	if (number == 1)
		job_start(job);
}

/* May another message be begun? */
static inline bool job_has_more(const struct job *job)
{
	return job->begun < job->count && job->begun - job->done < job->in_flight;
}

static inline bool job_is_complete(const struct job *job)
{
	return job->done >= job->count;
}

static inline void job_report(const struct job *job)
{
	double seconds = job_seconds() - job->start_seconds;
	double cpu_us = job_cpu_us() - job->start_cpu_us;
	double bytes = (double)(job_bytes() - job->start_bytes);
	printf("{\"seconds\": %.6f, \"cpu_us\": %.1f, \"count\": %ld, \"bytes_each\": %.0f}\n",
	       seconds, cpu_us, job->done, job->count > 1 ? bytes / (double)(job->count - 1) : 0);
}

#endif
