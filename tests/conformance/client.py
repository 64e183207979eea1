# SPDX-License-Identifier: Apache-2.0
"""
Cases in which the client is under test: the engine of src/client in a program that does what lines
say (client_engine.c). The case plays the application, the server and the clock.
"""

from cases import Mistake
from connection import DEADLINE, Connection, Failure
from drive import Run, number
from engine import Clock, Program
from wire import string, subscription_options
from wire_client import SERVER_ENCODERS, ClientPacket, encode

REQUESTS = ("PUBLISH", "SUBSCRIBE", "UNSUBSCRIBE", "DISCONNECT", "AUTH")
NUMBERS = ("session", "code", "qos", "retain", "sent", "handle")


class Event:
    """What the engine told its application. Read as packets are: by name and fields."""

    def __init__(self, words):
        self.name, *values = words.split(" ")
        self.fields = {}
        self.raw = b""
        for word in values:
            name, _, value = word.partition("=")
            self.fields[name] = int(value) if name in NUMBERS else bytes.fromhex(value)
        if "codes" in self.fields:
            self.fields["codes"] = list(self.fields["codes"])

    def property_values(self, _name):
        return []

    def __str__(self):
        return " ".join([f"told {self.name}"] + [f"{n}={v}" for n, v in self.fields.items()])


class ClientConnection(Connection):
    """A stream that the engine believes to be open to a server."""

    def __init__(self, run, client):
        super().__init__(run, client.name)
        self.client = client
        self.is_closing = False
        self.seen = []
        self.method = None
        self.requested = b""
        # What the server announced in CONNACK.
        self.qos_max, self.retain_available = 2, True
        self.has_connack = False

    def decode(self, first, body):
        return ClientPacket(first, body, self.version)

    def note(self, packet):
        self.packet_count += 1
        self.seen.append(packet)
        self.run.say(f"{self.name} < {packet}")
        if packet.name == "CONNECT":
            self.method = packet.property_values("authentication-method")
        self.run.look(self, packet)
        self.resolve_alias(packet)
        self.unread.append(packet)

    def note_connack(self, fields):
        """What the server says of itself decides what the client may send."""
        given = {name: value for name, value in fields if self.version == "5"}
        self.has_connack = True
        self.packet_size_max = int(given.get("maximum-packet-size", 0)) or self.packet_size_max
        self.alias_max = int(given.get("topic-alias-maximum", 0))
        self.qos_max = int(given.get("maximum-qos", 2))
        self.retain_available = given.get("retain-available") != b"0"

    def write(self, data):
        self.client.ask(f"input {data.hex()}")

    async def trickle(self, data):
        for byte in data:
            self.send(bytes([byte]))

    async def wait(self, look, seconds):
        return self.run.world.wait(look, seconds)

    def drop(self):
        """The case is over: its engine goes with it."""


class Client:
    """An engine under a name of the case."""

    def __init__(self, run, name, program, fields):
        self.run = run
        self.name = name
        self.program = program
        self.handles = []  # of the messages that it was given, in order
        self.connection = ClientConnection(run, self)
        self.is_refused = self.ask(f"new {5 if run.version == '5' else 4} {words_of(fields)}")

    def ask(self, line):
        """True when the engine refused."""
        is_refused = False
        for answer in self.program.ask(line.rstrip()):
            kind, _, rest = answer.partition(" ")
            if kind == "sent":
                self.connection.arrive(bytes.fromhex(rest))
            elif kind == "told":
                event = Event(rest)
                self.connection.unread.append(event)
                if event.fields.get("handle"):
                    self.handles.append(event.fields["handle"])
                self.run.say(f"{self.name} {answer}")
            elif kind == "closing":
                self.connection.is_closing = True
            elif kind == "refused":
                is_refused = True
            else:
                raise Failure(answer)
        return is_refused


def words_of(fields):
    return " ".join(f"{name}={value.hex()}" for name, value in fields)


def joined_filters(packet, fields):
    """Filters as the engine takes them: encoded."""
    filters = b""
    for _, value in [f for f in fields if f[0] == "filter"]:
        topic, options = value, b""
        if packet == "SUBSCRIBE":
            topic, _, words = value.rpartition(b"@")
            options = bytes([subscription_options(words)])
        filters += string(topic) + options
    return [f for f in fields if f[0] != "filter"] + [("filters", filters)]


class ClientWorld(Clock):
    """The programs in which engines run, and the clock of all of them."""

    is_fresh = True

    def __init__(self, path):
        super().__init__()
        self.path = path
        self.programs = []
        self.clients = []

    def make(self, run, name, fields):
        at = len(self.clients)
        if at == len(self.programs):
            self.programs.append(Program(self.path))
        elif not self.programs[at].is_alive():
            self.programs[at] = Program(self.path)
        client = Client(run, name, self.programs[at], fields)
        self.clients.append(client)
        return client

    def pass_time(self, ms):
        self.ms += ms
        for client in self.clients:
            client.ask(f"wait {ms}")

    def forget(self):
        """Ends the engines; what was wrong with that."""
        clients, self.clients = self.clients, []
        try:
            for client in clients:
                client.ask("free")
        except Failure as failure:
            return str(failure)
        return None

    def stop(self):
        """Says what was wrong with their ends."""
        return [f"it ended with {status}" for status in [p.stop() for p in self.programs] if status]


class ClientRun(Run):
    """One case against the client engine."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.clients = {}

    async def clean_up(self):
        self.connections = {}

    # The application

    def client_of(self, name):
        if name not in self.clients:
            raise Mistake(f"{self.case.where}: {name} has not been asked to connect")
        return self.clients[name]

    def make_client(self, name, fields):
        if "id" not in dict(fields):
            fields.append(("id", (self.prefix + name).encode()))
        self.clients[name] = self.world.make(self, name, fields)
        return self.clients[name]

    async def does(self, name, words):
        """`A does PUBLISH topic=t`: the application asks; `refused` at the end: in vain."""
        is_refused = words[-1] == "refused"
        words = words[:-1] if is_refused else words
        packet, fields = words[0], self.fields_of(words[0], words[1:])
        if packet == "CONNECT":
            was_refused = self.does_connect(name, fields)
        elif packet in REQUESTS:
            if packet in ("SUBSCRIBE", "UNSUBSCRIBE"):
                fields = joined_filters(packet, fields)
            was_refused = self.client_of(name).ask(f"{packet.lower()} {words_of(fields)}")
        else:
            raise Mistake(f"{self.case.where}: '{packet}' is no request")
        if was_refused != is_refused:
            raise Failure(f"{name}: the request was {'' if was_refused else 'not '}refused")

    async def acknowledges(self, name, words):
        """`A acknowledges 2 code=0x87`: the second message that it was given."""
        client = self.client_of(name)
        code = int(words[1].removeprefix("code="), 0) if len(words) > 1 else 0
        if client.ask(f"acknowledge {client.handles[int(words[0]) - 1]} {code}"):
            raise Failure(f"{name}: the acknowledgement was refused")

    def does_connect(self, name, fields):
        client = self.clients.get(name) or self.make_client(name, fields)
        if client.is_refused:
            return True
        client.connection = self.connections[name] = ClientConnection(self, client)
        return client.ask("connect")

    async def told(self, name, words):
        await self.expect(name, "<", words)

    # The server

    def packet(self, connection, packet, words):
        if packet not in SERVER_ENCODERS:
            raise Mistake(f"{self.case.where}: '{packet}' is no packet of a server")
        fields = self.fields_of(packet, words)
        names = dict(fields)
        if packet == "CONNACK":
            connection.note_connack(fields)
        elif packet in ("PUBACK", "PUBREC", "PUBCOMP", "SUBACK", "UNSUBACK"):
            connection.got_id = number(names.get("id", str(connection.got_id)))
            fields.append(("id", str(connection.got_id).encode()))
            fields.append(("codes", names.get("codes", connection.requested)))
        elif packet == "PUBREL" or packet == "PUBLISH" and number(names.get("qos", b"0")):
            connection.next_id += packet == "PUBLISH"
            expected = connection.next_id if packet == "PUBLISH" else connection.sent_id
            connection.sent_id = number(names.get("id", str(expected)))
            fields.append(("id", str(connection.sent_id).encode()))
        return encode(packet, fields, self.version)

    def queue(self, connection, name):
        """Packets and what the application is told come side by side."""
        is_event = name.islower() and name != "bytes"
        return [one for one in connection.unread if isinstance(one, Event) == is_event]

    def defaults(self, connection, packet):
        expected = {}
        if packet.name in ("PUBLISH", "message"):
            expected.update(qos="0", retain="0")
        if packet.name == "PUBLISH":
            expected.update(dup="0")
        if packet.name in ("PUBACK", "PUBREC", "PUBREL", "PUBCOMP", "published", "DISCONNECT"):
            expected.update(code="0")
        if packet.name in ("PUBACK", "PUBREC", "PUBCOMP"):
            expected.update(id=str(connection.sent_id))
        if packet.name == "PUBREL":
            expected.update(id=str(connection.got_id))
        if packet.name == "published":
            expected.update(sent="1")
        if packet.name == "connected":
            expected.update(session="0")
        return expected

    async def expect(self, name, arrow, words):
        packet = await super().expect(name, arrow, words)
        if packet.name in ("SUBSCRIBE", "UNSUBSCRIBE"):
            connection = self.find(name)
            connection.got_id = packet.fields["id"]
            granted = [o & 3 for o in packet.fields["options"]] or [0] * len(packet.fields["filters"])
            connection.requested = ",".join(map(str, granted)).encode()
        return packet

    async def everyone_is_quiet(self):
        """An engine has said all it has to say when it has done what it was told."""
        for connection in self.connections.values():
            if connection.unread:
                raise Failure(f"{connection.name}: nobody expected {connection.shown()}")
            if connection.flaw:
                raise Failure(f"{connection.name}: {connection.flaw}")
            if connection.is_closing:
                raise Failure(f"{connection.name}: wants to close")

    # Words that stand for several lines

    async def connects(self, name, words):
        """`A connects fields / fields`: of CONNECT, and of the CONNACK that takes it."""
        at = words.index("/") if "/" in words else len(words)
        await self.does(name, ["CONNECT"] + words[:at])
        await self.expect(name, "<<", ["CONNECT"])
        await self.send(name, ["CONNACK"] + words[at + 1:])
        await self.expect(name, "<", ["connected"])

    async def subscribes(self, name, words):
        await self.does(name, ["SUBSCRIBE"] + words)
        await self.expect(name, "<", ["SUBSCRIBE"])
        await self.send(name, ["SUBACK"])
        await self.expect(name, "<", ["answered"])

    async def publishes(self, name, words):
        await self.does(name, ["PUBLISH"] + words)
        packet = await self.expect(name, "<", ["PUBLISH"] + words)
        if packet.fields["qos"] == 1:
            await self.send(name, ["PUBACK"])
        elif packet.fields["qos"] == 2:
            await self.send(name, ["PUBREC"])
            await self.expect(name, "<", ["PUBREL"])
            await self.send(name, ["PUBCOMP"])
        await self.expect(name, "<", ["published"])

    async def takes(self, name, words):
        """The server has a message for it."""
        await self.send(name, ["PUBLISH"] + words)
        qos = number(dict(word.split("=", 1) for word in words).get("qos", "0"))
        if qos == 1:
            await self.expect(name, "<", ["PUBACK"])
        elif qos == 2:
            await self.expect(name, "<", ["PUBREC"])
            await self.send(name, ["PUBREL"])
            await self.expect(name, "<", ["PUBCOMP"])
        told = [w for w in words if w.split("=")[0] in ("topic", "payload", "qos", "retain")]
        await self.expect(name, "<", ["message"] + told)

    async def ends(self, name, words):
        """
        `A ends flaw 0x82`: the engine wants its stream closed, for that reason; in 5.0 it may
        have sent DISCONNECT with one of the codes before.
        """
        why, *codes = words
        connection = self.find(name)
        await connection.until(lambda: connection.is_closing or None, "wish to close", DEADLINE)
        self.lose(name)
        last = [p for p in connection.unread if p.name == "DISCONNECT"]
        for packet in last:
            connection.take(packet)
            if packet.fields["code"] not in [int(code, 16) for code in codes]:
                raise Failure(f"{name}: nobody expected {packet}")
        await self.is_lost(connection, why)

    async def cut(self, name, _words):
        connection = self.find(name)
        if connection.unread:
            raise Failure(f"{name}: nobody expected {connection.shown()}")
        self.lose(name)
        await self.is_lost(connection, "lost")

    def lose(self, name):
        self.client_of(name).ask("lost")
        del self.connections[name]

    async def is_lost(self, connection, why):
        closed = connection.unread.pop() if connection.unread else None
        if connection.unread or connection.flaw:
            raise Failure(f"{connection.name}: nobody expected {connection.shown()} "
                          f"{connection.flaw or ''}")
        if not closed or closed.name != "closed" or closed.fields["end"].decode() != why:
            raise Failure(f"{connection.name}: not told closed end={why}, but {closed}")


ClientRun.verbs = {
    "does": ClientRun.does, "acknowledges": ClientRun.acknowledges, "told": ClientRun.told, "connects": ClientRun.connects,
    "subscribes": ClientRun.subscribes, "publishes": ClientRun.publishes,
    "takes": ClientRun.takes, "ends": ClientRun.ends, "cut": ClientRun.cut, "quiet": Run.quiet,
    "trickles": Run.trickles,
}
