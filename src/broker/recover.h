/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a log back to state: the newest image, then every command behind it through the same apply
 * that served the first time. Before any thread runs; no connection, no answer, no clock.
 *
 *     broker_new -> recover_begin -> recover_image? -> recover_record* -> recover_end -> turns
 */
#ifndef NIGHTJAR_BROKER_RECOVER_H
#define NIGHTJAR_BROKER_RECOVER_H

#include "base/buffer.h"
#include "broker/broker.h"

struct journal_damage;

struct recovery_source {
	void *context;
	/* The body of a record that an image refers to; valid until the next call. 0,
	 * ERROR_DAMAGED or ERROR_SYSTEM. */
	int (*read)(void *context, uint64_t position, struct span *body_out);
};

/* What was found, for the operator. Zero-initialised is empty. */
struct recovery_report {
	uint64_t sessions, subscriptions, queued_messages, retained_messages, records;
	uint64_t lost; /* things that are gone: records, queue entries, retained messages */
	/* A line for each loss, ended by '\n': client, topic, count, as far as they are known. */
	struct buffer lines;
};

int recover_begin(struct broker *b, const struct recovery_source *source) MUST_USE;
int recover_image(struct broker *b, uint64_t position, struct span image) MUST_USE;
int recover_record(struct broker *b, uint64_t position, struct span body) MUST_USE;
int recover_damage(struct broker *b, const struct journal_damage *damage) MUST_USE;
/* Sessions whose connection the log has last seen open are away from now on: their wills are due,
 * their expiry counts. */
int recover_end(struct broker *b, struct moment now, struct recovery_report *report) MUST_USE;

/* All of it from a journal that was opened and not started. 0 or an error, with the reason. */
#define RECOVER_REASON_MAX 512
struct journal;
int recover_journal(struct broker *b, struct journal *j, struct moment now,
		    struct recovery_report *report, char reason[RECOVER_REASON_MAX]) MUST_USE;
/* The same without recover_end: the state as the log has it, to be looked at. */
int recover_journal_unended(struct broker *b, struct journal *j,
			    char reason[RECOVER_REASON_MAX]) MUST_USE;

#endif
