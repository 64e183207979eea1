# SPDX-License-Identifier: Apache-2.0
"""
Lines of mosquitto.conf that are tried one at a time: each option of mosquitto.conf(5) and of the
configuration that Debian ships, with the value that stands there, and each of its words where it
takes one of several.

What stands between braces is filled in by who runs them: {folder} holds the files that are named.
"""

# Above the listener, as in the shipped file.
GENERAL = """
per_listener_settings false
per_listener_settings true
allow_zero_length_clientid true
allow_zero_length_clientid false
auto_id_prefix auto-
check_retain_source true
check_retain_source false
max_inflight_bytes 0
max_inflight_bytes 1000
max_inflight_messages 20
max_inflight_messages 0
max_keepalive 65535
max_keepalive 10
max_packet_size 0
max_packet_size 20
max_queued_bytes 0
max_queued_messages 1000
max_queued_messages 0
memory_limit 0
message_size_limit 0
message_size_limit 1000
persistent_client_expiration 1h
persistent_client_expiration 14d
persistent_client_expiration 2w
persistent_client_expiration 2m
persistent_client_expiration 1y
pid_file {folder}/pid
queue_qos0_messages false
queue_qos0_messages true
retain_available true
retain_available false
set_tcp_nodelay false
set_tcp_nodelay true
sys_interval 10
sys_interval 0
upgrade_outgoing_qos false
upgrade_outgoing_qos true
user root
user mosquitto
allow_duplicate_messages true
allow_duplicate_messages false
autosave_interval 1800
autosave_on_changes false
autosave_on_changes true
persistence false
persistence true
persistence_file mosquitto.db
persistence_location {folder}/store/
log_dest stderr
log_dest stdout
log_dest syslog
log_dest none
log_dest topic
log_dest dlt
log_dest file {folder}/log
log_type error
log_type warning
log_type notice
log_type information
log_type none
log_type debug
log_type subscribe
log_type unsubscribe
log_type websockets
log_type all
connection_messages true
connection_messages false
log_facility 5
log_timestamp true
log_timestamp false
log_timestamp_format %Y-%m-%dT%H:%M:%S
websockets_log_level 0
clientid_prefixes secure-
allow_anonymous false
allow_anonymous true
password_file {folder}/users
acl_file {folder}/acl
psk_file {folder}/psk
retry_interval 20
store_clean_interval 10
auth_plugin {plugin}
auth_opt_config_file {folder}/rights.json
auth_plugin_deny_special_chars true
plugin {plugin}
plugin_opt_config_file {folder}/rights.json
retained_persistence true
include_dir {folder}/more
"""

# Instead of the listener, in a file that has no other.
LISTENERS = """
port {port}
bind_address 127.0.0.1
listener {port}
listener {port} 127.0.0.1
listener 0 {folder}/mosquitto.sock
"""

# Below the listener.
OF_LISTENER = """
socket_domain ipv4
socket_domain ipv6
bind_interface lo
http_dir {folder}
max_connections -1
max_connections 100
mount_point building/
protocol mqtt
protocol websockets
use_username_as_clientid true
use_username_as_clientid false
websockets_headers_size 1024
websockets_headers_size 0
max_qos 2
max_qos 1
maximum_qos 0
max_topic_alias 10
max_topic_alias 0
certfile {folder}/server.pem
keyfile {folder}/server.key
ciphers DEFAULT:!aNULL:!eNULL:!LOW:!EXPORT:!SSLv2:@STRENGTH
ciphers_tls1.3 TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256
crlfile {folder}/ca.crl
dhparamfile {folder}/dh.pem
require_certificate false
require_certificate true
cafile {folder}/ca.pem
capath {folder}/authorities
use_identity_as_username false
use_identity_as_username true
use_subject_as_username false
use_subject_as_username true
tls_version tlsv1.3
tls_version tlsv1.2
tls_version tlsv1.1
tls_engine none
tls_engine_kpass_sha1 da39a3ee5e6b4b0d3255bfef95601890afd80709
tls_keyform pem
tls_keyform engine
psk_hint hint
"""

# At the end; a bridge needs its name, an address and a topic.
OF_BRIDGE = """
connection cloud
address 127.0.0.1
addresses 127.0.0.1
topic # both 2 local/topic/ remote/topic/
topic clients/total in 0 test/mosquitto/org/ $SYS/broker/
bridge_bind_address 127.0.0.1
bridge_attempt_unsubscribe true
bridge_protocol_version mqttv311
cleansession false
local_cleansession false
idle_timeout 60
keepalive_interval 60
clientid cloud
local_clientid cloud
local_username lena
local_password secret
notifications true
notifications_local_only false
notification_topic cloud/state
remote_clientid cloud
remote_password secret
remote_username lena
username lena
password secret
restart_timeout 20
restart_timeout 10 30
restart_timeout 5 30
round_robin false
start_type automatic
start_type lazy
start_type once
threshold 10
try_private true
bridge_outgoing_retain true
bridge_max_packet_size 0
bridge_cafile {folder}/ca.pem
bridge_capath {folder}/authorities
bridge_alpn mqtt
bridge_insecure false
bridge_certfile {folder}/server.pem
bridge_keyfile {folder}/server.key
bridge_require_ocsp false
bridge_tls_version tlsv1.2
bridge_identity cloud
bridge_psk 0123456789abcdef
"""

CERTIFICATE = ("certfile {folder}/server.pem", "keyfile {folder}/server.key")
AUTHORITY = (*CERTIFICATE, "cafile {folder}/ca.pem")
CLIENTS = (*AUTHORITY, "require_certificate true")
# mosquitto 2.0.11 does not start when all its listeners speak WebSocket.
WEBSOCKETS = ("listener {other} 127.0.0.1", "protocol websockets")
BRIDGE = ("connection cloud", "address 127.0.0.1", "topic # out")
SECURE_BRIDGE = (*BRIDGE, "bridge_cafile {folder}/ca.pem")
RIGHTS = "auth_opt_config_file {folder}/rights.json"
PLUGIN = ("auth_plugin {plugin}", RIGHTS)

# What an option needs beside it, so that the line is judged and not the want of the others.
COMPANIONS = {
    "certfile": CERTIFICATE[1:], "keyfile": CERTIFICATE[:1], "ciphers": CERTIFICATE,
    "ciphers_tls1.3": CERTIFICATE, "crlfile": CLIENTS, "dhparamfile": CERTIFICATE,
    "require_certificate": AUTHORITY, "cafile": CERTIFICATE, "capath": CERTIFICATE,
    "use_identity_as_username": CLIENTS, "use_subject_as_username": CLIENTS,
    "tls_version": CERTIFICATE, "tls_engine": CERTIFICATE, "tls_engine_kpass_sha1": CERTIFICATE,
    "tls_keyform": CERTIFICATE, "psk_hint": ("psk_file {folder}/psk",),
    "websockets_headers_size": WEBSOCKETS, "http_dir": WEBSOCKETS, "protocol": WEBSOCKETS[:1],
    "auth_opt_*": PLUGIN, "auth_plugin_deny_special_chars": PLUGIN, "plugin": PLUGIN[1:],
    "auth_plugin": PLUGIN[1:], "plugin_opt_*": ("plugin {plugin}",),
    "bind_address": ("port {port}",),
    "connection": BRIDGE[1:], "address": (BRIDGE[0], BRIDGE[2]),
    "addresses": (BRIDGE[0], BRIDGE[2]), "topic": BRIDGE[:2],
    "bridge_cafile": BRIDGE, "bridge_identity": (*BRIDGE, "bridge_psk 0123456789abcdef"),
    "bridge_psk": (*BRIDGE, "bridge_identity cloud"),
    "bridge_certfile": (*SECURE_BRIDGE, "bridge_keyfile {folder}/server.key"),
    "bridge_keyfile": (*SECURE_BRIDGE, "bridge_certfile {folder}/server.pem"),
    "remote_password": (*BRIDGE, "remote_username lena"),
    "password": (*BRIDGE, "username lena"),
    "local_password": (*BRIDGE, "local_username lena"),
}
# Those stand in front of what they are needed for, whatever the line is.
IN_FRONT = {"connection": (), "address": BRIDGE[:1], "addresses": BRIDGE[:1]}


def option_of(line):
    name = line.split()[0]
    for prefix in ("auth_opt_", "plugin_opt_"):
        if name.startswith(prefix):
            return prefix + "*"
    return name


def lines_of(text):
    return text.strip().splitlines()


def parts():
    """(headline, lines) in the order of the table."""
    return [("General", lines_of(GENERAL)), ("Where to listen", lines_of(LISTENERS)),
            ("Below a listener", lines_of(OF_LISTENER)), ("Bridges", lines_of(OF_BRIDGE))]


def file_for(line):
    """The whole file in which that line is tried. A store takes time to make: only where it is
    meant."""
    is_stored = option_of(line).endswith("persistence") or "persistence_" in line
    return ([] if is_stored else ["persistence false"]) + _file_for(line)


def _file_for(line):
    listener = "listener {port} 127.0.0.1"
    option = option_of(line)
    beside = [one for one in COMPANIONS.get(option, ()) if one != line]
    if "plugin" in line or option.startswith("auth_opt"):
        # an option of a plugin stands behind it
        at = 0 if option in ("plugin", "auth_plugin") else 1
        return [*beside[:at], line, *beside[at:], listener]
    if line in lines_of(GENERAL):
        return [*beside, line, listener]
    if line in lines_of(LISTENERS):
        return [*beside, line] if "sock" not in line else [listener, line]
    if line == "socket_domain ipv6":
        return ["listener {port} ::1", line]
    if line in lines_of(OF_LISTENER):
        return [listener, *beside, line]
    front = IN_FRONT.get(option, COMPANIONS.get(option, BRIDGE))
    rest = [one for one in beside if one not in front]
    return [listener, *front, line, *rest]
