#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Runs the fuzz targets and prints a table: tests/fuzz/long.py MINUTES, that long each.

    --seconds N     instead of minutes
    --target NAME   only this one; may be given several times
    --jobs N        so many at a time (1)
    --seed N        instead of a new one
    --build FOLDER  a build with -Dfuzz=true; without it build-test/clang-asan is made up to date
    --every N       of the generated corpus (corpus.py) only every N-th case

Inputs that reach something new are kept in build-test/fuzz/<target>, and so is what was found: the
path is printed. First come the inputs of corpus/, those that are generated, and regressions/, in
which nothing may be found any more. A target that has found something is started again until its
time is over. The exit status is 1 when anything was found.
"""
import argparse
import os
import random
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parents[1]
BUILDS = TOP / 'build-test'
# Bytes; longer inputs are slower, and reach nothing else. What is not named here has MAX_LEN.
MAX_LENS = {'command_line': 512, 'format_string': 256, 'journal_store': 512, 'journal_tool': 512,
            'log_lines': 512, 'state_image': 4096, 'topic_filter': 512}
MAX_LEN = 4096
# One input: the slowest takes half a second with sanitizers, on a machine that is busy ten times so.
TIMEOUT_SECONDS = 25
FINDINGS_MAX = 10
# A target's words, where it has not its own.
DICTIONARIES = {'bench_packet': 'packet_decode', 'client_connection': 'broker_connection',
                'journal_tool': 'journal_store'}
ENVIRONMENT = {
    # Small: large blocks that were freed are what costs the most time.
    'ASAN_OPTIONS': 'detect_stack_use_after_return=1:strict_string_checks=1:quarantine_size_mb=16',
    'UBSAN_OPTIONS': 'halt_on_error=1:print_stacktrace=1',
}
PROGRESS = re.compile(r'^#(\d+)\s.*?cov: (\d+) ft: (\d+) corp: (\d+)/', re.MULTILINE)


def all_targets():
    return sorted(path.name for path in (HERE / 'corpus').iterdir() if path.is_dir())


class Outcome:
    """What the runs of one target came to."""

    def __init__(self, target):
        self.target = target
        self.executions = self.coverage = self.features = self.corpus = 0
        self.seconds = 0.0
        self.findings = []
        self.words = ''

    def take(self, output):
        progress = PROGRESS.findall(output)
        if progress:
            executions, *rest = map(int, progress[-1])
            self.executions += executions
            self.coverage, self.features, self.corpus = rest

    def line(self):
        return (f'{self.target:18} {self.executions:11} {self.coverage:6} {self.features:7} '
                f'{self.corpus:7} {self.seconds / 60:8.1f} {len(self.findings):9}')


HEADER = (f'{"target":18} {"executions":>11} {"cov":>6} {"ft":>7} {"corpus":>7} {"minutes":>8} '
          f'{"findings":>9}')


class Search:
    """The settings of all runs."""

    def __init__(self, arguments, build):
        self.seconds = arguments.seconds or arguments.minutes * 60
        self.seed = arguments.seed or random.randrange(1, 1 << 31)
        self.programs = build / 'tests' / 'fuzz'
        self.found = BUILDS / 'fuzz'
        self.generated = BUILDS / 'fuzz-corpus'

    def command(self, target, seconds, seed):
        found = self.found / target
        found.mkdir(parents=True, exist_ok=True)
        words = HERE / f'{DICTIONARIES.get(target, target)}.dict'
        folders = [HERE / 'corpus' / target, self.generated / target,
                   HERE / 'regressions' / target]
        return [self.programs / target, f'-max_total_time={max(int(seconds), 1)}',
                f'-seed={seed}', f'-max_len={MAX_LENS.get(target, MAX_LEN)}',
                f'-timeout={TIMEOUT_SECONDS}', '-rss_limit_mb=1024',
                f'-artifact_prefix={found}/', *([f'-dict={words}'] if words.exists() else []),
                found / 'corpus', *[folder for folder in folders if folder.is_dir()]]

    def run(self, target):
        """Until the time is over, or too much was found."""
        outcome = Outcome(target)
        began = time.monotonic()
        (self.found / target / 'corpus').mkdir(parents=True, exist_ok=True)
        left, seed = self.seconds, self.seed
        while not outcome.findings or (left > 5 and len(outcome.findings) < FINDINGS_MAX):
            done = subprocess.run([str(word) for word in self.command(target, left, seed)],
                                  capture_output=True, text=True, errors='replace', check=False,
                                  env={**os.environ, **ENVIRONMENT})
            outcome.take(done.stderr)
            outcome.seconds = time.monotonic() - began
            left = self.seconds - outcome.seconds
            seed += 1
            if done.returncode == 0:
                break
            outcome.findings += re.findall(r'Test unit written to (\S+)', done.stderr) or [
                f'ended with {done.returncode}']
            outcome.words = '\n'.join(done.stderr.splitlines()[-40:])
        return outcome


def build_folder(arguments):
    if arguments.build:
        return Path(arguments.build).resolve()
    folder = BUILDS / 'clang-asan'
    if not (folder / 'build.ninja').exists():
        subprocess.run(['meson', 'setup', folder, TOP, '-Db_sanitize=address,undefined',
                        '-Db_lundef=false', '-Dfuzz=true'], check=True, stdout=sys.stderr,
                       env={**os.environ, 'CC': 'clang'})
    targets = [f'tests/fuzz/{name}' for name in all_targets()]
    subprocess.run(['ninja', '-C', folder, *targets], check=True, stdout=sys.stderr)
    return folder


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument('minutes', type=float, nargs='?', default=1)
    parser.add_argument('--seconds', type=float)
    parser.add_argument('--target', action='append', choices=all_targets())
    parser.add_argument('--jobs', type=int, default=1)
    parser.add_argument('--seed', type=int)
    parser.add_argument('--build')
    parser.add_argument('--every', type=int, default=1)
    return parser.parse_args()


def main():
    arguments = parse()
    search = Search(arguments, build_folder(arguments))
    shutil.rmtree(search.generated, ignore_errors=True)
    subprocess.run([sys.executable, HERE / 'corpus.py', search.generated, str(arguments.every)],
                   check=True, stdout=subprocess.DEVNULL)
    print(f'seed {search.seed}\n{HEADER}', flush=True)
    outcomes = []
    with ThreadPoolExecutor(arguments.jobs) as pool:
        for outcome in pool.map(search.run, arguments.target or all_targets()):
            outcomes.append(outcome)
            print(outcome.line(), flush=True)
    for outcome in outcomes:
        for finding in outcome.findings:
            print(f'FOUND {outcome.target}: {finding}')
        if outcome.findings:
            print(outcome.words)
    bad = sum(bool(outcome.findings) for outcome in outcomes)
    print(f'{len(outcomes) - bad} passed, {bad} failed')
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
