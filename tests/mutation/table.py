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


def is_known(mutant, results):
    result = results.get(mutant.name, {})
    return result.get('key') == mutant.key and 'is_open' not in result


def rows(mutants, results):
    for mutant in mutants:
        what = caught_by(results[mutant.name]) if is_known(mutant, results) else '(not tried)'
        words = mutant.breaks.replace('|', '\\|')
        yield f'| `{mutant.name}` | {words} | {what} |'


def page(mutants, results):
    tried = [mutant for mutant in mutants if is_known(mutant, results)]
    caught = [mutant for mutant in tried if 'by' in results[mutant.name]]
    lines = [HEAD, f'**Caught: {len(caught)} of {len(tried)}.**']
    for group in sorted({mutant.group for mutant in mutants}):
        lines += ['', f'## {group}', '', title(group), '',
                  '| mutation | what is broken | noticed by |', '| --- | --- | --- |']
        lines += rows([mutant for mutant in mutants if mutant.group == group], results)
    return '\n'.join(lines) + '\n'


def write(mutants, results):
    PAGE.write_text(page(mutants, results))
    return 0
