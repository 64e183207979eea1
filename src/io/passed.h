/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets that listen already and were handed to the process when it was started (LISTEN_FDS,
 * sd_listen_fds(3)): whoever wants to listen at an address asks here first. They are the process's,
 * as its environment is, and so is this list.
 */
#ifndef NIGHTJAR_IO_PASSED_H
#define NIGHTJAR_IO_PASSED_H

#include "base/base.h"

struct sockaddr_storage;

/* More would be a mistake of who started us. */
#define PASSED_MAX 64
/* Room for a sentence that says why not. */
#define PASSED_REASON_MAX 256

/* Reads the environment, which forgets it. Once, before anything listens. 0, or ERROR_INVALID with the
 * reason: something else than listening stream sockets was handed over. */
int passed_open(char reason[PASSED_REASON_MAX]) MUST_USE;
/* The socket that listens at this address, now the caller's; -1: there is none. */
int passed_take(const struct sockaddr_storage *address);
int passed_take_path(const char *path);
/* Does one that was taken for IPv6 hear this IPv4 address, too ("::" without IPV6_V6ONLY), or is it
 * there to be taken? Then the address is not free. */
bool passed_hears(const struct sockaddr_storage *address);
/* 0, or ERROR_INVALID with a sentence about one that nobody took. */
int passed_all_taken(char reason[PASSED_REASON_MAX]) MUST_USE;
/* Closes what nobody took. */
void passed_close(void);

#endif
