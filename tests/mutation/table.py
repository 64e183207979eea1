# SPDX-License-Identifier: Apache-2.0
"""docs/MUTATION.md, from the mutations and what was found out about them."""
from mutants import FOLDER, TOP

PAGE = TOP / 'docs' / 'MUTATION.md'

HEAD = """# Mutations

Would a test notice? Each line below breaks the code in one place: the text that is replaced and what replaces it stand in `tests/mutation/mutants/`. `tests/mutation/run.py` makes one change at a time in a copy of the tree, builds what it concerns and runs the tests, the likeliest first, until one fails: the unit tests, the conformance cases, the simulation, the end-to-end tests, the stress test, and crashes and power cuts of the process. Where luck has a part, a test must fail twice in three times.

A mutation that is not noticed by any test is either no fault (then it is replaced) or shows a test that is missing (then that is written). This page is generated: `tests/mutation/run.py --table`. The tidy stage checks that each mutation can still be applied, and that the page has it.
"""
HOW = {'failed': '', 'crashed': ' (an assertion, or a signal)', 'hung': ' (it hangs)'}


def title(group):
    """The lines of comment that a file of mutations begins with."""
    lines = []
    for line in (FOLDER / f'{group}.txt').read_text().splitlines():
        if not line.startswith('#'):
            break
        lines.append(line.lstrip('# '))
    return ' '.join(lines)


def caught_by(verdict):
    if 'broken' in verdict:
        return '**cannot be tried**'
    if 'by' not in verdict:
        return '**nothing**'
    test = verdict.get('test', '').split('[')[0].strip()[:80].replace('|', '\\|')
    test = f', {test}' if test else ''
    return f'{verdict["by"]}{test}{HOW[verdict["how"]]}'


def is_of_now(mutant, results):
    return results.get(mutant.name, {}).get('key') == mutant.key


def is_known(mutant, results):
    return is_of_now(mutant, results) and 'is_open' not in results[mutant.name]


def rows(mutants, results):
    for mutant in mutants:
        if is_known(mutant, results):
            what = caught_by(results[mutant.name])
        elif is_of_now(mutant, results):
            what = '(none of the quick tests; the others were not asked)'
        else:
            what = '(not tried)'
        words = mutant.breaks.replace('|', '\\|')
        yield f'| `{mutant.name}` | {words} | {what} |'


def page(mutants, results):
    tried = [mutant for mutant in mutants if is_known(mutant, results)]
    caught = [mutant for mutant in tried if 'by' in results[mutant.name]]
    asked = [mutant for mutant in mutants if is_of_now(mutant, results)]
    lines = [HEAD, f'**Caught: {len(caught)} of {len(tried)}** that were tried to the end. '
             f'{len(asked) - len(tried)} more passed the tests that take seconds, and '
             f'{len(mutants) - len(asked)} were not tried, of {len(mutants)}.']
    for group in sorted({mutant.group for mutant in mutants}):
        lines += ['', f'## {group}', '', title(group), '',
                  '| mutation | what is broken | noticed by |', '| --- | --- | --- |']
        lines += rows([mutant for mutant in mutants if mutant.group == group], results)
    return '\n'.join(lines) + '\n'


def write(mutants, results):
    PAGE.write_text(page(mutants, results))
    return 0
