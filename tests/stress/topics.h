/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The topics of the stress and crash tests, and which filter reaches which topic. No topic is
 * reached by two filters, so that each subscriber is to get each message once.
 *
 *     topics 0-199      st/<topic>             filters 0-199     the same
 *     topics 200-299    sw/<group>/<topic>     filters 200-209   sw/<group>/+
 *     topics 300-315    kept/<topic>           filter 210        kept/+   (retained)
 *     topics 316-331    will/<topic>           filter 211        will/+   (of wills)
 */
#ifndef NIGHTJAR_STRESS_TOPICS_H
#define NIGHTJAR_STRESS_TOPICS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define PLAIN_TOPICS 200
#define WILD_TOPICS 100
#define WILD_GROUP_TOPICS 10
#define TOPICS (PLAIN_TOPICS + WILD_TOPICS)
#define FILTERS (PLAIN_TOPICS + WILD_TOPICS / WILD_GROUP_TOPICS)
#define KEPT_TOPICS 16
#define WILL_TOPICS 16
#define KEPT_TOPIC TOPICS
#define WILL_TOPIC (KEPT_TOPIC + KEPT_TOPICS)
#define KEPT_FILTER FILTERS
#define WILL_FILTER (KEPT_FILTER + 1)
#define FILTERS_ALL (WILL_FILTER + 1)
#define TOPIC_BYTES_MAX 32

static inline bool topic_is_kept(unsigned topic)
{
	return topic >= KEPT_TOPIC && topic < WILL_TOPIC;
}

static inline unsigned topic_group(unsigned topic)
{
	return (topic - PLAIN_TOPICS) / WILD_GROUP_TOPICS;
}

static inline void topic_write(unsigned topic, char text[TOPIC_BYTES_MAX])
{
	if (topic < PLAIN_TOPICS)
		snprintf(text, TOPIC_BYTES_MAX, "st/%u", topic);
	else if (topic >= KEPT_TOPIC)
		snprintf(text, TOPIC_BYTES_MAX, "%s/%u", topic_is_kept(topic) ? "kept" : "will",
			 topic);
	else
		snprintf(text, TOPIC_BYTES_MAX, "sw/%u/%u", topic_group(topic), topic);
}

static inline void filter_write(unsigned filter, char text[TOPIC_BYTES_MAX])
{
	if (filter < PLAIN_TOPICS)
		snprintf(text, TOPIC_BYTES_MAX, "st/%u", filter);
	else if (filter >= KEPT_FILTER)
		snprintf(text, TOPIC_BYTES_MAX, "%s/+", filter == KEPT_FILTER ? "kept" : "will");
	else
		snprintf(text, TOPIC_BYTES_MAX, "sw/%u/+", filter - PLAIN_TOPICS);
}

static inline unsigned topic_filter(unsigned topic)
{
	if (topic >= KEPT_TOPIC)
		return topic_is_kept(topic) ? KEPT_FILTER : WILL_FILTER;
	return topic < PLAIN_TOPICS ? topic : PLAIN_TOPICS + topic_group(topic);
}

#endif
