# SPDX-License-Identifier: Apache-2.0
"""Reads the case files; README.md beside this file describes their language."""

import re
from pathlib import Path

import generated
import generated_client
from tables import VERSIONS

FOLDER = Path(__file__).parent / "cases"
HEADER = re.compile(r"^== ((?:(?:311|5):\S+ )+)\| (.+)$")
STEP = re.compile(r"^(?:(?P<version>311|5): )?(?:(?P<first>\d+)\.\.(?P<last>\d+) )?(?P<words>.+)$")


class Mistake(Exception):
    """A case that cannot be understood: the suite's own fault, never the broker's."""


class Step:
    """One line of a case: done once, or for each number from `first` to `last`."""

    def __init__(self, line, where):
        match = STEP.match(line)
        self.where = where
        self.text = line
        self.version = match["version"]
        self.numbers = range(int(match["first"] or 0), int(match["last"] or 0) + 1)
        self.words = match["words"].split()


class Case:
    """What a `==` line begins."""

    def __init__(self, ids, title, where):
        self.ids = ids
        self.title = title
        self.where = where
        self.settings = ()
        self.is_alone = False
        self.is_client = where.startswith("client.")
        self.steps = []

    def name(self, version):
        return f"{version:3} {self.ids[version][0]}  {self.title}"

    def show(self):
        ids = " ".join(f"{version}:{','.join(ids)}" for version, ids in self.ids.items())
        settings = [f"with {line}" for line in self.settings]
        alone = ["alone"] if self.is_alone else []
        return "\n".join([f"== {ids} | {self.title}"] + settings + alone +
                         [step.text for step in self.steps])


def parse_header(match, where):
    ids = {}
    for words in match[1].split():
        version, _, names = words.partition(":")
        ids[version] = names.split(",")
    return Case(ids, match[2], where)


def parse(text, name):
    """The cases of one file."""
    cases = []
    for count, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        where = f"{name}:{count}"
        if not line or line.startswith("#"):
            continue
        header = HEADER.match(line)
        if header:
            cases.append(parse_header(header, where))
        elif not cases or line.startswith("=="):
            raise Mistake(f"{where}: not a case's first line: {line}")
        elif line == "alone":
            cases[-1].is_alone = True
        elif line.startswith("with "):
            setting = line.removeprefix("with ").replace("{cases}", str(FOLDER))
            cases[-1].settings += (setting,)
        else:
            cases[-1].steps.append(Step(line, where))
    return cases


def load():
    """All cases: those of the files, and those that the tables of properties and codes give."""
    found = []
    for path in sorted(FOLDER.glob("*.case")):
        found += parse(path.read_text(), path.name)
    found += parse(generated.text(), "generated")
    found += parse(generated_client.text(), "client.generated")
    for case in found:
        if not case.steps:
            raise Mistake(f"{case.where}: a case without steps")
        unknown = {s.version for s in case.steps if s.version} - set(case.ids)
        if unknown or not set(case.ids) <= set(VERSIONS):
            raise Mistake(f"{case.where}: a version that the case is not about")
    return found
