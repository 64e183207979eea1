/* SPDX-License-Identifier: Apache-2.0 */
/* How much one client, one address or one listener may take (docs/LIMITS.md). */
#include "base/bucket.h"
#include "config/config.h"
#include "config/option_row.h"

static const char *const rate_actions[] = {
	[RATE_HOLD] = "hold",
	[RATE_REFUSE] = "refuse",
	[RATE_DISCONNECT] = "disconnect",
	NULL,
};

#define RATE NUMBER(0, RATE_MAX), .is_ours = true, .group = OPTION_GROUP_LIMITS

static const struct option rows[] = {
	{.name = "message_rate",
	 RATE,
	 .change = OPTION_CHANGES_FOR_NEW,
	 LISTENER(limits.messages_per_s),
	 .value = "count",
	 .default_text = "0",
	 .text = "How many messages a second each client of the listener above may publish; "
		 "requests to subscribe, to unsubscribe and for a sign of life count as well, "
		 "acknowledgements do not. 0: no limit."},
	{.name = "message_burst",
	 RATE,
	 .change = OPTION_CHANGES_FOR_NEW,
	 LISTENER(limits.messages_burst),
	 .value = "count",
	 .default_text = "0",
	 .text = "How many of them may come at once after a pause. 0: as many as message_rate "
		 "lets through in a second."},
	{.name = "byte_rate",
	 RATE,
	 .change = OPTION_CHANGES_FOR_NEW,
	 LISTENER(limits.bytes_per_s),
	 .value = "bytes",
	 .default_text = "0",
	 .text = "How many bytes a second each client of the listener above may send, in packets "
		 "of all kinds. 0: no limit."},
	{.name = "byte_burst",
	 RATE,
	 .change = OPTION_CHANGES_FOR_NEW,
	 LISTENER(limits.bytes_burst),
	 .value = "bytes",
	 .default_text = "0",
	 .text = "How many of them may come at once after a pause. 0: as many as byte_rate lets "
		 "through in a second. A packet that is larger gets through as well, and the next "
		 "ones wait for it."},
	{.name = "rate_action",
	 .type = OPTION_CHOICE,
	 .change = OPTION_CHANGES_FOR_NEW,
	 LISTENER(limits.rate_action),
	 .is_ours = true,
	 .group = OPTION_GROUP_LIMITS,
	 .choices = rate_actions,
	 .value = "hold|refuse|disconnect",
	 .default_text = "hold",
	 .text = "What happens to a client that is faster: it is not read for a while, so that "
		 "its own end waits (hold); or what it publishes is refused, QoS 1 and 2 with "
		 "\"quota exceeded\", where QoS 0 is dropped (refuse; QoS 1 and 2 of versions "
		 "before 5, which have no word for that, are held); or it is disconnected as too "
		 "fast (disconnect)."},
};

const struct option_table options_limit = {rows, ARRAY_COUNT(rows)};
