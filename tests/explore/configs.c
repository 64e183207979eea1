/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is explored: who sends to whom, by which version's rules, at which QoS (1+2: in turns), how
 * many messages, packet ids and how large a receive maximum. Everywhere connections are cut and
 * ends crash as often as they like; the session is lost as often as `losses` says.
 *
 * A retry repeats answers as well, and one that is late must not be taken for another message's:
 * the standard's 65,535 ids take care of that on a connection that keeps order, two ids do not.
 * So those have more ids than messages.
 */
#include "configs.h"

/* clang-format off */
#define Q1 {1, 1, 1, 1, 1, 1}
#define Q2 {2, 2, 2, 2, 2, 2}
#define Q12 {2, 1, 2, 1, 2, 1}
#define IN .direction = PUBLISHING, .losses = 1
#define OUT .direction = DELIVERING, .losses = 1
#define SIZES(i, m, r) .ids = i, .messages = m, .receive_maximum = r
#define BY_3 .refuses = false
#define BY_5 .refuses = true
#define RETRY .retries = true
#define SHORT .is_short = true

const struct config configs[] = {
	{.name = "in 3.1.1 q1 m3 i2 r1", IN, BY_3, .qos = Q1, SIZES(2, 3, 1), SHORT},
	{.name = "in 3.1.1 q1 m3 i2 r2", IN, BY_3, .qos = Q1, SIZES(2, 3, 2), SHORT},
	{.name = "in 3.1.1 q2 m3 i2 r1", IN, BY_3, .qos = Q2, SIZES(2, 3, 1), SHORT},
	{.name = "in 3.1.1 q2 m3 i2 r2", IN, BY_3, .qos = Q2, SIZES(2, 3, 2), SHORT},
	{.name = "in 3.1.1 q1+2 m3 i2 r1", IN, BY_3, .qos = Q12, SIZES(2, 3, 1), SHORT},
	{.name = "in 3.1.1 q1+2 m3 i2 r2", IN, BY_3, .qos = Q12, SIZES(2, 3, 2), SHORT},
	{.name = "in 5 q1 m3 i2 r1", IN, BY_5, .qos = Q1, SIZES(2, 3, 1)},
	{.name = "in 5 q1 m3 i2 r2", IN, BY_5, .qos = Q1, SIZES(2, 3, 2)},
	{.name = "in 5 q2 m3 i2 r1", IN, BY_5, .qos = Q2, SIZES(2, 3, 1), SHORT},
	{.name = "in 5 q2 m3 i2 r2", IN, BY_5, .qos = Q2, SIZES(2, 3, 2)},
	{.name = "in 5 q1+2 m3 i2 r1", IN, BY_5, .qos = Q12, SIZES(2, 3, 1), SHORT},
	{.name = "in 5 q1+2 m3 i2 r2", IN, BY_5, .qos = Q12, SIZES(2, 3, 2)},
	{.name = "out 3.1.1 q1 m3 i2 r1", OUT, BY_3, .qos = Q1, SIZES(2, 3, 1), SHORT},
	{.name = "out 3.1.1 q1 m3 i2 r2", OUT, BY_3, .qos = Q1, SIZES(2, 3, 2)},
	{.name = "out 3.1.1 q2 m3 i2 r1", OUT, BY_3, .qos = Q2, SIZES(2, 3, 1), SHORT},
	{.name = "out 3.1.1 q2 m3 i2 r2", OUT, BY_3, .qos = Q2, SIZES(2, 3, 2), SHORT},
	{.name = "out 3.1.1 q1+2 m3 i2 r1", OUT, BY_3, .qos = Q12, SIZES(2, 3, 1), SHORT},
	{.name = "out 3.1.1 q1+2 m3 i2 r2", OUT, BY_3, .qos = Q12, SIZES(2, 3, 2), SHORT},
	{.name = "out 5 q1 m3 i2 r1", OUT, BY_5, .qos = Q1, SIZES(2, 3, 1)},
	{.name = "out 5 q1 m3 i2 r2", OUT, BY_5, .qos = Q1, SIZES(2, 3, 2)},
	{.name = "out 5 q2 m3 i2 r1", OUT, BY_5, .qos = Q2, SIZES(2, 3, 1), SHORT},
	{.name = "out 5 q2 m3 i2 r2", OUT, BY_5, .qos = Q2, SIZES(2, 3, 2), SHORT},
	{.name = "out 5 q1+2 m3 i2 r1", OUT, BY_5, .qos = Q12, SIZES(2, 3, 1), SHORT},
	{.name = "out 5 q1+2 m3 i2 r2", OUT, BY_5, .qos = Q12, SIZES(2, 3, 2)},
	{.name = "out 3.1.1 retry q1 m3 i4 r1", OUT, RETRY, .qos = Q1, SIZES(4, 3, 1)},
	{.name = "out 3.1.1 retry q1 m3 i4 r2", OUT, RETRY, .qos = Q1, SIZES(4, 3, 2)},
	{.name = "out 3.1.1 retry q2 m3 i4 r1", OUT, RETRY, .qos = Q2, SIZES(4, 3, 1), SHORT},
	{.name = "out 3.1.1 retry q2 m3 i4 r2", OUT, RETRY, .qos = Q2, SIZES(4, 3, 2), SHORT},
	{.name = "out 3.1.1 retry q1+2 m3 i4 r1", OUT, RETRY, .qos = Q12, SIZES(4, 3, 1), SHORT},
	{.name = "out 3.1.1 retry q1+2 m3 i4 r2", OUT, RETRY, .qos = Q12, SIZES(4, 3, 2), SHORT},
	/* Receive Maximum becomes smaller */
	{.name = "in 3.1.1 q1 m3 i2 r2-1", IN, BY_3, .qos = Q1, SIZES(2, 3, 2), .shrinks = true},
	{.name = "in 5 q2 m3 i2 r2-1", IN, BY_5, .qos = Q2, SIZES(2, 3, 2), .shrinks = true},
	{.name = "in 5 q1+2 m3 i2 r2-1", IN, BY_5, .qos = Q12, SIZES(2, 3, 2), .shrinks = true},
	{.name = "out 3.1.1 q1 m3 i2 r2-1", OUT, BY_3, .qos = Q1, SIZES(2, 3, 2), .shrinks = true},
	{.name = "out 5 q2 m3 i2 r2-1", OUT, BY_5, .qos = Q2, SIZES(2, 3, 2), .shrinks = true, SHORT},
	{.name = "out 5 q1+2 m3 i2 r2-1", OUT, BY_5, .qos = Q12, SIZES(2, 3, 2), .shrinks = true},
	/* larger ones */
	{.name = "in 3.1.1 q2 m5 i2 r2", IN, BY_3, .qos = Q2, SIZES(2, 5, 2)},
	{.name = "in 5 q2 m5 i2 r2", IN, BY_5, .qos = Q2, SIZES(2, 5, 2)},
	{.name = "out 3.1.1 q2 m5 i2 r2", OUT, BY_3, .qos = Q2, SIZES(2, 5, 2)},
	{.name = "out 5 q2 m5 i2 r2", OUT, BY_5, .qos = Q2, SIZES(2, 5, 2)},
	{.name = "in 3.1.1 q2 m4 i3 r3", IN, BY_3, .qos = Q2, SIZES(3, 4, 3)},
	{.name = "in 5 q2 m3 i3 r3", IN, BY_5, .qos = Q2, SIZES(3, 3, 3)},
	{.name = "out 3.1.1 q2 m4 i3 r3", OUT, BY_3, .qos = Q2, SIZES(3, 4, 3), SHORT},
	{.name = "out 5 q2 m3 i3 r3", OUT, BY_5, .qos = Q2, SIZES(3, 3, 3)},
	{.name = "in 3.1.1 q1+2 m4 i3 r3", IN, BY_3, .qos = Q12, SIZES(3, 4, 3)},
	{.name = "out 3.1.1 q1+2 m4 i3 r3", OUT, BY_3, .qos = Q12, SIZES(3, 4, 3)},
	{.name = "out 3.1.1 retry q2 m3 i4 r3", OUT, RETRY, .qos = Q2, SIZES(4, 3, 3)},
	{.name = "out 3.1.1 retry q2 m4 i4 r2", OUT, RETRY, .qos = Q2, SIZES(4, 4, 2)},
};
/* clang-format on */
const size_t config_count = ARRAY_COUNT(configs);
