# SPDX-License-Identifier: Apache-2.0
"""
A broker that runs, and the connections to it. What a connection hears is kept in a form in which
two brokers that do the same give the same: no packet ids of the broker's choice, topic aliases
resolved, what is only told in words left out.
"""

import itertools
import os
import signal
import subprocess
import time

from carriers import TIMEOUT, Plain, SharedKey, WebSocket, tcp, tls, unix
from configs import PSK
from support import packets as p

PROPERTY_NAMES = {value: name.lower() for name, value in vars(p).items()
                  if name.isupper() and isinstance(value, int) and not hasattr(p.connect, name)}
for number, name in ((0x1F, "reason_string"), (0x02, "message_expiry"), (0x11, "session_expiry"),
                     (0x12, "assigned_id"), (0x13, "server_keep_alive"), (0x21, "receive_maximum"),
                     (0x22, "topic_alias_maximum"), (0x24, "maximum_qos"), (0x26, "user"),
                     (0x25, "retain_available"), (0x27, "maximum_packet_size"),
                     (0x01, "payload_format"), (0x03, "content_type"), (0x08, "response_topic"),
                     (0x09, "correlation_data"), (0x0B, "subscription_id"), (0x23, "alias")):
    PROPERTY_NAMES[number] = name


class Item:
    """One packet as it is compared: its name and its fields."""

    def __init__(self, name, fields, topic=None):
        self.name, self.fields, self.topic = name, fields, topic
        self.stream = topic or ("" if name == "PUBREL" else " answers")

    def __str__(self):
        code = self.fields.get("code")
        return self.name + (f" {code}" if code not in (None, "0x00") else "")


def fields_of(packet):
    fields = {}
    if packet.kind in (p.CONNACK, p.PUBACK, p.PUBREC, p.PUBREL, p.PUBCOMP, p.DISCONNECT):
        fields["code"] = f"0x{packet.code:02x}"
    if packet.kind == p.CONNACK:
        fields["session present"] = str(int(packet.session_present))
    if packet.kind in (p.SUBACK, p.UNSUBACK):
        fields["codes"] = " ".join(f"0x{code:02x}" for code in packet.codes)
    if packet.kind == p.PUBLISH:
        fields.update(qos=str(packet.qos), retain=str(int(packet.retain)),
                      dup=str(int(packet.dup)), payload=packet.payload[:20].decode("latin1"))
    for identifier, value in packet.props:
        name = PROPERTY_NAMES.get(identifier, hex(identifier))
        if name == "reason_string" or name == "alias":
            continue
        if name == "assigned_id":
            value = "some"
        if name == "message_expiry":  # seconds may have passed
            value = "some" if value > 900 else value
        fields[name] = f"{fields[name]}, {value}" if name in fields else str(value)
    return fields


class Connection:
    def __init__(self, link, version, mount=""):
        self.mount = mount  # a prefix that this broker leaves on topics
        self.link, self.version = link, version
        self.splitter, self.aliases = p.Splitter(), {}
        self.heard, self.held = [], []
        self.is_open, self.is_holding = True, False

    def send(self, data):
        if self.is_open:
            self.link.send(data)

    def read(self):
        """The next packet, kept and answered; None at the end."""
        while True:
            found = self.splitter.next()
            if found:
                kind, flags, body, _ = found
                # who is refused for his level may be answered in another's form
                version = self.version
                if kind == p.CONNACK:
                    version = 4 if len(body) == 2 else 5
                return self.take(p.parse(kind, flags, body, version))
            data = self.link.receive()
            if not data:
                self.end()
                self.heard.append(Item("END", {}))
                return None
            self.splitter.feed(data)

    def take(self, packet):
        if packet.kind == p.PINGRESP:
            return packet
        topic = None
        if packet.kind == p.PUBLISH:
            topic = self.topic_of(packet)
        is_will = packet.kind == p.PUBLISH and packet.payload.startswith(b"will ")
        name = "WILL" if is_will else p.NAMES[packet.kind]
        self.heard.append(Item(name, fields_of(packet), topic))
        for answer in self.answers(packet):
            if self.is_holding and packet.kind == p.PUBLISH:
                self.held.append(answer)
            else:
                self.send(answer)
        return packet

    def topic_of(self, packet):
        alias = packet.first(p.ALIAS)
        if alias and packet.topic:
            self.aliases[alias] = packet.topic
        return (packet.topic or self.aliases[alias]).removeprefix(self.mount)

    @staticmethod
    def answers(packet):
        if packet.kind == p.PUBLISH and packet.qos:
            yield p.ack(p.PUBACK if packet.qos == 1 else p.PUBREC, packet.packet_id)
        if packet.kind == p.PUBREC and packet.code < 0x80:
            yield p.ack(p.PUBREL, packet.packet_id)
        if packet.kind == p.PUBREL:
            yield p.ack(p.PUBCOMP, packet.packet_id)

    def release(self):
        self.is_holding = False
        for answer in self.held:
            self.send(answer)
        self.held = []

    def ping(self):
        """True when it heard something else before the answer."""
        count = len(self.heard)
        self.send(p.PING)
        while self.is_open:
            packet = self.read()
            if packet is not None and packet.kind == p.PINGRESP:
                break
        return len(self.heard) > count

    def end(self):
        self.is_open = False
        self.link.close()

    def taken(self):
        """What it heard since it was asked last."""
        heard, self.heard = self.heard, []
        return heard


class Server:
    """A broker, started from a configuration."""

    def __init__(self, command, configuration, folder, own, authority, ports, environment=None):
        own.mkdir(mode=0o777)
        (own / "store").mkdir(mode=0o777)
        self.configuration, self.authority = configuration, authority
        self.names = {"folder": folder, "own": own, **ports}
        path = own / "broker.conf"
        text = configuration.text.format(**self.names) + "user root\n"
        # mosquitto's default is to store nothing; an answer that waits for a disk comes late
        self.is_stored = "persistence" in text
        path.write_text(text if self.is_stored else text + "persistence false\n")
        self.slots, self.log = {}, own / "said"
        with self.log.open("w") as out:
            self.process = subprocess.Popen(
                [*command, "-c", str(path)], stdout=out, stderr=out, stdin=subprocess.DEVNULL,
                env={**os.environ, **(environment or {})})
        for name, port in ports.items():
            if "{" + name + "}" in configuration.text:
                self._wait(int(port))

    def _wait(self, port):
        deadline = time.monotonic() + TIMEOUT
        while True:
            try:
                return tcp(port).close()
            except ConnectionRefusedError:
                is_over = self.process.poll() is not None or time.monotonic() > deadline
                if is_over:
                    raise SystemExit(f"{self.process.args} does not start with "
                                     f"{self.configuration.name}:\n{self.log.read_text()}") from None
                time.sleep(0.005)

    def link(self, number):
        """A carrier through that door; None when it let nobody in."""
        door = self.configuration.doors[number]
        at = door.at.format(**self.names)
        if door.kind == "psk":
            return SharedKey(int(at), door.identity, PSK)
        if door.kind == "ws":
            return WebSocket(tcp(int(at)))
        if door.kind == "unix":
            return Plain(unix(at))
        if door.kind == "tls":
            sock = tls(int(at), self.authority, door.certificate)
            return Plain(sock) if sock else None
        return Plain(tcp(int(at)))

    def connect(self, slot, version, data, door=0):
        link = self.link(door)
        if link is None:
            return [Item("NO TLS", {})]
        # mosquitto 2.0.11 forgets to take it off, against its manual
        forgets = self.process.args[0].endswith("mosquitto")
        mount = self.configuration.doors[door].mount if forgets else ""
        connection = Connection(link, version, mount)
        connection.send(data)
        while connection.is_open and not connection.heard:
            connection.read()
        if connection.is_open and connection.heard[0].fields.get("code") != "0x00":
            while connection.is_open:
                connection.read()
        if connection.is_open:
            self.slots[slot] = connection
            return []
        return connection.taken()

    def settle(self, first=None):
        """
        Until nothing more comes: whoever has acted is asked first, and then all, until two rounds
        have brought nothing. In one of these the other end may have seen what was cut.
        """
        quiet = 0
        while quiet < 2:
            if self.is_stored:
                time.sleep(0.03)
            order = sorted(self.slots, key=lambda slot: slot != first)
            has_news = [self.slots[slot].ping() for slot in order if self.slots[slot].is_open]
            quiet = 0 if any(has_news) else quiet + 1

    def forget_closed(self):
        self.slots = {slot: one for slot, one in self.slots.items() if one.is_open}

    def stop(self):
        for connection in self.slots.values():
            if connection.is_open:
                connection.end()
        for at in itertools.count():
            if self.process.poll() is None and (at == 0 or "mosquitto" in self.process.args[0]):
                self.process.send_signal(signal.SIGTERM)
            try:
                return self.process.wait(0.5)
            except subprocess.TimeoutExpired:
                if at > 40:
                    self.process.kill()
