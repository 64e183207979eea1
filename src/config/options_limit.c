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

	/* Connections */
	{.name = "connect_rate",
	 RATE,
	 .change = OPTION_CHANGES_AT_ONCE,
	 LISTENER(limits.connects_per_s),
	 .value = "count",
	 .default_text = "0",
	 .text = "How many connections a second the listener above accepts; the rest waits in the "
		 "system's queue, in its order. 0: no limit."},
	{.name = "connect_burst",
	 RATE,
	 .change = OPTION_CHANGES_AT_ONCE,
	 LISTENER(limits.connects_burst),
	 .value = "count",
	 .default_text = "0",
	 .text = "How many of them may come at once after a pause. 0: as many as connect_rate "
		 "lets in within a second."},
	{.name = "total_connect_rate",
	 RATE,
	 .change = OPTION_CHANGES_AT_ONCE,
	 SETTING(limits.connects_per_s),
	 .value = "count",
	 .text = "The same over all listeners."},
	{.name = "total_connect_burst",
	 RATE,
	 .change = OPTION_CHANGES_AT_ONCE,
	 SETTING(limits.connects_burst),
	 .value = "count",
	 .text = "How many of them may come at once after a pause. 0: as many as "
		 "total_connect_rate lets in within a second."},
	{.name = "max_connections_per_address",
	 RATE,
	 .change = OPTION_CHANGES_FOR_NEW,
	 LISTENER(limits.connections_per_address),
	 .value = "count",
	 .default_text = "0",
	 .text = "How many connections one address may have when it comes by the listener above; "
		 "the next one is closed. An IPv6 address stands for its network "
		 "(limit_ipv6_prefix); behind a proxy it is the address that the proxy tells. 0: "
		 "no limit."},

	/* Bans */
	{.name = "ban_failed_logins",
	 RATE,
	 .change = OPTION_CHANGES_AT_ONCE,
	 SETTING(limits.ban.failed_logins_max),
	 .value = "count",
	 .text = "After so many failed logins within ban_window an address is banned for "
		 "ban_time: its connections are closed before anything is spent on them. 0: "
		 "never."},
	{.name = "ban_errors",
	 RATE,
	 .change = OPTION_CHANGES_AT_ONCE,
	 SETTING(limits.ban.errors_max),
	 .value = "count",
	 .text = "The same after so many connections that ended by a mistake in the protocol, in a "
		 "handshake before it (TLS, WebSocket, a proxy's header), or by saying nothing at "
		 "all until connect_timeout. 0: never."},
	{.name = "ban_connects",
	 RATE,
	 .change = OPTION_CHANGES_AT_ONCE,
	 SETTING(limits.ban.connects_max),
	 .value = "count",
	 .text = "The same after so many CONNECTs that were accepted: clients that come and go all "
		 "the time. 0: never."},
	{.name = "ban_window",
	 NUMBER(1, 86400),
	 .is_ours = true,
	 .change = OPTION_CHANGES_AT_ONCE,
	 SETTING(limits.ban.window_s),
	 .group = OPTION_GROUP_LIMITS,
	 .value = "seconds",
	 .text = "The time within which they are counted, from the first one on."},
	{.name = "ban_time",
	 NUMBER(1, 31536000),
	 .is_ours = true,
	 .change = OPTION_CHANGES_AT_ONCE,
	 SETTING(limits.ban.ban_s),
	 .group = OPTION_GROUP_LIMITS,
	 .value = "seconds",
	 .text = "How long a ban lasts. Bans are forgotten when the broker ends."},
	{.name = "ban_addresses",
	 BOOL,
	 .is_ours = true,
	 .change = OPTION_CHANGES_AT_ONCE,
	 SETTING(limits.ban.of_addresses),
	 .group = OPTION_GROUP_LIMITS,
	 .text = "Are addresses banned? Clients of Unix sockets have none. Behind a proxy that is "
		 "known as such (proxy_protocol, websockets_forwarded) it is the address that the "
		 "proxy tells, and never its own."},
	{.name = "ban_users",
	 BOOL,
	 .is_ours = true,
	 .change = OPTION_CHANGES_AT_ONCE,
	 SETTING(limits.ban.of_users),
	 .group = OPTION_GROUP_LIMITS,
	 .text = "Are user names banned, too, after failed logins from wherever? Then somebody who "
		 "knows a user's name can keep him out."},
	{.name = "ban_client_ids",
	 BOOL,
	 .is_ours = true,
	 .change = OPTION_CHANGES_AT_ONCE,
	 SETTING(limits.ban.of_client_ids),
	 .group = OPTION_GROUP_LIMITS,
	 .text = "Are client ids banned, too, after failed logins and for coming and going? Of two "
		 "clients with one id, which take over from each other without end, both are kept "
		 "out then."},
	{.name = "limit_exempt",
	 .type = OPTION_TEXT,
	 .is_ours = true,
	 .change = OPTION_CHANGES_AT_ONCE,
	 CONFIG(limit_exempt),
	 .group = OPTION_GROUP_LIMITS,
	 .value = "network,...",
	 .default_text = "none",
	 .text = "Addresses and networks, as 192.0.2.0/24 and 2001:db8::/32, whose clients are "
		 "never banned, are not counted for their address and may send as fast as they "
		 "like. Several with commas."},
	{.name = "limit_ipv6_prefix",
	 NUMBER(1, 128),
	 .is_ours = true,
	 .change = OPTION_CHANGES_AT_RESTART,
	 CONFIG(limit_ipv6_prefix),
	 .group = OPTION_GROUP_LIMITS,
	 .value = "bits",
	 .text = "So many bits of an IPv6 address stand for one client, where addresses are "
		 "counted and banned."},

	/* Too much of it all */
	{.name = "memory_ceiling",
	 NUMBER(0, BYTES_MAX),
	 .is_ours = true,
	 .change = OPTION_CHANGES_AT_RESTART,
	 CONFIG(memory_ceiling),
	 .group = OPTION_GROUP_LIMITS,
	 .value = "bytes",
	 .text = "How much memory the process may hold: messages, connections, sessions, TLS, all. "
		 "At 80 per cent of it new connections are refused as \"server busy\", at 90 "
		 "QoS 0 is dropped, at 100 QoS 1 and 2 are refused, or wait where a client of a "
		 "version before 5 cannot be told; each ends five per cent below. 0: no limit."},
	{.name = "shed_connections_after",
	 NUMBER(0, 3600000),
	 .is_ours = true,
	 .change = OPTION_CHANGES_AT_ONCE,
	 SETTING(limits.shed_connections_ms),
	 .group = OPTION_GROUP_LIMITS,
	 .value = "milliseconds",
	 .text = "When clients wait so long for their turn, on average over two seconds, new "
		 "connections are not accepted until it is half of that; who asks to come in "
		 "meanwhile is told \"server busy\". 0: never."},
	{.name = "shed_qos0_after",
	 NUMBER(0, 3600000),
	 .is_ours = true,
	 .change = OPTION_CHANGES_AT_ONCE,
	 SETTING(limits.shed_qos0_ms),
	 .group = OPTION_GROUP_LIMITS,
	 .value = "milliseconds",
	 .text = "When clients wait so long, QoS 0 messages are dropped as well. 0: never."},
};

const struct option_table options_limit = {rows, ARRAY_COUNT(rows)};
