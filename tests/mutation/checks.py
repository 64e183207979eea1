# SPDX-License-Identifier: Apache-2.0
"""The tests that a mutation has to pass to stay unnoticed, the likeliest to notice first."""
import re
import shutil
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tree import run

PROGRAM = 'nightjar'
SMALL_SEGMENTS = 'storage_segment_size 262144'
# Of the tests of the whole program, which look at what a folder of src/ does.
LOOKS_AT = {
    'mqtt': ['conformance', 'bad_input', 'handshakes'],
    'session': ['conformance', 'handshakes', 'delivery'],
    'route': ['conformance', 'routing'],
    'queue': ['limits', 'durability'],
    'io': ['process', 'greedy_peers', 'limits'],
    'journal': ['durability', 'store', 'journal_tool'],
    'broker': ['conformance', 'delivery', 'sessions', 'routing', 'keepalive', 'limits', 'jwt'],
    'access': ['access', 'jwt', 'http_login'],
    'client': ['client_tools'],
    'config': ['command_line', 'process'],
    'admin': ['journal_tool'],
    'cli': ['client_tools'],
    'daemon': ['process', 'command_line', 'store'],
    'trace': ['process'],
}
# Of the simulation, enough to meet most rows of the tables; a hunt has its own.
SEEDS = {'sim seeds': ['--seeds', '300', '--seconds', '20'],
         'sim powercut': ['--disk', '--seeds', '60']}
# What takes longer comes behind the tests that mostly wait.
SECONDS_QUICK = 2.5
QUICK_STAGES = 2
# What a thread's luck or the machine's load may break is tried again; two of three decide.
TRIES = 3


@dataclass
class Known:
    """Of earlier runs."""
    seconds: dict     # of each check, by name
    noticed: Counter  # (file or folder, check): how many mutations
    last: str         # who noticed this one


@dataclass
class Check:
    """A command that must succeed."""
    name: str
    command: list
    targets: list
    environment: dict = field(default_factory=dict)
    is_repeated: bool = True
    seconds_max: float = 300

    def start(self, tree, temporary, only=None):
        """None, or how it failed: {by, how, test, words}. Of a file of pytest `only` one test."""
        temporary.mkdir(parents=True, exist_ok=True)
        command = [*self.command[:-1], f'{self.command[-1]}::{only}'] if only else self.command
        status, output = run(command, self.seconds_max,
                             {**self.environment, 'TMPDIR': str(temporary)}, cwd=tree.build)
        shutil.rmtree(temporary, ignore_errors=True)
        for store in re.findall(r'^the store and the log are in (/tmp/nightjar-crash-\w+)$',
                                output, re.MULTILINE):
            shutil.rmtree(store, ignore_errors=True)
        if status == 0:
            return None
        how = 'hung' if status is None else 'crashed' if status < 0 else 'failed'
        return {'by': self.name, 'how': how, 'test': failed_test(output), 'words': said(output)}


def failed_test(output):
    """The first test of a program, or of a file, that failed; '' where there is only one."""
    for form in (r'^\[  FAILED  \] (test_\w+)', r'^FAILED \S+?::(.+?)(?: - |$)', r'^FAIL (.+)'):
        match = re.search(form, output, re.MULTILINE)
        if match:
            return match[1]
    begun = re.findall(r'^\[ RUN      \] (test_\w+)', output, re.MULTILINE)
    return begun[-1] if begun else ''


def said(output):
    """The lines that say what is wrong."""
    lines = [line.strip() for line in output.splitlines()]
    telling = [line for line in lines
               if re.match(r'(FAILED |FAIL |E  |ASSERT|seed )', line)
               or 'rror: ' in line or 'ssertion' in line]
    return [line[:200] for line in (telling or [line for line in lines if line][-3:])[:4]]


def unit_checks(tree):
    found = []
    for suite, name, command, targets in tree.tests():
        # the last weighs memory
        if suite in ('stress', 'fuzz') or name == 'sim connections':
            continue
        if name in SEEDS:
            command = [command[0], *SEEDS[name]]
        found.append(Check(name, command, targets, is_repeated=suite != 'sim'))
    return found


def late_checks(tree):
    """With the program itself. All but the stress test and the crashes are the same each time."""
    program = tree.build / PROGRAM
    environment = {'NIGHTJAR': str(program)}
    checks = [Check('conformance', [sys.executable, tree.top / 'tests/conformance/run.py',
                                    '--brief'], [PROGRAM], environment)]
    for path in sorted((tree.top / 'tests' / 'e2e').glob('test_*.py')):
        if path.stem == 'test_mqttjs' and not (path.parent / 'node_modules').exists():
            continue
        checks.append(Check(f'e2e {path.stem[5:]}',
                            [sys.executable, '-m', 'pytest', '-q', '-x', '-p', 'no:cacheprovider',
                             '--tb=line', path], [PROGRAM], environment))
    return checks


def long_checks(tree):
    program = tree.build / PROGRAM
    folder = tree.build / 'tests' / 'crash'
    words = [folder / 'crash', '--round-ms', '300', '--setting', SMALL_SEGMENTS]
    cut = f'{folder / "powercut.so"},{tree.top / "tests/crash/powercut_apply.py"}'
    libraries = [str(path.relative_to(tree.build))
                 for path in (folder / 'powercut.so', folder / 'faults.so')]
    targets = [PROGRAM, 'tests/crash/crash', *libraries]
    return [
        Check('stress', [tree.build / 'tests/stress/stress', '--seconds', '6', program],
              [PROGRAM, 'tests/stress/stress'], is_repeated=False),
        Check('crash, killed', [*words, '--rounds', '12', program], targets, is_repeated=False),
        Check('crash, power cut', [*words, '--rounds', '5', '--power-cut', cut, program], targets,
              is_repeated=False),
    ]


def folder_of(file):
    parts = Path(file).parts
    return parts[1] if parts[0] == 'src' else ''


def unit_rank(mutant, seconds, noticed):
    """What noticed others of the file, its own tests, its folder's, then the quick ones."""
    folder = folder_of(mutant.file)
    stem = re.split('[_.]', Path(mutant.file).name)[0]

    def rank(check):
        is_near = check.name.startswith(f'unit {folder}/')
        is_named = is_near and stem in check.name
        return (-noticed[mutant.file, check.name], not is_named, not is_near,
                -noticed[folder, check.name], seconds[check.name])
    return rank


def late_rank(mutant, seconds):
    """The files that look at that folder, then the quick ones."""
    looks_at = LOOKS_AT.get(folder_of(mutant.file), [])

    def rank(check):
        return (check.name.split()[-1] not in looks_at, seconds[check.name])
    return rank


def stages(mutant, known, unit, late, long):
    """
    In which order they are tried: [(checks, are they tried side by side)]. What noticed it the
    last time goes first; QUICK_STAGES of them take seconds. `known` tells of earlier runs.
    """
    seconds = known.seconds
    unit = sorted(unit, key=unit_rank(mutant, seconds, known.noticed))
    late = sorted(late, key=late_rank(mutant, seconds))
    quick = [check for check in unit if seconds[check.name] <= SECONDS_QUICK]
    slow = [check for check in unit if check not in quick]
    last = [check for check in [*unit, *late, *long] if check.name == known.last]
    return [(last, False), (quick, False), (late[:1], False), (late[1:], True),
            (slow + long, False)]
