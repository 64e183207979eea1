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

static const char *const protocols[] = {
	[CONFIG_PROTOCOL_MQTT] = "mqtt",
	[CONFIG_PROTOCOL_WEBSOCKETS] = "websockets",
	NULL,
};

static const struct option rows[] = {
	{.name = "listener",
	 .type = OPTION_SPECIAL,
	 .group = OPTION_GROUP_LISTENERS,
	 .value = "port [address|/path]",
	 .default_text = "port 1883 of the loopback",
	 .text = "Listen on this port, on all interfaces or on the address or host name that is "
		 "given. Port 0 lets the system choose one, or, with a path, stands for a Unix "
		 "socket. Each listener has a line of its own; options of a listener follow it. "
		 "Without any, only this machine can connect."},
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
	 .type = OPTION_CHOICE,
	 LISTENER(protocol),
	 .group = OPTION_GROUP_LISTENERS,
	 .choices = protocols,
	 .value = "mqtt|websockets",
	 .text = "What is spoken on the listener above: MQTT, or MQTT over WebSocket, for programs "
		 "in browsers. With certfile both go through TLS."},
	{.name = "websockets_origin",
	 .type = OPTION_TEXT,
	 LISTENER(origins),
	 .group = OPTION_GROUP_LISTENERS,
	 .value = "origin,...",
	 .default_text = "any",
	 .text = "From where pages may come that open a WebSocket, as https://example.org, several "
		 "with commas. Pages from elsewhere are answered with 403."},
	{.name = "websockets_headers_size",
	 NUMBER(512, 65536),
	 LISTENER(head_bytes),
	 .group = OPTION_GROUP_LISTENERS,
	 .value = "bytes",
	 .default_text = "8192",
	 .text = "How large the head of a request for a WebSocket may be; a larger one is answered "
		 "with 431."},
	{.name = "websockets_forwarded",
	 BOOL,
	 LISTENER(trusts_forwarded),
	 .is_ours = true,
	 .group = OPTION_GROUP_LISTENERS,
	 .text = "Does a proxy stand in front whose word about a client's address is good? It is "
		 "the last one of X-Forwarded-For, or X-Real-IP."},
	{.name = "proxy_protocol",
	 BOOL,
	 LISTENER(has_proxy),
	 .is_ours = true,
	 .group = OPTION_GROUP_LISTENERS,
	 .text = "Does each connection begin with a header of the PROXY protocol, version 1 or 2, "
		 "that says which client it is for? Only for listeners that nobody but the proxy "
		 "reaches. With use_identity_as_username the certificate's name that the proxy has "
		 "verified is the user name."},
	{.name = "socket_domain",
	 .type = OPTION_CHOICE,
	 LISTENER(family),
	 .group = OPTION_GROUP_LISTENERS,
	 .choices = socket_families,
	 .value = "any|ipv4|ipv6",
	 .text = "The address family that the listener above is restricted to."},
	{.name = "bind_interface",
	 .type = OPTION_TEXT,
	 LISTENER(interface),
	 .group = OPTION_GROUP_LISTENERS,
	 .value = "interface",
	 .default_text = "any interface",
	 .text = "Listen on the addresses that this network interface has at start, as eth0, "
		 "instead of those of the line above."},
	{.name = "socket_mode",
	 .type = OPTION_SPECIAL,
	 LISTENER(socket_mode),
	 .is_ours = true,
	 .group = OPTION_GROUP_LISTENERS,
	 .value = "mode",
	 .default_text = "0666: every user of this machine",
	 .text = "Who may connect to the Unix socket above: those who may write to it, as chmod(1) "
		 "has it in digits, for example 0660 for its owner and its group."},
	{.name = "socket_owner",
	 .type = OPTION_TEXT,
	 LISTENER(socket_owner),
	 .is_ours = true,
	 .group = OPTION_GROUP_LISTENERS,
	 .value = "user",
	 .default_text = "the user that starts the broker",
	 .text = "Whom the Unix socket above belongs to."},
	{.name = "socket_group",
	 .type = OPTION_TEXT,
	 LISTENER(socket_group),
	 .is_ours = true,
	 .group = OPTION_GROUP_LISTENERS,
	 .value = "group",
	 .default_text = "the group of that user",
	 .text = "The group that the Unix socket above belongs to."},
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
