#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Ten thousand clients of libnightjar lose their broker at once and come back.

The broker is killed (SIGKILL) while all are connected and subscribed, and started again on its store
after some seconds. The clients reconnect by the library's defaults: full jitter. Written are the
connections made in each tenth of a second (docs/storm.csv), a plot (docs/storm.svg), and a part of
docs/BENCH_CLIENT.md.
"""
import argparse
import datetime
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import rows
import servers as peers

TOP = Path(__file__).resolve().parents[2]
DOCS = TOP / 'docs'
PAGE = DOCS / 'BENCH_CLIENT.md'
BEGIN = '<!-- written by tests/bench/storm.py: begin -->'
END = '<!-- written by tests/bench/storm.py: end -->'
LINES = '''\
listener {port} 127.0.0.1
allow_anonymous true
persistence_location {store}
user root
'''
STEP = 0.1  # seconds of a bar
WAIT_SECONDS = 180


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('--clients', type=int, default=10000)
    parser.add_argument('--processes', type=int, default=4, help='that the clients live in')
    parser.add_argument('--away', type=float, default=3.0, help='seconds without a broker')
    parser.add_argument('--program', type=Path, default=TOP / 'build' / 'nightjar')
    parser.add_argument('--no-page', action='store_true', help='print, and write nothing')
    return parser.parse_args()


class Fleet:
    """Clients in several processes, each with its own loop."""

    def __init__(self, options, folder, port):
        library = options.program.parent / 'src' / 'client' / 'libnightjar.a'
        program = folder / 'storm'
        subprocess.run(['gcc', '-O2', f'-I{TOP / "include"}', TOP / 'tests' / 'bench' / 'storm.c',
                        library, '-pthread', '-lssl', '-lcrypto', '-o', program], check=True)
        each = options.clients // options.processes
        self.outputs = [folder / f'clients-{i}' for i in range(options.processes)]
        self.processes = []
        for i, output in enumerate(self.outputs):
            with open(output, 'wb') as file:
                self.processes.append(subprocess.Popen(
                    [program, f'mqtt://127.0.0.1:{port}', str(each), str(i * each)], stdout=file))
        self.count = each * options.processes

    def wait_until_up(self, times):
        """All clients of each process have been connected so often, together."""
        deadline = time.monotonic() + WAIT_SECONDS
        while any(output.read_bytes().count(b'up\n') < times for output in self.outputs):
            if time.monotonic() > deadline:
                sys.exit(f'storm: not all clients were connected after {WAIT_SECONDS} s')
            time.sleep(0.1)

    def events(self):
        """(kind, seconds) of all, in their order."""
        found = [(line[:1], int(line[2:]) / 1e6) for output in self.outputs
                 for line in output.read_text().splitlines() if line != 'up' and len(line) > 3]
        return sorted(found, key=lambda event: event[1])

    def end(self):
        for process in self.processes:
            process.kill()
            process.wait()


class Storm:
    """What came of it; times are seconds since the broker was killed."""

    def __init__(self, options):
        self.away = options.away
        self.load = ' '.join(f'{value:.1f}' for value in os.getloadavg())
        with tempfile.TemporaryDirectory(prefix='nightjar-storm-') as name:
            folder = Path(name)
            port = peers.free_port()
            configuration = folder / 'nightjar.conf'
            configuration.write_text(LINES.format(port=port, store=folder / 'store'))
            self.command = [options.program, 'broker', '-c', configuration]
            broker = self.start(port, folder)
            fleet = Fleet(options, folder, port)
            try:
                fleet.wait_until_up(1)
                killed = time.monotonic()
                broker.send_signal(signal.SIGKILL)
                broker.wait()
                time.sleep(max(0, killed + options.away - time.monotonic()))
                broker = self.start(port, folder)
                self.listens = time.monotonic() - killed
                fleet.wait_until_up(2)
                events = [(kind, at - killed) for kind, at in fleet.events() if at >= killed]
                self.clients = fleet.count
                self.cpu = sum(os.times()[2:4])
            finally:
                fleet.end()
                broker.kill()
                broker.wait()
        self.connected = [at for kind, at in events if kind == 'C']
        self.failed = [at for kind, at in events if kind == 'F']
        self.lost = sum(kind == 'L' for kind, _ in events)

    def start(self, port, folder):
        with open(folder / 'log', 'ab') as log:
            process = subprocess.Popen(self.command, stdout=log, stderr=log)
        peers.wait_until_listening('nightjar', process, port)
        return process

    def bars(self, times):
        count = int(self.connected[-1] / STEP) + 1
        bars = [0] * count
        for at in times:
            if at < count * STEP:
                bars[int(at / STEP)] += 1
        return bars

    def after(self, share):
        """Seconds from when the broker listens until so many of the clients are back."""
        return self.connected[max(0, int(len(self.connected) * share) - 1)] - self.listens


def write_csv(storm):
    connected, failed = storm.bars(storm.connected), storm.bars(storm.failed)
    total, lines = 0, ['seconds,connected,failed,connected_in_all']
    for i, (good, bad) in enumerate(zip(connected, failed)):
        total += good
        lines.append(f'{i * STEP:.1f},{good},{bad},{total}')
    (DOCS / 'storm.csv').write_text('\n'.join(lines) + '\n')


def write_svg(storm):
    """Bars: connections and failures in each tenth; a line: all that are back."""
    width, height, left, bottom = 720, 320, 60, 60
    connected, failed = storm.bars(storm.connected), storm.bars(storm.failed)
    most = max(connected + failed)
    x_of = lambda at: left + (width - left - 60) * at / (len(connected) * STEP)
    y_of = lambda share: height - bottom - (height - bottom - 30) * share
    bar = (x_of(STEP) - left) * 0.9
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
             'font-family="sans-serif" font-size="12">',
             f'<rect width="{width}" height="{height}" fill="white"/>']
    for bars, colour in ((failed, '#d9a0a0'), (connected, '#4878a8')):
        parts += [f'<rect x="{x_of(i * STEP):.1f}" y="{y_of(n / most):.1f}" width="{bar:.1f}" '
                  f'height="{height - bottom - y_of(n / most):.1f}" fill="{colour}"/>'
                  for i, n in enumerate(bars) if n]
    total, points = 0, []
    for i, n in enumerate(connected):
        total += n
        points.append(f'{x_of((i + 1) * STEP):.1f},{y_of(total / storm.clients):.1f}')
    parts.append(f'<polyline points="{" ".join(points)}" fill="none" stroke="#222" '
                 'stroke-width="1.5"/>')
    x = x_of(storm.listens)
    parts.append(f'<line x1="{x:.1f}" y1="30" x2="{x:.1f}" y2="{height - bottom}" stroke="#2a2" '
                 f'stroke-dasharray="4 3"/><text x="{x + 4:.1f}" y="28" fill="#2a2">the broker '
                 'listens again</text>')
    for second in range(0, int(len(connected) * STEP) + 1, 1 + int(len(connected) * STEP / 15)):
        parts.append(f'<text x="{x_of(second):.1f}" y="{height - bottom + 16}" '
                     f'text-anchor="middle">{second}</text>')
    for share in (0, 0.5, 1):
        parts.append(f'<text x="{left - 6}" y="{y_of(share) + 4:.1f}" text-anchor="end">'
                     f'{most * share:.0f}</text><text x="{width - 56}" y="{y_of(share) + 4:.1f}">'
                     f'{storm.clients * share:.0f}</text>')
    parts.append(f'<line x1="{left}" y1="{height - bottom}" x2="{width - 60}" '
                 f'y2="{height - bottom}" stroke="#222"/>'
                 f'<text x="{left}" y="{height - 26}">seconds since the broker was killed</text>'
                 f'<text x="{left}" y="{height - 8}">bars, left: connections (blue) and attempts that '
                 'failed (red) in each 0.1 s; line, right: back in all</text></svg>')
    (DOCS / 'storm.svg').write_text('\n'.join(parts) + '\n')


def page_of(storm):
    best = max(storm.bars(storm.connected)) / STEP
    rows_of_table = ''.join(
        f'| {name} | {value} |\n' for name, value in (
            ('clients', f'{storm.clients:,}'),
            ('the broker was away, its start included', f'{storm.listens:.2f} s'),
            ('attempts that failed meanwhile', f'{len(storm.failed):,}'),
            ('connections in the busiest 0.1 s', f'{best * STEP:,.0f}'),
            ('half are back', f'{storm.after(0.5):.2f} s after it listens'),
            ('90 % are back', f'{storm.after(0.9):.2f} s'),
            ('99 % are back', f'{storm.after(0.99):.2f} s'),
            ('all are back', f'{storm.after(1):.2f} s'),
            ('lost again on the way', f'{storm.lost - storm.clients:,}')))
    return f'''{BEGIN}
## A storm of reconnects

Written by `./nightjar.sh bench --storm` on {datetime.date.today()}; {os.cpu_count()} cores, load average at the start {storm.load}. {storm.clients:,} clients of the library, each with a subscription, in a few processes on the machine of the broker, which is killed and started again on its store after {storm.away:.0f} s. The clients come back by the library's defaults: random waits of up to 1 s, 2 s, 4 s ... 60 s (full jitter), and subscribe again.

| what | measured |
| --- | --- |
{rows_of_table}
![connections in each tenth of a second](storm.svg)

`storm.csv` has the numbers. The waits that were drawn while the broker was away decide when a client is back, not the broker: the tail is the longest of them. `retry_max_ms` bounds it.
{END}
'''


def write_page(storm):
    text = PAGE.read_text()
    part = page_of(storm)
    if BEGIN in text:
        text = re.sub(f'{re.escape(BEGIN)}.*?{re.escape(END)}\n', lambda _: part, text,
                      flags=re.DOTALL)
    else:
        text = text.rstrip('\n') + '\n\n' + part
    PAGE.write_text(text)


def main():
    options = arguments()
    rows.raise_descriptor_limit()
    storm = Storm(options)
    print(page_of(storm))
    if not options.no_page:
        write_csv(storm)
        write_svg(storm)
        write_page(storm)


if __name__ == '__main__':
    main()
