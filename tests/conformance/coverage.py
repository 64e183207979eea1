# SPDX-License-Identifier: Apache-2.0
"""
Which statements have cases, which are shown elsewhere, and that none is forgotten. A statement that
binds both ends needs a case for each.
"""

import re

from always import rules
from always_client import client_rules
from broker import TOP
from citations import cited_in
from tables import PROPERTIES, REASONS, VERSIONS, read

FILES = {"311": "mqtt311.tsv", "5": "mqtt5.tsv"}
# By the table's column `who`: those who must show it.
SIDES = {"server": ("server",), "client": ("client",)}
BOTH = ("server", "client")
SECTIONS = re.compile(r"(?<=[ ,])(\d+(?:\.\d+)+)(?=[,)])")
TEST = re.compile(r"^(tests/\S+\.c): (test_\w+)$")


class Statement:
    """A row of the standard's appendix, or one of ours for what has no number there."""

    def __init__(self, version, name, requirement, sides=("server",)):
        self.version = version
        self.id = name
        self.requirement = requirement
        self.sides = sides
        self.is_numbered = name.startswith("MQTT-")
        # Where the standard says what has no number: `([5] 3.8.3.1)`.
        self.sections = [] if self.is_numbered else SECTIONS.findall(requirement)

    @property
    def key(self):
        return (self.version, self.id)


def statements():
    """Everything the standard wants: numbered, unnumbered, tables' rows."""
    found = [Statement(version, row["id"], row["requirement"], SIDES.get(row["who"], BOTH))
             for version, name in FILES.items() for row in read(name)]
    found += [Statement(row["version"], row["id"], row["requirement"])
              for row in read("rules.tsv")]
    found += [Statement("5", row.id, f"Property {row.title}: where it may stand, how often, "
                        "which values.", BOTH) for row in PROPERTIES]
    codes = {}
    for row in REASONS:
        codes.setdefault(row.id, []).append(row)
    found += [Statement("5", name, f"Reason code {' / '.join(row.name for row in rows)}: who may "
                        "send it, and where.", sides_of_code(rows))
              for name, rows in codes.items()]
    return found


def sides_of_code(rows):
    """Who takes such a code: clients, unless only clients send it; servers see all of them."""
    is_from_server = any(row.sender != "client" and row.packets != ["AUTH"] for row in rows)
    return BOTH if is_from_server else ("server",)


class Elsewhere:
    """Why one end shows a statement in no case: a unit test does, or nothing can yet."""

    def __init__(self, row):
        self.key = (row["version"], row["id"])
        self.side = row["side"]
        self.kind = row["kind"]  # unit: a test shows it; later: there is no such door yet
        self.words = row["what"]

    def fault(self):
        """What is wrong with the test that it names; None if nothing is."""
        if self.kind != "unit":
            return None
        match = TEST.match(self.words)
        path = match and TOP / match[1]
        if not path or not path.exists():
            return f"{' '.join(self.key)} names no test file: {self.words}"
        text = path.read_text()
        at = re.search(rf"^static void {match[2]}\(.*?^}}$", text, re.MULTILINE | re.DOTALL)
        if not at:
            return f"{' '.join(self.key)}: there is no {self.words}"
        # The comment above belongs to the test.
        above = text[:at.start()].rsplit("\n}\n", 1)[-1]
        if self.key not in cited_in(above + at[0]):
            return f"{' '.join(self.key)}: {match[2]} does not cite it"
        return None


def elsewhere():
    return [Elsewhere(row) for row in read("elsewhere.tsv")]


def covered(cases):
    """(version, id, side) of what has a case."""
    sided = [(case.ids, "client" if case.is_client else "server") for case in cases]
    sided += [(rule.ids, "server") for rule in rules()]
    sided += [(rule.ids, "client") for rule in client_rules()]
    return {(version, i, side) for ids, side in sided for version, names in ids.items()
            for i in names}


def check_statements(cases):
    """None, or which statements are unknown, forgotten or accounted for twice."""
    every = {(s.version, s.id, side) for s in statements() for side in s.sides}
    known = {triple[:2] for triple in every}
    here = covered(cases)
    there = {(*e.key, e.side) for e in elsewhere()}
    wrong = [("unknown", {t for t in here | there if t[:2] not in known}),
             ("forgotten", every - here - there),
             ("have both a case and a reason why not", here & there)]
    told = [f"{words}: {', '.join(' '.join(t) for t in sorted(triples))}"
            for words, triples in wrong if triples]
    told += filter(None, [e.fault() for e in elsewhere()])
    return "; ".join(told) or None


def account(cases):
    """By (version, id): how it is accounted for. A statement is "later" as soon as one end is."""
    here = covered(cases)
    kinds = {}
    for entry in elsewhere():
        kinds.setdefault(entry.key, []).append(entry.kind)
    found = {}
    for statement in statements():
        own = kinds.get(statement.key, [])
        if any((*statement.key, side) in here for side in statement.sides):
            found[statement.key] = "case" if "later" not in own else "case and later"
        else:
            found[statement.key] = "later" if "later" in own else "unit"
    return found


def summary(cases):
    lines = []
    kinds = account(cases)
    for version in VERSIONS:
        own = [kind for key, kind in kinds.items() if key[0] == version]
        names = "3.1.1" if version == "311" else "5.0"
        counts = ", ".join(f"{own.count(kind)} {words}" for kind, words in (
            ("case", "by cases"), ("case and later", "by cases for what is there"),
            ("unit", "by unit tests"), ("later", "not yet")) if own.count(kind))
        lines.append(f"MQTT {names}: {len(own)} statements: {counts}")
    return "\n".join(lines)
