# SPDX-License-Identifier: Apache-2.0
"""
Statements that hold for every packet a server sends: looked at in every case, reported as cases of
their own.
"""

from tables import FLAGS, reason_codes

WITH_ID = ("PUBLISH", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP", "SUBACK", "UNSUBACK")
ACKS = ("PUBACK", "PUBREC", "PUBREL", "PUBCOMP")
CODES_3 = {0, 1, 2, 0x80}
TALKATIVE = ("CONNACK", "PUBLISH", "DISCONNECT")


class Rule:
    """A statement about a packet `p` on connection `c`; `applies` says which packets show it."""

    def __init__(self, title, ids, packets, holds, applies=lambda c, p: True):
        self.title = title
        self.ids = ids
        self.packets = packets
        self.holds = holds
        self.applies = applies
        self.seen = {"311": 0, "5": 0}
        self.broken = {"311": [], "5": []}

    def name(self, version):
        return f"{version:3} {self.ids[version][0]}  everywhere: {self.title}"

    def look(self, connection, packet, case):
        version = connection.version
        if version not in self.ids or (self.packets and packet.name not in self.packets):
            return None
        if not self.applies(connection, packet):
            return None
        self.seen[version] += 1
        if self.holds(connection, packet):
            return None
        self.broken[version].append(case)
        return f"{self.ids[version][0]}: {self.title}: {packet}"


def flags_are_right(_connection, packet):
    return packet.name == "PUBLISH" or packet.bits == FLAGS.get(packet.name, 0)


def both(id_3, id_5):
    return {"311": [id_3], "5": [id_5]}


def codes_of(packet_name, *ids):
    allowed = reason_codes(packet_name, "server")
    return Rule(f"{packet_name} holds only its own reason codes", {"5": list(ids)}, (packet_name,),
                lambda c, p: set(p.fields.get("codes", [p.fields.get("code")])) <= allowed,
                lambda c, p: not c.is_level_unknown)


def small_enough(packet_name, *ids):
    """Towards a client with a small maximum: Reason String and User Property give way."""
    return Rule(f"{packet_name} keeps to the client's Maximum Packet Size", {"5": list(ids)},
                (packet_name,), lambda c, p: p.size <= c.packet_size_max,
                lambda c, p: c.packet_size_max < 100)


def has_no(*names):
    return lambda c, p: not any(p.property_values(name) for name in names)


def rules():
    return [
        Rule("reserved flags have their value", both("MQTT-2.2.2-1", "MQTT-2.1.3-1"), (),
             flags_are_right),
        Rule("a packet id is not 0", both("MQTT-2.3.1-1", "MQTT-2.2.1-4"), WITH_ID,
             lambda c, p: p.fields["id"] != 0, lambda c, p: "id" in p.fields),
        Rule("the first packet is CONNACK", both("MQTT-3.2.0-1", "MQTT-3.2.0-1"), (),
             lambda c, p: p.name in ("CONNACK", "AUTH"), lambda c, p: c.packet_count == 1),
        Rule("a connection has one CONNACK", {"5": ["MQTT-3.2.0-2"]}, ("CONNACK",),
             lambda c, p: c.connack_count == 1),
        Rule("the CONNACK's reserved flags are 0", {"5": ["MQTT-3.2.2-1"]}, ("CONNACK",),
             lambda c, p: p.fields["flags"] < 2),
        Rule("a refusing CONNACK has session present 0", both("MQTT-3.2.2-4", "MQTT-3.2.2-6"),
             ("CONNACK",), lambda c, p: p.fields["session"] == 0, lambda c, p: p.fields["code"]),
        Rule("a CONNACK's code is one of six", {"311": ["MQTT-3.2.2-6"]}, ("CONNACK",),
             lambda c, p: p.fields["code"] <= 5),
        Rule("DUP is 0 at QoS 0", both("MQTT-3.3.1-2", "MQTT-3.3.1-2"), ("PUBLISH",),
             lambda c, p: p.fields["dup"] == 0, lambda c, p: p.fields["qos"] == 0),
        Rule("topics that a server sends have no wildcards", both("MQTT-3.3.2-2", "MQTT-3.3.2-2"),
             ("PUBLISH",), lambda c, p: not set(b"+#") & set(p.fields["topic"])),
        Rule("PUBREL begins with 62", both("MQTT-3.6.1-1", "MQTT-3.6.1-1"), ("PUBREL",),
             flags_are_right),
        Rule("SUBACK codes are 00, 01, 02 or 80", {"311": ["MQTT-3.9.3-2"]}, ("SUBACK",),
             lambda c, p: set(p.fields["codes"]) <= CODES_3),
        Rule("no packet is larger than the client's maximum", {"5": ["MQTT-3.1.2-24"]}, (),
             lambda c, p: p.size <= c.packet_size_max, lambda c, p: c.packet_size_max < 1 << 28),
        Rule("no alias to a client that allows none", {"5": ["MQTT-3.1.2-27"]}, ("PUBLISH",),
             has_no("topic-alias"), lambda c, p: c.alias_max == 0),
        Rule("no alias above the client's maximum", {"5": ["MQTT-3.1.2-26", "MQTT-3.3.2-11"]},
             ("PUBLISH",), lambda c, p: all(0 < int(a) <= c.alias_max
                                            for a in p.property_values("topic-alias")),
             lambda c, p: c.alias_max and p.property_values("topic-alias")),
        Rule("no Response Information unless asked", {"5": ["MQTT-3.1.2-28"]}, ("CONNACK",),
             has_no("response-information"), lambda c, p: not c.wants_response_information),
        Rule("no Reason String or User Property that is not wanted", {"5": ["MQTT-3.1.2-29"]},
             (), has_no("reason-string", "user-property"),
             lambda c, p: not c.wants_problem_information and p.name not in TALKATIVE),
        codes_of("CONNACK", "MQTT-3.2.2-8"), codes_of("PUBACK", "MQTT-3.4.2-1"),
        codes_of("PUBREC", "MQTT-3.5.2-1"), codes_of("PUBREL", "MQTT-3.6.2-1"),
        codes_of("PUBCOMP", "MQTT-3.7.2-1"), codes_of("SUBACK", "MQTT-3.9.3-2"),
        codes_of("UNSUBACK", "MQTT-3.11.3-2"), codes_of("DISCONNECT", "MQTT-3.14.2-1"),
        small_enough("CONNACK", "MQTT-3.2.2-19", "MQTT-3.2.2-20"),
        small_enough("PUBACK", "MQTT-3.4.2-2", "MQTT-3.4.2-3"),
        small_enough("PUBREC", "MQTT-3.5.2-2", "MQTT-3.5.2-3"),
        small_enough("PUBREL", "MQTT-3.6.2-2", "MQTT-3.6.2-3"),
        small_enough("PUBCOMP", "MQTT-3.7.2-2", "MQTT-3.7.2-3"),
        small_enough("SUBACK", "MQTT-3.9.2-1", "MQTT-3.9.2-2"),
        small_enough("UNSUBACK", "MQTT-3.11.2-1", "MQTT-3.11.2-2"),
        small_enough("DISCONNECT", "MQTT-3.14.2-3", "MQTT-3.14.2-4"),
        Rule("no DISCONNECT before a CONNACK that accepts", {"5": ["MQTT-3.14.0-1"]},
             ("DISCONNECT",), lambda c, p: c.is_accepted),
        Rule("no Session Expiry Interval in DISCONNECT", {"5": ["MQTT-3.14.2-2"]},
             ("DISCONNECT",), has_no("session-expiry-interval")),
        Rule("no AUTH and no method without a method in CONNECT", {"5": ["MQTT-4.12.0-6"]},
             ("CONNACK", "AUTH"),
             lambda c, p: p.name != "AUTH" and not p.property_values("authentication-method"),
             lambda c, p: c.method is None),
        Rule("AUTH, and a CONNACK that accepts, have the method of CONNECT",
             {"5": ["MQTT-4.12.0-5"]}, ("CONNACK", "AUTH"),
             lambda c, p: p.property_values("authentication-method") == [c.method],
             lambda c, p: c.method is not None and not (p.name == "CONNACK" and p.fields["code"])),
        Rule("a server asks for more by AUTH 0x18", {"5": ["MQTT-4.12.0-2", "MQTT-3.15.2-1"]},
             ("AUTH",), lambda c, p: p.fields["code"] == 0x18, lambda c, p: not c.is_accepted),
    ]
