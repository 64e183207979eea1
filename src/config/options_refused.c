/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options of mosquitto 2.0 that this version does not obey, each with what to do instead: so
 * that a user's file never means less than it says.
 */
#include "config/option.h"

#define LATER(option_name, advice)                                                                 \
	{                                                                                          \
		.name = (option_name), .status = OPTION_LATER, .text = (advice)                    \
	}
#define REMOVED(option_name, advice)                                                               \
	{                                                                                          \
		.name = (option_name), .status = OPTION_REMOVED, .text = (advice)                  \
	}

#define ENGINES "OpenSSL 3 has given engines up, so the key must be in keyfile: remove the line"
#define PLUGINS "this version loads no plugins: remove the line"
#define BRIDGES "this version has no bridges: remove the section of the bridge"
#define PAGES "the broker serves no pages and logs WebSockets as everything else: remove the line"

static const struct option rows[] = {
	LATER("check_retain_source",
	      "who has published a retained message is not kept in this version, only what the "
	      "reader may read decides: remove the line"),
	LATER("plugin", PLUGINS),
	LATER("plugin_opt_*", PLUGINS),
	LATER("auth_plugin", PLUGINS),
	LATER("auth_opt_*", PLUGINS),
	LATER("auth_plugin_deny_special_chars", PLUGINS),
	LATER("tls_engine", ENGINES),
	LATER("tls_engine_kpass_sha1", ENGINES),
	LATER("http_dir", PAGES),
	LATER("websockets_log_level", PAGES),
	LATER("connection", BRIDGES),
	LATER("address", BRIDGES),
	LATER("addresses", BRIDGES),
	LATER("topic", BRIDGES),
	LATER("bridge_attempt_unsubscribe", BRIDGES),
	LATER("bridge_bind_address", BRIDGES),
	LATER("bridge_max_packet_size", BRIDGES),
	LATER("bridge_outgoing_retain", BRIDGES),
	LATER("bridge_protocol_version", BRIDGES),
	LATER("bridge_alpn", BRIDGES),
	LATER("bridge_cafile", BRIDGES),
	LATER("bridge_capath", BRIDGES),
	LATER("bridge_certfile", BRIDGES),
	LATER("bridge_identity", BRIDGES),
	LATER("bridge_insecure", BRIDGES),
	LATER("bridge_keyfile", BRIDGES),
	LATER("bridge_psk", BRIDGES),
	LATER("bridge_require_ocsp", BRIDGES),
	LATER("bridge_tls_version", BRIDGES),
	LATER("cleansession", BRIDGES),
	LATER("clientid", BRIDGES),
	LATER("idle_timeout", BRIDGES),
	LATER("keepalive_interval", BRIDGES),
	LATER("local_cleansession", BRIDGES),
	LATER("local_clientid", BRIDGES),
	LATER("local_password", BRIDGES),
	LATER("local_username", BRIDGES),
	LATER("notification_topic", BRIDGES),
	LATER("notifications", BRIDGES),
	LATER("notifications_local_only", BRIDGES),
	LATER("password", BRIDGES),
	LATER("remote_clientid", BRIDGES),
	LATER("remote_password", BRIDGES),
	LATER("remote_username", BRIDGES),
	LATER("restart_timeout", BRIDGES),
	LATER("round_robin", BRIDGES),
	LATER("start_type", BRIDGES),
	LATER("threshold", BRIDGES),
	LATER("try_private", BRIDGES),
	LATER("username", BRIDGES),
	LATER("auto_id_prefix",
	      "given client ids have a fixed form in this version: remove the line"),
	LATER("mount_point",
	      "topics are the same on all listeners in this version: remove the line"),
	REMOVED("store_clean_interval",
		"mosquitto itself has given this option up: remove the line"),
};

const struct option_table options_refused = {rows, ARRAY_COUNT(rows)};
