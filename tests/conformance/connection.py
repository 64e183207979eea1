# SPDX-License-Identifier: Apache-2.0
"""One TCP connection of a case: what was sent, what has come and was not yet read."""

import asyncio

from wire import Malformed, Packet

# Long enough for a loaded machine; only failures take so long.
DEADLINE = 6.0


class Failure(Exception):
    """The broker did not do what the case expects."""


class Connection:
    """One TCP connection under a name of the case."""

    def __init__(self, run, name):
        self.run = run
        self.name = name
        self.version = run.version
        self.unread = []
        self.flaw = None
        self.is_open = True
        self.is_accepted = False
        self.packet_count = 0
        self.sent_id = self.got_id = self.next_id = 0
        self.filter_count = 0
        self.packet_size_max = 1 << 28
        self.alias_max = 0
        self.aliases = {}
        self.wants_response_information = False
        self.wants_problem_information = True
        self.has_method = False
        self.is_level_unknown = False
        self.changed = asyncio.Condition()

    async def open(self, host, port):
        self.reader, self.writer = await asyncio.open_connection(host, port)
        self.task = asyncio.create_task(self.receive())

    def note_connect(self, fields):
        """What the client says of itself decides what the server may send."""
        given = {name: value for name, value in fields if self.version == "5"}
        self.packet_size_max = int(given.get("maximum-packet-size", 0)) or self.packet_size_max
        self.alias_max = int(given.get("topic-alias-maximum", 0))
        self.wants_response_information = given.get("request-response-information") == b"1"
        self.wants_problem_information = given.get("request-problem-information") != b"0"
        self.has_method = "authentication-method" in given
        self.is_level_unknown = "level" in given

    def send(self, data):
        self.run.say(f"{self.name} > {data[:60].hex(' ')}{'...' if len(data) > 60 else ''}")
        if not self.is_open:
            return
        self.writer.write(data)

    async def receive(self):
        try:
            while True:
                packet = await self.read_packet()
                self.packet_count += 1
                self.run.say(f"{self.name} < {packet}")
                self.run.look(self, packet)
                if packet.name == "CONNACK":
                    self.is_accepted = packet.fields["code"] == 0
                self.resolve_alias(packet)
                self.unread.append(packet)
                await self.notify()
        except asyncio.IncompleteReadError as error:
            if error.partial:
                self.flaw = "closed in the middle of a packet"
        except (ConnectionError, OSError):
            pass
        except Malformed as error:
            self.flaw = str(error)
        self.is_open = False
        self.run.say(f"{self.name} < end of stream {self.flaw or ''}")
        await self.notify()

    def resolve_alias(self, packet):
        """Cases read of topics; which alias stood for one is for always.py to judge."""
        for alias in packet.property_values("topic-alias"):
            if packet.fields["topic"]:
                self.aliases[alias] = packet.fields["topic"]
            elif alias not in self.aliases:
                raise Malformed("a topic alias that was never set")
            packet.fields["topic"] = self.aliases[alias]

    async def notify(self):
        async with self.changed:
            self.changed.notify_all()

    async def read_packet(self):
        first = (await self.reader.readexactly(1))[0]
        length, shift, byte, header = 0, 0, 128, 1
        while byte & 128:
            byte = (await self.reader.readexactly(1))[0]
            header += 1
            length |= (byte & 127) << shift
            shift += 7
            if shift > 28 or (byte == 0 and shift > 7):
                raise Malformed("a remaining length that is not the shortest")
        packet = Packet(first, await self.reader.readexactly(length),
                        None if self.is_level_unknown else self.version)
        packet.size = header + length
        return packet

    async def until(self, look, what, seconds=DEADLINE):
        """Waits until `look()` gives something, and gives that."""
        async def wait():
            async with self.changed:
                while True:
                    if self.flaw:
                        raise Failure(f"{self.name}: {self.flaw}")
                    found = look()
                    if found is not None:
                        return found
                    await self.changed.wait()
        try:
            return await asyncio.wait_for(wait(), seconds)
        except (asyncio.TimeoutError, TimeoutError):
            raise Failure(f"{self.name}: no {what}; unread: {self.shown()}") from None

    def shown(self):
        return "; ".join(map(str, self.unread)) or "nothing"

    def take(self, packet):
        self.unread.remove(packet)
        return packet

    async def ping(self):
        """A round trip; what arrives meanwhile stays unread."""
        self.send(b"\xC0\x00")

        def look():
            for packet in self.unread:
                if packet.name == "PINGRESP":
                    return self.take(packet)
            if not self.is_open:
                raise Failure(f"{self.name}: closed, where a PINGRESP was due")
            return None
        await self.until(look, "PINGRESP")

    def drop(self):
        self.task.cancel()
        self.writer.transport.abort()
