#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Sends the same packets, most of them wrong in one place, to our broker and to mosquitto, and
compares who takes them: tests/fuzz/differential.py --cases 2000 --seed 1.

A packet is a list of named fields, one of which is changed by chance (differential_cases.py); both
brokers get CONNECT, the packet and PINGREQ. What is compared is whether the connection lives, and
what was answered: kinds, and good or bad, not which reason code. A difference must have its reason
in docs/FUZZING.md, whose table this program reads; one without a reason is printed, and the exit
status is 1. The same seed gives the same cases.
"""
import argparse
import asyncio
import fnmatch
import re
import sys
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / 'conformance'))

from broker import Broker  # noqa: E402
from differential_cases import case_of  # noqa: E402

DOCS = HERE.parents[1] / 'docs' / 'FUZZING.md'
AT_A_TIME = 8
# All answers come in the turn of what they answer, so that a round trip shows that all are there.
ALONE = ('shards 1', 'persistence false')
# Long enough for a loaded machine; only a broker that neither answers nor closes takes so long.
DEADLINE = 10.0
ROUNDS = 3
PINGREQ, PINGRESP = b'\xc0\0', 13
NAMES = {2: 'CONNACK', 4: 'PUBACK', 5: 'PUBREC', 6: 'PUBREL', 7: 'PUBCOMP', 9: 'SUBACK',
         11: 'UNSUBACK', 14: 'DISCONNECT', 15: 'AUTH'}
ROW = re.compile(r'^\| `([^`]+)` \| ([^|]+) \| ([^|]+) \| (.+) \|$', re.MULTILINE)


async def read_packet(reader):
    first = (await reader.readexactly(1))[0]
    length, shift, byte = 0, 0, 128
    while byte & 128:
        byte = (await reader.readexactly(1))[0]
        length |= (byte & 127) << shift
        shift += 7
    return first >> 4, await reader.readexactly(length)


def code_of(kind, body, version):
    """The reason codes of an answer; none is success."""
    if kind == 9 or (kind == 11 and version == '5'):
        skip = 3 + body[2] if version == '5' else 2
        return max(body[skip:], default=0)
    if kind in (4, 5, 6, 7):
        return body[2] if len(body) > 2 else 0
    return body[1] if kind == 2 else 0


async def answers(reader, writer, version):
    """
    What came, and whether the connection lives. After three round trips all has come that threads
    of a broker hand to each other.
    """
    found, rounds = [], 0
    try:
        while True:
            kind, body = await read_packet(reader)
            if kind == PINGRESP:
                rounds += 1
                if rounds == ROUNDS:
                    return sorted(found), True
                writer.write(PINGREQ)
                continue
            if kind == 2 and code_of(kind, body, version) != 0:
                return found, False
            if kind in NAMES and kind != 14:  # messages come from other cases, too
                found.append(NAMES[kind] + (' bad' if code_of(kind, body, version) > 0x7f else ''))
    except (asyncio.IncompleteReadError, ConnectionError):
        return found, False


async def ask(address, case):
    """'closed', or the answers of a connection that lives."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        writer.write(case.connect + case.packet + PINGREQ)
        found, lives = await asyncio.wait_for(answers(reader, writer, case.version), DEADLINE)
    except (asyncio.TimeoutError, TimeoutError):
        return 'silent'
    finally:
        writer.close()
    return ', '.join(found) if lives else 'closed'


class Reason:
    """A row of the table: which cases, what ours does, what the other does, why."""

    def __init__(self, pattern, ours, theirs, why):
        self.pattern = pattern
        self.ours = ours.strip()
        self.theirs = theirs.strip()
        self.why = why
        self.count = 0

    def fits(self, label, ours, theirs):
        def is_so(what, wanted):
            return wanted == 'any' or what == wanted or (wanted == 'lives' and what != 'closed')
        return (fnmatch.fnmatchcase(label, self.pattern) and is_so(ours, self.ours) and
                is_so(theirs, self.theirs))


async def compare(arguments, reasons):
    ours = Broker(arguments.binary, ALONE)
    theirs = Broker(arguments.mosquitto, ())
    gate = asyncio.Semaphore(AT_A_TIME)
    counts, unexplained = Counter(), []

    async def one(number):
        case = case_of(arguments.seed, number)
        async with gate:
            a, b = await asyncio.gather(ask(ours.address, case), ask(theirs.address, case))
        if a == b:
            counts['closed by both' if a == 'closed' else 'taken by both'] += 1
            return
        counts['different'] += 1
        for reason in reasons:
            if reason.fits(case.label, a, b):
                reason.count += 1
                return
        unexplained.append((case, a, b))
    try:
        await asyncio.gather(*[one(number) for number in range(arguments.cases)])
    finally:
        statuses = ours.stop(), theirs.stop()
    if any(statuses):
        raise SystemExit(f'a broker ended badly: {statuses}')
    return counts, unexplained


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument('--cases', type=int, default=2000)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--binary', help='ours; $NIGHTJAR or build/nightjar without it')
    parser.add_argument('--mosquitto', default='/usr/sbin/mosquitto')
    arguments = parser.parse_args()
    reasons = [Reason(*row) for row in ROW.findall(DOCS.read_text())]
    counts, unexplained = asyncio.run(compare(arguments, reasons))
    print(f'seed {arguments.seed}, {arguments.cases} cases: ' +
          ', '.join(f'{count} {name}' for name, count in sorted(counts.items())))
    for reason in reasons:
        print(f'{reason.count:6} {reason.pattern}: ours {reason.ours}, theirs {reason.theirs}')
    for case, a, b in sorted(unexplained, key=lambda found: found[0].label):
        print(f'FOUND {case.label}: ours "{a}", theirs "{b}": '
              f'{case.connect.hex()} {case.packet.hex()}')
    print(f'{arguments.cases - len(unexplained)} passed, {len(unexplained)} failed')
    return 1 if unexplained else 0


if __name__ == '__main__':
    sys.exit(main())
