/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mount point of a listener: a text that stands in front of all topics of its clients, which do
 * not see it. What they publish, subscribe and leave as a will is mounted where it comes in; behind
 * that there are only mounted topics (routes, rules, log, store). The text is taken off again when a
 * message goes out to such a client.
 *
 *	client's topic a/b  <- - mount point "dev/" - ->  dev/a/b
 */
#ifndef NIGHTJAR_BROKER_MOUNT_H
#define NIGHTJAR_BROKER_MOUNT_H

#include "base/base.h"

struct connection;
struct flaw;
struct mount;

/* One reference; NULL without memory. */
struct mount *mount_new(struct span text);
struct mount *mount_ref(struct mount *m);
/* Any thread. NULL is allowed. */
void mount_unref(struct mount *m);

/* For connections that have one (is_mounted). What they give lies in the shard until the next call.
 * NULL, or why it cannot be. */
const struct flaw *mount_topic(const struct connection *c, struct span *topic) MUST_USE;
/* All filters of a SUBSCRIBE or UNSUBSCRIBE, within $share/name/ too. What is no filter stays as it
 * is, and none. */
const struct flaw *mount_filters(const struct connection *c, bool is_subscribe,
				 struct span *filters) MUST_USE;
/* Has the client a name for that topic? */
bool mount_shows(const struct connection *c, struct span topic);
/* That name; the whole topic when there is none. */
struct span mount_strip(const struct connection *c, struct span topic);

#endif
