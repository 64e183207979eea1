/* SPDX-License-Identifier: Apache-2.0 */
/* Where the broker listens, and what holds for one listener. */
#include "config/config.h"
#include "config/option_row.h"

static const char *const socket_families[] = {
	[SOCKET_FAMILY_ANY] = "any",
	[SOCKET_FAMILY_IPV4] = "ipv4",
	[SOCKET_FAMILY_IPV6] = "ipv6",
	NULL,
};

static const struct option rows[] = {
	{.name = "listener",
	 .type = OPTION_SPECIAL,
	 .group = OPTION_GROUP_LISTENERS,
	 .value = "port [address]",
	 .default_text = "port 1883 of the loopback",
	 .text = "Listen on this port, on all interfaces or on the address or host name that is "
		 "given. Port 0 lets the system choose one. Each listener has a line of its own; "
		 "options of a listener follow it. Without any, only this machine can connect."},
	{.name = "port",
	 .type = OPTION_SPECIAL,
	 .group = OPTION_GROUP_LISTENERS,
	 .value = "port",
	 .default_text = "1883, when bind_address is given",
	 .text = "The port of the default listener. Better written as a listener line."},
	{.name = "bind_address",
	 .type = OPTION_SPECIAL,
	 .group = OPTION_GROUP_LISTENERS,
	 .value = "address",
	 .default_text = "all interfaces, when port is given",
	 .text = "The address or host name of the default listener. Better written as a listener "
		 "line."},
	{.name = "protocol",
	 .type = OPTION_TEXT,
	 .status = OPTION_ONLY,
	 .only = "mqtt",
	 .group = OPTION_GROUP_LISTENERS,
	 .value = "mqtt",
	 .text = "this version speaks MQTT over TCP and has no WebSockets"},
	{.name = "socket_domain",
	 .type = OPTION_CHOICE,
	 LISTENER(family),
	 .group = OPTION_GROUP_LISTENERS,
	 .choices = socket_families,
	 .value = "any|ipv4|ipv6",
	 .text = "The address family that the listener above is restricted to."},
	{.name = "max_connections",
	 NUMBER(-1, 1000000),
	 LISTENER(connections_max),
	 .group = OPTION_GROUP_LISTENERS,
	 .value = "count",
	 .text = "How many clients the listener serves at a time; -1 or 0: as many as the process "
		 "may have descriptors. With several listeners use connections_max."},
	{.name = "max_qos",
	 NUMBER(0, 2),
	 LISTENER(qos_max),
	 .group = OPTION_GROUP_LISTENERS,
	 .value = "qos",
	 .default_text = "2",
	 .text = "The highest QoS that clients may publish with; version 5 clients are told, and "
		 "whoever exceeds it is disconnected. One value for all listeners."},
	{.name = "maximum_qos",
	 NUMBER(0, 2),
	 LISTENER(qos_max),
	 .group = OPTION_GROUP_LISTENERS,
	 .value = "qos",
	 .default_text = "2",
	 .text = "Another name of max_qos."},
	{.name = "max_topic_alias",
	 NUMBER(0, 65535),
	 LISTENER(topic_alias_max),
	 .group = OPTION_GROUP_LISTENERS,
	 .value = "count",
	 .default_text = "100",
	 .text = "How many topic aliases a version 5 client may set. One value for all "
		 "listeners."},
};

const struct option_table options_listener = {rows, ARRAY_COUNT(rows)};
