# SPDX-License-Identifier: Apache-2.0
"""
What docs/MIGRATING.md says of each line of mosquitto.conf is what the program does, and no line
of mosquitto's own papers is left out.
"""

import gzip
import re
import sys
from pathlib import Path

import pytest

from support.broker import IS_MOSQUITTO, IS_SANITIZED, TOP

sys.path.insert(0, str(TOP / "tests" / "differ"))

import options  # noqa: E402
from option_rows import option_of, parts  # noqa: E402

pytestmark = pytest.mark.skipif(IS_MOSQUITTO, reason="about the program itself")

EXAMPLE = Path("/usr/share/doc/mosquitto/examples/mosquitto.conf")
MANUAL = Path("/usr/share/man/man5/mosquitto.conf.5.gz")


def tried():
    return [line for _, lines in parts() for line in lines]


@pytest.mark.skipif(IS_SANITIZED, reason="nothing new, and many starts")
def test_table_says_what_the_program_does():
    """All lines are there, and the first and the last of each row are tried."""
    rows = options.documented()
    documented = {line: verdict for lines, verdict in rows for line in lines}
    assert documented.keys() == {options.shown(line) for line in tried()}
    ends = {line for lines, _ in rows for line in (lines[0], lines[-1])}
    results = options.try_all(with_mosquitto=False, wanted=lambda line: line in ends)
    for one in (one for _, part in results for one in part):
        found = options.verdict(one.ours, one.our_words)
        assert documented[one.shown()] == found, f"{one.shown()}: run tests/differ/options.py"


@pytest.mark.skipif(not EXAMPLE.exists(), reason="mosquitto's example was not installed")
def test_every_option_of_the_example_is_tried():
    """With the value that stands there, where one does."""
    lines = re.findall(r"^#([a-z].*)$", EXAMPLE.read_text(), re.M)
    assert len(lines) > 90
    options_tried = {option_of(line) for line in tried()}
    for line in lines:
        assert option_of(line) in options_tried, line
        if len(line.split()) > 1 and "<" not in line:
            assert line in tried(), line


@pytest.mark.skipif(not MANUAL.exists(), reason="mosquitto's manual was not installed")
def test_every_option_of_the_manual_is_tried():
    text = gzip.decompress(MANUAL.read_bytes()).decode().replace("\\&", "")
    names = re.findall(r"^\.PP\n\\fB([a-z0-9_.*]+)\\fR", text, re.M)
    assert len(names) > 110
    options_tried = {option_of(line) for line in tried()}
    assert set(names) - options_tried <= {"mosquitto", "mosquitto.conf"}
