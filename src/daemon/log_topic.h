/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines of the log on their way to $SYS/broker/log/. Whoever logs holds the log, and often a shard:
 * it cannot publish there and then. Lines wait in a ring until a shard takes them at its next turn;
 * what does not fit is lost, and nothing waits for those who read it.
 */
#ifndef NIGHTJAR_DAEMON_LOG_TOPIC_H
#define NIGHTJAR_DAEMON_LOG_TOPIC_H

#include "base/base.h"

/* A longer line is cut. */
#define LOG_TOPIC_LINE_MAX 1024
/* Lines that wait: a turn's worth of a busy shard. */
#define LOG_TOPIC_LINES_MAX 256

struct log_topic_line {
	const char *topic; /* static */
	uint32_t len;
	char text[LOG_TOPIC_LINE_MAX];
};

struct log_topic {
	struct log_topic_line *lines; /* NULL: none has come yet */
	unsigned first, count;
	void (*wake)(void *context); /* NULL: nobody takes lines yet */
	void *context;
};

/* Zero-initialised is empty. */
void log_topic_release(struct log_topic *t);
void log_topic_add(struct log_topic *t, const char *topic, struct span text);
bool log_topic_take(struct log_topic *t, struct log_topic_line *line_out);

#endif
