/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a run with publishers and subscribers, in the order in which they are called. All
 * return 0, or an error whose sentence stands in run->failure. */
#ifndef NIGHTJAR_CLI_BENCH_MESSAGES_H
#define NIGHTJAR_CLI_BENCH_MESSAGES_H

#include "cli/bench_run.h"

/* Connects all, and has the subscribers subscribe. */
int bench_messages_connect(struct bench_run *run) MUST_USE;
/* From here on messages may be sent. */
void bench_messages_start(struct bench_run *run);
/* Begins the timetables anew, with another rate of each stream unless it is 0. */
void bench_messages_pace(struct bench_run *run, uint64_t rate);
/* Publishes until the time, the count or the server's answers have come to an end. */
int bench_messages_publish_until(struct bench_run *run, uint64_t until_ns) MUST_USE;
/* Waits for what is under way. */
int bench_messages_drain(struct bench_run *run, uint64_t longest_ns) MUST_USE;
/* The end of publishing: nothing more falls due; sends what is due and not sent, and waits for what
 * is under way. */
int bench_messages_finish(struct bench_run *run, uint64_t longest_ns) MUST_USE;
/* All of a role say goodbye; with sessions that survive, the server has seen it then. */
int bench_messages_leave(struct bench_run *run, enum bench_role role) MUST_USE;
/* All say goodbye, and no session stays behind. */
int bench_messages_end(struct bench_run *run) MUST_USE;

#endif
