#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The long form of every test that draws its cases from a seed; called by `nightjar.sh hunt`.

    hunt.py MINUTES [--seed N] [--only NAME]... [--list]

Each hunter gets its share of the time, as many at once as there are cores. It runs one small
program after the other, each with a seed that no run before had, until its time is over. What a
program finds ends that program, not the hunt: its output stays in build-test/hunt/, with the words
that run it again. The last line is "N runs, N findings"; the status is 1 with any finding.
"""
import argparse
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

import pipeline
from pipeline import BUILDS, SANITIZER_ENVIRONMENT, TOP

FOUND = BUILDS / 'hunt'
# A run that was to be short and hangs is a finding: seconds, far above what one takes.
HANG_SECONDS = 1800


@dataclass
class Run:
    """What one program does: its words, with a seed inside; how many cases that are."""
    command: list
    cases: int = 1


@dataclass
class Hunter:
    name: str
    share: float
    text: str
    # From a seed, and the seconds that are left.
    next_run: Callable[[int, float], Run]
    # A program that ends by itself at the end of its time: not to be cut off.
    is_timed: bool = False
    is_once: bool = False
    runs: int = 0
    cases: int = 0
    seconds: float = 0
    findings: list = field(default_factory=list)


def program(configuration, *place):
    return pipeline.built(configuration).joinpath(*place)


def seeds(configuration, place, count, *words):
    """Programs that take --from and --seeds."""
    def next_run(seed, _):
        # So that the ranges of two runs never meet.
        return Run([program(configuration, *place), *words, '--from', seed * count + 1, '--seeds',
                    count], count)
    return next_run


def crash(*words):
    def next_run(seed, _):
        command = [program('gcc', 'tests', 'crash', 'crash'), '--rounds', 20, '--seed', seed,
                   '--setting', pipeline.SMALL_SEGMENTS, *words]
        if '--power-cut' in words:
            library = program('gcc', 'tests', 'crash', 'powercut.so')
            command.append(f'{library},{TOP / "tests" / "crash" / "powercut_apply.py"}')
        return Run([*command, program('gcc', 'nightjar')], 20)
    return next_run


def stress(configuration):
    def next_run(seed, left):
        seconds = max(10, min(60, int(left)))
        return Run([*(pipeline.without_address_randomisation()
                      if configuration.endswith('tsan') else []),
                    program(configuration, 'tests', 'stress', 'stress'), '--seconds', seconds,
                    '--seed', seed, program(configuration, 'nightjar')], seconds)
    return next_run


def fuzz(seed, left):
    targets = sorted((TOP / 'tests' / 'fuzz' / 'corpus').glob('*/'))
    return Run([sys.executable, TOP / 'tests' / 'fuzz' / 'long.py',
                '--seconds', max(5, int(left / len(targets))), '--seed', seed % 2**31,
                '--build', program('clang-asan')], len(targets))


def mutate(seed, left):
    """Goes on where the last one stopped."""
    del seed
    return Run([sys.executable, TOP / 'tests' / 'mutation' / 'run.py', '--minutes',
                f'{left / 60:.1f}'])


def explore(what):
    """Every state: there is nothing to draw, so once is enough."""
    return lambda seed, left: Run([program('gcc', 'tests', 'explore', f'explore-{what}')])


SIMULATION = ('tests', 'sim', 'simulation')
JOURNAL = ('tests', 'unit', 'journal')

HUNTERS = [
    Hunter('sim', 3, 'brokers, clients, network, clock: seeds', seeds('gcc', SIMULATION, 100)),
    Hunter('sim-kept', 2, 'the same with logs that are kept, and crashes',
           seeds('gcc', SIMULATION, 50, '--kept', 100)),
    Hunter('sim-disk', 3, 'the same with a disk that loses power',
           seeds('gcc', SIMULATION, 50, '--disk')),
    Hunter('sim-asan', 1, 'the same, address and undefined sanitizers',
           seeds('clang-asan', SIMULATION, 10)),
    Hunter('sim-disk-asan', 1, 'with a disk, address and undefined sanitizers',
           seeds('clang-asan', SIMULATION, 10, '--disk')),
    Hunter('fuzz', 4, 'every parser of outside bytes: targets', fuzz, is_timed=True, is_once=True),
    Hunter('mutation', 3, 'would a test notice: those not tried yet', mutate, is_timed=True,
           is_once=True),
    *(Hunter(f'explore-{ids}', 1, f'every state of the delivery tables, {ids} packet ids',
             explore(ids), is_once=True) for ids in (2, 3, 4)),
    Hunter('explore-broker', 3, 'every state of publisher, broker, subscriber', explore('broker'),
           is_once=True),
    Hunter('journal-crash', 1, 'the journal alone, its power cut',
           seeds('gcc', (*JOURNAL, 'journal_crash_test'), 50)),
    Hunter('journal-damage', 1, 'the journal alone, its bytes damaged',
           seeds('gcc', (*JOURNAL, 'journal_damage_test'), 1, '--step', 997)),
    Hunter('kill', 2, 'the program killed at random moments: rounds', crash(), is_timed=True),
    Hunter('power-cut', 1, 'the program loses what was not synced: rounds', crash('--power-cut'),
           is_timed=True),
    Hunter('stress-tsan', 1, 'many clients, thread sanitizer: seconds', stress('gcc-tsan'),
           is_timed=True),
    Hunter('stress-asan', 1, 'many clients, address sanitizer: seconds', stress('clang-asan'),
           is_timed=True),
]


def execute(command, log, seconds):
    """(status, is cut off); the program and all that it started are over when this returns."""
    with log.open('wb') as out:
        process = subprocess.Popen([str(word) for word in command], stdout=out, cwd=TOP,
                                   stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                   start_new_session=True,
                                   env={**os.environ, **SANITIZER_ENVIRONMENT})
        try:
            return process.wait(max(seconds, 0)), False
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return -1, True


def note(hunter, run, log, words):
    line = f'{hunter.name}: {words}: {shlex.join(str(w) for w in run.command)}'
    with log.open('a') as out:
        out.write(f'\n{line}\n')
    hunter.findings.append(line)
    print(f'FOUND {line}\n      {log}', flush=True)


def hunt(hunter, first_seed, seconds):
    """Runs one hunter until its time is over; a run that time cuts off counts for nothing."""
    began = time.monotonic()
    seed = first_seed
    while (left := began + seconds - time.monotonic()) > 0:
        run = hunter.next_run(seed, left)
        log = FOUND / f'{hunter.name}-{seed}.log'
        status, is_cut = execute(run.command, log, HANG_SECONDS if hunter.is_timed else left)
        if is_cut and hunter.is_timed:
            note(hunter, run, log, f'hung for {HANG_SECONDS} s')
        elif is_cut:
            log.unlink()
        else:
            hunter.runs += 1
            hunter.cases += run.cases
            if status != 0:
                note(hunter, run, log, f'ended with {status}')
            else:
                log.unlink()
        if hunter.is_once:
            break
        seed += 1
    hunter.seconds = time.monotonic() - began


def hunt_all(hunters, first_seed, minutes, jobs):
    """As many at once as `jobs`, the longest first; gives back what broke the hunt itself."""
    waiting = sorted(hunters, key=lambda h: h.share)
    whole = minutes * 60 * jobs / sum(h.share for h in hunters)
    taking = threading.Lock()
    broken = []

    def work():
        while True:
            with taking:
                if not waiting:
                    return
                hunter = waiting.pop()
            try:
                hunt(hunter, first_seed, whole * hunter.share)
            except (pipeline.Broken, OSError) as error:
                broken.append(f'{hunter.name}: {error}')

    threads = [threading.Thread(target=work) for _ in range(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return broken


def build_all():
    for name in pipeline.CONFIGURATIONS:
        pipeline.built(name)


def report(hunters, broken):
    for hunter in hunters:
        print(f'{hunter.name:16} {hunter.runs:6} runs {hunter.cases:9} cases '
              f'{len(hunter.findings):3} found {hunter.seconds:8.1f} s   {hunter.text}')
    for line in [*broken, *(line for hunter in hunters for line in hunter.findings)]:
        print(f'    {line}')
    findings = sum(len(hunter.findings) for hunter in hunters) + len(broken)
    runs = sum(hunter.runs for hunter in hunters)
    print(f'{runs} runs, {findings} findings')
    return 1 if findings or not runs else 0


def parse(arguments):
    parser = argparse.ArgumentParser(prog='nightjar.sh hunt', description=__doc__.split('\n')[0])
    parser.add_argument('minutes', type=float, nargs='?', help='of the clock, all together')
    parser.add_argument('--seed', type=int, help='where seeds begin; if not given, a new place')
    parser.add_argument('--only', action='append', metavar='NAME', help='these hunters only')
    parser.add_argument('--list', action='store_true', help='print the hunters')
    options = parser.parse_args(arguments)
    unknown = set(options.only or ()) - {hunter.name for hunter in HUNTERS}
    if unknown:
        parser.error(f'no hunter is named {sorted(unknown)[0]}: see --list')
    if not options.list and not (options.minutes and options.minutes > 0):
        parser.error('say for how many minutes')
    return options


def main():
    options = parse(sys.argv[1:])
    hunters = [h for h in HUNTERS if not options.only or h.name in options.only]
    if options.list:
        for hunter in hunters:
            print(f'{hunter.name:16} {hunter.text}')
        return 0
    # A second is a million seeds: no later hunt meets an earlier one's.
    seed = options.seed if options.seed is not None else int(time.time())
    FOUND.mkdir(parents=True, exist_ok=True)
    build_all()
    print(f'hunting for {options.minutes:g} minutes from seed {seed}', flush=True)
    return report(hunters, hunt_all(hunters, seed, options.minutes, pipeline.JOBS))


if __name__ == '__main__':
    sys.exit(main())
