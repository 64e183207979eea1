/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A layer that lets all bytes through and knows who is at the other end of a Unix socket: the kernel
 * has seen which user connected (SO_PEERCRED in unix(7)).
 */
#ifndef NIGHTJAR_IO_PEER_LAYER_H
#define NIGHTJAR_IO_PEER_LAYER_H

#include "io/layer.h"

/* As useradd(8) allows, and "uid:4294967295". */
#define PEER_NAME_MAX 33

/* The user who connected. 0, or ERROR_SYSTEM: it is no Unix socket. */
int peer_uid(int fd, uint32_t *uid_out) MUST_USE;
/* What that user is called in `path` (/etc/passwd); "uid:1234" when that has no such name. Not
 * asked is what else the system may know users by, a directory over the network: that could take
 * long. */
void peer_name(const char *path, uint32_t uid, char name_out[PEER_NAME_MAX]);

/* NULL without memory. */
struct layer *peer_layer_new(const char *user_name) MUST_USE;

#endif
