# SPDX-License-Identifier: Apache-2.0
"""The mutations, as data: mutants/*.txt.

    == name-of-the-mutation
    file: src/session/delivery.c
    breaks: A PUBLISH that is sent again carries no DUP [MQTT-3.3.1-1].
    - text in that file, which must occur there once
    + what stands there instead

Several lines with `-`, or with `+`, are one text of several lines. What follows the sign and one
space is taken as it is. Lines with `#` before the first mutation of a file are its title.
"""
import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
FOLDER = Path(__file__).resolve().parent / 'mutants'


class Mistake(Exception):
    """The data do not fit their form, or the tree."""


@dataclass
class Mutant:
    """One place where the code is broken."""
    name: str
    group: str
    where: str
    file: str = ''
    breaks: str = ''
    old_lines: list = field(default_factory=list)
    new_lines: list = field(default_factory=list)

    @property
    def old(self):
        return '\n'.join(self.old_lines)

    @property
    def new(self):
        return '\n'.join(self.new_lines)

    @property
    def key(self):
        """Changes when the mutation does."""
        words = '\0'.join((self.file, self.old, self.new))
        return hashlib.sha256(words.encode()).hexdigest()[:16]

    def check(self):
        if not self.file or not self.breaks or not self.old:
            raise Mistake(f'{self.where}: {self.name}: needs file, breaks and the text to replace')
        if self.old == self.new:
            raise Mistake(f'{self.where}: {self.name}: changes nothing')

    def apply_to(self, text):
        """The broken text of the file."""
        count = text.count(self.old)
        if count != 1:
            raise Mistake(f'{self.where}: {self.name}: its text occurs {count} times '
                          f'in {self.file}, not once')
        return text.replace(self.old, self.new)


def parse_line(mutant, line, where):
    match = re.fullmatch(r'(file|breaks): (.+)', line)
    if match:
        value = match[2] if match[1] == 'file' else f'{mutant.breaks} {match[2]}'.strip()
        setattr(mutant, match[1], value)
    elif line == '-' or line.startswith('- '):
        mutant.old_lines.append(line[2:])
    elif line == '+' or line.startswith('+ '):
        mutant.new_lines.append(line[2:])
    else:
        raise Mistake(f'{where}: not a line of a mutation: {line}')


def parse(path):
    mutants = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        where = f'{path.name}:{number}'
        if line.startswith('== '):
            mutants.append(Mutant(line[3:], path.stem, where))
        elif mutants and line.strip():
            parse_line(mutants[-1], line, where)
        elif line.strip() and not line.startswith('#'):
            raise Mistake(f'{where}: stands before the first mutation')
    for mutant in mutants:
        mutant.check()
    return mutants


def load():
    """All mutations, in the order of the files' names."""
    mutants = [mutant for path in sorted(FOLDER.glob('*.txt')) for mutant in parse(path)]
    names = [mutant.name for mutant in mutants]
    for name in names:
        if names.count(name) > 1:
            raise Mistake(f'{name}: there are two of that name')
    return mutants


def misfits(mutants, top=TOP):
    """Why some can't be applied to this tree: one line each."""
    found = []
    for mutant in mutants:
        try:
            mutant.apply_to((top / mutant.file).read_text())
        except (Mistake, OSError) as error:
            found.append(str(error))
    return found
