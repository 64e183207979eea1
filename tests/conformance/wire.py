# SPDX-License-Identifier: Apache-2.0
"""
MQTT packets as bytes: an encoder that writes whatever a case says, right or wrong, and a decoder
that accepts nothing from a server but what the standard allows.

The encoder takes a packet's fields as (name, bytes) pairs, as they stand in a case. A field that
the version does not have (a property in 3.1.1) is not written.
"""

from tables import FLAGS, LEVELS, PACKET_NAMES, PACKETS, PROPERTY_BY_NAME, PROPERTY_BY_NUMBER


class Malformed(Exception):
    """What a server sent is no packet of that version."""


def varint(value):
    out = b""
    while True:
        out += bytes([value % 128 | (128 if value > 127 else 0)])
        value //= 128
        if value == 0:
            return out


def u16(value):
    return value.to_bytes(2, "big")


def string(data):
    return u16(len(data)) + data


# Properties


def encode_property(name, value):
    row = PROPERTY_BY_NAME[name]
    if row.kind in ("string", "binary"):
        body = string(value)
    elif row.kind == "pair":
        body = b"".join(string(half) for half in value.split(b":", 1))
    elif row.kind == "varint":
        body = varint(int(value, 0))
    else:
        body = int(value, 0).to_bytes({"byte": 1, "u16": 2, "u32": 4}[row.kind], "big")
    return bytes([row.number]) + body


def encode_properties(fields, version, prefix=""):
    """Those fields whose names begin with `prefix` and go on with the name of a property."""
    if version != "5":
        return b""
    body = b"".join(encode_property(name.removeprefix(prefix), value) for name, value in fields
                    if name.startswith(prefix) and name.removeprefix(prefix) in PROPERTY_BY_NAME)
    return varint(len(body)) + body


# Packets that clients send


def number(fields, name, default=0):
    return int(dict(fields).get(name, str(default)), 0)


def encode_connect(fields, version):
    given = dict(fields)
    flags = number(fields, "clean", 1) << 1
    payload = string(given["id"])
    if "will" in given:
        flags |= 4 | number(fields, "will-qos") << 3 | number(fields, "will-retain") << 5
        payload += encode_properties(fields, version, "will.")
        payload += string(given["will"]) + string(given.get("will-payload", b""))
    if "user" in given:
        flags |= 0x80
        payload += string(given["user"])
    if "password" in given:
        flags |= 0x40
        payload += string(given["password"])
    return (string(given.get("protocol", b"MQTT")) +
            bytes([number(fields, "level", LEVELS[version]), number(fields, "flags", flags)]) +
            u16(number(fields, "keep-alive")) + encode_properties(fields, version) + payload)


def encode_publish(fields, version):
    given = dict(fields)
    packet_id = u16(int(given["id"], 0)) if number(fields, "qos") else b""
    return (string(given.get("topic", b"")) + packet_id + encode_properties(fields, version) +
            given.get("payload", b""))


def encode_ack(fields, version):
    properties = encode_properties(fields, version)
    body = u16(number(fields, "id"))
    if version == "5" and ("code" in dict(fields) or len(properties) > 1):
        body += bytes([number(fields, "code")])
        body += properties if len(properties) > 1 else b""
    return body


def subscription_options(words):
    """`1` or `0x40`, or the QoS and words: `1,no-local`."""
    first, *rest = words.split(b",")
    bits = {b"no-local": 4, b"as-published": 8, b"retain-if-new": 0x10, b"retain-never": 0x20}
    return sum((bits[word] for word in rest), int(first, 0))


def encode_subscribe(fields, version):
    body = u16(number(fields, "id")) + encode_properties(fields, version)
    for _, value in [f for f in fields if f[0] == "filter"]:
        topic, _, options = value.rpartition(b"@")
        body += string(topic) + bytes([subscription_options(options)])
    return body


def encode_unsubscribe(fields, version):
    body = u16(number(fields, "id")) + encode_properties(fields, version)
    return body + b"".join(string(value) for name, value in fields if name == "filter")


def encode_disconnect(fields, version):
    properties = encode_properties(fields, version)
    if version == "5" and ("code" in dict(fields) or len(properties) > 1):
        return bytes([number(fields, "code")]) + (properties if len(properties) > 1 else b"")
    return b""


ENCODERS = {
    "CONNECT": encode_connect, "PUBLISH": encode_publish, "PUBACK": encode_ack,
    "PUBREC": encode_ack, "PUBREL": encode_ack, "PUBCOMP": encode_ack,
    "SUBSCRIBE": encode_subscribe, "UNSUBSCRIBE": encode_unsubscribe,
    "PINGREQ": lambda fields, version: b"", "DISCONNECT": encode_disconnect,
    "AUTH": encode_disconnect,
}


def encode(packet, fields, version, encoders=None):
    """A whole packet. `bits` among the fields replaces the fixed header's flags."""
    flags = FLAGS.get(packet, 0)
    if packet == "PUBLISH":
        flags = (number(fields, "dup") << 3 | number(fields, "qos") << 1 |
                 number(fields, "retain"))
    body = (encoders or ENCODERS)[packet](fields, version)
    return (bytes([PACKETS[packet] << 4 | number(fields, "bits", flags)]) + varint(len(body)) +
            body)


# Packets that servers send


class Reader:
    """Takes what a packet's body holds from its front."""

    def __init__(self, data):
        self.data = data

    def take(self, count):
        if count > len(self.data):
            raise Malformed("ends in the middle of a field")
        taken, self.data = self.data[:count], self.data[count:]
        return taken

    def number(self, count):
        return int.from_bytes(self.take(count), "big")

    def string(self):
        data = self.take(self.number(2))
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise Malformed("a string is not UTF-8") from error
        if "\0" in text:
            raise Malformed("a string holds U+0000")
        return data

    def varint(self):
        value, shift = 0, 0
        while True:
            byte = self.number(1)
            value |= (byte & 127) << shift
            shift += 7
            if not byte & 128:
                break
            if shift == 28:
                raise Malformed("a variable byte integer of more than four bytes")
        if byte == 0 and shift > 7:
            raise Malformed("a variable byte integer longer than it need be")
        return value


def decode_property(body, row):
    if row.kind == "string":
        return body.string()
    if row.kind == "binary":
        return body.take(body.number(2))
    if row.kind == "pair":
        return body.string() + b":" + body.string()
    if row.kind == "varint":
        return str(body.varint()).encode()
    return str(body.number({"byte": 1, "u16": 2, "u32": 4}[row.kind])).encode()


def decode_properties(reader, packet):
    body = Reader(reader.take(reader.varint()))
    found = []
    while body.data:
        row = PROPERTY_BY_NUMBER.get(body.varint())
        if row is None or packet not in row.packets:
            raise Malformed(f"a property that {packet} does not have")
        if not row.may_repeat and row.name in dict(found):
            raise Malformed(f"{row.name} twice")
        found.append((row.name, decode_property(body, row)))
    return found


def text(value):
    if isinstance(value, bytes):
        shown = value if len(value) < 60 else value[:57] + b"..."
        return repr(shown)[2:-1]
    if isinstance(value, list):
        return ",".join(text(one) if isinstance(one, bytes) else f"0x{one:02X}" for one in value)
    return str(value)


def decode_connack(p, body, is_5):
    p.fields["flags"] = body.number(1)
    p.fields["session"] = p.fields["flags"] & 1
    p.fields["code"] = body.number(1)
    p.properties = decode_properties(body, p.name) if is_5 else []


def decode_publish(p, body, is_5):
    p.fields["dup"] = p.bits >> 3
    p.fields["qos"] = p.bits >> 1 & 3
    p.fields["retain"] = p.bits & 1
    if p.fields["qos"] == 3:
        raise Malformed("PUBLISH with QoS 3")
    p.fields["topic"] = body.string()
    if p.fields["qos"]:
        p.fields["id"] = body.number(2)
    p.properties = decode_properties(body, p.name) if is_5 else []
    p.fields["payload"] = body.take(len(body.data))


def decode_ack(p, body, is_5):
    p.fields["id"] = body.number(2)
    p.fields["code"] = body.number(1) if is_5 and body.data else 0
    if is_5 and body.data:
        p.properties = decode_properties(body, p.name)


def decode_suback(p, body, is_5):
    p.fields["id"] = body.number(2)
    p.properties = decode_properties(body, p.name) if is_5 else []
    if p.name == "SUBACK" or is_5:
        p.fields["codes"] = list(body.take(len(body.data)))


def decode_pingresp(_packet, _body, _is_5):
    pass


def decode_disconnect(p, body, is_5):
    if not is_5:
        raise Malformed(f"{p.name} from a server of MQTT 3.1.1")
    p.fields["code"] = body.number(1) if body.data else 0
    if body.data:
        p.properties = decode_properties(body, p.name)


DECODERS = {
    "CONNACK": decode_connack, "PUBLISH": decode_publish, "PUBACK": decode_ack,
    "PUBREC": decode_ack, "PUBREL": decode_ack, "PUBCOMP": decode_ack, "SUBACK": decode_suback,
    "UNSUBACK": decode_suback, "PINGRESP": decode_pingresp, "DISCONNECT": decode_disconnect,
    "AUTH": decode_disconnect,
}


class Packet:
    """A packet from a server: `fields` as numbers and bytes, `properties` as pairs of bytes."""

    decoders = DECODERS
    sender = "a server"

    def __init__(self, first, data, version):
        """`version` None: the answer to a level that nobody knows, in 3.1.1's or in 5.0's form."""
        if version is None:
            version = "311" if len(data) == 2 else "5"
        self.name = PACKET_NAMES.get(first >> 4, "type 0")
        self.bits = first & 15
        self.data = data
        self.fields = {}
        self.properties = []
        self.raw, self.size = b"", 0
        decode = self.decoders.get(self.name)
        if decode is None:
            raise Malformed(f"{self.name} from {self.sender}")
        body = Reader(data)
        decode(self, body, version == "5")
        if body.data:
            raise Malformed(f"bytes behind the end of {self.name}")

    def property_values(self, name):
        return [value for n, value in self.properties if n == name]

    def __str__(self):
        fields = [f"{name}={text(value)}" for name, value in self.fields.items()]
        fields += [f"{name}={text(value)}" for name, value in self.properties]
        return " ".join([self.name] + fields)
