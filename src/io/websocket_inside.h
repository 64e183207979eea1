/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by websocket.c (the layer and its frames) and websocket_head.c (how it is opened). */
#ifndef NIGHTJAR_IO_WEBSOCKET_INSIDE_H
#define NIGHTJAR_IO_WEBSOCKET_INSIDE_H

#include "io/websocket.h"

#define FRAME_HEADER_MAX 14
#define CONTROL_BYTES_MAX 125

enum websocket_state {
	WEBSOCKET_HEAD,   /* the head is being read (client: first its own written) */
	WEBSOCKET_ANSWER, /* the answer is being written */
	WEBSOCKET_OPEN,
	WEBSOCKET_OVER,
};

struct websocket {
	struct layer layer;
	/* Of a server, until it is open: a copy of its own, with the origins behind it. */
	struct websocket_settings *settings;
	bool is_client;
	uint8_t state;   /* enum websocket_state */
	bool is_refused; /* ANSWER: and then it is over */
	bool has_said_close, has_heard_close;
	/* The head, and what came behind it; freed when that was read. */
	uint8_t *head;
	uint32_t head_len, head_at;
	/* What the layer itself has to write: an answer, a pong, a close. */
	uint8_t *out;
	uint32_t out_len, out_at;
	/* The frame that is being read. */
	uint8_t header[FRAME_HEADER_MAX];
	uint8_t header_len;
	uint8_t opcode;
	bool is_last; /* FIN */
	bool is_in_message;
	uint8_t mask[4];
	uint64_t left, offset; /* of its payload */
	uint8_t control[CONTROL_BYTES_MAX];
	uint8_t control_len;
	/* The frame that is being written. */
	uint8_t out_header[FRAME_HEADER_MAX];
	uint8_t out_header_len, out_header_at;
	uint8_t out_mask[4];
	uint64_t out_left, out_offset;
	char *forwarded;       /* the client's address, as a proxy has told; NULL: none */
	char *request;         /* of a client */
	char expected_key[32]; /* of a client: the answer's */
};

/* websocket_head.c: 0 when it is open, ERROR_AGAIN, ERROR_CLOSED with the reason. */
int websocket_shake(struct websocket *w);
/* websocket.c: bytes to be written by the layer itself; copied. */
int websocket_say(struct websocket *w, const void *bytes, size_t len) MUST_USE;
/* 0 when all is written, ERROR_AGAIN, ERROR_CLOSED. */
int websocket_flush_out(struct websocket *w);

#endif
