/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options of mosquitto 2.0 and 2.1 that this version does not obey. Where a file means no less
 * without one, the line is accepted with a notice; else it is refused, with what to do instead.
 */
#include "config/option_row.h"

#define REFUSED(option_name, advice)                                                               \
	{                                                                                          \
		.name = (option_name), .status = OPTION_LATER, .text = (advice)                    \
	}
#define OF_PLUGIN(option_name)                                                                     \
	{                                                                                          \
		.name = (option_name), .status = OPTION_LATER, .section = OPTION_SECTION_PLUGIN,   \
		.text = "an option of a plugin: remove the line"                                   \
	}
#define PLUGIN(option_name)                                                                        \
	{                                                                                          \
		.name = (option_name), .status = OPTION_LATER, .section = OPTION_SECTION_PLUGIN,   \
		.opens_section = true,                                                             \
		.text = "this version loads no plugins: remove this line and the plugin's lines "  \
			"below it; password_file and acl_file do what the plugins of the same "    \
			"names do"                                                                 \
	}
#define OF_BRIDGE(option_name)                                                                     \
	{                                                                                          \
		.name = (option_name), .status = OPTION_LATER, .section = OPTION_SECTION_BRIDGE,   \
		.text = "an option of a bridge, which this version has not: remove the line"       \
	}

#define ENGINES "OpenSSL 3 has given engines up, so the key must be in keyfile: remove the line"

static const struct option rows[] = {
	PLUGIN("plugin"),
	PLUGIN("auth_plugin"),
	PLUGIN("global_plugin"),
	PLUGIN("plugin_load"),
	PLUGIN("plugin_use"),
	OF_PLUGIN("plugin_opt_*"),
	OF_PLUGIN("auth_opt_*"),
	OF_PLUGIN("auth_plugin_deny_special_chars"),
	REFUSED("listener_auto_id_prefix",
		"one prefix is for all listeners: remove the line, or give each its own by "
		"per_listener_settings and auto_id_prefix"),
	REFUSED("tls_engine", ENGINES),
	REFUSED("tls_engine_kpass_sha1", ENGINES),
	REFUSED("http_dir", "the broker serves no files, since a server of pages on the port of "
			    "MQTT is one more way in: remove the line, and let a web server do it"),
	{.name = "connection",
	 .status = OPTION_LATER,
	 .section = OPTION_SECTION_BRIDGE,
	 .opens_section = true,
	 .text = "this version has no bridges: remove this line and the bridge's lines below it"},
	OF_BRIDGE("address"),
	OF_BRIDGE("addresses"),
	OF_BRIDGE("topic"),
	OF_BRIDGE("bridge_alpn"),
	OF_BRIDGE("bridge_attempt_unsubscribe"),
	OF_BRIDGE("bridge_bind_address"),
	OF_BRIDGE("bridge_cafile"),
	OF_BRIDGE("bridge_capath"),
	OF_BRIDGE("bridge_certfile"),
	OF_BRIDGE("bridge_ciphers"),
	OF_BRIDGE("bridge_ciphers_tls1.3"),
	OF_BRIDGE("bridge_identity"),
	OF_BRIDGE("bridge_insecure"),
	OF_BRIDGE("bridge_keyfile"),
	OF_BRIDGE("bridge_max_packet_size"),
	OF_BRIDGE("bridge_max_topic_alias"),
	OF_BRIDGE("bridge_outgoing_retain"),
	OF_BRIDGE("bridge_protocol_version"),
	OF_BRIDGE("bridge_psk"),
	OF_BRIDGE("bridge_receive_maximum"),
	OF_BRIDGE("bridge_reload_type"),
	OF_BRIDGE("bridge_require_ocsp"),
	OF_BRIDGE("bridge_session_expiry_interval"),
	OF_BRIDGE("bridge_tcp_keepalive"),
	OF_BRIDGE("bridge_tcp_user_timeout"),
	OF_BRIDGE("bridge_tls_use_os_certs"),
	OF_BRIDGE("bridge_tls_version"),
	OF_BRIDGE("cleansession"),
	OF_BRIDGE("clientid"),
	OF_BRIDGE("idle_timeout"),
	OF_BRIDGE("keepalive_interval"),
	OF_BRIDGE("local_cleansession"),
	OF_BRIDGE("local_clientid"),
	OF_BRIDGE("local_password"),
	OF_BRIDGE("local_username"),
	OF_BRIDGE("notification_topic"),
	OF_BRIDGE("notifications"),
	OF_BRIDGE("notifications_local_only"),
	OF_BRIDGE("password"),
	OF_BRIDGE("remote_clientid"),
	OF_BRIDGE("remote_password"),
	OF_BRIDGE("remote_username"),
	OF_BRIDGE("restart_timeout"),
	OF_BRIDGE("round_robin"),
	OF_BRIDGE("start_type"),
	OF_BRIDGE("threshold"),
	OF_BRIDGE("try_private"),
	OF_BRIDGE("username"),
};

const struct option_table options_refused = {rows, ARRAY_COUNT(rows)};

#define SAVED "what is acknowledged is stored already, see durability"

static const struct option unused_rows[] = {
	{.name = "autosave_interval", NUMBER(-BYTES_MAX, BYTES_MAX), UNUSED("count", SAVED)},
	{.name = "autosave_on_changes", .type = OPTION_BOOL, UNUSED("true|false", SAVED)},
	{.name = "persistence_file",
	 .type = OPTION_TEXT,
	 UNUSED("name", "the store is a directory, persistence_location; a file of mosquitto's is "
			"not read")},
	{.name = "sys_interval",
	 NUMBER(0, 65535),
	 .only = "0",
	 UNUSED("seconds", "this version publishes no $SYS topics")},
	{.name = "allow_duplicate_messages",
	 .type = OPTION_BOOL,
	 .only = "false",
	 UNUSED("true|false",
		"a client gets a message once, however many of its subscriptions match")},
	{.name = "max_inflight_bytes",
	 NUMBER(0, BYTES_MAX),
	 .only = "0",
	 UNUSED("bytes", "messages on their way are counted, not weighed, see "
			 "max_inflight_messages; output_bytes_max bounds what waits for a "
			 "connection")},
	{.name = "packet_buffer_size",
	 NUMBER(0, BYTES_MAX),
	 UNUSED("bytes", "connections have no such buffer of their own, see input_bytes_per_turn")},
	{.name = "retain_expiry_interval",
	 NUMBER(0, BYTES_MAX),
	 UNUSED("minutes", "retained messages that expire go when they are met")},
	{.name = "websockets_log_level",
	 NUMBER(0, BYTES_MAX),
	 UNUSED("level", "WebSockets are logged like everything else, see log_type")},
	{.name = "store_clean_interval",
	 NUMBER(0, BYTES_MAX),
	 UNUSED("seconds", "mosquitto itself has given this option up")},
};

const struct option_table options_unused = {unused_rows, ARRAY_COUNT(unused_rows)};
