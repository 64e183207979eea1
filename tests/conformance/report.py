#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Writes docs/CONFORMANCE.md: each statement with the code that cites it, its cases, and what came of
them in the runs that are kept in results/. With --run these runs are made anew first (gcc build
with tests in --build, the program in --binary, Debian's mosquitto): about a minute.
"""

import argparse
import functools
import subprocess
import sys
from pathlib import Path

from always import rules
from always_client import client_rules
from broker import TOP
from cases import load
from citations import all_citations
from coverage import BOTH, FILES, account, elsewhere, statements
from results import FOLDER, Results
from tables import PROPERTIES, read

PAGE = TOP / "docs" / "CONFORMANCE.md"
MOSQUITTO = "/usr/sbin/mosquitto"
# Runs by name: the arguments, and the words for it.
RUNS = {
    "process": ([], "the program, over TCP"),
    "memory": (["--engine"], "the broker in memory, 2 shards"),
    "storing": (["--engine", "--stored", "--shards", "3"],
                "the broker in memory, 3 shards, each answer durable on a simulated disk"),
    "client": (["--client"], "the client in memory"),
    "mosquitto": (["--binary", MOSQUITTO], "Debian's mosquitto, over TCP"),
}
KINDS = {"case": "by cases", "case and later": "by cases, one end not yet",
         "unit": "by unit tests", "later": "not yet: the door is not built"}


# The code


def property_places():
    """Rows of the code's tables, which stand for what has no number in the standard."""
    text = (TOP / "src/mqtt/properties.c").read_text()
    return {("5", p.id): ["mqtt/properties.c `rules`"] for p in PROPERTIES
            if f'\t[0x{p.number:02X}] = {{"{p.title}"' in text}


def reason_places(found):
    text = (TOP / "src/mqtt/reason.c").read_text()
    return {s.key: ["mqtt/reason.c `reasons`"] for s in found if s.id.startswith("REASON-")
            and f"\t[{s.id.removeprefix('REASON-')}] = {{" in text}


def place_of(citation):
    path = citation.path.removeprefix("src/")
    return f"{path} `{citation.place}`" if citation.place else path


@functools.cache
def cited_by_key():
    cited = {}
    for citation in all_citations("src"):
        cited.setdefault(citation.key, []).append(citation)
    return cited


@functools.cache
def same_in_5():
    """Statements of 5.0 that repeat one of 3.1.1."""
    return {("311", row["id"]): [("5", i) for i in row["as_in_5"].split(", ") if i]
            for row in read("mqtt311.tsv")}


def citations_for(statement):
    keys = [statement.key, *same_in_5().get(statement.key, []),
            *(("section", section) for section in statement.sections)]
    return [citation for key in keys for citation in cited_by_key().get(key, [])]


def code_places(found):
    """By statement: the places of the code that cite it."""
    places = {**property_places(), **reason_places(found)}
    for statement in found:
        own = [place_of(citation) for citation in citations_for(statement)]
        if own:
            places[statement.key] = list(dict.fromkeys(own))
    return places


def check_code():
    """None, or which statements no line of code cites, which citations are of nothing."""
    found = statements()
    known = {s.key for s in found}
    places = code_places(found)
    kinds = account(load())
    excused = {(row["version"], row["id"]) for row in read("nowhere.tsv")}
    uncited = [s for s in found if s.key not in places and s.key not in excused
               and kinds[s.key] != "later"]
    wrong = [f"{' '.join(s.key)} is cited nowhere in src/" for s in uncited]
    wrong += [f"{' '.join(key)} is cited, and has a reason why not"
              for key in excused & set(places)]
    wrong += [f"{citation}: there is no {' '.join(citation.key)}"
              for citation in all_citations("src", "tests", "include")
              if citation.key[0] != "section" and citation.key not in known]
    return "\n".join(wrong) or None


# The cases


class Shown:
    """A case, or a statement that is looked at in all of them."""

    def __init__(self, one, where, side):
        self.ids = one.ids
        self.name = one.name
        self.title = one.title
        self.where = where
        self.side = side


def all_shown():
    shown = [Shown(case, case.where.split(":")[0].removesuffix(".case"),
                   "client" if case.is_client else "server") for case in load()]
    shown += [Shown(rule, "everywhere", "server") for rule in rules()]
    return shown + [Shown(rule, "everywhere, client", "client") for rule in client_rules()]


def by_statement(shown):
    found = {}
    for one in shown:
        for version, ids in one.ids.items():
            for name in ids:
                found.setdefault((version, name), []).append(one)
    return found


def case_cell(shown):
    """Titles by the file that they stand in."""
    places = {}
    for one in shown:
        places.setdefault(one.where, []).append(one.title)
    cells = []
    for where, titles in places.items():
        words = "; ".join(titles) if "generated" not in where else f"{len(titles)} cases"
        cells.append(f"*{where}*: {words}")
    return "<br>".join(cells)


def count_cell(shown, version, runs):
    """`3` when all passed, `2 of 3` when not, in every one of the runs."""
    if not shown:
        return ""
    verdicts = [[run.verdict(one.name(version)) for run in runs] for one in shown]
    run_count = sum("left out" not in own for own in verdicts)
    good = sum(all(verdict == "passed" for verdict in own) for own in verdicts)
    if good == len(shown):
        return str(good)
    if any("not run" in own for own in verdicts):
        return f"{good} of {len(shown)}, not all run yet"
    return f"**{good} of {run_count}**" if good < run_count else f"{good}"


# The page


def cell(text):
    return text.replace("|", "\\|").replace("\n", " ")


def row(*cells):
    return "| " + " | ".join(cells) + " |"


def table(*titles):
    return [row(*titles), row(*["---"] * len(titles))]


def run_rows(runs):
    lines = table("run", "of", "date", "passed", "failed", "left out")
    for name, run in runs.items():
        lines.append(row(RUNS[name][1], run.subject, run.date, str(run.passed),
                         str(len(run.failed)), str(len(run.left_out))))
    return lines


def account_rows(found, kinds):
    groups = [("MQTT 3.1.1", [s for s in found if s.is_numbered and s.version == "311"]),
              ("MQTT 5.0", [s for s in found if s.is_numbered and s.version == "5"])]
    groups += [("both", [s for s in found if s.is_numbered]),
               ("without a number", [s for s in found if not s.is_numbered])]
    used = [kind for kind in KINDS if kind in kinds.values()]
    lines = table("", "statements", *(KINDS[kind] for kind in used))
    for title, group in groups:
        lines.append(row(title, str(len(group)), *(
            str(sum(kinds[s.key] == kind for s in group)) for kind in used)))
    return lines


def statement_rows(group, shown, places, runs):
    nowhere = {(r["version"], r["id"]): r["why"] for r in read("nowhere.tsv")}
    other = {}
    for entry in elsewhere():
        side = "" if entry.kind == "unit" else f"{entry.side}: "
        other.setdefault(entry.key, []).append(side + entry.words)
    lines = table("statement", "binds", "code", "cases", "process", "memory", "client",
                  "mosquitto")
    for s in group:
        own = shown.get(s.key, [])
        server = [one for one in own if one.side == "server"]
        client = [one for one in own if one.side == "client"]
        cases = "<br>".join(filter(None, [case_cell(own), *other.get(s.key, [])]))
        lines.append(row(
            f"{s.id} {cell(s.requirement)}", "both" if s.sides == BOTH else s.sides[0],
            "<br>".join(places.get(s.key, [])) or nowhere.get(s.key, ""), cell(cases),
            count_cell(server, s.version, [runs["process"]]),
            count_cell(server, s.version, [runs["memory"], runs["storing"]]),
            count_cell(client, s.version, [runs["client"]]),
            count_cell(server, s.version, [runs["mosquitto"]])))
    return lines


def mosquitto_rows(run):
    reasons = {row["case"]: row["why"] for row in read("mosquitto.tsv")}
    lines = table("case", "what mosquitto does, against what the standard asks")
    seen = set()
    for name in run.failed:
        version, _, title = name.partition(" ")
        title = title.strip().split("  ", 1)[1]
        words = reasons.get(title, "not read again yet")
        versions = [n.split(" ")[0] for n in run.failed if n.endswith("  " + title)]
        if title in seen:
            continue
        seen.add(title)
        names = ", ".join("3.1.1" if v == "311" else "5.0" for v in versions)
        lines.append(row(f"{cell(title)} ({names})", cell(words)))
    return lines


INTRODUCTION = """\
# Conformance

Every numbered statement of MQTT 3.1.1 and 5.0, and what has no number there: where the code obeys \
it, which cases show it, what came of them. Written by `tests/conformance/report.py`; how the cases \
read is in [tests/conformance](../tests/conformance/README.md).

A statement that binds both ends has cases for each. *Memory* means in both runs there. Three of \
three cases passed is `3`; what did not pass is bold. *everywhere* is looked at in all cases. \
Statements of 3.1.1 that 5.0 repeats are cited in the code by the number of 5.0; \
`grep -rn 'MQTT-3.1.2-24' src` finds the line."""


def page():
    """docs/CONFORMANCE.md as it should be."""
    runs = {name: Results(name) for name in RUNS}
    found = statements()
    kinds = account(load())
    shown, places = by_statement(all_shown()), code_places(found)
    groups = [
        ("MQTT 3.1.1", [s for s in found if s.is_numbered and s.version == "311"]),
        ("MQTT 5.0", [s for s in found if s.is_numbered and s.version == "5"]),
        ("Rules, properties and reason codes of MQTT 5.0 that have no number",
         [s for s in found if not s.is_numbered]),
    ]
    mosquitto = runs["mosquitto"]
    lines = [INTRODUCTION, "", *run_rows(runs), "", *account_rows(found, kinds), "",
             f"## What fails on {mosquitto.subject}", "",
             f"Run of {mosquitto.date}, Debian 12's package with its own defaults. Each case was "
             "read again: what the standard leaves open does not count as a failure. Cases that "
             "need a setting that it does not have are left out.", "",
             *mosquitto_rows(mosquitto)]
    for title, group in groups:
        lines += ["", f"## {title}", "", *statement_rows(group, shown, places, runs)]
    assert len(FILES) == 2  # the groups above
    return "\n".join(lines) + "\n"


def run_all(arguments):
    """Makes the runs that the page tells of; True when all of ours passed."""
    is_good = True
    FOLDER.mkdir(exist_ok=True)
    for name, (words, title) in RUNS.items():
        command = [sys.executable, str(Path(__file__).parent / "run.py"), "--brief", "--build",
                   arguments.build, "--record", str(FOLDER / f"{name}.json"), *words]
        if name == "process":
            command += ["--binary", arguments.binary]
        print(f"== {title}", flush=True)
        status = subprocess.run(command, check=False).returncode
        is_good &= status == 0 or name == "mosquitto"
    return is_good


def main():
    parser = argparse.ArgumentParser(description="Writes docs/CONFORMANCE.md.")
    parser.add_argument("--run", action="store_true", help="run everything anew first")
    parser.add_argument("--build", default=str(TOP / "build-test" / "gcc"))
    parser.add_argument("--binary", default=str(TOP / "build" / "nightjar"))
    arguments = parser.parse_args()
    is_good = run_all(arguments) if arguments.run else True
    PAGE.write_text(page())
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
