/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Retained messages behind a restart: each topic holds the last message that was acknowledged, or
 * a later one that was sent. A topic has one publisher, who sends at one QoS only.
 */
#ifndef NIGHTJAR_CRASH_KEPT_H
#define NIGHTJAR_CRASH_KEPT_H

#include "stress/ledger.h"

/* Asks the broker as a new client; violations go to the ledger. Nobody publishes meanwhile.
 * `streams` names the stream of each kept topic, UINT32_MAX for none. */
void kept_check(struct ledger *l, uint16_t port, const uint32_t streams[KEPT_TOPICS]);

#endif
