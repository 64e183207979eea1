#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks the shape of source files: the licence line first, files and functions of readable size.

Prints one line per offence; the exit status says whether there was one.
"""
import sys
from pathlib import Path

SPDX = 'SPDX-License-Identifier: Apache-2.0'
FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 70
# What carries the licence line. A .c and .h are also measured.
SUFFIXES = {'.c', '.h', '.py', '.sh', '.js', '.mjs'}
SKIPPED = {'node_modules', '__pycache__'}


def files_of(top):
    for root in ('src', 'include', 'examples', 'man', 'tests', '.ci'):
        if not (top / root).is_dir():
            continue
        for path in sorted((top / root).rglob('*')):
            if path.is_file() and not SKIPPED & set(path.parts):
                yield path.relative_to(top)
    yield from (p.relative_to(top) for p in sorted(top.glob('*.sh')))


def check_licence(path, lines):
    first = lines[1:2] if lines and lines[0].startswith('#!') else lines[:1]
    if not any(SPDX in line for line in first):
        yield f'{path}:1: the first line must say {SPDX}'


def check_functions(path, lines):
    """The layout puts a function's braces, and only those, alone in the first column."""
    start = None
    for number, line in enumerate(lines, 1):
        if line == '{':
            start = number
        elif line == '}' and start:
            if number - start - 1 > FUNCTION_LINES_MAX:
                yield f'{path}:{start}: a function of {number - start - 1} lines'
            start = None


def check_text(path, text):
    """All offences of one file."""
    lines = text.splitlines()
    if path.suffix in SUFFIXES:
        yield from check_licence(path, lines)
        if len(lines) > FILE_LINES_MAX:
            yield f'{path}: {len(lines)} lines, more than {FILE_LINES_MAX}'
    if path.suffix in {'.c', '.h'}:
        yield from check_functions(path, lines)


def check(top):
    offences = []
    for path in files_of(top):
        if path.suffix in SUFFIXES:
            offences += check_text(path, (top / path).read_text())
    return offences


def main():
    top = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[2]
    offences = check(top)
    print('\n'.join(offences), end='\n' if offences else '')
    return 1 if offences else 0


if __name__ == '__main__':
    sys.exit(main())
