#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Breaks the code in chosen places, one at a time, and says which tests notice.

The places are in mutants/*.txt. Everything happens in a copy of the tree (build-test/mutation/
unless --work names another folder), at low priority, mostly on one core. What is known already is
not tried again, so a run may be interrupted and goes on where it stood:

    tests/mutation/run.py                       those that were not tried yet
    tests/mutation/run.py --only session-*      these, again
    tests/mutation/run.py --from NAME           from this one on, again
    tests/mutation/run.py --quick               with the tests that take seconds; the rest is open
    tests/mutation/run.py --missed              those that no test noticed, again
    tests/mutation/run.py --check               only: can each still be applied to the tree?
    tests/mutation/run.py --table               only: write docs/MUTATION.md

It ends with 1 when a mutation was missed.
"""
import argparse
import fcntl
import fnmatch
import json
import os
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import checks
import table
from mutants import TOP, Mistake, load, misfits
from tree import Broken, Tree

# End-to-end tests mostly wait.
SIDE_BY_SIDE = 4


class Bench:
    """The copy, what is known of its tests unbroken, and the verdicts so far."""

    def __init__(self, work, mutants, is_quick=False):
        self.work = work
        self.files = {mutant.name: mutant.file for mutant in mutants}
        self.is_quick = is_quick
        self.tree = Tree(work)
        self.known_path = work / 'unbroken.json'
        self.results_path = work / 'results.json'
        self.known = read_json(self.known_path)
        self.results = read_json(self.results_path)
        self.unit = self.late = self.long = []

    # Unbroken

    def prepare(self):
        self.tree.take_over()
        self.tree.set_up()
        self.tree.make(['all'], jobs=os.cpu_count())
        self.unit = checks.unit_checks(self.tree)
        self.late = checks.late_checks(self.tree)
        self.long = checks.long_checks(self.tree)
        for group in (self.unit,) if self.is_quick else (self.unit, self.late, self.long):
            self.try_unbroken(group)

    def print_of(self, check):
        return self.tree.fingerprint(check.targets)

    def start_unbroken(self, check):
        """How long it takes; one that only luck or load breaks has another try."""
        for _ in range(checks.TRIES):
            started = time.monotonic()
            failure = check.start(self.tree, self.work / 'tmp')
            if not failure:
                return round(time.monotonic() - started, 2)
        raise Broken(f'{check.name} {failure["how"]} without any mutation:\n' +
                     '\n'.join(failure['words']))

    def try_unbroken(self, group):
        """Each must succeed; how long it takes says when it hangs."""
        for check in group:
            mark = [self.print_of(check), script_mark(check)]
            known = self.known.get(check.name)
            if not known or known['mark'] != mark:
                known = {'mark': mark, 'seconds': self.start_unbroken(check)}
                self.known[check.name] = known
                write_json(self.known_path, self.known)
            check.seconds_max = 40 + 8 * known['seconds']

    # Broken

    def is_changed(self, check):
        return self.known[check.name]['mark'][0] != self.print_of(check)

    def notices(self, check, number=0):
        """How a check fails, or None. Where luck has a part it must fail twice in three times."""
        failures = []
        for _ in range(checks.TRIES if check.is_repeated else 1):
            only = failures[0]['test'] if failures and check.name.startswith('e2e') else None
            failure = check.start(self.tree, self.work / f'tmp{number}', only)
            if not failure:
                if not failures:
                    return None
                continue
            failures.append(failure)
            if len(failures) == 2 or not check.is_repeated or failure['how'] == 'hung':
                return failures[0]
        return None

    def first_of(self, group):
        """Builds a few at a time, and more when those did not notice."""
        begin, count = 0, 1
        while begin < len(group):
            some = group[begin:begin + count]
            self.make(some)
            for check in some:
                if self.is_changed(check):
                    self.tried.append(check.name)
                    found = self.notices(check)
                    if found:
                        return found
            begin, count = begin + count, 2 * count
        return None

    def make(self, group):
        self.tree.make({target for check in group for target in check.targets})

    def first_side_by_side(self, group):
        self.make(group)
        group = [check for check in group if self.is_changed(check)]
        self.tried += [check.name for check in group]
        found = []

        def one(pair):
            number, check = pair
            if not found:
                noticed = self.notices(check, number)
                if noticed:
                    found.append(noticed)
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            list(pool.map(one, enumerate(group)))
        return found[0] if found else None

    def known_of(self, mutant):
        noticed = Counter()
        for name, verdict in self.results.items():
            if 'by' in verdict and name in self.files:
                noticed[self.files[name], verdict['by']] += 1
                noticed[checks.folder_of(self.files[name]), verdict['by']] += 1
        seconds = {name: known['seconds'] for name, known in self.known.items()}
        return checks.Known(seconds, noticed, self.results.get(mutant.name, {}).get('by'))

    def stages(self, mutant):
        late, long = ([], []) if self.is_quick else (self.late, self.long)
        all_stages = checks.stages(mutant, self.known_of(mutant), self.unit, late, long)
        return all_stages[:checks.QUICK_STAGES] if self.is_quick else all_stages

    def hunt(self, mutant):
        """Who notices this mutation, which is in the copy now? None: nobody."""
        self.tried = []
        for group, is_wide in self.stages(mutant):
            group = [check for check in group if check.name not in self.tried]
            found = self.first_side_by_side(group) if is_wide else self.first_of(group)
            if found:
                return found
        return None

    def try_one(self, mutant):
        text = self.tree.read(mutant.file)
        started = time.monotonic()
        verdict = {'key': mutant.key}
        if self.is_quick:
            verdict['is_open'] = True
        try:
            self.tree.write(mutant.file, mutant.apply_to(text))
            found = self.hunt(mutant)
            if found:
                verdict.update(found)
                verdict.pop('is_open', None)
            elif not self.tried and not self.is_quick:
                verdict['broken'] = 'changes no program'
            verdict['tried'] = len(self.tried)
        except Broken as error:
            verdict['broken'] = str(error)
        finally:
            self.tree.write(mutant.file, text)
        verdict['seconds'] = round(time.monotonic() - started, 1)
        self.results[mutant.name] = verdict
        write_json(self.results_path, self.results)
        return verdict


def script_mark(check):
    """Of a test that is a script, when it was changed last."""
    path = Path(check.command[-1])
    return path.stat().st_mtime if path.suffix == '.py' else 0


def read_json(path):
    return json.loads(path.read_text()) if path.exists() else {}


def write_json(path, value):
    fresh = path.with_suffix('.new')
    fresh.write_text(json.dumps(value, indent=1) + '\n')
    fresh.replace(path)


def words_for(verdict):
    if 'is_open' in verdict and 'broken' not in verdict:
        return f'open after {verdict["tried"]} checks'
    if 'broken' in verdict:
        return 'NOT A MUTATION: ' + verdict['broken']
    if 'by' in verdict:
        return f'{verdict["how"]} {verdict["by"]} {verdict.get("test", "")}'
    return f'MISSED by {verdict["tried"]} checks'


def is_known(mutant, results):
    result = results.get(mutant.name, {})
    return result.get('key') == mutant.key and 'is_open' not in result


def choose(mutants, arguments, results):
    if arguments.first:
        names = [mutant.name for mutant in mutants]
        if arguments.first not in names:
            raise Mistake(f'no mutation is called {arguments.first}')
        mutants = mutants[names.index(arguments.first):]
    if arguments.only:
        mutants = [mutant for mutant in mutants
                   if any(fnmatch.fnmatch(mutant.name, word) for word in arguments.only)]
    if arguments.missed:
        return [mutant for mutant in mutants
                if not is_known(mutant, results) or 'by' not in results[mutant.name]]
    if arguments.first or arguments.only:
        return mutants
    if arguments.quick:
        return [mutant for mutant in mutants
                if results.get(mutant.name, {}).get('key') != mutant.key]
    return [mutant for mutant in mutants if not is_known(mutant, results)]


def parse_arguments():
    parser = argparse.ArgumentParser(description='Breaks the code and says which tests notice.')
    parser.add_argument('--only', action='append', metavar='NAME', help='may hold * and ?')
    parser.add_argument('--from', dest='first', metavar='NAME')
    parser.add_argument('--missed', action='store_true')
    parser.add_argument('--quick', action='store_true')
    parser.add_argument('--minutes', type=float, help='begin no other mutation after that time')
    parser.add_argument('--check', action='store_true')
    parser.add_argument('--table', action='store_true')
    parser.add_argument('--work', type=Path, default=TOP / 'build-test' / 'mutation')
    return parser.parse_args()


def check(mutants):
    found = misfits(mutants)
    for line in found:
        print(line)
    print(f'{len(mutants)} mutations, {len(found)} of them cannot be applied')
    return 1 if found else 0


def try_all(bench, chosen, minutes):
    """Prints a line for each; how many were missed."""
    end = time.monotonic() + minutes * 60 if minutes else float('inf')
    missed = 0
    for number, mutant in enumerate(chosen, 1):
        if time.monotonic() > end:
            print(f'the time is over; {len(chosen) - number + 1} were not tried')
            break
        verdict = bench.try_one(mutant)
        missed += 'by' not in verdict
        print(f'{number:3}/{len(chosen)} {mutant.name:36} {verdict["seconds"]:6.1f} s  '
              f'{words_for(verdict)}', flush=True)
    return missed


def main():
    arguments = parse_arguments()
    mutants = load()
    if arguments.check:
        return check(mutants)
    arguments.work.mkdir(parents=True, exist_ok=True)
    bench = Bench(arguments.work, mutants, arguments.quick)
    if arguments.table:
        return table.write(mutants, bench.results)
    os.nice(10)
    with (arguments.work / 'lock').open('w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        bench.prepare()
        return 1 if try_all(bench, choose(mutants, arguments, bench.results),
                            arguments.minutes) else 0


if __name__ == '__main__':
    try:
        sys.exit(main())
    except BlockingIOError:
        sys.exit('mutation: another run uses that folder')
    except (Mistake, Broken) as error:
        sys.exit(f'mutation: {error}')
