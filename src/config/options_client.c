/* SPDX-License-Identifier: Apache-2.0 */
/* Connections and sessions of clients. */
#include "config/config.h"
#include "config/option_row.h"
#include "mqtt/types.h"

static const struct option rows[] = {
	/* Connections */
	{.name = "connections_max",
	 NUMBER(0, UINT32_MAX),
	 SETTING(connections_max),
	 .is_ours = true,
	 .group = OPTION_GROUP_CONNECTIONS,
	 .change = OPTION_CHANGES_AT_ONCE,
	 .value = "count",
	 .text = "How many clients are served at a time over all listeners; the next is refused "
		 "with a CONNACK that says so. 0: as many as the process may have descriptors."},
	{.name = "connect_timeout",
	 NUMBER(1, 3600),
	 SETTING(connect_timeout_ms),
	 .scale = 1000,
	 .is_ours = true,
	 .group = OPTION_GROUP_CONNECTIONS,
	 .change = OPTION_CHANGES_FOR_NEW,
	 .value = "seconds",
	 .text = "The time that a new connection has to send a whole CONNECT."},
	{.name = "max_keepalive",
	 NUMBER(0, 65535),
	 SETTING(keep_alive_max),
	 .group = OPTION_GROUP_CONNECTIONS,
	 .change = OPTION_CHANGES_FOR_NEW,
	 .value = "seconds",
	 .text = "The longest keep alive. A version 5 client that asks for a longer one, or for "
		 "none, is told to use this. 0: whatever the client asks."},
	{.name = "max_packet_size",
	 NUMBER(20, PACKET_BYTES_MAX),
	 SETTING(packet_bytes_max),
	 .group = OPTION_GROUP_CONNECTIONS,
	 .change = OPTION_CHANGES_FOR_NEW,
	 .value = "bytes",
	 .text = "The largest packet that a client may send, header and all. Version 5 clients "
		 "are told; whoever exceeds it is disconnected."},
	{.name = "input_bytes_per_turn",
	 NUMBER(1024, 16777216),
	 SETTING(input_bytes_per_turn),
	 .is_ours = true,
	 .group = OPTION_GROUP_CONNECTIONS,
	 .change = OPTION_CHANGES_AT_ONCE,
	 .value = "bytes",
	 .text = "How much is read from one connection before the others have their turn."},
	{.name = "set_tcp_nodelay",
	 BOOL,
	 CONFIG(tcp_nodelay),
	 .group = OPTION_GROUP_CONNECTIONS,
	 .change = OPTION_CHANGES_FOR_NEW,
	 .text = "Send small packets at once (TCP_NODELAY), instead of letting the system collect "
		 "them. The broker collects what belongs together itself."},
	{.name = "message_size_limit",
	 .type = OPTION_NUMBER,
	 .status = OPTION_ONLY,
	 .only = "0",
	 .max = REMAINING_LENGTH_MAX,
	 .group = OPTION_GROUP_CONNECTIONS,
	 .value = "0",
	 .text = "there is no limit for payloads alone: use max_packet_size, which counts the "
		 "whole packet"},

	/* Sessions */
	{.name = "allow_zero_length_clientid",
	 BOOL,
	 SETTING(allow_empty_client_id),
	 .group = OPTION_GROUP_SESSIONS,
	 .change = OPTION_CHANGES_FOR_NEW,
	 .text = "May clients connect with an empty client id and be given one?"},
	{.name = "persistent_client_expiration",
	 .type = OPTION_DURATION,
	 SETTING(session_expiry_max),
	 .group = OPTION_GROUP_SESSIONS,
	 .change = OPTION_CHANGES_FOR_NEW,
	 .value = "duration",
	 .default_text = "as long as the client asks",
	 .text = "The longest time that a session outlives its connection: a number and one of h, "
		 "d, w, m (30 days), y (365 days), as in 14d."},
	{.name = "sessions_max",
	 NUMBER(0, BYTES_MAX),
	 SETTING(sessions_max),
	 .is_ours = true,
	 .group = OPTION_GROUP_SESSIONS,
	 .change = OPTION_CHANGES_AT_ONCE,
	 .value = "count",
	 .text = "How many sessions are kept, connected or not. 0: no limit."},
	{.name = "response_information",
	 .type = OPTION_TEXT,
	 CONFIG(response_information),
	 .is_ours = true,
	 .group = OPTION_GROUP_SESSIONS,
	 .change = OPTION_CHANGES_FOR_NEW,
	 .value = "prefix",
	 .default_text = "none is given",
	 .text = "What version 5 clients that ask for it are given as the beginning of their "
		 "response topics."},
};

const struct option_table options_client = {rows, ARRAY_COUNT(rows)};
