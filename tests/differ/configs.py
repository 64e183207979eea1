# SPDX-License-Identifier: Apache-2.0
"""
The configuration files that both brokers are started from, as people have them, and by which
doors clients come. Both get the same text; {a} and {b} are ports and {own} a folder of the broker,
which differ since both run at the same time.
"""

from dataclasses import dataclass, field

USERS = {"lena": "secret", "olaf": "p:w d"}
PSK = "0123456789abcdef"

ACL = """\
topic read open/#
topic write in/#
user lena
topic t/#
topic deny t/secret
user olaf
topic readwrite #
topic deny t/+/b
user alice
topic t/#
user lamp
topic t/a/#
# for everybody
pattern readwrite c/%c/#
pattern readwrite u/%u/#
"""


@dataclass
class Door:
    """How clients come in: `kind` of carrier, and with what."""
    kind: str = "tcp"
    at: str = "{a}"
    # of these each client takes one by chance: (user, password)
    users: list = field(default_factory=lambda: [(None, None)])
    certificate: str = None
    identity: str = None
    mount: str = ""


@dataclass
class Configuration:
    name: str
    text: str
    doors: list = field(default_factory=lambda: [Door()])
    # names of actions that are to come often
    often: tuple = ()
    is_overlapping: bool = False  # subscriptions of one client
    is_named_by_user: bool = False


OPEN = "listener {a} 127.0.0.1\nallow_anonymous true\n"
KNOWN = [*USERS.items()]
ANY = [*KNOWN, ("lena", "wrong"), ("nobody", "x"), (None, None)]
SERVER = "certfile {folder}/server.pem\nkeyfile {folder}/server.key\n"

CONFIGURATIONS = [
    Configuration("plain", OPEN),
    Configuration("default listener", "port {a}\nbind_address 127.0.0.1\nallow_anonymous true\n"),
    Configuration("passwords", "listener {a} 127.0.0.1\npassword_file {folder}/users\n",
                  [Door(users=ANY)], ("connect",)),
    Configuration("passwords or none", OPEN + "password_file {folder}/users\n", [Door(users=ANY)],
                  ("connect",)),
    Configuration("topics of users", OPEN + "password_file {folder}/users\n"
                  "acl_file {folder}/acl\n", [Door(users=[*KNOWN, (None, None)])],
                  ("publish", "subscribe")),
    Configuration("settings of each listener",
                  "per_listener_settings true\nlistener {a} 127.0.0.1\nallow_anonymous true\n"
                  "listener {b} 127.0.0.1\npassword_file {folder}/users\nacl_file {folder}/acl\n",
                  [Door(), Door(at="{b}", users=ANY)], ("connect", "publish", "subscribe")),
    Configuration("max_qos", OPEN + "max_qos 1\n", often=("publish", "subscribe")),
    Configuration("max_packet_size", "max_packet_size 200\n" + OPEN, often=("publish",)),
    Configuration("queues", "max_inflight_messages 2\nmax_queued_messages 5\n" + OPEN,
                  often=("publish", "hold", "release", "absent")),
    Configuration("queues of everything", "queue_qos0_messages true\nmax_queued_bytes 4000\n"
                  + OPEN, often=("publish", "absent")),
    Configuration("certificates", "listener {a} 127.0.0.1\n" + SERVER +
                  "cafile {folder}/ca.pem\nrequire_certificate true\n"
                  "use_identity_as_username true\nacl_file {folder}/acl\ncrlfile {folder}/ca.crl\n",
                  [Door("tls", certificate="alice"), Door("tls", certificate="mallory"),
                   Door("tls")]),
    Configuration("shared keys", "psk_file {folder}/psk\nlistener {a} 127.0.0.1\npsk_hint hint\n"
                  "use_identity_as_username true\nacl_file {folder}/acl\n",
                  [Door("psk", identity="lamp")]),
    Configuration("WebSocket", OPEN + "listener {b} 127.0.0.1\nprotocol websockets\n",
                  [Door(), Door("ws", "{b}")]),
    Configuration("Unix socket", OPEN + "listener 0 {own}/mqtt.sock\n",
                  [Door(), Door("unix", "{own}/mqtt.sock")]),
    Configuration("nothing retained", "retain_available false\n" + OPEN,
                  often=("publish", "connect")),
    Configuration("max_keepalive", "max_keepalive 30\n" + OPEN, often=("connect", "silence")),
    Configuration("sessions that end", "persistent_client_expiration 1h\n"
                  "upgrade_outgoing_qos true\n" + OPEN, often=("connect", "absent")),
    Configuration("client ids", "clientid_prefixes c1\nallow_zero_length_clientid false\n" + OPEN,
                  often=("connect",)),
    Configuration("user names as client ids", OPEN + "use_username_as_clientid true\n",
                  [Door(users=[*KNOWN, (None, None)])], ("connect",), is_named_by_user=True),
    Configuration("overlapping subscriptions", OPEN + "allow_duplicate_messages false\n",
                  often=("subscribe", "publish"), is_overlapping=True),
    Configuration("mount_point", OPEN + "listener {b} 127.0.0.1\nmount_point t/\n"
                  "allow_anonymous true\n", [Door(), Door(at="{b}", mount="t/")]),
    Configuration("include_dir", "include_dir {folder}/more\n" + OPEN),
    Configuration("Debian's own", "pid_file {own}/pid\npersistence true\n"
                  "persistence_location {own}/store/\nlog_dest file {own}/log\n" + OPEN,
                  often=("absent",)),
    Configuration("no topic aliases", OPEN + "max_topic_alias 0\nset_tcp_nodelay true\n"
                  "max_connections 100\nmax_inflight_messages 1\n", often=("publish",)),
]
