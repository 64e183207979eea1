#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures nightjar and Debian's mosquitto side by side, and writes docs/BENCH.md.

For each row and repetition the servers take turns, so that a noisy machine disturbs them alike.
"""
import argparse
import json
import subprocess
import sys
from pathlib import Path

import report
import rows as table
import servers as peers

TOP = Path(__file__).resolve().parents[2]
REPETITIONS = 3
QUICK_REPETITIONS = 1
# A run that takes longer than this is broken: the longest is set up, warmed up and drained in less.
RUN_SECONDS_MAX = 180


def arguments():
    parser = argparse.ArgumentParser(prog='./nightjar.sh bench', description=__doc__.split('\n')[0])
    parser.add_argument('--quick', action='store_true',
                        help='runs of one second, once each; writes no page')
    parser.add_argument('--write', action='store_true', help='write the page after short runs too')
    parser.add_argument('--row', action='append', metavar='TEXT',
                        help='only the rows whose name contains TEXT; writes no page')
    parser.add_argument('--program', type=Path, default=TOP / 'build' / 'nightjar', metavar='PATH',
                        help='the nightjar to measure (build/nightjar)')
    parser.add_argument('--generator', type=Path, metavar='PATH',
                        help='the nightjar that makes the load (the same)')
    parser.add_argument('--peer-only', action='store_true', help='measure mosquitto alone')
    parser.add_argument('--check', action='store_true', help='exit status 1 when an aim is missed')
    return parser.parse_args()


def measure(generator, row, seconds, port, pid):
    """One run; the JSON object that the generator prints."""
    command = [str(generator), 'bench', *row.words, '-h', '127.0.0.1', '-p', str(port),
               '-d', str(seconds), '--server-pid', str(pid), '--json']
    done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_SECONDS_MAX,
                          check=False)
    if done.returncode != 0:
        raise peers.ServerFailed(done.stderr.strip() or done.stdout.strip() or
                                 f'the generator ended with status {done.returncode}')
    return json.loads(done.stdout)


def run_once(generator, row, seconds, server, results):
    """Adds a result; false, with the reason printed, when there is none."""
    try:
        with peers.running(server) as (port, pid):
            result = measure(generator, row, seconds, port, pid)
    except (peers.ServerFailed, subprocess.TimeoutExpired) as problem:
        print(f'    {server.name}: failed: {problem}', flush=True)
        return False
    results.append(result)
    print(f'    {server.name}: {report.cost_text(row, [result])}, '
          f'{report.rate_cell(row, [result])}', flush=True)
    return True


def measure_all(options, chosen, servers):
    """({(row, server): [result, ...]}, did every run succeed?)"""
    results = {(row.name, server.name): [] for row in chosen for server in servers}
    seconds = 1 if options.quick else 3
    is_whole = True
    for row in chosen:
        print(row.name, flush=True)
        for _ in range(QUICK_REPETITIONS if options.quick else REPETITIONS):
            for server in servers:
                is_whole &= run_once(options.generator, row, seconds, server,
                                     results[row.name, server.name])
    return results, is_whole


def check_programs(options):
    for path in {options.generator, *([] if options.peer_only
                                                         else [options.program])}:
        if not path.is_file():
            sys.exit(f'bench.py: there is no program {path}: ./nightjar.sh build makes it')


def choose(options, rows):
    if not options.row:
        return rows
    return [row for row in rows if any(text in row.name for text in options.row)]


def say_result(options, chosen, servers, results):
    """Prints the tables and the aims that were missed; true when none was."""
    print()
    print('\n'.join(report.cost_table(chosen, servers, results)))
    print()
    print('\n'.join(report.rate_table(chosen, servers, results)))
    print()
    missed = list(report.missed(chosen, servers, results))
    for line in missed:
        print(f'missed: {line}')
    if not missed and not options.peer_only:
        print('all aims are met')
    return not missed


def main():
    options = arguments()
    options.program = options.program.resolve()
    options.generator = (options.generator or options.program).resolve()
    check_programs(options)
    descriptors = table.raise_descriptor_limit()
    chosen = choose(options, table.all_rows(descriptors))
    if not chosen:
        sys.exit('bench.py: no row has such a name')
    busy = report.busy_share()
    if busy > report.BUSY_MAX:
        print(f'this machine is busy ({100 * busy:.0f} % of its cores): the figures will be off')
    servers = [peers.mosquitto()]
    if not options.peer_only:
        servers += [peers.nightjar(options.program, shards) for shards in (1, 2)]
    results, is_whole = measure_all(options, chosen, servers)
    has_met_all = say_result(options, chosen, servers, results)
    is_full = not (options.quick or options.row or options.peer_only)
    if is_whole and (is_full or options.write):
        path = TOP / 'docs' / 'BENCH.md'
        path.write_text('\n'.join(report.page(chosen, servers, results,
                                              peers.mosquitto_version(), busy)))
        print(f'written: {path.relative_to(TOP)}')
    return 0 if is_whole and (has_met_all or not options.check) else 1


if __name__ == '__main__':
    sys.exit(main())
