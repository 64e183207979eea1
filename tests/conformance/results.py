# SPDX-License-Identifier: Apache-2.0
"""
What came out of a run, kept in results/ so that docs/CONFORMANCE.md can say it. Of cases that
passed a short hash of the name is kept: a case that is newer than the run is not taken for passed.
"""

import datetime
import hashlib
import itertools
import json
import subprocess
from pathlib import Path

from broker import is_mosquitto, program_of

FOLDER = Path(__file__).parent / "results"
HASH_LETTERS = 6
PREFIX_LETTERS = 2  # hashes that begin alike share a line, so that a new case changes one line


def short(name):
    return hashlib.sha256(name.encode()).hexdigest()[:HASH_LETTERS]


def subject(arguments):
    """The words for what was tested."""
    if arguments.client:
        return "nightjar's client engine"
    if arguments.engine:
        return "nightjar's broker engine" + (", storing" if arguments.stored else "")
    if arguments.port:
        return f"{arguments.host}:{arguments.port}"
    program = program_of(arguments.binary)
    word = "-h" if is_mosquitto(arguments.binary) else "--version"
    said = subprocess.run([program, word], capture_output=True, text=True, check=False)
    return (said.stdout + said.stderr).splitlines()[0]


def write_results(path, arguments, report, left_out):
    hashes = sorted({short(name) for name, failure in report.verdicts.items() if not failure})
    lines = [" ".join(group) for _, group
             in itertools.groupby(hashes, lambda word: word[:PREFIX_LETTERS])]
    result = {
        "subject": subject(arguments),
        "date": datetime.date.today().isoformat(),
        "passed": report.passed,
        "failed": {name: words for name, words in sorted(report.verdicts.items()) if words},
        "left_out": sorted(left_out),
        "passed_hashes": lines,
    }
    Path(path).write_text(json.dumps(result, indent="\t", ensure_ascii=False) + "\n")


class Results:
    """A run that was kept."""

    def __init__(self, name):
        data = json.loads((FOLDER / f"{name}.json").read_text())
        self.subject = data["subject"]
        self.date = data["date"]
        self.passed = data["passed"]
        self.failed = data["failed"]
        self.left_out = data["left_out"]
        self.hashes = set(" ".join(data["passed_hashes"]).split())

    def verdict(self, name):
        """"passed", "failed", "left out" or "not run" since the case is newer."""
        if name in self.failed:
            return "failed"
        if name in self.left_out:
            return "left out"
        return "passed" if short(name) in self.hashes else "not run"
