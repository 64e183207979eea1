/* SPDX-License-Identifier: Apache-2.0 */
/* A subscriber's own list of its subscriptions, with an index once it is long. */
#ifndef NIGHTJAR_ROUTE_SUBSCRIBER_H
#define NIGHTJAR_ROUTE_SUBSCRIBER_H

#include "route/filter_node.h"

/* Links a subscription, whose node is set, into its subscriber's list. Cannot fail: without memory
 * the index goes and finding is slower. */
void subscriber_add(struct subscription *s);
void subscriber_remove(struct subscription *s);
/* The subscriber's subscription at that filter, or NULL. */
struct subscription *subscriber_find(const struct subscriber *s, const struct filter_node *n);

#endif
