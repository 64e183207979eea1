/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One of the generator's sockets: never blocks, sends from the caller's batch and keeps only what
 * the kernel did not take, receives into one large room that all connections share.
 */
#ifndef NIGHTJAR_CLI_BENCH_CONNECTION_H
#define NIGHTJAR_CLI_BENCH_CONNECTION_H

#include <sys/socket.h>

#include "base/buffer.h"
#include "cli/bench_carrier.h"
#include "cli/bench_packet.h"

enum bench_role { BENCH_PUBLISHER, BENCH_SUBSCRIBER, BENCH_CLIENT };

enum bench_stage {
	BENCH_CLOSED,
	BENCH_CONNECTING, /* the socket is not connected yet */
	BENCH_SECURING,   /* what lies between it and MQTT is not open yet */
	BENCH_WAITS_FOR_CONNACK,
	BENCH_WAITS_FOR_SUBACK,
	BENCH_READY,
	BENCH_LEAVING, /* DISCONNECT was sent */
};

struct bench_connection {
	int fd;
	uint32_t index;           /* among those of its role */
	uint8_t role;             /* enum bench_role */
	uint8_t stage;            /* enum bench_stage */
	bool is_blocked;          /* `out` waits for EPOLLOUT */
	uint16_t receive_maximum; /* of the server; 65,535 if it did not say */
	uint32_t skip;            /* see struct bench_scanner */
	struct buffer out;        /* sent by the caller, not taken by the kernel yet */
	struct buffer kept;       /* the beginning of a packet, for the next read */
	uint64_t opened_ns;
	struct bench_carrier *carrier; /* NULL: the socket alone */
};

struct bench_address {
	struct sockaddr_storage address;
	socklen_t len;
};

/* Where bytes arrive; room for what was kept of a packet stands before it. */
struct bench_inbox {
	uint8_t *ptr;
	size_t len; /* BENCH_PACKET_HEAD_MAX is part of it */
};

/* Starts to connect and registers with `epoll_fd`; role and index are set by the caller. 0 or
 * ERROR_SYSTEM. */
int bench_connection_open(struct bench_connection *c, const struct bench_address *address,
			  int epoll_fd) MUST_USE;
/* After EPOLLOUT: 0 when connected, else ERROR_SYSTEM with errno. */
int bench_connection_finish(struct bench_connection *c, int epoll_fd) MUST_USE;
/* The carrier's next step, when there is one: 0 when it is open, ERROR_AGAIN, ERROR_CLOSED,
 * ERROR_NO_MEMORY or ERROR_SYSTEM. */
int bench_connection_secure(struct bench_connection *c, const struct bench_carriage *shared,
			    int epoll_fd) MUST_USE;
void bench_connection_close(struct bench_connection *c);

/* Sends, or keeps what the kernel does not take. 0, ERROR_CLOSED, ERROR_SYSTEM, ERROR_NO_MEMORY or
 * ERROR_LIMIT. */
int bench_connection_send(struct bench_connection *c, struct span bytes, int epoll_fd) MUST_USE;
/* After EPOLLOUT: sends what was kept. */
int bench_connection_flush(struct bench_connection *c, int epoll_fd) MUST_USE;

/* Reads once. `scanner_out` walks what came, behind what was kept. 0, ERROR_AGAIN, ERROR_CLOSED or
 * ERROR_SYSTEM. */
int bench_connection_receive(struct bench_connection *c, const struct bench_inbox *inbox,
			     struct bench_scanner *scanner_out) MUST_USE;
/* Keeps what the scanner left, for the next read. 0 or ERROR_NO_MEMORY. */
int bench_connection_keep(struct bench_connection *c, const struct bench_scanner *scanner) MUST_USE;

#endif
