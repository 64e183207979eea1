#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that every #include "folder/file.h" obeys the floors of docs/floors.txt.

A file of src/<folder>/ may include its own folder and those of lower floors. A unit test in
tests/unit/<folder>/ stands where <folder> stands. Everything else (fuzz targets, stress) stands
on top of the house. Prints one line per offence; the exit status says whether there was one.
"""
import re
import sys
from pathlib import Path

INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"')


def read_floors(page):
    """Maps each folder to its floor."""
    floors = {}
    for number, line in enumerate(page.read_text().splitlines(), 1):
        words = line.split('#')[0].split()
        if not words:
            continue
        if not words[0].isdigit() or len(words) < 2:
            raise ValueError(f'{page}:{number}: want "<floor> <folder>..."')
        for folder in words[1:]:
            if folder in floors:
                raise ValueError(f'{page}:{number}: {folder} stands on two floors')
            floors[folder] = int(words[0])
    return floors


def home_of(path):
    """The folder whose floor a file stands on; None for what stands above all."""
    if path.parts[0] == 'src':
        return path.parts[1]
    if path.parts[:2] == ('tests', 'unit') and len(path.parts) > 3:
        return path.parts[2]
    return None


def is_of_tests(top, path, included):
    """A header that stands beside the test, in a folder above it, or in the simulator's kit."""
    folders = [*list(path.parents)[:-1], Path('tests/sim')]
    return '..' not in included and any((top / folder / included).exists() for folder in folders)


def check_include(top, path, included, floors):
    """What is wrong with this include, or None."""
    folder = included.split('/')[0]
    home = home_of(path)
    if path.parts[0] == 'tests' and is_of_tests(top, path, included):
        return None
    if '/' not in included:
        return 'write it as "folder/file.h"'
    if included.startswith('nightjar/'):
        return None
    if path.parts[0] == 'tests' and home is None and (top / 'tests' / included).exists():
        return None
    if folder not in floors:
        return f'docs/floors.txt knows no folder {folder}'
    if not (top / 'src' / included).exists():
        return 'no such file'
    if home is None or folder == home or floors[folder] < floors[home]:
        return None
    return f'{home} (floor {floors[home]}) may not include {folder} (floor {floors[folder]})'


def sources_of(top):
    for root in ('src', 'man', 'tests'):
        for path in sorted((top / root).rglob('*.[ch]')):
            if 'node_modules' not in path.parts:
                yield path.relative_to(top)


def check(top):
    """All offences of the tree at `top`, as lines of text."""
    floors = read_floors(top / 'docs' / 'floors.txt')
    offences = []
    for path in sources_of(top):
        home = home_of(path)
        if home is not None and home not in floors:
            offences.append(f'{path}: docs/floors.txt knows no folder {home}')
            continue
        for number, line in enumerate((top / path).read_text().splitlines(), 1):
            match = INCLUDE.match(line)
            wrong = match and check_include(top, path, match.group(1), floors)
            if wrong:
                offences.append(f'{path}:{number}: {match.group(1)}: {wrong}')
    return offences


def main():
    top = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[2]
    offences = check(top)
    print('\n'.join(offences), end='\n' if offences else '')
    return 1 if offences else 0


if __name__ == '__main__':
    sys.exit(main())
