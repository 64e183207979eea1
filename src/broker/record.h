/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands as bytes, as they stand in the log. Little-endian, kind first; format in record.c and
 * docs/JOURNAL.md. A kind once given is never given another meaning.
 */
#ifndef NIGHTJAR_BROKER_RECORD_H
#define NIGHTJAR_BROKER_RECORD_H

#include "broker/command.h"

/* Exact length of the encoded body. */
size_t record_size(const struct command *c);
/* `room` has at least record_size bytes; returns how many were written: record_size. */
size_t record_encode(const struct command *c, struct room room);
/* A command as it was encoded; its message is a new one whose `position` is that of the record.
 * 0, ERROR_NO_MEMORY, or ERROR_DAMAGED: no record of ours. */
int record_decode(struct span body, uint64_t position, struct command **out) MUST_USE;
/* Only the message of a PUBLISH; ERROR_DAMAGED when it is something else. */
int record_decode_message(struct span body, uint64_t position, struct message **out) MUST_USE;
/* The kind, COMMAND_KIND_COUNT when it is none. */
enum command_kind record_kind(struct span body);
const char *command_kind_name(unsigned kind);

#endif
