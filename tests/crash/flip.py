#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
A small store with one bit changed, or one file cut short: the broker must neither crash nor be
silent about it.

    flip.py [--every | --samples N] [--seed S] PROGRAM

For each damage a fresh copy of the store is given to the broker. Either it starts, and then all
that was acknowledged arrives unchanged, or its log speaks of a loss (and what arrives is unchanged
all the same); or it refuses to start in one sentence with status 1. Damage to what no one needs
any more may go unnoticed. With --every each byte of each file that holds more than zeros is hit,
in an order that the seed gives: whoever is interrupted has tried a fair part.
"""
import argparse
import collections
import itertools
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'e2e'))

from support import packets as p  # noqa: E402
from support.client import Client, Closed  # noqa: E402
from support.process import eventually  # noqa: E402

MESSAGES = 12
RETAINED = 4
# Of a loss that is not told nobody can know; this long it is waited for.
WAIT_SECONDS = 5
SPEAKS = re.compile(r'^\S+: (?:warning: )?Store .*(?:lost|loss|damage|not whole|set aside)', re.IGNORECASE | re.MULTILINE)
SETTINGS = ['storage_segment_size 65536']


class Broker:
    """The broker on that folder's store; its log is a file."""

    def __init__(self, program, folder):
        self.log = folder / 'log'
        configuration = folder / 'broker.conf'
        configuration.write_text('\n'.join(
            [f'persistence_location {folder / "store"}', *SETTINGS,
             *(['user root'] if os.geteuid() == 0 else []), '']))
        with self.log.open('wb') as out:
            self.process = subprocess.Popen([program, 'broker', '-p', '0', '-c', configuration],
                                            stderr=out, stdout=out)

    def port(self):
        """None when it has ended."""
        def look():
            match = re.search(r'listening on 127\.0\.0\.1:(\d+)', self.log.read_text())
            return int(match[1]) if match else self.process.poll() is not None and -1
        found = eventually(look, pause=0.002)
        return None if found < 0 else found

    def end(self, number=signal.SIGKILL):
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(60)


def payload(number):
    return b'message %d ' % number + bytes([65 + number % 26]) * 40


def fill(program, folder):
    """Sessions, queued messages at QoS 1 and 2 and retained ones; then kill -9."""
    broker = Broker(program, folder)
    port = broker.port()
    assert port, broker.log.read_text()
    subscriber = Client(port, 4)
    subscriber.connect('flip-subscriber', clean=False)
    subscriber.subscribe('flip/#', qos=2)
    subscriber.disconnect()
    publisher = Client(port, 4)
    publisher.connect('flip-publisher', clean=False)
    for number in range(MESSAGES):
        publisher.publish('flip/a', payload(number), qos=1 + number % 2)
    for number in range(RETAINED):
        publisher.publish(f'kept/{number}', payload(number), qos=1, retain=True)
    # Damage to the newest commit cannot be told from one that was torn off by a power cut: nothing
    # behind it says that it once was whole. So that one holds nothing that is looked for.
    publisher.publish('newest', b'', qos=1, retain=True)
    publisher.publish('newest', b'x', qos=1, retain=True)
    publisher.cut()
    broker.end()


def drain(port, log):
    """What the absent subscriber gets, and what is retained; (messages, {topic: payload})."""
    messages, kept = [], {}
    subscriber = Client(port, 4)
    subscriber.send(p.connect('flip-subscriber', 4, clean=False))
    subscriber.expect(p.CONNACK)
    subscriber.send(p.PING)
    looker = Client(port, 4)
    looker.connect('flip-looker')
    looker.subscribe('kept/#')
    looker.send(p.PING)
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        for client in subscriber, looker:
            take_until_quiet(client, messages, kept)
        is_whole = len(messages) == MESSAGES and len(kept) == RETAINED
        if is_whole or time.monotonic() > deadline or SPEAKS.search(log.read_text()):
            return messages, kept


def take_until_quiet(client, messages, kept):
    """A PINGRESP says that the broker had its turn; some of them, that it has no more."""
    pings = 0
    while pings < 20:
        got = client.receive()
        if got is None:
            raise Closed('closed')
        if got.kind == p.PINGRESP:
            pings += 1
            client.send(p.PING)
        elif got.kind == p.PUBLISH and got.topic.startswith('kept/'):
            kept[got.topic] = got.payload
        elif got.kind == p.PUBLISH:
            messages.append(got.payload)
            pings = 0
            if got.qos:
                client.send(p.ack(p.PUBACK if got.qos == 1 else p.PUBREC, got.packet_id))
        elif got.kind == p.PUBREL:
            client.send(p.ack(p.PUBCOMP, got.packet_id))


def judge(program, folder):
    """(how the broker takes this store, what is wrong with that or None)."""
    broker = Broker(program, folder)
    port = broker.port()
    if port is None:
        status = broker.process.wait()
        said = broker.log.read_text().strip()
        return 'refused', None if status == 1 and said else f'ended with {status}:\n{said[-2000:]}'
    try:
        messages, kept = drain(port, broker.log)
    except (Closed, OSError) as error:
        broker.end()
        return 'bad', f'{error}:\n{broker.log.read_text()[-2000:]}'
    status = broker.end(signal.SIGTERM)
    said = broker.log.read_text()
    expected = [payload(number) for number in range(MESSAGES)]
    expected_kept = {f'kept/{number}': payload(number) for number in range(RETAINED)}
    if status != 0:
        return 'bad', f'ended with {status}:\n{said[-2000:]}'
    if any(m not in expected for m in messages) or not kept.items() <= expected_kept.items():
        return 'bad', f'changed content: {messages} {kept}'
    is_whole = messages == expected and kept == expected_kept
    is_told = bool(SPEAKS.search(said))
    if not is_whole and not is_told:
        return 'bad', f'silent: {len(messages)} messages, {len(kept)} retained\n{said[-2000:]}'
    return 'lost and told' if not is_whole else 'told' if is_told else 'unnoticed', None


def is_worth_a_flip(content, at):
    """Zeros are filler, mostly; the byte beside content counts as content."""
    return any(content[max(0, at - 8):at + 8])


def damages(store, options, chance):
    """(file, place, bit): a flip; (file, length, None): cut off there."""
    flips, cuts = [], []
    for path in sorted(store.iterdir()):
        content = path.read_bytes()
        if path.name == 'LOCK':
            continue
        flips += [(path.name, at, at % 8) for at in range(len(content))
                  if is_worth_a_flip(content, at)]
        cuts += [(path.name, length, None) for length in range(0, len(content), 512)]
    if options.every:
        return chance.sample(flips + cuts, len(flips + cuts))
    return (chance.sample(flips, min(options.samples, len(flips))) +
            chance.sample(cuts, min(options.samples // 4, len(cuts))))


def damage(path, at, bit):
    with path.open('r+b') as file:
        if bit is None:
            file.truncate(at)
            return
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1 << bit]))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--every', action='store_true')
    parser.add_argument('--samples', type=int, default=40)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('program')
    options = parser.parse_args()
    bad, kinds = 0, collections.Counter()
    with tempfile.TemporaryDirectory(prefix='nightjar-flip-') as top:
        original, copy = Path(top) / 'original', Path(top) / 'copy'
        original.mkdir()
        fill(options.program, original)
        _, wrong = judge_copy(options.program, original, copy)
        assert wrong is None, f'without damage: {wrong}'
        found = damages(original / 'store', options, random.Random(options.seed))
        stops = []
        signal.signal(signal.SIGINT, lambda *_: stops.append(True))
        for name, at, bit in itertools.takewhile(lambda _: not stops, found):
            kind, wrong = judge_copy(options.program, original, copy, (name, at, bit))
            kinds[kind] += 1
            if wrong:
                bad += 1
                what = f'bit {bit} of byte {at}' if bit is not None else f'cut off at {at}'
                print(f'{name}, {what}: {wrong}', flush=True)
    shares = ', '.join(f'{count} {kind}' for kind, count in sorted(kinds.items()))
    print(f'{kinds.total()} of {len(found)} damages ({shares}), {bad} taken badly')
    return 1 if bad else 0


def judge_copy(program, original, copy, hit=None):
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(original, copy)
    if hit:
        damage(copy / 'store' / hit[0], *hit[1:])
    return judge(program, copy)


if __name__ == '__main__':
    sys.exit(main())
