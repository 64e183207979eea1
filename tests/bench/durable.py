#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures what it costs that an acknowledgement is a fact: nightjar with its store beside Debian's
mosquitto with the strongest persistence that it has. Called by `./nightjar.sh bench --durable`.

mosquitto then writes its whole database after each change, so what it is asked to do is small, and
its rows with many messages are left out: a run that cannot end measures nothing.
"""
import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import report
import servers as peers

TOP = Path(__file__).resolve().parents[2]
RUN_SECONDS_MAX = 900

MOSQUITTO_LINES = '''\
listener {port} 127.0.0.1
allow_anonymous true
max_queued_messages 0
max_inflight_messages 1000
persistence true
persistence_location {folder}/
autosave_interval 1
autosave_on_changes true
user root
log_dest none
'''
NIGHTJAR_LINES = '''\
listener {port} 127.0.0.1
allow_anonymous true
persistence_location {folder}/store
max_queued_messages 0
max_queued_bytes 0
user root
'''


class Row:
    """A load, and the figures that it is about."""

    def __init__(self, name, words, figures, peer_words=None):
        self.name = name
        self.words = words
        self.figures = figures        # [(key, title, unit, is more better?)]
        self.peer_words = peer_words  # what mosquitto gets instead; [] = it is left out


RATE = ('per_second', 'delivered', '/s', True)
DONE_P50 = ('done_p50_us', 'answer, median', 'µs', False)
DONE_P99 = ('done_p99_us', 'answer, 99 %', 'µs', False)
CPU = ('server_cpu_us', 'CPU', 'µs', False)
PERSISTENT = ['--persistent']


def rows(count):
    return [
        Row('QoS 1, one publisher, 100 in flight', ['p2p', '-q', '1', '-w', '100', *PERSISTENT],
            [RATE, DONE_P50, DONE_P99, CPU]),
        Row('QoS 1, 50 publishers, 20 in flight each',
            ['fan-in', '--pubs', '50', '-q', '1', '-w', '20', *PERSISTENT],
            [RATE, DONE_P50, DONE_P99, CPU]),
        Row('QoS 1, 50 publishers, 50,000/s in all',
            ['fan-in', '--pubs', '50', '-q', '1', '-w', '1000', '-r', '50000', *PERSISTENT],
            [RATE, DONE_P50, DONE_P99, CPU]),
        Row('QoS 2, one publisher, 100 in flight', ['p2p', '-q', '2', '-w', '100', *PERSISTENT],
            [RATE, DONE_P50, DONE_P99, CPU]),
        Row(f'QoS 1, absent subscriber, {count:,} messages',
            ['absent', '-q', '1', '-w', '1000', '-n', str(count), '-d', '600'],
            [('fill_per_second', 'filled', '/s', True), ('rss_each', 'memory each', 'bytes', False),
             ('per_second', 'drained', '/s', True)],
            peer_words=['absent', '-q', '1', '-w', '1000', '-n', '20000', '-d', '60']),
    ]


def configured(name, program, lines):
    """A server whose store lies in its own folder."""
    def command(port, folder):
        path = Path(folder) / 'server.conf'
        path.write_text(lines.format(port=port, folder=folder))
        return [*program, '-c', str(path)]
    return peers.Server(name, command)


def load(generator, words, seconds, port, pid):
    """One run of the generator; its JSON object."""
    limits = [] if '-n' in words else ['-d', str(seconds)]
    command = [str(generator), 'bench', *words, *limits, '-h', '127.0.0.1', '-p', str(port),
               '--server-pid', str(pid), '--json']
    done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_SECONDS_MAX,
                          check=False)
    if not done.stdout:
        raise peers.ServerFailed(done.stderr.strip() or f'the generator ended: {done.returncode}')
    return json.loads(done.stdout)


def measure(options, server, words):
    try:
        with peers.running(server, options.folder) as (port, pid):
            return load(options.generator, words, options.seconds, port, pid)
    except (peers.ServerFailed, subprocess.TimeoutExpired) as problem:
        print(f'    {server.name}: failed: {problem}', flush=True)
        return None


def quiet_latency(options, server, background):
    """The latency of sparse QoS 0 messages, while the background load runs (None: alone)."""
    words = ['p2p', '-q', '0', '-r', '1000']
    try:
        with peers.running(server, options.folder) as (port, pid):
            if background is None:
                return load(options.generator, words, options.seconds, port, pid)
            command = [str(options.generator), 'bench', *background, '-h', '127.0.0.1',
                       '-p', str(port), '-d', str(options.seconds + 2)]
            with subprocess.Popen(command, stdout=subprocess.DEVNULL) as other:
                result = load(options.generator, words, options.seconds, port, pid)
                other.wait(RUN_SECONDS_MAX)
            return result
    except (peers.ServerFailed, subprocess.TimeoutExpired) as problem:
        print(f'    {server.name}: failed: {problem}', flush=True)
        return None


def value_text(value, unit):
    if value is None:
        return 'failed'
    if unit == 'µs':
        return report.time_text(value) if value >= 1 else f'{value:.3f} µs'
    return f'{value:,.0f}{unit}' if unit == '/s' else f'{value:,.1f} {unit}'


def ratio_text(ours, theirs, is_more_better):
    if not ours or not theirs:
        return ''
    return f' ({ours / theirs if is_more_better else theirs / ours:,.1f} times)'


def lines_of(row, servers, results):
    """One line of the table per figure; the first server is the peer."""
    theirs = results[row.name, servers[0].name]
    for key, title, unit, is_more_better in row.figures:
        cells = [value_text(theirs.get(key), unit) if theirs else 'failed']
        for server in servers[1:]:
            ours = results[row.name, server.name]
            value = ours.get(key) if ours else None
            cells.append(value_text(value, unit) +
                         ratio_text(value, theirs and theirs.get(key), is_more_better))
        lost = [r['lost'] for r in (results[row.name, s.name] for s in servers) if r and r['lost']]
        yield [row.name, title, *cells, f'{sum(lost):,} lost' if lost else '']


def measure_rows(options, chosen, servers):
    results = {}
    for row in chosen:
        print(row.name, flush=True)
        for server in servers:
            is_peer = server is servers[0]
            words = row.peer_words if is_peer and row.peer_words is not None else row.words
            result = measure(options, server, words)
            results[row.name, server.name] = result
            if result:
                told = (f'{title} {value_text(result.get(key), unit)}'
                        for key, title, unit, _ in row.figures)
                print(f'    {server.name}: {", ".join(told)}', flush=True)
    return results


def measure_quiet(options, servers):
    """QoS 0 alone, and beside durable load: the disk is nobody else's business."""
    figures = [('p50_us', 'delivered, median', 'µs', False),
               ('p99_us', 'delivered, 99 %', 'µs', False)]
    durable = ['fan-in', '--pubs', '50', '-q', '1', '-w', '20', '-r', '20000', *PERSISTENT]
    chosen, results = [], {}
    for name, background in (('QoS 0, 1,000/s, alone', None),
                             ('QoS 0, 1,000/s, beside durable QoS 1 at 20,000/s', durable)):
        row = Row(name, [], figures)
        chosen.append(row)
        print(name, flush=True)
        for server in servers:
            results[name, server.name] = quiet_latency(options, server, background)
    return chosen, results


def arguments():
    parser = argparse.ArgumentParser(prog='./nightjar.sh bench --durable',
                                     description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('--quick', action='store_true', help='runs of one second, a short queue')
    parser.add_argument('--row', action='append', metavar='TEXT',
                        help='only the rows whose name contains TEXT')
    parser.add_argument('--count', type=int, metavar='N',
                        help='messages for the absent subscriber (5,000,000)')
    parser.add_argument('--folder', type=Path, metavar='PATH',
                        help='where the stores lie; a disk, not memory (the current directory)')
    parser.add_argument('--program', type=Path, default=TOP / 'build' / 'nightjar', metavar='PATH')
    parser.add_argument('--generator', type=Path, metavar='PATH')
    parser.add_argument('--ours-only', action='store_true', help='without mosquitto')
    options = parser.parse_args()
    options.program = options.program.resolve()
    options.generator = (options.generator or options.program).resolve()
    options.seconds = 1 if options.quick else 5
    options.count = options.count or (200000 if options.quick else 5000000)
    return options


def main():
    options = arguments()
    with tempfile.TemporaryDirectory(prefix='nightjar-bench-',
                                     dir=options.folder or Path.cwd()) as folder:
        options.folder = folder
        servers = [configured('mosquitto', [peers.find_mosquitto()], MOSQUITTO_LINES)]
        if options.ours_only:
            servers = []
        for shards in (1, 2):
            words = [str(options.program), 'broker', '--shards', str(shards)]
            servers.append(configured(f'nightjar, {shards} shard{"s" if shards > 1 else ""}',
                                      words, NIGHTJAR_LINES))
        wanted = options.row or ['']
        chosen = [row for row in rows(options.count) if any(text in row.name for text in wanted)]
        results = measure_rows(options, chosen, servers)
        if any(text in 'QoS 0' for text in wanted):
            quiet, more = measure_quiet(options, servers)
            chosen += quiet
            results.update(more)
    print()
    lines = [line for row in chosen for line in lines_of(row, servers, results)]
    print('\n'.join(report.table(['load', 'figure', *(s.name for s in servers), ''], lines)))
    return 0 if all(results.values()) else 1


if __name__ == '__main__':
    sys.exit(main())
