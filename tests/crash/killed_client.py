#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Programs of examples/ that keep a store, killed at random moments, with broker restarts in between:
at QoS 2 each message is in the table exactly once, at QoS 1 at least once, and none is lost.

    killed_client.py [--rounds N] [--seed S] [--broker-every K] publish|consume BUILD

publish: `outbox` is killed while it publishes lines of a file, by turns at QoS 1 and 2; a
`sqlite_logger` that is left alone collects them. consume: the other way round. BUILD is a build
folder. Status 0: so it was; 77: there is no sqlite_logger. To hunt: --rounds 1000.
"""
import argparse
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

SKIPPED = 77
LINES = 40  # that each round adds, at each QoS
LIFE_MS = 60  # a killed process lives so long at most: it opens its store, and does its work
PATIENCE = 120


class Broker:
    """On one port, over one store, killed and started again."""

    def __init__(self, build, folder):
        self.command = [build / 'nightjar', 'broker', '-c', folder / 'broker.conf']
        self.folder = folder
        self.port = 0
        self.process = None
        self.start()

    def start(self):
        (self.folder / 'broker.conf').write_text(
            f'listener {self.port} 127.0.0.1\nallow_anonymous true\nuser root\n'
            f'persistence_location {self.folder / "broker"}\nmax_queued_messages 0\n'
            'storage_segment_size 1048576\n')
        self.process = subprocess.Popen(self.command, stderr=subprocess.PIPE,
                                        stdout=subprocess.DEVNULL, text=True)
        for line in self.process.stderr:
            match = re.search(r'listening on 127\.0\.0\.1:(\d+)', line)
            if match:
                self.port = int(match[1])
                threading.Thread(target=self.process.stderr.read, daemon=True).start()
                return
        raise RuntimeError('the broker does not start')

    def kill(self):
        self.process.kill()
        self.process.wait()

    def address(self):
        return f'mqtt://127.0.0.1:{self.port}'


class Run:
    """One run of either kind."""

    def __init__(self, build, folder, seed):
        self.build = build
        self.folder = folder
        self.random = random.Random(seed)
        self.broker = Broker(build, folder)
        self.children = []
        self.added = {1: 0, 2: 0}
        self.kills = Counter()
        for qos in (1, 2):
            (folder / f'lines-{qos}').write_text('')

    def start(self, name, *words):
        child = subprocess.Popen([self.build / 'examples' / name, self.broker.address(), *words],
                                 stderr=subprocess.PIPE, stdin=subprocess.PIPE)
        self.children.append(child)
        return child

    def end(self):
        for child in self.children:
            if child.poll() is None:
                child.kill()
            child.wait()
        self.broker.kill()

    # --- the two programs

    def publisher(self, qos, source):
        return self.start('outbox', self.folder / f'out-{qos}', f'killed/{qos}', str(qos), source)

    def logger(self):
        return self.start('sqlite_logger', self.folder / 'in', 'killed/#', self.table())

    def table(self):
        return self.folder / 'table.db'

    # --- what a round does

    def add_lines(self, qos):
        """The next lines, each the number of the last one plus one."""
        numbers = range(self.added[qos] + 1, self.added[qos] + 1 + LINES)
        self.added[qos] += LINES
        return ''.join(f'{number}\n' for number in numbers)

    def kill_after_a_while(self, child):
        time.sleep(self.random.uniform(0, LIFE_MS) / 1000)
        if child.poll() is None:
            child.kill()
        child.wait()
        self.kills[child.returncode] += 1
        text = child.stderr.read().decode()
        if child.returncode not in (0, -signal.SIGKILL) or 'damaged' in text:
            raise RuntimeError(f'{child.args[0]}: {child.returncode}: {text}')

    def restart_broker(self):
        self.broker.kill()
        time.sleep(self.random.uniform(0, 20) / 1000)
        self.broker.start()

    # --- what must be so in the end

    def rows(self):
        """{QoS: how often each number is there}"""
        found = {1: Counter(), 2: Counter()}
        with sqlite3.connect(f'file:{self.table()}?mode=ro', uri=True) as table:
            for topic, payload in table.execute('SELECT topic, payload FROM message'):
                found[int(topic[-1])][int(payload)] += 1
        return found

    def is_complete(self):
        found = self.rows()
        return all(len(found[qos]) >= self.added[qos] for qos in (1, 2))

    def wait_until_complete(self):
        until = time.monotonic() + PATIENCE
        while not self.is_complete() and time.monotonic() < until:
            time.sleep(0.1)

    def verdict(self):
        found = self.rows()
        lost = {qos: sorted(set(range(1, self.added[qos] + 1)) - set(found[qos]))
                for qos in (1, 2)}
        twice = {qos: sorted(n for n, count in found[qos].items() if count > 1) for qos in (1, 2)}
        strange = [n for qos in (1, 2) for n in found[qos] if not 0 < n <= self.added[qos]]
        print(f'{self.added[1]} messages of QoS 1: {len(lost[1])} lost, {len(twice[1])} more than '
              f'once; {self.added[2]} of QoS 2: {len(lost[2])} lost, {len(twice[2])} more than '
              f'once; killed {self.kills[-signal.SIGKILL]}, ended before {self.kills[0]}')
        for name, numbers in (('lost at QoS 1', lost[1]), ('lost at QoS 2', lost[2]),
                              ('twice at QoS 2', twice[2]), ('of no one', strange)):
            if numbers:
                print(f'{name}: {numbers[:20]}')
        return not (lost[1] or lost[2] or twice[2] or strange)


def has_begun(run):
    """The table is there, and what the logger subscribes to is known to the broker: a first
    message has come."""
    try:
        return len(run.rows()[1]) > 0
    except sqlite3.OperationalError:
        return False


def begin(run):
    """A first line, published until the logger has it: from then on nothing may be lost."""
    (run.folder / 'first').write_text('1\n')
    run.added[1] = 1
    run.random.random()
    until = time.monotonic() + PATIENCE
    while not has_begun(run) and time.monotonic() < until:
        child = run.start('outbox', run.folder / f'first-{time.monotonic_ns()}', 'killed/1', '1',
                          run.folder / 'first')
        child.wait()
    if not has_begun(run):
        raise RuntimeError('nothing comes')


def publish(run, rounds, broker_every):
    logger = run.logger()
    begin(run)
    with open(run.folder / 'lines-1', 'w', encoding='utf-8') as lines:
        lines.write('1\n')  # as the first one of all
    for number in range(rounds):
        qos = 1 + number % 2
        with open(run.folder / f'lines-{qos}', 'a', encoding='utf-8') as lines:
            lines.write(run.add_lines(qos))
        child = run.publisher(qos, run.folder / f'lines-{qos}')
        if number % broker_every == broker_every - 1:
            run.restart_broker()
        run.kill_after_a_while(child)
    for qos in (1, 2):
        if run.publisher(qos, run.folder / f'lines-{qos}').wait(PATIENCE) != 0:
            raise RuntimeError('the outbox does not drain')
    run.wait_until_complete()
    logger.send_signal(signal.SIGTERM)
    logger.wait(PATIENCE)


def consume(run, rounds, broker_every):
    logger = run.logger()
    begin(run)
    sources = {qos: run.publisher(qos, '-') for qos in (1, 2)}
    run.kill_after_a_while(logger)
    for number in range(rounds):
        for qos, source in sources.items():
            source.stdin.write(run.add_lines(qos).encode())
            source.stdin.flush()
        logger = run.logger()
        if number % broker_every == broker_every - 1:
            run.restart_broker()
        run.kill_after_a_while(logger)
    logger = run.logger()
    for source in sources.values():
        source.stdin.close()
        if source.wait(PATIENCE) != 0:
            raise RuntimeError('a publisher does not end')
    run.wait_until_complete()
    logger.send_signal(signal.SIGTERM)
    logger.wait(PATIENCE)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('kind', choices=['publish', 'consume'])
    parser.add_argument('build', type=Path)
    parser.add_argument('--rounds', type=int, default=10)
    parser.add_argument('--seed', type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument('--broker-every', type=int, default=5, help='a restart in so many rounds')
    options = parser.parse_args()
    if not (options.build / 'examples' / 'sqlite_logger').exists():
        print('skipped: the build has no examples/sqlite_logger')
        return SKIPPED
    began = time.monotonic()
    print(f'{options.kind}: {options.rounds} rounds, seed {options.seed}', flush=True)
    with tempfile.TemporaryDirectory(prefix='nightjar-killed-') as folder:
        run = Run(options.build.resolve(), Path(folder), options.seed)
        try:
            {'publish': publish, 'consume': consume}[options.kind](run, options.rounds,
                                                                   options.broker_every)
            is_good = run.verdict()
        finally:
            run.end()
    print(f'{"good" if is_good else "BAD"} after {time.monotonic() - began:.1f} s')
    return not is_good


if __name__ == '__main__':
    os.umask(0o077)
    sys.exit(main())
