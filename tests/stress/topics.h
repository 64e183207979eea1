/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The topics of the stress test, and which filter reaches which topic. No topic is reached by two
 * filters, so that each subscriber is to get each message once.
 *
 *     topics 0-199      st/<topic>             filters 0-199     the same
 *     topics 200-299    sw/<group>/<topic>     filters 200-209   sw/<group>/+
 */
#ifndef NIGHTJAR_STRESS_TOPICS_H
#define NIGHTJAR_STRESS_TOPICS_H

#include <stdint.h>
#include <stdio.h>

#define PLAIN_TOPICS 200
#define WILD_TOPICS 100
#define WILD_GROUP_TOPICS 10
#define TOPICS (PLAIN_TOPICS + WILD_TOPICS)
#define FILTERS (PLAIN_TOPICS + WILD_TOPICS / WILD_GROUP_TOPICS)
#define TOPIC_BYTES_MAX 32

static inline unsigned topic_group(unsigned topic)
{
	return (topic - PLAIN_TOPICS) / WILD_GROUP_TOPICS;
}

static inline void topic_write(unsigned topic, char text[TOPIC_BYTES_MAX])
{
	if (topic < PLAIN_TOPICS)
		snprintf(text, TOPIC_BYTES_MAX, "st/%u", topic);
	else
		snprintf(text, TOPIC_BYTES_MAX, "sw/%u/%u", topic_group(topic), topic);
}

static inline void filter_write(unsigned filter, char text[TOPIC_BYTES_MAX])
{
	if (filter < PLAIN_TOPICS)
		snprintf(text, TOPIC_BYTES_MAX, "st/%u", filter);
	else
		snprintf(text, TOPIC_BYTES_MAX, "sw/%u/+", filter - PLAIN_TOPICS);
}

static inline unsigned topic_filter(unsigned topic)
{
	return topic < PLAIN_TOPICS ? topic : PLAIN_TOPICS + topic_group(topic);
}

#endif
