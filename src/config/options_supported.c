/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options that are obeyed: names and meanings of mosquitto 2.0 where it has them, with the
 * bounds within which the broker is tested. Defaults stand in config_init and settings_init.
 */
#include "broker/broker.h"
#include "config/config.h"
#include "config/option.h"
#include "mqtt/types.h"

#define MEMBER(where, structure, member)                                                           \
	.target = (where), .offset = offsetof(structure, member),                                  \
	.size = sizeof(((structure *)0)->member)
#define SETTING(member) MEMBER(OPTION_TO_SETTINGS, struct settings, member)
#define CONFIG(member) MEMBER(OPTION_TO_CONFIG, struct config, member)
#define LISTENER(member) MEMBER(OPTION_TO_LISTENER, struct config_listener, member)
#define NUMBER(smallest, largest) .type = OPTION_NUMBER, .min = (smallest), .max = (largest)
#define BOOL .type = OPTION_BOOL, .value = "true|false"
#define STORE(member) CONFIG(store.member)
#define AUTOSAVE "Accepted, with a notice: what is acknowledged is stored already, see durability."
#define BYTES_MAX INT64_C(0x7fffffffffffffff)

static const char *const socket_families[] = {
	[SOCKET_FAMILY_ANY] = "any",
	[SOCKET_FAMILY_IPV4] = "ipv4",
	[SOCKET_FAMILY_IPV6] = "ipv6",
	NULL,
};
static const char *const queue_full_policies[] = {
	[QUEUE_FULL_REFUSE] = "refuse",
	[QUEUE_FULL_DROP_NEWEST] = "drop-newest",
	[QUEUE_FULL_DROP_OLDEST] = "drop-oldest",
	NULL,
};

static const char *const storage_profiles[] = {
	[STORAGE_AUTO] = "auto",
	[STORAGE_SERVER] = "server",
	[STORAGE_FLASH] = "flash",
	NULL,
};
static const char *const damage_policies[] = {"report", "refuse", NULL};
static const char *const failure_policies[] = {"exit", "stay", NULL};

const struct option options_supported[] = {
	/* Listeners */
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

	/* Connections */
	{.name = "connections_max",
	 NUMBER(0, UINT32_MAX),
	 SETTING(connections_max),
	 .is_ours = true,
	 .group = OPTION_GROUP_CONNECTIONS,
	 .value = "count",
	 .text = "How many clients are served at a time over all listeners; the next is refused "
		 "with a CONNACK that says so. 0: as many as the process may have descriptors."},
	{.name = "connect_timeout",
	 NUMBER(1, 3600),
	 SETTING(connect_timeout_ms),
	 .scale = 1000,
	 .is_ours = true,
	 .group = OPTION_GROUP_CONNECTIONS,
	 .value = "seconds",
	 .text = "The time that a new connection has to send a whole CONNECT."},
	{.name = "max_keepalive",
	 NUMBER(0, 65535),
	 SETTING(keep_alive_max),
	 .group = OPTION_GROUP_CONNECTIONS,
	 .value = "seconds",
	 .text = "The longest keep alive. A version 5 client that asks for a longer one, or for "
		 "none, is told to use this. 0: whatever the client asks."},
	{.name = "max_packet_size",
	 NUMBER(20, PACKET_BYTES_MAX),
	 SETTING(packet_bytes_max),
	 .group = OPTION_GROUP_CONNECTIONS,
	 .value = "bytes",
	 .text = "The largest packet that a client may send, header and all. Version 5 clients "
		 "are told; whoever exceeds it is disconnected."},
	{.name = "input_bytes_per_turn",
	 NUMBER(1024, 16777216),
	 SETTING(input_bytes_per_turn),
	 .is_ours = true,
	 .group = OPTION_GROUP_CONNECTIONS,
	 .value = "bytes",
	 .text = "How much is read from one connection before the others have their turn."},
	{.name = "set_tcp_nodelay",
	 BOOL,
	 CONFIG(tcp_nodelay),
	 .group = OPTION_GROUP_CONNECTIONS,
	 .text = "Send small packets at once (TCP_NODELAY), instead of letting the system collect "
		 "them. The broker collects what belongs together itself."},

	/* Sessions */
	{.name = "allow_anonymous",
	 BOOL,
	 SETTING(allow_anonymous),
	 .group = OPTION_GROUP_SESSIONS,
	 .default_text = "true without a listener in the file, else false",
	 .text = "May clients connect that nobody can recognise? This version has no password "
		 "files, so without this leave every client is refused as not authorized."},
	{.name = "allow_zero_length_clientid",
	 BOOL,
	 SETTING(allow_empty_client_id),
	 .group = OPTION_GROUP_SESSIONS,
	 .text = "May clients connect with an empty client id and be given one?"},
	{.name = "persistent_client_expiration",
	 .type = OPTION_DURATION,
	 SETTING(session_expiry_max),
	 .group = OPTION_GROUP_SESSIONS,
	 .value = "duration",
	 .default_text = "as long as the client asks",
	 .text = "The longest time that a session outlives its connection: a number and one of h, "
		 "d, w, m (30 days), y (365 days), as in 14d."},
	{.name = "sessions_max",
	 NUMBER(0, BYTES_MAX),
	 SETTING(sessions_max),
	 .is_ours = true,
	 .group = OPTION_GROUP_SESSIONS,
	 .value = "count",
	 .text = "How many sessions are kept, connected or not. 0: no limit."},
	{.name = "response_information",
	 .type = OPTION_TEXT,
	 CONFIG(response_information),
	 .is_ours = true,
	 .group = OPTION_GROUP_SESSIONS,
	 .value = "prefix",
	 .default_text = "none is given",
	 .text = "What version 5 clients that ask for it are given as the beginning of their "
		 "response topics."},

	/* Store */
	{.name = "persistence",
	 BOOL,
	 STORE(is_wanted),
	 .group = OPTION_GROUP_STORE,
	 .text = "Do sessions, their subscriptions and messages, and retained messages outlive the "
		 "broker, a crash and a power cut? When not, everything is in memory only and no "
		 "disk "
		 "is touched. mosquitto's default is false."},
	{.name = "retained_persistence",
	 BOOL,
	 STORE(is_wanted),
	 .group = OPTION_GROUP_STORE,
	 .text = "Another name of persistence."},
	{.name = "persistence_location",
	 .type = OPTION_TEXT,
	 STORE(path),
	 .group = OPTION_GROUP_STORE,
	 .value = "directory",
	 .default_text = "$STATE_DIRECTORY of a service; /var/lib/nightjar as root; else "
			 "$XDG_STATE_HOME/nightjar or ~/.local/state/nightjar",
	 .text = "The directory of the store. It is created when it is not there, belongs to the "
		 "user that the broker runs as, and serves one broker at a time."},
	{.name = "durability",
	 .type = OPTION_SPECIAL,
	 .group = OPTION_GROUP_STORE,
	 .value = "always|interval milliseconds|off",
	 .default_text = "always",
	 .text = "What an acknowledgement means. always: what it confirms would survive a power "
		 "cut "
		 "at that instant. interval: it survives a crash of the broker at that instant, "
		 "and a "
		 "power cut so many milliseconds (1 to 60000) later. off: nothing is stored, like "
		 "persistence false. Below a listener line it is about those who publish there: "
		 "off "
		 "answers them at once, before their messages are on disk, always waits for the "
		 "disk "
		 "even when the broker's own is interval. A version 5 publisher says the same for "
		 "one "
		 "message by the user property nightjar-durability."},
	{.name = "storage_profile",
	 .type = OPTION_CHOICE,
	 STORE(profile),
	 .group = OPTION_GROUP_STORE,
	 .choices = storage_profiles,
	 .value = "auto|server|flash",
	 .text = "What the store is tuned to. server: every commit at once. flash: smaller files, "
		 "and commits that wait a little for company, because an SD card wears out by "
		 "writing. auto: flash when the directory is on an SD card or eMMC."},
	{.name = "storage_limit",
	 NUMBER(0, BYTES_MAX),
	 STORE(bytes_max),
	 .group = OPTION_GROUP_STORE,
	 .is_ours = true,
	 .value = "bytes",
	 .text = "How large the store may become, all files together. When it is nearly full, new "
		 "QoS 1 and 2 messages are refused to version 5 clients and held back from others "
		 "until there is room. 0: as large as the disk."},
	{.name = "storage_daily_write_budget",
	 NUMBER(0, BYTES_MAX),
	 STORE(budget_bytes_per_day),
	 .group = OPTION_GROUP_STORE,
	 .is_ours = true,
	 .value = "bytes",
	 .default_text = "that of the storage profile",
	 .text = "How many bytes a day the store may write to the device. When it is used up, "
		 "commits wait longer for company; nothing else about them changes. 0: any."},
	{.name = "storage_segment_size",
	 NUMBER(65536, 1073741824),
	 STORE(segment_bytes),
	 .group = OPTION_GROUP_STORE,
	 .is_ours = true,
	 .value = "bytes",
	 .default_text = "that of the storage profile",
	 .text = "The size of the store's files, a multiple of 4096. It is fixed when the store is "
		 "created."},
	{.name = "on_damage",
	 .type = OPTION_CHOICE,
	 STORE(refuse_damage),
	 .group = OPTION_GROUP_STORE,
	 .is_ours = true,
	 .choices = damage_policies,
	 .value = "report|refuse",
	 .text = "What happens at a start that finds stored bytes changed. report: the damaged "
		 "records are set aside, the log says what was lost, the rest is served. refuse: "
		 "the "
		 "broker does not start."},
	{.name = "on_failure",
	 .type = OPTION_CHOICE,
	 STORE(stay_on_failure),
	 .group = OPTION_GROUP_STORE,
	 .is_ours = true,
	 .choices = failure_policies,
	 .value = "exit|stay",
	 .text = "What happens when the disk can no longer be written. exit: the broker ends with "
		 "status 74, so that a supervisor starts it anew. stay: it goes on with QoS 0, and "
		 "refuses what it could not keep."},
	{.name = "persistence_file",
	 .type = OPTION_SPECIAL,
	 .group = OPTION_GROUP_STORE,
	 .value = "name",
	 .default_text = "none is written",
	 .text = "Accepted, with a notice in the log: the store is not a file but the directory "
		 "persistence_location. A file of mosquitto's is not read."},
	{.name = "autosave_interval",
	 .type = OPTION_SPECIAL,
	 .group = OPTION_GROUP_STORE,
	 .value = "count",
	 .default_text = "nothing is saved now and then",
	 .text = AUTOSAVE},
	{.name = "autosave_on_changes",
	 .type = OPTION_SPECIAL,
	 .group = OPTION_GROUP_STORE,
	 .value = "true|false",
	 .default_text = "nothing is saved now and then",
	 .text = AUTOSAVE},

	/* Delivery */
	{.name = "max_inflight_messages",
	 NUMBER(0, 65535),
	 SETTING(in_flight_max),
	 .zero_means = 65535,
	 .group = OPTION_GROUP_DELIVERY,
	 .value = "count",
	 .text = "How many QoS 1 and 2 messages may be on their way to a client, not yet "
		 "acknowledged; a version 5 client's receive maximum may lower it. 0: 65535."},
	{.name = "receive_maximum",
	 NUMBER(1, 65535),
	 SETTING(receive_maximum),
	 .is_ours = true,
	 .group = OPTION_GROUP_DELIVERY,
	 .value = "count",
	 .text = "How many QoS 1 and 2 messages a client may have open towards the broker. "
		 "Version 5 clients are told."},
	{.name = "receive_maximum_slack",
	 NUMBER(0, 65535),
	 SETTING(receive_maximum_slack),
	 .is_ours = true,
	 .group = OPTION_GROUP_DELIVERY,
	 .value = "count",
	 .text = "How many beyond receive_maximum are tolerated, because real devices overdo it, "
		 "before the client is disconnected."},
	{.name = "max_topic_alias_broker",
	 NUMBER(0, 65535),
	 SETTING(topic_alias_max_out),
	 .group = OPTION_GROUP_DELIVERY,
	 .value = "count",
	 .text = "How many topic aliases the broker sets towards a version 5 client that allows "
		 "them."},
	{.name = "upgrade_outgoing_qos",
	 BOOL,
	 SETTING(upgrade_outgoing_qos),
	 .group = OPTION_GROUP_DELIVERY,
	 .text = "Deliver with the QoS of the subscription even when the message was published "
		 "with a lower one. The standard has it otherwise."},
	{.name = "retry_interval",
	 NUMBER(0, 86400),
	 SETTING(retry_interval_ms),
	 .scale = 1000,
	 .group = OPTION_GROUP_DELIVERY,
	 .value = "seconds",
	 .text = "For clients of MQTT 3.1 and 3.1.1: when none of the messages sent to a client "
		 "was acknowledged for so long, all that are open are sent again on the live "
		 "connection, with DUP. 0: only when it has reconnected, as the standard wants. "
		 "Clients of MQTT 5.0 get nothing twice on a live connection."},
	{.name = "hold_back_ms",
	 NUMBER(0, 3600000),
	 SETTING(hold_back_ms_max),
	 .is_ours = true,
	 .group = OPTION_GROUP_DELIVERY,
	 .value = "milliseconds",
	 .text = "How long a publisher's acknowledgement may be delayed at most while a subscriber "
		 "is slower than it."},

	/* Queues */
	{.name = "max_queued_messages",
	 NUMBER(0, UINT32_MAX),
	 SETTING(queue_messages_max),
	 .group = OPTION_GROUP_QUEUES,
	 .value = "count",
	 .text = "How many messages wait for one client, besides those on their way. 0: no limit. "
		 "Also the default of absent_queue_messages, once it is given."},
	{.name = "max_queued_bytes",
	 NUMBER(0, BYTES_MAX),
	 SETTING(queue_bytes_max),
	 .group = OPTION_GROUP_QUEUES,
	 .value = "bytes",
	 .text = "How many bytes wait for one client. 0: no limit. Also the default of "
		 "absent_queue_bytes, once it is given."},
	{.name = "absent_queue_messages",
	 NUMBER(0, UINT32_MAX),
	 SETTING(absent_queue_messages_max),
	 .is_ours = true,
	 .group = OPTION_GROUP_QUEUES,
	 .value = "count",
	 .text = "How many messages wait for one client that is not connected. 0: no limit."},
	{.name = "absent_queue_bytes",
	 NUMBER(0, BYTES_MAX),
	 SETTING(absent_queue_bytes_max),
	 .is_ours = true,
	 .group = OPTION_GROUP_QUEUES,
	 .value = "bytes",
	 .text = "How many bytes wait for one client that is not connected. 0: no limit."},
	{.name = "queue_qos0_messages",
	 BOOL,
	 SETTING(queue_qos0_absent),
	 .group = OPTION_GROUP_QUEUES,
	 .text = "Let QoS 0 messages wait for clients that are not connected, too."},
	{.name = "queue_full_policy",
	 .type = OPTION_CHOICE,
	 SETTING(queue_full_policy),
	 .is_ours = true,
	 .group = OPTION_GROUP_QUEUES,
	 .choices = queue_full_policies,
	 .value = "refuse|drop-newest|drop-oldest",
	 .text = "What happens to a QoS 1 or 2 message for a client whose queue is full: it is "
		 "not queued and a version 5 publisher is told so (refuse), it is not queued and "
		 "nobody is told, as mosquitto does (drop-newest), or the oldest one that waits "
		 "makes room for it (drop-oldest)."},
	{.name = "output_bytes_max",
	 NUMBER(4096, 1073741824),
	 SETTING(output_bytes_max),
	 .is_ours = true,
	 .group = OPTION_GROUP_QUEUES,
	 .value = "bytes",
	 .text = "How many bytes may wait to be sent on one connection. QoS 0 messages beyond it "
		 "are dropped and counted."},
	{.name = "memory_limit",
	 NUMBER(0, BYTES_MAX),
	 SETTING(memory_bytes_max),
	 .group = OPTION_GROUP_QUEUES,
	 .value = "bytes",
	 .text = "How many bytes of messages the broker holds in memory: retained ones, those that "
		 "wait for a client or for its acknowledgement (counted for each client), and "
		 "what is about to be sent. Beyond it QoS 0 messages are dropped and others "
		 "refused. 0: no limit."},

	{.name = "queue_memory",
	 NUMBER(0, BYTES_MAX),
	 SETTING(queue_memory_bytes_max),
	 .is_ours = true,
	 .group = OPTION_GROUP_QUEUES,
	 .value = "bytes",
	 .text = "How many bytes of memory the broker takes to remember which stored messages wait "
		 "for whom, about five for each. What is beyond goes to a file. 0: no limit."},

	/* Routing */
	{.name = "retain_available",
	 BOOL,
	 SETTING(retain_available),
	 .group = OPTION_GROUP_ROUTING,
	 .text = "Are retained messages kept? When not, version 5 clients are told, and whoever "
		 "publishes one is disconnected."},
	{.name = "retained_messages_max",
	 NUMBER(0, BYTES_MAX),
	 SETTING(retained_messages_max),
	 .is_ours = true,
	 .group = OPTION_GROUP_ROUTING,
	 .value = "count",
	 .text = "How many retained messages are kept. 0: no limit."},
	{.name = "retained_bytes_max",
	 NUMBER(0, BYTES_MAX),
	 SETTING(retained_bytes_max),
	 .is_ours = true,
	 .group = OPTION_GROUP_ROUTING,
	 .value = "bytes",
	 .text = "How many bytes of retained messages are kept. 0: no limit."},
	{.name = "subscriptions_per_client_max",
	 NUMBER(0, UINT32_MAX),
	 SETTING(subscriptions_per_client_max),
	 .is_ours = true,
	 .group = OPTION_GROUP_ROUTING,
	 .value = "count",
	 .text = "How many subscriptions a client may have. 0: no limit."},
	{.name = "topic_levels_max",
	 NUMBER(1, 65535),
	 SETTING(topic_levels_max),
	 .is_ours = true,
	 .group = OPTION_GROUP_ROUTING,
	 .value = "count",
	 .text = "How many levels a topic or a filter may have."},
	{.name = "cached_topics_max",
	 NUMBER(0, 16777216),
	 SETTING(cached_topics_max),
	 .is_ours = true,
	 .group = OPTION_GROUP_ROUTING,
	 .value = "count",
	 .text = "For how many topics each shard remembers who gets them. 0: none."},

	/* Log */
	{.name = "log_dest",
	 .type = OPTION_SPECIAL,
	 .group = OPTION_GROUP_LOG,
	 .value = "stderr|stdout|syslog|file path|none",
	 .default_text = "stderr",
	 .text = "Where log lines go. Several lines name several places; none stands alone. A file "
		 "is appended to."},
	{.name = "log_type",
	 .type = OPTION_SPECIAL,
	 .group = OPTION_GROUP_LOG,
	 .value = "error|warning|notice|information|debug|subscribe|unsubscribe|all|none",
	 .default_text = "error, warning, notice and information",
	 .text = "Which lines are written. Several lines name several types; none stands alone. "
		 "Packets are of type debug. The option -v of the command line means all."},
	{.name = "log_timestamp",
	 BOOL,
	 CONFIG(log_timestamp),
	 .group = OPTION_GROUP_LOG,
	 .text = "Does each log line begin with the time?"},
	{.name = "log_timestamp_format",
	 .type = OPTION_TEXT,
	 CONFIG(log_timestamp_format),
	 .group = OPTION_GROUP_LOG,
	 .value = "format",
	 .default_text = "seconds since 1970",
	 .text = "The form of that time, as strftime(3) knows it, for example %Y-%m-%dT%H:%M:%S."},
	{.name = "log_facility",
	 NUMBER(0, 7),
	 CONFIG(log_facility),
	 .group = OPTION_GROUP_LOG,
	 .value = "number",
	 .default_text = "daemon",
	 .text = "For log_dest syslog: write to facility local0 to local7."},
	{.name = "connection_messages",
	 BOOL,
	 CONFIG(connection_messages),
	 .group = OPTION_GROUP_LOG,
	 .text = "Is there a log line for each client that connects or disconnects?"},

	/* Process */
	{.name = "shards",
	 NUMBER(0, SHARDS_MAX),
	 CONFIG(shards),
	 .is_ours = true,
	 .group = OPTION_GROUP_PROCESS,
	 .value = "count",
	 .text = "Among how many threads connections and sessions are divided. 0: one per "
		 "processor."},
	{.name = "user",
	 .type = OPTION_TEXT,
	 CONFIG(user),
	 .group = OPTION_GROUP_PROCESS,
	 .value = "name",
	 .default_text = "mosquitto, or nobody when there is none",
	 .text = "When started as root: become this user once the listeners are open. Without "
		 "effect for any other user."},
	{.name = "pid_file",
	 .type = OPTION_TEXT,
	 CONFIG(pid_file),
	 .group = OPTION_GROUP_PROCESS,
	 .value = "path",
	 .default_text = "none is written",
	 .text = "Write the number of the process to this file."},

	/* What mosquitto does by default, and what is always so here. */
	{.name = "sys_interval",
	 .type = OPTION_NUMBER,
	 .status = OPTION_ONLY,
	 .only = "0",
	 .max = 65535,
	 .group = OPTION_GROUP_ROUTING,
	 .value = "0",
	 .text = "this version publishes no $SYS topics"},
	{.name = "message_size_limit",
	 .type = OPTION_NUMBER,
	 .status = OPTION_ONLY,
	 .only = "0",
	 .max = REMAINING_LENGTH_MAX,
	 .group = OPTION_GROUP_CONNECTIONS,
	 .value = "0",
	 .text = "there is no limit for payloads alone: use max_packet_size, which counts the "
		 "whole packet"},
	{.name = "max_inflight_bytes",
	 .type = OPTION_NUMBER,
	 .status = OPTION_ONLY,
	 .only = "0",
	 .max = BYTES_MAX,
	 .group = OPTION_GROUP_DELIVERY,
	 .value = "0",
	 .text = "messages on their way are counted, not weighed: use max_inflight_messages"},
	{.name = "per_listener_settings",
	 .type = OPTION_BOOL,
	 .status = OPTION_ONLY,
	 .only = "false",
	 .group = OPTION_GROUP_LISTENERS,
	 .value = "false",
	 .text = "who may do what is the same on all listeners in this version"},
	{.name = "allow_duplicate_messages",
	 .type = OPTION_BOOL,
	 .status = OPTION_ONLY,
	 .only = "false",
	 .group = OPTION_GROUP_DELIVERY,
	 .value = "false",
	 .text = "a client gets a message once, however many of its subscriptions match"},
	{.name = "use_username_as_clientid",
	 .type = OPTION_BOOL,
	 .status = OPTION_ONLY,
	 .only = "false",
	 .group = OPTION_GROUP_SESSIONS,
	 .value = "false",
	 .text = "sessions belong to the client id in this version"},
};

const size_t options_supported_count = ARRAY_COUNT(options_supported);
