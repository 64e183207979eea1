# SPDX-License-Identifier: Apache-2.0
"""
Runs one case against a broker at an address: the words of the case language, and the verdict.
Nothing here waits for time to pass unless the case says so; that nothing more arrives is shown by
PINGREQ and PINGRESP.
"""

import math
import re

from cases import Mistake
from connection import DEADLINE, Failure
from scram import FUNCTIONS
from tables import PROPERTY_BY_NAME
from wire import ENCODERS, encode, string, varint

ARROWS = ("<", "<<", "<*")
CONFIRMED = ("SUBACK", "UNSUBACK")
ANSWERS_OURS = ("PUBACK", "PUBREC", "PUBCOMP", "SUBACK", "UNSUBACK")
CALL = re.compile(r"(answer|signature)\(([^,]+),(.+)\)")
RAW = re.compile(r'\s*(s?"[^"]*"|[\[\]{}]|V|(?:[0-9A-F]{2})+)')


class Run:
    """One case in one version of the protocol."""

    def __init__(self, case, version, world, prefix, rules):
        self.case = case
        self.version = version
        self.world = world
        self.prefix = prefix
        self.rules = rules
        self.connections = {}
        self.stored_ids = set()
        self.variables = {}
        self.offences = []
        self.log = []
        self.step_start = self.step_end = 0.0
        self.start = self.waited = 0.0

    def say(self, line):
        self.log.append(line)

    def look(self, connection, packet):
        for rule in self.rules:
            offence = rule.look(connection, packet, self.case)
            if offence:
                self.offences.append(offence)

    async def execute(self):
        """None, or what went wrong."""
        self.start = self.step_start = self.step_end = self.world.now()
        where = self.case.where
        try:
            for step in self.case.steps:
                where = f"{step.where}: {step.text}"
                if step.version not in (None, self.version):
                    continue
                for n in step.numbers:
                    self.variables["n"] = str(n)
                    start = self.world.now()
                    await self.do(step.words)
                    self.step_start, self.step_end = start, self.world.now()
            where = "at the end"
            await self.everyone_is_quiet()
            if self.offences:
                raise Failure("; ".join(self.offences))
        except Failure as failure:
            return f"{where}: {failure}"
        except (ConnectionError, OSError) as error:
            return f"{where}: {error}"
        finally:
            await self.clean_up()
        return None

    async def clean_up(self):
        for connection in self.connections.values():
            connection.drop()
        self.connections = {}
        for client_id in () if self.world.is_fresh else self.stored_ids:
            try:
                connection = await self.connect_to("cleaner")
                connection.send(encode("CONNECT", [("id", client_id)], self.version))
                await connection.until(lambda c=connection: c.unread or not c.is_open or None,
                                       "CONNACK")
                connection.drop()
            except (Failure, OSError):
                pass

    # The words of a line

    async def do(self, words):
        if words[0] == "wait":
            await self.world.sleep(float(words[1]))
            self.waited += float(words[1])
            return
        if words[0] == "differ":
            self.differ(words[1:])
            return
        name, verb, *rest = words
        if verb == ">":
            await self.send(name, rest)
        elif verb in ARROWS:
            await self.expect(name, verb, rest)
        elif verb in self.verbs:
            await self.verbs[verb](self, name, rest)
        else:
            raise Mistake(f"{self.case.where}: what is '{verb}'?")

    def bytes_of(self, words):
        """A value of the case language as bytes."""
        words = re.sub(r"\{(.+?):(\d+)\}", lambda m: m[1] * int(m[2]), words)
        words = words.replace("~", self.prefix)
        words = re.sub(r"%([a-z]+)", lambda m: self.variables[m[1]], words)
        call = CALL.fullmatch(words)
        if call:
            words = FUNCTIONS[call[1]](call[2], call[3])
        parts = re.split(r"(\\x[0-9A-F]{2})", words)
        return b"".join(bytes([int(p[2:], 16)]) if p.startswith("\\x") else p.encode()
                        for p in parts)

    def fields_of(self, packet, words):
        fields = []
        for word in words:
            name, sign, value = word.partition("=")
            if packet in ("SUBSCRIBE", "UNSUBSCRIBE") and (
                    not sign or name not in (*PROPERTY_BY_NAME, "id", "bits")):
                fields.append(("filter", self.bytes_of(word)))
            elif word == "stored" and packet == "CONNECT":
                fields.append(("clean", b"0"))
                if "session-expiry-interval" not in " ".join(words):
                    fields.append(("session-expiry-interval", b"100"))
            elif not sign:
                raise Mistake(f"{self.case.where}: '{word}' is no field")
            else:
                fields.append((name, self.bytes_of(value)))
        return fields

    # Sending

    async def connect_to(self, name):
        return await self.world.open(self, name)

    async def connection_of(self, name):
        if name not in self.connections:
            self.connections[name] = await self.connect_to(name)
        return self.connections[name]

    def find(self, name):
        if name not in self.connections:
            raise Mistake(f"{self.case.where}: {name} is not connected")
        return self.connections[name]

    async def send(self, name, words):
        connection = await self.connection_of(name)
        if words[0] == "bytes":
            connection.send(self.raw(" ".join(words[1:])))
        else:
            connection.send(self.packet(connection, words[0], words[1:]))

    def packet(self, connection, packet, words):
        if packet not in ENCODERS:
            raise Mistake(f"{self.case.where}: '{packet}' is no packet of a client")
        fields = self.fields_of(packet, words)
        names = dict(fields)
        if packet == "CONNECT":
            if "id" not in names:
                fields.append(("id", (self.prefix + connection.name).encode()))
            if number(dict(fields).get("clean", b"1")) == 0:
                self.stored_ids.add(dict(fields)["id"])
            connection.note_connect(fields)
        elif packet in ("PUBACK", "PUBREC", "PUBCOMP"):
            connection.got_id = number(names.get("id", str(connection.got_id)))
            fields.append(("id", str(connection.got_id).encode()))
        elif packet == "PUBREL":
            connection.sent_id = number(names.get("id", str(connection.sent_id)))
            fields.append(("id", str(connection.sent_id).encode()))
        elif packet in ("SUBSCRIBE", "UNSUBSCRIBE", "PUBLISH"):
            if packet != "PUBLISH" or number(names.get("qos", b"0")):
                connection.next_id += 1
                connection.sent_id = number(names.get("id", str(connection.next_id)))
                fields.append(("id", str(connection.sent_id).encode()))
            connection.filter_count = sum(name == "filter" for name, _ in fields)
        return encode(packet, fields, self.version)

    def raw(self, words):
        """Bytes as README.md describes them: a stack of parts, closed by their lengths."""
        stack, kinds, at = [b""], [], 0
        while at < len(words):
            match = RAW.match(words, at)
            if not match:
                raise Mistake(f"{self.case.where}: '{words[at:]}' are no bytes")
            token, at = match[1], match.end()
            if token in "[{":
                stack.append(b"")
                kinds.append(token)
            elif token in "]}":
                part = stack.pop()
                if kinds.pop() == "[":
                    stack[-1] += varint(len(part)) + part
                elif self.version == "5":
                    stack[-1] += varint(len(part)) + part
            elif token == "V":
                stack[-1] += bytes([4 if self.version == "311" else 5])
            elif token.startswith('s"'):
                stack[-1] += string(self.bytes_of(token[2:-1]))
            elif token.startswith('"'):
                stack[-1] += self.bytes_of(token[1:-1])
            else:
                stack[-1] += bytes.fromhex(token)
        if kinds:
            raise Mistake(f"{self.case.where}: a bracket is left open")
        return stack[0]

    # Expecting

    async def expect(self, name, arrow, words):
        connection = self.find(name)
        if "or" in words:
            return await self.expect_or_end(connection, arrow, words)
        words, window = self.window_of(words)
        packet_name, wanted = words[0], words[1:]
        if packet_name == "bytes":
            return await self.expect_bytes(connection, " ".join(wanted))

        def look():
            for at, packet in enumerate(self.queue(connection, packet_name)):
                if arrow == "<<" and at > 0:
                    return None
                if packet.name == packet_name or arrow == "<<":
                    wrong = self.difference(connection, packet, packet_name, wanted)
                    if not wrong:
                        return connection.take(packet)
                    if arrow != "<*":
                        raise Failure(f"{connection.name}: {wrong} in {packet}")
            if not connection.is_open:
                raise Failure(f"{connection.name}: closed, where {' '.join(words)} was due; "
                              f"unread: {connection.shown()}")
            return None
        packet = await connection.until(look, " ".join(words), DEADLINE + (window or (0, 0))[1])
        self.check_window(window)
        if packet.name in ("PUBLISH", "PUBREL") and "id" in packet.fields:
            connection.got_id = packet.fields["id"]
        self.bind(packet, wanted)
        return packet

    def queue(self, connection, _name):
        """What has come, of the kind that has such a name."""
        return connection.unread

    async def expect_bytes(self, connection, words):
        """The very next packet is these bytes."""
        wanted = self.raw(words)
        packet = await connection.until(lambda: next(iter(self.queue(connection, "bytes")), None),
                                        words)
        if packet.raw != wanted:
            got = packet.raw.hex(" ") or packet
            raise Failure(f"{connection.name}: {got} instead of {wanted.hex(' ')}")
        return connection.take(packet)

    async def expect_or_end(self, connection, arrow, words):
        at = words.index("or")

        def look():
            if not connection.is_open or any(p.name == words[0] for p in connection.unread):
                return True
            return None
        await connection.until(look, " ".join(words))
        if any(p.name == words[0] for p in connection.unread):
            return await self.expect(connection.name, arrow, words[:at])
        return await self.ends(connection.name, words[at + 2:])

    def window_of(self, words):
        """`in 1..2` at the end: seconds since the line before."""
        if len(words) > 1 and words[-2] == "in":
            low, high = words[-1].split("..")
            return words[:-2], (float(low), float(high))
        return words, None

    def check_window(self, window):
        """What happened lies between the line's start and its end: our own delays must not count."""
        now = self.world.now()
        if window and (now - self.step_start < window[0] or now - self.step_end > window[1]):
            raise Failure(f"came after {now - self.step_end:.2f} s")

    def bind(self, packet, wanted):
        for word in wanted:
            name, _, value = word.partition("=")
            if value.startswith("?"):
                got = packet.fields.get(name, packet.property_values(name)[:1] or [b""])
                got = got[0] if isinstance(got, list) else got
                self.variables[value[1:]] = got.decode() if isinstance(got, bytes) else str(got)

    def defaults(self, connection, packet):
        """What a packet must be where the case says nothing."""
        def accepts_all(codes):
            return len(codes) == connection.filter_count and max(codes, default=0) < 0x80
        expected = {}
        if packet.name == "PUBLISH":
            expected.update(dup="0", qos="0", retain="0")
        if packet.name in ("PUBACK", "PUBREC"):
            expected.update(code="0|0x10")
        if packet.name in ("PUBREL", "PUBCOMP", "CONNACK"):
            expected.update(code="0")
        if packet.name in CONFIRMED and "codes" in packet.fields:
            expected.update(codes=accepts_all)
        if packet.name in ANSWERS_OURS:
            expected.update(id=str(connection.sent_id))
        if packet.name == "PUBREL":
            expected.update(id=str(connection.got_id))
        return expected

    def difference(self, connection, packet, name, wanted):
        """None when the packet is as the words say; else what differs."""
        if packet.name != name:
            return f"{packet.name} instead of {name}"
        expected = self.defaults(connection, packet)
        listed = {}
        for word in wanted:
            field, sign, value = word.partition("=")
            if not sign and field.startswith("!"):
                if packet.property_values(field[1:]):
                    return f"{field[1:]} should not be there"
            elif field in PROPERTY_BY_NAME:
                listed.setdefault(field, []).append(value)
            elif not (field == "codes" and "codes" not in packet.fields):
                expected[field] = value
        for field, value in expected.items():
            if field not in packet.fields:
                return f"{field} is missing"
            if not self.fits(packet.fields[field], value):
                return f"{field} is not {value}"
        for field, values in listed.items() if self.version == "5" else ():
            got = packet.property_values(field)
            if len(got) != len(values) or not all(map(self.fits, got, values)):
                return f"{field} is not {' '.join(values)}"
        return None

    def fits(self, got, wanted):
        if callable(wanted):
            return wanted(got)
        if wanted.startswith("?"):
            return True
        if isinstance(wanted, str) and wanted.endswith("-elapsed"):
            return self.is_less_by_time(int(got), int(wanted.removesuffix("-elapsed")))
        if isinstance(got, list):
            parts = wanted.split(",") if wanted else []
            return len(got) == len(parts) and all(map(self.fits, got, parts))
        if isinstance(got, int) or re.fullmatch(r"\d+\.\.\d+", wanted):
            value = int(got)
            for part in self.bytes_of(wanted).decode().split("|"):
                low, _, high = part.partition("..")
                if int(low, 0) <= value <= int(high or low, 0):
                    return True
            return False
        return any(got == self.bytes_of(part) for part in wanted.split("|"))

    def is_less_by_time(self, got, seconds):
        """Less by what the case has waited at least, and at most by all the time it took."""
        elapsed = math.ceil(self.world.now() - self.start)
        return seconds - elapsed <= got <= seconds - math.floor(self.waited)

    async def everyone_is_quiet(self):
        """
        Nothing more comes to anyone. The first round trip shows that what a connection sent was
        taken in; in the second, what one thread of the broker handed to another has arrived; after
        the third it was sent.
        """
        await self.everyone_pings()
        for connection in self.connections.values():
            if connection.unread:
                raise Failure(f"{connection.name}: nobody expected {connection.shown()}")
            if connection.flaw:
                raise Failure(f"{connection.name}: {connection.flaw}")

    def differ(self, words):
        values = [self.bytes_of(word) for word in words]
        if len(set(values)) < len(values):
            raise Failure(f"not all different: {values}")

    async def everyone_pings(self):
        live = [c for c in self.connections.values() if c.is_accepted]
        for _ in range(3):
            for connection in live:
                await connection.ping()

    # Words that stand for several lines

    async def connects(self, name, words):
        await self.send(name, ["CONNECT"] + [w for w in words if not w.startswith("session=")])
        await self.expect(name, "<<", ["CONNACK"] + [w for w in words if w.startswith("session=")])

    async def subscribes(self, name, words):
        await self.send(name, ["SUBSCRIBE"] + words)
        await self.expect(name, "<", ["SUBACK"])

    async def publishes(self, name, words):
        await self.send(name, ["PUBLISH"] + words)
        given = dict(word.split("=", 1) for word in words)
        qos = self.bytes_of(given.get("qos", "0")).decode()
        if qos == "1":
            await self.expect(name, "<", ["PUBACK"])
        elif qos == "2":
            await self.expect(name, "<", ["PUBREC"])
            await self.send(name, ["PUBREL"])
            await self.expect(name, "<", ["PUBCOMP"])

    async def gets(self, name, words, arrow="<"):
        packet = await self.expect(name, arrow, ["PUBLISH"] + words)
        if packet.fields["qos"] == 1:
            await self.send(name, ["PUBACK"])
        elif packet.fields["qos"] == 2:
            await self.send(name, ["PUBREC"])
            await self.expect(name, "<", ["PUBREL"])
            await self.send(name, ["PUBCOMP"])

    async def gets_any(self, name, words):
        await self.gets(name, words, "<*")

    async def overlaps(self, name, words):
        """One copy with all the Subscription Identifiers, or one copy with each of them."""
        key = "subscription-identifier="
        plain = [word for word in words if not word.startswith(key)]
        left = sorted(word.removeprefix(key).encode() for word in words if word.startswith(key))
        while left:
            packet = await self.expect(name, "<", ["PUBLISH"] + plain)
            got = packet.property_values("subscription-identifier")
            if sorted(got) != left and (len(got) != 1 or got[0] not in left):
                raise Failure(f"{name}: not the identifiers {left}: {packet}")
            left = [one for one in left if one not in got]
            if packet.fields["qos"] == 1:
                await self.send(name, ["PUBACK"])

    async def shares(self, name, words):
        """`A shares B 10 topic=t`: each of the payloads 1 to 10 came to one of the two."""
        other, count, *wanted = words
        pair = (self.find(name), self.find(other))
        await self.everyone_pings()
        packets = [p for c in pair for p in c.unread if p.name == "PUBLISH"]
        for connection in pair:
            for packet in [p for p in connection.unread if p.name == "PUBLISH"]:
                wrong = self.difference(connection, packet, "PUBLISH", wanted)
                if wrong:
                    raise Failure(f"{connection.name}: {wrong} in {packet}")
                connection.take(packet)
        payloads = sorted(int(p.fields["payload"]) for p in packets)
        if payloads != list(range(1, int(count) + 1)):
            raise Failure(f"{name} and {other} together got {payloads}")

    async def trickles(self, name, words):
        """Each byte in a write of its own."""
        connection = await self.connection_of(name)
        await connection.trickle(self.raw(" ".join(words)))

    async def may_get(self, name, words):
        """What is allowed, and not wanted: taken away where it came."""
        await self.everyone_pings()
        connection = self.find(name)
        for packet in list(connection.unread):
            if not self.difference(connection, packet, "PUBLISH", words):
                connection.take(packet)

    async def lives(self, name, words):
        """`A lives or ends 0x81`: the standard leaves open which, and if there is an answer."""
        connection = self.find(name)
        try:
            await connection.ping()
        except Failure:
            await self.ends(name, words[2:])
            return
        for packet in list(connection.unread):
            if packet.name in ("PUBREL", "PUBCOMP"):
                connection.take(packet)

    async def disconnects(self, name, words):
        """And the server closes, so that it has surely seen it."""
        await self.send(name, ["DISCONNECT"] + words)
        await self.ends(name, ["silently"])

    async def cut(self, name, _words):
        """After a round trip: a reset could overtake what was sent before."""
        connection = self.find(name)
        if connection.is_accepted:
            await connection.ping()
        if connection.unread:
            raise Failure(f"{name}: nobody expected {connection.shown()}")
        self.connections.pop(name).drop()

    async def ends(self, name, words):
        """The server closes; before it, it may say one of the given codes in version 5."""
        words, window = self.window_of(words)
        connection = self.find(name)
        await connection.until(lambda: not connection.is_open or None, "end of stream",
                               DEADLINE + (window or (0, 0))[1])
        self.check_window(window)
        last = connection.unread.pop(0) if connection.unread else None
        if connection.unread:
            raise Failure(f"{name}: nobody expected {connection.shown()}")
        del self.connections[name]
        if last is None:
            if "loudly" in words and self.version == "5":
                raise Failure(f"{name}: closed without a word")
            return
        farewell = "DISCONNECT" if connection.is_accepted else "CONNACK"
        if "connack" in words and self.version == "311" and last.name == farewell:
            return  # refused in a way that this version leaves open
        codes = [int(word, 16) for word in words if word.startswith("0x")]
        if self.version == "311" or "silently" in words or last.name != farewell:
            raise Failure(f"{name}: nobody expected {last}")
        if codes and connection.is_level_unknown:
            codes.append(1)
        if last.fields["code"] < 0x80 and not connection.is_level_unknown or (
                codes and last.fields["code"] not in codes):
            raise Failure(f"{name}: the code should not be that of {last}")

    async def quiet(self, _name, _words):
        await self.everyone_is_quiet()


Run.verbs = {
    "connects": Run.connects, "subscribes": Run.subscribes, "publishes": Run.publishes,
    "gets": Run.gets, "gets*": Run.gets_any, "overlaps": Run.overlaps, "may-get": Run.may_get,
    "shares": Run.shares, "trickles": Run.trickles, "disconnects": Run.disconnects,
    "cut": Run.cut, "ends": Run.ends, "lives": Run.lives, "quiet": Run.quiet,
}


def number(value):
    return int(value, 0) if isinstance(value, (str, bytes)) else value
