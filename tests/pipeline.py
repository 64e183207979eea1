#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Everything that is tested, in stages; called by `nightjar.sh test`.

Each stage prints one line with its counts and its time, and what failed. A stage whose tests do
not exist in this tree is left out. The last line, alone, is "N passed, N failed" over all tests.
With stage names as arguments only those run: `tests/pipeline.py tidy unit`.
"""
import functools
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
BUILDS = TOP / 'build-test'
E2E = TOP / 'tests' / 'e2e'
JOBS = os.cpu_count() or 2
FUZZ_SECONDS = 4
DIFFERENTIAL_CASES = 1000
MOSQUITTO = Path('/usr/sbin/mosquitto')
FUZZ_EVERY = 10  # of the cases that make inputs to begin with
# These tests mostly wait, for a timer or for each other.
E2E_AT_ONCE = JOBS + 1
# A stage that hangs must fail, and the whole must end: minutes, far above what a stage takes.
STAGE_SECONDS_MAX = 600

SANITIZER_ENVIRONMENT = {
    'ASAN_OPTIONS': 'detect_stack_use_after_return=1:strict_string_checks=1',
    'UBSAN_OPTIONS': 'halt_on_error=1:print_stacktrace=1',
    'TSAN_OPTIONS': 'halt_on_error=1:second_deadlock_stack=1',
}

# The builds that the stages share: meson options, compiler. Lines for backtraces, and no more: the
# rest of what debuggers want takes a fifth of the time of a build.
CONFIGURATIONS = {
    'gcc': (['-Dc_args=-g1'], 'gcc'),
    'clang-asan': (['-Db_sanitize=address,undefined', '-Db_lundef=false', '-Dfuzz=true',
                    '-Dc_args=-gline-tables-only'], 'clang'),
    'gcc-tsan': (['-Db_sanitize=thread', '-Db_lundef=false', '-Dc_args=-g1'], 'gcc'),
}


class Absent(Exception):
    """This tree holds no such test."""


class Broken(Exception):
    """A stage could not run: counts as one failure."""


class Result:
    """What a stage found: counts, the words for each failure, why tests do not apply here."""

    def __init__(self):
        self.passed = 0
        self.failed = 0
        self.failures = []
        self.left_out = []

    def add(self, passed, failed=0, words=''):
        self.passed += passed
        self.failed += failed
        if failed:
            self.failures.append(words)


def run(command, log, environment=None, seconds=STAGE_SECONDS_MAX, cwd=TOP):
    """Runs a command with its output in build-test/logs/<log>; gives (exit status, output)."""
    path = BUILDS / 'logs' / f'{log}.log'
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open('wb') as out:
        try:
            done = subprocess.run([str(word) for word in command], stdout=out,
                                  stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd=cwd,
                                  env={**os.environ, **(environment or {})}, timeout=seconds,
                                  check=False)
            status = done.returncode
        except subprocess.TimeoutExpired:
            out.write(f'\nended after {seconds} s\n'.encode())
            status = -1
    return status, path.read_text(errors='replace')


def must(command, log, **options):
    """As run, for what has to work before there is anything to test."""
    status, output = run(command, log, **options)
    if status != 0:
        raise Broken(f'{command[0]} failed:\n{tail(output)}')
    return output


def tail(text, lines=40):
    return '\n'.join(text.splitlines()[-lines:])


# Builds


@functools.cache
def broken_setup(name):
    """Sets that configuration up; gives None, or the words that say why it cannot be."""
    options, compiler = CONFIGURATIONS[name]
    folder = BUILDS / name
    if (folder / 'build.ninja').exists():
        return None
    shutil.rmtree(folder, ignore_errors=True)
    status, output = run(['meson', 'setup', folder, TOP, *options], f'{name}-setup',
                         environment={'CC': compiler})
    return None if status == 0 else tail(output)


@functools.cache
def broken_build(name, targets=()):
    """Builds that configuration, or these of its targets; gives None, or the words that say why it
    does not build."""
    words = broken_setup(name)
    if words is not None:
        return words
    status, output = run(['ninja', '-C', BUILDS / name, f'-j{JOBS}', *targets], f'{name}-build')
    return None if status == 0 else tail(output)


def built(name, targets=()):
    """The folder of an up-to-date build of that configuration, or of these of its targets."""
    words = broken_build(name, targets)
    if words is not None:
        fresh = name not in told_broken
        told_broken.add(name)
        raise Broken(f'{name} does not build' + (f':\n{words}' if fresh else ', see above'))
    return BUILDS / name


told_broken = set()


def without_address_randomisation():
    """Words that start a program at fixed addresses, where the kernel lets us.

    gcc 12's thread sanitizer cannot map its shadow on kernels that randomise more bits than it
    knows.
    """
    words = ['setarch', os.uname().machine, '-R']
    if shutil.which(words[0]):
        done = subprocess.run([*words, 'true'], capture_output=True, check=False)
        if done.returncode == 0:
            return words
    return []


# Tests that meson lists


def tests_of_suite(folder, suite):
    tests = json.loads(must(['meson', 'introspect', '--tests', folder], 'introspect'))
    return [test for test in tests
            if any(name.split(':')[-1] == suite for name in test['suite'])]


def programs_of(folder, tests):
    """What these tests call of what is built in that folder, as ninja names it."""
    paths = (folder / word for test in tests for word in test['cmd']
             if word.startswith(('/', './')))
    return tuple(sorted({str(path.relative_to(folder)) for path in paths
                         if path.is_relative_to(folder)}))


def meets_threads(name):
    """Of "unit folder/program": the test, or the code that it is about, starts threads. The others
    have nothing that a thread sanitizer could see; whole brokers are run under it by `stress`.

    On a simulated disk a test does the work of the journal's threads itself, in turn with its own.
    """
    folder, _, program = name.removeprefix('unit ').partition('/')
    test = test_source(folder, program)
    if not test:
        return True
    text = test.read_text()
    if 'pthread_create' in text:
        return True
    headers = [test.with_name(header) for header in re.findall(r'#include "(\w+\.h)"', text)]
    on_simulated_disk = any('#include "disk/' in file.read_text()
                            for file in [test, *headers] if file.exists())
    return not on_simulated_disk and any('pthread_create' in file.read_text()
                                         for file in (TOP / 'src' / folder).glob('*.c'))


def test_source(folder, program):
    """program_test.c, or of "folder_program" its end."""
    for name in (program, program.removeprefix(f'{folder}_')):
        path = TOP / 'tests' / 'unit' / folder / f'{name}_test.c'
        if path.exists():
            return path
    return None


def count_cmocka(output):
    """(passed, failed) as a cmocka program says them in its last lines."""
    passed = sum(int(n) for n in re.findall(r'\[  PASSED  \] (\d+) test', output))
    failed = sum(int(n) for n in re.findall(r'\[  FAILED  \] (\d+) test', output))
    return passed, failed


def add_meson_test(result, test):
    """One program of meson's log. A program that ends badly fails at least once."""
    output = test.get('stdout', '') + test.get('stderr', '')
    passed, failed = count_cmocka(output)
    is_good = test['result'] in ('OK', 'EXPECTEDFAIL')
    if is_good and passed + failed == 0:
        passed = 1
    if not is_good and failed == 0:
        failed = 1
    result.add(passed, failed, f'{test["name"]}: {test["result"]}\n{tail(output)}')


def meson_tests(name, suite, wanted=lambda test: True):
    """Builds the configuration and runs one suite of it, or those that are wanted of it."""
    words = broken_setup(name)
    if words is not None:
        raise Broken(f'{name} cannot be set up:\n{words}')
    folder = BUILDS / name
    tests = [test for test in tests_of_suite(folder, suite) if wanted(test['name'])]
    if not tests:
        raise Absent
    # Of a build that nothing else is done with, no more than these need.
    built(name, programs_of(folder, tests) if name == 'gcc-tsan' else ())
    log = folder / 'meson-logs' / 'testlog.json'
    log.unlink(missing_ok=True)
    prefix = without_address_randomisation() if name.endswith('tsan') else []
    jobs = 1 if suite == 'stress' else JOBS
    _, output = run([*prefix, 'meson', 'test', '-C', folder, '--no-rebuild', '--suite', suite,
                     '--num-processes', jobs, '--timeout-multiplier', 4,
                     *(test['name'] for test in tests)], f'{name}-{suite}',
                    environment=SANITIZER_ENVIRONMENT)
    result = Result()
    if not log.exists():
        raise Broken(tail(output))
    for line in log.read_text().splitlines():
        add_meson_test(result, json.loads(line))
    return result


# Tests that pytest runs


def add_pytest_case(result, case):
    """One test of pytest's report. What is left out counts neither way, and is told."""
    name = f'{case.get("classname")}::{case.get("name")}'
    bad = case.find('failure') if case.find('failure') is not None else case.find('error')
    skipped = case.find('skipped')
    if bad is not None:
        result.add(0, 1, f'{name}\n{tail(bad.text or "")}')
    elif skipped is None:
        result.add(1)
    elif skipped.get('type') == 'pytest.skip':
        result.left_out.append(skipped.get('message'))
    else:
        result.add(0, 1, f'{name}: expected to fail: {skipped.get("message")}')


def pytest(log, folder, environment=None, jobs=1):
    """Runs a folder of pytest files, so many tests at a time."""
    report = BUILDS / 'logs' / f'{log}.xml'
    report.unlink(missing_ok=True)
    at_once = ['-n', jobs] if jobs > 1 else []
    status, output = run([sys.executable, '-m', 'pytest', '-q', '-p', 'no:cacheprovider', *at_once,
                          f'--junitxml={report}', folder], log, environment=environment)
    if not report.exists():
        raise Broken(tail(output))
    result = Result()
    for case in ElementTree.parse(report).getroot().iter('testcase'):
        add_pytest_case(result, case)
    if status != 0 and result.failed == 0:
        result.add(0, 1, f'pytest ended with {status}\n{tail(output)}')
    return result


# The stages


def sources(*roots):
    return sorted(path for root in roots for path in (TOP / root).rglob('*.[ch]')
                  if 'node_modules' not in path.parts)


def check_format(result):
    bad = []
    for path in sources('src', 'include', 'man', 'tests', 'examples'):
        laid_out = subprocess.run(['clang-format', path], capture_output=True, check=True).stdout
        if laid_out != path.read_bytes():
            bad.append(str(path.relative_to(TOP)))
    result.add(not bad, int(bool(bad)), 'clang-format -i ' + ' '.join(bad))


def check_mistakes(result):
    """clang-tidy over each file of src/, several at a time."""
    folder = built('clang-asan')

    # In full depth the analyzer takes fifteen times as long.
    shallow = [f'--extra-arg={word}' for word in
               ('-Xclang', '-analyzer-config', '-Xclang', 'mode=shallow')]

    def one(path):
        done = subprocess.run(['clang-tidy', '-p', folder, '--quiet', *shallow, path],
                              capture_output=True, text=True, check=False)
        return path, done.returncode, done.stdout

    with ThreadPoolExecutor(JOBS) as pool:
        for path, status, output in pool.map(one, [p for p in sources('src') if p.suffix == '.c']):
            result.add(status == 0, int(status != 0),
                       f'clang-tidy {path.relative_to(TOP)}\n{tail(output)}')


def stage_tidy():
    result = pytest('tidy', TOP / 'tests' / 'tidy')
    check_format(result)
    check_mistakes(result)
    return result


def stage_fuzz():
    """
    Each target for a few seconds, several at a time. The seed is fixed, so that a change is judged
    by what it does and not by luck; a hunt takes new ones.
    """
    search = TOP / 'tests' / 'fuzz' / 'long.py'
    if not search.exists():
        raise Absent
    status, output = run([sys.executable, search, '--build', built('clang-asan'), '--seed', '1',
                          '--seconds', FUZZ_SECONDS, '--jobs', JOBS, '--every', FUZZ_EVERY], 'fuzz')
    result = counted(status, output, r'^FOUND (\S+): (.*)$')
    if MOSQUITTO.exists():
        status, output = run([sys.executable, search.with_name('differential.py'), '--binary',
                              built('clang-asan') / 'nightjar', '--cases', DIFFERENTIAL_CASES],
                             'differential', environment=SANITIZER_ENVIRONMENT)
        compared = counted(status, output, r'^FOUND (.+): ([0-9a-f ]+)$')
        result.add(compared.passed, compared.failed, '\n'.join(compared.failures))
    else:
        result.left_out.append('no mosquitto to compare with')
    return result


def counted(status, output, failures):
    """Of a program that ends with "N passed, N failed"; the pattern finds names and words."""
    count = re.search(r'^(\d+) passed, (\d+) failed$', output, re.MULTILINE)
    if not count:
        raise Broken(tail(output))
    result = Result()
    result.add(int(count[1]))
    for name, words in re.findall(failures, output, re.MULTILINE):
        result.add(0, 1, f'{name}\n{words.rstrip()}')
    if (status != 0) != (int(count[2]) > 0) or result.failed != int(count[2]):
        result.add(0, 1, f'ended with {status}\n{tail(output)}')
    return result


@functools.cache
def release_build():
    must([TOP / 'nightjar.sh', 'build'], 'build')
    return {'NIGHTJAR': str(TOP / 'build' / 'nightjar')}


def stage_release():
    return pytest('release', TOP / 'tests' / 'release', release_build())


# The two stages below run at the same time.
preparing = threading.Lock()


def prepare_e2e():
    """The JavaScript client that the tests drive."""
    if not list(E2E.glob('test_*.py')):
        raise Absent
    if (E2E / 'package.json').exists() and not (E2E / 'node_modules').is_dir():
        must(['npm', 'ci', '--no-audit', '--no-fund'], 'npm', cwd=E2E)


def stage_e2e():
    with preparing:
        prepare_e2e()
        environment = release_build()
    return pytest('e2e', E2E, environment, E2E_AT_ONCE)


def stage_e2e_asan():
    with preparing:
        prepare_e2e()
        binary = built('clang-asan') / 'nightjar'
    return pytest('e2e-asan', E2E, {'NIGHTJAR': str(binary), **SANITIZER_ENVIRONMENT},
                  E2E_AT_ONCE)


def conformance(log, environment, *arguments):
    """The statements of the standard against the running broker."""
    suite = TOP / 'tests' / 'conformance' / 'run.py'
    if not suite.exists():
        raise Absent
    status, output = run([sys.executable, suite, *arguments], log, environment=environment)
    return counted(status, output, r'^FAIL (.+)\n((?:     .*\n)*)')


def stage_conformance_asan():
    binary = built('clang-asan') / 'nightjar'
    return conformance('conformance-asan', {'NIGHTJAR': str(binary), **SANITIZER_ENVIRONMENT},
                       '--with', 'shards 8')


def stage_explore():
    """The states of the delivery tables; and that faults in these would be found."""
    result = meson_tests('gcc', 'explore')
    script = TOP / 'tests' / 'explore' / 'faults.py'
    status, output = run([sys.executable, script, '--quiet', '--build', built('gcc')], 'explore-faults')
    count = re.search(r'^(\d+) of (\d+) faults found$', output, re.MULTILINE)
    found, tried = (int(count[1]), int(count[2])) if count else (0, 1)
    result.add(found, max(tried - found, int(status != 0)), tail(output))
    return result


def stage_conformance_memory():
    """The same statements in memory, where no case waits; and those of clients."""
    build = ['--build', str(built('clang-asan'))]
    result = Result()
    for kind in (['--client'], ['--engine'], ['--engine', '--stored', '--shards', '3']):
        part = conformance('conformance-' + '-'.join(kind).replace('--', ''),
                           SANITIZER_ENVIRONMENT, *kind, *build)
        result.passed += part.passed
        result.failed += part.failed
        result.failures += part.failures
    return result


# So that even a short run rotates, writes checkpoints and compacts.
SMALL_SEGMENTS = 'storage_segment_size 262144'
# The broker is killed at random moments: what the crash program is called with, what that tries.
CRASHES = {
    'no crash': ['--volatile', '--rounds', '4'],
    'killed': ['--rounds', '20', '--round-ms', '300', '--setting', SMALL_SEGMENTS],
    'power cut': ['--rounds', '8', '--round-ms', '300', '--setting', SMALL_SEGMENTS,
                  '--power-cut'],
}


def stage_crash(name='gcc', kinds=tuple(CRASHES)):
    folder = built(name)
    library = folder / 'tests' / 'crash' / 'powercut.so'
    tests = TOP / 'tests' / 'crash'
    result = pytest(f'crash-tools-{name}', tests,
                    {'NIGHTJAR_POWERCUT': str(library),
                     'NIGHTJAR_FAULTS': str(library.with_name('faults.so'))})
    for kind in kinds:
        words = [*CRASHES[kind]]
        if words[-1] == '--power-cut':
            words.append(f'{library},{tests / "powercut_apply.py"}')
        status, output = run([folder / 'tests' / 'crash' / 'crash', *words, folder / 'nightjar'],
                             f'crash-{name}-{kind.replace(" ", "-")}',
                             environment=SANITIZER_ENVIRONMENT)
        result.add(status == 0, int(status != 0), f'crash, {kind}: {status}\n{tail(output)}')
    for kind in ('publish', 'consume') if name == 'gcc' else ():
        status, output = run([sys.executable, tests / 'killed_client.py', kind, folder],
                             f'crash-client-{kind}')
        result.add(status == 0, int(status != 0), f'killed {kind}: {status}\n{tail(output)}')
    return result


STAGES = {
    'tidy': ('floors, licences, sizes, clang-format, clang-tidy', stage_tidy),
    'unit': ('unit tests, gcc', lambda: meson_tests('gcc', 'unit')),
    'unit-asan': ('unit tests, clang, address and undefined sanitizers',
                  lambda: meson_tests('clang-asan', 'unit')),
    'unit-tsan': ('unit tests of what has threads, gcc, thread sanitizer',
                  lambda: meson_tests('gcc-tsan', 'unit', meets_threads)),
    'sim': ('brokers, clients, network and clock from one seed, gcc',
            lambda: meson_tests('gcc', 'sim')),
    'sim-asan': ('the same, address and undefined sanitizers',
                 lambda: meson_tests('clang-asan', 'sim')),
    'explore': ('every state of the delivery tables, and faults put into them', stage_explore),
    'stress-asan': ('many clients, address sanitizer',
                    lambda: meson_tests('clang-asan', 'stress')),
    'stress-tsan': ('many clients, thread sanitizer', lambda: meson_tests('gcc-tsan', 'stress')),
    'crash': ('the broker killed at random, and its power cut', stage_crash),
    'crash-asan': ('killed at random, address sanitizer',
                   lambda: stage_crash('clang-asan', ['killed'])),
    'fuzz': (f'fuzz targets, {FUZZ_SECONDS} s each', stage_fuzz),
    'release': ('the program as it ships: hardened, whole', stage_release),
    'conformance': ('statements of the standard, the program as it ships',
                    lambda: conformance('conformance', release_build())),
    'conformance-asan': ('statements of the standard, address sanitizer', stage_conformance_asan),
    'conformance-memory': ('statements of the standard, broker and client in memory, address '
                           'sanitizer', stage_conformance_memory),
    'e2e': ('end to end, the program as it ships', stage_e2e),
    'e2e-asan': ('end to end, address sanitizer', stage_e2e_asan),
}


# These mostly wait, and so run together.
SIDE_BY_SIDE = ('e2e', 'e2e-asan')


def run_stages(names):
    together = [name for name in names if name in SIDE_BY_SIDE]
    results = [run_stage(name) for name in names if name not in SIDE_BY_SIDE]
    with ThreadPoolExecutor(len(SIDE_BY_SIDE)) as pool:
        results += pool.map(run_stage, together)
    return [result for result in results if result]


def run_stage(name):
    """Runs one stage and prints its line; gives its result, or None where it is absent."""
    words, stage = STAGES[name]
    started = time.monotonic()
    try:
        result = stage()
    except Absent:
        return None
    except (Broken, OSError, ValueError, subprocess.SubprocessError) as error:
        result = Result()
        result.add(0, 1, str(error))
    seconds = time.monotonic() - started
    lines = [f'{name:16} {result.passed:5} good {result.failed:3} bad {seconds:6.1f} s   {words}']
    lines += [f'    {result.left_out.count(reason)} left out: {reason}'
              for reason in sorted(set(result.left_out))]
    lines += ['    ' + failure.replace('\n', '\n    ') for failure in result.failures]
    sys.stdout.write('\n'.join(lines) + '\n')
    sys.stdout.flush()
    return result


def main():
    names = sys.argv[1:] or list(STAGES)
    unknown = [name for name in names if name not in STAGES]
    if unknown:
        print(f'unknown stage {unknown[0]}: one of {" ".join(STAGES)}', file=sys.stderr)
        return 1
    results = run_stages(names)
    passed = sum(result.passed for result in results)
    failed = sum(result.failed for result in results)
    print(f'{passed} passed, {failed} failed')
    return 1 if failed or not passed else 0


if __name__ == '__main__':
    sys.exit(main())
