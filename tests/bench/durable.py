#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures what it costs that an acknowledgement is a fact: nightjar with its store beside Debian's
mosquitto with the strongest persistence that it has. Called by `./nightjar.sh bench --durable`.

mosquitto then writes its whole database after each change, so what it is asked to do is small, and
its rows with many messages are left out: a run that cannot end measures nothing.
"""
import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import report
import servers as peers

TOP = Path(__file__).resolve().parents[2]
RUN_SECONDS_MAX = 900
PEER = 'mosquitto'

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


class Configured(peers.Server):
    """A server whose store lies in its own folder."""

    def __init__(self, name, program, lines):
        super().__init__(name, self.written)
        self.program = program
        self.lines = lines

    def written(self, port, folder):
        path = Path(folder) / 'server.conf'
        path.write_text(self.lines.format(port=port, folder=folder))
        return [*self.program, '-c', str(path)]

    def with_lines(self, more):
        return Configured(self.name, self.program, self.lines + more)


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


def quiet_latency(options, server, background, other):
    """The latency of sparse QoS 0 messages, while the background load runs (None: alone), on the
    same server or on another one (None: the same)."""
    words = ['p2p', '-q', '0', '-r', '1000']
    try:
        with contextlib.ExitStack() as stack:
            port, pid = stack.enter_context(peers.running(server, options.folder))
            if background is None:
                return load(options.generator, words, options.quiet_seconds, port, pid)
            beside = port
            if other is not None:
                beside, _ = stack.enter_context(peers.running(other, options.folder))
            command = [str(options.generator), 'bench', *background, '-h', '127.0.0.1',
                       '-p', str(beside), '-d', str(options.quiet_seconds + 2)]
            with subprocess.Popen(command, stdout=subprocess.DEVNULL) as load_beside:
                result = load(options.generator, words, options.quiet_seconds, port, pid)
                load_beside.wait(RUN_SECONDS_MAX)
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


def cell(result, key, unit, theirs, is_more_better):
    if result is None:
        return 'failed'
    ratio = '' if result is theirs else ratio_text(result.get(key), theirs and theirs.get(key),
                                                   is_more_better)
    return value_text(result.get(key), unit) + ratio


def lines_of(row, servers, results):
    """One line of the table per figure; a server that has no such row gets an empty cell."""
    theirs = results.get((row.name, PEER))
    taken = {s.name: results[row.name, s.name] for s in servers if (row.name, s.name) in results}
    lost = sum(result['lost'] for result in taken.values() if result)
    for key, title, unit, is_more_better in row.figures:
        cells = [cell(taken[s.name], key, unit, theirs, is_more_better) if s.name in taken else ''
                 for s in servers]
        yield [row.name, title, *cells, f'{lost:,} lost' if lost else '']


def measure_rows(options, chosen, servers):
    results = {}
    for row in chosen:
        print(row.name, flush=True)
        for server in servers:
            is_peer = server.name == PEER
            words = row.peer_words if is_peer and row.peer_words is not None else row.words
            result = measure(options, server, words)
            results[row.name, server.name] = result
            if result:
                told = (f'{title} {value_text(result.get(key), unit)}'
                        for key, title, unit, _ in row.figures)
                print(f'    {server.name}: {", ".join(told)}', flush=True)
    return results


def told(server, runs, figures):
    """The medians of some runs, printed with how far they lay apart; None when all have failed."""
    done = [run for run in runs if run]
    if not done:
        return None
    result = {key: statistics.median(run[key] for run in done) for key, *_ in figures}
    result['lost'] = sum(run['lost'] for run in done)
    p99 = sorted(run['p99_us'] for run in done)
    print(f'    {server.name}: 99 % {value_text(result["p99_us"], "µs")} ({len(done)} runs: '
          f'{value_text(p99[0], "µs")} to {value_text(p99[-1], "µs")})', flush=True)
    return result


def quiet_rows():
    """[(words, background load or None, what of the server's lines changes, on another server?)]

    The load without a store, and the same load on another server, are controls: what is left then
    is the cores that all share, and neither the disk nor this broker's other work.
    """
    durable = ['fan-in', '--pubs', '50', '-q', '1', '-w', '20', '-r', '20000', *PERSISTENT]
    return [
        ('alone', None, '', False),
        ('beside QoS 1 at 20,000/s, durable', durable, '', False),
        ('the same, durability off', durable, 'durability off\n', False),
        ('the same, durable, on another broker', durable, '', True),
    ]


def measure_quiet(options, servers):
    """QoS 0 alone, beside durable load, and its controls: all in turn, again and again, since
    others on the machine disturb the slowest hundredth first."""
    figures = [('p50_us', 'delivered, median', 'µs', False),
               ('p99_us', 'delivered, 99 %', 'µs', False),
               ('p99_9_us', 'delivered, 99.9 %', 'µs', False)]
    runs = {}
    for turn in range(options.repeat):
        for name, background, change, is_elsewhere in quiet_rows():
            for server in servers:
                is_control = change or is_elsewhere
                if server.name == PEER and (is_control or turn > 0):
                    continue
                changed = server.with_lines(change)
                other = changed if is_elsewhere else None
                result = quiet_latency(options, changed, background, other)
                runs.setdefault((name, server.name), []).append(result)
    chosen, results = [], {}
    for name, *_ in quiet_rows():
        row = Row(f'QoS 0 at 1,000/s, {name}', [], figures)
        chosen.append(row)
        print(row.name, flush=True)
        for server in servers:
            if (name, server.name) in runs:
                results[row.name, server.name] = told(server, runs[name, server.name], figures)
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
    parser.add_argument('--repeat', type=int, metavar='N',
                        help='runs of each row on latency, in turn; medians are told (5)')
    parser.add_argument('--ours-only', action='store_true', help='without mosquitto')
    options = parser.parse_args()
    options.program = options.program.resolve()
    options.generator = (options.generator or options.program).resolve()
    options.seconds = 1 if options.quick else 5
    options.quiet_seconds = 1 if options.quick else 2
    options.repeat = options.repeat or (1 if options.quick else 5)
    options.count = options.count or (200000 if options.quick else 5000000)
    return options


def main():
    options = arguments()
    with tempfile.TemporaryDirectory(prefix='nightjar-bench-',
                                     dir=options.folder or Path.cwd()) as folder:
        options.folder = folder
        servers = [Configured(PEER, [peers.find_mosquitto()], MOSQUITTO_LINES)]
        if options.ours_only:
            servers = []
        for shards in (1, 2):
            words = [str(options.program), 'broker', '--shards', str(shards)]
            servers.append(Configured(f'nightjar, {shards} shard{"s" if shards > 1 else ""}',
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
