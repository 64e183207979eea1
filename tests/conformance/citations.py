# SPDX-License-Identifier: Apache-2.0
"""
Where code and tests cite the standard: `[MQTT-3.3.1-2]` is a statement of 5.0, and of 3.1.1 where
that says the same; `[MQTT-1.5.4-1, -2]` and `[MQTT-2.2.1-3, 2.2.1-4]` are two; `[3.1.1 MQTT-3.8.3-4]`
is one of 3.1.1 alone; `[5] 3.8.3.1` is a section, for what has no number.
"""

import re

from broker import TOP

CITATION = re.compile(r"\[(?P<old>3\.1\.1 )?MQTT-(?P<ids>[^\]]*)\]")
SECTION = re.compile(r"\[5\] (\d+(?:\.\d+)+)")
NAME = re.compile(r"(?:(?:section )?)(?:MQTT-)?(?P<section>\d[\d.]*)?-(?P<count>\d+)$")
LINE_BREAK = re.compile(r"\s*\n[ \t]*(?:\* ?)?")
# A line in the first column that begins a function, a table, a type or a macro.
TOP_LEVEL = re.compile(r"^(?!#include|\}|/?\*|//|\s|$)")
FUNCTION = re.compile(r"(\w+)\(")
TYPE = re.compile(r"^(?:typedef )?(?:struct|enum|union) (\w+) \{")
MACRO = re.compile(r"^#define (\w+)")
TABLE = re.compile(r"(\w+)(?:\[[^\]]*\])*(?: =|;)")


class WrongCitation(Exception):
    """Brackets that begin like a citation and are none."""


class Citation:
    """One statement or section, cited at a line of a file, inside or above `place`."""

    def __init__(self, key, path, line, place):
        self.key = key  # (version, id), or ("section", "3.8.3.1")
        self.path = path
        self.line = line
        self.place = place

    def __str__(self):
        return f"{self.path}:{self.line} {self.place}"


def ids_of(match):
    section = None
    for word in match["ids"].split(","):
        name = NAME.match(word.strip())
        if not name or not (name["section"] or section):
            raise WrongCitation(match[0])
        section = name["section"] or section
        yield ("311" if match["old"] else "5", f"MQTT-{section}-{name['count']}")


def cited_in(text):
    """(version, id) of each statement that the text cites."""
    return [key for match in CITATION.finditer(LINE_BREAK.sub(" ", text)) for key in ids_of(match)]


def name_of(line):
    """What a line in the first column begins."""
    for pattern in (TYPE, MACRO, FUNCTION, TABLE):
        match = pattern.search(line)
        if match:
            return match[1]
    return None


def places_of(lines):
    """For each line, the function, table or type that it stands in or above."""
    places, above, current = [], [], None
    for at, line in enumerate(lines):
        if line.startswith("/*"):
            current = None  # what follows is something else's
        if TOP_LEVEL.match(line):
            name = name_of(line) or current
            for index in above:
                places[index] = name
            above, current = [], name
        places.append(current)
        if line.startswith("}") or (current and line.endswith(";") and TOP_LEVEL.match(line)):
            current = None
        elif current is None:
            above.append(at)
    return places


def citations_of(path):
    """The citations of one file."""
    text = path.read_text()
    places = places_of(text.splitlines())
    name = str(path.relative_to(TOP))
    found = []
    for match in CITATION.finditer(text):
        line = text.count("\n", 0, match.start())
        plain = CITATION.match(LINE_BREAK.sub(" ", match[0]))
        found += [Citation(key, name, line + 1, places[line]) for key in ids_of(plain)]
    for match in SECTION.finditer(text):
        line = text.count("\n", 0, match.start())
        found.append(Citation(("section", match[1]), name, line + 1, places[line]))
    return found


def all_citations(*folders):
    paths = sorted(path for folder in folders for path in (TOP / folder).rglob("*.[ch]"))
    return [citation for path in paths for citation in citations_of(path)]
