# SPDX-License-Identifier: Apache-2.0
"""
The other direction of wire.py, for cases that play the server: an encoder of the packets that
servers send, and a decoder that accepts nothing from a client but what the standard allows.
"""

import wire
from wire import (ENCODERS, LEVELS, Malformed, Packet, decode_ack, decode_properties, decode_publish,
                  encode_properties, number, u16)

# Packets that servers send


def encode_connack(fields, version):
    flags = number(fields, "flags", number(fields, "session"))
    return bytes([flags, number(fields, "code")]) + encode_properties(fields, version)


def encode_suback(fields, version):
    codes = dict(fields)["codes"].decode()
    return (u16(number(fields, "id")) + encode_properties(fields, version) +
            bytes(int(code, 0) for code in codes.split(",") if code))


def encode_unsuback(fields, version):
    return encode_suback(fields if version == "5" else [*fields, ("codes", b"")], version)


SERVER_ENCODERS = {
    "CONNACK": encode_connack, "PUBLISH": ENCODERS["PUBLISH"], "PUBACK": ENCODERS["PUBACK"],
    "PUBREC": ENCODERS["PUBREC"], "PUBREL": ENCODERS["PUBREL"], "PUBCOMP": ENCODERS["PUBCOMP"],
    "SUBACK": encode_suback, "UNSUBACK": encode_unsuback,
    "PINGRESP": ENCODERS["PINGREQ"], "DISCONNECT": ENCODERS["DISCONNECT"],
    "AUTH": ENCODERS["AUTH"],
}


def encode(packet, fields, version):
    return wire.encode(packet, fields, version, SERVER_ENCODERS)


# Packets that clients send


def decode_connect(p, body, is_5):
    if body.string() != b"MQTT" or body.number(1) != LEVELS["5" if is_5 else "311"]:
        raise Malformed("not this protocol")
    flags = body.number(1)
    p.fields.update(clean=flags >> 1 & 1, will_flag=flags >> 2 & 1)
    if flags & 1:
        raise Malformed("the reserved connect flag is 1")
    p.fields["keep-alive"] = body.number(2)
    p.properties = decode_properties(body, p.name) if is_5 else []
    p.fields["id"] = body.string()
    decode_will(p, body, flags, is_5)
    if flags & 0x80:
        p.fields["user"] = body.string()
    if flags & 0x40:
        p.fields["password"] = body.take(body.number(2))
    if flags & 0xC0 == 0x40 and not is_5:
        raise Malformed("a password without a user name")


def decode_will(p, body, flags, is_5):
    if not flags & 4:
        if flags & 0x38:
            raise Malformed("will QoS or will retain without a will")
        return
    p.fields["will-qos"] = flags >> 3 & 3
    p.fields["will-retain"] = flags >> 5 & 1
    if p.fields["will-qos"] == 3:
        raise Malformed("a will with QoS 3")
    found = decode_properties(body, "Will Properties") if is_5 else []
    p.properties += [("will." + name, value) for name, value in found]
    p.fields["will"] = body.string()
    p.fields["will-payload"] = body.take(body.number(2))


def decode_subscribe(p, body, is_5):
    p.fields["id"] = body.number(2)
    p.properties = decode_properties(body, p.name) if is_5 else []
    p.fields["filters"], p.fields["options"] = [], []
    while body.data or not p.fields["filters"]:
        p.fields["filters"].append(body.string())
        if p.name == "SUBSCRIBE":
            p.fields["options"].append(body.number(1))
    if any(options & (0xC0 if is_5 else 0xFC) or options & 3 == 3
           for options in p.fields["options"]):
        raise Malformed("subscription options that do not exist")


def decode_disconnect(p, body, is_5):
    p.fields["code"] = body.number(1) if is_5 and body.data else 0
    if is_5 and body.data:
        p.properties = decode_properties(body, p.name)


def decode_auth(p, body, is_5):
    if not is_5:
        raise Malformed("AUTH from a client of MQTT 3.1.1")
    decode_disconnect(p, body, is_5)


class ClientPacket(Packet):
    """A packet from a client."""

    decoders = {
        "CONNECT": decode_connect, "PUBLISH": decode_publish, "PUBACK": decode_ack,
        "PUBREC": decode_ack, "PUBREL": decode_ack, "PUBCOMP": decode_ack,
        "SUBSCRIBE": decode_subscribe, "UNSUBSCRIBE": decode_subscribe,
        "PINGREQ": lambda packet, body, is_5: None, "DISCONNECT": decode_disconnect,
        "AUTH": decode_auth,
    }
    sender = "a client"
