#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Starts Debian's mosquitto and ours from the same configuration files, lets the same clients do the
same, and compares what each of them hears, packet by packet.

    tests/differ/differ.py                       all files, 200 acts each
    tests/differ/differ.py --only plain --acts 2000 --seed 7

A difference must stand in a table of docs/MIGRATING.md, with its reason; one that does not is
printed, and the exit status is 1. The same seed gives the same acts.
"""
import argparse
import difflib
import fnmatch
import os
import random
import re
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parents[1]
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]

from acts import SLOTS, Actor  # noqa: E402
from configs import ACL, CONFIGURATIONS, PSK, USERS  # noqa: E402
from options import free_port  # noqa: E402
from carriers import PATIENCE  # noqa: E402
from players import Item, Server  # noqa: E402
from support import packets as p  # noqa: E402
from support.certificates import Authority  # noqa: E402

DOCS = TOP / "docs" / "MIGRATING.md"
BEGIN, END = "<!-- answers: begin -->\n", "<!-- answers: end -->\n"
MOSQUITTO = "/usr/sbin/mosquitto"
NIGHTJAR = os.environ.get("NIGHTJAR", str(TOP / "build" / "nightjar"))


class Known:
    """A row of the table: patterns of where, what, and both answers."""

    def __init__(self, cells):
        self.row = " | ".join(cell.strip() for cell in cells[:4])
        self.patterns = [re.findall(r"`([^`]+)`", cell) for cell in cells[:4]]
        self.count = 0

    def covers(self, difference):
        return all(any(fnmatch.fnmatchcase(value, pattern.replace("[", "[[]"))
                       for pattern in patterns)
                   for value, patterns in zip(difference, self.patterns))


def known_differences(table):
    text = table.read_text()
    rows = [re.split(r"(?<!\\)\|", row)[1:-1]
            for row in text[text.index(BEGIN):text.index(END)].splitlines()]
    return [Known(row) for row in rows if len(row) == 5 and "`" in row[0]]


def make_files(folder):
    authority = Authority(folder)
    for name in ("server", "alice", "mallory"):
        authority.issue(name)
    authority.revoke("mallory")
    (folder / "acl").write_text(ACL)
    (folder / "psk").write_text(f"lamp:{PSK}\n")
    for user, password in USERS.items():
        option = ["-b"] if (folder / "users").exists() else ["-c", "-b"]
        os.spawnlp(os.P_WAIT, "mosquitto_passwd", "mosquitto_passwd", *option,
                   str(folder / "users"), user, password)
    (folder / "more").mkdir()
    (folder / "more" / "one.conf").write_text("max_inflight_messages 10\n")
    (folder / "more" / "Two.conf").write_text("max_packet_size 400\n")
    (folder / "more" / "none.txt").write_text("retain_available false\n")
    folder.chmod(0o755)
    return authority


def field_differences(what, theirs, ours):
    for name in sorted(theirs.fields.keys() | ours.fields.keys()):
        pair = theirs.fields.get(name, "-"), ours.fields.get(name, "-")
        if pair[0] != pair[1]:
            yield f"{what} {name}", *pair


def sequence_differences(version, theirs, ours):
    """(what, mosquitto's, ours): packets of one kind side by side, others beside nothing."""
    matcher = difflib.SequenceMatcher(None, [one.name for one in theirs],
                                      [one.name for one in ours], autojunk=False)
    for tag, a, a_end, b, b_end in matcher.get_opcodes():
        if tag == "equal":
            for one, other in zip(theirs[a:a_end], ours[b:b_end]):
                yield from field_differences(f"{version} {one.name}", one, other)
        else:
            for one in theirs[a:a_end]:
                yield f"{version} {one.name}", str(one), "-"
            for one in ours[b:b_end]:
                yield f"{version} {one.name}", "-", str(one)


def differences(version, theirs, ours):
    """
    Messages are in order within their topic ([MQTT-4.6.0-6]), what goes on with them and the
    answers to the client's own packets among themselves.
    """
    for stream in sorted({one.stream for one in theirs + ours}):
        yield from sequence_differences(version, [one for one in theirs if one.stream == stream],
                                        [one for one in ours if one.stream == stream])


class Run:
    """One configuration: both brokers and what is done to them."""

    def __init__(self, configuration, folder, authority, seed, known):
        self.configuration, self.known = configuration, known
        self.rng = random.Random(f"{seed} {configuration.name}")
        self.new, self.found = [], 0
        self.versions, self.client_ids, self.ids = {}, {}, Counter()
        self.servers = [self._start(name, folder, authority) for name in ("theirs", "ours")]

    def _start(self, name, folder, authority):
        own = Path(tempfile.mkdtemp(dir=folder)) / name
        own.parent.chmod(0o755)
        ports = {"a": free_port(), "b": free_port()}
        command = [MOSQUITTO]
        if name == "ours":
            command = [NIGHTJAR, "broker", "--shards", "1"]
        return Server(command, self.configuration, folder, own, authority, ports,
                      {"STATE_DIRECTORY": f"{own}/state"})

    # What an Actor asks

    def is_open(self, slot):
        return all(slot in one.slots for one in self.servers)

    def version(self, slot):
        return self.versions[slot]

    def packet_id(self, slot, qos):
        if qos == 0:
            return None
        self.ids[slot] += 1
        return self.ids[slot]

    # Acting

    def act(self, name, slot, what):
        heard = [self.act_on(one, slot, what) for one in self.servers]
        before = len(self.new)
        self.compare(name, slot, heard)
        if self.is_told and (self.is_told == "all" or len(self.new) > before):
            mark = "NEW " if len(self.new) > before else ""
            print(f"{mark}{self.configuration.name}: {name} by {slot}, "
                  f"{self.client_ids.get(slot)}: {what}")
            for who, items in zip(("mosquitto", "nightjar"), heard):
                for at, one in sorted(items.items(), key=str):
                    print(f"    {who} {at}:", *(f"{i} {i.topic or ''} {i.fields}" for i in one))

    def act_on(self, server, slot, what):
        """{slot: items} of that broker."""
        extra, silent = [], []
        if isinstance(what, bytes):
            server.slots[slot].send(what)
            if what[0] >> 4 == p.DISCONNECT:
                self.read_to_end(server.slots[slot])
        elif what[0] == "connect":
            self.versions[slot] = what[1]
            self.ids[slot] = 0
            extra = server.connect(slot, *what[1:])
        elif what[0] == "silence":
            self.versions["silent"] = what[1]
            silent = self.wait_in_silence(server, *what[1:])
        elif what[0] == "cut":
            server.slots[slot].end()
        elif what[0] == "hold":
            server.slots[slot].is_holding = True
        else:
            server.slots[slot].release()
        server.settle(slot)
        heard = {at: one.taken() for at, one in server.slots.items()}
        heard[slot] = extra + heard.get(slot, [])
        heard["silent"] = silent
        server.forget_closed()
        return heard

    @staticmethod
    def read_to_end(connection):
        connection.link.wait_only(PATIENCE)
        while connection.is_open:
            try:
                connection.read()
            except TimeoutError:
                connection.heard.append(Item("STAYS OPEN", {}))
                connection.end()

    @staticmethod
    def wait_in_silence(server, version, data):
        extra = server.connect("silent", version, data)
        silent = server.slots.pop("silent", None)
        while silent and silent.is_open:
            silent.read()
        return extra + (silent.taken() if silent else [])

    def compare(self, name, slot, heard):
        theirs, ours = heard
        for at in sorted(theirs.keys() | ours.keys(), key=str):
            who = "own" if at in (slot, "silent") else "other"
            version = f"{who} v{self.versions.get(at, 4)}"
            found = list(differences(version, theirs.get(at, []), ours.get(at, [])))
            for what, one, other in found:
                self.tell((f"{self.configuration.name}: {name}", what, one, other))
        self.make_even()

    def tell(self, difference):
        self.found += 1
        for known in self.known:
            if known.covers(difference):
                known.count += 1
                return
        self.new.append(difference)

    def make_even(self):
        """Who is still open with one broker only is cut there: the other has published his will."""
        for server in self.servers:
            for slot in [slot for slot in server.slots if not self.is_open(slot)]:
                server.slots[slot].end()
            server.settle()
            for one in server.slots.values():
                one.taken()
            server.forget_closed()

    def run(self, acts):
        try:
            actor = Actor(self.rng, self.configuration, self)
            for _ in range(acts):
                self.act(*actor.next())
        finally:
            for one in self.servers:
                one.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--acts", type=int, default=200, help="per configuration file")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tell", choices=("new", "all"),
                        help="show acts in full: those with new differences, or all")
    parser.add_argument("--table", type=Path, default=DOCS, help="the page with the differences")
    parser.add_argument("--only", action="append", help="name of a configuration")
    given = parser.parse_args()
    known, new, found, began = known_differences(given.table), Counter(), 0, time.monotonic()
    chosen = [c for c in CONFIGURATIONS if not given.only or c.name in given.only]
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="nightjar-differ-", dir=memory) as name:
        folder = Path(name) / "files"
        authority = make_files(folder) if not folder.exists() else None
        Path(name).chmod(0o755)

        def one(configuration):
            run = Run(configuration, folder, authority, given.seed, known)
            run.is_told = given.tell
            run.run(given.acts)
            return run
        with ThreadPoolExecutor(2) as pool:
            for run in pool.map(one, chosen):
                found += run.found
                new.update(run.new)
    for difference, count in new.items():
        print("NEW {}: {}: mosquitto {}, nightjar {} ({} times)".format(*difference, count))
    print(f"{len(chosen)} files, {given.acts} acts each, seed {given.seed}: {found} differences of "
          f"{sum(one.count > 0 for one in known)} known kinds, {len(new)} new ones, "
          f"{time.monotonic() - began:.0f} s")
    if not given.only:
        for row in (one.row for one in known if one.count == 0):
            print(f"not met this time: {row}")
    return 1 if new else 0


assert SLOTS > 2

if __name__ == "__main__":
    sys.exit(main())
