#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How much disk a store takes, what it writes to the device, and how long a start takes after that.

A queue of LIVE messages stays for an absent subscriber while COUNT others go through, once for each
number of messages under way at a time, which is how many one sync may be for. Then the broker is
killed and started, ended and started, and the times are printed.
"""
import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import report
import servers as peers

TOP = Path(__file__).resolve().parents[2]
LINES = '''\
listener {port} 127.0.0.1
allow_anonymous true
persistence_location {store}
max_queued_messages 0
max_queued_bytes 0
user root
'''
START_SECONDS = 300


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('--count', type=int, default=1000000, help='messages that go through')
    parser.add_argument('--live', type=int, default=100000, help='messages that stay')
    parser.add_argument('--window', type=int, action='append', metavar='N',
                        help='messages under way at a time (1, 10 and 1000)')
    parser.add_argument('--slow-count', type=int, default=20000, metavar='N',
                        help='messages that go through one at a time')
    parser.add_argument('--folder', type=Path, default=Path.cwd(), help='where the store lies')
    parser.add_argument('--program', type=Path, default=TOP / 'build' / 'nightjar')
    return parser.parse_args()


class Broker:
    """One life of the broker on a store; `start_ms` is the time until it serves."""

    def __init__(self, options, folder):
        self.port = peers.free_port()
        path = Path(folder) / 'nightjar.conf'
        path.write_text(LINES.format(port=self.port, store=Path(folder) / 'store'))
        self.log = Path(folder) / 'log'
        self.log.write_text('')
        started = time.monotonic()
        with open(self.log, 'a', encoding='utf-8') as log:
            self.process = subprocess.Popen([options.program, 'broker', '-c', str(path)],
                                            stdout=log, stderr=log)
        self.wait_for(' running, listening ')
        self.start_ms = 1000 * (time.monotonic() - started)

    def wait_for(self, words):
        """The rest of the first line that holds these words."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            for line in self.log.read_text(errors='replace').splitlines():
                if words in line:
                    return line
            if self.process.poll() is not None:
                raise peers.ServerFailed(f'the broker ended:\n{self.log.read_text()}')
            time.sleep(0.002)
        raise peers.ServerFailed(f'the broker does not say {words!r}')

    def bench(self, options, *words):
        done = subprocess.run([options.program, 'bench', *map(str, words), '-h', '127.0.0.1',
                               '-p', str(self.port)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise peers.ServerFailed(done.stdout + done.stderr)

    def status(self):
        """(bytes written, records, commits) by the store since it started."""
        self.process.send_signal(signal.SIGUSR1)
        line = self.wait_for('records in ')
        found = re.search(r'(\d+) records in (\d+) commits.* (\d+) bytes written', line)
        return int(found[3]), int(found[1]), int(found[2])

    def end(self, number):
        self.process.send_signal(number)
        self.process.wait()


def device_bytes(folder):
    """Written to the device on which the folder lies, by everybody; None when that is not told."""
    device = os.stat(folder).st_dev
    wanted = [str(os.major(device)), str(os.minor(device))]
    for line in Path('/proc/diskstats').read_text().splitlines():
        words = line.split()
        if words[:2] == wanted:
            return 512 * int(words[9])
    return None


def disk_use(folder):
    return sum(512 * path.stat().st_blocks for path in Path(folder).rglob('*') if path.is_file())


def restart_ms(options, folder, number, broker):
    """Ends a broker by this signal, starts another: (it, milliseconds)."""
    broker.end(number)
    fresh = Broker(options, folder)
    return fresh, fresh.start_ms


def measure(options, window):
    count = options.slow_count if window == 1 else options.count
    with tempfile.TemporaryDirectory(prefix='nightjar-restart-', dir=options.folder) as folder:
        broker = Broker(options, folder)
        try:
            broker.bench(options, 'absent', '-n', options.live, '-w', 1000, '--keep', '-d', 600)
            broker, _ = restart_ms(options, folder, signal.SIGTERM, broker)
            before = device_bytes(folder)
            broker.bench(options, 'p2p', '-q', 1, '-w', window, '-n', count, '--persistent',
                         '-d', 600)
            after = device_bytes(folder)
            written, records, commits = broker.status()
            use = disk_use(Path(folder) / 'store')
            broker, killed_ms = restart_ms(options, folder, signal.SIGKILL, broker)
            broker, ended_ms = restart_ms(options, folder, signal.SIGTERM, broker)
        finally:
            broker.end(signal.SIGKILL)
    device = f'{(after - before) / count:,.0f}' if before is not None else 'not told'
    return [f'{window:,}', f'{count:,}', f'{options.live:,}', f'{records / max(1, commits):,.1f}',
            f'{written / count:,.0f}', device, f'{use / 2**20:,.0f} MiB', f'{killed_ms:,.0f} ms',
            f'{ended_ms:,.0f} ms']


def main():
    options = arguments()
    options.program = options.program.resolve()
    lines = [measure(options, window) for window in options.window or (1, 10, 1000)]
    print('\n'.join(report.table(
        ['under way', 'messages through', 'live', 'records per commit',
         'bytes written per message', 'by the device', 'disk use', 'start after kill -9',
         'start after a clean end'], lines)))
    return 0


if __name__ == '__main__':
    sys.exit(main())
