/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --manual-ack exec of sub: a command for each message, one after the other. The payload is its
 * standard input; the rest stands in its environment:
 *
 *	MQTT_TOPIC MQTT_QOS MQTT_RETAIN MQTT_DUP MQTT_PAYLOAD_LENGTH
 *	MQTT_CONTENT_TYPE MQTT_RESPONSE_TOPIC     where the message has them
 *
 * A message is acknowledged when the command has ended with status 0; else it is given to a new
 * one after a while, which grows from a second to a minute.
 */
#ifndef NIGHTJAR_CLI_JOB_H
#define NIGHTJAR_CLI_JOB_H

#include "base/base.h"
#include "nightjar/client.h"

struct jobs {
	const char *command;
	nj_message **waiting; /* kept; in order */
	size_t count, capacity;
	int fd; /* readable when the command that runs has ended; -1: none runs */
	int pid;
	unsigned failures; /* of the first message */
	uint64_t retry_at_ms;
};

void jobs_init(struct jobs *j, const char *command);
/* Drops what waits; a command that runs is waited for. */
void jobs_release(struct jobs *j);
/* Keeps the message. 0 or ERROR_NO_MEMORY. */
int jobs_add(struct jobs *j, nj_message *message) MUST_USE;

enum job_result {
	JOB_NONE,   /* nothing has ended */
	JOB_DONE,   /* a command succeeded; its message is acknowledged */
	JOB_FAILED, /* it will be tried again; said so on stderr */
	JOB_BROKEN, /* no command can be run; errno */
};
/* Looks after the command that runs, and starts the next one when it is due. */
enum job_result jobs_turn(struct jobs *j, uint64_t now_ms);
/* The command that runs has ended, or soon will: waits for it, and starts no other. */
void jobs_finish(struct jobs *j);
bool jobs_is_running(const struct jobs *j);
/* When to call jobs_turn though no command has ended; UINT64_MAX: never. */
uint64_t jobs_deadline(const struct jobs *j);

#endif
