# SPDX-License-Identifier: Apache-2.0
"""
What clients do, chosen by a seed: each act is one packet, or one step, on one connection.

An act is (name, slot, bytes or step). Slots are the connections that a run has; who is connected
decides what can come next, so that the same answers lead to the same acts.
"""

import functools

from support import packets as p

SLOTS = 5
ONLY_5 = "c10"
IDS = ["c1", "c2", "c3", ONLY_5]
TOPICS = ["t/a", "t/a/b", "t/b", "t/secret", "open/x", "in/y", "c/c1/z", "u/lena/z", "t//", "$x/y"]
# What one client subscribes to does not overlap, but where a file is about that.
FAMILIES = [["open/#", "t/#", "u/+/z", "c/c1/#", "$x/#"], ["$none/#", "#", "$x/#"],
            ["+/x", "t/+/b", "t/a", "t/b", "/#"], ["c/#", "+/a", "+/b", "+/secret", "t/a/+"]]
SIZES = [0, 1, 10, 50, 120, 300]

CONNECT_PROPS = [
    [], [], [(p.SESSION_EXPIRY, 100)], [(p.SESSION_EXPIRY, 0xFFFFFFFF)],
    [(p.RECEIVE_MAXIMUM, 1)], [(p.ALIAS_MAXIMUM, 5)], [(p.MAXIMUM_PACKET, 100)],
    [(p.REQUEST_PROBLEM, 0)], [(p.REQUEST_RESPONSE, 1)],
    [(p.SESSION_EXPIRY, 100), (p.USER, ("a", "b"))]]
PUBLISH_PROPS = [
    [], [], [], [(p.USER, ("k", "v")), (p.USER, ("k", "w"))], [(p.CONTENT_TYPE, "text/plain")],
    [(p.RESPONSE_TOPIC, "t/answer"), (p.CORRELATION_DATA, b"\0\1")],
    [(p.MESSAGE_EXPIRY, 1000)], [(p.PAYLOAD_FORMAT, 1)]]

connect = functools.partial(p.connect, keep_alive=20)

# (name, the bytes for that version); each ends the connection by the standard.
BAD_CONNECTS = [
    ("protocol name", lambda v: connect("x", v, name="MQTX")),
    ("protocol level", lambda v: connect("x", 6, name="MQTT")),
    ("reserved flag", lambda v: connect("x", v, flags=0x03)),
    ("will QoS 3", lambda v: connect("x", v, flags=0x1E)),
    ("will flags without will", lambda v: connect("x", v, flags=0x22)),
    ("password flag without password", lambda v: connect("x", v, flags=0x42)),
    ("no client id at all", lambda v: p.packet(p.CONNECT, p.text("MQTT") + bytes([4, 2, 0, 0]))),
    ("client id not UTF-8", lambda v: connect(b"\xff\xfe", v)),
    ("client id with NUL", lambda v: connect(b"a\0b", v)),
    ("empty client id, no clean start", lambda v: connect("", v, clean=False)),
    ("publish before connect", lambda v: p.publish("t/a", b"x", version=v)),
    ("ping before connect", lambda v: p.PING),
]
BAD_CONNECTS_5 = [
    ("receive maximum 0", lambda v: connect("x", 5, props=[(p.RECEIVE_MAXIMUM, 0)])),
    ("property twice", lambda v: connect("x", 5, props=[(p.RECEIVE_MAXIMUM, 1)] * 2)),
    ("unknown authentication", lambda v: connect("x", 5, props=[(p.AUTH_METHOD, "none")])),
    ("packet size 0", lambda v: connect("x", 5, props=[(p.MAXIMUM_PACKET, 0)])),
]
BAD_PACKETS = [
    ("QoS 3", lambda v: p.publish("t/a", b"", packet_id=9, version=v, flags=6)),
    ("packet id 0", lambda v: p.publish("t/a", b"", 1, 0, v)),
    ("topic with +", lambda v: p.publish("t/+", b"", version=v)),
    ("topic with #", lambda v: p.publish("t/#", b"", version=v)),
    ("empty topic", lambda v: p.publish("", b"", version=v)),
    ("topic not UTF-8", lambda v: p.publish(b"t/\xff", b"", version=v)),
    ("topic with NUL", lambda v: p.publish(b"t/\0", b"", version=v)),
    ("DUP at QoS 0", lambda v: p.publish("t/a", b"", version=v, dup=True)),
    ("SUBSCRIBE flags", lambda v: p.subscribe(9, [("nothing", 0)], v, flags=0)),
    ("SUBSCRIBE to nothing", lambda v: p.subscribe(9, [], v)),
    ("SUBSCRIBE id 0", lambda v: p.subscribe(0, [("t/a", 0)], v)),
    ("QoS 3 asked", lambda v: p.subscribe(9, [("t/a", 3)], v)),
    ("bad filter a#", lambda v: p.subscribe(9, [("a#", 0)], v)),
    ("bad filter +a", lambda v: p.subscribe(9, [("+a", 0)], v)),
    ("empty filter", lambda v: p.subscribe(9, [("", 0)], v)),
    ("UNSUBSCRIBE from nothing", lambda v: p.unsubscribe(9, [], v)),
    ("PUBREL flags", lambda v: p.ack(p.PUBREL, 9, flags=0)),
    ("reserved type 0", lambda v: p.packet(0)),
    ("AUTH unasked", lambda v: p.packet(p.AUTH)),
    ("CONNACK from a client", lambda v: p.packet(p.CONNACK, b"\0\0")),
    ("remaining length of five bytes", lambda v: b"\x30\xff\xff\xff\xff\x01"),
    ("PINGREQ with a body", lambda v: p.packet(p.PINGREQ, b"x")),
]
BAD_PACKETS_5 = [
    ("topic alias 0", lambda v: p.publish("t/a", b"", props=[(p.ALIAS, 0)])),
    ("topic alias too large", lambda v: p.publish("t/a", b"", props=[(p.ALIAS, 60000)])),
    ("topic alias unknown", lambda v: p.publish("", b"", props=[(p.ALIAS, 1)])),
    ("subscription id from a client",
     lambda v: p.publish("t/a", b"", props=[(p.SUBSCRIPTION_ID, 1)])),
    ("subscription id 0", lambda v: p.subscribe(9, [("t/a", 0)], props=[(p.SUBSCRIPTION_ID, 0)])),
    ("content type twice", lambda v: p.publish("t/a", b"", props=[(p.CONTENT_TYPE, "x")] * 2)),
    ("response topic with #", lambda v: p.publish("t/a", b"", props=[(p.RESPONSE_TOPIC, "#")])),
    ("unknown property", lambda v: p.publish("t/a", b"", props=b"\x7f\x00")),
    ("reserved subscribe option", lambda v: p.subscribe(9, [("t/a", 0x40)])),
    ("retain handling 3", lambda v: p.subscribe(9, [("t/a", 0x30)])),
    ("no local on a group", lambda v: p.subscribe(9, [("$share/g/t/a", 4)])),
    ("session expiry raised from 0", lambda v: p.disconnect(5, 0, [(p.SESSION_EXPIRY, 5)])),
    ("DISCONNECT with a server's code", lambda v: p.disconnect(5, 0x8D)),
]
ACKS = [p.PUBACK, p.PUBREC, p.PUBREL, p.PUBCOMP]


# Only in files that are about them.
RARE = {"hold": 6, "release": 6, "silence": 1}


class Actor:
    """Chooses; `world` answers which slots are open, with which version, and who holds."""

    def __init__(self, rng, configuration, world):
        self.rng, self.configuration, self.world = rng, configuration, world
        self.count = 0

    def next(self):
        """(name, slot, what): what is bytes, or a step in a word with its arguments."""
        self.count += 1
        closed = [s for s in range(SLOTS) if not self.world.is_open(s)]
        opened = [s for s in range(SLOTS) if self.world.is_open(s)]
        if closed and (len(opened) < 2 or self.rng.random() < 0.15):
            return self.connect(self.rng.choice(closed))
        slot = self.rng.choice(opened)
        weights = {"publish": 30, "subscribe": 14, "group": 2, "unsubscribe": 3, "stray": 3, "bad": 5,
                   "disconnect": 4, "cut": 3, "connect": 4, "absent": 2, "alias": 2, "repeat": 2,
                   "hold": 0, "release": 0, "silence": 0}
        for name in self.configuration.often:
            weights[name] = weights[name] * 3 or RARE[name]
        name = self.rng.choices(list(weights), list(weights.values()))[0]
        return getattr(self, name)(slot)

    # Connecting

    def connect(self, slot):
        if self.world.is_open(slot):
            closed = [s for s in range(SLOTS) if not self.world.is_open(s)]
            if not closed:
                return self.cut(slot)
            slot = closed[0]
        version = self.rng.choice([3, 4, 4, 5, 5, 5])
        if self.rng.random() < 0.15:
            name, make = self.rng.choice(BAD_CONNECTS + (BAD_CONNECTS_5 if version == 5 else []))
            self.world.client_ids[slot] = "x"
            return f"connect: {name}", slot, ("connect", version, make(version))
        door = self.rng.randrange(len(self.configuration.doors))
        client_id = self.rng.choice(IDS)
        if self.configuration.doors[-1].mount:
            # a session that goes from one to the other is not what mount points are for
            door = IDS.index(client_id) % 2
        user, password = self.rng.choice(self.configuration.doors[door].users)
        if client_id == ONLY_5:
            version = 5
        clean = self.rng.random() < 0.5
        if self.rng.random() < 0.08:
            client_id, clean = "", True  # the broker names it: no session to go on with
        options = {}
        if version == 5:
            options["props"] = self.rng.choice(CONNECT_PROPS)
        if self.rng.random() < 0.3:
            options["will"] = p.Will(self.rng.choice(TOPICS), b"will %d" % self.count,
                                     self.rng.choice([0, 1]))
        keep_alive = self.rng.choice([0, 20, 20, 20, 1000])
        is_long = keep_alive != 20 and version < 5 and "max_keepalive" in self.configuration.text
        if is_long:  # one broker may refuse it: no session that others go on with
            client_id, clean = "long", True
        data = p.connect(client_id, version, clean, keep_alive, user=user, password=password,
                         **options)
        named = user if self.configuration.is_named_by_user else client_id
        self.world.client_ids[slot] = named or "none"
        name = "connect for long" if is_long else "connect"
        return name, slot, ("connect", version, data, door)

    def absent(self, slot):
        """A session that outlives its connection, with a subscription."""
        if self.world.version(slot) < 5:
            return "disconnect", slot, p.disconnect(4)
        return "disconnect", slot, p.disconnect(5)

    def silence(self, slot):
        """Keep Alive of a second, and nothing more."""
        version = self.rng.choice([4, 5])
        data = p.connect(f"silent{self.count}", version, True, 1)
        return "silence", slot, ("silence", version, data)

    # Messages

    def payload(self):
        return b"%d" % self.count + b"." * self.rng.choice(SIZES)

    def publish(self, slot):
        version, qos = self.world.version(slot), self.rng.choice([0, 0, 1, 1, 2])
        props = self.rng.choice(PUBLISH_PROPS) if version == 5 else ()
        retain = self.rng.random() < 0.2
        payload = b"" if retain and self.rng.random() < 0.3 else self.payload()
        data = p.publish(self.rng.choice(TOPICS), payload, qos, self.world.packet_id(slot, qos),
                         version, retain=retain, props=props)
        return f"publish QoS {qos}" + (" retained" if retain else ""), slot, data

    def alias(self, slot):
        if self.world.version(slot) < 5:
            return self.publish(slot)
        data = p.publish("t/a", self.payload(), props=[(p.ALIAS, 1)])
        return "publish with alias", slot, data + p.publish("", self.payload(),
                                                            props=[(p.ALIAS, 1)])

    def repeat(self, slot):
        """The same QoS 2 message twice before PUBREL: it is one message."""
        packet_id = self.world.packet_id(slot, 2)
        version, body = self.world.version(slot), self.payload()
        return "QoS 2 repeated", slot, (p.publish("t/a", body, 2, packet_id, version) +
                                        p.publish("t/a", body, 2, packet_id, version, dup=True))

    def filters(self, slot):
        if self.configuration.is_overlapping:
            return [name for family in FAMILIES for name in family]
        client_id = self.world.client_ids[slot]
        return FAMILIES[IDS.index(client_id) if client_id in IDS else 0]

    def subscribe(self, slot):
        """The first of a family is for groups, so that both do not overlap, either."""
        version, names = self.world.version(slot), self.filters(slot)
        count = min(self.rng.choice([1, 1, 1, 2, 3]), len(names) - 1)
        filters = [(name, self.options(version, name))
                   for name in self.rng.sample(names[1:], count)]
        props = ()
        if version == 5 and self.rng.random() < 0.3:
            props = [(p.SUBSCRIPTION_ID, self.rng.randint(1, 300))]
        return "subscribe", slot, p.subscribe(self.world.packet_id(slot, 1), filters, version,
                                              props)

    def options(self, version, name):
        """
        QoS and Retain Handling by chance. No Local and Retain As Published stay with the filter,
        and with a client that speaks 5.0 only: made again with others, mosquitto 2.0.11 keeps
        the old ones.
        """
        bits = self.rng.choice([0, 1, 2])
        if version == 5:
            bits |= self.rng.choice([0, 0, 0, 0x10, 0x20])
            bits |= {"+/a": 4, "+/b": 8, "+/secret": 8, "t/a/+": 12}.get(name, 0)
        return bits

    def group(self, slot):
        """A group of one: who of several gets a message is the broker's choice."""
        # mosquitto puts a mount point in front of $share
        if self.world.version(slot) < 5 or self.configuration.doors[-1].mount:
            return self.subscribe(slot)
        name = f"$share/{self.world.client_ids[slot]}/{self.filters(slot)[0]}"
        return "subscribe to a group", slot, p.subscribe(
            self.world.packet_id(slot, 1), [(name, self.rng.choice([0, 1, 2]))], 5)

    def unsubscribe(self, slot):
        if self.configuration.doors[-1].mount:  # mosquitto 2.0.11 forgets the mount point
            return self.subscribe(slot)
        names = self.rng.sample(self.filters(slot), self.rng.choice([1, 1, 2]))
        return "unsubscribe", slot, p.unsubscribe(self.world.packet_id(slot, 1), names,
                                                  self.world.version(slot))

    def stray(self, slot):
        kind = self.rng.choice(ACKS)
        return f"stray {p.NAMES[kind]}", slot, p.ack(kind, 40000)

    def bad(self, slot):
        version = self.world.version(slot)
        name, make = self.rng.choice(BAD_PACKETS + (BAD_PACKETS_5 if version == 5 else []))
        return f"bad: {name}", slot, make(version)

    # Ends

    def disconnect(self, slot):
        version = self.world.version(slot)
        if version == 5 and self.rng.random() < 0.3:
            return "disconnect with will", slot, p.disconnect(5, 4)
        return "disconnect", slot, p.disconnect(version)

    def cut(self, slot):
        return "cut", slot, ("cut",)

    def hold(self, slot):
        return "hold", slot, ("hold",)

    def release(self, slot):
        return "release", slot, ("release",)
