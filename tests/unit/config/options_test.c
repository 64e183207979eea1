/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of options: each row is well made, is obeyed with the values at its edges, and refuses
 * the values beyond them.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"
#include "broker/broker.h"
#include "config/diff.h"
#include "configured.h"

struct accepted {
	const char *text;
	bool is_setting;
	size_t offset, size;
	uint64_t value;
};
#define TO(structure, member) offsetof(structure, member), sizeof(((structure *)0)->member)
#define SETTING(member) true, TO(struct settings, member)
#define CONFIG(member) false, TO(struct config, member)
#define LISTENER(member) false, TO(struct config, listeners[0].member)
#define NOTHING false, 0, 0, 0

/* The refused ones come last. */
static size_t supported_count(void)
{
	return option_count() - options_refused.count;
}

#define TLS(line) "listener 1884\ncertfile /c\nkeyfile /k\ncafile /ca\n" line

static const struct accepted accepted_cases[] = {
	{"listener 1884", LISTENER(port), 1884},
	{"listener 0", LISTENER(port), 0},
	{"listener 65535", LISTENER(is_loopback), 0},
	{"port 1885", LISTENER(port), 1885},
	{"bind_address ::1", LISTENER(port), 1883},
	{"protocol mqtt", LISTENER(protocol), CONFIG_PROTOCOL_MQTT},
	{"protocol websockets", LISTENER(protocol), CONFIG_PROTOCOL_WEBSOCKETS},
	{"websockets_origin https://a.example", LISTENER(port), 1883},
	{"websockets_headers_size 0", LISTENER(head_bytes), CONFIG_HEAD_BYTES},
	{"websockets_headers_size 512", LISTENER(head_bytes), 512},
	{"websockets_headers_size 600\nlistener 1", LISTENER(head_bytes), 600},
	{"websockets_headers_size 600\nlistener 1\nwebsockets_headers_size 700",
	 LISTENER(head_bytes), 700},
	{"enable_proxy_protocol 1", LISTENER(has_proxy), 1},
	{"enable_proxy_protocol 2", LISTENER(has_proxy), 1},
	{"proxy_protocol true\nproxy_protocol_v2_require_tls true", LISTENER(proxy_must_have_tls),
	 1},
	{"proxy_protocol_v2_require_tls false", LISTENER(proxy_must_have_tls), 0},
	{"enable_proxy_protocol 2\nrequire_certificate true", LISTENER(tls.requires_certificate),
	 1},
	{"accept_protocol_versions 5", LISTENER(refused_versions), 1 << 3 | 1 << 4},
	{"accept_protocol_versions 3, 4", LISTENER(refused_versions), 1 << 5},
	{"accept_protocol_versions 5,4 ,3", LISTENER(refused_versions), 0},
	{"listener_allow_anonymous true", LISTENER(allow_anonymous_here), 1},
	{"listener_allow_anonymous false", LISTENER(allow_anonymous_here), 0},
	{TLS("disable_client_cert_date_checks true"), LISTENER(tls.ignores_dates), 1},
	{"websockets_headers_size 65536", LISTENER(head_bytes), 65536},
	{"websockets_forwarded true", LISTENER(trusts_forwarded), 1},
	{"proxy_protocol true", LISTENER(has_proxy), 1},
	{"socket_domain ipv4", LISTENER(family), SOCKET_FAMILY_IPV4},
	{"socket_domain ipv6", LISTENER(family), SOCKET_FAMILY_IPV6},
	{"socket_domain any", LISTENER(family), SOCKET_FAMILY_ANY},
	{"bind_interface lo", LISTENER(port), 1883},
	{"listener 0 /a\nsocket_mode 0660", LISTENER(socket_mode), 0660},
	{"listener 0 /a\nsocket_mode 007", LISTENER(socket_mode), 7},
	{"listener 0 /a\nsocket_owner root", LISTENER(port), 0},
	{"listener 0 /a\nsocket_group root", LISTENER(port), 0},
	{TLS("tls_certificate /a /b"), LISTENER(port), 1884},
	{"listener 1884\ncertfile /c\nkeyfile /k\ncafile /a", LISTENER(port), 1884},
	{TLS("capath /a"), LISTENER(port), 1884},
	{"listener 1884\nkeyfile /k\ncertfile /c", LISTENER(port), 1884},
	{"listener 1884\ncertfile /c\nkeyfile /k", LISTENER(port), 1884},
	{TLS("require_certificate true"), LISTENER(tls.requires_certificate), 1},
	{TLS("use_identity_as_username true"), LISTENER(tls.uses_identity), 1},
	{TLS("use_subject_as_username true"), LISTENER(tls.uses_subject), 1},
	{TLS("crlfile /a"), LISTENER(port), 1884},
	{TLS("tls_version tlsv1.3"), LISTENER(port), 1884},
	{TLS("ciphers HIGH"), LISTENER(port), 1884},
	{TLS("ciphers_tls1.3 TLS_AES_128_GCM_SHA256"), LISTENER(port), 1884},
	{TLS("tls_curves X25519"), LISTENER(port), 1884},
	{TLS("dhparamfile /a"), LISTENER(port), 1884},
	{"psk_file /a\nlistener 1884\npsk_hint hint", LISTENER(port), 1884},
	{"psk_file /a", NOTHING},
	{TLS("tls_ocsp_file /a"), LISTENER(port), 1884},
	{TLS("tls_alpn x-mqtt"), LISTENER(port), 1884},
	{TLS("tls_no_tickets true"), LISTENER(tls.has_no_tickets), 1},
	{TLS("tls_openssl_records true"), LISTENER(tls.leaves_records), 1},
	{TLS("tls_keylog /a"), LISTENER(port), 1884},
	{TLS("tls_keyform pem"), LISTENER(port), 1884},
	{"listener 1884\nmessage_rate 4000000000", LISTENER(limits.messages_per_s), 4000000000},
	{"listener 1884\nmessage_burst 7", LISTENER(limits.messages_burst), 7},
	{"listener 1884\nbyte_rate 8", SETTING(limits.listeners[0].bytes_per_s), 8},
	{"byte_burst 9", SETTING(limits.listeners[0].bytes_burst), 9},
	{"listener 1884\nrate_action refuse", LISTENER(limits.rate_action), RATE_REFUSE},
	{"listener 1884\nrate_action disconnect", LISTENER(limits.rate_action), RATE_DISCONNECT},
	{"listener 1884\nconnect_rate 5", LISTENER(limits.connects_per_s), 5},
	{"listener 1884\nconnect_burst 6", LISTENER(limits.connects_burst), 6},
	{"total_connect_rate 5", SETTING(limits.connects_per_s), 5},
	{"total_connect_burst 6", SETTING(limits.connects_burst), 6},
	{"max_connections_per_address 9", SETTING(limits.listeners[0].connections_per_address), 9},
	{"ban_failed_logins 3", SETTING(limits.ban.failed_logins_max), 3},
	{"ban_errors 4", SETTING(limits.ban.errors_max), 4},
	{"ban_connects 5", SETTING(limits.ban.connects_max), 5},
	{"ban_window 10", SETTING(limits.ban.window_s), 10},
	{"ban_time 20", SETTING(limits.ban.ban_s), 20},
	{"ban_addresses false", SETTING(limits.ban.of_addresses), 0},
	{"ban_users true", SETTING(limits.ban.of_users), 1},
	{"ban_client_ids true", SETTING(limits.ban.of_client_ids), 1},
	{"limit_exempt 192.0.2.0/24, ::1 ,2001:db8::/32", SETTING(limits.exempt_count), 3},
	{"limit_ipv6_prefix 48", SETTING(limits.ipv6_prefix), 48},
	{"memory_ceiling 1000000000", SETTING(limits.memory_ceiling), 1000000000},
	{"shed_connections_after 0", SETTING(limits.shed_connections_ms), 0},
	{"shed_qos0_after 3600000", SETTING(limits.shed_qos0_ms), 3600000},
	{"max_connections 7", SETTING(connections_max), 7},
	{"max_connections -1", SETTING(connections_max), 0},
	{"max_connections 0", SETTING(connections_max), 0},
	{"max_qos 1", SETTING(qos_max), 1},
	{"maximum_qos 0", SETTING(qos_max), 0},
	{"max_topic_alias 0", SETTING(topic_alias_max_in), 0},
	{"max_topic_alias 65535", SETTING(topic_alias_max_in), 65535},
	{"connections_max 4294967295", SETTING(connections_max), UINT32_MAX},
	{"connect_timeout 5", SETTING(connect_timeout_ms), 5000},
	{"max_keepalive 60", SETTING(keep_alive_max), 60},
	{"max_packet_size 20", SETTING(packet_bytes_max), 20},
	{"max_packet_size 268435460", SETTING(packet_bytes_max), 268435460},
	{"input_bytes_per_turn 1024", SETTING(input_bytes_per_turn), 1024},
	{"set_tcp_nodelay false", CONFIG(tcp_nodelay), 0},
	{"allow_anonymous false", SETTING(allow_anonymous), 0},
	{"allow_zero_length_clientid false", SETTING(allow_empty_client_id), 0},
	{"global_max_connections 9", SETTING(connections_max), 9},
	{"global_max_connections -1", SETTING(connections_max), 0},
	{"global_max_clients -1", SETTING(sessions_max), 0},
	{"enable_control_api false", NOTHING},
	{"persistent_client_expiration 90s", SETTING(session_expiry_max), 90},
	{"persistent_client_expiration 2h", SETTING(session_expiry_max), 7200},
	{"persistent_client_expiration 14d", SETTING(session_expiry_max), 14 * 86400},
	{"persistent_client_expiration 1w", SETTING(session_expiry_max), 7 * 86400},
	{"persistent_client_expiration 2m", SETTING(session_expiry_max), 60 * 86400},
	{"persistent_client_expiration 136y", SETTING(session_expiry_max), 136u * 365 * 86400},
	{"sessions_max 9223372036854775807", SETTING(sessions_max), INT64_MAX},
	{"max_inflight_messages 1", SETTING(in_flight_max), 1},
	{"max_inflight_messages 0", SETTING(in_flight_max), 65535},
	{"receive_maximum 65535", SETTING(receive_maximum), 65535},
	{"receive_maximum_slack 0", SETTING(receive_maximum_slack), 0},
	{"max_topic_alias_broker 3", SETTING(topic_alias_max_out), 3},
	{"upgrade_outgoing_qos true", SETTING(upgrade_outgoing_qos), 1},
	{"retry_interval 0", SETTING(retry_interval_ms), 0},
	{"retry_interval 20", SETTING(retry_interval_ms), 20000},
	{"hold_back_ms 0", SETTING(hold_back_ms_max), 0},
	{"max_queued_messages 5", SETTING(queue_messages_max), 5},
	{"max_queued_bytes 5000000000", SETTING(queue_bytes_max), 5000000000},
	{"absent_queue_messages 6", SETTING(absent_queue_messages_max), 6},
	{"absent_queue_bytes 7", SETTING(absent_queue_bytes_max), 7},
	{"queue_qos0_messages 1", SETTING(queue_qos0_absent), 1},
	{"queue_full_policy refuse", SETTING(queue_full_policy), QUEUE_FULL_REFUSE},
	{"queue_full_policy drop-oldest", SETTING(queue_full_policy), QUEUE_FULL_DROP_OLDEST},
	{"queue_full_policy drop-newest", SETTING(queue_full_policy), QUEUE_FULL_DROP_NEWEST},
	{"output_bytes_max 4096", SETTING(output_bytes_max), 4096},
	{"memory_limit 1000000000000", SETTING(memory_bytes_max), 1000000000000},
	{"retain_available 0", SETTING(retain_available), 0},
	{"retained_messages_max 8", SETTING(retained_messages_max), 8},
	{"retained_bytes_max 9", SETTING(retained_bytes_max), 9},
	{"subscriptions_per_client_max 10", SETTING(subscriptions_per_client_max), 10},
	{"topic_levels_max 1", SETTING(topic_levels_max), 1},
	{"cached_topics_max 0", SETTING(cached_topics_max), 0},
	{"log_dest stdout", CONFIG(log_destinations), LOG_TO_STDOUT},
	{"log_dest stderr\nlog_dest syslog", CONFIG(log_destinations),
	 LOG_TO_STDERR | LOG_TO_SYSLOG},
	{"log_dest file /tmp/a b.log", CONFIG(log_destinations), LOG_TO_FILE},
	{"log_dest none", CONFIG(log_destinations), 0},
	{"log_type error", CONFIG(log_types), LOG_TYPE_ERROR},
	{"log_type warning\nlog_type debug", CONFIG(log_types), LOG_TYPE_WARNING | LOG_TYPE_DEBUG},
	{"log_type notice", CONFIG(log_types), LOG_TYPE_NOTICE | LOG_TYPE_CONNECTION},
	{"log_type information", CONFIG(log_types), LOG_TYPE_INFORMATION},
	{"log_type subscribe\nlog_type unsubscribe", CONFIG(log_types),
	 LOG_TYPE_SUBSCRIBE | LOG_TYPE_UNSUBSCRIBE},
	{"log_type all", CONFIG(log_types), LOG_TYPES_ALL},
	{"log_type none", CONFIG(log_types), 0},
	{"log_timestamp false", CONFIG(log_timestamp), 0},
	{"log_timestamp_format %H", CONFIG(log_timestamp), 1},
	{"log_facility 7", CONFIG(log_facility), 7},
	{"connection_messages false", CONFIG(log_types),
	 LOG_TYPES_DEFAULT & ~(unsigned)LOG_TYPE_CONNECTION},
	{"include_dir /proc/self/attr", NOTHING},
	{"shards 64", CONFIG(shards), 64},
	{"user nobody", NOTHING},
	{"pid_file /run/nightjar.pid", NOTHING},
	{"log_format json", CONFIG(log_format), 1},
	{"log_rate_limit 7", CONFIG(log_rate_max), 7},
	{"seccomp log", CONFIG(seccomp), SECCOMP_LOGS},
	{"core_dump true", CONFIG(core_dump), 1},
	{"reload_on_change false", CONFIG(reloads_on_change), 0},
	{"response_information a/b", NOTHING},
	{"persistence false", CONFIG(store.is_wanted), 0},
	{"persistence true", CONFIG(store.is_wanted), 1},
	{"persistence false", CONFIG(store.durability), DURABILITY_OFF},
	{"retained_persistence 0", CONFIG(store.is_wanted), 0},
	{"persistence_location /a", CONFIG(store.is_wanted), 1},
	{"durability always", CONFIG(store.durability), DURABILITY_ALWAYS},
	{"durability off", CONFIG(store.durability), DURABILITY_OFF},
	{"durability off", CONFIG(store.is_wanted), 0},
	{"durability interval 1", CONFIG(store.durability), DURABILITY_INTERVAL},
	{"durability interval 60000", CONFIG(store.interval_ms), 60000},
	{"listener 1\ndurability off", LISTENER(answer), ANSWER_AT_ONCE},
	{"listener 1\ndurability off", CONFIG(store.durability), DURABILITY_ALWAYS},
	{"listener 1\ndurability always", LISTENER(answer), ANSWER_WHEN_DURABLE},
	{"durability off\nlistener 1", LISTENER(answer), ANSWER_USUAL},
	{"storage_profile auto", CONFIG(store.profile), STORAGE_AUTO},
	{"storage_profile server", CONFIG(store.profile), STORAGE_SERVER},
	{"storage_profile flash", CONFIG(store.profile), STORAGE_FLASH},
	{"storage_limit 1000000000000", CONFIG(store.bytes_max), 1000000000000},
	{"storage_daily_write_budget 0", CONFIG(store.budget_bytes_per_day), 0},
	{"storage_daily_write_budget 9", CONFIG(store.budget_bytes_per_day), 9},
	{"storage_segment_size 65536", CONFIG(store.segment_bytes), 65536},
	{"on_damage report", CONFIG(store.refuse_damage), 0},
	{"on_damage refuse", CONFIG(store.refuse_damage), 1},
	{"on_failure exit", CONFIG(store.stay_on_failure), 0},
	{"on_failure stay", CONFIG(store.stay_on_failure), 1},
	{"persistence_file mosquitto.db", NOTHING},
	{"autosave_interval 1800", NOTHING},
	{"autosave_on_changes false", NOTHING},
	{"queue_memory 1048576", SETTING(queue_memory_bytes_max), 1048576},
	{"sys_interval 10", NOTHING},
	{"packet_buffer_size 4096", NOTHING},
	{"retain_expiry_interval 5", NOTHING},
	{"websockets_log_level 255", NOTHING},
	{"store_clean_interval 10", NOTHING},
	{"message_size_limit 0", SETTING(payload_bytes_max), 0},
	{"message_size_limit 1000", SETTING(payload_bytes_max), 1000},
	{"max_inflight_bytes 1000", NOTHING},
	{"per_listener_settings false", CONFIG(has_access_per_listener), 0},
	{"per_listener_settings true", CONFIG(has_access_per_listener), 1},
	{"allow_anonymous true", CONFIG(access.allow_anonymous), 1},
	{"listener 1\nallow_anonymous false", CONFIG(access.allow_anonymous), 0},
	{"per_listener_settings true\nlistener 1\nallow_anonymous true",
	 LISTENER(access.allow_anonymous), 1},
	{"per_listener_settings true\nlistener 1", LISTENER(access.allow_anonymous), 0},
	{"password_file /a b", CONFIG(access.allow_anonymous), 1},
	{"listener 1\npassword_file /a b", CONFIG(access.allow_anonymous), 0},
	{"acl_file /a", NOTHING},
	{"auth_chain peer", CONFIG(access.chain), METHOD_PEER},
	{"auth_http_url http://localhost:80/a?b", NOTHING},
	{"auth_http_format json", CONFIG(access.auth_http_has_form), 0},
	{"auth_http_format form", CONFIG(access.auth_http_has_form), 1},
	{"auth_http_url https://a\nauth_http_header a: b", NOTHING},
	{"auth_http_url https://a\nauth_http_cafile /a", NOTHING},
	{"auth_http_timeout 1", CONFIG(access.auth_http_timeout_ms), 1000},
	{"auth_http_timeout 60", CONFIG(access.auth_http_timeout_ms), 60000},
	{"auth_http_connections 1", CONFIG(access.auth_http_connections_max), 1},
	{"auth_http_connections 256", CONFIG(access.auth_http_connections_max), 256},
	{"auth_http_cache 0", CONFIG(access.auth_http_cache_ms), 0},
	{"auth_http_cache 86400", CONFIG(access.auth_http_cache_ms), 86400000},
	{"listener 1\nuse_peer_credentials_as_username true", LISTENER(takes_peers_name), 1},
	{"jwt_key_file /a", NOTHING},
	{"jwt_secret_file /a", NOTHING},
	{"jwt_jwks_file /a", NOTHING},
	{"jwt_key_file /a\njwt_issuer a b", NOTHING},
	{"jwt_key_file /a\njwt_audience a", NOTHING},
	{"jwt_key_file /a\njwt_username_claim a", NOTHING},
	{"jwt_key_file /a\njwt_clientid_claim a", NOTHING},
	{"jwt_leeway 0", CONFIG(access.jwt_leeway_s), 0},
	{"jwt_leeway 3600", CONFIG(access.jwt_leeway_s), 3600},
	{"jwt_replaces_username true", CONFIG(access.jwt_replaces_user_name), 1},
	{"check_retain_source false", SETTING(check_retain_source), 0},
	{"clientid_prefixes dev-", NOTHING},
	{"auto_id_prefix lamp-", NOTHING},
	{"listener 1\nmount_point dev/", NOTHING},
	{"listener 1\nuse_username_as_clientid true", LISTENER(is_named_by_user), 1},
	{"allow_duplicate_messages true", NOTHING},
	{"use_username_as_clientid false", NOTHING},
};

/* The machine's number in so many bytes. */
static uint64_t number_at(const void *member, size_t size)
{
	uint8_t u8;
	uint16_t u16;
	uint32_t u32;
	uint64_t u64;
	switch (size) {
	case 1: memcpy(&u8, member, size); return u8;
	case 2: memcpy(&u16, member, size); return u16;
	case 4: memcpy(&u32, member, size); return u32;
	default: memcpy(&u64, member, sizeof(u64)); return u64;
	}
}

static void test_options_accepted_values_arrive(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(accepted_cases); i++) {
		const struct accepted *a = &accepted_cases[i];
		struct configured c;
		configure(&c, a->text, "");
		if (c.rc != 0)
			print_error("%s\n%s", a->text, c.errors);
		assert_int_equal(c.rc, 0);
		const char *structure =
			a->is_setting ? (char *)&c.config.settings : (char *)&c.config;
		if (a->size > 0 && number_at(structure + a->offset, a->size) != a->value)
			print_error("%s\n", a->text);
		if (a->size > 0)
			assert_int_equal(number_at(structure + a->offset, a->size), a->value);
		configured_release(&c);
	}
}

static void test_options_texts_arrive(void **state)
{
	(void)state;
	struct configured c;
	configure(&c,
		  "persistence_location /e f/\nuser  joe \nlog_timestamp_format %Y %H:%M\npid_file "
		  "/a b\n"
		  "response_information r/\nlog_dest file /c d\nlistener 1 localhost\n"
		  "bind_interface lo\nlistener 0 /a b\nsocket_owner joe\nsocket_group mates\n",
		  "");
	assert_int_equal(c.rc, 0);
	assert_string_equal(c.config.store.path, "/e f/");
	assert_string_equal(c.config.user, "joe");
	assert_string_equal(c.config.log_timestamp_format, "%Y %H:%M");
	assert_string_equal(c.config.pid_file, "/a b");
	assert_string_equal(c.config.settings.response_information, "r/");
	assert_string_equal(c.config.log_file, "/c d");
	assert_string_equal(c.config.listeners[0].address, "localhost");
	assert_string_equal(c.config.listeners[0].interface, "lo");
	assert_string_equal(c.config.listeners[1].address, "/a b");
	assert_string_equal(c.config.listeners[1].socket_owner, "joe");
	assert_string_equal(c.config.listeners[1].socket_group, "mates");
	configured_release(&c);
}

/* One listener's word about names wins over that for all; with per_listener_settings, too. */
static void test_options_of_anonymous_clients_here(void **state)
{
	(void)state;
	struct configured c;
	configure(&c,
		  "allow_anonymous true\npassword_file /p\nlistener 1\nlistener 2\n"
		  "listener_allow_anonymous false\nlistener 3\nlistener_allow_anonymous true\n",
		  "");
	static const int allowed[] = {1, 0, 1};
	assert_int_equal(config_access_count(&c.config), 1);
	assert_string_equal(config_access_of(&c.config, 0)->password_file, "/p");
	for (size_t i = 0; i < ARRAY_COUNT(allowed); i++)
		assert_int_equal(config_allows_anonymous(&c.config, &c.config.listeners[i]),
				 allowed[i]);
	configured_release(&c);
	configure(&c,
		  "per_listener_settings true\nlistener 1\nallow_anonymous true\n"
		  "listener_allow_anonymous false\nlistener 2\n",
		  "");
	assert_int_equal(config_access_count(&c.config), 2);
	assert_int_equal(config_access_of(&c.config, 0)->allow_anonymous, 0);
	assert_int_equal(config_access_of(&c.config, 1)->allow_anonymous, 0);
	configured_release(&c);
}

/* Those of one listener alone, and those of all. */
static void test_options_of_access_arrive(void **state)
{
	(void)state;
	struct configured c;
	configure(&c,
		  "listener 1\npassword_file /p w\nlistener 2\nacl_file /acl\n"
		  "clientid_prefixes dev-\nauto_id_prefix lamp-\nmount_point dev/\n",
		  "");
	assert_int_equal(c.rc, 0);
	assert_int_equal(config_access_count(&c.config), 1);
	assert_string_equal(config_access_of(&c.config, 1)->password_file, "/p w");
	assert_string_equal(config_access_of(&c.config, 0)->acl_file, "/acl");
	assert_string_equal(config_access_of(&c.config, 0)->client_id_prefix, "dev-");
	assert_string_equal(config_access_of(&c.config, 0)->auto_id_prefix, "lamp-");
	assert_string_equal(c.config.listeners[1].mount_point, "dev/");
	configured_release(&c);
	configure(&c,
		  "per_listener_settings true\nlistener 1\npassword_file /1\nlistener 2\n"
		  "password_file /2\nallow_anonymous true\n",
		  "");
	assert_int_equal(c.rc, 0);
	assert_int_equal(config_access_count(&c.config), 2);
	assert_string_equal(config_access_of(&c.config, 0)->password_file, "/1");
	assert_int_equal(config_access_of(&c.config, 0)->allow_anonymous, 0);
	assert_string_equal(config_access_of(&c.config, 1)->password_file, "/2");
	assert_int_equal(config_access_of(&c.config, 1)->allow_anonymous, 1);
	configured_release(&c);
	configure(&c, "password_file /1\nper_listener_settings true\nlistener 1\n", "");
	assert_int_equal(c.rc, ERROR_INVALID);
	assert_non_null(strstr(c.errors, "move it above all of them"));
	configured_release(&c);
}

/* In its last line: above it may stand a listener that the option is good for. */
static bool begins_with_name(const char *text, const char *name)
{
	size_t len = strlen(name);
	const char *end = strrchr(text, '\n');
	const char *line = end ? end + 1 : text;
	return strncmp(line, name, len) == 0 && line[len] == ' ';
}

/* So that no option is added without a case above. */
static void test_options_all_obeyed_have_a_case(void **state)
{
	(void)state;
	for (size_t i = 0; i < supported_count(); i++) {
		bool is_there = false;
		for (size_t j = 0; j < ARRAY_COUNT(accepted_cases); j++)
			is_there |= begins_with_name(accepted_cases[j].text, option_at(i)->name);
		if (!is_there)
			print_error("no case for %s\n", option_at(i)->name);
		assert_true(is_there);
	}
}

/* Another place to listen at is another listener. */
static const struct option *teller_of(const struct option *o)
{
	static const char *const of_places[] = {"port", "bind_address", "socket_domain",
						"bind_interface"};
	for (size_t i = 0; i < ARRAY_COUNT(of_places); i++)
		if (strcmp(o->name, of_places[i]) == 0)
			return option_named(SPAN_LITERAL("listener"));
	return o;
}

/* The option itself, or another name of it, begins one of the lines. */
static bool is_told(const struct buffer *lines, const struct option *of)
{
	const struct option *o = teller_of(of);
	char *text = mem_copy_text(buffer_content(lines));
	bool is_there = false;
	for (size_t i = 0; i < supported_count() && !is_there; i++) {
		const struct option *other = option_at(i);
		bool is_same =
			other == o || (o->target != OPTION_TO_NOTHING &&
				       other->target == o->target && other->offset == o->offset);
		size_t len = strlen(other->name);
		for (char *line = text; is_same && *line; line = strchr(line, '\n') + 1)
			is_there |= strncmp(line, other->name, len) == 0 &&
				    (line[len] == ':' || line[len] == ' ');
	}
	mem_free(text);
	return is_there;
}

/* What a reload says of this line, where the same file was without it. */
static bool tells_change(const char *text, const struct option *o)
{
	struct configured before, after;
	struct config_diff d;
	char head[512];
	const char *end = strrchr(text, '\n');
	snprintf(head, sizeof(head), "%.*s", end ? (int)(end - text) : 0, text);
	configure(&before, head, "");
	configure(&after, text, "");
	bool is_valid = before.rc == 0;
	config_compare(&before.config, &after.config, &d);
	bool is_late = o->change == OPTION_CHANGES_AT_RESTART;
	bool is_there = is_told(is_late ? &d.restarts : &d.changes, o);
	/* never on the other side */
	assert_true(!is_valid || !is_told(is_late ? &d.changes : &d.restarts, o) ||
		    strcmp(o->name, "durability") == 0);
	config_diff_release(&d);
	configured_release(&before);
	configured_release(&after);
	return is_there;
}

/* A row above has the same member. */
static bool is_other_name(const struct option *o)
{
	for (size_t i = 0; i < option_index(o) && o->target != OPTION_TO_NOTHING; i++)
		if (option_at(i)->target == o->target && option_at(i)->offset == o->offset)
			return true;
	return false;
}

/* Other values than the first are told, of every option from which anything follows. */
static void test_options_changes_are_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < supported_count(); i++) {
		const struct option *o = option_at(i);
		/* of an include_dir, the options of its files are told */
		bool is_there = o->status != OPTION_SUPPORTED ||
				o->change == OPTION_CHANGES_NEVER || is_other_name(o) ||
				strcmp(o->name, "include_dir") == 0;
		for (size_t j = 0; j < ARRAY_COUNT(accepted_cases) && !is_there; j++)
			is_there = begins_with_name(accepted_cases[j].text, o->name) &&
				   tells_change(accepted_cases[j].text, o);
		if (!is_there)
			print_error("a change of %s is not told\n", o->name);
		assert_true(is_there);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options_accepted_values_arrive),
		cmocka_unit_test(test_options_texts_arrive),
		cmocka_unit_test(test_options_of_anonymous_clients_here),
		cmocka_unit_test(test_options_of_access_arrive),
		cmocka_unit_test(test_options_all_obeyed_have_a_case),
		cmocka_unit_test(test_options_changes_are_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
