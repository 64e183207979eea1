/* SPDX-License-Identifier: Apache-2.0 */
/* The way of a connection from opened to ready: TCP, CONNECT, and SUBSCRIBE for a subscriber. */
#ifndef NIGHTJAR_CLI_BENCH_HANDSHAKE_H
#define NIGHTJAR_CLI_BENCH_HANDSHAKE_H

#include "cli/bench_run.h"

/* Begins to connect; role and index make the client id. */
int bench_handshake_begin(struct bench_run *run, struct bench_connection *c) MUST_USE;
/* Goes on after an event; c->stage tells how far it has come. A refusal is an error. */
int bench_handshake_step(struct bench_run *run, struct bench_connection *c) MUST_USE;

/* Brings all parties of a role to BENCH_READY. */
int bench_handshake_all(struct bench_run *run, enum bench_role role) MUST_USE;

/* A server's CONNACK: 0, or an error when it is a refusal. */
int bench_handshake_take_connack(struct bench_run *run, struct bench_connection *c,
				 const struct bench_packet *packet) MUST_USE;

/* Sends DISCONNECT; the stage becomes BENCH_LEAVING. */
int bench_handshake_leave(struct bench_run *run, struct bench_connection *c) MUST_USE;

#endif
