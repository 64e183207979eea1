# SPDX-License-Identifier: Apache-2.0
"""
MQTT packets as bytes, independent of the product's own codec, and able to be wrong on purpose.

Builders return bytes. `Parser` turns received bytes into `Packet`s. Properties are lists of
(identifier, value) in the order of the wire; a user property's value is a pair.
"""

from dataclasses import dataclass, field

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBSCRIBE, SUBACK, UNSUBSCRIBE, \
    UNSUBACK, PINGREQ, PINGRESP, DISCONNECT, AUTH = range(1, 16)
NAMES = ("RESERVED CONNECT CONNACK PUBLISH PUBACK PUBREC PUBREL PUBCOMP SUBSCRIBE SUBACK "
         "UNSUBSCRIBE UNSUBACK PINGREQ PINGRESP DISCONNECT AUTH").split()

PAYLOAD_FORMAT, MESSAGE_EXPIRY, CONTENT_TYPE, RESPONSE_TOPIC = 0x01, 0x02, 0x03, 0x08
CORRELATION_DATA, SUBSCRIPTION_ID, SESSION_EXPIRY, ASSIGNED_ID = 0x09, 0x0B, 0x11, 0x12
SERVER_KEEP_ALIVE, AUTH_METHOD, AUTH_DATA, REQUEST_PROBLEM = 0x13, 0x15, 0x16, 0x17
WILL_DELAY, REQUEST_RESPONSE, RESPONSE_INFORMATION, SERVER_REFERENCE = 0x18, 0x19, 0x1A, 0x1C
REASON_STRING, RECEIVE_MAXIMUM, ALIAS_MAXIMUM, ALIAS = 0x1F, 0x21, 0x22, 0x23
MAXIMUM_QOS, RETAIN_AVAILABLE, USER, MAXIMUM_PACKET = 0x24, 0x25, 0x26, 0x27
WILDCARD_AVAILABLE, IDS_AVAILABLE, SHARED_AVAILABLE = 0x28, 0x29, 0x2A

_BYTE, _TWO, _FOUR, _VARIABLE, _TEXT, _BINARY, _PAIR = range(7)
_KINDS = {
    0x01: _BYTE, 0x02: _FOUR, 0x03: _TEXT, 0x08: _TEXT, 0x09: _BINARY, 0x0B: _VARIABLE,
    0x11: _FOUR, 0x12: _TEXT, 0x13: _TWO, 0x15: _TEXT, 0x16: _BINARY, 0x17: _BYTE, 0x18: _FOUR,
    0x19: _BYTE, 0x1A: _TEXT, 0x1C: _TEXT, 0x1F: _TEXT, 0x21: _TWO, 0x22: _TWO, 0x23: _TWO,
    0x24: _BYTE, 0x25: _BYTE, 0x26: _PAIR, 0x27: _FOUR, 0x28: _BYTE, 0x29: _BYTE, 0x2A: _BYTE}


def as_bytes(text):
    return text if isinstance(text, bytes) else text.encode()


def u16(value):
    return value.to_bytes(2, "big")


def variable(value):
    """A variable byte integer in its shortest form."""
    out = bytearray()
    while True:
        value, low = divmod(value, 128)
        out.append(low | (0x80 if value else 0))
        if not value:
            return bytes(out)


def text(value):
    """Two bytes of length and the bytes; `value` as bytes may be any."""
    raw = as_bytes(value)
    return u16(len(raw)) + raw


def one_property(identifier, value):
    kind = _KINDS[identifier]
    if kind == _PAIR:
        body = text(value[0]) + text(value[1])
    elif kind in (_TEXT, _BINARY):
        body = text(value)
    elif kind == _VARIABLE:
        body = variable(value)
    else:
        body = value.to_bytes({_BYTE: 1, _TWO: 2, _FOUR: 4}[kind], "big")
    return bytes([identifier]) + body


def properties(items):
    """The length and the properties; bytes are taken as they are, behind a right length."""
    raw = items if isinstance(items, bytes) else b"".join(one_property(*item) for item in items)
    return variable(len(raw)) + raw


def packet(kind, body=b"", flags=0):
    return bytes([kind << 4 | flags]) + variable(len(body)) + body


@dataclass
class Will:
    topic: str
    payload: bytes = b""
    qos: int = 0
    retain: bool = False
    props: list = field(default_factory=list)


def connect(client_id="", version=5, clean=True, keep_alive=60, props=(), will=None, user=None,
            password=None, name=None, flags=None):
    """`name` and `flags` override what is right."""
    name = name if name is not None else ("MQIsdp" if version == 3 else "MQTT")
    bits = 0x02 if clean else 0
    payload = text(client_id)
    if will is not None:
        bits |= 0x04 | will.qos << 3 | (0x20 if will.retain else 0)
        if version >= 5:
            payload += properties(will.props)
        payload += text(will.topic) + text(will.payload)
    if user is not None:
        bits |= 0x80
        payload += text(user)
    if password is not None:
        bits |= 0x40
        payload += text(password)
    body = text(name) + bytes([version, bits if flags is None else flags]) + u16(keep_alive)
    if version >= 5:
        body += properties(props)
    return packet(CONNECT, body + payload)


def publish(topic, payload=b"", qos=0, packet_id=None, version=5, dup=False, retain=False,
            props=(), flags=None):
    if flags is None:
        flags = (8 if dup else 0) | qos << 1 | (1 if retain else 0)
    body = text(topic)
    if packet_id is not None:
        body += u16(packet_id)
    if version >= 5:
        body += properties(props)
    return packet(PUBLISH, body + as_bytes(payload), flags)


def ack(kind, packet_id, code=None, props=None, flags=None):
    body = u16(packet_id)
    if code is not None:
        body += bytes([code])
    if props is not None:
        body += properties(props)
    return packet(kind, body, (2 if kind == PUBREL else 0) if flags is None else flags)


def subscribe(packet_id, filters, version=5, props=(), flags=2):
    """`filters` is a list of (filter, options byte)."""
    body = u16(packet_id)
    if version >= 5:
        body += properties(props)
    for topic_filter, options in filters:
        body += text(topic_filter) + bytes([options])
    return packet(SUBSCRIBE, body, flags)


def unsubscribe(packet_id, filters, version=5, props=(), flags=2):
    body = u16(packet_id)
    if version >= 5:
        body += properties(props)
    return packet(UNSUBSCRIBE, body + b"".join(text(f) for f in filters), flags)


def disconnect(version=5, code=None, props=None):
    body = b""
    if version >= 5 and code is not None:
        body = bytes([code]) + (properties(props) if props is not None else b"")
    return packet(DISCONNECT, body)


PING = packet(PINGREQ)


@dataclass
class Packet:
    """A packet received from a broker. What it does not have keeps the default."""
    kind: int
    flags: int
    raw: bytes
    packet_id: int = None
    code: int = 0
    codes: list = field(default_factory=list)
    session_present: bool = False
    topic: str = None
    payload: bytes = b""
    props: list = field(default_factory=list)

    @property
    def qos(self):
        return self.flags >> 1 & 3

    @property
    def dup(self):
        return bool(self.flags & 8)

    @property
    def retain(self):
        return bool(self.flags & 1)

    def all(self, identifier):
        return [value for name, value in self.props if name == identifier]

    def first(self, identifier):
        values = self.all(identifier)
        return values[0] if values else None

    def __repr__(self):
        shown = {k: v for k, v in vars(self).items()
                 if k not in ("kind", "raw") and v not in (None, b"", [], 0, False)}
        if self.kind == PUBLISH:
            shown.update(qos=self.qos, dup=self.dup, retain=self.retain,
                         payload=self.payload[:40])
        return f"{NAMES[self.kind]}({', '.join(f'{k}={v!r}' for k, v in shown.items())})"


class _Reader:
    def __init__(self, raw):
        self.raw = raw
        self.at = 0

    def take(self, count):
        assert self.at + count <= len(self.raw), f"the broker sent a short packet: {self.raw!r}"
        self.at += count
        return self.raw[self.at - count:self.at]

    def number(self, count):
        return int.from_bytes(self.take(count), "big")

    def variable(self):
        value = shift = 0
        while True:
            byte = self.number(1)
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return value

    def left(self):
        return len(self.raw) - self.at

    def properties(self):
        length = self.variable()
        end = self.at + length
        out = []
        while self.at < end:
            identifier = self.number(1)
            kind = _KINDS[identifier]
            if kind == _PAIR:
                value = (self.take(self.number(2)).decode(), self.take(self.number(2)).decode())
            elif kind == _TEXT:
                value = self.take(self.number(2)).decode()
            elif kind == _BINARY:
                value = self.take(self.number(2))
            elif kind == _VARIABLE:
                value = self.variable()
            else:
                value = self.number({_BYTE: 1, _TWO: 2, _FOUR: 4}[kind])
            out.append((identifier, value))
        assert self.at == end, f"the broker sent bad properties: {self.raw!r}"
        return out


def parse(kind, flags, body, version):
    """One packet that a broker sent. Short or over-long ones fail the test."""
    out = Packet(kind, flags, body)
    r = _Reader(body)
    if kind == CONNACK:
        acknowledge = r.number(1)
        assert acknowledge in (0, 1)
        out.session_present = bool(acknowledge)
        out.code = r.number(1)
        if version >= 5 and r.left():
            out.props = r.properties()
    elif kind == PUBLISH:
        out.topic = r.take(r.number(2)).decode()
        if out.qos:
            out.packet_id = r.number(2)
        if version >= 5:
            out.props = r.properties()
        out.payload = r.take(r.left())
    elif kind in (PUBACK, PUBREC, PUBREL, PUBCOMP):
        assert flags == (2 if kind == PUBREL else 0)
        out.packet_id = r.number(2)
        if version >= 5 and r.left():
            out.code = r.number(1)
            if r.left():
                out.props = r.properties()
    elif kind in (SUBACK, UNSUBACK):
        out.packet_id = r.number(2)
        if version >= 5:
            out.props = r.properties()
        out.codes = list(r.take(r.left()))
    elif kind in (DISCONNECT, AUTH):
        assert version >= 5, "a server sends DISCONNECT and AUTH in version 5 only"
        if r.left():
            out.code = r.number(1)
        if r.left():
            out.props = r.properties()
    else:
        assert kind == PINGRESP, f"a server does not send {NAMES[kind]}"
    assert r.left() == 0, f"bytes behind the end of {NAMES[kind]}: {body!r}"
    return out


class Splitter:
    """Cuts a byte stream into (type, flags, body, whole bytes)."""

    def __init__(self):
        self.buffer = bytearray()

    def feed(self, data):
        self.buffer += data

    def next(self):
        """None when no whole packet is there."""
        buffer, length = self.buffer, 0
        for i in range(1, 5):
            if len(buffer) <= i:
                return None
            length |= (buffer[i] & 0x7F) << 7 * (i - 1)
            if not buffer[i] & 0x80:
                break
        else:
            raise AssertionError(f"bad remaining length: {bytes(buffer[:5])!r}")
        total = 1 + i + length
        if len(buffer) < total:
            return None
        whole = bytes(buffer[:total])
        del buffer[:total]
        return whole[0] >> 4, whole[0] & 15, whole[1 + i:], whole
