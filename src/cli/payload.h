/* SPDX-License-Identifier: Apache-2.0 */
/* What pub and rr publish as one message: -m, -n, -f or -s. */
#ifndef NIGHTJAR_CLI_PAYLOAD_H
#define NIGHTJAR_CLI_PAYLOAD_H

#include "base/buffer.h"
#include "cli/options.h"

struct payload {
	struct buffer content; /* -f, -s */
	struct span bytes;
};

/* False, after saying why, when there is nothing to publish. Release in every case. */
bool payload_load(struct payload *p, const struct options *o);
void payload_release(struct payload *p);

#endif
