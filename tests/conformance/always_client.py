# SPDX-License-Identifier: Apache-2.0
"""Statements that hold for every packet a client sends, looked at in every case of a client."""

from always import Rule, both, flags_are_right, has_no
from tables import reason_codes

WITH_ID = ("PUBLISH", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP", "SUBSCRIBE", "UNSUBSCRIBE")
# What may be sent while a server has not answered, when an authentication method was named.
BEFORE_CONNACK = ("CONNECT", "AUTH", "DISCONNECT")


def wildcards_are_whole(_connection, packet):
    """`+` and `#` fill their levels, `#` is the last."""
    for topic_filter in packet.fields["filters"]:
        levels = topic_filter.split(b"/")
        if any(set(b"+#") & set(level) and len(level) > 1 for level in levels):
            return False
        if b"#" in levels[:-1]:
            return False
    return True


def shares_are_named(_connection, packet):
    shared = [f.split(b"/", 2) for f in packet.fields["filters"] if f.startswith(b"$share/")]
    return all(len(parts) == 3 and parts[1] and not set(b"+#") & set(parts[1]) and parts[2]
               for parts in shared)


def no_local_is_alone(_connection, packet):
    return not any(f.startswith(b"$share/") and options & 4 for f, options
                   in zip(packet.fields["filters"], packet.fields["options"]))


def is_shared(_connection, packet):
    return any(f.startswith(b"$share/") for f in packet.fields["filters"])


def codes_of(packet_name, statement):
    allowed = reason_codes(packet_name, "client")
    return Rule(f"{packet_name} holds only a client's reason codes", {"5": [statement]},
                (packet_name,), lambda c, p: p.fields["code"] in allowed)


def small_enough(packet_name, *ids):
    return Rule(f"{packet_name} keeps to the server's Maximum Packet Size", {"5": list(ids)},
                (packet_name,), lambda c, p: p.size <= c.packet_size_max,
                lambda c, p: c.packet_size_max < 100)


def after_disconnect(connection, _packet):
    """Asked of every packet: none comes behind a DISCONNECT."""
    return not any(p.name == "DISCONNECT" for p in connection.seen[:-1])


def packet_rules():
    return [
        Rule("reserved flags have their value", both("MQTT-2.2.2-1", "MQTT-2.1.3-1"), (),
             flags_are_right),
        Rule("a packet id is not 0", both("MQTT-2.3.1-1", "MQTT-2.2.1-3"), WITH_ID,
             lambda c, p: p.fields["id"] != 0, lambda c, p: "id" in p.fields),
        Rule("the first packet is CONNECT", both("MQTT-3.1.0-1", "MQTT-3.1.0-1"), (),
             lambda c, p: p.name == "CONNECT", lambda c, p: c.packet_count == 1),
        Rule("DUP is 0 at QoS 0", both("MQTT-3.3.1-2", "MQTT-3.3.1-2"), ("PUBLISH",),
             lambda c, p: p.fields["dup"] == 0, lambda c, p: p.fields["qos"] == 0),
        Rule("a topic has no wildcards", both("MQTT-3.3.2-2", "MQTT-3.3.2-2"), ("PUBLISH",),
             lambda c, p: not set(b"+#") & set(p.fields["topic"])),
        Rule("a topic has a character", both("MQTT-4.7.3-1", "MQTT-4.7.3-1"), ("PUBLISH",),
             lambda c, p: p.fields["topic"]),
        Rule("wildcards fill their level", {"311": ["MQTT-4.7.1-2", "MQTT-4.7.1-3"],
                                            "5": ["MQTT-4.7.1-1", "MQTT-4.7.1-2"]},
             ("SUBSCRIBE", "UNSUBSCRIBE"), wildcards_are_whole),
        Rule("PUBREL begins with 62", both("MQTT-3.6.1-1", "MQTT-3.6.1-1"), ("PUBREL",),
             flags_are_right),
        Rule("SUBSCRIBE begins with 82", both("MQTT-3.8.1-1", "MQTT-3.8.1-1"), ("SUBSCRIBE",),
             flags_are_right),
        Rule("UNSUBSCRIBE begins with A2", both("MQTT-3.10.1-1", "MQTT-3.10.1-1"),
             ("UNSUBSCRIBE",), flags_are_right),
        Rule("nothing follows DISCONNECT", both("MQTT-3.14.4-2", "MQTT-3.14.4-1"), (),
             after_disconnect),
    ]


def property_rules():
    return [
        Rule("share names have a character, and no wildcards",
             {"5": ["MQTT-4.8.2-1", "MQTT-4.8.2-2"]}, ("SUBSCRIBE",), shares_are_named, is_shared),
        Rule("No Local does not stand on a shared subscription", {"5": ["MQTT-3.8.3-4"]},
             ("SUBSCRIBE",), no_local_is_alone, is_shared),
        Rule("no packet is larger than the server's maximum", {"5": ["MQTT-3.2.2-15"]}, (),
             lambda c, p: p.size <= c.packet_size_max, lambda c, p: c.packet_size_max < 1 << 28),
        Rule("no QoS above the server's", {"5": ["MQTT-3.2.2-11"]}, ("PUBLISH",),
             lambda c, p: p.fields["qos"] <= c.qos_max, lambda c, p: c.qos_max < 2),
        Rule("no RETAIN to a server that keeps none", {"5": ["MQTT-3.2.2-14"]}, ("PUBLISH",),
             lambda c, p: not p.fields["retain"], lambda c, p: not c.retain_available),
        Rule("no alias to a server that allows none", {"5": ["MQTT-3.2.2-18"]}, ("PUBLISH",),
             has_no("topic-alias"), lambda c, p: c.alias_max == 0),
        Rule("no alias above the server's maximum, none is 0",
             {"5": ["MQTT-3.2.2-17", "MQTT-3.3.2-9", "MQTT-3.3.2-8"]}, ("PUBLISH",),
             lambda c, p: all(0 < int(a) <= c.alias_max
                              for a in p.property_values("topic-alias")),
             lambda c, p: p.property_values("topic-alias")),
        Rule("PUBLISH has no Subscription Identifier", {"5": ["MQTT-3.3.4-6"]}, ("PUBLISH",),
             has_no("subscription-identifier")),
        codes_of("PUBACK", "MQTT-3.4.2-1"), codes_of("PUBREC", "MQTT-3.5.2-1"),
        codes_of("PUBREL", "MQTT-3.6.2-1"), codes_of("PUBCOMP", "MQTT-3.7.2-1"),
        codes_of("DISCONNECT", "MQTT-3.14.2-1"), codes_of("AUTH", "MQTT-3.15.2-1"),
        small_enough("PUBACK", "MQTT-3.4.2-2", "MQTT-3.4.2-3"),
        small_enough("PUBREC", "MQTT-3.5.2-2", "MQTT-3.5.2-3"),
        small_enough("PUBREL", "MQTT-3.6.2-2", "MQTT-3.6.2-3"),
        small_enough("PUBCOMP", "MQTT-3.7.2-2", "MQTT-3.7.2-3"),
        small_enough("DISCONNECT", "MQTT-3.14.2-3", "MQTT-3.14.2-4"),
        small_enough("AUTH", "MQTT-3.15.2-2", "MQTT-3.15.2-3"),
        Rule("no AUTH without a method in CONNECT", {"5": ["MQTT-4.12.0-7"]}, (),
             lambda c, p: p.name != "AUTH", lambda c, p: not c.method),
        Rule("AUTH has the method of CONNECT", {"5": ["MQTT-4.12.0-5", "MQTT-4.12.1-1"]},
             ("AUTH",), lambda c, p: p.property_values("authentication-method") == c.method,
             lambda c, p: c.method),
        Rule("only AUTH and DISCONNECT before CONNACK, where a method was named",
             {"5": ["MQTT-3.1.2-30"]}, (), lambda c, p: p.name in BEFORE_CONNACK,
             lambda c, p: c.method and not c.has_connack),
    ]


def client_rules():
    return packet_rules() + property_rules()
