/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets that said their last word and wait for the peer to have heard it.
 *
 * A plain close() of a socket with unread input, or one that gets more input afterwards, makes
 * the kernel send a reset, and a reset overtakes what was written just before: the CONNACK or
 * DISCONNECT that explains everything is lost. So such a socket sends its end of stream, throws
 * away what still comes in, and is closed when the peer has closed too. How many do so, how long
 * and how much they may still send is limited.
 */
#ifndef NIGHTJAR_IO_LINGER_H
#define NIGHTJAR_IO_LINGER_H

#include "base/list.h"

/* Several round trips of a bad mobile link. */
#define LINGER_MS 5000
/* Descriptors of one loop that may be held in this state; the oldest makes room. */
#define LINGER_COUNT_MAX 256
/* More than the kernel's largest default receive buffer (6 MiB): what was on its way already. */
#define LINGER_BYTES_MAX ((size_t)8 << 20)

struct lingerer {
	struct link link;
	uint64_t deadline_ms;
	size_t bytes_left;
	int fd;
};

/* Oldest first. All have the same patience, so that is also the order of their deadlines. */
struct linger_list {
	struct link lingerers;
	unsigned count;
};

void linger_list_init(struct linger_list *list);
/* Closes them all. */
void linger_list_release(struct linger_list *list);

/* Would a plain close() endanger what was written? Not when the peer's system has acknowledged all
 * of it, nor when the peer has closed: nothing can come in any more. Throws input away. */
bool linger_is_needed(int fd);
/* Takes over the descriptor; NULL (and it is closed) when there is no memory. */
struct lingerer *linger_add(struct linger_list *list, int fd, uint64_t now_ms);
/* There is input, or the end of it. The lingerer may be gone afterwards. */
void linger_ready(struct linger_list *list, struct lingerer *lingerer);
/* Gives up those whose time is over, with a reset: the kernel shall not keep trying either. */
void linger_expire(struct linger_list *list, uint64_t now_ms);
/* When linger_expire has something to do, UINT64_MAX for never. */
uint64_t linger_deadline_ms(const struct linger_list *list);

#endif
