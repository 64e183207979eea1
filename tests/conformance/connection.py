# SPDX-License-Identifier: Apache-2.0
"""One connection of a case, whatever carries it: what has come and was not yet read."""

import asyncio

from wire import Malformed, Packet

# Long enough for a loaded machine; only failures take so long.
DEADLINE = 6.0


class Failure(Exception):
    """The other end did not do what the case expects."""


class Unfinished(Exception):
    """The packet is not whole yet."""


def split_packet(data):
    """(first byte, body, size) of the packet that the bytes begin with."""
    length, shift, at = 0, 0, 1
    while True:
        if at >= len(data):
            raise Unfinished
        byte = data[at]
        at += 1
        length |= (byte & 127) << shift
        shift += 7
        if shift > 28 or (byte == 0 and shift > 7):
            raise Malformed("a remaining length that is not the shortest")
        if not byte & 128:
            break
    if at + length > len(data):
        raise Unfinished
    return data[0], bytes(data[at:at + length]), at + length


class Connection:
    """What a case knows of a connection. Those below add how bytes travel."""

    def __init__(self, run, name):
        self.run = run
        self.name = name
        self.version = run.version
        self.unread = []
        self.received = bytearray()
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
        self.method = None
        self.connack_count = 0
        self.is_level_unknown = False

    def note_connect(self, fields):
        """What the client says of itself decides what the server may send."""
        given = {name: value for name, value in fields if self.version == "5"}
        self.packet_size_max = int(given.get("maximum-packet-size", 0)) or self.packet_size_max
        self.alias_max = int(given.get("topic-alias-maximum", 0))
        self.wants_response_information = given.get("request-response-information") == b"1"
        self.wants_problem_information = given.get("request-problem-information") != b"0"
        self.method = given.get("authentication-method")
        self.is_level_unknown = "level" in given

    # What the other end says

    def arrive(self, data):
        """Bytes came: the whole packets among them become unread."""
        self.received += data
        try:
            while self.received and not self.flaw:
                first, body, size = split_packet(self.received)
                raw = bytes(self.received[:size])
                del self.received[:size]
                packet = self.decode(first, body)
                packet.raw, packet.size = raw, size
                self.note(packet)
        except Unfinished:
            pass
        except Malformed as error:
            self.flaw = str(error)
            self.end()

    def decode(self, first, body):
        return Packet(first, body, None if self.is_level_unknown else self.version)

    def note(self, packet):
        self.packet_count += 1
        self.connack_count += packet.name == "CONNACK"
        self.run.say(f"{self.name} < {packet}")
        self.run.look(self, packet)
        if packet.name == "CONNACK":
            self.is_accepted = packet.fields["code"] == 0
        self.resolve_alias(packet)
        self.unread.append(packet)

    def end(self):
        """No more will come."""
        if self.is_open and self.received and not self.flaw:
            self.flaw = "closed in the middle of a packet"
        self.is_open = False
        self.run.say(f"{self.name} < end of stream {self.flaw or ''}")

    def resolve_alias(self, packet):
        """Cases read of topics; which alias stood for one is for always.py to judge."""
        for alias in packet.property_values("topic-alias"):
            if packet.fields["topic"]:
                self.aliases[alias] = packet.fields["topic"]
            elif alias not in self.aliases:
                raise Malformed("a topic alias that was never set")
            packet.fields["topic"] = self.aliases[alias]

    def shown(self):
        return "; ".join(map(str, self.unread)) or "nothing"

    def take(self, packet):
        self.unread.remove(packet)
        return packet

    # What we say

    def send(self, data):
        self.run.say(f"{self.name} > {data[:60].hex(' ')}{'...' if len(data) > 60 else ''}")
        if self.is_open:
            self.write(data)

    async def until(self, look, what, seconds=DEADLINE):
        """Waits until `look()` gives something, and gives that."""
        def found():
            if self.flaw:
                raise Failure(f"{self.name}: {self.flaw}")
            return look()
        result = await self.wait(found, seconds)
        if result is None:
            raise Failure(f"{self.name}: no {what}; unread: {self.shown()}")
        return result

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


class TcpConnection(Connection):
    """A connection to a broker at an address."""

    async def open(self, host, port):
        self.changed = asyncio.Condition()
        self.reader, self.writer = await asyncio.open_connection(host, port)
        self.task = asyncio.create_task(self.receive())

    def write(self, data):
        self.writer.write(data)

    async def receive(self):
        try:
            while self.is_open:
                data = await self.reader.read(65536)
                if not data:
                    break
                self.arrive(data)
                await self.notify()
        except OSError:
            pass
        if self.is_open:
            self.end()
        await self.notify()

    async def notify(self):
        async with self.changed:
            self.changed.notify_all()

    async def wait(self, look, seconds):
        """What `look()` gives, or None when the time is over."""
        async def wait():
            async with self.changed:
                while (found := look()) is None:
                    await self.changed.wait()
                return found
        try:
            return await asyncio.wait_for(wait(), seconds)
        except (asyncio.TimeoutError, TimeoutError):
            return None

    async def trickle(self, data):
        for byte in data:
            self.send(bytes([byte]))
            await self.writer.drain()
            await asyncio.sleep(0.001)  # lets the kernel send it alone; right without it too

    def drop(self):
        self.task.cancel()
        self.writer.transport.abort()


class TcpWorld:
    """A broker that runs at an address, in the time that passes for all of us."""

    is_fresh = False  # other cases have been here, and will be

    def __init__(self, address):
        self.address = address

    async def open(self, run, name):
        connection = TcpConnection(run, name)
        await connection.open(*self.address)
        return connection

    def now(self):
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds):
        await asyncio.sleep(seconds)
