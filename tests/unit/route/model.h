/* SPDX-License-Identifier: Apache-2.0 */
/* What routes.h promises, said in the plainest way: lists that are searched from end to end, with
 * mqtt/topic.h as the judge. */
#ifndef NIGHTJAR_TESTS_ROUTE_MODEL_H
#define NIGHTJAR_TESTS_ROUTE_MODEL_H

#include "random.h"

#include "mqtt/topic.h"
#include "route/routes.h"
#include "route/share.h"

#define MODEL_SUBSCRIBERS 12
#define MODEL_SUBSCRIPTIONS 400
#define MODEL_REMOTES 60
#define MODEL_SHARES 20
#define MODEL_SHARDS 5

struct model_subscription {
	int subscriber; /* -1: free */
	char filter[RANDOM_TEXT_LEN];
	struct subscription options;
};

struct model_remote {
	bool is_used;
	unsigned shard;
	char filter[RANDOM_TEXT_LEN];
	bool surviving;
};

struct model_share {
	struct share *share; /* NULL: free */
	char filter[RANDOM_TEXT_LEN];
};

struct model {
	struct model_subscription subscriptions[MODEL_SUBSCRIPTIONS];
	struct model_remote remotes[MODEL_REMOTES];
	struct model_share shares[MODEL_SHARES];
};

static inline void model_init(struct model *m)
{
	memset(m, 0, sizeof(*m));
	for (int i = 0; i < MODEL_SUBSCRIPTIONS; i++)
		m->subscriptions[i].subscriber = -1;
}

static inline struct model_subscription *model_find(struct model *m, int subscriber,
						    const char *filter)
{
	for (int i = 0; i < MODEL_SUBSCRIPTIONS; i++)
		if (m->subscriptions[i].subscriber == subscriber &&
		    strcmp(m->subscriptions[i].filter, filter) == 0)
			return &m->subscriptions[i];
	return NULL;
}

/* Adds or replaces; there must be room. */
static inline void model_subscribe(struct model *m, int subscriber, const char *filter,
				   const struct subscription *options)
{
	struct model_subscription *s = model_find(m, subscriber, filter);
	for (int i = 0; !s; i++)
		if (m->subscriptions[i].subscriber < 0)
			s = &m->subscriptions[i];
	s->subscriber = subscriber;
	strcpy(s->filter, filter);
	s->options = *options;
}

static inline void model_set_remote(struct model *m, const char *filter, unsigned shard,
				    struct interest interest)
{
	struct model_remote *found = NULL, *unused = NULL;
	for (int i = 0; i < MODEL_REMOTES; i++) {
		struct model_remote *r = &m->remotes[i];
		if (!r->is_used)
			unused = r;
		else if (r->shard == shard && strcmp(r->filter, filter) == 0)
			found = r;
	}
	if (!found && !interest.any)
		return;
	struct model_remote *r = found ? found : unused;
	r->is_used = interest.any;
	r->shard = shard;
	r->surviving = interest.any && interest.surviving;
	strcpy(r->filter, filter);
}

static inline int model_remote_count(const struct model *m)
{
	int count = 0;
	for (int i = 0; i < MODEL_REMOTES; i++)
		count += m->remotes[i].is_used;
	return count;
}

static inline bool model_share_survives(const struct share *s)
{
	for (uint32_t i = 0; i < s->member_count; i++)
		if (s->members[i].survives)
			return true;
	return false;
}

static inline bool model_text_matches(const char *filter, struct span topic)
{
	return topic_matches(span_of_text(filter), topic);
}

#endif
